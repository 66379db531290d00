//! Datagrams, raw or made from genuine ones, into an endpoint with live calls: no panic, no call
//! answered with another's answer, each ends at most once, and all is gone in the end.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use ringtrue::sip::call::{CallId, Event, Invitation};
use ringtrue::sip::endpoint::{Endpoint, EndpointConfig};
use ringtrue::sip::message::{Message, Name, StartLine, Writer};
use ringtrue::sip::transaction::Sources;

/// Most octets of one raw datagram or change.
const MOST: usize = 1500;

struct Line {
    endpoint: Endpoint,
    now: Instant,
    peer: SocketAddr,
    /// What the endpoint sent lately.
    sent: Vec<Vec<u8>>,
    calls: BTreeMap<CallId, String>,
    ended: BTreeSet<CallId>,
}

impl Line {
    fn new() -> Line {
        let here = SocketAddr::from(([192, 0, 2, 1], 5060));
        let peer = SocketAddr::from(([192, 0, 2, 9], 5060));
        let mut config = EndpointConfig::new(here);
        config.takes_calls = true;
        config.max_calls = 16;
        config.max_transactions = 64;
        let mut line = Line {
            endpoint: Endpoint::new(config, [7; 32]),
            now: Instant::now(),
            peer,
            sent: Vec::new(),
            calls: BTreeMap::new(),
            ended: BTreeSet::new(),
        };
        for _ in 0..3 {
            let mut invitation = Invitation::new(peer, "sip:b@x", "sip:a@x", "sip:b@x", "v=0\r\n");
            invitation.sources = Sources::Any;
            if let Ok(call) = line.endpoint.invite(line.now, invitation) {
                line.collect();
                let invite = line.sent.last().and_then(|sent| Message::parse(sent).ok());
                let call_id = invite.and_then(|invite| invite.call_id().ok().map(str::to_owned));
                line.calls.insert(call, call_id.unwrap_or_default());
            }
        }
        line
    }

    fn hear(&mut self, data: &[u8]) {
        self.endpoint.handle_datagram(self.now, self.peer, data);
        self.collect();
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            self.collect();
        }
        self.now = until;
    }

    fn collect(&mut self) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            assert!(Message::parse(&transmit.bytes).is_ok(), "unreadable");
            self.sent.push(transmit.bytes);
        }
        let surplus = self.sent.len().saturating_sub(24);
        self.sent.drain(..surplus);
        while let Some(event) = self.endpoint.poll_event() {
            match &event {
                Event::Incoming { call, .. } => {
                    self.calls.insert(*call, String::new());
                    let _ = self.endpoint.answer(self.now, *call, b"v=0\r\n");
                }
                Event::Answered { call, dialog, .. } => {
                    assert_eq!(self.calls.get(call), Some(&dialog.call_id.to_string()));
                }
                _ => {}
            }
            if event.is_terminal() {
                assert!(self.ended.insert(event.call()), "ended twice");
            } else if !matches!(event, Event::Released { .. }) {
                assert!(!self.ended.contains(&event.call()), "news after the end");
            }
        }
    }

    /// A genuine answer to something that was sent, or that itself, changed from `at` on.
    fn genuine(&self, which: u8, code: u16, at: usize, change: &[u8]) -> Option<Vec<u8>> {
        let count = self.sent.len().max(1);
        let sent = self.sent.get(usize::from(which) % count)?;
        let message = Message::parse(sent).ok()?;
        let mut bytes = Vec::new();
        match message.start() {
            StartLine::Request { .. } => {
                let mut reply =
                    Writer::reply(&mut bytes, &message, self.peer, code, "X", Some("tag"));
                reply
                    .header(Name::Contact, "<sip:b@192.0.2.9>")
                    .body("application/sdp", b"v=0\r\n");
                reply.finish().ok()?;
            }
            StartLine::Response { .. } => bytes.extend_from_slice(sent),
        }
        let at = at.min(bytes.len());
        let end = (at + change.len()).min(bytes.len());
        bytes.splice(at..end, change.iter().copied());
        Some(bytes)
    }
}

fuzz_target!(|data: &[u8]| {
    let mut line = Line::new();
    let mut rest = data;
    while let [act, which, a, b, after @ ..] = rest {
        let number = u16::from_be_bytes([*a, *b]);
        let length = usize::from(number).min(MOST).min(after.len());
        let (payload, next) = after.split_at(length);
        match act % 4 {
            0 => line.hear(payload),
            1 => {
                let code = 100 + number % 600;
                let length = after.len().min(32);
                let (change, next) = after.split_at(length);
                let at = usize::from(change.first().copied().unwrap_or(0)) * 4;
                if let Some(bytes) = line.genuine(*which, code, at, change) {
                    line.hear(&bytes);
                }
                rest = next;
                continue;
            }
            2 => {
                line.pass(Duration::from_millis(u64::from(number)));
                rest = after;
                continue;
            }
            _ => {
                let calls: Vec<CallId> = line.calls.keys().copied().collect();
                if let Some(call) = calls.get(usize::from(*which)) {
                    let _ = line.endpoint.hang_up(line.now, *call);
                    line.collect();
                }
                rest = after;
                continue;
            }
        }
        rest = next;
    }
    let calls: Vec<CallId> = line.calls.keys().copied().collect();
    for call in &calls {
        let _ = line.endpoint.hang_up(line.now, *call);
    }
    line.collect();
    line.pass(Duration::from_secs(300));
    assert_eq!(line.ended.len(), line.calls.len());
    assert!(line.endpoint.is_empty(), "{:?}", line.endpoint.load());
});
