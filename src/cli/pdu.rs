//! SMPP PDUs printed as they pass, a line for each: time, bind, direction, operation, status,
//! sequence number and what matters of the fields.
//!
//! Passwords are never printed; numbers are masked and words left out unless they are asked for.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::smpp::pdu::{Address, Body, Framer, Header, Pdu, Sms, Status, Tag};
use crate::smpp::receipt::Receipt;
use crate::smpp::text::{self, DefaultAlphabet};
use crate::sms::wire::Segment;

/// Connections and directions whose PDUs are followed at once.
const MOST_STREAMS: usize = 256;
/// Characters of a field that are printed.
const MOST_SHOWN: usize = 200;

/// Prints to a writer, times counted from the first line.
pub struct PduLines<W> {
    out: W,
    start: Option<SystemTime>,
    /// One for each direction of each connection.
    framers: HashMap<(SocketAddr, SocketAddr, bool), Framer>,
    /// Whether numbers and words are printed in full.
    show: bool,
}

impl<W: Write> PduLines<W> {
    /// Lines on `out`, with numbers and words in full where `show` says so.
    pub fn new(out: W, show: bool) -> PduLines<W> {
        PduLines {
            out,
            start: None,
            framers: HashMap::new(),
            show,
        }
    }

    /// Octets that passed: prints the PDUs that are whole with them.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn segment(&mut self, segment: &Segment) -> io::Result<()> {
        if self.framers.len() >= MOST_STREAMS {
            self.framers.clear();
        }
        let stream = (segment.local, segment.peer, segment.sent);
        let mut framer = self.framers.remove(&stream).unwrap_or_default();
        let mut octets = &segment.octets[..];
        loop {
            let line = match framer.next(&mut octets) {
                Ok(Some(frame)) => line(frame, self.show),
                Ok(None) => break,
                Err(error) => format!("broken: {error}"),
            };
            let broken = line.starts_with("broken");
            let arrow = if segment.sent { '→' } else { '←' };
            let time = self.time(segment.at);
            writeln!(self.out, "{time:>9.3}  {} {arrow} {line}", segment.bind)?;
            if broken {
                return Ok(());
            }
        }
        self.framers.insert(stream, framer);
        Ok(())
    }

    /// Something that is no PDU: a state, a fate.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn note(&mut self, at: SystemTime, text: &str) -> io::Result<()> {
        let time = self.time(at);
        writeln!(self.out, "{time:>9.3}  ● {text}")
    }

    fn time(&mut self, at: SystemTime) -> f64 {
        let start = *self.start.get_or_insert(at);
        at.duration_since(start)
            .unwrap_or(Duration::ZERO)
            .as_secs_f64()
    }
}

/// `submit_sm 2  from=Ringtrue to=**********56 ...`.
fn line(frame: &[u8], show: bool) -> String {
    let Some(header) = Header::decode(frame) else {
        return "not a PDU".to_owned();
    };
    let mut line = format!("{} {}", header.command, header.sequence);
    if header.command.is_response() || header.status != Status::OK {
        let name = header.status.name();
        let name = name.map_or_else(|| format!("{:#06x}", header.status.0), str::to_owned);
        line.push(' ');
        line.push_str(&name);
    }
    let pdu = match Pdu::decode(frame) {
        Ok(pdu) => pdu,
        Err(error) => {
            let _ = write!(line, "  {error}");
            return line;
        }
    };
    let mut field = |name: &str, value: &str| {
        let plain: String = value
            .chars()
            .filter(|c| !c.is_control())
            .take(MOST_SHOWN)
            .collect();
        let _ = write!(line, "  {name}={plain}");
    };
    match &pdu.body {
        Body::Bind(_, bind) => {
            field("system_id", &bind.system_id.escape_ascii().to_string());
            field("version", &format!("{:#04x}", bind.interface_version));
        }
        Body::BindResp(_, resp) => {
            field("system_id", &resp.system_id.escape_ascii().to_string());
            if let Some(version) = resp.tlvs.get(Tag::SC_INTERFACE_VERSION) {
                field(
                    "version",
                    &format!("{:#04x}", version.integer().unwrap_or(0)),
                );
            }
        }
        Body::SubmitSm(sms) | Body::DeliverSm(sms) | Body::DataSm(sms) => {
            message(sms, show, &mut field);
        }
        Body::SubmitSmResp(resp) | Body::DeliverSmResp(resp) | Body::DataSmResp(resp)
            if !resp.message_id.is_empty() =>
        {
            field("id", &resp.message_id.escape_ascii().to_string());
        }
        _ => {}
    }
    line
}

