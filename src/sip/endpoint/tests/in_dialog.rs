use super::*;
use crate::sip::call::{Cause, Ending, InfoContent, Party};

const RELAY: &str = "Content-Type: application/dtmf-relay\r\n";
const PRESS: &str = "Signal=#\r\nDuration=160\r\n";

/// A call that is up, and its ACK, whose dialog the peer speaks in.
fn up() -> (Line, CallId, Sent) {
    let mut line = Line::new();
    let (call, _, ack) = line.dial_answered();
    (line, call, ack)
}

/// What one request of the peer is answered.
fn answered(line: &mut Line, request: &str) -> String {
    line.hear(request);
    let sent = line.sent();
    assert_eq!(sent.len(), 1, "{sent:?}");
    sent[0].kind().to_owned()
}

#[test]
fn the_peer_hangs_up() {
    let (mut line, call, ack) = up();
    let bye = request_within(&ack, "BYE", 7, "Reason: Q.850;cause=16\r\n", "");
    assert_eq!(answered(&mut line, &bye), "200");
    assert_eq!(
        line.events(),
        [
            Event::Ended {
                call,
                by: Party::Remote,
                how: Ending::HungUp,
                cause: Cause {
                    q850: Some(16),
                    sip: None
                }
            },
            Event::Released { call }
        ]
    );
    // Our 200 was lost: the same BYE gets it again; another one finds no call.
    assert_eq!(answered(&mut line, &bye), "200");
    let other = request_within(&ack, "BYE", 8, "", "");
    assert_eq!(answered(&mut line, &other), "481");
    line.assert_clean();
    assert_eq!(answered(&mut line, &bye), "481");
}

#[test]
fn both_hang_up_at_once() {
    let (mut line, call, ack) = up();
    line.endpoint.hang_up(line.now, call).expect("up");
    let ours = line.sent_one("BYE");
    assert_eq!(
        answered(&mut line, &request_within(&ack, "BYE", 1, "", "")),
        "200"
    );
    let events = line.events();
    assert!(matches!(
        events[..],
        [Event::Ended {
            by: Party::Local,
            how: Ending::HungUp,
            ..
        }]
    ));
    // Nothing else is said to one who has left.
    assert_eq!(
        answered(&mut line, &request_within(&ack, "INFO", 2, RELAY, PRESS)),
        "481"
    );
    assert_eq!(
        answered(&mut line, &request_within(&ack, "OPTIONS", 3, "", "")),
        "481"
    );
    line.hear(&ours.reply(481, "", "", ""));
    assert_eq!(line.events(), [Event::Released { call }]);
    line.assert_clean();
}

#[test]
fn a_bye_that_nobody_answers() {
    let (mut line, call, _) = up();
    line.endpoint.hang_up(line.now, call).expect("up");
    line.pass(ms(31_999));
    let sent = line.sent();
    assert_eq!(sent.len(), 11);
    assert!(
        sent.iter()
            .all(|again| again.text == sent[0].text && again.kind() == "BYE")
    );
    assert_eq!(line.events().len(), 1);
    line.pass(ms(1));
    assert_eq!(line.events(), [Event::Released { call }]);
    line.assert_clean();
}

#[test]
fn any_final_response_ends_the_bye() {
    for code in [200, 202, 302, 403, 408, 481, 500, 603] {
        let (mut line, call, _) = up();
        line.endpoint.hang_up(line.now, call).expect("up");
        let bye = line.sent_one("BYE");
        line.hear(&bye.reply(100, "", "", ""));
        assert_eq!(line.events().len(), 1);
        line.hear(&bye.reply(code, "", "", ""));
        assert_eq!(line.events(), [Event::Released { call }]);
        line.hear(&bye.reply(code, "", "", ""));
        line.assert_clean();
    }
}

