use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::sip::transaction::Sources;

/// What a peer may do to a genuine message before it sends it.
#[derive(Clone, Debug)]
enum Twist {
    Flip(usize, u8),
    Cut(usize),
    Drop(usize, usize),
    Repeat(usize, usize),
    Splice(usize, Vec<u8>),
    Status(u16),
    Line(usize, &'static str),
}

fn twist() -> impl Strategy<Value = Twist> {
    let at = 0usize..1200;
    let lines = prop::sample::select(vec![
        "Require: 100rel\r\nRSeq: 4294967295",
        "CSeq: 4294967295 INVITE",
        "Contact: <sip:x@0.0.0.0:1>",
        "Contact: *",
        "Record-Route: <sip:[::1]>, <;>, <sip:a;lr>",
        "To: <sip:a@b>;tag=",
        "Via: SIP/2.0/UDP x",
        "WWW-Authenticate: Digest realm=\"a\", nonce=\"b\", qop=\"auth-int\"",
        "Content-Length: 99999",
        "History-Info: <sip:a?Reason=x>;index=1,,;",
        "Reason: Q.850;cause=999999999999999999",
        "Retry-After: 99999999999",
    ]);
    prop_oneof![
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Twist::Flip(at, byte)),
        at.clone().prop_map(Twist::Cut),
        (at.clone(), 1usize..60).prop_map(|(at, n)| Twist::Drop(at, n)),
        (at.clone(), 1usize..60).prop_map(|(at, n)| Twist::Repeat(at, n)),
        (at.clone(), prop::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(at, bytes)| Twist::Splice(at, bytes)),
        (100u16..700).prop_map(Twist::Status),
        (0usize..12, lines).prop_map(|(at, line)| Twist::Line(at, line)),
    ]
}

fn twisted(text: &str, twist: &Twist) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let clamp = |at: usize, bytes: &[u8]| at.min(bytes.len());
    match twist {
        Twist::Flip(at, byte) => {
            if let Some(place) = bytes.get_mut(*at) {
                *place = *byte;
            }
        }
        Twist::Cut(at) => bytes.truncate(*at),
        Twist::Drop(at, n) => {
            let (from, to) = (clamp(*at, &bytes), clamp(at + n, &bytes));
            bytes.drain(from..to);
        }
        Twist::Repeat(at, n) => {
            let (from, to) = (clamp(*at, &bytes), clamp(at + n, &bytes));
            let again = bytes[from..to].to_vec();
            bytes.splice(to..to, again);
        }
        Twist::Splice(at, new) => {
            let at = clamp(*at, &bytes);
            bytes.splice(at..at, new.iter().copied());
        }
        Twist::Status(code) => {
            if text.starts_with("SIP/2.0 ") {
                bytes.splice(8..11, code.to_string().into_bytes());
            }
        }
        Twist::Line(at, line) => {
            let mut lines: Vec<&str> = text.split("\r\n").collect();
            lines.insert((*at + 1).min(lines.len()), line);
            bytes = lines.join("\r\n").into_bytes();
        }
    }
    bytes
}

