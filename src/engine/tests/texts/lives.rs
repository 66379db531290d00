//! What becomes of challenges by text: failures, receipts, stops and restarts.

use super::*;

#[tokio::test]
async fn attempts_and_code_outlive_the_process_and_no_attempt_is_won() {
    let mut house = text_house().await;
    let (id, _, right) = house.texted(sms()).await;
    let (unsent, _) = house.queued(sms()).await;
    let (call, _) = house.house.begun(begin()).await;
    for (n, left) in [(0, 4), (1, 3)] {
        let wrong = house.check(id, another(&right, n)).await;
        assert_eq!(wrong, Err(CheckError::Wrong { left }));
    }
    let directory = house.killed().await;

    let house = text_house_at(directory, config(), guard(), 64).await;
    for gone in [unsent, call] {
        let state = house.house.outcome(gone).await;
        assert_eq!(state, State::Ended(Reason::Interrupted));
    }
    assert_eq!(house.now(id).await.state().status(), Status::Sent);
    let again = house.engine().resend(&tenant(), id).await;
    assert!(matches!(again, Err(ResendError::CodeNotHeld)), "{again:?}");
    let wrong = house.check(id, another(&right, 2)).await;
    assert_eq!(wrong, Err(CheckError::Wrong { left: 2 }));
    let directory = house.killed().await;

    let house = text_house_at(directory, config(), guard(), 64).await;
    let wrong = house.check(id, another(&right, 3)).await;
    assert_eq!(wrong, Err(CheckError::Wrong { left: 1 }));
    let approved = house.check(id, code(&right)).await.expect("approves");
    assert_eq!(approved.state(), State::Ended(Reason::CodeMatched));
    let directory = house.killed().await;
    let house = text_house_at(directory, config(), guard(), 64).await;
    let spent = house.check(id, code(&right)).await;
    assert_eq!(ended(spent), Reason::CodeMatched);
}

#[tokio::test]
async fn what_outlived_the_process_expires_when_it_was_to() {
    let mut house = text_house().await;
    let brief = Begin {
        time_to_live: Some(Duration::from_millis(3000)),
        ..sms()
    };
    let (id, _, right) = house.texted(brief).await;
    let expires = house.now(id).await.details().expires;
    let directory = house.killed().await;
    let house = text_house_at(directory, config(), guard(), 64).await;
    let state = house.house.outcome(id).await;
    assert_eq!(state, State::Ended(Reason::TimedOut));
    let gone = house.now(id).await.life().ended().expect("ended");
    assert!(gone >= expires);
    assert_eq!(ended(house.check(id, code(&right)).await), Reason::TimedOut);
}

#[tokio::test]
async fn a_stop_in_order_leaves_open_what_can_still_be_checked() {
    let mut house = text_house().await;
    let (id, _, right) = house.texted(sms()).await;
    let (unsent, dispatch) = house.queued(sms()).await;
    house.engine().shutdown(Duration::from_millis(300)).await;
    assert_eq!(house.carrier.withdrawn().await, dispatch.text);
    let kept = house
        .house
        .store
        .find(tenant(), unsent)
        .await
        .expect("finds");
    let kept = kept.map(|c| c.state());
    assert_eq!(kept, Some(State::Ended(Reason::Interrupted)));
    let stopped = house.check(id, code(&right)).await;
    assert_eq!(stopped, Err(CheckError::Engine(EngineError::Stopped)));
    let directory = house.killed().await;
    let house = text_house_at(directory, config(), guard(), 64).await;
    assert!(house.check(id, code(&right)).await.is_ok());
}

#[tokio::test]
async fn a_text_that_never_left_fails_the_challenge_for_its_reason() {
    let mut house = text_house().await;
    for (failure, reason) in [
        (Failure::Unavailable, Reason::CarrierUnavailable),
        (Failure::Overloaded, Reason::Overloaded),
        (Failure::Rejected, Reason::TextRejected),
        (Failure::NoSuchNumber, Reason::NoSuchNumber),
        (Failure::TooLate, Reason::CarrierUnavailable),
        (Failure::TooLong, Reason::TextTooLong),
    ] {
        let (id, dispatch) = house.queued(sms()).await;
        let news = dispatch::News::Failed {
            failure,
            error: Some("ESME_RINVDSTADR".into()),
        };
        house.carrier.tell(dispatch.text, news).await;
        assert_eq!(house.house.outcome(id).await, State::Ended(reason));
        let text = *house.now(id).await.life().text().expect("a text");
        assert_eq!(
            text.error.map(|e| e.as_str().to_owned()),
            Some("ESME_RINVDSTADR".into())
        );
        let right = code(&code_of(&dispatch));
        assert_eq!(ended(house.check(id, right).await), reason);
    }
    assert!(
        house.carrier.commands.try_recv().is_err(),
        "nothing to take back"
    );
}

#[tokio::test]
async fn an_undeliverable_text_ends_nothing_unless_policy_says_so() {
    let undeliverable = || dispatch::News::Undeliverable {
        error: "UNDELIV err:027".into(),
        after: Duration::from_secs(2),
    };
    let mut house = text_house().await;
    let (id, text, right) = house.texted(sms()).await;
    house.carrier.tell(text, undeliverable()).await;
    house.house.comes_to(id, Status::Undeliverable).await;
    let shown = *house.now(id).await.life().text().expect("a text");
    assert_eq!(
        shown.error.map(|e| e.as_str().to_owned()),
        Some("UNDELIV err:027".into())
    );
    assert!(house.check(id, code(&right)).await.is_ok(), "carriers err");

    let strict = EngineConfig {
        text: TextPolicy {
            end_undeliverable: true,
            ..policy()
        },
        ..EngineConfig::default()
    };
    let directory = tempfile::tempdir().expect("a directory");
    let mut house = text_house_at(directory, strict, guard(), 64).await;
    let (id, text, _) = house.texted(sms()).await;
    house.carrier.tell(text, undeliverable()).await;
    let state = house.house.outcome(id).await;
    assert_eq!(state, State::Ended(Reason::Undeliverable));
}

#[tokio::test]
async fn without_a_texting_gateway_texts_are_refused_and_calls_are_not() {
    let mut house = super::house(EngineConfig::default()).await;
    let refused = house.engine.begin(sms()).await;
    assert!(matches!(refused, Err(BeginError::NoTexting)), "{refused:?}");
    assert_eq!(house.engine.health().texting, None);
    assert!(house.engine.health().ready());
    house.begun(begin()).await;

    let mut house = text_house().await;
    assert_eq!(house.engine().health().texting, Some(true));
    let (sent, _, right) = house.texted(sms()).await;
    let (queued, _) = house.queued(sms()).await;
    let TextHouse {
        house,
        carrier,
        process: _process,
    } = house;
    drop(carrier);
    let state = house.outcome(queued).await;
    assert_eq!(state, State::Ended(Reason::CarrierUnavailable));
    let refused = house.engine.begin(sms()).await;
    assert!(
        matches!(refused, Err(BeginError::TextingStopped)),
        "{refused:?}"
    );
    assert!(!house.engine.health().ready());
    let approved = house.engine.check(&tenant(), sent, code(&right)).await;
    assert!(
        approved.is_ok(),
        "what was sent can be checked: {approved:?}"
    );
}

#[test]
fn no_text_that_failed_has_two_reasons() {
    let reasons: HashSet<Reason> = Unsent::ALL.map(Unsent::reason).into_iter().collect();
    assert_eq!(reasons.len(), Unsent::ALL.len());
}
