//! A SIP ladder drawn live, a line for each message, key and event.
//!
//! Header and body never reach it: the start line of a request is cut to its method, so no number
//! is shown.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use super::chart::Row;
use crate::sip::message::{Message, Method, Name, StartLine};
use crate::voice::wire::{Datagram, Plane};

/// Width of an arrow between the two columns.
const ARROW: usize = 34;

/// Rows that are kept for a picture; a call has some twenty.
const MOST_ROWS: usize = 1_000;

/// Draws to a writer, times counted from the first line.
pub struct Ladder<W> {
    out: W,
    start: Option<SystemTime>,
    rows: Vec<Row>,
    /// Whether the last INVITE was refused.
    is_refused: bool,
    is_over: bool,
}

impl<W: Write> Ladder<W> {
    /// A ladder on `out`.
    pub fn new(out: W) -> Ladder<W> {
        Ladder {
            out,
            start: None,
            rows: Vec::new(),
            is_refused: false,
            is_over: true,
        }
    }

    /// The two names above the columns.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn heading(&mut self, left: &str, right: &str) -> io::Result<()> {
        writeln!(
            self.out,
            "{:>9}  {left:<12}{right:>w$}",
            "seconds",
            w = ARROW
        )
    }

    /// A datagram; media is not drawn.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn datagram(&mut self, datagram: &Datagram) -> io::Result<()> {
        if datagram.plane == Plane::Media {
            return Ok(());
        }
        self.follow(&datagram.bytes);
        let label = label(&datagram.bytes);
        let time = self.time(datagram.at);
        let arrow = arrow(&label, datagram.sent);
        self.keep(Row::Message {
            at: time,
            label,
            to_the_right: datagram.sent,
        });
        writeln!(self.out, "{time:>9.3}      │{arrow}│")
    }

    /// Something that is no message: a key, a prompt, an outcome.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn note(&mut self, at: SystemTime, text: &str) -> io::Result<()> {
        let time = self.time(at);
        self.keep(Row::Note {
            at: time,
            text: text.to_owned(),
        });
        writeln!(self.out, "{time:>9.3}      ● {text}")
    }

    /// Whether the call has come to its end on the wire: no INVITE was sent, its refusal was
    /// acknowledged, or its BYE answered.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    fn follow(&mut self, bytes: &[u8]) {
        let Ok(message) = Message::parse(bytes) else {
            return;
        };
        match message.start() {
            StartLine::Request { method, .. } => match method {
                // A further attempt, with credentials.
                Method::Invite => (self.is_refused, self.is_over) = (false, false),
                Method::Ack => self.is_over = self.is_refused,
                _ => {}
            },
            StartLine::Response { code, .. } if code >= 200 => {
                match message.cseq().map(|cseq| cseq.method) {
                    Ok(Method::Invite) => self.is_refused = code >= 300,
                    Ok(Method::Bye) => self.is_over = true,
                    _ => {}
                }
            }
            StartLine::Response { .. } => {}
        }
    }

    /// What was drawn, for a picture; the first thousand rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn keep(&mut self, row: Row) {
        if self.rows.len() < MOST_ROWS {
            self.rows.push(row);
        }
    }

    fn time(&mut self, at: SystemTime) -> f64 {
        let start = *self.start.get_or_insert(at);
        at.duration_since(start)
            .unwrap_or(Duration::ZERO)
            .as_secs_f64()
    }
}

/// `INVITE (sdp)`, `180 Ringing`, `200 OK to BYE`.
fn label(bytes: &[u8]) -> String {
    let Ok(message) = Message::parse(bytes) else {
        return String::from("not a SIP message");
    };
    let mut label = String::new();
    match message.start() {
        StartLine::Request { method, .. } => {
            let _ = write!(label, "{}", printable(&method.to_string()));
        }
        StartLine::Response { code, reason } => {
            let _ = write!(label, "{code} {}", printable(reason));
            if let Ok(cseq) = message.cseq() {
                let method = cseq.method.to_string();
                if method != "INVITE" {
                    let _ = write!(label, " to {}", printable(&method));
                }
            }
        }
    }
    if !message.body().is_empty() {
        let kind = message.header(Name::ContentType);
        let kind = kind.as_deref().unwrap_or("body");
        let kind = kind.split(';').next().unwrap_or(kind).trim();
        let short = kind.rsplit('/').next().unwrap_or(kind);
        let _ = write!(label, " ({})", printable(short));
    }
    label
}

