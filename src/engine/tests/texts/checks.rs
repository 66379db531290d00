//! Codes, entered one by one and all at once.

use super::*;

#[tokio::test]
async fn a_text_is_walked_to_its_approval_once() {
    let mut house = text_house().await;
    let accepted = house.engine().begin(sms()).await.expect("begins").challenge;
    let id = accepted.details().id;
    assert_eq!(accepted.attempts_left(), Some(5));
    let life = accepted
        .details()
        .expires
        .duration_since(accepted.details().created);
    assert_eq!(life.as_secs(), 300);
    let dispatch = house.carrier.dispatched().await;
    assert_eq!(dispatch.to, sms().to);
    assert_eq!(&*dispatch.route.ways[0].by, "bind");
    assert!(dispatch.body.contains("5 min"), "rounded to what is left");
    let right = code_of(&dispatch);
    assert_eq!(right.len(), 6);
    house.carrier.tell(dispatch.text, sent()).await;
    house.house.comes_to(id, Status::Sent).await;
    let delivered = dispatch::News::Delivered {
        after: Duration::from_millis(1234),
    };
    house.carrier.tell(dispatch.text, delivered).await;
    house.house.comes_to(id, Status::Delivered).await;
    let text = *house.now(id).await.life().text().expect("a text");
    assert_eq!(
        (text.state, text.took_ms, text.messages, text.sending),
        (TextState::Delivered, Some(1234), Some(1), 1)
    );
    assert!(text.sent.is_some() && text.delivered >= text.sent);

    let wrong = house.check(id, another(&right, 0)).await;
    assert_eq!(wrong, Err(CheckError::Wrong { left: 4 }));
    assert_eq!(house.now(id).await.attempts_left(), Some(4));
    let approved = house.check(id, code(&right)).await.expect("approves");
    assert_eq!(approved.state(), State::Ended(Reason::CodeMatched));
    assert_eq!(house.house.outcome(id).await, approved.state());
    for again in [code(&right), another(&right, 1)] {
        assert_eq!(ended(house.check(id, again).await), Reason::CodeMatched);
    }
    let log = house.house.store.log(id, 0).await.expect("reads");
    let whats: Vec<What> = log.iter().map(|entry| entry.what).collect();
    assert_eq!(
        whats,
        [
            What::Stage(Stage::Queued),
            What::Text {
                sending: 1,
                news: TextNews::Sent { messages: 1 }
            },
            What::Text {
                sending: 1,
                news: TextNews::Delivered { took_ms: 1234 }
            },
            What::WrongCode { left: 4 },
            What::Ended(Reason::CodeMatched),
        ]
    );
    assert!(
        house.carrier.commands.try_recv().is_err(),
        "nothing to take back"
    );
}

