//! The signalling task: one UDP socket, one endpoint, every call.
//!
//! All it does is carry: datagrams to the endpoint and its answers to the socket, events to
//! [`Calls`], commands from the engine, reports to it. It decides nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Sleep, sleep_until};
use tracing::warn;

use super::calls::{Calls, NextHop, TrunkLine};
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
/// The endpoint's timers are served together, this far apart at most. They count in half seconds and
/// more, and most only end what lingers: served one by one each would wake the task.
const BEAT: Duration = Duration::from_millis(50);
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

/// Carries until it is told to stop and all calls have ended and were reported, or the grace is over.
///
/// # Errors
/// When the socket fails for good.
pub async fn run(
    mut carrier: Carrier,
    mut endpoint: Endpoint,
    mut calls: Calls,
    (trunks, us): (Vec<Trunk>, Us),
    mut lines: Lines,
) -> io::Result<()> {
    let (resolved_in, mut resolved) = mpsc::channel(16);
    let resolver = tokio::spawn(resolve_again(trunks, us, resolved_in));
    let mut stopping: Option<Instant> = None;
    let mut commands_open = true;
    let mut streams_open = true;
    let mut waiting: Option<Report> = None;
    let mut commands = Vec::with_capacity(AT_ONCE);
    let mut news = Vec::with_capacity(AT_ONCE);
    let began = Instant::now();
    let mut alarm = pin!(sleep_until((began + LONG).into()));
    let outcome = loop {
        let now = Instant::now();
        endpoint.handle_timeout(now);
        calls.on_deadline(&mut endpoint, now);
        settle(&mut carrier, &mut endpoint, &mut calls).await;
        if waiting.is_none() {
            waiting = report(&mut calls, &lines.reports);
        }
        let is_done = calls.is_empty() && endpoint.load().calls == 0 && waiting.is_none();
        if let Some(until) = stopping
            && (is_done || now >= until)
        {
            break Ok(());
        }
        let timers = endpoint.poll_timeout().map(|at| on_the_beat(began, at));
        let deadlines = [timers, calls.deadline(), stopping];
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
                if let Some((trunk, hop)) = found {
                    calls.resolved(&mut endpoint, &trunk, hop);
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

/// The first beat at or behind an instant.
fn on_the_beat(began: Instant, at: Instant) -> Instant {
    let passed = at.saturating_duration_since(began).as_nanos();
    match (passed % BEAT.as_nanos()) as u64 {
        0 => at,
        over => at + (BEAT - Duration::from_nanos(over)),
    }
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

/// Our own addresses.
#[derive(Debug, Clone, Copy)]
pub struct Us {
    /// Where SIP is spoken.
    pub bound: SocketAddr,
    /// What trunks are told, where that is another.
    pub advertise: Option<SocketAddr>,
}

impl Us {
    /// Where a trunk's proxy is now.
    async fn find(self, trunk: &Trunk) -> io::Result<NextHop> {
        let target = resolve(&trunk.proxy, self.bound).await?;
        let local = self
            .advertise
            .map_or_else(|| local_towards(target, self.bound), Ok)?;
        Ok(NextHop { target, local })
    }

    /// The line of a trunk as things stand now.
    pub async fn line(self, trunk: Trunk) -> TrunkLine {
        let hop = self.find(&trunk).await.inspect_err(|error| {
            warn!(trunk = %trunk.name, %error, "the trunk's proxy is not to be found; its calls fail until it is");
        });
        TrunkLine::new(trunk, hop.ok())
    }
}

/// Looks for the trunks' proxies every minute for as long as anyone listens.
async fn resolve_again(trunks: Vec<Trunk>, us: Us, found: mpsc::Sender<(Arc<str>, NextHop)>) {
    loop {
        tokio::time::sleep(RESOLVE_EVERY).await;
        for trunk in &trunks {
            match us.find(trunk).await {
                Ok(hop) => {
                    if found.send((trunk.name.clone(), hop)).await.is_err() {
                        return;
                    }
                }
                // A name server's bad minute does not take a working trunk away.
                Err(error) => {
                    warn!(trunk = %trunk.name, %error, "the trunk's proxy was not found again");
                }
            }
        }
    }
}

/// A proxy's address that a socket bound to `bound` can reach: `host`, `host:port`, an IPv4 or a
/// bracketed IPv6 address; port 5060 where none is given (RFC 3263 4.2 without the SRV step).
async fn resolve(proxy: &str, bound: SocketAddr) -> io::Result<SocketAddr> {
    let bare = proxy.trim_start_matches('[').trim_end_matches(']');
    let named = if let Ok(ip) = bare.parse::<IpAddr>() {
        vec![SocketAddr::new(ip, 5060)]
    } else if proxy.contains(':') {
        tokio::net::lookup_host(proxy).await?.collect()
    } else {
        tokio::net::lookup_host((proxy, 5060)).await?.collect()
    };
    let mut reachable = named
        .iter()
        .filter(|address| address.is_ipv4() == bound.is_ipv4());
    reachable.next().copied().ok_or_else(|| {
        let family = if bound.is_ipv4() { "IPv4" } else { "IPv6" };
        let error = format!("it has no {family} address, as the one that SIP is spoken at");
        io::Error::new(io::ErrorKind::NotFound, error)
    })
}

/// Our own address as `target` sees it: asked of the routing table, no packet is sent.
fn local_towards(target: SocketAddr, bound: SocketAddr) -> io::Result<SocketAddr> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::PromptLibrary;
    use crate::challenge::Reason;
    use crate::phone::PhoneNumber;
    use crate::sip::endpoint::EndpointConfig;
    use crate::voice::media::{MediaConfig, MediaPlane};
    use crate::voice::order::{CallOrder, CallRef, News};
    use crate::voice::policy::CallPolicy;
    use crate::voice::wire::Tap;

    #[tokio::test]
    async fn a_proxy_is_found_in_the_family_that_is_spoken() {
        let four = SocketAddr::from(([0, 0, 0, 0], 5060));
        let six: SocketAddr = "[::]:5060".parse().unwrap();
        for (proxy, bound, found) in [
            ("192.0.2.1", four, Some("192.0.2.1:5060")),
            ("192.0.2.1:5070", four, Some("192.0.2.1:5070")),
            ("192.0.2.1", six, None),
            ("2001:db8::1", six, Some("[2001:db8::1]:5060")),
            ("[2001:db8::1]", six, Some("[2001:db8::1]:5060")),
            ("[2001:db8::1]:5070", six, Some("[2001:db8::1]:5070")),
            ("[2001:db8::1]:5070", four, None),
            ("localhost:5070", four, Some("127.0.0.1:5070")),
            ("nowhere.invalid", four, None),
        ] {
            let found = found.map(|address| address.parse::<SocketAddr>().unwrap());
            assert_eq!(
                resolve(proxy, bound).await.ok(),
                found,
                "{proxy} from {bound}"
            );
        }
    }

    #[test]
    fn timers_are_served_on_the_next_beat_and_never_early() {
        let began = Instant::now();
        let ms = |n| began + Duration::from_millis(n);
        for (at, beat) in [(0, 0), (1, 50), (49, 50), (50, 50), (51, 100), (500, 500)] {
            assert_eq!(on_the_beat(began, ms(at)), ms(beat), "{at}");
        }
        let days = ms(30 * 24 * 3_600_000) + Duration::from_nanos(1);
        assert_eq!(on_the_beat(began, days), ms(30 * 24 * 3_600_000 + 50));
    }

    #[tokio::test]
    async fn every_end_is_told_before_the_task_ends() {
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let carrier = Carrier::bind(here, Tap::default()).await.unwrap();
        let (events, streams) = mpsc::channel(1);
        let media = MediaConfig {
            bind: here.ip(),
            advertise: None,
            ports: 26_080..=26_099,
            shards: 1,
            tap: Tap::default(),
        };
        let prompts = PromptLibrary::builtin(&"en-GB".parse().unwrap()).unwrap();
        let calls = Calls::new(
            CallPolicy::default(),
            [],
            Arc::new(prompts),
            MediaPlane::start(media, events).unwrap(),
        );
        let us = Us {
            bound: carrier.local(),
            advertise: None,
        };
        let endpoint = Endpoint::new(EndpointConfig::new(us.bound), [7; 32]);
        let (orders, commands) = mpsc::channel(8);
        let (reports, mut told) = mpsc::channel(1);
        let (stop_in, stop) = watch::channel(false);
        // No such trunk: each order has its end at once, and there is room for one to be told.
        for _ in 0..5 {
            let order = CallOrder {
                call: CallRef(uuid::Uuid::now_v7()),
                to: PhoneNumber::parse("+442079460123").unwrap(),
                trunk: "none".into(),
                caller_id: None,
                locale: "en-GB".into(),
                time_left: Duration::from_secs(60),
            };
            orders.send(Command::Place(Box::new(order))).await.unwrap();
        }
        let lines = Lines {
            commands,
            reports,
            streams,
            stop,
        };
        let task = tokio::spawn(run(carrier, endpoint, calls, (Vec::new(), us), lines));
        let mut ends = 0;
        while let Some(report) = told.recv().await {
            assert_eq!(report.news, News::Ended(Reason::TrunkUnavailable));
            ends += 1;
            stop_in.send_replace(true);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(ends, 5);
        task.await.unwrap().unwrap();
    }

    #[test]
    fn our_address_is_the_one_on_the_way_there() {
        let here = SocketAddr::from(([127, 0, 0, 1], 5070));
        let any = SocketAddr::from(([0, 0, 0, 0], 5060));
        let local = local_towards(here, any).unwrap();
        assert_eq!(local, SocketAddr::from(([127, 0, 0, 1], 5060)));
        assert_eq!(local_towards(any, here).unwrap(), here, "as bound");
    }
}