#[test]
fn keys_come_by_info() {
    let (mut line, call, ack) = up();
    let press = request_within(&ack, "INFO", 1, RELAY, PRESS);
    assert_eq!(answered(&mut line, &press), "200");
    let events = line.events();
    assert_eq!(
        events,
        [Event::Info {
            call,
            content: InfoContent::DtmfRelay,
            body: PRESS.as_bytes().into()
        }]
    );
    assert!(!format!("{events:?}").contains('#'), "no key in a log");
    // Sent again: the same answer and no second key.
    assert_eq!(answered(&mut line, &press), "200");
    // The same number by another branch, or a lower one, is no second key either.
    let forked = press.replace("z9hG4bK-INFO-1", "z9hG4bK-fork");
    assert_eq!(answered(&mut line, &forked), "500");
    assert!(line.events().is_empty());
    let plain = "content-type: APPLICATION/DTMF;x=y\r\n";
    assert_eq!(
        answered(&mut line, &request_within(&ack, "INFO", 9, plain, "5")),
        "200"
    );
    assert!(matches!(
        line.events()[..],
        [Event::Info {
            content: InfoContent::Dtmf,
            ..
        }]
    ));
    assert_eq!(
        answered(&mut line, &request_within(&ack, "INFO", 8, plain, "6")),
        "500"
    );
    assert!(line.events().is_empty());
}

#[test]
fn info_that_is_no_key() {
    let (mut line, _, ack) = up();
    let mut seq = 0;
    let mut ask = |line: &mut Line, fields: &str, body: &str| {
        seq += 1;
        line.hear(&request_within(&ack, "INFO", seq, fields, body));
        let sent = line.sent();
        assert!(line.events().is_empty());
        sent[0].clone()
    };
    assert_eq!(ask(&mut line, "", "").kind(), "200");
    let refused = ask(
        &mut line,
        "Content-Type: application/media_control+xml\r\n",
        "<x/>",
    );
    assert_eq!(refused.kind(), "415");
    assert!(
        refused
            .field(Name::Accept)
            .contains("application/dtmf-relay")
    );
    assert_eq!(ask(&mut line, "", "no type").kind(), "415");
    let zipped = format!("{RELAY}Content-Encoding: gzip\r\n");
    assert_eq!(ask(&mut line, &zipped, PRESS).kind(), "415");
    let package = format!("{RELAY}Info-Package: dtmf\r\n");
    assert_eq!(ask(&mut line, &package, PRESS).kind(), "469");
    assert_eq!(ask(&mut line, RELAY, &"x".repeat(1025)).kind(), "413");
    let required = format!("{RELAY}Require: nothing\r\n");
    assert_eq!(ask(&mut line, &required, PRESS).kind(), "420");
}

#[test]
fn a_key_must_come_from_the_peer() {
    let (mut line, _, ack) = up();
    let press = request_within(&ack, "INFO", 1, RELAY, PRESS);
    line.hear_from(STRANGER, &press);
    line.sent_one("403");
    for forged in [
        press.replace("tag=phone", "tag=guess"),
        press.replace(&ack.field(Name::CallId), "0123456789abcdef0123456789abcdef"),
        press.replacen("tag=0", "tag=1", 1),
        press.replace(&ack.field(Name::From), "<sip:bank@carrier.example>"),
    ] {
        assert_ne!(forged, press);
        let forged = forged.replace("z9hG4bK-INFO-1", "z9hG4bK-forged");
        assert_eq!(answered(&mut line, &forged), "481");
    }
    assert!(line.events().is_empty());
    // A BYE may come from anywhere: it can only end the call.
    line.hear_from(STRANGER, &request_within(&ack, "BYE", 2, "", ""));
    line.sent_one("200");
    assert!(matches!(
        line.events()[..],
        [Event::Ended { .. }, Event::Released { .. }]
    ));
}

