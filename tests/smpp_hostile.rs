//! A bind against a message centre that splits, lies, throttles, stays silent and hangs up, in
//! every state. Whatever it does, each order is reported once, and no text is sent twice unless
//! it was refused.

#[path = "smpp/wire.rs"]
mod wire;

use std::time::{Duration, Instant};

use ringtrue::smpp::pdu::{Address, Body, Command, EsmClass, Sms, Status, Verdict};
use ringtrue::smpp::receipt::Fate;
use ringtrue::smpp::session::Closed;
use ringtrue::sms::NotQueued;
use ringtrue::sms::order::{BindState, News, NotSent, Submission};
use wire::*;

#[tokio::test]
async fn octet_by_octet() {
    let (listener, address) = listen().await;
    let (bind, mut reports) = start(quick(&address));
    let centre = tokio::spawn(async move {
        let mut wire = Wire::accept(&listener).await;
        wire.chunk = 1;
        wire.bind().await;
        for _ in 0..20 {
            wire.accept_text().await;
        }
        let (header, _) = wire.expect(Command::UNBIND).await;
        wire.say(Status::OK, header.sequence, Body::UnbindResp)
            .await;
        wire.closed().await
    });
    bound(&bind).await;
    assert!(bind.state().is_bound());
    for number in 0..20 {
        bind.send(order(number, &format!("text {number}")))
            .await
            .unwrap();
    }
    for number in 0..20 {
        let fate = fate(&mut reports, number).await;
        assert_sent(&fate, &[&format!("text {number}")]);
    }
    let state = bind.watch();
    bind.stop().await;
    assert_eq!(*state.borrow(), BindState::Stopped);
    while let Some(last) = reports.recv().await {
        assert!(matches!(last.news, News::State(_)), "{last:?}");
    }
    assert_eq!(centre.await.unwrap(), []);
}

/// Each thing that can go wrong with a connection, each time before the text is sent: the text
/// waits and goes out once, with the first connection that works.
#[tokio::test]
async fn before_the_bind_nothing_is_lost() {
    let (listener, address) = listen().await;
    let mut config = quick(&address);
    config.hold = Duration::from_secs(60);
    let (bind, mut reports) = start(config);
    bind.send(order(1, "once")).await.unwrap();
    let centre = tokio::spawn(async move {
        // Hangs up at once.
        drop(Wire::accept(&listener).await);
        // Crashes with the bind unread.
        Wire::accept(&listener).await.crash();
        // Reads the bind and hangs up.
        let mut wire = Wire::accept(&listener).await;
        wire.expect(Command::BIND_TRANSCEIVER).await;
        drop(wire);
        // Answers half.
        let mut wire = Wire::accept(&listener).await;
        let (header, _) = wire.expect(Command::BIND_TRANSCEIVER).await;
        let answer = octets(Status::OK, header.sequence, bind_resp());
        wire.raw(&answer[..answer.len() / 2]).await;
        drop(wire);
        // Lies about a length.
        for lie in [0u32, 15, u32::MAX] {
            let mut wire = Wire::accept(&listener).await;
            wire.expect(Command::BIND_TRANSCEIVER).await;
            wire.raw(&lie.to_be_bytes()).await;
            let last = wire.closed().await;
            assert_eq!(last.len(), 1);
            assert_eq!(last[0].command, Command::GENERIC_NACK);
            assert_eq!(last[0].status, Status::INVALID_COMMAND_LENGTH);
        }
        // Refuses.
        let mut wire = Wire::accept(&listener).await;
        let (header, _) = wire.expect(Command::BIND_TRANSCEIVER).await;
        wire.say(Status::INVALID_PASSWORD, header.sequence, bind_resp())
            .await;
        assert!(wire.closed().await.is_empty());
        // Says something else.
        let mut wire = Wire::accept(&listener).await;
        let (header, _) = wire.expect(Command::BIND_TRANSCEIVER).await;
        wire.say(Status::OK, header.sequence, Body::Unbind).await;
        wire.closed().await;
        // Says nothing.
        let mut wire = Wire::accept(&listener).await;
        wire.expect(Command::BIND_TRANSCEIVER).await;
        assert!(wire.closed().await.is_empty());
        // And works.
        let mut wire = Wire::accept(&listener).await;
        wire.bind().await;
        assert_eq!(wire.accept_text().await, "once");
        assert!(
            wire.next()
                .await
                .is_some_and(|(header, _)| header.command == Command::UNBIND)
        );
    });
    let fate = fate(&mut reports, 1).await;
    assert_sent(&fate, &["once"]);
    bind.stop().await;
    centre.await.unwrap();
}

