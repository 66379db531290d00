//! Texts handed over, sent again, taken back and refused.

use super::*;

#[tokio::test]
async fn a_text_is_sent_again_with_the_same_code_and_not_without_end() {
    let mut house = text_house().await;
    let (id, first, right) = house.texted(sms()).await;
    for n in 1..=3 {
        sleep(Duration::from_millis(110)).await;
        let resent = house.engine().resend(&tenant(), id).await.expect("resends");
        assert_eq!(resent.life().text().map(|t| t.sending), Some(n + 1));
        let dispatch = house.carrier.dispatched().await;
        assert_ne!(dispatch.text, first);
        assert_eq!(code_of(&dispatch), right);
        assert!(dispatch.body.contains("4 min"), "no more than is left");
        sleep(Duration::from_millis(110)).await;
        let pending = house.engine().resend(&tenant(), id).await;
        match n {
            3 => assert!(matches!(pending, Err(ResendError::NoMore)), "{pending:?}"),
            _ => assert!(
                matches!(pending, Err(ResendError::NotSentYet)),
                "{pending:?}"
            ),
        }
        house.carrier.tell(dispatch.text, sent()).await;
        // Heard before anything that is asked later.
        while house.now(id).await.life().text().map(|t| t.state) != Some(TextState::Sent) {
            sleep(Duration::from_millis(5)).await;
        }
    }
    // A receipt of the first is still news.
    let after = Duration::from_secs(1);
    house
        .carrier
        .tell(first, dispatch::News::Delivered { after })
        .await;
    house.house.comes_to(id, Status::Delivered).await;
    assert!(house.check(id, code(&right)).await.is_ok());
    let over = house.engine().resend(&tenant(), id).await;
    assert!(matches!(over, Err(ResendError::Ended(_))), "{over:?}");
}

