//! A bind against the message centre of the Python packages smpp.twisted3 and smpp.pdu3, which
//! parse every PDU strictly and drop the connection at the first that is wrong.

#[path = "smpp/peers.rs"]
mod peers;
#[path = "smpp/wire.rs"]
mod wire;

use std::time::Duration;

use peers::Peer;
use ringtrue::smpp::pdu::{Address, Status, Verdict};
use ringtrue::smpp::receipt::{Fate, IdForm, Key};
use ringtrue::smpp::session::Closed;
use ringtrue::smpp::text::{Concatenation, DefaultAlphabet, Language};
use ringtrue::sms::BindConfig;
use ringtrue::sms::order::{BindState, News, Submission, TextOrder};
use tokio::sync::watch;
use wire::{bound, fate, order, quick, report, start};

fn config(peer: &Peer) -> BindConfig {
    let mut config = quick(&format!("127.0.0.1:{}", peer.port));
    config.session.response = Duration::from_secs(10);
    config.id_form = IdForm::HexThenDecimal;
    config
}

async fn wait(state: &mut watch::Receiver<BindState>, wanted: impl FnMut(&BindState) -> bool) {
    tokio::time::timeout(wire::PATIENCE, state.wait_for(wanted))
        .await
        .expect("in time")
        .expect("a bind that lives");
}