/// Each thing that can go wrong once the text has been sent: it is unknown, and never comes again.
#[tokio::test]
async fn a_text_whose_answer_is_lost_is_unknown_and_stays_so() {
    let (listener, address) = listen().await;
    let (bind, mut reports) = start(quick(&address));
    let centre = tokio::spawn(async move {
        for deed in 0..7 {
            let mut wire = Wire::accept(&listener).await;
            wire.bind().await;
            let (words, sequence) = wire.text().await;
            assert_eq!(words, format!("text {deed}"));
            match deed {
                0 => drop(wire),
                1 => wire.crash(),
                2 => {
                    let answer = octets(Status::OK, sequence, submit_resp(b"half"));
                    wire.raw(&answer[..answer.len() - 1]).await;
                    drop(wire);
                }
                3 => {
                    wire.raw(&3u32.to_be_bytes()).await;
                    wire.closed().await;
                }
                4 => {
                    wire.say(Status::OK, 1, Body::Unbind).await;
                    let last = wire.closed().await;
                    assert!(last.iter().any(|h| h.command == Command::UNBIND_RESP));
                }
                5 => {
                    wire.say(Status::INVALID_COMMAND_LENGTH, 0, Body::GenericNack)
                        .await;
                    wire.closed().await;
                }
                _ => {
                    // An answer to another text is no answer to this one.
                    wire.say(Status::OK, sequence + 77, submit_resp(b"other"))
                        .await;
                    drop(wire);
                }
            }
        }
        let mut wire = Wire::accept(&listener).await;
        wire.bind().await;
        assert_eq!(wire.accept_text().await, "last");
        wire
    });
    for number in 0..7 {
        bound(&bind).await;
        bind.send(order(number, &format!("text {number}")))
            .await
            .unwrap();
        let fate = fate(&mut reports, number).await;
        assert!(
            matches!(fate, Submission::Unknown { .. }),
            "{number}: {fate:?}"
        );
    }
    bind.send(order(9, "last")).await.unwrap();
    assert_sent(&fate(&mut reports, 9).await, &["last"]);
    centre.await.unwrap();
}

#[tokio::test]
async fn a_late_answer_is_told() {
    let (listener, address) = listen().await;
    let (bind, mut reports) = start(quick(&address));
    let centre = tokio::spawn(async move {
        let mut wire = Wire::accept(&listener).await;
        wire.bind().await;
        let (_, sequence) = wire.text().await;
        // The client asks whether anybody is there, and hears it.
        let (header, _) = wire.expect(Command::ENQUIRE_LINK).await;
        wire.say(Status::OK, header.sequence, Body::EnquireLinkResp)
            .await;
        wire.say(Status::OK, sequence, submit_resp(b"late")).await;
        wire
    });
    bind.send(order(1, "slow")).await.unwrap();
    assert!(matches!(
        fate(&mut reports, 1).await,
        Submission::Unknown { .. }
    ));
    match report(&mut reports).await {
        News::Late {
            answer: Ok(taken), ..
        } => assert_eq!(taken.as_bytes(), b"late"),
        other => panic!("{other:?}"),
    }
    drop(centre.await.unwrap());
}

