use super::*;
use crate::sip::call::{CallError, Ending, Party};

/// Hung up by us, and told so at once.
fn hang_up(line: &mut Line, call: CallId) {
    line.endpoint.hang_up(line.now, call).expect("under way");
    assert!(matches!(
        line.events()[..],
        [Event::Ended {
            by: Party::Local,
            how: Ending::Cancelled,
            ..
        }]
    ));
}

#[test]
fn a_cancel_after_ringing() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    line.hear(&invite.reply(180, "phone", CONTACT, ""));
    line.events();
    hang_up(&mut line, call);
    let cancel = line.sent_one("CANCEL");
    assert_eq!(cancel.to, invite.to);
    assert_eq!(cancel.uri(), invite.uri());
    assert_eq!(cancel.field(Name::Via), invite.field(Name::Via));
    assert_eq!(cancel.field(Name::To), invite.field(Name::To));
    assert_eq!(cancel.field(Name::CSeq), "1 CANCEL");
    assert!(cancel.field(Name::Reason).is_empty());
    line.hear(&cancel.reply(200, "proxy", "", ""));
    assert!(line.events().is_empty());
    line.hear(&invite.reply(487, "phone", "", ""));
    assert_eq!(line.sent_one("ACK").branch(), invite.branch());
    assert_eq!(line.events(), [Event::Released { call }]);
    line.assert_clean();
}

#[test]
fn no_cancel_before_a_provisional_response() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    hang_up(&mut line, call);
    line.pass(secs(1));
    // The INVITE goes on being sent: its peer must hear of the call to be told of its end.
    assert_eq!(line.kinds(), ["INVITE"]);
    line.hear(&invite.reply(100, "", "", ""));
    let cancel = line.sent_one("CANCEL");
    line.hear(&cancel.reply(200, "", "", ""));
    line.hear(&invite.reply(487, "phone", "", ""));
    line.sent_one("ACK");
    assert_eq!(line.events(), [Event::Released { call }]);
    line.assert_clean();
}

#[test]
fn a_hang_up_that_nobody_hears_ends_with_timer_b() {
    let mut line = Line::new();
    let (call, _) = line.dial();
    hang_up(&mut line, call);
    line.pass(secs(32));
    assert!(line.kinds().iter().all(|kind| kind == "INVITE"));
    assert_eq!(line.events(), [Event::Released { call }]);
    assert!(line.endpoint.is_empty());
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    line.hear(&invite.reply(180, "phone", CONTACT, ""));
    line.events();
    hang_up(&mut line, call);
    let cancel = line.sent_one("CANCEL");
    line.hear(&invite.reply(200, "phone", CONTACT, ANSWER));
    assert_eq!(line.kinds(), ["ACK", "BYE"]);
    // Too late, the CANCEL changes nothing; its answer belongs to nothing any more.
    line.hear(&cancel.reply(200, "", "", ""));
    assert_eq!(line.endpoint.counters().stray, 1);
    line.hear(&invite.reply(200, "phone", CONTACT, ANSWER));
    line.sent_one("ACK");
    assert!(line.events().is_empty(), "never Answered");
    line.pass(ms(500));
    let bye = line.sent_one("BYE");
    line.hear(&bye.reply(200, "", "", ""));
    assert_eq!(line.events(), [Event::Released { call }]);
    line.assert_clean();
}

#[test]
fn an_answer_before_any_provisional_response_after_a_hang_up() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    hang_up(&mut line, call);
    line.hear(&invite.reply(200, "phone", CONTACT, ANSWER));
    let sent = line.sent();
    assert_eq!(sent[0].kind(), "ACK");
    assert_eq!(sent[1].kind(), "BYE");
    assert_eq!(sent.len(), 2);
    // The phone hangs up in the same moment.
    line.hear(&request_within(&sent[0], "BYE", 1, "", ""));
    line.sent_one("200");
    line.hear(&sent[1].reply(481, "", "", ""));
    assert_eq!(line.events(), [Event::Released { call }]);
    line.assert_clean();
}

