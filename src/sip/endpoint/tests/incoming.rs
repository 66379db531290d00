use super::*;
use crate::sip::call::{CallError, Ending, Party};

const CALLER: &str = "<sip:caller@192.0.2.9>;tag=caller";
const CALLEE: &str = "<sip:bank@192.0.2.1>";
const THEIR_CONTACT: &str = "Contact: <sip:caller@192.0.2.9:5060>\r\n";

fn invite(branch: &str, fields: &str, body: &str) -> String {
    let fields = format!("{THEIR_CONTACT}{fields}");
    request_of(
        "INVITE",
        branch,
        CALLER,
        CALLEE,
        "their-call",
        10,
        &fields,
        body,
    )
}

/// Rings in; the call.
fn ring_in(line: &mut Line) -> CallId {
    line.hear(&invite("z9hG4bKin", "", "v=0\r\n"));
    let trying = line.sent_one("100");
    assert_eq!(trying.to, address(CARRIER));
    match &line.events()[..] {
        [Event::Incoming { call, invite }] => {
            assert_eq!(&*invite.from, CALLER);
            assert_eq!(&*invite.sdp, b"v=0\r\n");
            assert_eq!(invite.source, address(CARRIER));
            *call
        }
        other => panic!("{other:?}"),
    }
}

fn ack_of(answer: &Sent, branch: &str) -> String {
    request_of(
        "ACK",
        branch,
        &answer.field(Name::From),
        &answer.field(Name::To),
        &answer.field(Name::CallId),
        10,
        "",
        "",
    )
}

/// A request of the caller in the dialog of that answer.
fn theirs(answer: &Sent, method: &str, seq: u32) -> String {
    request_of(
        method,
        &format!("z9hG4bKt{seq}"),
        &answer.field(Name::From),
        &answer.field(Name::To),
        &answer.field(Name::CallId),
        seq,
        "",
        "",
    )
}

fn ended(event: &Event) -> Option<(Party, Ending)> {
    match event {
        Event::Ended { by, how, .. } => Some((*by, *how)),
        _ => None,
    }
}

/// The terminal event, and Released behind it.
fn ends(line: &mut Line) -> (Party, Ending) {
    let events = line.events();
    assert!(
        matches!(events[1..], [Event::Released { .. }]),
        "{events:?}"
    );
    ended(&events[0]).expect("an end")
}

#[test]
fn an_incoming_call_from_invite_to_bye() {
    let mut line = Line::new();
    let call = ring_in(&mut line);
    line.endpoint.ring(line.now, call).expect("alerting");
    let ringing = line.sent_one("180");
    let tag = ringing.field(Name::To);
    assert!(tag.starts_with(&format!("{CALLEE};tag=")));
    // The INVITE again gets the last response again, and is no second call.
    line.hear(&invite("z9hG4bKin", "", "v=0\r\n"));
    assert_eq!(line.sent_one("180").text, ringing.text);
    line.endpoint
        .progress(line.now, call, 183, b"v=0\r\n")
        .expect("alerting");
    line.sent_one("183");
    line.endpoint
        .answer(line.now, call, ANSWER.as_bytes())
        .expect("alerting");
    let ok = line.sent_one("200");
    assert_eq!(ok.field(Name::To), tag);
    assert_eq!(ok.field(Name::Contact), "<sip:192.0.2.1:5060>");
    assert!(ok.field(Name::Via).contains("rport=5060"));
    assert!(ok.text.ends_with(ANSWER));
    assert_eq!(
        line.endpoint.answer(line.now, call, b""),
        Err(CallError::WrongState)
    );

    line.hear(&ack_of(&ok, "z9hG4bKack"));
    assert!(matches!(line.events()[..], [Event::Acknowledged { .. }]));
    line.hear(&ack_of(&ok, "z9hG4bKack"));
    line.pass(secs(10));
    assert!(line.sent().is_empty() && line.events().is_empty());
    line.hear(&theirs(&ok, "BYE", 11));
    line.sent_one("200");
    assert_eq!(ends(&mut line), (Party::Remote, Ending::HungUp));
    line.assert_clean();
}