#[tokio::test]
async fn a_silent_peer_is_left_and_found_again() {
    let (listener, address) = listen().await;
    let mut config = quick(&address);
    config.session.enquire_link = Duration::from_millis(200);
    config.session.response = Duration::from_millis(500);
    let (bind, mut reports) = start(config);
    let centre = tokio::spawn(async move {
        let mut wire = Wire::accept(&listener).await;
        wire.bind().await;
        let (_, _) = wire.expect(Command::ENQUIRE_LINK).await;
        // Not a word more.
        assert!(wire.closed().await.is_empty());
        let mut wire = Wire::accept(&listener).await;
        wire.bind().await;
        wire.accept_text().await;
        wire
    });
    let mut state = bind.watch();
    let silent = state.wait_for(|state| {
        matches!(
            state,
            BindState::Down {
                why: Some(Closed::PeerSilent),
                ..
            }
        )
    });
    tokio::time::timeout(PATIENCE, silent)
        .await
        .unwrap()
        .unwrap();
    bind.send(order(1, "again")).await.unwrap();
    assert_sent(&fate(&mut reports, 1).await, &["again"]);
    centre.await.unwrap();
}

#[tokio::test]
async fn throttled_texts_are_tried_again_and_others_are_not() {
    let (listener, address) = listen().await;
    let mut config = quick(&address);
    config.attempts = 2;
    let (bind, mut reports) = start(config);
    let centre = tokio::spawn(async move {
        let mut wire = Wire::accept(&listener).await;
        wire.bind().await;
        let mut seen: Vec<String> = Vec::new();
        while let Some((header, frame)) = wire.next().await {
            if header.command != Command::SUBMIT_SM {
                break;
            }
            let Ok(pdu) = ringtrue::smpp::pdu::Pdu::decode(&frame) else {
                panic!("not a PDU")
            };
            let Body::SubmitSm(sms) = pdu.body else {
                panic!("not a text")
            };
            let words = String::from_utf8_lossy(sms.message()).into_owned();
            let before = seen.iter().filter(|w| **w == words).count();
            let status = match (words.as_str(), before) {
                ("throttled once", 0) | ("throttled", _) => Status::THROTTLED,
                ("invalid", _) => Status::INVALID_DESTINATION,
                ("broken", _) => Status::SYSTEM_ERROR,
                _ => Status::OK,
            };
            wire.say(status, header.sequence, submit_resp(words.as_bytes()))
                .await;
            seen.push(words);
        }
        seen
    });
    bound(&bind).await;
    let refused = |status, verdict| Submission::Refused { status, verdict };
    bind.send(order(1, "invalid")).await.unwrap();
    assert_eq!(
        fate(&mut reports, 1).await,
        refused(Status::INVALID_DESTINATION, Verdict::GiveUp)
    );
    bind.send(order(2, "broken")).await.unwrap();
    assert_eq!(
        fate(&mut reports, 2).await,
        refused(Status::SYSTEM_ERROR, Verdict::FailOver)
    );
    let began = Instant::now();
    bind.send(order(3, "throttled once")).await.unwrap();
    assert_sent(&fate(&mut reports, 3).await, &["throttled once"]);
    assert!(began.elapsed() >= Duration::from_secs(1));
    bind.send(order(4, "throttled")).await.unwrap();
    assert_eq!(
        fate(&mut reports, 4).await,
        refused(Status::THROTTLED, Verdict::FailOver)
    );
    bind.stop().await;
    let seen = centre.await.unwrap();
    assert_eq!(
        seen,
        [
            "invalid",
            "broken",
            "throttled once",
            "throttled once",
            "throttled",
            "throttled"
        ]
    );
}