#[test]
fn a_cancel_answered_481_waits_for_the_invite() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    line.hear(&invite.reply(100, "", "", ""));
    line.events();
    hang_up(&mut line, call);
    let cancel = line.sent_one("CANCEL");
    line.hear(&cancel.reply(481, "", "", ""));
    assert!(line.events().is_empty());
    line.hear(&invite.reply(486, "phone", "", ""));
    line.sent_one("ACK");
    assert_eq!(line.events(), [Event::Released { call }]);
    line.assert_clean();
}

#[test]
fn without_a_final_response_it_is_given_up_64_t1_after_the_cancel() {
    for code in [None, Some(200), Some(481), Some(500)] {
        let mut line = Line::new();
        let (call, invite) = line.dial();
        line.hear(&invite.reply(183, "phone", CONTACT, ""));
        line.pass(secs(10));
        line.events();
        hang_up(&mut line, call);
        let cancel = line.sent_one("CANCEL");
        if let Some(code) = code {
            line.hear(&cancel.reply(code, "", "", ""));
        }
        line.pass(ms(31_999));
        assert!(line.events().is_empty());
        let again = line.sent().len();
        assert_eq!(again > 0, code.is_none(), "repeated until answered");
        line.pass(ms(1));
        assert_eq!(line.events(), [Event::Released { call }]);
        line.hear(&invite.reply(200, "phone", CONTACT, ANSWER));
        assert!(line.sent().is_empty(), "the transaction is destroyed");
        line.assert_clean();
    }
}

#[test]
fn the_final_response_ends_the_cancel_too() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    line.hear(&invite.reply(180, "phone", CONTACT, ""));
    hang_up_quietly(&mut line, call);
    assert_eq!(line.endpoint.load().client_transactions, 2);
    line.hear(&invite.reply(487, "phone", "", ""));
    assert_eq!(line.endpoint.load().client_transactions, 1);
    assert_eq!(line.sent_one("ACK").field(Name::CSeq), "1 ACK");
    line.pass(secs(4));
    assert!(line.sent().is_empty(), "no CANCEL any more");
}

fn hang_up_quietly(line: &mut Line, call: CallId) {
    line.endpoint.hang_up(line.now, call).expect("under way");
    line.sent();
    line.events();
}

#[test]
fn hung_up_is_hung_up_once() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    line.hear(&invite.reply(180, "phone", CONTACT, ""));
    hang_up_quietly(&mut line, call);
    let again = line.endpoint.hang_up(line.now, call);
    assert_eq!(again, Err(CallError::WrongState));
    // Neither does the ring time end it a second time.
    line.pass(secs(60));
    let events = line.events();
    assert_eq!(events, [Event::Released { call }]);
    let gone = line.endpoint.hang_up(line.now, call);
    assert_eq!(gone, Err(CallError::NoSuchCall));
}

#[test]
fn a_challenge_after_a_hang_up_is_not_answered() {
    let mut line = Line::new();
    let (call, invite) = line.dial_with(|invitation| {
        invitation.credentials = Some(challenges::account("secret"));
    });
    hang_up(&mut line, call);
    let demand = challenges::demand("n1");
    line.hear(&challenges::demanding(&invite, 407, &demand));
    line.sent_one("ACK");
    assert_eq!(line.events(), [Event::Released { call }]);
    line.assert_clean();
}

#[test]
fn early_dialogs_end_with_the_hang_up() {
    let mut line = Line::new();
    let (call, invite) = line.dial();
    line.hear(&invite.reply(180, "phone", CONTACT, ""));
    hang_up_quietly(&mut line, call);
    let from = format!("{};tag=phone", invite.field(Name::To));
    let info = request_of(
        "INFO",
        "z9hG4bKi",
        &from,
        &invite.field(Name::From),
        &invite.field(Name::CallId),
        1,
        "Content-Type: application/dtmf\r\n",
        "#",
    );
    line.hear(&info);
    line.sent_one("481");
    assert!(line.events().is_empty());
}
