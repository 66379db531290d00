use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::smpp::centre::{self, Centre, Host, Reply};
use crate::smpp::pdu::{
    Address, Bind, BindKind, BindResp, Header, MessageResp, Outbind, Tag, Tlvs, Verdict,
};

const SECOND: Duration = Duration::from_secs(1);

fn text() -> Sms<'static> {
    Sms {
        source: Address::sender("Ringtrue"),
        destination: Address::international("+447700900123"),
        registered_delivery: 1,
        short_message: b"Your code is 123456",
        ..Sms::default()
    }
}

fn config() -> Config {
    Config::new("ringtrue", "secret")
}

/// A message centre by hand: it sees each PDU that the session writes and says what it likes.
struct Bench {
    session: Session<u32>,
    now: Instant,
    framer: Framer,
}

impl Bench {
    fn new(config: Config) -> Bench {
        let now = Instant::now();
        Bench {
            session: Session::new(config, now).unwrap(),
            now,
            framer: Framer::default(),
        }
    }

    fn bound(config: Config) -> Bench {
        let kind = config.kind;
        let mut bench = Bench::new(config);
        bench.session.connected(bench.now);
        let bind = bench.written();
        assert_eq!(bind, [(kind.command(), Status::OK, 1)]);
        bench.says(Status::OK, 1, bind_resp(kind));
        assert!(matches!(bench.event(), Event::Bound { .. }));
        bench
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.session.handle_timeout(self.now);
    }

    /// Writes everything; gives what it was.
    fn written(&mut self) -> Vec<(Command, Status, u32)> {
        let mut seen = Vec::new();
        while let Some(octets) = self.session.poll_transmit() {
            let count = octets.len();
            let mut octets = octets;
            while let Some(frame) = self.framer.next(&mut octets).unwrap() {
                let header = Header::decode(frame).unwrap();
                Pdu::decode(frame).unwrap();
                seen.push((header.command, header.status, header.sequence));
            }
            self.session.transmitted(count);
        }
        seen
    }

    fn says(&mut self, status: Status, sequence: u32, body: Body<'_>) {
        let mut octets = Vec::new();
        let pdu = Pdu {
            status,
            sequence,
            body,
        };
        pdu.encode(&mut octets).unwrap();
        self.session.handle_bytes(self.now, &octets);
    }

    fn submit(&mut self, tag: u32) -> Result<u32, WhyNot> {
        self.session.submit(self.now, tag, &text()).map_err(|not| {
            assert_eq!(not.tag, tag);
            not.why
        })
    }

    fn event(&mut self) -> Event<u32> {
        self.session.poll_event().expect("an event")
    }

    fn answer(&mut self) -> (u32, Outcome) {
        match self.event() {
            Event::Answered(answer) => (answer.tag, answer.outcome),
            other => panic!("not an answer: {other:?}"),
        }
    }

    fn quiet(&mut self) {
        if let Some(event) = self.session.poll_event() {
            panic!("unexpected: {event:?}");
        }
    }

    fn closed(&mut self, why: Closed) {
        match self.event() {
            Event::Closed(seen) => assert_eq!(seen, why),
            other => panic!("not the end: {other:?}"),
        }
        assert!(self.session.is_idle());
        assert_eq!(self.session.poll_timeout(), None);
        self.quiet();
    }
}

fn bind_resp(kind: BindKind) -> Body<'static> {
    Body::BindResp(
        kind,
        BindResp {
            system_id: b"centre",
            tlvs: Tlvs::NONE,
        },
    )
}

fn submit_resp(id: &[u8]) -> Body<'_> {
    Body::SubmitSmResp(MessageResp {
        message_id: id,
        tlvs: Tlvs::NONE,
    })
}

fn accepted(id: &[u8]) -> Outcome {
    Outcome::Accepted(MessageId::new(id))
}

#[test]
fn each_kind_binds_and_only_senders_submit() {
    for kind in [
        BindKind::Transmitter,
        BindKind::Receiver,
        BindKind::Transceiver,
    ] {
        let mut bench = Bench::bound(Config { kind, ..config() });
        assert!(bench.session.is_bound());
        let submitted = bench.submit(7);
        assert_eq!(submitted.is_ok(), kind.sends());
        if kind.sends() {
            assert_eq!(submitted, Ok(2));
            assert_eq!(bench.written(), [(Command::SUBMIT_SM, Status::OK, 2)]);
            bench.says(Status::OK, 2, submit_resp(b"id-1"));
            assert_eq!(bench.answer(), (7, accepted(b"id-1")));
        } else {
            assert_eq!(submitted, Err(WhyNot::NotBound));
        }
        bench.quiet();
    }
}

#[test]
fn nothing_is_submitted_before_the_bind() {
    let mut bench = Bench::new(config());
    assert_eq!(bench.submit(1), Err(WhyNot::NotBound));
    bench.session.connected(bench.now);
    assert_eq!(bench.submit(1), Err(WhyNot::NotBound));
    assert_eq!(bench.session.room(bench.now), 0);
}

#[test]
fn a_bind_that_is_refused_or_not_answered() {
    let mut bench = Bench::new(config());
    bench.session.connected(bench.now);
    bench.written();
    // Answers to other numbers, and of other kinds, are not its answer.
    bench.says(Status::OK, 9, bind_resp(BindKind::Transceiver));
    bench.says(Status::OK, 1, bind_resp(BindKind::Receiver));
    assert!(matches!(bench.event(), Event::Odd { sequence: 9, .. }));
    assert!(matches!(bench.event(), Event::Odd { sequence: 1, .. }));
    assert!(!bench.session.is_bound());
    bench.says(
        Status::INVALID_PASSWORD,
        1,
        bind_resp(BindKind::Transceiver),
    );
    bench.closed(Closed::Refused(Status::INVALID_PASSWORD));

    bench.session.connected(bench.now);
    bench.says(Status::INVALID_COMMAND, 1, Body::GenericNack);
    bench.closed(Closed::Refused(Status::INVALID_COMMAND));

    bench.session.connected(bench.now);
    assert_eq!(bench.session.poll_timeout(), Some(bench.now + 10 * SECOND));
    bench.pass(10 * SECOND - Duration::from_millis(1));
    bench.quiet();
    bench.pass(Duration::from_millis(1));
    bench.closed(Closed::InitTimeout);
}

