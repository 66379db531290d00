use super::*;
use crate::sip::call::{CallFailure, Cause, Ending, Forwarding, InviteError, Party};
use crate::sip::transaction::{Flow, Sources, Transport};

fn failure(event: &Event) -> Option<(CallFailure, Option<u16>)> {
    match event {
        Event::Failed {
            failure, status, ..
        } => Some((*failure, *status)),
        _ => None,
    }
}

#[test]
fn an_answered_call_from_invite_to_bye() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    assert_eq!(invite.to, address(CARRIER));
    assert_eq!(invite.uri(), "sip:+442079460000@carrier.example");
    assert_eq!(invite.field(Name::Contact), "<sip:bank@192.0.2.1:5060>");
    assert!(invite.field(Name::Via).ends_with(";rport"));
    assert!(invite.text.ends_with("v=0\r\no=offer\r\n"));

    line.hear(&invite.reply(100, "", "", ""));
    line.hear(&invite.reply(180, "phone", CONTACT, ""));
    line.hear(&invite.reply(200, "phone", CONTACT, ANSWER));
    let ack = line.sent_one("ACK");
    assert_eq!(ack.uri(), "sip:phone@192.0.2.9:5060");
    assert_eq!(ack.field(Name::CSeq), "1 ACK");
    assert_ne!(ack.branch(), invite.branch());
    let events = line.events();
    let [
        Event::Trying { .. },
        Event::Ringing { .. },
        Event::Answered {
            sdp,
            dialog,
            source,
            call: answered,
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!((&**sdp, *answered), (ANSWER.as_bytes(), call));
    assert_eq!(*source, address(CARRIER));
    assert_eq!(&*dialog.remote_tag, "phone");
    assert_eq!(*dialog.call_id, invite.field(Name::CallId));

    line.pass(secs(5));
    line.endpoint.hang_up(line.now, call).expect("up");
    let bye = line.sent_one("BYE");
    assert_eq!(bye.field(Name::CSeq), "2 BYE");
    assert!(matches!(
        line.events()[..],
        [Event::Ended {
            by: Party::Local,
            how: Ending::HungUp,
            ..
        }]
    ));
    line.hear(&bye.reply(200, "", "", ""));
    assert_eq!(line.events(), [Event::Released { call }]);
    assert_eq!(line.endpoint.load().calls, 0);
    line.assert_clean();
}

#[test]
fn nobody_answers_at_all() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    line.pass(ms(31_999));
    let again = line.sent();
    assert_eq!(again.len(), 6);
    assert!(again.iter().all(|sent| sent.text == invite.text));
    assert_eq!(line.events(), []);
    line.pass(ms(1));
    let events = line.events();
    assert_eq!(failure(&events[0]), Some((CallFailure::NoResponse, None)));
    assert_eq!(events[1..], [Event::Released { call }]);
    assert!(line.endpoint.is_empty());
}

#[test]
fn over_a_stream_nothing_is_sent_twice() {
    let mut line = Line::new();
    let (_, invite) = line.dial_with(|invitation| {
        invitation.to = Flow {
            transport: Transport::Tcp,
            remote: address(CARRIER),
        }
    });
    line.pass(secs(20));
    assert_eq!(line.sent().len(), 0);
    line.hear(&invite.reply(486, "phone", "", ""));
    line.sent_one("ACK");
    line.pass(ms(0));
    assert!(line.endpoint.is_empty(), "timer D is zero");
}

#[test]
fn a_refusal_is_acknowledged_and_says_why() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    let fields = "Reason: Q.850;cause=17;text=\"User busy\"\r\nRetry-After: 30\r\n";
    let busy = invite.reply(486, "phone", fields, "");
    line.hear(&busy);
    let ack = line.sent_one("ACK");
    assert_eq!(ack.branch(), invite.branch());
    assert_eq!(ack.uri(), invite.uri());
    assert!(ack.field(Name::To).ends_with(";tag=phone"));
    assert_eq!(
        line.events(),
        [
            Event::Failed {
                call,
                failure: CallFailure::Busy,
                status: Some(486),
                cause: Cause {
                    q850: Some(17),
                    sip: None
                },
                retry_after: Some(secs(30)),
            },
            Event::Released { call }
        ]
    );
    line.pass(secs(3));
    line.hear(&busy);
    assert_eq!(line.sent_one("ACK").text, ack.text);
    assert!(line.events().is_empty());
    line.pass(secs(29));
    assert!(line.endpoint.is_empty());
    line.hear(&busy);
    assert!(line.sent().is_empty());
    assert_eq!(line.endpoint.counters().stray, 1);
}