#[tokio::test]
async fn where_nobody_listens_texts_come_back_soon() {
    let (listener, address) = listen().await;
    drop(listener);
    let mut config = quick(&address);
    config.hold = Duration::from_millis(300);
    config.queue = 4;
    let (bind, mut reports) = start(config);
    let began = Instant::now();
    for number in 0..4 {
        bind.try_send(order(number, "x")).unwrap();
    }
    // Until then the queue fills, and says so.
    assert!(matches!(
        bind.try_send(order(4, "x")),
        Err(NotQueued::Full(_))
    ));
    for number in 0..4 {
        assert_eq!(
            fate(&mut reports, number).await,
            Submission::NotSent(NotSent::Down)
        );
    }
    assert!(began.elapsed() >= Duration::from_millis(300));
    // From then on at once.
    bind.send(order(5, "x")).await.unwrap();
    assert_eq!(
        fate(&mut reports, 5).await,
        Submission::NotSent(NotSent::Down)
    );
    assert!(!bind.state().is_bound());
    bind.stop().await;
}

/// Connected, never bound: the same holds.
#[tokio::test]
async fn where_nobody_binds_texts_come_back_soon() {
    let (listener, address) = listen().await;
    let mut config = quick(&address);
    config.hold = Duration::from_millis(300);
    config.session.session_init = Duration::from_secs(60);
    let (bind, mut reports) = start(config);
    let wire = Wire::accept(&listener).await;
    bind.send(order(1, "x")).await.unwrap();
    assert_eq!(
        fate(&mut reports, 1).await,
        Submission::NotSent(NotSent::Down)
    );
    bind.send(order(2, "x")).await.unwrap();
    assert_eq!(
        fate(&mut reports, 2).await,
        Submission::NotSent(NotSent::Down)
    );
    bind.stop().await;
    drop(wire);
}

#[tokio::test]
async fn a_deadline_is_kept() {
    let (listener, address) = listen().await;
    let mut config = quick(&address);
    config.session.window = 1;
    let (bind, mut reports) = start(config);
    let centre = tokio::spawn(async move {
        let mut wire = Wire::accept(&listener).await;
        wire.bind().await;
        let (_, sequence) = wire.text().await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        wire.say(Status::OK, sequence, submit_resp(b"first")).await;
        assert_eq!(wire.accept_text().await, "third");
        wire
    });
    bound(&bind).await;
    bind.send(order(1, "first")).await.unwrap();
    let mut late = order(2, "second");
    late.deadline = Instant::now() + Duration::from_millis(200);
    bind.send(late).await.unwrap();
    bind.send(order(3, "third")).await.unwrap();
    // The second is given up while the first still waits: nobody waits for the window.
    assert_eq!(
        fate(&mut reports, 2).await,
        Submission::NotSent(NotSent::TooLate)
    );
    assert_sent(&fate(&mut reports, 1).await, &["first"]);
    assert_sent(&fate(&mut reports, 3).await, &["third"]);
    let mut past = order(4, "fourth");
    past.deadline = Instant::now();
    bind.send(past).await.unwrap();
    assert_eq!(
        fate(&mut reports, 4).await,
        Submission::NotSent(NotSent::TooLate)
    );
    centre.await.unwrap();
}