#[test]
fn a_bind_that_cannot_be_sent_is_refused_at_once() {
    let now = Instant::now();
    let mut config = config();
    config.system_type = "longer than twelve".to_owned();
    assert!(Session::<()>::new(config, now).is_err());
}

#[test]
fn no_password_in_debug() {
    let session = Session::<u32>::new(config(), Instant::now()).unwrap();
    assert!(!format!("{session:?}").contains("secret"));
}

#[test]
fn the_window_fills_and_empties_in_any_order() {
    let mut bench = Bench::bound(Config {
        window: 5,
        ..config()
    });
    for tag in 0..5 {
        assert_eq!(bench.submit(tag), Ok(tag + 2));
    }
    assert_eq!(bench.submit(5), Err(WhyNot::WindowFull));
    assert_eq!(bench.session.in_flight(), 5);
    assert_eq!(bench.written().len(), 5);
    for sequence in [4, 6, 2, 3, 5] {
        let id = sequence.to_string();
        bench.says(Status::OK, sequence, submit_resp(id.as_bytes()));
        assert_eq!(bench.answer(), (sequence - 2, accepted(id.as_bytes())));
    }
    assert_eq!(bench.session.room(bench.now), 5);
    // A second answer to the same text is odd and nothing else.
    bench.says(Status::OK, 4, submit_resp(b"4"));
    assert!(matches!(bench.event(), Event::Odd { sequence: 4, .. }));
    bench.quiet();
}

#[test]
fn sequence_numbers_wrap_past_those_in_use() {
    let mut bench = Bench::bound(config());
    assert_eq!(bench.submit(0), Ok(2));
    bench.session.skip_to_sequence(LAST_SEQUENCE - 1);
    assert_eq!(bench.submit(1), Ok(LAST_SEQUENCE));
    assert_eq!(bench.submit(2), Ok(1));
    assert_eq!(bench.submit(3), Ok(3), "2 is still in use");
    bench.says(Status::OK, 2, submit_resp(b"a"));
    assert_eq!(bench.answer(), (0, accepted(b"a")));
    bench.says(Status::OK, LAST_SEQUENCE, submit_resp(b"b"));
    assert_eq!(bench.answer(), (1, accepted(b"b")));
}

#[test]
fn every_status_is_answered_with_its_verdict() {
    let mut bench = Bench::bound(config());
    for raw in (1..0x130).chain(0x400..0x500).chain([u32::MAX]) {
        let sequence = bench.submit(raw);
        // Throttling slows the bind: later texts have to wait.
        let sequence = match sequence {
            Ok(sequence) => sequence,
            Err(why) => {
                assert_eq!(why, WhyNot::Paced);
                bench.now = bench.session.next_room(bench.now).unwrap();
                bench.submit(raw).unwrap()
            }
        };
        bench.written();
        bench.says(Status(raw), sequence, submit_resp(b""));
        if let Event::Answered(answer) = match bench.event() {
            Event::Slowed { status, rate } => {
                assert!(status.slows_the_bind() && rate > 0.0);
                bench.event()
            }
            event => event,
        } {
            assert_eq!(answer.tag, raw);
            let Outcome::Refused { status, verdict } = answer.outcome else {
                panic!("{raw:#x} was not refused: {:?}", answer.outcome)
            };
            assert_eq!((status, verdict), (Status(raw), Status(raw).verdict()));
            assert_ne!(verdict, Verdict::Accepted);
        }
    }
}

#[test]
fn a_carriers_own_meanings() {
    let mut bench = Bench::bound(Config {
        verdicts: vec![
            (Status(0x400), Verdict::Retry),
            (Status(0x401), Verdict::GiveUp),
            (Status(0x402), Verdict::Accepted),
            (Status::OK, Verdict::GiveUp),
        ],
        ..config()
    });
    for (raw, verdict) in [
        (0x401, Verdict::GiveUp),
        // Nobody can configure a refusal into an acceptance.
        (0x402, Verdict::FailOver),
    ] {
        let sequence = bench.submit(1).unwrap();
        bench.says(Status(raw), sequence, submit_resp(b""));
        let status = Status(raw);
        assert_eq!(bench.answer(), (1, Outcome::Refused { status, verdict }));
    }
    let sequence = bench.submit(1).unwrap();
    bench.says(Status::OK, sequence, submit_resp(b"x"));
    assert_eq!(bench.answer(), (1, accepted(b"x")));
    let sequence = bench.submit(1).unwrap();
    bench.says(Status(0x400), sequence, submit_resp(b""));
    assert!(matches!(bench.event(), Event::Slowed { .. }));
    assert!(matches!(
        bench.answer(),
        (
            1,
            Outcome::Refused {
                verdict: Verdict::Retry,
                ..
            }
        )
    ));
    assert_eq!(bench.submit(2), Err(WhyNot::Paced));
}