/// At most 24 characters, none of them able to move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(24).collect()
}

fn arrow(label: &str, to_the_right: bool) -> String {
    let length = label.chars().count() + 2;
    let dashes = ARROW.saturating_sub(length + 1).max(2);
    let (before, after) = (dashes / 2, dashes - dashes / 2);
    if to_the_right {
        format!("{} {label} {}▶", "─".repeat(before), "─".repeat(after))
    } else {
        format!("◀{} {label} {}", "─".repeat(before), "─".repeat(after))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn datagram(text: &str, sent: bool) -> Datagram {
        Datagram {
            at: SystemTime::UNIX_EPOCH,
            from: "127.0.0.1:5060".parse().expect("an address"),
            to: "127.0.0.1:5070".parse().expect("an address"),
            sent,
            plane: Plane::Signalling,
            bytes: Bytes::copy_from_slice(text.as_bytes()),
        }
    }

    #[test]
    fn a_message_is_one_line_without_its_number() {
        let mut out = Vec::new();
        let mut ladder = Ladder::new(&mut out);
        let invite = "INVITE sip:+447700900123@example.org SIP/2.0\r\n\
            Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
            To: <sip:+447700900123@example.org>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\
            Content-Type: application/sdp\r\nContent-Length: 2\r\n\r\nv=";
        ladder.datagram(&datagram(invite, true)).expect("written");
        let bye = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\n\
            From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: 1\r\nCSeq: 2 BYE\r\n\
            Content-Length: 0\r\n\r\n";
        ladder.datagram(&datagram(bye, false)).expect("written");
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(text.contains("─ INVITE (sdp) ─"), "{text}");
        assert!(text.contains("─ 200 OK to BYE ─"), "{text}");
        assert!(!text.contains("7700900"), "{text}");
        let widths: Vec<usize> = text.lines().map(|l| l.chars().count()).collect();
        assert!(widths.windows(2).all(|w| w[0] == w[1]), "{text}");
    }

    #[test]
    fn a_call_is_over_with_its_acknowledged_refusal_or_answered_bye() {
        let over = |messages: &[&str]| -> Vec<bool> {
            let mut ladder = Ladder::new(io::sink());
            let watched = messages.iter().map(|message| {
                let (start, method) = message.split_once('/').expect("both");
                let start = match start {
                    "request" => format!("{method} sip:a@b SIP/2.0"),
                    code => format!("SIP/2.0 {code} Word"),
                };
                let text = format!(
                    "{start}\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
                     To: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
                );
                ladder.datagram(&datagram(&text, true)).expect("written");
                ladder.is_over()
            });
            watched.collect()
        };
        let challenged = [
            "request/INVITE",
            "401/INVITE",
            "request/ACK",
            "request/INVITE",
            "100/INVITE",
            "486/INVITE",
            "request/ACK",
        ];
        let ends = [false, false, true, false, false, false, true];
        assert_eq!(over(&challenged), ends);
        // The trunk cannot be reached: nothing was sent, and nothing will be.
        assert!(Ladder::new(io::sink()).is_over());
        // A 200 that crossed the CANCEL.
        let crossed = [
            "request/INVITE",
            "request/CANCEL",
            "200/CANCEL",
            "200/INVITE",
            "request/ACK",
            "request/BYE",
            "481/BYE",
        ];
        let ends = [false, false, false, false, false, false, true];
        assert_eq!(over(&crossed), ends);
    }

    #[test]
    fn garbage_is_named_and_not_printed() {
        let mut out = Vec::new();
        Ladder::new(&mut out)
            .datagram(&datagram("\u{1b}[2J", false))
            .expect("written");
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(text.contains("not a SIP message") && !text.contains('\u{1b}'));
    }
}
