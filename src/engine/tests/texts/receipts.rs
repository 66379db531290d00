//! Receipts: kept before they are acknowledged, and joined by the next process.

use smallvec::SmallVec;

use super::*;
use crate::smpp::receipt::{Fate, IdForm, Key, Receipt};
use crate::smpp::session::MessageId;
use crate::sms::dispatch::{Command, Named, ReceiptCame, Report, Says};
use crate::sms::order::Acknowledgement;

fn key(name: &str) -> Key {
    Key::of_answer(&MessageId::new(name.as_bytes()), IdForm::Same).expect("a key")
}

impl Carrier {
    /// The carrier has named the messages of a text.
    async fn names(&self, text: TextRef, names: &[&str]) {
        let named = Named {
            text,
            account: "account".into(),
            keys: names.iter().map(|name| key(name)).collect::<SmallVec<_>>(),
            messages: names.len() as u8,
            left: Duration::from_secs(1),
        };
        let report = Report::Named(Box::new(named));
        self.reports.send(report).await.expect("an engine");
    }

    /// A receipt of a text that this process does not know; whether it was acknowledged.
    async fn receipt(&self, name: &str, says: Says) -> bool {
        self.receipt_of(None, name, says).await
    }

    async fn receipt_of(&self, text: Option<TextRef>, name: &str, says: Says) -> bool {
        let (acknowledgement, told) = Acknowledgement::awaited();
        let came = ReceiptCame {
            account: "account".into(),
            key: key(name),
            says,
            text,
            acknowledgement,
        };
        let report = Report::Receipt(Box::new(came));
        self.reports.send(report).await.expect("an engine");
        timeout(PATIENCE, told)
            .await
            .expect("in time")
            .expect("a word")
    }
}

fn state(challenge: &Challenge) -> Option<TextState> {
    challenge.life().text().map(|text| text.state)
}

#[tokio::test]
async fn a_receipt_is_acknowledged_once_it_is_kept() {
    let mut house = text_house().await;
    let (id, text, _) = house.texted(sms()).await;
    house.carrier.names(text, &["m1"]).await;
    // Nothing that is asked later is heard before.
    assert!(house.carrier.receipt("other", Says::Delivered).await);
    house.house.store.break_(true);
    assert!(!house.carrier.receipt("m1", Says::Delivered).await);
    assert_eq!(state(&house.now(id).await), Some(TextState::Sent));
    house.house.store.break_(false);
    assert!(house.carrier.receipt("m1", Says::Delivered).await);
    // Acknowledged, it is durable, and not only known.
    let kept = house.engine().store().find(tenant(), id).await;
    let kept = kept.expect("finds").expect("is there");
    assert_eq!(state(&kept), Some(TextState::Delivered));
    assert_eq!(kept.state(), State::Open(Stage::Delivered));
}

#[tokio::test]
async fn what_joins_a_receipt_is_kept_as_soon_as_it_can_be() {
    let mut house = text_house().await;
    let (id, text, _) = house.texted(sms()).await;
    house.house.store.break_(true);
    house.carrier.names(text, &["m1"]).await;
    // Heard after the names, so that these were tried before the store works again.
    assert!(!house.carrier.receipt("m1", Says::Delivered).await);
    house.house.store.break_(false);
    sleep(Duration::from_millis(1_500)).await;
    let directory = house.killed().await;
    let house = text_house_at(directory, config(), guard(), 64).await;
    assert!(house.carrier.receipt("m1", Says::Delivered).await);
    assert_eq!(state(&house.now(id).await), Some(TextState::Delivered));
}

#[tokio::test]
async fn a_receipt_that_nothing_joins_is_acknowledged_once_what_it_says_is_durable() {
    let mut house = text_house().await;
    let (id, text, _) = house.texted(sms()).await;
    house.house.store.break_(true);
    house.carrier.names(text, &["m1"]).await;
    let delivered = dispatch::News::Delivered {
        after: Duration::from_secs(1),
    };
    house.carrier.tell(text, delivered).await;
    assert!(!house.carrier.receipt("other", Says::Delivered).await);
    house.house.store.break_(false);
    let said = Says::Delivered;
    assert!(house.carrier.receipt_of(Some(text), "m1", said).await);
    let kept = house.engine().store().find(tenant(), id).await;
    let kept = kept.expect("finds").expect("is there");
    assert_eq!(state(&kept), Some(TextState::Delivered));
}