#[tokio::test]
async fn a_hundred_wrong_codes_at_once_count_five() {
    let mut house = text_house().await;
    let (id, _, right) = house.texted(sms()).await;
    let all = (0..100).map(|n| house.check(id, another(&right, n)));
    let answers = futures_util::future::join_all(all).await;
    let mut left: Vec<u8> = Vec::new();
    let mut over = 0;
    for answer in answers {
        match answer {
            Err(CheckError::Wrong { left: more }) => left.push(more),
            other => {
                assert_eq!(ended(other), Reason::TooManyAttempts);
                over += 1;
            }
        }
    }
    left.sort_unstable();
    assert_eq!((left, over), (vec![1, 2, 3, 4], 96));
    let kept = house.house.outcome(id).await;
    assert_eq!(kept, State::Ended(Reason::TooManyAttempts));
    let log = house.house.store.log(id, 0).await.expect("reads");
    let wrong = log
        .iter()
        .filter(|e| matches!(e.what, What::WrongCode { .. }));
    assert_eq!(wrong.count(), 4);
    assert_eq!(house.now(id).await.attempts_left(), Some(0));
    let too_late = house.check(id, code(&right)).await;
    assert_eq!(ended(too_late), Reason::TooManyAttempts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_right_code_that_races_the_fifth_wrong_one_approves_or_not_but_once() {
    let mut house = text_house().await;
    let mut seen = HashSet::new();
    for round in 0..60 {
        let (id, _, right) = house.texted(sms()).await;
        for n in 0..4 {
            let _ = house.check(id, another(&right, n)).await;
        }
        let answers: Vec<_> = (0..8u8)
            .map(|n| {
                let engine = house.engine().clone();
                let entered = match (n + round) % 4 {
                    0 => code(&right),
                    _ => another(&right, n),
                };
                let is_right = (n + round) % 4 == 0;
                let check = async move { engine.check(&tenant(), id, entered).await };
                (is_right, tokio::spawn(check))
            })
            .collect();
        let mut approved = 0;
        let mut told = HashSet::new();
        for (is_right, answer) in answers {
            match answer.await.expect("answers") {
                Ok(challenge) => {
                    assert!(is_right, "a wrong code was approved");
                    assert_eq!(challenge.state(), State::Ended(Reason::CodeMatched));
                    approved += 1;
                }
                other => {
                    told.insert(ended(other));
                }
            }
        }
        let State::Ended(reason) = house.house.outcome(id).await else {
            panic!("still open");
        };
        assert_eq!(approved, usize::from(reason == Reason::CodeMatched));
        assert!(
            told.iter().all(|other| *other == reason),
            "{told:?} {reason:?}"
        );
        seen.insert(reason);
    }
    let both = [Reason::CodeMatched, Reason::TooManyAttempts];
    assert!(seen.iter().all(|reason| both.contains(reason)), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_right_codes_at_once_approve_one() {
    let mut house = text_house().await;
    for _ in 0..20 {
        let (id, _, right) = house.texted(sms()).await;
        let all = (0..16).map(|_| house.check(id, code(&right)));
        let answers = futures_util::future::join_all(all).await;
        let approved = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(approved, 1);
        for answer in answers.into_iter().filter(Result::is_err) {
            assert_eq!(ended(answer), Reason::CodeMatched);
        }
    }
}

#[tokio::test]
async fn a_code_that_comes_at_the_end_is_in_time_or_expired_and_nothing_else() {
    let mut house = text_house().await;
    for n in 0..12 {
        let brief = Begin {
            time_to_live: Some(Duration::from_millis(300)),
            ..sms()
        };
        let (id, dispatch) = house.queued(brief).await;
        let right = code_of(&dispatch);
        sleep(Duration::from_millis(285 + 3 * n)).await;
        let answer = house.check(id, code(&right)).await;
        let challenge = match answer {
            Ok(challenge) => {
                assert_eq!(challenge.state(), State::Ended(Reason::CodeMatched));
                assert!(challenge.life().ended() < Some(challenge.details().expires));
                challenge
            }
            Err(CheckError::Ended(challenge)) => {
                assert_eq!(challenge.state(), State::Ended(Reason::TimedOut));
                assert!(challenge.life().ended() >= Some(challenge.details().expires));
                *challenge
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(house.house.outcome(id).await, challenge.state());
        // What has not left is taken back, however it ended.
        assert_eq!(house.carrier.withdrawn().await, dispatch.text);
    }
}

#[tokio::test]
async fn an_attempt_is_answered_only_once_it_is_durable() {
    let mut house = text_house().await;
    let (id, _, right) = house.texted(sms()).await;
    house.house.store.break_(true);
    let engine = house.engine().clone();
    let wrong = another(&right, 0);
    let waiting = tokio::spawn(async move { engine.check(&tenant(), id, wrong).await });
    let engine = house.engine().clone();
    let entered = code(&right);
    let approving = tokio::spawn(async move {
        sleep(Duration::from_millis(50)).await;
        engine.check(&tenant(), id, entered).await
    });
    sleep(Duration::from_millis(400)).await;
    assert!(!waiting.is_finished() && !approving.is_finished());
    let shown = house.now(id).await;
    assert_eq!(shown.state().status(), Status::Sent);
    assert_eq!(shown.attempts_left(), Some(5), "not told before it is kept");
    house.house.store.break_(false);
    let wrong = waiting.await.expect("answers");
    assert_eq!(wrong, Err(CheckError::Wrong { left: 4 }));
    let approved = approving.await.expect("answers").expect("approves");
    assert_eq!(approved.state(), State::Ended(Reason::CodeMatched));
}

#[tokio::test]
async fn an_approval_by_code_that_could_not_be_kept_in_time_never_was() {
    let mut house = text_house().await;
    let brief = Begin {
        time_to_live: Some(Duration::from_millis(2000)),
        ..sms()
    };
    let (id, _, right) = house.texted(brief).await;
    house.house.store.break_(true);
    let engine = house.engine().clone();
    let entered = code(&right);
    let waiting = tokio::spawn(async move { engine.check(&tenant(), id, entered).await });
    sleep(Duration::from_millis(2300)).await;
    house.house.store.break_(false);
    assert_eq!(ended(waiting.await.expect("answers")), Reason::TimedOut);
    assert_eq!(
        house.house.outcome(id).await,
        State::Ended(Reason::TimedOut)
    );
}

#[tokio::test]
async fn neither_channel_is_approved_by_the_others_way() {
    let mut house = text_house().await;
    let (call, order) = house.house.begun(begin()).await;
    house.house.gateway.tell(order, &ANSWERED).await;
    house.house.comes_to(call, Status::Answered).await;
    let checked = house.check(call, code("123456")).await;
    assert_eq!(checked, Err(CheckError::NotText));
    let resent = house.engine().resend(&tenant(), call).await;
    assert!(matches!(resent, Err(ResendError::NotText)), "{resent:?}");
    house
        .house
        .gateway
        .tell(order, &[News::Ended(Reason::CodeMatched)])
        .await;
    let state = house.house.outcome(call).await;
    assert_eq!(state, State::Ended(Reason::CallFailed));
    let checked = house.check(call, code("123456")).await;
    assert_eq!(checked, Err(CheckError::NotText), "after its end too");

    let (text, _, right) = house.texted(sms()).await;
    let as_call = CallRef(text);
    house.house.gateway.tell(as_call, &ANSWERED).await;
    house.house.gateway.tell(as_call, &[hash(), PRESSED]).await;
    let wrong = house.check(text, another(&right, 0)).await;
    assert_eq!(wrong, Err(CheckError::Wrong { left: 4 }));
    assert_eq!(house.now(text).await.state().status(), Status::Sent);
}

#[tokio::test]
async fn another_tenant_can_neither_check_nor_resend() {
    let mut house = text_house().await;
    let (id, _, right) = house.texted(sms()).await;
    let other = Tenant::new("other").expect("a tenant");
    for _ in 0..2 {
        for who in [id, Uuid::nil()] {
            let checked = house.engine().check(&other, who, code(&right)).await;
            assert_eq!(checked, Err(CheckError::Unknown));
            let resent = house.engine().resend(&other, who).await;
            assert!(matches!(resent, Err(ResendError::Unknown)), "{resent:?}");
        }
        assert_eq!(house.now(id).await.life().wrong(), 0, "and costs nothing");
        // Once open, once ended.
        let _ = house.engine().cancel(&tenant(), id).await;
    }
}

/// Many texts at once, with receipts, codes, resends and cancels in random order: every challenge
/// ends once, no wrong code approves, and no more attempts are counted than may be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_all_end_once_and_truly() {
    let attempts = 3;
    let many = EngineConfig {
        text: TextPolicy {
            attempts: Attempts::new(attempts).expect("a number of attempts"),
            resend_after: Duration::from_millis(1),
            ..policy()
        },
        ..EngineConfig::default()
    };
    let directory = tempfile::tempdir().expect("a directory");
    let house = text_house_at(directory, many, guard(), 1024).await;
    let TextHouse {
        house,
        carrier,
        process: _process,
    } = house;
    let Carrier {
        mut commands,
        reports,
    } = carrier;
    let codes: Arc<std::sync::Mutex<std::collections::HashMap<String, String>>> = Arc::default();
    let known = Arc::clone(&codes);
    tokio::spawn(async move {
        while let Some(command) = commands.recv().await {
            let dispatch::Command::Send(dispatch) = command else {
                continue;
            };
            let code = code_of(&dispatch);
            known
                .lock()
                .expect("the lock")
                .insert(dispatch.to.e164().to_owned(), code);
            let reports = reports.clone();
            tokio::spawn(async move {
                let after = Duration::from_millis(5);
                for _ in 0..4 {
                    let news = match rand::random_range(0..6) {
                        0..=2 => sent(),
                        3 => dispatch::News::Delivered { after },
                        4 => dispatch::News::Undeliverable {
                            error: "UNDELIV".into(),
                            after,
                        },
                        _ => dispatch::News::Unsure { by: "bind".into() },
                    };
                    let text = dispatch.text;
                    let report = dispatch::Report::Text { text, news };
                    let _ = reports.send(report).await;
                    sleep(Duration::from_millis(rand::random_range(0..4))).await;
                }
            });
        }
    });
    let approvals = Arc::new(AtomicU32::new(0));
    let all: Vec<_> = (0..200u32)
        .map(|n| {
            let (engine, store) = (house.engine.clone(), Arc::clone(&house.store));
            let (codes, approvals) = (Arc::clone(&codes), Arc::clone(&approvals));
            tokio::spawn(async move {
                let to = PhoneNumber::parse(&format!("+4479111{:05}", 20_000 + n));
                let begin = Begin {
                    to: to.expect("a number"),
                    time_to_live: Some(Duration::from_millis(3000)),
                    ..sms()
                };
                let e164 = begin.to.e164().to_owned();
                let accepted = engine.begin(begin).await.expect("begins");
                let id = accepted.challenge.details().id;
                let right = loop {
                    let known = codes.lock().expect("the lock").get(&e164).cloned();
                    if let Some(code) = known {
                        break code;
                    }
                    sleep(Duration::from_millis(2)).await;
                };
                let mut approved = 0;
                for n in 0..6 {
                    match rand::random_range(0..10) {
                        0..=4 => {
                            let wrong = engine.check(&tenant(), id, another(&right, n)).await;
                            assert!(wrong.is_err());
                        }
                        5 => {
                            let checked = engine.check(&tenant(), id, code(&right)).await;
                            approved += usize::from(checked.is_ok());
                        }
                        6 => {
                            let _ = engine.cancel(&tenant(), id).await;
                        }
                        _ => {
                            let _ = engine.resend(&tenant(), id).await;
                        }
                    }
                    sleep(Duration::from_millis(rand::random_range(0..5))).await;
                }
                let ended = engine.wait(&tenant(), id, PATIENCE).await;
                let ended = ended.expect("waits").expect("is there");
                let State::Ended(reason) = ended.state() else {
                    panic!("still {:?}", ended.state());
                };
                assert_eq!(approved, usize::from(reason == Reason::CodeMatched));
                approvals.fetch_add(approved as u32, Ordering::SeqCst);
                let kept = store.find(tenant(), id).await.expect("finds");
                assert_eq!(kept, Some(ended.clone()));
                let log = store.log(id, 0).await.expect("reads");
                assert!(log.iter().zip(1..).all(|(entry, n)| entry.seq == n));
                let wrong = log
                    .iter()
                    .filter(|e| {
                        let last = What::Ended(Reason::TooManyAttempts);
                        matches!(e.what, What::WrongCode { .. }) || e.what == last
                    })
                    .count();
                assert_eq!(wrong, usize::from(ended.life().wrong()));
                assert!(wrong as u64 <= attempts);
                let spent = reason == Reason::TooManyAttempts;
                assert_eq!(spent, wrong as u64 == attempts);
            })
        })
        .collect();
    for one in all {
        one.await.expect("ends");
    }
    let approvals = approvals.load(Ordering::SeqCst);
    assert!(approvals > 10, "{approvals}: too few to test anything");
    // Told first, and then let go of.
    let began = std::time::Instant::now();
    while house.engine.metrics.open.get() > 0 && began.elapsed() < PATIENCE {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(house.engine.metrics.open.get(), 0);
}