#[test]
fn throttling_slows_this_bind_and_it_recovers() {
    let mut bench = Bench::bound(Config {
        window: 100,
        ..config()
    });
    for tag in 0..20 {
        bench.submit(tag).unwrap();
    }
    bench.written();
    for tag in 0..20 {
        let status = if tag < 10 {
            Status::OK
        } else {
            Status::THROTTLED
        };
        bench.says(status, tag + 2, submit_resp(b"x"));
    }
    let mut slowed = 0;
    while let Some(event) = bench.session.poll_event() {
        slowed += u32::from(matches!(event, Event::Slowed { .. }));
    }
    assert_eq!(slowed, 1, "one burst cuts once");
    assert_eq!(bench.session.rate(), Some(9.0));
    assert_eq!(bench.submit(99), Err(WhyNot::Paced));
    let next = bench.session.next_room(bench.now).unwrap();
    assert!(next >= bench.now + SECOND);
    bench.now = next;
    assert!(bench.submit(99).is_ok());
    // A new connection remembers.
    bench.session.disconnected(bench.now);
    assert_eq!(bench.session.rate(), Some(9.0));
}

#[test]
fn congestion_told_in_an_answer_slows_too() {
    let mut bench = Bench::bound(config());
    bench.submit(1).unwrap();
    bench.submit(2).unwrap();
    let mut tlvs = pdu::TlvBuf::new();
    for (sequence, state, slowed) in [(2, 50, false), (3, 95, true)] {
        tlvs.push_u8(Tag::CONGESTION_STATE, state);
        let resp = MessageResp {
            message_id: b"x",
            tlvs: tlvs.as_tlvs(),
        };
        bench.says(Status::OK, sequence, Body::SubmitSmResp(resp));
        let first = bench.event();
        assert_eq!(matches!(first, Event::Slowed { .. }), slowed);
        if slowed {
            assert_eq!(bench.answer().1, accepted(b"x"));
        }
        tlvs = pdu::TlvBuf::new();
    }
}

#[test]
fn a_lost_answer_is_unknown_and_a_late_one_is_told() {
    let mut bench = Bench::bound(config());
    let sequence = bench.submit(5).unwrap();
    bench.written();
    assert_eq!(bench.session.poll_timeout(), Some(bench.now + 10 * SECOND));
    bench.pass(10 * SECOND);
    assert_eq!(bench.answer(), (5, Outcome::Unknown(Lost::NoAnswer)));
    assert_eq!(bench.session.in_flight(), 0);
    // It asks whether anybody is there, and does not send the text again.
    assert_eq!(bench.written(), [(Command::ENQUIRE_LINK, Status::OK, 3)]);
    bench.says(Status::OK, sequence, submit_resp(b"late"));
    match bench.event() {
        Event::LateAnswer {
            sequence: 2,
            status: Status::OK,
            id,
        } => assert_eq!(id.as_bytes(), b"late"),
        other => panic!("{other:?}"),
    }
    // Only once.
    bench.says(Status::OK, sequence, submit_resp(b"late"));
    assert!(matches!(bench.event(), Event::Odd { .. }));
    // The late answer proved that the peer is there.
    bench.pass(10 * SECOND);
    assert!(bench.session.is_bound());
    bench.quiet();
}

#[test]
fn overdue_numbers_are_bounded() {
    let mut bench = Bench::bound(Config {
        window: 2000,
        ..config()
    });
    for tag in 0..2000 {
        bench.submit(tag).unwrap();
    }
    bench.pass(10 * SECOND);
    assert_eq!(bench.session.overdue.len(), OVERDUE);
}

#[test]
fn enquire_link_both_ways() {
    let mut bench = Bench::bound(config());
    bench.says(Status::OK, 77, Body::EnquireLink);
    assert_eq!(
        bench.written(),
        [(Command::ENQUIRE_LINK_RESP, Status::OK, 77)]
    );
    assert_eq!(bench.session.poll_timeout(), Some(bench.now + 30 * SECOND));
    bench.pass(30 * SECOND);
    assert_eq!(bench.written(), [(Command::ENQUIRE_LINK, Status::OK, 2)]);
    bench.says(Status::OK, 2, Body::EnquireLinkResp);
    bench.pass(30 * SECOND);
    assert_eq!(bench.written(), [(Command::ENQUIRE_LINK, Status::OK, 3)]);
    // Anything heard will do.
    bench.pass(5 * SECOND);
    bench.says(Status::OK, 78, Body::EnquireLink);
    bench.written();
    bench.pass(5 * SECOND);
    bench.quiet();
    bench.pass(25 * SECOND);
    assert_eq!(bench.written(), [(Command::ENQUIRE_LINK, Status::OK, 4)]);
    let text = bench.submit(1).unwrap();
    assert_eq!(text, 5);
    bench.written();
    bench.pass(10 * SECOND);
    assert_eq!(bench.answer(), (1, Outcome::Unknown(Lost::NoAnswer)));
    bench.closed(Closed::PeerSilent);
}

#[test]
fn a_link_test_may_come_before_the_bind() {
    let mut bench = Bench::new(config());
    bench.session.connected(bench.now);
    bench.written();
    bench.says(Status::OK, 5, Body::EnquireLink);
    assert_eq!(
        bench.written(),
        [(Command::ENQUIRE_LINK_RESP, Status::OK, 5)]
    );
    bench.says(Status::OK, 6, Body::DeliverSm(text()));
    assert_eq!(
        bench.written(),
        [(Command::DELIVER_SM_RESP, Status::INVALID_BIND_STATE, 6)]
    );
    bench.quiet();
}

