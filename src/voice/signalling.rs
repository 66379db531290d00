//! The signalling task: one UDP socket, one endpoint, every call.
//!
//! All it does is carry: datagrams to the endpoint and its answers to the socket, events to
//! [`Calls`], commands from the engine, reports to it. It decides nothing.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Sleep, sleep_until};
use tracing::warn;

use super::calls::{Calls, TrunkLine};
use super::carrier::Carrier;
use super::media::StreamEvent;
use super::order::{Command, Report};
use super::trunk::Trunk;
use crate::sip::endpoint::Endpoint;

/// How often the trunks' names are resolved anew.
const RESOLVE_EVERY: Duration = Duration::from_secs(60);
/// Commands or news of streams taken in at once.
const AT_ONCE: usize = 64;
/// Without a deadline.
const LONG: Duration = Duration::from_secs(3600);
/// How long calls have to end in order when the process stops.
const GRACE: Duration = Duration::from_secs(2);

/// The ends of the channels that the task lives between.
pub struct Lines {
    /// Orders from the engine.
    pub commands: mpsc::Receiver<Command>,
    /// News to the engine.
    pub reports: mpsc::Sender<Report>,
    /// News from the media plane.
    pub streams: mpsc::Receiver<StreamEvent>,
    /// Turns true when the process stops.
    pub stop: watch::Receiver<bool>,
}

/// Carries until it is told to stop and all calls have ended, or the grace is over.
///
/// # Errors
/// When the socket fails for good.
pub async fn run(
    mut carrier: Carrier,
    mut endpoint: Endpoint,
    mut calls: Calls,
    trunks: Vec<Trunk>,
    mut lines: Lines,
) -> io::Result<()> {
    let (resolved_in, mut resolved) = mpsc::channel::<(Arc<str>, Option<SocketAddr>)>(16);
    let resolver = tokio::spawn(resolve_again(trunks, resolved_in));
    let mut stopping: Option<Instant> = None;
    let mut commands_open = true;
    let mut streams_open = true;
    let mut waiting: Option<Report> = None;
    let mut commands = Vec::with_capacity(AT_ONCE);
    let mut news = Vec::with_capacity(AT_ONCE);
    let mut alarm = pin!(sleep_until((Instant::now() + LONG).into()));
    let outcome = loop {
        let now = Instant::now();
        endpoint.handle_timeout(now);
        calls.on_deadline(&mut endpoint, now);
        settle(&mut carrier, &mut endpoint, &mut calls).await;
        if let Some(until) = stopping
            && (calls.is_empty() && endpoint.load().calls == 0 || now >= until)
        {
            break Ok(());
        }
        if waiting.is_none() {
            waiting = report(&mut calls, &lines.reports);
        }
        let deadlines = [endpoint.poll_timeout(), calls.deadline(), stopping];
        let deadline = deadlines.into_iter().flatten().min();
        set(&mut alarm, deadline.unwrap_or(now + LONG));
        tokio::select! {
            permit = lines.reports.reserve(), if waiting.is_some() => {
                // Without a permit the engine is gone, and nobody is left to tell.
                if let (Ok(permit), Some(report)) = (permit, waiting.take()) {
                    permit.send(report);
                }
            }
            ready = carrier.readable() => {
                if let Err(error) = ready {
                    break Err(error);
                }
                carrier.receive(&mut endpoint);
            }
            count = lines.streams.recv_many(&mut news, AT_ONCE), if streams_open => {
                streams_open = count > 0;
                for event in news.drain(..) {
                    calls.on_stream(&mut endpoint, Instant::now(), event);
                }
            }
            count = lines.commands.recv_many(&mut commands, AT_ONCE),
                if commands_open && stopping.is_none() =>
            {
                commands_open = count > 0;
                for command in commands.drain(..) {
                    let now = Instant::now();
                    match command {
                        Command::Place(order) => calls.place(&mut endpoint, now, *order),
                        Command::Cancel(call) => calls.cancel(&mut endpoint, now, call),
                    }
                }
            }
            found = resolved.recv() => {
                if let Some((trunk, target)) = found {
                    calls.resolved(&trunk, target);
                }
            }
            changed = lines.stop.changed(), if stopping.is_none() => {
                if changed.is_err() || *lines.stop.borrow() {
                    let now = Instant::now();
                    calls.interrupt(&mut endpoint, now);
                    stopping = Some(now + GRACE);
                }
            }
            () = &mut alarm => {}
        }
    };
    resolver.abort();
    outcome
}