fn message(sms: &Sms<'_>, show: bool, field: &mut impl FnMut(&str, &str)) {
    let address = |address: Address<'_>| match show {
        true => address.text().into_owned(),
        false => address.masked(),
    };
    field("from", &address(sms.source));
    field("to", &address(sms.destination));
    if let Some(receipt) = Receipt::read(sms) {
        field("id", &receipt.id.to_string());
        field("stat", receipt.fate.word());
        if let Some(error) = receipt.error {
            field("err", &error.escape_ascii().to_string());
        }
        return;
    }
    field("esm_class", &format!("{:#04x}", sms.esm_class.0));
    field("data_coding", &sms.data_coding.to_string());
    if sms.registered_delivery != 0 {
        field("registered_delivery", &sms.registered_delivery.to_string());
    }
    if !sms.validity.is_empty() {
        field("validity", &sms.validity.escape_ascii().to_string());
    }
    let reading = text::read(sms, DefaultAlphabet::Gsm);
    if let Some(part) = reading.part {
        field("part", &format!("{}/{}", part.number, part.total));
    }
    field("octets", &sms.message().len().to_string());
    if show && let Some(words) = reading.text {
        field("words", &format!("{words:?}"));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::smpp::pdu::{self, Bind, BindKind, MessageResp};

    fn said(bodies: &[(bool, Body<'_>)], show: bool) -> String {
        let mut out = Vec::new();
        let mut lines = PduLines::new(&mut out, show);
        for (at, (sent, body)) in bodies.iter().enumerate() {
            let mut octets = Vec::new();
            let pdu = Pdu {
                status: Status::OK,
                sequence: at as u32 + 1,
                body: *body,
            };
            pdu.encode(&mut octets).expect("a PDU that fits");
            // Cut across, as TCP does.
            for piece in octets.chunks(7) {
                let segment = Segment {
                    at: SystemTime::UNIX_EPOCH,
                    bind: "carrier".into(),
                    local: "127.0.0.1:5000".parse().expect("an address"),
                    peer: "127.0.0.1:2775".parse().expect("an address"),
                    sent: *sent,
                    octets: Bytes::copy_from_slice(piece),
                };
                lines.segment(&segment).expect("written");
            }
        }
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_pdu_is_one_line_without_password_number_or_words() {
        let bind = Bind {
            system_id: b"us",
            password: b"hunter2",
            system_type: b"",
            interface_version: 0x34,
            addr_ton: 0,
            addr_npi: 0,
            address_range: b"",
        };
        let sms = Sms {
            source: Address::sender("Ringtrue"),
            destination: Address::international("+447400123456"),
            short_message: b"Your code is 123456\x1b",
            registered_delivery: 1,
            ..Sms::default()
        };
        let resp = MessageResp {
            message_id: b"7f\x1b",
            ..MessageResp::default()
        };
        let receipt = Sms {
            source: Address::international("+447400123456"),
            esm_class: pdu::EsmClass::RECEIPT,
            short_message: b"id:7f stat:DELIVRD err:000",
            ..Sms::default()
        };
        let bodies = [
            (true, Body::Bind(BindKind::Transceiver, bind)),
            (true, Body::SubmitSm(sms)),
            (false, Body::SubmitSmResp(resp)),
            (false, Body::DeliverSm(receipt)),
        ];
        assert_eq!(
            said(&bodies, false),
            "    0.000  carrier → bind_transceiver 1  system_id=us  version=0x34\n    \
             0.000  carrier → submit_sm 2  from=Ringtrue  to=**********56  esm_class=0x00  \
             data_coding=0  registered_delivery=1  octets=20\n    \
             0.000  carrier ← submit_sm_resp 3 ESME_ROK  id=7f\\x1b\n    \
             0.000  carrier ← deliver_sm 4  from=**********56  to=  id=7f  stat=DELIVRD  err=000\n"
        );
        let shown = said(&bodies, true);
        assert!(shown.contains("to=447400123456") && shown.contains("words=\"Your code is 123456"));
        assert!(
            !shown.contains("hunter2") && !shown.contains('\x1b'),
            "{shown}"
        );
    }

    #[test]
    fn a_broken_stream_is_told_once() {
        let mut out = Vec::new();
        let mut lines = PduLines::new(&mut out, false);
        let segment = Segment {
            at: SystemTime::UNIX_EPOCH,
            bind: "carrier".into(),
            local: "127.0.0.1:5000".parse().expect("an address"),
            peer: "127.0.0.1:2775".parse().expect("an address"),
            sent: false,
            octets: Bytes::from_static(&[0xff; 64]),
        };
        lines.segment(&segment).expect("written");
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(
            text.contains("← broken: ") && text.lines().count() == 1,
            "{text}"
        );
    }
}
