//! Every race of a call, with explicit instants and a scripted peer.

mod cancel;
mod challenges;
mod hostile;
mod in_dialog;
mod incoming;
mod outgoing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Endpoint, EndpointConfig};
use crate::sip::call::{CallId, Event, Invitation};
use crate::sip::message::{Message, Name, Writer};

pub(super) const HERE: &str = "192.0.2.1:5060";
pub(super) const CARRIER: &str = "192.0.2.9:5060";
pub(super) const STRANGER: &str = "203.0.113.66:5060";
pub(super) const OFFER: &[u8] = b"v=0\r\no=offer\r\n";
pub(super) const ANSWER: &str = "v=0\r\no=answer\r\n";
pub(super) const CONTACT: &str = "Contact: <sip:phone@192.0.2.9:5060>\r\n";

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub(super) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(super) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A message that the endpoint sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) to: SocketAddr,
    pub(super) text: String,
}

impl Sent {
    /// `INVITE`, or `180`.
    pub(super) fn kind(&self) -> &str {
        let mut words = self.text.split(' ');
        match words.next() {
            Some("SIP/2.0") => words.next().unwrap_or_default(),
            Some(method) => method,
            None => "",
        }
    }

    pub(super) fn uri(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    pub(super) fn field(&self, name: Name) -> String {
        self.message()
            .header(name)
            .map(|value| value.into_owned())
            .unwrap_or_default()
    }

    pub(super) fn branch(&self) -> String {
        let message = self.message();
        let via = message.via().expect("a Via");
        via.branch().expect("a branch").to_owned()
    }

    pub(super) fn message(&self) -> Message<'_> {
        let message = Message::parse(self.text.as_bytes()).expect("sound");
        assert_eq!(message.validate(), Ok(()));
        message
    }

    /// A response to it: To gets `tag` where it has none, `fields` are whole lines.
    pub(super) fn reply(&self, code: u16, tag: &str, fields: &str, body: &str) -> String {
        let mut buffer = Vec::new();
        let tag = (!tag.is_empty()).then_some(tag);
        let request = self.message();
        let source = address(HERE);
        let mut writer = Writer::reply(&mut buffer, &request, source, code, "Reason", tag);
        for line in fields.lines().filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").expect("a field");
            writer.extension(name, value);
        }
        if !body.is_empty() {
            writer.body("application/sdp", body.as_bytes());
        }
        writer.finish().expect("written");
        String::from_utf8(buffer).expect("text")
    }
}

/// An endpoint and its clock.
pub(super) struct Line {
    pub(super) endpoint: Endpoint,
    pub(super) now: Instant,
}

impl Line {
    pub(super) fn new() -> Line {
        Line::with(|config| config.takes_calls = true)
    }

    pub(super) fn with(change: impl FnOnce(&mut EndpointConfig)) -> Line {
        let mut config = EndpointConfig::new(address(HERE));
        config.user_agent = Arc::from("Test");
        change(&mut config);
        Line {
            endpoint: Endpoint::new(config, [7; 32]),
            now: Instant::now(),
        }
    }

    pub(super) fn invitation() -> Invitation {
        Invitation::new(
            address(CARRIER),
            "sip:+442079460000@carrier.example",
            "\"Bank\" <sip:bank@carrier.example>",
            "sip:+442079460000@carrier.example",
            OFFER,
        )
    }

    /// Calls; the INVITE it sent.
    pub(super) fn dial(&mut self) -> (CallId, Sent) {
        self.dial_with(|_| ())
    }

    pub(super) fn dial_with(&mut self, change: impl FnOnce(&mut Invitation)) -> (CallId, Sent) {
        let mut invitation = Line::invitation();
        change(&mut invitation);
        let call = self
            .endpoint
            .invite(self.now, invitation)
            .expect("room for a call");
        (call, self.sent_one("INVITE"))
    }

    /// Calls and is answered; the INVITE and the ACK it sent.
    pub(super) fn dial_answered(&mut self) -> (CallId, Sent, Sent) {
        let (call, invite) = self.dial();
        self.hear(&invite.reply(180, "phone", CONTACT, ""));
        self.hear(&invite.reply(200, "phone", CONTACT, ANSWER));
        let ack = self.sent_one("ACK");
        assert!(matches!(
            self.events()[..],
            [Event::Ringing { .. }, Event::Answered { .. }]
        ));
        (call, invite, ack)
    }

    /// What the carrier says.
    pub(super) fn hear(&mut self, text: &str) {
        self.hear_from(CARRIER, text);
    }

    pub(super) fn hear_from(&mut self, source: &str, text: &str) {
        self.endpoint
            .handle_datagram(self.now, address(source), text.as_bytes());
    }

    /// Lets time pass, every timer at its instant.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
        }
        self.now = until;
    }

    pub(super) fn sent(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while let Some(transmit) = self.endpoint.poll_transmit() {
            sent.push(Sent {
                to: transmit.to,
                text: String::from_utf8_lossy(&transmit.bytes).into_owned(),
            });
            self.endpoint.recycle(transmit.bytes);
        }
        sent
    }

    pub(super) fn kinds(&mut self) -> Vec<String> {
        self.sent().iter().map(|sent| sent.kind().into()).collect()
    }

    /// The one message sent, of that kind.
    pub(super) fn sent_one(&mut self, kind: &str) -> Sent {
        let sent = self.sent();
        match &sent[..] {
            [one] if one.kind() == kind => one.clone(),
            other => panic!("one {kind} expected, not {other:?}"),
        }
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.endpoint.poll_event()).collect()
    }

    /// Nothing is left, at the latest when all timers have run out.
    pub(super) fn assert_clean(&mut self) {
        self.pass(secs(70));
        assert!(self.endpoint.is_empty(), "{:?}", self.endpoint.load());
        assert_eq!(self.endpoint.poll_timeout(), None);
        assert!(self.events().is_empty());
    }
}

/// A request of the peer within the dialog that `ack` (or another request of ours in it) is of.
pub(super) fn request_within(
    ours: &Sent,
    method: &str,
    seq: u32,
    fields: &str,
    body: &str,
) -> String {
    request_of(
        method,
        &format!("z9hG4bK-{method}-{seq}"),
        &ours.field(Name::To),
        &ours.field(Name::From),
        &ours.field(Name::CallId),
        seq,
        fields,
        body,
    )
}

#[allow(clippy::too_many_arguments)]
pub(super) fn request_of(
    method: &str,
    branch: &str,
    from: &str,
    to: &str,
    call_id: &str,
    seq: u32,
    fields: &str,
    body: &str,
) -> String {
    let length = body.len();
    format!(
        "{method} sip:bank@{HERE} SIP/2.0\r\nVia: SIP/2.0/UDP {CARRIER};rport;branch={branch}\r\n\
         Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
         CSeq: {seq} {method}\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    )
}