#[test]
fn the_answer_is_repeated_until_it_is_acknowledged() {
    let mut line = Line::new();
    let call = ring_in(&mut line);
    line.endpoint.answer(line.now, call, b"").expect("alerting");
    let ok = line.sent_one("200");
    // The INVITE again is absorbed: the answer has a clock of its own (RFC 6026).
    line.hear(&invite("z9hG4bKin", "", "v=0\r\n"));
    assert!(line.sent().is_empty());
    line.pass(ms(7_500));
    let again = line.sent();
    assert_eq!(again.len(), 4);
    assert!(again.iter().all(|sent| sent.text == ok.text));
    line.hear(&ack_of(&ok, "z9hG4bKack"));
    line.pass(secs(30));
    assert!(line.sent().is_empty());
}

#[test]
fn an_answer_that_is_never_acknowledged_ends_in_a_bye() {
    let mut line = Line::new();
    let call = ring_in(&mut line);
    line.endpoint.answer(line.now, call, b"").expect("alerting");
    let ok = line.sent_one("200");
    // An ACK of another CSeq or from another tag is none for it.
    line.hear(&ack_of(&ok, "z9hG4bKx").replace("CSeq: 10", "CSeq: 11"));
    line.hear(&ack_of(&ok, "z9hG4bKx").replace("tag=caller", "tag=other"));
    line.pass(ms(31_999));
    assert!(line.sent().iter().all(|sent| sent.kind() == "200"));
    line.pass(ms(1));
    let bye = line.sent_one("BYE");
    assert_eq!(bye.uri(), "sip:caller@192.0.2.9:5060");
    assert_eq!(bye.field(Name::To), CALLER);
    let events = line.events();
    assert_eq!(
        events.first().and_then(ended),
        Some((Party::Local, Ending::Unacknowledged))
    );
    line.hear(&bye.reply(481, "", "", ""));
    assert_eq!(line.events(), [Event::Released { call }]);
    line.assert_clean();
}

#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    for acknowledged in [true, false] {
        let mut line = Line::new();
        let call = ring_in(&mut line);
        line.endpoint.answer(line.now, call, b"").expect("alerting");
        let ok = line.sent_one("200");
        line.endpoint.hang_up(line.now, call).expect("answered");
        assert_eq!(
            line.events().first().and_then(ended),
            Some((Party::Local, Ending::HungUp))
        );
        assert_eq!(
            line.endpoint.hang_up(line.now, call),
            Err(CallError::WrongState)
        );
        assert!(line.sent().is_empty(), "RFC 3261 15: no BYE before the ACK");
        if acknowledged {
            line.hear(&ack_of(&ok, "z9hG4bKack"));
        } else {
            line.pass(secs(32));
        }
        let bye = line.sent().pop().expect("a BYE");
        assert_eq!(bye.kind(), "BYE");
        line.hear(&bye.reply(200, "", "", ""));
        assert_eq!(line.events(), [Event::Released { call }]);
        line.assert_clean();
    }
}

#[test]
fn a_bye_before_the_ack_ends_the_call() {
    for hung_up in [false, true] {
        let mut line = Line::new();
        let call = ring_in(&mut line);
        line.endpoint.answer(line.now, call, b"").expect("alerting");
        let ok = line.sent_one("200");
        if hung_up {
            line.endpoint.hang_up(line.now, call).expect("answered");
        }
        line.hear(&theirs(&ok, "BYE", 11));
        line.sent_one("200");
        let by = if hung_up { Party::Local } else { Party::Remote };
        assert_eq!(ends(&mut line), (by, Ending::HungUp));
        line.hear(&ack_of(&ok, "z9hG4bKack"));
        line.pass(secs(10));
        assert!(line.sent().is_empty(), "the answer is repeated no more");
        line.assert_clean();
    }
}

