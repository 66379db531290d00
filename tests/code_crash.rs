//! A process that checks codes is killed with SIGKILL between attempts, again and again. No kill
//! gives an attempt back, and the right code still approves, once.

mod carrier;
mod gateway;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use carrier::{Carrier, another, code_of, sent};
use gateway::Gateway;
use ringtrue::challenge::{Channel, OneTimeCode, Purpose, Reason, State, Status, Tenant, What};
use ringtrue::engine::{
    Begin, CheckError, Engine, EngineConfig, EngineHandle, Metrics, TextWishes, VoiceGateway,
};
use ringtrue::phone::PhoneNumber;
use ringtrue::sms::dispatch;
use ringtrue::store::{self, Sqlite, Store, Use};
use uuid::Uuid;

const DIRECTORY: &str = "RINGTRUE_CODE_CRASH_DIRECTORY";
const KILLS: usize = 8;
const CHALLENGES: usize = 24;
/// Lines of a process's report after which it is killed.
const LINES: usize = 6;

async fn start(directory: &Path) -> (EngineHandle, Carrier, Gateway) {
    let path = directory.join("ringtrue.db");
    let key = directory.join("key");
    let store = Sqlite::open(&path, &key, Use::Engine, store::Metrics::default());
    let store: Arc<dyn Store> = Arc::new(store.expect("opens"));
    let (gateway, commands, reports) = Gateway::new(64);
    let plan = gateway::plan();
    let (carrier, texts) = Carrier::new(&plan);
    let mut config = EngineConfig::default();
    config.text.time_to_live = Duration::from_secs(600);
    let engine = Engine::start(
        config,
        store,
        Arc::new(plan),
        gateway::guard(),
        (VoiceGateway { commands, reports }, Some(texts)),
        Metrics::default(),
    );
    (engine.await.expect("starts"), carrier, gateway)
}

fn begin(n: usize) -> Begin {
    Begin {
        tenant: Tenant::default(),
        to: PhoneNumber::parse(&format!("+4479111{:05}", 23000 + n)).expect("a number"),
        channel: Channel::Sms,
        purpose: Purpose::SignIn,
        subject: None,
        locale: None,
        time_to_live: None,
        idempotency_key: None,
        text: TextWishes::default(),
    }
}

/// The challenges that processes before this one began, and their codes.
fn known(directory: &Path) -> BTreeMap<Uuid, String> {
    let text = fs::read_to_string(directory.join("codes")).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(id, code)| (id.parse().expect("an id"), code.to_owned()))
        .collect()
}