#[test]
fn generic_nacks() {
    let mut bench = Bench::bound(config());
    let first = bench.submit(1).unwrap();
    bench.says(Status::INVALID_COMMAND, first, Body::GenericNack);
    let status = Status::INVALID_COMMAND;
    let verdict = Verdict::FailOver;
    assert_eq!(bench.answer(), (1, Outcome::Refused { status, verdict }));
    // A nack without a reason is a refusal all the same.
    let second = bench.submit(2).unwrap();
    bench.says(Status::OK, second, Body::GenericNack);
    let status = Status::UNKNOWN_ERROR;
    assert_eq!(bench.answer(), (2, Outcome::Refused { status, verdict }));
    bench.says(Status::SYSTEM_ERROR, 999, Body::GenericNack);
    assert!(matches!(bench.event(), Event::Odd { sequence: 999, .. }));
    let _ = bench.submit(3).unwrap();
    bench.written();
    bench.says(Status::INVALID_COMMAND_LENGTH, 0, Body::GenericNack);
    assert_eq!(bench.answer(), (3, Outcome::Unknown(Lost::ConnectionLost)));
    bench.closed(Closed::PeerLostTrack);
}

#[test]
fn what_is_not_known_is_answered_and_the_session_lives() {
    let mut bench = Bench::bound(config());
    for command in [
        Command(0x0001_0000),
        Command::QUERY_SM,
        Command::SUBMIT_SM,
        Command::BIND_RECEIVER,
    ] {
        bench.says(Status::OK, 40, Body::Other(command, b"x\0"));
        let written = bench.written();
        assert_eq!(written.len(), 1);
        assert_eq!((written[0].0, written[0].2), (Command::GENERIC_NACK, 40));
        assert!(matches!(bench.event(), Event::Odd { .. }));
    }
    for command in [
        Command(0x8001_0000),
        Command::QUERY_SM_RESP,
        Command::UNBIND_RESP,
        Command::DELIVER_SM_RESP,
        Command::BIND_RECEIVER_RESP,
    ] {
        bench.says(Status::OK, 40, Body::Other(command, b""));
        assert_eq!(bench.written(), []);
        assert!(matches!(bench.event(), Event::Odd { .. }));
    }
    assert!(bench.session.is_bound());
    bench.says(
        Status::OK,
        41,
        Body::Outbind(Outbind {
            system_id: b"centre",
            password: b"",
        }),
    );
    assert!(matches!(bench.event(), Event::Outbind { system_id } if system_id == "centre"));
    bench.says(
        Status::OK,
        42,
        Body::AlertNotification(pdu::Alert {
            source: Address::international("447700900123"),
            esme: Address::NONE,
            tlvs: Tlvs::NONE,
        }),
    );
    assert!(
        matches!(bench.event(), Event::Alert(who) if who.as_address().digits == b"447700900123")
    );
    assert_eq!(bench.written(), []);
}