#[test]
fn every_repeated_2xx_gets_the_same_ack_even_after_the_call() {
    let mut line = Line::new();
    let (call, invite, ack) = line.dial_answered();
    let ok = invite.reply(200, "phone", CONTACT, ANSWER);
    line.pass(ms(500));
    line.hear(&ok);
    assert_eq!(line.sent_one("ACK").text, ack.text);
    line.endpoint.hang_up(line.now, call).expect("up");
    let bye = line.sent_one("BYE");
    line.hear(&bye.reply(200, "", "", ""));
    line.pass(secs(6));
    assert_eq!(line.endpoint.load().calls, 0);
    line.hear(&ok);
    assert_eq!(line.sent_one("ACK").text, ack.text);
    assert!(
        line.events()
            .iter()
            .all(|event| !matches!(event, Event::Answered { .. }))
    );
    line.assert_clean();
}

#[test]
fn a_second_fork_that_answers_is_hung_up() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    line.hear(&invite.reply(180, "kitchen", CONTACT, ""));
    line.hear(&invite.reply(180, "hall", CONTACT, ""));
    line.hear(&invite.reply(200, "kitchen", CONTACT, ANSWER));
    line.sent_one("ACK");
    let events = line.events();
    assert!(matches!(
        events[..],
        [Event::Ringing { .. }, Event::Answered { .. }]
    ));
    let hall = "Contact: <sip:hall@192.0.2.9:5080>\r\n";
    line.hear(&invite.reply(200, "hall", hall, ANSWER));
    let sent = line.sent();
    let [ack, bye] = &sent[..] else {
        panic!("{sent:?}");
    };
    for (sent, kind, seq) in [(ack, "ACK", "1 ACK"), (bye, "BYE", "2 BYE")] {
        assert_eq!(sent.kind(), kind);
        assert_eq!(sent.uri(), "sip:hall@192.0.2.9:5080");
        assert_eq!(sent.to, address("192.0.2.9:5080"));
        assert!(sent.field(Name::To).ends_with(";tag=hall"));
        assert_eq!(sent.field(Name::CSeq), seq);
    }
    line.hear(&bye.reply(200, "", "", ""));
    // Its 200 again: the ACK again, and no second BYE.
    line.hear(&invite.reply(200, "hall", hall, ANSWER));
    line.sent_one("ACK");
    assert!(line.events().is_empty());
    line.endpoint.hang_up(line.now, call).expect("still up");
    assert!(
        line.sent_one("BYE")
            .field(Name::To)
            .ends_with(";tag=kitchen")
    );
}

#[test]
fn forks_that_answer_after_the_call_are_hung_up_too() {
    let mut line = Line::new();
    let (call, invite, _) = line.dial_answered();
    line.endpoint.hang_up(line.now, call).expect("up");
    let bye = line.sent_one("BYE");
    line.hear(&bye.reply(200, "", "", ""));
    assert_eq!(line.endpoint.load().calls, 0);
    line.pass(secs(10));
    line.hear(&invite.reply(200, "hall", CONTACT, ANSWER));
    assert_eq!(line.kinds(), ["ACK", "BYE"]);
    // And more forks than any proxy has are no reason to send without end.
    for n in 0..100 {
        line.hear(&invite.reply(200, &format!("f{n}"), CONTACT, ANSWER));
    }
    assert!(line.sent().len() <= 32);
    line.events();
    line.assert_clean();
}

#[test]
fn a_fork_that_answers_after_a_refusal_is_hung_up() {
    let mut line = Line::new();
    let (_, invite) = line.dial();
    line.hear(&invite.reply(603, "phone", "", ""));
    line.sent_one("ACK");
    line.hear(&invite.reply(200, "hall", CONTACT, ANSWER));
    assert_eq!(line.kinds(), ["ACK", "BYE"]);
    let events = line.events();
    assert!(
        events
            .iter()
            .all(|event| !matches!(event, Event::Answered { .. }))
    );
    line.assert_clean();
}

