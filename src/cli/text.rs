//! `ringtrue text NUMBER`: one text without the API, with the PDUs as they pass.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use tokio::sync::mpsc;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::capture::Capture;
use super::pdu::PduLines;
use super::service::Texts;
use crate::config::Config;
use crate::dialplan::TextRoute;
use crate::phone::PhoneNumber;
use crate::sms::dispatch::{Command, Dispatch, Failure, News, Report};
use crate::sms::order::TextRef;
use crate::sms::wire::{Segment, Tap};

/// Segments that may wait to be printed or written.
const WATCHED: usize = 1024;
/// How long the last PDUs after a stop are waited for.
const FAREWELL: Duration = Duration::from_secs(2);

/// Sends one text and shows what happens. Ends with 0 if it was delivered, 2 if it failed or cannot
/// be delivered, 3 if it left and nobody knows whether it arrived, 4 if it was taken and no receipt
/// came in time.
#[derive(Debug, Clone, clap::Args)]
pub struct TextArgs {
    /// The number, in E.164: `+442079460123`.
    #[arg(value_parser = PhoneNumber::parse)]
    number: PhoneNumber,
    /// What it says.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "This is a test by Ringtrue."
    )]
    words: String,
    /// Show numbers and words in full.
    #[arg(long)]
    show: bool,
    /// Seconds to wait for the receipt; 0 does not wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    wait: u64,
    /// Write the connections, TLS taken off, to this file, for Wireshark.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It is on the phone.
    Delivered,
    /// It failed, or cannot be delivered.
    Failed,
    /// It left and was never answered.
    Unsure,
    /// A carrier took it, and no receipt came in time.
    Taken,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> ExitCode {
        ExitCode::from(match ending {
            Ending::Delivered => 0,
            Ending::Failed => 2,
            Ending::Unsure => 3,
            Ending::Taken => 4,
        })
    }
}