/// What the peers of these calls might genuinely send next.
fn genuine(sent: &[Sent]) -> Vec<String> {
    let mut messages = Vec::new();
    for message in sent {
        // A 400 gives back what was wrong with the request.
        let is_sound =
            Message::parse(message.text.as_bytes()).is_ok_and(|parsed| parsed.validate().is_ok());
        if !is_sound {
            continue;
        }
        match message.kind() {
            "ACK" => {
                for (seq, method) in ["BYE", "INFO", "INVITE", "UPDATE", "OPTIONS"]
                    .into_iter()
                    .enumerate()
                {
                    let fields = format!("{CONTACT}Content-Type: application/dtmf\r\n");
                    let body = if method == "BYE" { "" } else { "#" };
                    messages.push(request_within(
                        message,
                        method,
                        seq as u32 + 1,
                        &fields,
                        body,
                    ));
                }
            }
            "100" | "180" | "200" | "486" => {
                messages.push(message.text.clone());
            }
            _ => {
                messages.push(message.reply(183, "a", CONTACT, ANSWER));
                messages.push(message.reply(200, "b", CONTACT, ANSWER));
                messages.push(message.reply(486, "c", "", ""));
                messages.push(message.text.clone());
            }
        }
    }
    messages
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Genuine messages, twisted in every way: nothing panics, no call is answered with another's
    /// answer, each ends at most once, and all is gone in the end.
    #[test]
    fn twisted_messages_do_no_harm(
        steps in prop::collection::vec((any::<prop::sample::Index>(), twist(), 0u64..3000), 1..40)
    ) {
        let mut line = Line::new();
        let mut calls = BTreeMap::new();
        let mut seen = Vec::new();
        for n in 0..3 {
            let (call, invite) = line.dial_with(|invitation| {
                invitation.sources = Sources::Any;
                if n == 1 {
                    invitation.credentials = Some(challenges::account("secret"));
                }
            });
            calls.insert(call, invite.field(Name::CallId));
            seen.push(invite);
        }
        line.hear(&seen[0].reply(200, "phone", CONTACT, ANSWER));
        let mut ended = BTreeSet::new();
        for (which, twist, wait) in steps {
            for sent in line.sent() {
                // What the endpoint writes, it can read.
                prop_assert!(Message::parse(sent.text.as_bytes()).is_ok());
                seen.push(sent);
            }
            // The calls' own INVITEs and the ACK, and what was said lately.
            let lately = seen.len().saturating_sub(12).max(4.min(seen.len()));
            let messages = genuine(&[&seen[..4.min(seen.len())], &seen[lately..]].concat());
            let text = which.get(&messages);
            let bytes = twisted(text, &twist);
            line.endpoint.handle_datagram(line.now, address(CARRIER), &bytes);
            if wait < 300 {
                line.pass(ms(wait * 10));
            }
            for event in line.events() {
                match &event {
                    Event::Incoming { call, .. } => {
                        calls.insert(*call, String::new());
                        let _ = line.endpoint.answer(line.now, *call, OFFER);
                    }
                    Event::Answered { call, dialog, .. } => {
                        prop_assert_eq!(&*dialog.call_id, &calls[call]);
                    }
                    _ => {}
                }
                if event.is_terminal() {
                    prop_assert!(ended.insert(event.call()));
                } else if !matches!(event, Event::Released { .. }) {
                    prop_assert!(!ended.contains(&event.call()), "{event:?} after the end");
                }
            }
        }
        for call in calls.keys() {
            let _ = line.endpoint.hang_up(line.now, *call);
        }
        line.pass(secs(300));
        for event in line.events() {
            if event.is_terminal() {
                prop_assert!(ended.insert(event.call()));
            }
        }
        prop_assert_eq!(ended.len(), calls.len());
        prop_assert!(line.endpoint.is_empty());
    }

    /// Whoever has not seen our messages can guess neither branch nor tag: nothing they send
    /// makes an event, and nothing of it stays.
    #[test]
    fn a_blind_forger_is_never_believed(
        place in any::<(u32, u32)>(),
        secret in any::<u64>(),
        code in 100u16..700,
        seq in 1u32..4,
    ) {
        let mut line = Line::with(|_| ());
        line.dial();
        line.dial_answered();
        let load = line.endpoint.load();
        let places = [(0, 0), (1, 0), place];
        for (index, generation) in places {
            let cookie = format!("{index:08x}{generation:08x}{secret:016x}");
            let from = "<sip:bank@carrier.example>";
            for text in [
                format!(
                    "SIP/2.0 {code} X\r\nVia: SIP/2.0/UDP {HERE};branch=z9hG4bK{cookie}\r\n\
                     From: {from};tag={cookie}\r\nTo: {from};tag=x\r\nCall-ID: x\r\n\
                     CSeq: {seq} INVITE\r\n{CONTACT}Content-Length: 0\r\n\r\n"
                ),
                request_of(
                    "BYE", "z9hG4bKf", from, &format!("{from};tag={cookie}"), "x", seq, "", "",
                ),
            ] {
                line.hear(&text);
            }
        }
        prop_assert!(line.events().is_empty());
        prop_assert_eq!(line.endpoint.load(), load);
    }

    #[test]
    fn noise_is_noise(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut line = Line::new();
        line.dial();
        line.endpoint.handle_datagram(line.now, address(STRANGER), &bytes);
        prop_assert!(line.events().is_empty());
    }
}

/// A flood of requests of every kind leaves no more behind than the limits allow.
#[test]
fn a_flood_stays_within_the_limits() {
    let mut line = Line::with(|config| {
        config.takes_calls = true;
        config.max_calls = 50;
        config.max_transactions = 80;
    });
    let (_, _, ack) = line.dial_answered();
    for n in 0..2000u32 {
        let fields = format!("{CONTACT}Content-Type: application/dtmf\r\n");
        let from = format!("<sip:a@b>;tag={n}");
        let branch = format!("z9hG4bK{n}");
        line.hear(&request_of(
            "INVITE",
            &branch,
            &from,
            "<sip:b@c>",
            "x",
            1,
            &fields,
            "",
        ));
        line.hear(&request_of(
            "OPTIONS",
            &branch,
            &from,
            "<sip:b@c>",
            "x",
            1,
            "",
            "",
        ));
        line.hear(&request_within(&ack, "INFO", n + 1, &fields, "1"));
        line.sent();
    }
    let load = line.endpoint.load();
    assert!((40..=50).contains(&load.calls), "{load:?}");
    assert_eq!(load.server_transactions, 80);
    assert!(load.capacity < 1000, "{load:?}");
    let events = line.events().len();
    assert!(events < 200, "{events}");
}