#[test]
fn a_cancel_while_it_rings() {
    let mut line = Line::new();
    let call = ring_in(&mut line);
    line.endpoint.ring(line.now, call).expect("alerting");
    let ringing = line.sent_one("180");
    let reason = "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n";
    let cancel = request_of(
        "CANCEL",
        "z9hG4bKin",
        CALLER,
        CALLEE,
        "their-call",
        10,
        reason,
        "",
    );
    line.hear(&cancel);
    let sent = line.sent();
    let [ok, terminated] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(
        (ok.kind(), ok.field(Name::CSeq)),
        ("200", "10 CANCEL".into())
    );
    assert_eq!(
        (terminated.kind(), terminated.field(Name::CSeq)),
        ("487", "10 INVITE".into())
    );
    for response in [ok, terminated] {
        assert_eq!(response.field(Name::To), ringing.field(Name::To));
    }
    let events = line.events();
    assert!(matches!(
        events[0],
        Event::Ended { by: Party::Remote, how: Ending::Cancelled, cause, .. }
            if cause.sip == Some(200)
    ));
    // Once more: the same answer, no second 487 but its own repetitions.
    line.hear(&cancel);
    line.sent_one("200");
    line.pass(ms(500));
    assert_eq!(line.sent_one("487").text, terminated.text);
    line.hear(&ack_of(terminated, "z9hG4bKin"));
    line.pass(secs(4));
    assert!(line.sent().is_empty());
    line.assert_clean();
}

#[test]
fn a_cancel_that_comes_too_late_or_for_nothing() {
    let mut line = Line::new();
    let call = ring_in(&mut line);
    line.endpoint.answer(line.now, call, b"").expect("alerting");
    let ok = line.sent_one("200");
    let cancel = request_of(
        "CANCEL",
        "z9hG4bKin",
        CALLER,
        CALLEE,
        "their-call",
        10,
        "",
        "",
    );
    line.hear(&cancel);
    assert_eq!(line.sent_one("200").field(Name::CSeq), "10 CANCEL");
    line.hear(&ack_of(&ok, "z9hG4bKack"));
    assert!(matches!(line.events()[..], [Event::Acknowledged { .. }]));
    line.hear(&cancel.replace("z9hG4bKin", "z9hG4bKother"));
    line.sent_one("481");
}