/// Sends the text.
///
/// # Errors
/// When the dialplan refuses the number, the gateway cannot be started, or the file not be written.
pub async fn run(
    args: TextArgs,
    config: &Config,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Ending> {
    config.guard.screen(&args.number).context(super::GUARDED)?;
    let route = config.check()?.dialplan.text_route(&args.number)?;
    let mut config = config.clone();
    keep_account(&mut config, &route);
    let (tap, mut wire) = Tap::open(WATCHED);
    let mut watching = Watching {
        lines: PduLines::new(out, args.show),
        capture: args.pcap.as_deref().map(Capture::create).transpose()?,
    };
    let (texts, (commands, mut reports)) = Texts::start(&config, tap).await?;
    let wait = Duration::from_secs(args.wait);
    let dispatch = Dispatch {
        text: TextRef(Uuid::now_v7()),
        to: args.number,
        route,
        body: Zeroizing::new(args.words),
        deadline: Instant::now() + Duration::from_secs(120),
    };
    commands.send(Command::Send(Box::new(dispatch))).await?;
    // Without a receipt in time, it stays at this.
    let mut ending = Ending::Failed;
    let mut until = None;
    while until.is_none_or(|until| tokio::time::Instant::now() < until) {
        let far = tokio::time::Instant::now() + Duration::from_secs(600);
        tokio::select! {
            segment = wire.recv() => watching.take(segment)?,
            report = reports.recv() => {
                let Some(report) = report else { anyhow::bail!("the gateway has stopped") };
                // What passed before it stands before it.
                while let Ok(segment) = wire.try_recv() {
                    watching.take(Some(segment))?;
                }
                let (text, over) = match report {
                    Report::Text { news, .. } => {
                        let (text, next, over) = tell(&news);
                        ending = next;
                        (text, over || wait.is_zero())
                    }
                    Report::Named(_) => continue,
                    Report::Receipt(came) => {
                        came.acknowledgement.taken();
                        continue;
                    }
                    Report::Inbound(message) => {
                        let shown = if args.show { &*message.words } else { "..." };
                        (format!("a message came by {}: {shown:?}", message.by), false)
                    }
                };
                watching.lines.note(SystemTime::now(), &text)?;
                let now = tokio::time::Instant::now();
                until = Some(if over { now } else { until.unwrap_or(now + wait) });
            }
            () = tokio::time::sleep_until(until.unwrap_or(far)) => {}
        }
    }
    if ending == Ending::Taken && !wait.is_zero() {
        watching
            .lines
            .note(SystemTime::now(), "no receipt in time")?;
    }
    watching.follow(texts, &mut wire).await?;
    Ok(ending)
}

/// The binds of the accounts that the route names, and no others: beside a running service,
/// carriers count sessions.
fn keep_account(config: &mut Config, route: &TextRoute) {
    let account = |line: &crate::sms::SmppLine| {
        (
            line.bind.address.clone(),
            line.bind.session.system_id.clone(),
        )
    };
    let ways = route
        .ways
        .iter()
        .filter_map(|way| config.binds.get(&way.by));
    let accounts: Vec<_> = ways.map(account).collect();
    config.binds.retain(|name, line| {
        let named = route.ways.iter().any(|way| way.by == *name);
        let hears = !line.bind.session.kind.sends() && accounts.contains(&account(line));
        line.sessions = 1;
        named || hears
    });
}

/// The news for people, what it would end with, and whether it is the last.
fn tell(news: &News) -> (String, Ending, bool) {
    match news {
        News::Sent { by, messages } => {
            let plural = if *messages == 1 { "" } else { "s" };
            let text = format!("sent by {by}, as {messages} message{plural}");
            (text, Ending::Taken, false)
        }
        News::Unsure { by } => {
            let text = format!("left by {by} and was not answered: it may arrive or not");
            (text, Ending::Unsure, false)
        }
        News::Accepted { after } => {
            let text = format!(
                "accepted by the carrier, which says so after {:.1} s: it may arrive or not",
                after.as_secs_f64()
            );
            (text, Ending::Taken, false)
        }
        News::Unknown { after } => {
            let text = format!(
                "unknown: the carrier says after {:.1} s that it does not know its fate",
                after.as_secs_f64()
            );
            (text, Ending::Unsure, false)
        }
        News::Delivered { after } => {
            let text = format!("delivered after {:.1} s", after.as_secs_f64());
            (text, Ending::Delivered, true)
        }
        News::Undeliverable { error, after } => {
            let text = format!("undeliverable, after {:.1} s: {error}", after.as_secs_f64());
            (text, Ending::Failed, true)
        }
        News::Failed { failure, error } => {
            let mut text = match failure {
                Failure::Unavailable => "failed: no way was up in time",
                Failure::Overloaded => "failed: every way was full or told to slow down",
                Failure::Rejected => "failed: the carrier refused it",
                Failure::NoSuchNumber => "failed: the carrier says that there is no such number",
                Failure::TooLate => "failed: its time was over before it left",
                Failure::TooLong => "failed: it takes more messages than the ways allow",
            }
            .to_owned();
            if let Some(error) = error {
                text.push_str(&format!(" ({error})"));
            }
            (text, Ending::Failed, true)
        }
    }
}

struct Watching<W> {
    lines: PduLines<W>,
    capture: Option<Capture>,
}

impl<W: Write> Watching<W> {
    fn take(&mut self, segment: Option<Segment>) -> anyhow::Result<()> {
        if let Some(segment) = segment {
            self.lines.segment(&segment)?;
            if let Some(capture) = &mut self.capture {
                capture.write_segment(&segment)?;
            }
        }
        Ok(())
    }

    /// Shows the farewell.
    async fn follow(
        &mut self,
        texts: Texts,
        wire: &mut mpsc::Receiver<Segment>,
    ) -> anyhow::Result<()> {
        let stopping = tokio::spawn(texts.stop());
        let until = tokio::time::Instant::now() + FAREWELL;
        while let Ok(Some(segment)) = tokio::time::timeout_at(until, wire.recv()).await {
            self.take(Some(segment))?;
        }
        stopping.await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pcap_file::pcap::PcapReader;

    use super::*;
    use crate::smpp::pdu::{Command as Operation, Header};

    async fn text(number: &str, wait: u64, pcap: Option<&Path>) -> (Ending, String) {
        let args = TextArgs {
            number: PhoneNumber::parse(number).expect("a number"),
            words: "Your code is 123456".to_owned(),
            show: false,
            wait,
            pcap: pcap.map(Path::to_owned),
        };
        let mut out = Vec::new();
        let ending = run(args, &Config::default(), &mut out).await;
        let out = String::from_utf8(out).expect("UTF-8");
        assert!(
            !out.contains("123456") && !out.contains("74001234"),
            "{out}"
        );
        (ending.expect("an ending"), out)
    }

    #[tokio::test]
    async fn a_text_is_shown_from_bind_to_receipt() {
        let folder = tempfile::tempdir().expect("a folder");
        let pcap = folder.path().join("text.pcap");
        let (ending, out) = text("+447400123456", 20, Some(&pcap)).await;
        assert_eq!(ending, Ending::Delivered, "{out}");
        // The capture holds the same conversation: SMPP begins 40 octets into each packet.
        let file = std::fs::File::open(&pcap).expect("a capture");
        let mut reader = PcapReader::new(file).expect("a capture");
        let mut commands = Vec::new();
        while let Some(packet) = reader.next_packet() {
            let packet = packet.expect("a packet");
            let header = Header::decode(&packet.data[40..]).expect("a PDU");
            commands.push(header.command);
        }
        for command in [
            Operation::BIND_TRANSCEIVER,
            Operation::SUBMIT_SM,
            Operation::DELIVER_SM,
        ] {
            assert!(commands.contains(&command), "{commands:?}");
        }
        let mut rest = out.as_str();
        for expected in [
            "sandbox → bind_transceiver 1  system_id=ringtrue",
            "sandbox ← bind_transceiver_resp 1 ESME_ROK",
            "sandbox → submit_sm 2  from=Ringtrue  to=**********56",
            "sandbox ← submit_sm_resp 2 ESME_ROK  id=",
            "● sent by sandbox, as 1 message\n",
            "sandbox ← deliver_sm 1  from=**********56  to=Ringtrue  id=",
            "● delivered after ",
        ] {
            let at = rest
                .find(expected)
                .unwrap_or_else(|| panic!("no {expected}:\n{out}"));
            rest = &rest[at..];
        }
    }

    #[tokio::test]
    async fn the_fate_decides_how_it_ends() {
        let (ending, out) = text("+447400123403", 20, None).await;
        assert_eq!(ending, Ending::Failed, "{out}");
        assert!(out.contains("no such number (ESME_RINVDSTADR)"), "{out}");
        let (ending, out) = text("+447400123401", 20, None).await;
        assert_eq!(ending, Ending::Failed, "{out}");
        assert!(out.contains("UNDELIV err:027"), "{out}");
        let (ending, out) = text("+447400123402", 1, None).await;
        assert_eq!(ending, Ending::Taken, "{out}");
        assert!(out.contains("no receipt in time"), "{out}");
    }
}