#[tokio::test]
async fn a_text_is_not_sent_again_at_once() {
    let patient = EngineConfig {
        text: TextPolicy {
            resend_after: Duration::from_secs(600),
            ..policy()
        },
        ..EngineConfig::default()
    };
    let directory = tempfile::tempdir().expect("a directory");
    let mut house = text_house_at(directory, patient, guard(), 64).await;
    let (id, _, _) = house.texted(sms()).await;
    let again = house.engine().resend(&tenant(), id).await;
    match again {
        Err(ResendError::TooSoon(wait)) => {
            assert!(wait <= Duration::from_secs(600) && wait > Duration::from_secs(300));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn two_resends_at_once_are_one_text() {
    let mut house = text_house().await;
    let (id, _, _) = house.texted(sms()).await;
    sleep(Duration::from_millis(110)).await;
    let all = (0..10).map(|_| async { house.house.engine.resend(&tenant(), id).await });
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(answers.iter().filter(|a| a.is_ok()).count(), 1);
    house.carrier.dispatched().await;
    assert!(house.carrier.commands.try_recv().is_err(), "one text");
}

#[tokio::test]
async fn resends_count_towards_the_limits_of_a_number() {
    let policy = crate::guard::Policy {
        per_number: crate::guard::Rate::parse("2 per 1h").into_iter().collect(),
        ..crate::guard::Policy::unlimited()
    };
    let guard = Guard::new(policy, [7; 32], std::time::Instant::now());
    let directory = tempfile::tempdir().expect("a directory");
    let mut house = text_house_at(directory, config(), guard, 64).await;
    let (id, _, _) = house.texted(sms()).await;
    sleep(Duration::from_millis(110)).await;
    house.engine().resend(&tenant(), id).await.expect("resends");
    let dispatch = house.carrier.dispatched().await;
    house.carrier.tell(dispatch.text, sent()).await;
    while house.now(id).await.life().text().map(|t| t.state) != Some(TextState::Sent) {
        sleep(Duration::from_millis(5)).await;
    }
    sleep(Duration::from_millis(110)).await;
    let limited = house.engine().resend(&tenant(), id).await;
    match limited {
        Err(ResendError::Limited(refusal)) => assert_eq!(refusal.code(), "number_limit"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_cancel_takes_back_what_has_not_left() {
    let mut house = text_house().await;
    let (id, dispatch) = house.queued(sms()).await;
    house.engine().cancel(&tenant(), id).await.expect("cancels");
    assert_eq!(house.carrier.withdrawn().await, dispatch.text);
    let right = code(&code_of(&dispatch));
    assert_eq!(
        ended(house.check(id, right).await),
        Reason::CancelledByCaller
    );
    // What the carrier says of it later changes nothing.
    house.carrier.tell(dispatch.text, sent()).await;
    let (id, _, _) = house.texted(sms()).await;
    house.engine().cancel(&tenant(), id).await.expect("cancels");
    let (next, _) = house.queued(sms()).await;
    assert_eq!(house.now(next).await.state().status(), Status::Queued);
}

#[tokio::test]
async fn withdrawals_that_find_no_room_are_made_later() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut house = text_house_at(directory, config(), guard(), 1).await;
    let (first, one) = house.queued(sms()).await;
    let (second, two) = house.queued(sms()).await;
    let third = house.engine().begin(sms()).await.expect("begins").challenge;
    // The third text fills the channel.
    for id in [first, second] {
        house.engine().cancel(&tenant(), id).await.expect("cancels");
    }
    let full = house.engine().begin(sms()).await.expect("begins").challenge;
    let state = house.house.outcome(full.details().id).await;
    assert_eq!(state, State::Ended(Reason::Overloaded));
    let dispatch = house.carrier.dispatched().await;
    assert_eq!(
        house.now(third.details().id).await.state().status(),
        Status::Queued
    );
    assert_ne!(dispatch.text, one.text);
    assert_eq!(house.carrier.withdrawn().await, one.text);
    assert_eq!(house.carrier.withdrawn().await, two.text);
}

#[tokio::test]
async fn what_cannot_be_texted_is_refused_before_anything_is_kept() {
    let mut house = text_house().await;
    let refused = |begin| async { house.house.engine.begin(begin).await.expect_err("refused") };
    let nowhere = Begin {
        to: PhoneNumber::parse("+442079460199").expect("a number"),
        ..sms()
    };
    assert!(matches!(refused(nowhere).await, BeginError::Refused(_)));
    let german = Begin {
        locale: Some("de-DE".into()),
        ..sms()
    };
    let error = refused(german).await;
    assert!(
        matches!(error, BeginError::Wording(WordingError::Locale(_))),
        "{error:?}"
    );
    let brand = Begin {
        text: TextWishes {
            brand: Some("Your Bank".into()),
            ..TextWishes::default()
        },
        ..sms()
    };
    let error = refused(brand).await;
    assert!(
        matches!(error, BeginError::Wording(WordingError::Brand(_))),
        "{error:?}"
    );
    let spoken = Begin {
        purpose: Purpose::Enrolment,
        ..begin()
    };
    assert!(matches!(refused(spoken).await, BeginError::Unspoken));
    assert!(house.carrier.commands.try_recv().is_err(), "no text");

    let wished = Begin {
        purpose: Purpose::Enrolment,
        locale: Some("fr-CA".into()),
        text: TextWishes {
            code_length: CodeLength::new(8),
            brand: None,
            mark: crate::wording::Domain::parse("example.org")
                .map(Mark::WebOtp)
                .ok(),
        },
        ..sms()
    };
    let (id, dispatch) = house.queued(wished).await;
    assert_eq!(&*house.now(id).await.details().locale, "fr-FR");
    let right = code_of(&dispatch);
    assert_eq!(right.len(), 8);
    assert!(dispatch.body.contains("ajoute ce t"));
    let last = dispatch.body.lines().last().map(str::to_owned);
    assert_eq!(last, Some(format!("@example.org #{right}")));
}

#[tokio::test]
async fn a_text_that_was_on_its_way_when_the_process_died_may_have_left() {
    let mut house = text_house().await;
    let (id, _, right) = house.texted(sms()).await;
    sleep(Duration::from_millis(110)).await;
    house.engine().resend(&tenant(), id).await.expect("resends");
    house.carrier.dispatched().await;
    let directory = house.killed().await;
    let house = text_house_at(directory, config(), guard(), 64).await;
    let now = house.now(id).await;
    assert_eq!(now.state(), State::Open(Stage::Sent));
    let text = now.life().text().map(|text| (text.sending, text.state));
    assert_eq!(text, Some((2, TextState::Unsure)));
    assert!(house.check(id, code(&right)).await.is_ok());
}

#[tokio::test]
async fn a_stop_takes_back_what_has_not_left() {
    let mut house = text_house().await;
    let number = sms().to;
    let other = Begin {
        to: PhoneNumber::parse("+442079460124").expect("a number"),
        ..sms()
    };
    let (_, queued) = house.queued(sms()).await;
    let (left, _, right) = house.texted(sms()).await;
    let (others, _) = house.queued(other).await;
    house.carrier.says("STOP", number.e164()).await;
    assert_eq!(house.carrier.withdrawn().await, queued.text);
    // What has left is theirs to use, and what others are sent is another matter.
    assert!(house.check(left, code(&right)).await.is_ok());
    assert_eq!(house.now(others).await.state().status(), Status::Queued);
    assert!(house.carrier.commands.try_recv().is_err(), "nothing else");
}

#[tokio::test]
async fn a_person_who_writes_stop_is_texted_no_more_until_they_write_start() {
    let mut house = text_house().await;
    let number = sms().to;
    let (id, _, right) = house.texted(sms()).await;
    house.carrier.says("Stop!", number.e164()).await;
    let store = Arc::clone(&house.house.store);
    let blocked = |expected| {
        let (store, number) = (Arc::clone(&store), number.clone());
        async move {
            for _ in 0..1000 {
                if store.is_blocked(number.clone()).await == Ok(expected) {
                    return;
                }
                sleep(Duration::from_millis(5)).await;
            }
            panic!("never {expected}");
        }
    };
    blocked(true).await;
    let refused = house.engine().begin(sms()).await;
    assert!(matches!(refused, Err(BeginError::Blocked)), "{refused:?}");
    sleep(Duration::from_millis(110)).await;
    let resent = house.engine().resend(&tenant(), id).await;
    assert!(matches!(resent, Err(ResendError::Blocked)), "{resent:?}");
    // What was texted before is theirs to use, and calls are another matter.
    assert!(house.check(id, code(&right)).await.is_ok());
    house.house.begun(begin()).await;

    house.carrier.says("what is this?", number.e164()).await;
    house.carrier.says("START", number.e164()).await;
    blocked(false).await;
    house.texted(sms()).await;
    let kept = store.messages(number, 10).await.expect("reads");
    let kept: Vec<_> = kept.iter().map(|m| (m.words.as_str(), m.wish)).collect();
    assert_eq!(
        kept,
        [
            ("START", Some(Wish::Start)),
            ("what is this?", None),
            ("Stop!", Some(Wish::Stop)),
        ]
    );
}

#[tokio::test]
async fn a_repeated_request_is_led_to_the_same_text() {
    let mut house = text_house().await;
    let keyed = |digits| Begin {
        text: TextWishes {
            code_length: CodeLength::new(digits),
            ..TextWishes::default()
        },
        idempotency_key: Some(Zeroizing::new("k".into())),
        ..sms()
    };
    let (id, _) = house.queued(keyed(6)).await;
    let again = house.engine().begin(keyed(6)).await.expect("replays");
    assert!(again.replayed);
    assert_eq!(again.challenge.details().id, id);
    let other = house.engine().begin(keyed(8)).await;
    assert!(matches!(other, Err(BeginError::KeyReused)), "{other:?}");
    assert!(house.carrier.commands.try_recv().is_err(), "one text");
}
