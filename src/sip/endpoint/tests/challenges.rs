use super::*;
use crate::sip::call::CallFailure;
use crate::sip::digest::{Algorithm, Credentials, Demand, DigestError, Qop, Request};
use crate::sip::message::StartLine;
use crate::sip::transaction::Account;

pub(super) fn account(password: &str) -> Arc<Account> {
    Arc::new(Account {
        username: Arc::from("bank"),
        password: password.to_owned().into(),
        realm: None,
    })
}

pub(super) fn demand(nonce: &str) -> Demand {
    Demand {
        realm: "carrier.example".into(),
        nonce: nonce.into(),
        opaque: Some("op".into()),
        algorithm: Algorithm::SHA_256,
        qop: Some(Qop::Auth),
        stale: false,
    }
}

fn names(code: u16) -> (&'static str, Name) {
    match code {
        401 => ("WWW-Authenticate", Name::Authorization),
        _ => ("Proxy-Authenticate", Name::ProxyAuthorization),
    }
}

/// The 401 or 407 that poses a demand.
pub(super) fn demanding(request: &Sent, code: u16, demand: &Demand) -> String {
    let header = demand.header().expect("writable");
    let field = format!("{}: {header}\r\n", names(code).0);
    request.reply(code, "proxy", &field, "")
}

/// Whether a request answers the demand, and with which nonce count.
fn verified(
    sent: &Sent,
    code: u16,
    demand: &Demand,
    password: &str,
) -> Result<Option<u32>, DigestError> {
    let message = sent.message();
    let StartLine::Request { method, uri } = message.start() else {
        panic!("a request");
    };
    let credentials = Credentials {
        username: "bank",
        password,
    };
    let request = Request {
        method,
        uri,
        body: message.body(),
    };
    let field = sent.field(names(code).1);
    demand
        .verify(&field, &credentials, &request, 0)
        .map(|verified| verified.nonce_count)
}

fn dial(line: &mut Line) -> (CallId, Sent) {
    line.dial_with(|invitation| invitation.credentials = Some(account("secret")))
}

