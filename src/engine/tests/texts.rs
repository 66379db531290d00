//! Challenges by text, with a texting gateway that the test plays.

use std::sync::atomic::AtomicU32;

use super::*;
use crate::challenge::{Attempts, CodeLength, Stage, TextNews, TextState, Unsent};
use crate::dialplan::{RefusalCode, TextWay};
use crate::guard::Wish;
use crate::sms::dispatch::{self, Dispatch, Failure, Inbound};
use crate::sms::order::TextRef;
use crate::wording::{Mark, WordingError};

struct Carrier {
    commands: mpsc::Receiver<dispatch::Command>,
    reports: mpsc::Sender<dispatch::Report>,
}

impl Carrier {
    async fn command(&mut self) -> dispatch::Command {
        let command = timeout(PATIENCE, self.commands.recv()).await;
        command.expect("a command in time").expect("an engine")
    }

    async fn dispatched(&mut self) -> Dispatch {
        match self.command().await {
            dispatch::Command::Send(dispatch) => *dispatch,
            other => panic!("{other:?}"),
        }
    }

    async fn withdrawn(&mut self) -> TextRef {
        match self.command().await {
            dispatch::Command::Withdraw(text) => text,
            other => panic!("{other:?}"),
        }
    }

    async fn tell(&self, text: TextRef, news: dispatch::News) {
        let report = dispatch::Report::Text { text, news };
        self.reports.send(report).await.expect("an engine");
    }

    async fn says(&self, words: &str, from: &str) {
        let inbound = Inbound {
            by: "bind".into(),
            from: PhoneNumber::parse(from).ok(),
            to: "12345".into(),
            words: Zeroizing::new(words.into()),
            acknowledgement: None,
        };
        let report = dispatch::Report::Inbound(Box::new(inbound));
        self.reports.send(report).await.expect("an engine");
    }
}

fn sent() -> dispatch::News {
    dispatch::News::Sent {
        by: "bind".into(),
        messages: 1,
    }
}

fn router() -> TextRouter {
    let rule = plan()
        .route(&sms().to)
        .expect("a rule that can be cited")
        .rule;
    let no_pager = move |number: &PhoneNumber| match number.e164().ends_with("460199") {
        true => Err(Refusal {
            code: RefusalCode::Refused,
            text: "not this one".into(),
            rule: None,
        }),
        false => Ok(TextRoute {
            ways: [TextWay {
                by: "bind".into(),
                weight: 1,
                cost: 1,
            }]
            .into(),
            sender: None,
            locale: "en-GB".into(),
            rule: rule.clone(),
        }),
    };
    Arc::new(no_pager)
}

/// The code in a text: its first word.
fn code_of(dispatch: &Dispatch) -> String {
    let code = dispatch.body.split(' ').next().expect("a word").to_owned();
    assert!(code.bytes().all(|b| b.is_ascii_digit()), "no code first");
    code
}

fn code(text: &str) -> OneTimeCode {
    OneTimeCode::parse(text).expect("a code")
}

/// Another code than this, and another for each `n` below 9.
fn another(right: &str, n: u8) -> OneTimeCode {
    let first = right.bytes().next().expect("a digit") - b'0';
    let other = (first + 1 + n % 9) % 10;
    code(&format!("{other}{}", &right[1..]))
}

fn sms() -> Begin {
    Begin {
        channel: Channel::Sms,
        ..begin()
    }
}

fn policy() -> TextPolicy {
    TextPolicy {
        resend_after: Duration::from_millis(100),
        ..TextPolicy::default()
    }
}

fn config() -> EngineConfig {
    EngineConfig {
        text: policy(),
        ..EngineConfig::default()
    }
}

struct TextHouse {
    house: House,
    carrier: Carrier,
    process: Process,
}

/// What the engine runs in, to be killed with it.
struct Process(Option<tokio::runtime::Runtime>);