/// Hands reports over for as long as there is room for them; the first for which there is none.
fn report(calls: &mut Calls, reports: &mpsc::Sender<Report>) -> Option<Report> {
    while let Some(report) = calls.poll_report() {
        match reports.try_send(report) {
            Ok(()) => {}
            Err(TrySendError::Full(report)) => return Some(report),
            // The engine is gone, and nobody is left to tell.
            Err(TrySendError::Closed(_)) => {}
        }
    }
    None
}

/// Sets an alarm that may go off too early and never too late. Most deadlines lie behind the one
/// that it is set to already, and moving it costs more than a needless turn of the loop.
fn set(alarm: &mut Pin<&mut Sleep>, deadline: Instant) {
    let deadline = deadline.into();
    if deadline < alarm.deadline() || alarm.is_elapsed() {
        alarm.as_mut().reset(deadline);
    }
}

/// Lets endpoint and calls answer each other until both are quiet, and sends what they want sent.
async fn settle(carrier: &mut Carrier, endpoint: &mut Endpoint, calls: &mut Calls) {
    loop {
        while let Some(event) = endpoint.poll_event() {
            calls.on_sip(endpoint, Instant::now(), event);
        }
        if !carrier.send(endpoint).await {
            break;
        }
    }
}

/// Resolves the trunks' proxies every minute for as long as anyone listens.
async fn resolve_again(trunks: Vec<Trunk>, found: mpsc::Sender<(Arc<str>, Option<SocketAddr>)>) {
    loop {
        tokio::time::sleep(RESOLVE_EVERY).await;
        for trunk in &trunks {
            let target = resolve(&trunk.proxy).await;
            // A name server's bad minute does not take a working trunk away.
            if target.is_some() && found.send((trunk.name.clone(), target)).await.is_err() {
                return;
            }
        }
    }
}

/// A proxy's address: `host`, `host:port`, an IPv4 or a bracketed IPv6 address; port 5060 where
/// none is given (RFC 3263 4.2 without the SRV step).
pub async fn resolve(proxy: &str) -> Option<SocketAddr> {
    if let Ok(address) = proxy.parse::<SocketAddr>() {
        return Some(address);
    }
    let bare = proxy.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse() {
        return Some(SocketAddr::new(ip, 5060));
    }
    let with_port = if proxy.contains(':') {
        proxy.to_owned()
    } else {
        format!("{proxy}:5060")
    };
    let mut addresses = tokio::net::lookup_host(with_port).await.ok()?;
    addresses.next()
}

/// Our own address as `target` sees it: asked of the routing table, no packet is sent.
pub fn local_towards(target: SocketAddr, bound: SocketAddr) -> io::Result<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return Ok(bound);
    }
    let any: SocketAddr = if target.is_ipv4() {
        SocketAddr::from(([0, 0, 0, 0], 0))
    } else {
        SocketAddr::from(([0u16; 8], 0))
    };
    let probe = std::net::UdpSocket::bind(any)?;
    probe.connect(target)?;
    Ok(SocketAddr::new(probe.local_addr()?.ip(), bound.port()))
}

/// The line of a trunk as things stand now.
pub async fn line(trunk: Trunk, bound: SocketAddr, advertise: Option<SocketAddr>) -> TrunkLine {
    let target = resolve(&trunk.proxy).await;
    if target.is_none() {
        warn!(trunk = %trunk.name, "the trunk's proxy does not resolve; its calls fail until it does");
    }
    let local = advertise.unwrap_or_else(|| {
        target
            .and_then(|target| local_towards(target, bound).ok())
            .unwrap_or(bound)
    });
    TrunkLine::new(trunk, target, local)
}