#[test]
fn a_refusal_is_repeated_until_acknowledged() {
    let mut line = Line::new();
    let call = ring_in(&mut line);
    line.endpoint
        .reject_with(
            line.now,
            call,
            401,
            Some("Who?"),
            &[(Name::WwwAuthenticate, "Digest x=\"y\"")],
        )
        .expect("alerting");
    let refusal = line.sent_one("401");
    assert!(refusal.text.starts_with("SIP/2.0 401 Who?\r\n"));
    assert_eq!(refusal.field(Name::WwwAuthenticate), "Digest x=\"y\"");
    assert_eq!(ends(&mut line), (Party::Local, Ending::Rejected));
    line.pass(ms(1500));
    assert_eq!(line.kinds(), ["401", "401"]);
    line.hear(&ack_of(&refusal, "z9hG4bKin"));
    line.pass(secs(4));
    assert!(line.sent().is_empty());
    // The INVITE that answers the challenge is a new call.
    line.hear(
        &invite("z9hG4bKin2", "Authorization: Digest z=\"1\"\r\n", "")
            .replace("CSeq: 10", "CSeq: 11"),
    );
    match &line.events()[..] {
        [Event::Incoming { invite, .. }] => {
            assert_eq!(invite.authorization.as_deref(), Some("Digest z=\"1\""));
            assert_eq!(&*invite.call_id, "their-call");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn impossible_commands_change_nothing() {
    let mut line = Line::new();
    let call = ring_in(&mut line);
    let now = line.now;
    assert_eq!(
        line.endpoint.reject(now, call, 200, None),
        Err(CallError::Unwritable)
    );
    assert_eq!(
        line.endpoint.reject(now, call, 486, Some("a\r\nb")),
        Err(CallError::Unwritable)
    );
    assert_eq!(
        line.endpoint.progress(now, call, 200, b""),
        Err(CallError::Unwritable)
    );
    assert_eq!(
        line.endpoint.send_info(now, call, "a/b", b"x"),
        Err(CallError::WrongState)
    );
    assert!(line.sent().is_empty() && line.events().is_empty());
    line.endpoint.hang_up(now, call).expect("alerting");
    line.sent_one("603");
    assert_eq!(ends(&mut line), (Party::Local, Ending::Rejected));
    assert_eq!(line.endpoint.ring(now, call), Err(CallError::NoSuchCall));
}

#[test]
fn a_phone_that_rings_says_so_each_minute_and_not_for_ever() {
    let mut line = Line::new();
    let call = ring_in(&mut line);
    line.endpoint.ring(line.now, call).expect("alerting");
    let ringing = line.sent_one("180");
    line.pass(secs(179));
    let again = line.sent();
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|sent| sent.text == ringing.text));
    line.pass(secs(1));
    assert!(line.kinds().contains(&"480".to_owned()));
    assert_eq!(ends(&mut line), (Party::Local, Ending::Unanswered));
    line.assert_clean();
}

#[test]
fn a_caller_may_end_an_early_dialog_by_bye() {
    let mut line = Line::new();
    let call = ring_in(&mut line);
    line.endpoint.ring(line.now, call).expect("alerting");
    let ringing = line.sent_one("180");
    line.hear(&theirs(&ringing, "BYE", 11));
    assert_eq!(line.kinds(), ["200", "487"]);
    assert_eq!(ends(&mut line), (Party::Remote, Ending::Cancelled));
    line.assert_clean();
}

#[test]
fn requests_while_it_rings() {
    let mut line = Line::new();
    let call = ring_in(&mut line);
    line.endpoint.ring(line.now, call).expect("alerting");
    let ringing = line.sent_one("180");
    line.hear(&theirs(&ringing, "INVITE", 11));
    let glare = line.sent_one("500");
    assert!(
        glare
            .field(Name::RetryAfter)
            .parse::<u32>()
            .is_ok_and(|after| after <= 10)
    );
    line.hear(&theirs(&ringing, "PRACK", 12));
    line.sent_one("481");
    line.hear(&theirs(&ringing, "UPDATE", 13));
    line.sent_one("200");
    line.endpoint.answer(line.now, call, b"").expect("alerting");
    line.sent_one("200");
    line.hear(&theirs(&ringing, "INVITE", 14));
    line.sent_one("491");
}

#[test]
fn calls_that_are_not_taken() {
    let refused = |line: &mut Line, text: &str, code: &str| {
        line.hear(text);
        let refusal = line.sent_one(code);
        assert!(refusal.field(Name::To).contains(";tag="), "{code}");
        assert!(line.events().is_empty());
        // Without a transaction; the same again gets the same.
        line.hear(text);
        assert_eq!(line.sent_one(code).text, refusal.text);
        line.hear(&ack_of(&refusal, "z9hG4bKin"));
        assert!(line.sent().is_empty());
        refusal
    };
    let plain = invite("z9hG4bKin", "", "");
    let mut closed = Line::with(|_| ());
    refused(&mut closed, &plain, "403");
    assert!(closed.endpoint.is_empty());

    let mut line = Line::new();
    let required = invite("z9hG4bKin", "Require: 100rel, x\r\n", "");
    let refusal = refused(&mut line, &required, "420");
    assert_eq!(refusal.field(Name::Unsupported), "100rel, x");
    refused(&mut line, &plain.replace(THEIR_CONTACT, ""), "400");
    refused(
        &mut line,
        &plain.replace("sip:bank@192.0.2.1:5060 ", "mailto:bank@example.com "),
        "416",
    );
    assert!(line.endpoint.is_empty());

    let mut full = Line::with(|config| {
        config.takes_calls = true;
        config.max_calls = 1;
    });
    ring_in(&mut full);
    // By another path (RFC 3261 8.2.2.2), before the limit is looked at.
    refused(&mut full, &invite("z9hG4bKfork", "", "v=0\r\n"), "482");
    let other = invite("z9hG4bKtwo", "", "").replace("their-call", "other-call");
    let refusal = refused(&mut full, &other, "503");
    assert!(!refusal.field(Name::RetryAfter).is_empty());
    assert_eq!(full.endpoint.counters().turned_away, 2);
    assert_eq!(full.endpoint.load().calls, 1);

    let mut full = Line::with(|config| {
        config.takes_calls = true;
        config.max_transactions = 0;
    });
    refused(&mut full, &plain, "503");
    assert!(full.endpoint.is_empty());
}

#[test]
fn requests_outside_calls() {
    let mut line = Line::new();
    for (method, code, field) in [
        ("OPTIONS", "200", Name::Allow),
        ("REGISTER", "405", Name::Allow),
        ("SUBSCRIBE", "405", Name::Allow),
        ("REFER", "405", Name::Allow),
        ("MESSAGE", "405", Name::Allow),
        ("PUBLISH", "405", Name::Allow),
        ("WHATEVER", "405", Name::Allow),
        ("BYE", "481", Name::Server),
        ("INFO", "481", Name::Server),
        ("UPDATE", "481", Name::Server),
        ("PRACK", "481", Name::Server),
        ("NOTIFY", "481", Name::Server),
        ("CANCEL", "481", Name::Server),
    ] {
        let text = request_of(method, "z9hG4bKo", CALLER, CALLEE, "o", 1, "", "");
        line.hear(&text);
        let reply = line.sent_one(code);
        assert!(!reply.field(field).is_empty(), "{method}");
        assert!(reply.field(Name::To).contains(";tag="));
    }
    let tagged = format!("{CALLEE};tag=00000000000000000123456789abcdef");
    for method in ["OPTIONS", "BYE", "INVITE", "INFO"] {
        let text = request_of(
            method,
            "z9hG4bKq",
            CALLER,
            &tagged,
            "o",
            1,
            THEIR_CONTACT,
            "",
        );
        line.hear(&text);
        line.sent_one("481");
    }
    line.hear(&request_of(
        "ACK", "z9hG4bKq", CALLER, &tagged, "o", 1, "", "",
    ));
    line.hear(&request_of(
        "ACK", "z9hG4bKq", CALLER, CALLEE, "o", 1, "", "",
    ));
    assert!(line.sent().is_empty());
    assert_eq!(line.endpoint.counters().stray, 2);
    assert!(line.endpoint.is_empty());
}

#[test]
fn what_is_broken_is_answered_400_or_dropped() {
    let mut line = Line::new();
    for noise in [
        "",
        "\r\n\r\n",
        "\r\n",
        "\0\0\0\0",
        "hello",
        "GET / HTTP/1.1\r\n\r\n",
    ] {
        line.hear(noise);
    }
    assert!(line.sent().is_empty());
    assert_eq!(line.endpoint.counters().unreadable, 2);
    let options = request_of("OPTIONS", "z9hG4bKo", CALLER, CALLEE, "o", 1, "", "");
    line.hear(&options.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"));
    line.sent_one("400");
    line.hear(&options.replace("CSeq: 1 OPTIONS\r\n", ""));
    line.sent_one("400");
    line.hear(&options.replace(" SIP/2.0\r\n", " SIP/7.0\r\n"));
    line.sent_one("505");
    line.hear(&options.replace("Content-Length: 0", "Content-Length: 9"));
    line.sent_one("400");
    // No way back, no answer; and never one to an ACK.
    let via = format!("Via: SIP/2.0/UDP {CARRIER};rport;branch=z9hG4bKo\r\n");
    line.hear(&options.replace(&via, ""));
    let ack = request_of("ACK", "z9hG4bKo", CALLER, CALLEE, "o", 1, "", "");
    line.hear(&ack.replace("CSeq: 1 ACK\r\n", ""));
    assert!(line.sent().is_empty());
    assert_eq!(line.endpoint.counters().malformed, 6);
}

#[test]
fn answers_go_where_the_request_came_from() {
    let mut line = Line::new();
    let options = request_of("OPTIONS", "z9hG4bKo", CALLER, CALLEE, "o", 1, "", "");
    line.hear_from("198.51.100.7:33000", &options);
    let reply = line.sent_one("200");
    assert_eq!(reply.to, address("198.51.100.7:33000"));
    let via = reply.field(Name::Via);
    assert!(
        via.contains("rport=33000") && via.contains("received=198.51.100.7"),
        "{via}"
    );
    // Without rport: the host it came from, the port it names.
    line.hear_from("198.51.100.7:33000", &options.replace(";rport", ""));
    assert_eq!(line.sent_one("200").to, address("198.51.100.7:5060"));
}

#[test]
fn a_peer_without_unique_branches_is_served() {
    let mut line = Line::new();
    line.hear(&invite("1", "", ""));
    line.sent_one("100");
    let call = line.events()[0].call();
    line.hear(&invite("1", "", ""));
    line.sent_one("100");
    line.endpoint
        .reject(line.now, call, 486, None)
        .expect("alerting");
    let busy = line.sent_one("486");
    line.hear(&ack_of(&busy, "1"));
    line.pass(secs(4));
    assert!(line.sent().is_empty(), "acknowledged");
}
