//! `ringtrue call NUMBER`: one verification call without the API, with a live SIP ladder.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::capture::Capture;
use super::chart;
use super::ladder::Ladder;
use super::service::Voice;
use crate::challenge::Outcome;
use crate::config::Config;
use crate::phone::PhoneNumber;
use crate::voice::order::{CallOrder, CallRef, Command, KeySource, News, Report};
use crate::voice::wire::{Datagram, Tap};

/// Datagrams that may wait to be drawn or written.
const WATCHED: usize = 8192;

/// Calls a number once and shows what happens.
#[derive(Debug, Clone, clap::Args)]
pub struct CallArgs {
    /// The number, in E.164: `+442079460123`.
    #[arg(value_parser = PhoneNumber::parse)]
    number: PhoneNumber,
    /// Write signalling and media to this file, for Wireshark.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Draw the ladder into this file as well, as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Places the call. The outcome decides the exit code.
///
/// # Errors
/// When the number is never called, the call cannot be placed at all, or the file not be written.
pub async fn run(
    args: CallArgs,
    config: &Config,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Outcome> {
    let (tap, mut wire) = Tap::open(WATCHED);
    config.guard.screen(&args.number).context(super::GUARDED)?;
    let mut config = config.clone();
    // Beside a running service the usual port is taken; a call of one's own needs none.
    config.sip.bind.set_port(0);
    let mut voice = Voice::start(&config, tap).await?;
    let route = voice.dialplan.route(&args.number)?;
    let mut capture = args.pcap.as_deref().map(Capture::create).transpose()?;
    if let Some(file) = &args.svg {
        // Nobody is called for a picture that cannot be written.
        std::fs::write(file, "").with_context(|| format!("writing {}", file.display()))?;
    }
    let mut ladder = Ladder::new(out);
    ladder.heading("Ringtrue", &route.trunk)?;
    let peer = route.trunk.clone();
    let order = CallOrder {
        call: CallRef(Uuid::now_v7()),
        to: args.number,
        trunk: route.trunk,
        caller_id: route.caller_id,
        locale: route.locale,
        time_left: Duration::from_secs(300),
    };
    let commands = &voice.gateway.commands;
    commands.send(Command::Place(Box::new(order))).await?;
    let watched = tokio::select! {
        watched = watch(&mut ladder, &mut capture, &mut wire, &mut voice.gateway.reports) => watched,
        stopped = super::interrupted() => stopped.map(|()| None).map_err(Into::into),
    };
    // Whatever came to pass, a closed pipe or a full disk: a phone that still rings or listens is
    // hung up on.
    voice.stop().await;
    let outcome = match watched? {
        Some(outcome) => outcome,
        None => {
            drain(&mut ladder, &mut capture, &mut wire)?;
            ladder.note(SystemTime::now(), "stopped")?;
            Outcome::Failed
        }
    };
    if let Some(file) = &args.svg {
        let picture = chart::draw("Ringtrue", &peer, ladder.rows());
        std::fs::write(file, picture).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(outcome)
}

/// Draws until the call is over; its outcome.
async fn watch<W: Write>(
    ladder: &mut Ladder<W>,
    capture: &mut Option<Capture>,
    wire: &mut mpsc::Receiver<Datagram>,
    reports: &mut mpsc::Receiver<Report>,
) -> anyhow::Result<Option<Outcome>> {
    let reason = loop {
        tokio::select! {
            datagram = wire.recv() => draw(ladder, capture, datagram)?,
            report = reports.recv() => {
                let Some(report) = report else { anyhow::bail!("the gateway has stopped") };
                // What was sent before it stands before it.
                drain(ladder, capture, wire)?;
                match report.news {
                    News::Dialling | News::Ringing | News::Answered => {}
                    News::Key { digit, source, counted } => {
                        let how = match source {
                            KeySource::Rfc4733 => "RFC 4733",
                            KeySource::SipInfo => "SIP INFO",
                            KeySource::InBand => "in-band",
                        };
                        let fate = if counted { "" } else { ", set aside: too early" };
                        ladder.note(SystemTime::now(), &format!("{digit} heard by {how}{fate}"))?;
                    }
                    News::AnsweredBy(by) => {
                        let text = format!("by its sounds, answered by: {}", by.name());
                        ladder.note(SystemTime::now(), &text)?;
                    }
                    News::Ended(why) => {
                        let text = format!("{:?}: {}", why.outcome(), why.name());
                        ladder.note(SystemTime::now(), &text)?;
                        break why;
                    }
                }
            }
        }
    };
    // The goodbye and the BYE follow the outcome.
    let until = tokio::time::Instant::now() + Duration::from_secs(10);
    while !ladder.is_over() {
        let Ok(Some(datagram)) = tokio::time::timeout_at(until, wire.recv()).await else {
            break;
        };
        draw(ladder, capture, Some(datagram))?;
    }
    Ok(Some(reason.outcome()))
}

fn draw<W: Write>(
    ladder: &mut Ladder<W>,
    capture: &mut Option<Capture>,
    datagram: Option<Datagram>,
) -> anyhow::Result<()> {
    if let Some(datagram) = datagram {
        ladder.datagram(&datagram)?;
        if let Some(capture) = capture {
            capture.write(&datagram)?;
        }
    }
    Ok(())
}

fn drain<W: Write>(
    ladder: &mut Ladder<W>,
    capture: &mut Option<Capture>,
    wire: &mut mpsc::Receiver<Datagram>,
) -> anyhow::Result<()> {
    while let Ok(datagram) = wire.try_recv() {
        draw(ladder, capture, Some(datagram))?;
    }
    Ok(())
}