fn to(number: u128, digits: &str, words: &str) -> TextOrder {
    let mut order = order(number, words);
    order.to = Address::international(digits).to_owned();
    order
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_receipts_and_a_reply() {
    let peer = Peer::python_centre();
    let (bind, mut reports) = start(config(&peer));
    bound(&bind).await;
    let words = "Ringtrue: your code is 123456 {€}";
    bind.send(to(1, "447700900100", words)).await.unwrap();
    let seen = peer.says();
    assert_eq!(seen["to"], "447700900100");
    assert_eq!(seen["from"], "Ringtrue");
    assert_eq!(seen["ton"], "ALPHANUMERIC");
    assert_eq!(seen["receipt"], "SMSC_DELIVERY_RECEIPT_REQUESTED");
    assert_eq!(seen["features"], serde_json::json!([]));
    let hex = seen["hex"].as_str().unwrap();
    assert!(hex.ends_with("1b281b651b29"), "{hex}");
    let Submission::Sent(taken) = fate(&mut reports, 1).await else {
        panic!("not sent")
    };
    assert_eq!(taken[0].as_bytes(), b"00000100");
    match report(&mut reports).await {
        News::Receipt {
            key,
            receipt,
            acknowledgement,
        } => {
            assert_eq!(Some(key), Key::of_answer(&taken[0], IdForm::HexThenDecimal));
            assert_eq!(receipt.fate, Fate::Undeliverable);
            assert_eq!(receipt.error.as_deref(), Some(&b"027"[..]));
            assert_eq!(receipt.done.map(|at| at.second), Some(12));
            acknowledgement.taken();
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(peer.says_of("delivered")["delivered"], "ESME_ROK");
    // UCS-2, in two pieces.
    let words = "Ваш код 123456. ".repeat(6);
    bind.send(to(2, "447700900100", &words)).await.unwrap();
    let mut units = Vec::new();
    for number in 1..=2u8 {
        let seen = peer.says_of("hex");
        assert_eq!(seen["features"], serde_json::json!(["UDHI_INDICATOR_SET"]));
        assert_eq!(seen["coding"], "DataCodingDefault.UCS2");
        let octets = hex::decode(seen["hex"].as_str().unwrap()).unwrap();
        assert_eq!(octets[..3], [5, 0, 3]);
        assert_eq!(octets[4..6], [2, number]);
        let (pairs, odd) = octets[6..].as_chunks::<2>();
        assert!(odd.is_empty());
        units.extend(pairs.iter().map(|pair| u16::from_be_bytes(*pair)));
    }
    assert_eq!(String::from_utf16(&units).unwrap(), words);
    assert!(matches!(fate(&mut reports, 2).await, Submission::Sent(taken) if taken.len() == 2));
    for _ in 0..2 {
        match report(&mut reports).await {
            News::Receipt {
                acknowledgement, ..
            } => acknowledgement.taken(),
            other => panic!("{other:?}"),
        }
    }
    bind.send(to(3, "447700900100", "MO")).await.unwrap();
    assert!(matches!(fate(&mut reports, 3).await, Submission::Sent(_)));
    let mut reply = None;
    for _ in 0..2 {
        match report(&mut reports).await {
            News::Receipt {
                acknowledgement, ..
            } => acknowledgement.taken(),
            News::Message {
                from,
                reading,
                acknowledgement,
                ..
            } => {
                assert_eq!(from.as_address().digits, b"447700900100");
                reply = reading.text;
                acknowledgement.later();
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(reply.as_deref(), Some("ARRÊT"));
    let answers: Vec<String> = (0..4)
        .map(|_| peer.says_of("delivered")["delivered"].to_string())
        .collect();
    let later = answers.iter().filter(|a| a.contains("ESME_RX_T_APPN"));
    assert_eq!(later.count(), 1, "{answers:?}");
    bind.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_throttling_and_waiting() {
    let peer = Peer::python_centre();
    let (bind, mut reports) = start(config(&peer));
    bound(&bind).await;
    bind.send(to(1, "447700900101", "x")).await.unwrap();
    let refused = Submission::Refused {
        status: Status::INVALID_DESTINATION,
        verdict: Verdict::GiveUp,
    };
    assert_eq!(fate(&mut reports, 1).await, refused);
    // Quiet for long enough that both sides ask whether the other is there.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(bind.state().is_bound());
    // It answers late, after its receipt.
    bind.send(to(2, "447700900103", "slow")).await.unwrap();
    let News::Receipt { key, .. } = report(&mut reports).await else {
        panic!("not a receipt")
    };
    let Submission::Sent(taken) = fate(&mut reports, 2).await else {
        panic!("not sent")
    };
    assert_eq!(Key::of_answer(&taken[0], IdForm::HexThenDecimal), Some(key));
    bind.send(to(3, "447700900102", "throttled")).await.unwrap();
    assert!(matches!(fate(&mut reports, 3).await, Submission::Sent(_)));
    bind.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_hangs_up_and_unbinds() {
    let peer = Peer::python_centre();
    // Long enough away that nobody misses it.
    let mut config = config(&peer);
    config.backoff.first = Duration::from_secs(2);
    config.backoff.most = Duration::from_secs(2);
    let (bind, mut reports) = start(config);
    bound(&bind).await;
    let mut state = bind.watch();
    bind.send(to(1, "447700900100", "HANGUP")).await.unwrap();
    assert!(matches!(
        fate(&mut reports, 1).await,
        Submission::Unknown { .. }
    ));
    wait(&mut state, |state| !state.is_bound()).await;
    wait(&mut state, BindState::is_bound).await;
    bind.send(to(2, "447700900101", "again")).await.unwrap();
    assert!(matches!(
        fate(&mut reports, 2).await,
        Submission::Refused { .. }
    ));
    // It says goodbye without having answered.
    bind.send(to(3, "447700900103", "UNBIND")).await.unwrap();
    let unbound = |state: &BindState| {
        matches!(
            state,
            BindState::Down {
                why: Some(Closed::PeerUnbound | Closed::Disconnected),
                ..
            }
        )
    };
    wait(&mut state, unbound).await;
    wait(&mut state, BindState::is_bound).await;
    bind.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_of_writing_is_parsed() {
    let peer = Peer::python_centre();
    let mut number = 0;
    for concatenation in [
        Concatenation::Header8,
        Concatenation::Header16,
        Concatenation::Sar,
        Concatenation::Payload,
    ] {
        for default_alphabet in [
            DefaultAlphabet::Gsm,
            DefaultAlphabet::GsmPacked,
            DefaultAlphabet::Latin1,
        ] {
            let mut config = config(&peer);
            config.style.concatenation = concatenation;
            config.style.default_alphabet = default_alphabet;
            config.style.languages = vec![Language::Portuguese];
            let (bind, mut reports) = start(config);
            bound(&bind).await;
            for words in ["O seu código é 123456.", &"Your code is 123456. ".repeat(9)] {
                number += 1;
                bind.send(to(number, "447700900100", words)).await.unwrap();
                loop {
                    match report(&mut reports).await {
                        News::Text { fate, .. } => {
                            assert!(matches!(fate, Submission::Sent(_)), "{fate:?}");
                            break;
                        }
                        News::Receipt {
                            acknowledgement, ..
                        } => acknowledgement.taken(),
                        other => panic!("{other:?}"),
                    }
                }
            }
            drop(reports);
            bind.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told() {
    let peer = Peer::python_centre();
    let mut config = config(&peer);
    config.session.password = "wrong".to_owned().into();
    let (bind, _reports) = start(config);
    let mut state = bind.watch();
    let refused = |state: &BindState| {
        matches!(
            state,
            BindState::Down {
                why: Some(Closed::Refused(Status::INVALID_PASSWORD)),
                ..
            }
        )
    };
    wait(&mut state, refused).await;
    bind.stop().await;
}