#[tokio::test]
async fn a_text_that_is_named_after_its_challenge_ended_is_joined() {
    let mut house = text_house().await;
    let accepted = house.engine().begin(sms()).await.expect("begins");
    let id = accepted.challenge.details().id;
    let dispatch = house.carrier.dispatched().await;
    // The provider sends it, and its answer takes long.
    let right = code(&code_of(&dispatch));
    assert!(house.check(id, right).await.is_ok());
    house.carrier.withdrawn().await;
    house.carrier.names(dispatch.text, &["m1"]).await;
    house.carrier.tell(dispatch.text, sent()).await;
    assert!(house.carrier.receipt("m1", Says::Delivered).await);
    let ended = house.now(id).await;
    assert_eq!(ended.state(), State::Ended(Reason::CodeMatched));
    assert_eq!(state(&ended), Some(TextState::Delivered));
}

#[tokio::test]
async fn a_receipt_among_lines_that_are_given_up_comes_again() {
    let mut house = text_house().await;
    let brief = Begin {
        time_to_live: Some(Duration::from_millis(2_000)),
        ..sms()
    };
    let (id, text, right) = house.texted(brief).await;
    house.carrier.names(text, &["m1"]).await;
    let delivered = dispatch::News::Delivered {
        after: Duration::from_secs(1),
    };
    assert!(house.carrier.receipt("other", Says::Delivered).await);
    house.house.store.break_records(true);
    house.carrier.tell(text, delivered).await;
    let told = house.carrier.receipt_of(Some(text), "m1", Says::Delivered);
    let healed = async {
        sleep(Duration::from_millis(2_300)).await;
        house.house.store.break_records(false);
    };
    let checked = async {
        // The store has heard of the receipt, and left the open challenge alone.
        sleep(Duration::from_millis(400)).await;
        house.check(id, code(&right)).await
    };
    let (told, judged, ()) = tokio::join!(told, checked, healed);
    assert!(!told, "it is to come again");
    assert!(judged.is_err(), "{judged:?}");
    assert!(house.carrier.receipt("m1", Says::Delivered).await);
    let ended = house.now(id).await;
    assert_eq!(ended.state(), State::Ended(Reason::TimedOut));
    assert_eq!(state(&ended), Some(TextState::Delivered));
}

#[tokio::test]
async fn the_next_process_joins_what_this_one_sent() {
    let mut house = text_house().await;
    let (open, first, right) = house.texted(sms()).await;
    house.carrier.names(first, &["a1", "a2"]).await;
    let other = Begin {
        to: PhoneNumber::parse("+442079460124").expect("a number"),
        ..sms()
    };
    let (approved, second, code_of_second) = house.texted(other).await;
    house.carrier.names(second, &["b1"]).await;
    assert!(house.check(approved, code(&code_of_second)).await.is_ok());
    assert!(house.carrier.receipt("a1", Says::Delivered).await);
    let directory = house.killed().await;

    let house = text_house_at(directory, config(), guard(), 64).await;
    assert!(house.carrier.receipt("b1", Says::Delivered).await);
    let ended = house.now(approved).await;
    assert_eq!(ended.state(), State::Ended(Reason::CodeMatched));
    assert_eq!(state(&ended), Some(TextState::Delivered));
    assert_eq!(state(&house.now(open).await), Some(TextState::Sent));
    assert!(house.carrier.receipt("a2", Says::Accepted).await);
    assert_eq!(state(&house.now(open).await), Some(TextState::Accepted));
    // Whole with the last of its messages, whichever process heard of the first.
    assert!(house.carrier.receipt("a2", Says::Delivered).await);
    assert_eq!(house.now(open).await.state(), State::Open(Stage::Delivered));
    let refused = Says::Undeliverable("UNDELIV err:001".into());
    assert!(house.carrier.receipt("a2", refused).await);
    assert_eq!(state(&house.now(open).await), Some(TextState::Delivered));
    assert!(house.check(open, code(&right)).await.is_ok());
}

#[tokio::test]
async fn a_posted_receipt_is_handed_on_or_asked_for_again() {
    let mut house = text_house_at(
        tempfile::tempdir().expect("a directory"),
        config(),
        guard(),
        1,
    )
    .await;
    let post = |engine: EngineHandle| {
        let receipt = Receipt {
            id: MessageId::new(b"m1"),
            fate: Fate::Delivered,
            error: None,
            network_error: None,
            submitted: None,
            done: None,
            intermediate: false,
        };
        tokio::spawn(async move { engine.receipt("web".into(), receipt).await })
    };
    let first = post(house.engine().clone());
    match house.carrier.command().await {
        Command::Receipt(posted) => {
            assert_eq!((&*posted.by, posted.receipt.fate), ("web", Fate::Delivered));
            posted.acknowledgement.taken();
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(first.await.expect("no panic"), Ok(true));
    // One waits for the gateway, and there is no room for another.
    let waiting = post(house.engine().clone());
    while house.carrier.commands.is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(
        post(house.engine().clone()).await.expect("no panic"),
        Ok(false)
    );
    drop(house.carrier.command().await);
    assert_eq!(waiting.await.expect("no panic"), Ok(false));
}