impl Process {
    fn start() -> Process {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        Process(runtime.ok())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

async fn text_house() -> TextHouse {
    text_house_at(
        tempfile::tempdir().expect("a directory"),
        config(),
        guard(),
        64,
    )
    .await
}

async fn text_house_at(
    directory: TempDir,
    config: EngineConfig,
    guard: Guard,
    room: usize,
) -> TextHouse {
    let path = directory.path().join("ringtrue.db");
    let key = directory.path().join("key");
    let store = Sqlite::open(&path, &key, Use::Engine, store::Metrics::default());
    let store = Arc::new(Faulty {
        store: store.expect("opens"),
        broken: AtomicBool::new(false),
    });
    let (commands, ordered) = mpsc::channel(64);
    let (told, reports) = mpsc::channel(64);
    let (text_commands, texts) = mpsc::channel(room);
    let (text_told, text_reports) = mpsc::channel(64);
    let texting = TextGateway {
        commands: text_commands,
        reports: text_reports,
        route: router(),
    };
    let process = Process::start();
    let engine = Engine::start(
        config,
        Arc::clone(&store) as Arc<dyn Store>,
        Arc::new(plan()),
        guard,
        (VoiceGateway { commands, reports }, Some(texting)),
        Metrics::default(),
    );
    let engine = process.0.as_ref().expect("a runtime").spawn(engine);
    let engine = engine.await.expect("is not killed");
    TextHouse {
        process,
        house: House {
            engine: engine.expect("starts"),
            gateway: Gateway {
                commands: ordered,
                reports: told,
            },
            store,
            directory,
        },
        carrier: Carrier {
            commands: texts,
            reports: text_told,
        },
    }
}

impl TextHouse {
    /// Begins a challenge whose text is taken by the carrier: its id, text and code.
    async fn texted(&mut self, begin: Begin) -> (Uuid, TextRef, String) {
        let (id, dispatch) = self.queued(begin).await;
        self.carrier.tell(dispatch.text, sent()).await;
        self.house.comes_to(id, Status::Sent).await;
        (id, dispatch.text, code_of(&dispatch))
    }

    async fn queued(&mut self, begin: Begin) -> (Uuid, Dispatch) {
        let accepted = self.engine().begin(begin).await.expect("begins");
        let dispatch = self.carrier.dispatched().await;
        (accepted.challenge.details().id, dispatch)
    }

    fn engine(&self) -> &EngineHandle {
        &self.house.engine
    }

    async fn check(&self, id: Uuid, code: OneTimeCode) -> Result<Challenge, CheckError> {
        let who = tenant();
        let checked = self.engine().check(&who, id, code);
        timeout(PATIENCE, checked).await.expect("an answer in time")
    }

    async fn now(&self, id: Uuid) -> Challenge {
        let found = self.engine().find(&tenant(), id).await.expect("finds");
        found.expect("is there")
    }

    /// Ends the process in the middle of whatever it does.
    async fn killed(self) -> TempDir {
        drop(self.process);
        let House {
            directory,
            store,
            engine,
            gateway,
        } = self.house;
        drop((engine, gateway, self.carrier));
        let began = std::time::Instant::now();
        while Arc::strong_count(&store) > 1 && began.elapsed() < PATIENCE {
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(Arc::strong_count(&store), 1, "the engine is gone");
        drop(store);
        directory
    }
}

fn ended(answer: Result<Challenge, CheckError>) -> Reason {
    match answer {
        Err(CheckError::Ended(challenge)) => challenge.state().reason().expect("ended"),
        other => panic!("{other:?}"),
    }
}

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
        time_to_live: Some(Duration::from_millis(600)),
        ..sms()
    };
    let (id, _, right) = house.texted(brief).await;
    house.house.store.break_(true);
    let engine = house.engine().clone();
    let entered = code(&right);
    let waiting = tokio::spawn(async move { engine.check(&tenant(), id, entered).await });
    sleep(Duration::from_millis(800)).await;
    house.house.store.break_(false);
    assert_eq!(ended(waiting.await.expect("answers")), Reason::TimedOut);
    assert_eq!(
        house.house.outcome(id).await,
        State::Ended(Reason::TimedOut)
    );
}

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
        time_to_live: Some(Duration::from_millis(1500)),
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
async fn a_text_is_sent_again_with_the_same_code_not_at_once_and_not_without_end() {
    let mut house = text_house().await;
    let (id, first, right) = house.texted(sms()).await;
    let again = house.engine().resend(&tenant(), id).await;
    assert!(matches!(again, Err(ResendError::TooSoon(wait)) if wait <= policy().resend_after));
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
                    time_to_live: Some(Duration::from_millis(1500)),
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
    assert_eq!(house.engine.metrics.open.get(), 0);
}

#[test]
fn no_text_that_failed_has_two_reasons() {
    let reasons: HashSet<Reason> = Unsent::ALL.map(Unsent::reason).into_iter().collect();
    assert_eq!(reasons.len(), Unsent::ALL.len());
}