#[tokio::test]
async fn longer_texts_are_one_text() {
    let (listener, address) = listen().await;
    let (bind, mut reports) = start(quick(&address));
    let centre = tokio::spawn(async move {
        let mut wire = Wire::accept(&listener).await;
        wire.bind().await;
        let mut next = 0;
        for fate in [&[0u32, 0][..], &[0, 0x0b], &[0x0b, 0x0b], &[0, 0xffff]] {
            for status in fate {
                let (header, frame) = wire.expect(Command::SUBMIT_SM).await;
                let Ok(pdu) = ringtrue::smpp::pdu::Pdu::decode(&frame) else {
                    panic!("not a PDU")
                };
                let Body::SubmitSm(sms) = pdu.body else {
                    panic!("not a text")
                };
                assert!(sms.esm_class.has_header());
                assert_eq!(&sms.short_message[..3], &[5, 0, 3]);
                assert_eq!(sms.registered_delivery, 1);
                assert_eq!(sms.validity.len(), 16);
                next += 1;
                if *status != 0xffff {
                    let id = next.to_string();
                    wire.say(Status(*status), header.sequence, submit_resp(id.as_bytes()))
                        .await;
                }
            }
        }
        wire
    });
    bound(&bind).await;
    let words = "0123456789".repeat(20);
    bind.send(order(1, &words)).await.unwrap();
    assert_sent(&fate(&mut reports, 1).await, &["1", "2"]);
    bind.send(order(2, &words)).await.unwrap();
    match fate(&mut reports, 2).await {
        Submission::Partial { taken, status } => {
            assert_eq!(taken[0].as_bytes(), b"3");
            assert_eq!(status, Some(Status::INVALID_DESTINATION));
        }
        other => panic!("{other:?}"),
    }
    bind.send(order(3, &words)).await.unwrap();
    let status = Status::INVALID_DESTINATION;
    let verdict = Verdict::GiveUp;
    assert_eq!(
        fate(&mut reports, 3).await,
        Submission::Refused { status, verdict }
    );
    bind.send(order(4, &words)).await.unwrap();
    match fate(&mut reports, 4).await {
        Submission::Unknown { taken } => assert_eq!(taken[0].as_bytes(), b"7"),
        other => panic!("{other:?}"),
    }
    // Too long for this bind: said at once, and nothing leaves.
    bind.send(order(5, &words.repeat(10))).await.unwrap();
    assert!(matches!(
        fate(&mut reports, 5).await,
        Submission::NotSent(NotSent::Text(_))
    ));
    let mut nowhere = order(6, "x");
    nowhere.to = Address::international(&"1".repeat(40)).to_owned();
    bind.send(nowhere).await.unwrap();
    assert!(matches!(
        fate(&mut reports, 6).await,
        Submission::NotSent(NotSent::Unsendable(_))
    ));
    centre.await.unwrap();
}

#[tokio::test]
async fn deliveries_are_acknowledged_when_they_are_safe() {
    let (listener, address) = listen().await;
    let (bind, mut reports) = start(quick(&address));
    let receipt = Sms {
        source: Address::international("447700900100"),
        destination: Address::sender("Ringtrue"),
        esm_class: EsmClass::RECEIPT,
        short_message: b"id:00Af stat:UNDELIV err:027",
        ..Sms::default()
    };
    let stop = Sms {
        esm_class: EsmClass::TEXT,
        short_message: b"STOP",
        ..receipt
    };
    let nameless = Sms {
        short_message: b"stat:DELIVRD",
        ..receipt
    };
    let centre = tokio::spawn(async move {
        let mut wire = Wire::accept(&listener).await;
        wire.bind().await;
        let mut answers = Vec::new();
        for (sequence, sms) in [(11, receipt), (12, stop), (13, stop), (14, nameless)] {
            wire.say(Status::OK, sequence, Body::DeliverSm(sms)).await;
            let (header, _) = wire.expect(Command::DELIVER_SM_RESP).await;
            answers.push((header.sequence, header.status));
        }
        answers
    });
    match report(&mut reports).await {
        News::Receipt {
            key,
            receipt,
            acknowledgement,
        } => {
            assert_eq!(key.as_str(), "af");
            assert_eq!(receipt.fate, Fate::Undeliverable);
            acknowledgement.taken();
        }
        other => panic!("{other:?}"),
    }
    // Dropped without a word.
    match report(&mut reports).await {
        News::Message { from, reading, .. } => {
            assert_eq!(from.as_address().digits, b"447700900100");
            assert_eq!(reading.text.as_deref(), Some("STOP"));
        }
        other => panic!("{other:?}"),
    }
    match report(&mut reports).await {
        News::Message {
            acknowledgement, ..
        } => acknowledgement.later(),
        other => panic!("{other:?}"),
    }
    let again = Status::TEMPORARY_APPLICATION_ERROR;
    assert_eq!(
        centre.await.unwrap(),
        [(11, Status::OK), (12, again), (13, again), (14, Status::OK)]
    );
    drop(bind);
}