/// The victim: wrong codes without end, each answer told as soon as it is there.
async fn run_until_killed(directory: &Path) {
    let (engine, mut carrier, _gateway) = start(directory).await;
    let mut challenges = known(directory);
    let mut codes = OpenOptions::new()
        .create(true)
        .append(true)
        .open(directory.join("codes"))
        .expect("opens");
    for n in challenges.len()..CHALLENGES {
        let accepted = engine.begin(begin(n)).await.expect("begins");
        let id = accepted.challenge.details().id;
        let dispatch = carrier.dispatched().await;
        carrier.tell(dispatch.text, sent()).await;
        loop {
            let found = engine.find(&Tenant::default(), id).await.expect("finds");
            if found.is_some_and(|c| c.state().status() == Status::Sent) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let code = code_of(&dispatch);
        codes
            .write_all(format!("{id} {code}\n").as_bytes())
            .expect("writes");
        challenges.insert(id, code);
    }
    // One after another, and each process beginning elsewhere, so that a kill meets some challenges
    // between two attempts and others before the first.
    let first = std::process::id() as usize;
    let attempts = challenges.iter().enumerate().map(|(n, (id, code))| {
        let engine = engine.clone();
        let turn = (n + first) % CHALLENGES;
        async move {
            tokio::time::sleep(Duration::from_millis(12 * turn as u64)).await;
            for n in 0.. {
                let wrong = OneTimeCode::parse(&another(code, n)).expect("a code");
                match engine.check(&Tenant::default(), *id, wrong).await {
                    Err(CheckError::Wrong { left }) => tell(&format!("wrong {id} {left}")),
                    Err(CheckError::Ended(_)) => return tell(&format!("over {id} 0")),
                    other => panic!("{other:?}"),
                }
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        }
    });
    futures_util::future::join_all(attempts).await;
    // All are over: to be killed in its sleep.
    tell("done - 0");
    tokio::time::sleep(Duration::from_secs(60)).await;
    // The texting gateway's ends live as long as the process.
    drop(carrier);
}

fn tell(line: &str) {
    // One write a line, so that a kill cuts no line in two.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("{line}\n").as_bytes());
    let _ = out.flush();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

#[test]
fn no_kill_gives_an_attempt_back() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        runtime().block_on(run_until_killed(Path::new(&directory)));
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let mut told: HashMap<Uuid, Vec<u8>> = HashMap::new();
    let mut over = 0;
    for _ in 0..KILLS {
        let this = std::env::current_exe().expect("this program");
        let mut victim = Command::new(this)
            .args(["no_kill_gives_an_attempt_back", "--exact", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("starts");
        let out = BufReader::new(victim.stdout.take().expect("its output"));
        let mut lines = 0;
        for line in out.lines().map_while(Result::ok) {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["wrong", id, left] => {
                    let left = left.parse().expect("a number");
                    told.entry(id.parse().expect("an id"))
                        .or_default()
                        .push(left);
                }
                ["over", ..] => over += 1,
                ["done", ..] => lines += LINES,
                // What the test harness says.
                _ => continue,
            }
            lines += 1;
            if lines >= LINES {
                // SIGKILL; what it had written to the pipe by then is still read.
                victim.kill().expect("is killed");
            }
        }
        let status = victim.wait().expect("is gone");
        assert!(!status.success(), "it was killed, it did not end");
    }
    let codes = known(directory.path());
    assert_eq!(codes.len(), CHALLENGES);
    for (id, left) in &told {
        // Each answer had fewer left than the one before, whichever process gave it: had a kill
        // given an attempt back, a number would come twice.
        assert!(left.windows(2).all(|w| w[0] > w[1]), "{id}: {left:?}");
        assert!(left.len() <= 4, "{id}: {left:?}");
    }
    runtime().block_on(async {
        let (engine, mut carrier, _gateway) = start(directory.path()).await;
        let mut approved = 0;
        for (id, code) in &codes {
            let found = engine.find(&Tenant::default(), *id).await.expect("finds");
            let found = found.expect("what was told is there");
            let told = told.get(id).map_or(&[][..], Vec::as_slice);
            let wrong = found.life().wrong();
            assert!(
                usize::from(wrong) >= told.len(),
                "{id}: an attempt was lost"
            );
            let right = || OneTimeCode::parse(code).expect("a code");
            let checked = engine.check(&Tenant::default(), *id, right()).await;
            match found.state() {
                State::Open(_) => {
                    assert!(wrong < 5);
                    assert!(checked.is_ok(), "{checked:?}");
                    approved += 1;
                }
                State::Ended(reason) => {
                    assert_eq!((reason, wrong), (Reason::TooManyAttempts, 5));
                    assert!(matches!(checked, Err(CheckError::Ended(_))), "{checked:?}");
                }
            }
            let again = engine.check(&Tenant::default(), *id, right()).await;
            assert!(matches!(again, Err(CheckError::Ended(_))), "approved once");
            let log = engine.store().log(*id, 0).await.expect("reads");
            assert!(log.iter().zip(1..).all(|(entry, n)| entry.seq == n));
            let noted = log.iter().filter(|entry| {
                let last = What::Ended(Reason::TooManyAttempts);
                matches!(entry.what, What::WrongCode { .. }) || entry.what == last
            });
            assert_eq!(noted.count(), usize::from(wrong));
        }
        assert!(
            !matches!(carrier.commands.try_recv(), Ok(dispatch::Command::Send(_))),
            "nobody was texted again"
        );
        println!(
            "{} answers, {over} over, {approved} approved",
            told.values().map(Vec::len).sum::<usize>()
        );
        assert!(
            approved > 0 && told.len() > 1,
            "too little to test anything"
        );
    });
}