fn refused_with(line: &mut Line) -> (CallFailure, Option<u16>) {
    let events = line.events();
    match &events[..] {
        [
            Event::Failed {
                failure, status, ..
            },
            Event::Released { .. },
        ] => (*failure, *status),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_challenged_call_from_invite_to_bye() {
    for code in [401, 407] {
        let mut line = Line::new();
        let (call, first) = dial(&mut line);
        assert!(first.field(names(code).1).is_empty());
        let demand = demand("n1");
        line.hear(&demanding(&first, code, &demand));
        let sent = line.sent();
        let [ack, second] = &sent[..] else {
            panic!("{sent:?}");
        };
        assert_eq!(ack.branch(), first.branch());
        assert_eq!(second.kind(), "INVITE");
        assert_eq!(second.field(Name::CSeq), "2 INVITE");
        assert_ne!(second.branch(), first.branch());
        for name in [Name::CallId, Name::From, Name::To, Name::Contact] {
            assert_eq!(second.field(name), first.field(name));
        }
        assert!(second.text.ends_with("v=0\r\no=offer\r\n"));
        assert_eq!(second.message().headers(Name::Via).count(), 1);
        assert_eq!(second.message().headers(Name::CSeq).count(), 1);
        assert_eq!(verified(second, code, &demand, "secret"), Ok(Some(1)));
        assert!(line.events().is_empty());

        line.hear(&second.reply(200, "phone", CONTACT, ANSWER));
        let ack = line.sent_one("ACK");
        assert_eq!(ack.field(Name::CSeq), "2 ACK");
        // RFC 3261 22.1: the ACK carries the INVITE's.
        assert_eq!(ack.field(names(code).1), second.field(names(code).1));
        line.endpoint.hang_up(line.now, call).expect("up");
        let bye = line.sent_one("BYE");
        assert_eq!(bye.field(Name::CSeq), "3 BYE");
        assert_eq!(verified(&bye, code, &demand, "secret"), Ok(Some(2)));
        line.hear(&bye.reply(200, "", "", ""));
        line.events();
        line.assert_clean();
    }
}

#[test]
fn a_wrong_password_is_not_tried_twice() {
    let mut line = Line::new();
    let (_, first) = dial(&mut line);
    line.hear(&demanding(&first, 407, &demand("n1")));
    let second = line.sent().remove(1);
    line.hear(&demanding(&second, 407, &demand("n2")));
    line.sent_one("ACK");
    assert_eq!(
        refused_with(&mut line),
        (CallFailure::CredentialsRefused, Some(407))
    );
    line.assert_clean();
}

#[test]
fn a_stale_nonce_is_replaced_but_not_for_ever() {
    let mut line = Line::new();
    let (_, mut invite) = dial(&mut line);
    line.hear(&demanding(&invite, 407, &demand("n0")));
    invite = line.sent().remove(1);
    let stale = |n: u32| Demand {
        stale: true,
        ..demand(&format!("n{n}"))
    };
    line.hear(&demanding(&invite, 407, &stale(1)));
    let third = line.sent().remove(1);
    assert_eq!(verified(&third, 407, &stale(1), "secret"), Ok(Some(1)));
    assert_eq!(third.field(Name::CSeq), "3 INVITE");
    invite = third;
    let mut tries = 3;
    loop {
        line.hear(&demanding(&invite, 407, &stale(tries)));
        match line.sent().get(1) {
            Some(again) => invite = again.clone(),
            None => break,
        }
        tries += 1;
        assert!(tries < 10, "no end of nonces");
    }
    assert_eq!(
        refused_with(&mut line),
        (CallFailure::CredentialsRefused, Some(407))
    );
}

#[test]
fn nothing_to_answer_with() {
    for (with_account, field) in [
        (false, "Digest realm=\"x\", nonce=\"n\""),
        (true, "Basic realm=\"x\""),
        (true, "Digest realm=\"x\", nonce=\"n\", algorithm=ROT13"),
        (true, "Digest realm=\"x\""),
    ] {
        let mut line = Line::new();
        let (_, invite) = if with_account {
            dial(&mut line)
        } else {
            line.dial()
        };
        let field = format!("WWW-Authenticate: {field}\r\n");
        line.hear(&invite.reply(401, "proxy", &field, ""));
        line.sent_one("ACK");
        assert_eq!(
            refused_with(&mut line),
            (CallFailure::CredentialsRefused, Some(401)),
            "{field}"
        );
    }
    let mut line = Line::new();
    let (_, invite) = dial(&mut line);
    line.hear(&invite.reply(401, "proxy", "", ""));
    line.sent_one("ACK");
    refused_with(&mut line);
}

#[test]
fn proxy_and_server_both_ask() {
    let mut line = Line::new();
    let (_, first) = dial(&mut line);
    let proxy = demand("p");
    line.hear(&demanding(&first, 407, &proxy));
    let second = line.sent().remove(1);
    let server = Demand {
        realm: "server".into(),
        algorithm: Algorithm::MD5,
        ..demand("s")
    };
    line.hear(&demanding(&second, 401, &server));
    let third = line.sent().remove(1);
    assert_eq!(verified(&third, 407, &proxy, "secret"), Ok(Some(2)));
    assert_eq!(verified(&third, 401, &server, "secret"), Ok(Some(1)));
    line.hear(&third.reply(486, "phone", "", ""));
    line.sent_one("ACK");
    assert_eq!(refused_with(&mut line), (CallFailure::Busy, Some(486)));
}

#[test]
fn a_challenged_bye_is_sent_again_once() {
    for (second_code, left) in [(200, true), (407, true)] {
        let mut line = Line::new();
        let (call, invite) = dial(&mut line);
        line.hear(&invite.reply(200, "phone", CONTACT, ANSWER));
        line.sent_one("ACK");
        line.endpoint.hang_up(line.now, call).expect("up");
        let bye = line.sent_one("BYE");
        assert!(bye.field(Name::ProxyAuthorization).is_empty());
        let demand = demand("b1");
        line.hear(&demanding(&bye, 407, &demand));
        let again = line.sent_one("BYE");
        assert_eq!(again.field(Name::CSeq), "3 BYE");
        assert_eq!(verified(&again, 407, &demand, "secret"), Ok(Some(1)));
        assert_eq!(line.endpoint.load().calls, 1);
        if second_code == 407 {
            line.hear(&demanding(&again, 407, &self::demand("b2")));
        } else {
            line.hear(&again.reply(200, "", "", ""));
        }
        assert!(line.sent().is_empty());
        let events = line.events();
        assert_eq!(events.last() == Some(&Event::Released { call }), left);
        line.assert_clean();
    }
}

#[test]
fn a_reused_nonce_that_the_bye_is_refused_for_is_asked_for_anew() {
    let mut line = Line::new();
    let (call, first) = dial(&mut line);
    line.hear(&demanding(&first, 407, &demand("n1")));
    let second = line.sent().remove(1);
    line.hear(&second.reply(200, "phone", CONTACT, ANSWER));
    line.sent_one("ACK");
    line.endpoint.hang_up(line.now, call).expect("up");
    let bye = line.sent_one("BYE");
    // A server whose nonces are for one request alone, and which does not say stale.
    let fresh = demand("n2");
    line.hear(&demanding(&bye, 407, &fresh));
    let again = line.sent_one("BYE");
    assert_eq!(verified(&again, 407, &fresh, "secret"), Ok(Some(1)));
    line.hear(&again.reply(200, "", "", ""));
    line.events();
    line.assert_clean();
}

/// With the realm known, a phone whose challenge the carrier passes on learns no more.
#[test]
fn a_challenge_of_another_realm_is_a_refusal() {
    for code in [401, 407] {
        let mut line = Line::new();
        let (_, invite) = line.dial_with(|invitation| {
            invitation.credentials = Some(Arc::new(Account {
                realm: Some("carrier.example".into()),
                ..Account::clone(&account("secret"))
            }));
        });
        line.hear(&demanding(&invite, 407, &demand("n1")));
        let [ack, invite] = line.sent().try_into().expect("two");
        assert_eq!(ack.kind(), "ACK");
        assert!(!invite.field(Name::ProxyAuthorization).is_empty());
        let theirs = Demand {
            realm: "phone".into(),
            ..demand("chosen")
        };
        line.hear(&demanding(&invite, code, &theirs));
        assert_eq!(line.sent_one("ACK").field(Name::Authorization), "");
        let (failure, status) = refused_with(&mut line);
        assert_eq!(
            (failure, status),
            (CallFailure::CredentialsRefused, Some(code))
        );
    }
}

/// A phone that is spoken to past the carrier learns nothing to guess the password by.
#[test]
fn a_stranger_gets_no_answer_to_its_challenge() {
    let past_the_carrier = "Contact: <sip:phone@203.0.113.66:5060>\r\n";
    let secrets = |sent: &[Sent]| -> Vec<String> {
        let fields = sent.iter().flat_map(|sent| {
            [Name::Authorization, Name::ProxyAuthorization].map(|name| sent.field(name))
        });
        fields.filter(|field| !field.is_empty()).collect()
    };
    let theirs = Demand {
        realm: "phone".into(),
        algorithm: Algorithm::MD5,
        ..demand("chosen")
    };
    for challenged in [false, true] {
        let mut line = Line::new();
        let (call, mut invite) = dial(&mut line);
        if challenged {
            line.hear(&demanding(&invite, 407, &demand("n1")));
            invite = line.sent().remove(1);
        }
        line.hear(&invite.reply(200, "phone", past_the_carrier, ANSWER));
        let ack = line.sent_one("ACK");
        assert_eq!(ack.to, address(STRANGER));
        line.endpoint.hang_up(line.now, call).expect("up");
        let bye = line.sent_one("BYE");
        assert_eq!(bye.to, address(STRANGER));
        line.hear_from(STRANGER, &demanding(&bye, 401, &theirs));
        // A fork that answers later, and is hung up.
        line.hear(&invite.reply(200, "hall", past_the_carrier, ANSWER));
        let mut sent = line.sent();
        let stray = sent.pop().expect("a BYE");
        assert_eq!(stray.kind(), "BYE");
        line.hear_from(STRANGER, &demanding(&stray, 401, &theirs));
        sent.extend([ack, bye, stray]);
        sent.extend(line.sent());
        assert_eq!(secrets(&sent), [""; 0], "challenged: {challenged}");
    }
}

#[test]
fn the_bye_of_a_stray_fork_is_authenticated_too() {
    let mut line = Line::new();
    let (_, invite) = dial(&mut line);
    line.hear(&invite.reply(486, "phone", "", ""));
    line.sent_one("ACK");
    assert_eq!(line.endpoint.load().calls, 0);
    line.hear(&invite.reply(200, "hall", CONTACT, ANSWER));
    let bye = line.sent().remove(1);
    let demand = demand("b1");
    line.hear(&demanding(&bye, 407, &demand));
    let again = line.sent_one("BYE");
    assert_eq!(again.field(Name::CSeq), "3 BYE");
    assert_eq!(verified(&again, 407, &demand, "secret"), Ok(Some(1)));
    line.hear(&demanding(&again, 407, &self::demand("b2")));
    assert!(line.sent().is_empty(), "not a third time");
    line.events();
    line.assert_clean();
}

#[test]
fn the_challenged_invite_cannot_answer_the_call() {
    let mut line = Line::new();
    let (call, first) = dial(&mut line);
    line.hear(&demanding(&first, 407, &demand("n1")));
    let second = line.sent().remove(1);
    // A late 2xx to the INVITE that was refused is a stray, whatever becomes of the second.
    line.hear(&first.reply(200, "hall", CONTACT, ANSWER));
    assert_eq!(line.kinds(), ["ACK", "BYE"]);
    assert!(line.events().is_empty());
    line.hear(&first.reply(180, "hall", CONTACT, ""));
    assert!(line.events().is_empty());
    line.hear(&second.reply(200, "phone", CONTACT, ANSWER));
    assert!(
        matches!(line.events()[..], [Event::Answered { call: answered, .. }] if answered == call)
    );
}

#[test]
fn the_ring_time_counts_from_the_first_invite() {
    let mut line = Line::new();
    let (_, first) = line.dial_with(|invitation| {
        invitation.credentials = Some(account("secret"));
        invitation.ring_time = secs(10);
    });
    line.pass(secs(4));
    line.sent();
    line.hear(&demanding(&first, 407, &demand("n1")));
    let second = line.sent().remove(1);
    line.hear(&second.reply(180, "phone", CONTACT, ""));
    line.pass(secs(6));
    line.sent_one("CANCEL");
}

#[test]
fn no_password_in_debug() {
    let mut invitation = Line::invitation();
    invitation.credentials = Some(account("secret"));
    assert!(!format!("{:?}{invitation:?}", account("secret")).contains("secret"));
}