/// The receiver of reports stops reading: the bind stops taking orders, keeps its link, and
/// reports everything once it is read again.
#[tokio::test]
async fn a_slow_receiver_loses_nothing() {
    let (listener, address) = listen().await;
    let mut config = quick(&address);
    config.queue = 8;
    let (to, mut reports) = ringtrue::sms::reports(1);
    let bind = ringtrue::sms::Bind::start(config, to).unwrap();
    let centre = tokio::spawn(async move {
        let mut wire = Wire::accept(&listener).await;
        wire.bind().await;
        let mut count = 0;
        while let Some((header, _)) = wire.next().await {
            match header.command {
                Command::SUBMIT_SM => {
                    count += 1;
                    wire.say(Status::OK, header.sequence, submit_resp(b"x"))
                        .await;
                }
                Command::UNBIND => {
                    wire.say(Status::OK, header.sequence, Body::UnbindResp)
                        .await;
                }
                _ => {}
            }
        }
        count
    });
    bound(&bind).await;
    let mut accepted = 0u32;
    let until = Instant::now() + Duration::from_millis(700);
    while Instant::now() < until {
        match bind.try_send(order(u128::from(accepted), "x")) {
            Ok(()) => accepted += 1,
            Err(NotQueued::Full(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(accepted < 500, "{accepted} taken while nobody reads");
    let reader = tokio::spawn(async move {
        let mut seen = std::collections::HashSet::new();
        while let Some(report) = reports.recv().await {
            if let News::Text {
                text,
                fate: Submission::Sent(_),
                ..
            } = report.news
            {
                assert!(seen.insert(text));
            }
        }
        seen.len()
    });
    bind.stop().await;
    assert_eq!(reader.await.unwrap() as u32, accepted);
    assert_eq!(centre.await.unwrap(), accepted);
}

#[tokio::test]
async fn stopping_takes_no_longer_than_it_may() {
    let (listener, address) = listen().await;
    let mut config = quick(&address);
    config.session.window = 1;
    config.drain = Duration::from_millis(500);
    let (bind, mut reports) = start(config);
    let mut wire = Wire::accept(&listener).await;
    wire.bind().await;
    bound(&bind).await;
    for number in 0..3 {
        bind.send(order(number, &format!("text {number}")))
            .await
            .unwrap();
    }
    wire.text().await;
    let began = Instant::now();
    let stopping = tokio::spawn(bind.stop());
    // The first is never answered; the others never leave.
    let mut fates = Vec::new();
    while let Ok(Some(report)) = tokio::time::timeout(PATIENCE, reports.recv()).await {
        if let News::Text { fate, .. } = report.news {
            fates.push(fate);
        }
    }
    stopping.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(8));
    let stopped = fates
        .iter()
        .filter(|f| **f == Submission::NotSent(NotSent::Stopped))
        .count();
    let unknown = fates
        .iter()
        .filter(|f| matches!(f, Submission::Unknown { .. }))
        .count();
    assert_eq!((fates.len(), stopped, unknown), (3, 2, 1), "{fates:?}");
}

/// A peer that sends and never reads cannot make the bind hold ever more.
#[tokio::test]
async fn a_flood_of_requests_ends_the_connection() {
    let (listener, address) = listen().await;
    let (bind, _reports) = start(quick(&address));
    let mut wire = Wire::accept(&listener).await;
    wire.bind().await;
    let mut flood = Vec::new();
    for sequence in 0..4096 {
        flood.extend(octets(Status::OK, sequence, Body::EnquireLink));
    }
    let mut state = bind.watch();
    let down = state.wait_for(|state| {
        matches!(
            state,
            BindState::Down {
                why: Some(Closed::PeerNotReading),
                ..
            }
        )
    });
    let flooding = async {
        loop {
            wire.raw(&flood).await;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        down = tokio::time::timeout(PATIENCE, down) => { down.unwrap().unwrap(); }
        () = flooding => {}
    }
}