#[test]
fn forwardings_are_told_before_the_answer() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    line.hear(&invite.reply(181, "a", CONTACT, ""));
    line.hear(&invite.reply(181, "a", CONTACT, ""));
    let diverted = format!("{CONTACT}Diversion: <sip:+442079460000@x>;reason=no-answer\r\n");
    line.hear(&invite.reply(200, "b", &diverted, ANSWER));
    let events = line.events();
    let told = |how| Event::Forwarded { call, how };
    assert_eq!(
        events[..2],
        [
            told(Forwarding::BeingForwarded),
            told(Forwarding::Diversion)
        ]
    );
    assert!(matches!(events[2..], [Event::Answered { .. }]));
}

#[test]
fn a_redirection_is_never_followed() {
    let mut line = Line::new();
    let (_, invite) = line.dial();
    let elsewhere = "Contact: <sip:+19005550100@premium.example>\r\n";
    line.hear(&invite.reply(302, "phone", elsewhere, ""));
    line.sent_one("ACK");
    let events = line.events();
    assert_eq!(
        failure(&events[0]),
        Some((CallFailure::Redirected, Some(302)))
    );
    line.assert_clean();
    assert!(line.sent().is_empty());
}

#[test]
fn it_rings_no_longer_than_it_may() {
    let mut line = Line::new();
    let (call, invite) = line.dial_with(|invitation| invitation.ring_time = secs(20));
    line.hear(&invite.reply(180, "phone", CONTACT, ""));
    line.events();
    line.pass(ms(19_999));
    assert!(line.sent().is_empty() && line.events().is_empty());
    line.pass(ms(1));
    let cancel = line.sent_one("CANCEL");
    assert!(cancel.field(Name::Reason).starts_with("Q.850;cause=19"));
    assert_eq!(cancel.branch(), invite.branch());
    let events = line.events();
    assert_eq!(
        failure(&events[0]),
        Some((CallFailure::RingTimeLimit, None))
    );
    assert_eq!(events.len(), 1, "released only once the INVITE is settled");
    line.hear(&cancel.reply(200, "", "", ""));
    line.hear(&invite.reply(487, "phone", "", ""));
    line.sent_one("ACK");
    assert_eq!(line.events(), [Event::Released { call }]);
    line.assert_clean();
}

#[test]
fn a_ring_limit_before_any_response_waits_for_one() {
    let mut line = Line::new();
    let (_, invite) = line.dial_with(|invitation| invitation.ring_time = secs(2));
    line.pass(secs(3));
    assert!(line.sent().iter().all(|sent| sent.kind() == "INVITE"));
    assert_eq!(
        line.events().first().and_then(failure),
        Some((CallFailure::NoResponse, None)),
        "nobody says that it rang"
    );
    line.hear(&invite.reply(100, "", "", ""));
    line.sent_one("CANCEL");
    line.hear(&invite.reply(180, "phone", CONTACT, ""));
    assert!(line.sent().is_empty() && line.events().is_empty());
}

#[test]
fn provisional_responses_are_told_within_bounds() {
    let mut line = Line::new();
    let (_, invite) = line.dial();
    for n in 0..100 {
        line.hear(&invite.reply(100, "", "", ""));
        line.hear(&invite.reply(180, &format!("f{n}"), CONTACT, ""));
        line.hear(&invite.reply(183, &format!("f{n}"), CONTACT, ANSWER));
    }
    let events = line.events();
    let count = |what: fn(&Event) -> bool| events.iter().filter(|event| what(event)).count();
    assert_eq!(count(|event| matches!(event, Event::Trying { .. })), 1);
    assert_eq!(count(|event| matches!(event, Event::Ringing { .. })), 1);
    assert_eq!(count(|event| matches!(event, Event::Progress { .. })), 8);
    assert_eq!(events.len(), 10);
}