#[test]
fn the_session_is_not_changed() {
    let (mut line, call, ack) = up();
    let reinvite = request_within(&ack, "INVITE", 1, CONTACT, "v=0\r\n");
    line.hear(&reinvite);
    let refused = line.sent_one("488");
    line.hear(&reinvite);
    assert_eq!(line.sent_one("488").text, refused.text);
    let acked = request_of(
        "ACK",
        "z9hG4bK-INVITE-1",
        &refused.field(Name::From),
        &refused.field(Name::To),
        &refused.field(Name::CallId),
        1,
        "",
        "",
    );
    line.hear(&acked);
    line.pass(secs(3));
    assert!(line.sent().is_empty());
    let offerless = request_within(&ack, "INVITE", 2, CONTACT, "");
    assert_eq!(answered(&mut line, &offerless), "488");
    let update = request_within(&ack, "UPDATE", 3, CONTACT, "v=0\r\n");
    assert_eq!(answered(&mut line, &update), "488");
    line.endpoint.hang_up(line.now, call).expect("still up");
}

#[test]
fn a_refresh_without_an_offer_is_taken_and_moves_the_target() {
    let (mut line, call, ack) = up();
    let moved = "Contact: <sip:phone@192.0.2.10:5070>\r\n";
    line.hear(&request_within(&ack, "UPDATE", 1, moved, ""));
    let ok = line.sent_one("200");
    assert_eq!(ok.field(Name::Contact), "<sip:192.0.2.1:5060>");
    line.endpoint.hang_up(line.now, call).expect("up");
    let bye = line.sent_one("BYE");
    assert_eq!(bye.uri(), "sip:phone@192.0.2.10:5070");
    assert_eq!(bye.to, address("192.0.2.10:5070"));
}

#[test]
fn a_stranger_does_not_move_the_target() {
    let (mut line, call, ack) = up();
    let moved = "Contact: <sip:phone@203.0.113.66:5060>\r\n";
    line.hear_from(STRANGER, &request_within(&ack, "UPDATE", 1, moved, ""));
    line.sent_one("403");
    assert_eq!(line.endpoint.counters().disbelieved, 1);
    // Nor is its word believed for having asked.
    line.hear_from(STRANGER, &request_within(&ack, "INFO", 2, RELAY, PRESS));
    line.sent_one("403");
    assert!(line.events().is_empty());
    line.endpoint.hang_up(line.now, call).expect("up");
    let bye = line.sent_one("BYE");
    assert_eq!(bye.uri(), "sip:phone@192.0.2.9:5060");
    assert_eq!(bye.to, address(CARRIER));
}

#[test]
fn other_requests_within_a_call() {
    let (mut line, call, ack) = up();
    for (seq, (method, code)) in [
        ("OPTIONS", "200"),
        ("REFER", "603"),
        ("NOTIFY", "481"),
        ("PRACK", "481"),
        ("SUBSCRIBE", "405"),
        ("MESSAGE", "405"),
        ("REGISTER", "405"),
        ("XYZ", "405"),
    ]
    .into_iter()
    .enumerate()
    {
        let request = request_within(&ack, method, seq as u32 + 1, "", "");
        assert_eq!(answered(&mut line, &request), code, "{method}");
    }
    let required = request_within(&ack, "OPTIONS", 20, "Require: foo\r\nRequire: bar\r\n", "");
    line.hear(&required);
    assert_eq!(line.sent_one("420").field(Name::Unsupported), "foo, bar");
    assert!(line.events().is_empty());
    line.endpoint
        .hang_up(line.now, call)
        .expect("none of it ended the call");
}

