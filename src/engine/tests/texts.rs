//! Challenges by text, with a texting gateway that the test plays.

mod checks;
mod lives;
mod receipts;
mod resends;

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
        records_broken: AtomicBool::new(false),
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
    async fn killed(mut self) -> TempDir {
        // Before the gateways go: a killed engine sees nothing of that.
        if let Some(runtime) = self.process.0.take() {
            let killed = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE));
            killed.await.expect("the engine's runtime ends");
        }
        let House {
            directory,
            store,
            engine,
            gateway,
        } = self.house;
        // The engine is to hear of nothing any more: handle and gateways live until it is gone.
        let began = std::time::Instant::now();
        while Arc::strong_count(&store) > 2 && began.elapsed() < PATIENCE {
            sleep(Duration::from_millis(5)).await;
        }
        drop((engine, gateway, self.carrier));
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