#[test]
fn a_gateway_that_insists_on_prack_gets_it() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    let reliable = |number: u32| format!("{CONTACT}Require: 100rel\r\nRSeq: {number}\r\n");
    line.hear(&invite.reply(183, "gw", &reliable(700), ANSWER));
    let prack = line.sent_one("PRACK");
    assert_eq!(prack.field(Name::RAck), "700 1 INVITE");
    assert_eq!(prack.field(Name::CSeq), "2 PRACK");
    line.hear(&prack.reply(200, "", "", ""));
    // The same again, and one that skips, are not acknowledged; the next is.
    line.hear(&invite.reply(183, "gw", &reliable(700), ANSWER));
    line.hear(&invite.reply(180, "gw", &reliable(702), ""));
    assert!(line.sent().is_empty());
    line.hear(&invite.reply(180, "gw", &reliable(701), ""));
    assert_eq!(line.sent_one("PRACK").field(Name::CSeq), "3 PRACK");
    line.hear(&invite.reply(200, "gw", CONTACT, ANSWER));
    assert_eq!(line.sent_one("ACK").field(Name::CSeq), "1 ACK");
    line.endpoint.hang_up(line.now, call).expect("up");
    assert_eq!(line.sent_one("BYE").field(Name::CSeq), "4 BYE");
}

/// The room beyond the limit is for what ends calls: no gateway's insistence uses it up.
#[test]
fn reliable_responses_take_no_room_from_a_bye() {
    let mut line = Line::with(|config| {
        config.max_calls = 2;
        config.max_transactions = 2;
    });
    let (up, _, _) = line.dial_answered();
    let (_, invite) = line.dial();
    let reliable = |number: u32| format!("{CONTACT}Require: 100rel\r\nRSeq: {number}\r\n");
    for number in 1..=10 {
        line.hear(&invite.reply(183, "gw", &reliable(number), ANSWER));
    }
    line.sent();
    line.endpoint.hang_up(line.now, up).expect("up");
    line.sent_one("BYE");
    // Once there is room, the gateway that repeats itself gets its PRACK.
    line.pass(secs(33));
    line.sent();
    line.hear(&invite.reply(183, "gw", &reliable(1), ANSWER));
    assert_eq!(line.sent_one("PRACK").field(Name::RAck), "1 1 INVITE");
}

#[test]
fn a_gateway_that_never_stops_insisting_is_not_listened_to_for_ever() {
    let mut line = Line::new();
    let (_, invite) = line.dial();
    for number in 1..=1_000 {
        let fields = format!("{CONTACT}Require: 100rel\r\nRSeq: {number}\r\n");
        line.hear(&invite.reply(183, "gw", &fields, ""));
    }
    let pracks = line.sent().len();
    assert!((16..=64).contains(&pracks), "{pracks}");
}

/// RFC 3262 5: the answer came in a reliable 183 and is not repeated.
#[test]
fn an_answer_in_a_reliable_provisional_response_counts_once_the_call_is_answered() {
    let reliable = |number: u32| format!("{CONTACT}Require: 100rel\r\nRSeq: {number}\r\n");
    let answered = |line: &mut Line| {
        line.sent();
        let answers = line.events().into_iter().filter_map(|event| match event {
            Event::Answered { sdp, .. } => Some(String::from_utf8_lossy(&sdp).into_owned()),
            _ => None,
        });
        answers.collect::<Vec<_>>()
    };
    let other = "v=0\r\no=other\r\n";
    let isup = format!("{CONTACT}Content-Type: application/isup\r\n");
    let ring = |line: &mut Line, invite: &Sent| {
        line.hear(&invite.reply(183, "gw", &reliable(7), ANSWER));
        line.hear(&invite.reply(183, "gw", &reliable(8), other));
        line.hear(&invite.reply(183, "hall", &reliable(1), other));
        assert_eq!(answered(line), [""; 0]);
    };
    let mut line = Line::new();
    for (tag, fields, body, expected) in [
        ("gw", CONTACT, "", ANSWER),
        ("gw", CONTACT, other, other),
        ("hall", CONTACT, "", other),
        ("kitchen", CONTACT, "", ""),
    ] {
        let (_, invite) = line.dial();
        ring(&mut line, &invite);
        line.hear(&invite.reply(200, tag, fields, body));
        assert_eq!(answered(&mut line), [expected], "{tag} {body}");
    }
    // A 2xx that speaks to the telephone network alone.
    let (_, invite) = line.dial();
    ring(&mut line, &invite);
    let plain = invite.reply(200, "gw", &isup, "");
    let plain = plain.replacen("Content-Length: 0", "Content-Length: 3", 1) + "ANM";
    line.hear(&plain);
    assert_eq!(answered(&mut line), [ANSWER]);
}