#[test]
fn lengths_that_lie_end_the_session_and_say_so() {
    for length in [0u32, 15, pdu::DEFAULT_LIMIT + 1, u32::MAX] {
        let mut bench = Bench::bound(config());
        let text = bench.submit(1).unwrap();
        assert_eq!(bench.written().len(), 1);
        let mut octets = Vec::new();
        Pdu {
            status: Status::OK,
            sequence: text,
            body: submit_resp(b"id"),
        }
        .encode(&mut octets)
        .unwrap();
        octets.extend_from_slice(&length.to_be_bytes());
        bench.session.handle_bytes(bench.now, &octets);
        // What came before the lie counts.
        assert_eq!(bench.answer(), (1, accepted(b"id")));
        match bench.event() {
            Event::Closed(Closed::BrokenFraming(_)) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(
            bench.written(),
            [(Command::GENERIC_NACK, Status::INVALID_COMMAND_LENGTH, 0)]
        );
        // And nothing after it does.
        bench.session.handle_bytes(bench.now, &octets);
        bench.quiet();
    }
}

#[test]
fn a_body_that_lies_is_answered_and_the_session_lives() {
    let mut bench = Bench::bound(config());
    let mut octets = Vec::new();
    Pdu {
        status: Status::OK,
        sequence: 9,
        body: Body::DeliverSm(text()),
    }
    .encode(&mut octets)
    .unwrap();
    let at = octets.len() - text().short_message.len() - 1;
    octets[at] = 200;
    bench.session.handle_bytes(bench.now, &octets);
    assert_eq!(
        bench.written(),
        [(Command::DELIVER_SM_RESP, Status::INVALID_MESSAGE_LENGTH, 9)]
    );
    assert!(matches!(bench.event(), Event::Odd { sequence: 9, .. }));
    // An answer whose id cannot be read is an answer.
    let text = bench.submit(1).unwrap();
    bench.says(
        Status::OK,
        text,
        Body::Other(Command::SUBMIT_SM_RESP, &[b'1'; 400]),
    );
    assert_eq!(bench.answer(), (1, accepted(b"")));
    assert!(bench.session.is_bound());
}

#[test]
fn unbinding_drains_the_window_first() {
    let mut bench = Bench::bound(config());
    let first = bench.submit(1).unwrap();
    let second = bench.submit(2).unwrap();
    bench.written();
    bench.session.unbind(bench.now);
    assert_eq!(bench.submit(3), Err(WhyNot::NotBound));
    assert_eq!(bench.written(), []);
    bench.says(Status::OK, second, submit_resp(b"b"));
    assert_eq!(bench.written(), []);
    // Deliveries are still taken.
    bench.says(Status::OK, 50, Body::DeliverSm(text()));
    bench.says(Status::OK, first, submit_resp(b"a"));
    assert_eq!(bench.answer(), (2, accepted(b"b")));
    let Event::Delivered(delivery) = bench.event() else {
        panic!("not delivered")
    };
    assert_eq!(bench.answer(), (1, accepted(b"a")));
    bench.session.acknowledge(delivery.handle, Status::OK);
    assert_eq!(
        bench.written(),
        [
            (Command::UNBIND, Status::OK, 4),
            (Command::DELIVER_SM_RESP, Status::OK, 50)
        ]
    );
    bench.says(Status::OK, 4, Body::UnbindResp);
    bench.closed(Closed::Unbound);
}

#[test]
fn unbinding_ends_whatever_the_peer_does() {
    // No answers at all: the response timer bounds both steps.
    let mut bench = Bench::bound(config());
    bench.submit(1).unwrap();
    bench.written();
    bench.session.unbind(bench.now);
    bench.pass(10 * SECOND);
    assert_eq!(bench.answer(), (1, Outcome::Unknown(Lost::NoAnswer)));
    let written = bench.written();
    assert!(written.iter().any(|pdu| pdu.0 == Command::UNBIND));
    bench.pass(10 * SECOND);
    bench.closed(Closed::Unbound);
    // The peer hangs up instead.
    let mut bench = Bench::bound(config());
    bench.session.unbind(bench.now);
    bench.session.disconnected(bench.now);
    bench.closed(Closed::Unbound);
    // Both unbind at once.
    let mut bench = Bench::bound(config());
    bench.session.unbind(bench.now);
    bench.written();
    bench.says(Status::OK, 9, Body::Unbind);
    bench.closed(Closed::Unbound);
    assert_eq!(bench.written(), [(Command::UNBIND_RESP, Status::OK, 9)]);
    // Nothing is bound yet, or connected.
    let mut bench = Bench::new(config());
    bench.session.unbind(bench.now);
    bench.quiet();
    bench.session.connected(bench.now);
    bench.session.unbind(bench.now);
    bench.closed(Closed::Unbound);
}

#[test]
fn a_peer_that_unbinds_leaves_texts_unknown() {
    let mut bench = Bench::bound(config());
    bench.submit(1).unwrap();
    bench.written();
    bench.says(Status::OK, 9, Body::Unbind);
    assert_eq!(bench.answer(), (1, Outcome::Unknown(Lost::ConnectionLost)));
    bench.closed(Closed::PeerUnbound);
    assert_eq!(bench.written(), [(Command::UNBIND_RESP, Status::OK, 9)]);
    // A text that is still in our hands stays there.
    let mut bench = Bench::bound(config());
    bench.submit(1).unwrap();
    bench.says(Status::OK, 9, Body::Unbind);
    assert_eq!(bench.answer(), (1, Outcome::NotSent));
    bench.closed(Closed::PeerUnbound);
    assert_eq!(bench.written(), []);
}

#[test]
fn a_lost_connection_tells_what_left_from_what_did_not() {
    let mut bench = Bench::bound(config());
    bench.submit(1).unwrap();
    let length = bench.session.poll_transmit().unwrap().len();
    bench.submit(2).unwrap();
    bench.submit(3).unwrap();
    // The first and all but the last octet of the second.
    bench.session.transmitted(2 * length - 1);
    bench.session.disconnected(bench.now);
    assert_eq!(bench.answer(), (1, Outcome::Unknown(Lost::ConnectionLost)));
    assert_eq!(bench.answer(), (2, Outcome::NotSent));
    assert_eq!(bench.answer(), (3, Outcome::NotSent));
    bench.closed(Closed::Disconnected);
    assert_eq!(bench.session.poll_transmit(), None);
    bench.session.disconnected(bench.now);
    bench.quiet();
}

#[test]
fn connects_again_with_numbers_from_one() {
    let mut bench = Bench::bound(config());
    bench.submit(1).unwrap();
    bench.says(Status::OK, 30, Body::DeliverSm(text()));
    let Event::Delivered(old) = bench.event() else {
        panic!("not delivered")
    };
    // Half a PDU is left behind.
    bench.session.handle_bytes(bench.now, &[0, 0, 0]);
    bench.session.disconnected(bench.now);
    while bench.session.poll_event().is_some() {}
    bench.framer.reset();
    bench.session.connected(bench.now);
    assert_eq!(
        bench.written(),
        [(Command::BIND_TRANSCEIVER, Status::OK, 1)]
    );
    bench.says(Status::OK, 1, bind_resp(BindKind::Transceiver));
    assert!(matches!(bench.event(), Event::Bound { .. }));
    bench.says(Status::OK, 30, Body::DeliverSm(text()));
    let Event::Delivered(new) = bench.event() else {
        panic!("not delivered")
    };
    assert_ne!(old.handle, new.handle);
    bench.session.acknowledge(old.handle, Status::OK);
    assert_eq!(bench.written(), []);
    bench.session.acknowledge(new.handle, Status::OK);
    assert_eq!(
        bench.written(),
        [(Command::DELIVER_SM_RESP, Status::OK, 30)]
    );
    // Once.
    bench.session.acknowledge(new.handle, Status::OK);
    assert_eq!(bench.written(), []);
}

#[test]
fn deliveries_wait_for_their_acknowledgement_and_no_more_than_allowed() {
    let mut bench = Bench::bound(Config {
        deliveries: 2,
        ..config()
    });
    let mut data = text();
    data.short_message = b"";
    let mut tlvs = pdu::TlvBuf::new();
    tlvs.push(Tag::MESSAGE_PAYLOAD, b"STOP").unwrap();
    data.tlvs = tlvs.as_tlvs();
    bench.says(Status::OK, 1, Body::DeliverSm(text()));
    bench.says(Status::OK, 2, Body::DataSm(data));
    bench.says(Status::OK, 3, Body::DeliverSm(text()));
    assert_eq!(bench.session.unacknowledged(), 2);
    assert_eq!(
        bench.written(),
        [(Command::DELIVER_SM_RESP, Status::QUEUE_FULL, 3)]
    );
    let handles: Vec<_> = (0..2)
        .map(|_| match bench.event() {
            Event::Delivered(delivery) => {
                (delivery.handle, delivery.sms.as_sms().message().to_vec())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    bench.quiet();
    assert_eq!(handles[0].1, text().short_message);
    assert_eq!(handles[1].1, b"STOP");
    bench
        .session
        .acknowledge(handles[1].0, Status::TEMPORARY_APPLICATION_ERROR);
    bench.session.acknowledge(handles[0].0, Status::OK);
    assert_eq!(
        bench.written(),
        [
            (
                Command::DATA_SM_RESP,
                Status::TEMPORARY_APPLICATION_ERROR,
                2
            ),
            (Command::DELIVER_SM_RESP, Status::OK, 1)
        ]
    );
    // A number that is still waited for cannot be used twice.
    bench.says(Status::OK, 5, Body::DeliverSm(text()));
    bench.says(Status::OK, 5, Body::DeliverSm(text()));
    assert_eq!(
        bench.written(),
        [(
            Command::DELIVER_SM_RESP,
            Status::TEMPORARY_APPLICATION_ERROR,
            5
        )]
    );
}

#[test]
fn silence_unbinds_where_it_should() {
    let mut bench = Bench::bound(Config {
        inactivity: Some(100 * SECOND),
        ..config()
    });
    for _ in 0..3 {
        bench.pass(30 * SECOND);
        let enquiry = bench.written();
        assert_eq!(enquiry[0].0, Command::ENQUIRE_LINK);
        bench.says(Status::OK, enquiry[0].2, Body::EnquireLinkResp);
    }
    assert_eq!(bench.session.poll_timeout(), Some(bench.now + 10 * SECOND));
    bench.pass(10 * SECOND);
    assert_eq!(bench.written(), [(Command::UNBIND, Status::OK, 5)]);
    bench.says(Status::OK, 5, Body::UnbindResp);
    bench.closed(Closed::Inactive);
}

#[test]
fn a_peer_that_asks_and_does_not_read_is_left() {
    let mut bench = Bench::bound(config());
    let mut octets = Vec::new();
    for sequence in 0..1000 {
        pdu::encode_bare(&mut octets, Command::ENQUIRE_LINK, Status::OK, sequence);
    }
    let mut rounds = 0;
    while !bench.session.is_idle() {
        bench.session.handle_bytes(bench.now, &octets);
        rounds += 1;
        assert!(rounds < 100);
    }
    assert!(rounds > 50);
    bench.closed(Closed::PeerNotReading);
    // Short of that, texts are held back first.
    let mut bench = Bench::bound(config());
    for _ in 0..20 {
        bench.session.handle_bytes(bench.now, &octets);
    }
    assert_eq!(bench.submit(1), Err(WhyNot::WindowFull));
    assert_eq!(bench.session.room(bench.now), 0);
    // Writing in pieces gives the same stream.
    let mut seen = 0;
    while let Some(waiting) = bench.session.poll_transmit() {
        let count = waiting.len().min(100_003);
        let mut piece = waiting.get(..count).unwrap();
        while let Some(frame) = bench.framer.next(&mut piece).unwrap() {
            assert_eq!(Header::decode(frame).unwrap().sequence, seen % 1000);
            seen += 1;
        }
        bench.session.transmitted(count);
    }
    assert_eq!(seen, 20_000);
    assert!(bench.submit(1).is_ok());
}

#[test]
fn a_cap_is_kept() {
    let mut bench = Bench::bound(Config {
        rate: Some(10.0),
        window: 1000,
        ..config()
    });
    let start = bench.now;
    let mut sent = 0;
    while bench.now < start + 10 * SECOND {
        match bench.submit(sent) {
            Ok(_) => sent += 1,
            Err(WhyNot::Paced) => bench.now = bench.session.next_room(bench.now).unwrap(),
            Err(why) => panic!("{why}"),
        }
    }
    assert!((99..=102).contains(&sent), "{sent}");
}

#[test]
fn texts_that_do_not_fit_the_wire_are_handed_back() {
    let mut bench = Bench::bound(config());
    let mut long = text();
    long.short_message = &[b'a'; 255];
    let refused = bench.session.submit(bench.now, 4, &long).unwrap_err();
    assert_eq!(
        (refused.tag, refused.why),
        (4, WhyNot::Unsendable(EncodeError::MessageTooLong))
    );
    assert_eq!(bench.session.in_flight(), 0);
    assert_eq!(bench.written(), []);
}

/// A host that takes every text and answers as it is told.
#[derive(Default)]
struct Taker {
    submitted: Vec<u32>,
    delivered: Vec<(u32, Result<Status, Lost>)>,
    later: bool,
}

impl Host<u32> for Taker {
    fn bind(&mut self, _: BindKind, bind: &Bind<'_>) -> Result<(), Status> {
        match (bind.system_id, bind.password) {
            (b"ringtrue", b"secret") => Ok(()),
            _ => Err(Status::INVALID_PASSWORD),
        }
    }

    fn submit(&mut self, sequence: u32, sms: &Sms<'_>) -> Reply {
        assert_eq!(*sms, text());
        self.submitted.push(sequence);
        if self.later {
            Reply::Later
        } else {
            Reply::Accept(MessageId::new(format!("{sequence:08x}").as_bytes()))
        }
    }

    fn delivered(&mut self, tag: u32, answer: Result<Status, Lost>) {
        self.delivered.push((tag, answer));
    }
}

/// Session against centre, `chunk` octets at a time in each direction.
fn pump(
    session: &mut Session<u32>,
    centre: &mut Centre<u32>,
    host: &mut Taker,
    now: Instant,
    chunk: usize,
) {
    loop {
        let mut quiet = true;
        while let Some(octets) = session.poll_transmit() {
            let count = octets.len().min(chunk);
            centre.handle_bytes(now, &octets[..count], host);
            session.transmitted(count);
            quiet = false;
        }
        while let Some(octets) = centre.poll_transmit() {
            let count = octets.len().min(chunk);
            session.handle_bytes(now, &octets[..count]);
            centre.transmitted(count);
            quiet = false;
        }
        if quiet {
            return;
        }
    }
}

#[test]
fn two_peers_whatever_the_stream_is_cut_into() {
    for chunk in (1..70).chain([1000, 100_000]) {
        let now = Instant::now();
        let mut session = Session::new(config(), now).unwrap();
        let mut centre = Centre::new(centre::Config::default(), now);
        let mut host = Taker {
            later: chunk % 2 == 0,
            ..Taker::default()
        };
        session.connected(now);
        pump(&mut session, &mut centre, &mut host, now, chunk);
        let Some(Event::Bound { system_id, version }) = session.poll_event() else {
            panic!("not bound")
        };
        assert_eq!(system_id, "ringtrue-sandbox");
        assert_eq!(version, Some(Version::V34));
        for tag in 0..10 {
            session.submit(now, tag, &text()).unwrap();
        }
        centre.deliver(now, 100, &text()).unwrap();
        pump(&mut session, &mut centre, &mut host, now, chunk);
        assert_eq!(host.submitted, (2..12).collect::<Vec<_>>());
        if host.later {
            for sequence in (2..12).rev() {
                let id = MessageId::new(format!("{sequence:08x}").as_bytes());
                centre.answer(sequence, &Reply::Accept(id));
            }
            pump(&mut session, &mut centre, &mut host, now, chunk);
        }
        let mut answers = HashMap::new();
        let mut delivery = None;
        while let Some(event) = session.poll_event() {
            match event {
                Event::Answered(answer) => {
                    assert!(answers.insert(answer.tag, answer.outcome).is_none());
                }
                Event::Delivered(it) => delivery = Some(it),
                other => panic!("{other:?}"),
            }
        }
        for tag in 0..10u32 {
            let id = format!("{:08x}", tag + 2);
            assert_eq!(answers.remove(&tag), Some(accepted(id.as_bytes())));
        }
        session.acknowledge(delivery.unwrap().handle, Status::OK);
        session.unbind(now);
        pump(&mut session, &mut centre, &mut host, now, chunk);
        assert_eq!(host.delivered, [(100, Ok(Status::OK))]);
        assert!(matches!(
            session.poll_event(),
            Some(Event::Closed(Closed::Unbound))
        ));
        assert_eq!(centre.closed(), Some(Closed::PeerUnbound));
    }
}

#[test]
fn the_centre_keeps_its_own_rules() {
    let now = Instant::now();
    let mut host = Taker::default();
    // Wrong password.
    let mut session = Session::new(Config::new("ringtrue", "wrong"), now).unwrap();
    let mut centre = Centre::new(centre::Config::default(), now);
    session.connected(now);
    pump(&mut session, &mut centre, &mut host, now, 1000);
    assert!(matches!(
        session.poll_event(),
        Some(Event::Closed(Closed::Refused(Status::INVALID_PASSWORD)))
    ));
    assert_eq!(centre.bound(), None);
    assert_eq!(centre.deliver(now, 1, &text()), Err(1));
    // Nobody binds in time.
    assert_eq!(centre.poll_timeout(), Some(now + 10 * SECOND));
    centre.handle_timeout(now + 10 * SECOND, &mut host);
    assert_eq!(centre.closed(), Some(Closed::InitTimeout));
    // Texts without a bind, binds without end, and operations it does not offer.
    let mut centre = Centre::<u32>::new(centre::Config::default(), now);
    let bind = Bind {
        system_id: b"ringtrue",
        password: b"secret",
        system_type: b"",
        interface_version: 0x34,
        addr_ton: 0,
        addr_npi: 0,
        address_range: b"",
    };
    let mut say = |centre: &mut Centre<u32>, body: Body<'_>| {
        let mut octets = Vec::new();
        let pdu = Pdu {
            status: Status::OK,
            sequence: 3,
            body,
        };
        pdu.encode(&mut octets).unwrap();
        centre.handle_bytes(now, &octets, &mut host);
        let header = centre.poll_transmit().and_then(Header::decode);
        centre.transmitted(usize::MAX);
        header.map(|h| (h.command, h.status))
    };
    assert_eq!(
        say(&mut centre, Body::SubmitSm(text())),
        Some((Command::SUBMIT_SM_RESP, Status::INVALID_BIND_STATE))
    );
    assert_eq!(
        say(&mut centre, Body::Bind(BindKind::Transmitter, bind)),
        Some((Command::BIND_TRANSMITTER_RESP, Status::OK))
    );
    assert_eq!(
        say(&mut centre, Body::Bind(BindKind::Receiver, bind)),
        Some((Command::BIND_RECEIVER_RESP, Status::ALREADY_BOUND))
    );
    assert_eq!(
        say(&mut centre, Body::Other(Command::CANCEL_SM, b"")),
        Some((Command::CANCEL_SM_RESP, Status::INVALID_COMMAND))
    );
    assert_eq!(
        say(&mut centre, Body::Other(Command(0x777), b"")),
        Some((Command::GENERIC_NACK, Status::INVALID_COMMAND))
    );
    assert_eq!(
        say(&mut centre, Body::Other(Command::SUBMIT_SM, b"x")),
        Some((Command::SUBMIT_SM_RESP, Status::INVALID_COMMAND_LENGTH))
    );
    assert_eq!(say(&mut centre, Body::UnbindResp), None);
    // A transmitter is delivered nothing.
    assert_eq!(centre.deliver(now, 1, &text()), Err(1));
}

#[test]
fn a_centre_asks_and_waits_too() {
    let now = Instant::now();
    let mut session = Session::new(config(), now).unwrap();
    let mut centre = Centre::new(centre::Config::default(), now);
    let mut host = Taker::default();
    session.connected(now);
    pump(&mut session, &mut centre, &mut host, now, 1000);
    centre.deliver(now, 5, &text()).unwrap();
    pump(&mut session, &mut centre, &mut host, now, 1000);
    // Our side does not acknowledge in time.
    centre.handle_timeout(now + 10 * SECOND, &mut host);
    assert_eq!(host.delivered, [(5, Err(Lost::NoAnswer))]);
    let later = now + 60 * SECOND;
    centre.handle_timeout(later, &mut host);
    pump(&mut session, &mut centre, &mut host, later, 1000);
    centre.handle_timeout(later + 10 * SECOND, &mut host);
    assert_eq!(centre.closed(), None);
    centre.unbind(later);
    pump(&mut session, &mut centre, &mut host, later, 1000);
    assert_eq!(centre.closed(), Some(Closed::Unbound));
    assert!(matches!(
        std::iter::from_fn(|| session.poll_event()).last(),
        Some(Event::Closed(Closed::PeerUnbound))
    ));
}

#[derive(Debug, Clone)]
enum Step {
    Submit,
    Write(usize),
    Answer { index: usize, status: u32 },
    Noise(Vec<u8>),
    Pass(u64),
    Unbind,
    Hang,
    Connect,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Submit),
        4 => (1usize..400).prop_map(Step::Write),
        4 => (any::<usize>(), prop_oneof![4 => Just(0u32), 1 => Just(0x58), 1 => Just(8)])
            .prop_map(|(index, status)| Step::Answer { index, status }),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Step::Noise),
        2 => (1u64..15_000).prop_map(Step::Pass),
        1 => Just(Step::Unbind),
        1 => Just(Step::Hang),
        3 => Just(Step::Connect),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happens, each text gets exactly one answer; what is called not sent never left
    /// whole, and what is called accepted was.
    #[test]
    fn every_text_gets_exactly_one_true_answer(steps in proptest::collection::vec(step(), 1..120)) {
        let mut now = Instant::now();
        let mut session = Session::new(Config { window: 8, ..config() }, now).unwrap();
        let mut framer = Framer::default();
        let mut next = 0u32;
        let mut open: HashSet<u32> = HashSet::new();
        // What the peer has seen whole, by tag; and by number on this connection.
        let mut whole: HashSet<u32> = HashSet::new();
        let mut by_sequence: HashMap<u32, u32> = HashMap::new();
        let mut unanswered: Vec<u32> = Vec::new();
        let mut taken: HashSet<u32> = HashSet::new();
        for step in steps.into_iter().chain([Step::Hang]) {
            match step {
                Step::Submit => {
                    if let Ok(sequence) = session.submit(now, next, &text()) {
                        by_sequence.insert(sequence, next);
                        open.insert(next);
                    }
                    next += 1;
                }
                Step::Write(count) => {
                    let octets = session.poll_transmit().unwrap_or_default();
                    let count = count.min(octets.len());
                    let mut piece = &octets[..count];
                    let mut binds = Vec::new();
                    while let Some(frame) = framer.next(&mut piece).unwrap() {
                        let header = Header::decode(frame).unwrap();
                        if header.command == Command::SUBMIT_SM {
                            whole.insert(by_sequence[&header.sequence]);
                            unanswered.push(header.sequence);
                        } else if header.command == Command::BIND_TRANSCEIVER {
                            binds.push(header.sequence);
                        }
                    }
                    session.transmitted(count);
                    for sequence in binds {
                        let mut octets = Vec::new();
                        let pdu = Pdu { status: Status::OK, sequence, body: bind_resp(BindKind::Transceiver) };
                        pdu.encode(&mut octets).unwrap();
                        session.handle_bytes(now, &octets);
                    }
                }
                Step::Answer { index, status } => {
                    if !unanswered.is_empty() && !session.is_idle() {
                        let sequence = unanswered.swap_remove(index % unanswered.len());
                        if status == 0 {
                            taken.insert(by_sequence[&sequence]);
                        }
                        let mut octets = Vec::new();
                        let pdu = Pdu { status: Status(status), sequence, body: submit_resp(b"id") };
                        pdu.encode(&mut octets).unwrap();
                        session.handle_bytes(now, &octets);
                    }
                }
                Step::Noise(octets) => session.handle_bytes(now, &octets),
                Step::Pass(ms) => {
                    now += Duration::from_millis(ms);
                    session.handle_timeout(now);
                }
                Step::Unbind => session.unbind(now),
                Step::Hang => session.disconnected(now),
                Step::Connect => {
                    if session.is_idle() {
                        framer.reset();
                        by_sequence.clear();
                        unanswered.clear();
                        session.connected(now);
                    }
                }
            }
            if let Some(at) = session.poll_timeout() {
                prop_assert!(at > now - Duration::from_secs(3600));
            }
            while let Some(event) = session.poll_event() {
                if let Event::Answered(answer) = event {
                    prop_assert!(open.remove(&answer.tag), "a second answer");
                    match answer.outcome {
                        Outcome::NotSent => prop_assert!(!whole.contains(&answer.tag)),
                        Outcome::Accepted(_) => prop_assert!(taken.contains(&answer.tag)),
                        Outcome::Refused { .. } => prop_assert!(!taken.contains(&answer.tag)),
                        Outcome::Unknown(_) => {}
                    }
                }
            }
            prop_assert_eq!(session.in_flight() <= 8, true);
        }
        prop_assert!(open.is_empty(), "texts without an answer: {:?}", open);
    }

    #[test]
    fn noise_never_panics(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..8)) {
        let now = Instant::now();
        let mut bench = Bench::bound(config());
        for piece in pieces {
            bench.session.handle_bytes(now, &piece);
        }
        let mut host = Taker::default();
        let mut centre = Centre::new(centre::Config::default(), now);
        centre.handle_bytes(now, &[0, 0, 0], &mut host);
        centre.disconnected(&mut host);
        prop_assert_eq!(centre.closed(), Some(Closed::Disconnected));
    }
}