#[test]
fn requests_of_a_fork_that_rings() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    line.hear(&invite.reply(183, "phone", CONTACT, ""));
    let ask = |line: &mut Line, tag: &str, method: &str, seq, fields: &str, body: &str| {
        let text = request_of(
            method,
            &format!("z9hG4bK{tag}{seq}"),
            &format!("{};tag={tag}", invite.field(Name::To)),
            &invite.field(Name::From),
            &invite.field(Name::CallId),
            seq,
            fields,
            body,
        );
        answered(line, &text)
    };
    assert_eq!(ask(&mut line, "phone", "BYE", 1, "", ""), "481");
    assert_eq!(ask(&mut line, "phone", "INVITE", 2, CONTACT, ""), "491");
    assert_eq!(
        ask(&mut line, "phone", "UPDATE", 3, CONTACT, "v=0\r\n"),
        "491"
    );
    assert_eq!(ask(&mut line, "phone", "UPDATE", 4, CONTACT, ""), "200");
    assert_eq!(ask(&mut line, "phone", "INFO", 5, RELAY, PRESS), "200");
    assert_eq!(ask(&mut line, "stranger", "INFO", 6, RELAY, PRESS), "481");
    assert!(matches!(line.events()[..], [Event::Info { .. }]));
    line.hear(&invite.reply(200, "phone", CONTACT, ANSWER));
    line.sent_one("ACK");
    assert!(matches!(line.events()[..], [Event::Answered { .. }]));
    // Its numbers go on counting; those of a fork that lost are of no dialog.
    assert_eq!(ask(&mut line, "phone", "INFO", 4, RELAY, PRESS), "500");
    line.hear(&invite.reply(183, "hall", CONTACT, ""));
    assert_eq!(ask(&mut line, "hall", "INFO", 1, RELAY, PRESS), "481");
    assert!(line.events().is_empty());
    line.endpoint.hang_up(line.now, call).expect("up");
}

#[test]
fn our_own_info() {
    let (mut line, call, _) = up();
    let send = |line: &mut Line| {
        line.endpoint
            .send_info(line.now, call, "application/dtmf", b"#")
            .expect("up");
        line.sent_one("INFO")
    };
    let info = send(&mut line);
    assert_eq!(info.field(Name::CSeq), "2 INFO");
    assert!(info.text.ends_with("\r\n\r\n#"));
    line.hear(&info.reply(200, "", "", ""));
    assert_eq!(line.events(), [Event::InfoAnswered { call, status: 200 }]);
    let info = send(&mut line);
    line.hear(&info.reply(415, "", "", ""));
    assert_eq!(line.events(), [Event::InfoAnswered { call, status: 415 }]);
    // The peer knows nothing of the call: it is over (RFC 3261 12.2.1.2).
    let info = send(&mut line);
    line.hear(&info.reply(481, "", "", ""));
    let bye = line.sent_one("BYE");
    let events = line.events();
    assert!(matches!(
        events[..],
        [
            Event::InfoAnswered { status: 481, .. },
            Event::Ended {
                by: Party::Remote,
                how: Ending::Lost,
                ..
            }
        ]
    ));
    line.hear(&bye.reply(481, "", "", ""));
    assert_eq!(line.events(), [Event::Released { call }]);
    line.assert_clean();
}

#[test]
fn an_info_that_nobody_answers_ends_the_call() {
    let (mut line, call, _) = up();
    line.endpoint
        .send_info(line.now, call, "application/dtmf", b"#")
        .expect("up");
    line.pass(secs(32));
    assert_eq!(line.kinds().last().map(String::as_str), Some("BYE"));
    assert!(matches!(
        line.events()[..],
        [Event::Ended {
            how: Ending::Lost,
            ..
        }]
    ));
    line.pass(secs(32));
    assert_eq!(line.events(), [Event::Released { call }]);
    line.assert_clean();
}

#[test]
fn without_room_a_bye_is_still_obeyed() {
    let mut line = Line::with(|config| config.max_transactions = 1);
    let (call, _, ack) = line.dial_answered();
    assert_eq!(
        answered(&mut line, &request_within(&ack, "OPTIONS", 1, "", "")),
        "200"
    );
    assert_eq!(
        answered(&mut line, &request_within(&ack, "INFO", 2, RELAY, PRESS)),
        "503"
    );
    assert!(
        line.events().is_empty(),
        "a key that could count twice does not count"
    );
    assert_eq!(
        answered(&mut line, &request_within(&ack, "BYE", 3, "", "")),
        "200"
    );
    assert!(
        matches!(line.events()[..], [Event::Ended { .. }, Event::Released { call: gone }] if gone == call)
    );
    line.assert_clean();
}