/// RFC 3204 5: what speaks to the telephone network stands beside the description.
#[test]
fn of_a_multipart_answer_the_description_is_told() {
    let mut line = Line::new();
    let (_, invite) = line.dial();
    let fields = format!("{CONTACT}Content-Type: multipart/mixed;boundary=part\r\n");
    let body = format!(
        "--part\r\nContent-Type: application/isup;version=itu-t92+\r\n\r\nANM\r\n\
         --part\r\nContent-Type: application/sdp\r\n\r\n{ANSWER}\r\n--part--\r\n"
    );
    let length = format!("Content-Length: {}", body.len());
    let plain = invite.reply(200, "gw", &fields, "");
    line.hear(&(plain.replacen("Content-Length: 0", &length, 1) + &body));
    let last = line.events().pop();
    assert!(
        matches!(&last, Some(Event::Answered { sdp, .. }) if **sdp == *ANSWER.as_bytes()),
        "{last:?}"
    );
}

#[test]
fn what_is_no_reliable_answer_is_not_kept() {
    let reliable = format!("{CONTACT}Require: 100rel\r\nRSeq: 7\r\n");
    let skipped = reliable.replace('7', "9");
    let long = format!("{ANSWER}{}", "a=x\r\n".repeat(1_000));
    for (fields, repeated, body) in [
        // Not reliable, out of order, too long, no description.
        (CONTACT, CONTACT, ANSWER),
        (&reliable, &skipped, ANSWER),
        (&reliable, CONTACT, &long),
        (&reliable, &reliable, ""),
    ] {
        let mut line = Line::new();
        let (_, invite) = line.dial();
        let first = if repeated == skipped { "" } else { body };
        line.hear(&invite.reply(183, "gw", fields, first));
        line.hear(&invite.reply(183, "gw", repeated, body));
        line.hear(&invite.reply(200, "gw", CONTACT, ""));
        let last = line.events().pop();
        assert!(
            matches!(&last, Some(Event::Answered { sdp, .. }) if sdp.is_empty()),
            "{last:?}"
        );
    }
}

#[test]
fn only_the_next_hop_is_believed() {
    let mut line = Line::new();
    let (_, invite) = line.dial();
    line.hear_from(STRANGER, &invite.reply(200, "phone", CONTACT, ANSWER));
    assert!(line.sent().is_empty() && line.events().is_empty());
    assert_eq!(line.endpoint.counters().disbelieved, 1);
    // Another port of the carrier is the carrier.
    line.hear_from(
        "192.0.2.9:40000",
        &invite.reply(200, "phone", CONTACT, ANSWER),
    );
    line.sent_one("ACK");

    let (_, invite) = line.dial_with(|invitation| {
        invitation.sources = Sources::Also(Arc::new([address(STRANGER).ip()]));
    });
    line.hear_from(STRANGER, &invite.reply(200, "phone", CONTACT, ANSWER));
    line.sent_one("ACK");
}

#[test]
fn a_branch_alone_answers_nothing() {
    let mut line = Line::new();
    let (first, invite) = line.dial();
    let (_, other) = line.dial();
    let mixed = invite
        .reply(200, "phone", CONTACT, ANSWER)
        .replace(&invite.field(Name::CallId), &other.field(Name::CallId));
    line.hear(&mixed);
    let mixed = invite
        .reply(200, "phone", CONTACT, ANSWER)
        .replace(&invite.field(Name::From), &other.field(Name::From));
    line.hear(&mixed);
    let two_vias = invite.reply(200, "phone", CONTACT, ANSWER).replacen(
        "Via:",
        "Via: SIP/2.0/UDP a;branch=z9hG4bKb\r\nVia:",
        1,
    );
    line.hear(&two_vias);
    assert!(line.sent().is_empty() && line.events().is_empty());
    assert_eq!(line.endpoint.counters().stray, 3);
    // And none of it did harm.
    line.hear(&invite.reply(200, "phone", CONTACT, ANSWER));
    line.sent_one("ACK");
    assert!(matches!(line.events()[..], [Event::Answered { call, .. }] if call == first));
}

