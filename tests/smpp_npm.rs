//! A bind against the message centre of the npm package smpp.

#[path = "smpp/peers.rs"]
mod peers;
#[path = "smpp/wire.rs"]
mod wire;

use std::time::{Duration, Instant};

use peers::Peer;
use ringtrue::smpp::pdu::{Address, BindKind, Status, Verdict};
use ringtrue::smpp::receipt::{Fate, IdForm, Joiner, Key, Receipt};
use ringtrue::smpp::session::Closed;
use ringtrue::smpp::text::Concatenation;
use ringtrue::sms::order::{BindState, News, NotSent, Submission, TextOrder};
use ringtrue::sms::{BindConfig, Reports};
use wire::{bound, fate, order, quick, report, start};

fn config(peer: &Peer) -> BindConfig {
    let mut config = quick(&format!("127.0.0.1:{}", peer.port));
    config.session.response = Duration::from_secs(10);
    config
}

fn to(number: u128, digits: &str, words: &str) -> TextOrder {
    let mut order = order(number, words);
    order.to = Address::international(digits).to_owned();
    order
}

/// The next receipt, acknowledged.
async fn receipt(reports: &mut Reports) -> (Key, Receipt) {
    match report(reports).await {
        News::Receipt {
            key,
            receipt,
            acknowledgement,
        } => {
            acknowledgement.taken();
            (key, *receipt)
        }
        other => panic!("not a receipt: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_receipts_and_a_reply() {
    let peer = Peer::npm_centre();
    let (bind, mut reports) = start(config(&peer));
    bound(&bind).await;
    let seen = peer.says();
    assert_eq!(seen["bind"], "bind_transceiver");
    assert_eq!(seen["system_id"], "ringtrue");
    assert_eq!(seen["version"], 0x34);
    bind.send(to(1, "447700900100", "Your code is 123456"))
        .await
        .unwrap();
    let seen = peer.says();
    assert_eq!(seen["to"], "447700900100");
    assert_eq!(seen["from"], "Ringtrue");
    assert_eq!(seen["ton"], 5);
    assert_eq!(seen["text"], "Your code is 123456");
    assert_eq!(seen["registered"], 1);
    assert_eq!(seen["data_coding"], 0);
    let Submission::Sent(taken) = fate(&mut reports, 1).await else {
        panic!("not sent")
    };
    // The answer says 3e9, the receipt's text 00000003E9 and its parameter 3e9.
    assert_eq!(taken[0].as_bytes(), b"3e9");
    let (key, receipt) = receipt(&mut reports).await;
    assert_eq!(Some(key), Key::of_answer(&taken[0], IdForm::Same));
    assert_eq!(receipt.fate, Fate::Delivered);
    assert!(receipt.submitted.is_some() && receipt.done > receipt.submitted);
    assert_eq!(peer.says_of("delivered")["delivered"], 0);
    bind.send(to(2, "447700900100", "MO")).await.unwrap();
    assert!(matches!(fate(&mut reports, 2).await, Submission::Sent(_)));
    self::receipt(&mut reports).await;
    match report(&mut reports).await {
        News::Message {
            from,
            reading,
            acknowledgement,
            ..
        } => {
            assert_eq!(from.as_address().digits, b"447700900100");
            assert_eq!(reading.text.as_deref(), Some("СТОП"));
            acknowledgement.taken();
        }
        other => panic!("{other:?}"),
    }
    bind.stop().await;
    assert_eq!(peer.says_of("unbind")["unbind"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_order_and_early_receipts() {
    let peer = Peer::npm_centre();
    let (bind, mut reports) = start(config(&peer));
    bound(&bind).await;
    bind.send(to(1, "447700900101", "x")).await.unwrap();
    let refused = Submission::Refused {
        status: Status::INVALID_DESTINATION,
        verdict: Verdict::GiveUp,
    };
    assert_eq!(fate(&mut reports, 1).await, refused);
    // Answered in reverse.
    bind.send(to(2, "447700900104", "first")).await.unwrap();
    bind.send(to(3, "447700900104", "second")).await.unwrap();
    assert!(matches!(fate(&mut reports, 3).await, Submission::Sent(_)));
    assert!(matches!(fate(&mut reports, 2).await, Submission::Sent(_)));
    // The receipt comes first, and is joined all the same.
    bind.send(to(4, "447700900105", "early")).await.unwrap();
    let mut joiner = Joiner::new(100, Duration::from_secs(60));
    let (key, early) = receipt(&mut reports).await;
    assert_eq!(joiner.received(Instant::now(), key, &early), None);
    let Submission::Sent(taken) = fate(&mut reports, 4).await else {
        panic!("not sent")
    };
    let key = Key::of_answer(&taken[0], IdForm::Same).expect("a key");
    let joined = joiner.sent(Instant::now(), key, 4);
    assert_eq!(joined[0].fate, Fate::Delivered);
    // Throttled once.
    bind.send(to(5, "447700900102", "slowly")).await.unwrap();
    assert!(matches!(fate(&mut reports, 5).await, Submission::Sent(_)));
    receipt(&mut reports).await;
    bind.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_and_hanging_up() {
    let peer = Peer::npm_centre();
    let mut config = config(&peer);
    config.session.response = Duration::from_secs(1);
    let (bind, mut reports) = start(config);
    bound(&bind).await;
    bind.send(to(1, "447700900103", "silence")).await.unwrap();
    let lost = fate(&mut reports, 1).await;
    assert!(matches!(lost, Submission::Unknown { .. }));
    // It still answers link tests, so the bind stands.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(bind.state().is_bound());
    bind.send(to(2, "447700900100", "HANGUP")).await.unwrap();
    let lost = fate(&mut reports, 2).await;
    assert!(matches!(lost, Submission::Unknown { .. }));
    bind.send(to(3, "447700900104", "one")).await.unwrap();
    bind.send(to(4, "447700900104", "two")).await.unwrap();
    assert!(matches!(fate(&mut reports, 4).await, Submission::Sent(_)));
    assert!(matches!(fate(&mut reports, 3).await, Submission::Sent(_)));
    bind.send(to(5, "447700900100", "UNBIND")).await.unwrap();
    let lost = fate(&mut reports, 5).await;
    assert!(matches!(lost, Submission::Unknown { .. }));
    bind.stop().await;
    // Neither of the lost texts came a second time.
    let mut words = Vec::new();
    while words.len() < 5 {
        words.push(peer.says_of("text")["text"].to_string());
    }
    assert_eq!(
        words,
        [
            "\"silence\"",
            "\"HANGUP\"",
            "\"one\"",
            "\"two\"",
            "\"UNBIND\""
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transmitter_and_a_receiver_beside_each_other() {
    let peer = Peer::npm_centre();
    let mut transmitter = config(&peer);
    transmitter.session.kind = BindKind::Transmitter;
    transmitter.style.concatenation = Concatenation::Payload;
    let mut receiver = config(&peer);
    receiver.session.kind = BindKind::Receiver;
    let (sends, mut reports) = start(transmitter);
    let (receives, mut others) = start(receiver);
    bound(&sends).await;
    bound(&receives).await;
    let words = "Your code is 123456. ".repeat(20);
    sends.send(to(1, "447700900104", &words)).await.unwrap();
    sends.send(to(2, "447700900104", &words)).await.unwrap();
    assert!(matches!(fate(&mut reports, 2).await, Submission::Sent(taken) if taken.len() == 1));
    assert!(matches!(fate(&mut reports, 1).await, Submission::Sent(_)));
    assert_eq!(peer.says_of("text")["text"], words);
    // A receiver sends nothing.
    receives.send(to(3, "447700900100", "x")).await.unwrap();
    let refused = Submission::NotSent(NotSent::Receiver);
    assert_eq!(fate(&mut others, 3).await, refused);
    sends.stop().await;
    receives.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told() {
    let peer = Peer::npm_centre();
    let mut config = config(&peer);
    config.session.password = "wrong".to_owned().into();
    let (bind, _reports) = start(config);
    let mut state = bind.watch();
    let refused = state.wait_for(|state| {
        matches!(
            state,
            BindState::Down {
                why: Some(Closed::Refused(Status::INVALID_PASSWORD)),
                ..
            }
        )
    });
    tokio::time::timeout(wire::PATIENCE, refused)
        .await
        .unwrap()
        .unwrap();
    bind.stop().await;
}

/// Two thousand texts through one bind: all of them, each once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_texts() {
    const COUNT: u32 = 2000;
    let peer = Peer::npm_centre();
    let mut config = config(&peer);
    config.session.window = 50;
    config.session.response = Duration::from_secs(60);
    let (bind, mut reports) = start(config);
    bound(&bind).await;
    let sending = tokio::spawn(async move {
        for number in 0..COUNT {
            bind.send(to(
                u128::from(number),
                "447700900100",
                &format!("text {number}"),
            ))
            .await
            .unwrap();
        }
        bind
    });
    let mut joiner = Joiner::new(10_000, Duration::from_secs(600));
    let (mut sent, mut delivered) = (0, 0);
    while sent < COUNT || delivered < COUNT {
        match report(&mut reports).await {
            News::Text {
                text,
                fate: Submission::Sent(taken),
                ..
            } => {
                sent += 1;
                let key = Key::of_answer(&taken[0], IdForm::Same).expect("a key");
                delivered += joiner.sent(Instant::now(), key, text).len() as u32;
            }
            News::Receipt {
                key,
                receipt,
                acknowledgement,
            } => {
                acknowledgement.taken();
                let joined = joiner.received(Instant::now(), key, &receipt);
                delivered += u32::from(joined.is_some());
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((sent, delivered), (COUNT, COUNT));
    assert_eq!(joiner.held(), (0, 0));
    sending.await.unwrap().stop().await;
}