#[test]
fn routes_of_the_answer_are_taken() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    let fields = "Contact: <sip:phone@10.9.8.7>\r\nRecord-Route: <sip:edge;lr>\r\n\
                  Record-Route: <sip:192.0.2.9:5090;lr>\r\n";
    line.hear(&invite.reply(200, "phone", fields, ANSWER));
    let ack = line.sent_one("ACK");
    assert_eq!(ack.to, address("192.0.2.9:5090"));
    assert_eq!(ack.uri(), "sip:phone@10.9.8.7");
    line.endpoint.hang_up(line.now, call).expect("up");
    let bye = line.sent_one("BYE");
    assert_eq!(bye.to, address("192.0.2.9:5090"));
    assert!(
        bye.text
            .contains("Route: <sip:192.0.2.9:5090;lr>\r\nRoute: <sip:edge;lr>\r\n")
    );
}

#[test]
fn an_answer_without_contact_or_tag_is_still_ended_properly() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    line.hear(&invite.reply(200, "", "", ANSWER));
    let ack = line.sent_one("ACK");
    assert_eq!((ack.to, ack.uri()), (address(CARRIER), invite.uri()));
    line.endpoint.hang_up(line.now, call).expect("up");
    let bye = line.sent_one("BYE");
    line.hear(&bye.reply(200, "", "", ""));
    line.events();
    line.assert_clean();
}

#[test]
fn limits_are_told_and_not_exceeded() {
    let mut line = Line::with(|config| config.max_calls = 2);
    line.dial();
    line.dial();
    let third = line.endpoint.invite(line.now, Line::invitation());
    assert_eq!(third, Err(InviteError::TooManyCalls));
    assert_eq!(line.endpoint.counters().turned_away, 1);

    let mut line = Line::with(|config| config.max_transactions = 1);
    let (call, _, _) = line.dial_answered();
    let second = line.endpoint.invite(line.now, Line::invitation());
    assert_eq!(second, Err(InviteError::TooManyTransactions));
    line.endpoint.hang_up(line.now, call).expect("up");
    let bye = line.sent_one("BYE");
    line.hear(&bye.reply(200, "", "", ""));
    line.events();
    line.assert_clean();
    line.dial();
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let mut line = Line::new();
    let mut invitation = Line::invitation();
    invitation
        .fields
        .push((Name::Subject, "a\r\nVia: injected".into()));
    let refused = line.endpoint.invite(line.now, invitation);
    assert!(matches!(refused, Err(InviteError::Unwritable(_))));
    assert!(line.endpoint.is_empty());
    assert!(line.sent().is_empty() && line.events().is_empty());
}

#[test]
fn an_unreachable_carrier_is_told_at_once() {
    let mut line = Line::new();
    let (call, _) = line.dial();
    let (other, _) = line.dial_with(|invitation| invitation.to = Flow::udp(address(STRANGER)));
    line.endpoint
        .handle_unreachable(line.now, Flow::udp(address(CARRIER)));
    let events = line.events();
    assert_eq!(failure(&events[0]), Some((CallFailure::Unreachable, None)));
    assert_eq!(events[1..], [Event::Released { call }]);
    assert_eq!(line.endpoint.load().calls, 1);
    line.endpoint.hang_up(line.now, other).expect("under way");
}

#[test]
fn no_setting_stops_or_breaks_the_clock() {
    let mut line = Line::with(|config| {
        config.timing.t1 = Duration::ZERO;
        config.timing.t2 = Duration::MAX;
        config.timing.t4 = Duration::MAX;
        config.unanswered_after = Duration::MAX;
        config.max_calls = usize::MAX;
        config.max_transactions = usize::MAX;
    });
    line.dial_with(|invitation| invitation.ring_time = Duration::MAX);
    line.pass(secs(1));
    let events = line.events();
    assert_eq!(failure(&events[0]), Some((CallFailure::NoResponse, None)));
}

#[test]
fn an_endpoint_may_live_in_any_thread() {
    fn sent<T: Send>(_: &T) {}
    sent(&Line::new().endpoint);
}

#[test]
fn buffers_go_round() {
    let mut line = Line::new();
    let (_, invite) = line.dial();
    line.hear(&invite.reply(486, "p", "", ""));
    let transmit = line.endpoint.poll_transmit().expect("an ACK");
    let kept = transmit.bytes.as_ptr();
    line.endpoint.recycle(transmit.bytes);
    line.endpoint
        .invite(line.now, Line::invitation())
        .expect("room");
    let next = line.endpoint.poll_transmit().expect("an INVITE");
    assert_eq!(next.bytes.as_ptr(), kept);
}
