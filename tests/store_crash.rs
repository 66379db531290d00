//! A process that runs challenges is killed with SIGKILL under load, again and again, on one
//! database. Whatever it had acknowledged is there afterwards, what it had approved is approved,
//! and nothing is left open.

mod gateway;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::Gateway;
use ringtrue::challenge::{Channel, Purpose, Reason, State, Tenant, What};
use ringtrue::engine::{
    Begin, Engine, EngineConfig, EngineHandle, Metrics, TextWishes, VoiceGateway,
};
use ringtrue::phone::PhoneNumber;
use ringtrue::store::{self, Sqlite, Store, Use};
use uuid::Uuid;
use zeroize::Zeroizing;

const DIRECTORY: &str = "RINGTRUE_CRASH_DIRECTORY";
const KILLS: u64 = 6;
const CLIENTS: usize = 48;

fn open(directory: &Path) -> Arc<dyn Store> {
    let path = directory.join("ringtrue.db");
    let key = directory.join("key");
    let store = Sqlite::open(&path, &key, Use::Engine, store::Metrics::default());
    Arc::new(store.expect("opens"))
}

async fn start(directory: &Path) -> (EngineHandle, Gateway) {
    let (gateway, commands, reports) = Gateway::new(256);
    let engine = Engine::start(
        EngineConfig::default(),
        open(directory),
        Arc::new(gateway::plan()),
        gateway::guard(),
        (VoiceGateway { commands, reports }, None),
        Metrics::default(),
    );
    (engine.await.expect("starts"), gateway)
}

/// The victim: challenges without end, each outcome told on standard output as soon as it is
/// acknowledged.
async fn run_until_killed(directory: &Path) {
    let (engine, gateway) = start(directory).await;
    tokio::spawn(gateway.approve_all());
    let tell = |line: String| {
        // One write a line, so that a kill cuts no line in two.
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(format!("{line}\n").as_bytes());
        let _ = out.flush();
    };
    let clients = (0..CLIENTS).map(|client| {
        let engine = engine.clone();
        async move {
            for n in 0u64.. {
                let key = format!("{}-{client}-{n}", std::process::id());
                let accepted = engine.begin(begin(&key)).await.expect("begins");
                let id = accepted.challenge.details().id;
                tell(format!("begun {id} {key}"));
                if n % 3 == 0 {
                    // Left for the crash, or for whatever comes first.
                    continue;
                }
                let patience = Duration::from_secs(60);
                let ended = engine.wait(&Tenant::default(), id, patience).await;
                if let Some(ended) = ended.expect("waits")
                    && ended.state() == State::Ended(Reason::KeyPressed)
                {
                    tell(format!("approved {id}"));
                }
            }
        }
    });
    futures_util::future::join_all(clients).await;
}

fn begin(key: &str) -> Begin {
    Begin {
        tenant: Tenant::default(),
        to: PhoneNumber::parse("+442079460958").expect("a number"),
        channel: Channel::Voice,
        purpose: Purpose::SignIn,
        subject: None,
        locale: None,
        time_to_live: None,
        idempotency_key: Some(Zeroizing::new(key.to_owned())),
        text: TextWishes::default(),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

#[test]
fn what_was_acknowledged_survives_every_kill() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        runtime().block_on(run_until_killed(Path::new(&directory)));
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let mut begun: HashMap<Uuid, String> = HashMap::new();
    let mut approved: HashSet<Uuid> = HashSet::new();
    for kill in 0..KILLS {
        let this = std::env::current_exe().expect("this program");
        let mut victim = Command::new(this)
            .args([
                "what_was_acknowledged_survives_every_kill",
                "--exact",
                "--nocapture",
            ])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("starts");
        let out = BufReader::new(victim.stdout.take().expect("its output"));
        // Killed at a different moment of its work each time: 20 to 220 ms after it began.
        let mut killed_at: Option<Instant> = None;
        let wait = Duration::from_millis(20 + 40 * kill);
        let before = begun.len();
        for line in out.lines().map_while(Result::ok) {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["begun", id, key] => {
                    begun.insert(id.parse().expect("an id"), key.to_owned());
                }
                ["approved", id] => {
                    approved.insert(id.parse().expect("an id"));
                }
                // What the test harness says.
                _ => continue,
            }
            let at = *killed_at.get_or_insert_with(|| Instant::now() + wait);
            if Instant::now() >= at {
                // SIGKILL; what it had written to the pipe by then is still read.
                victim.kill().expect("is killed");
            }
        }
        let status = victim.wait().expect("is gone");
        assert!(!status.success(), "it was killed, it did not end");
        assert!(begun.len() > before, "it did something");
        check(directory.path(), &begun, &approved);
    }
    assert!(approved.len() > 20, "{} approved", approved.len());
}

fn check(directory: &Path, begun: &HashMap<Uuid, String>, approved: &HashSet<Uuid>) {
    let (total, open) = {
        let path = directory.join("ringtrue.db");
        let database = rusqlite::Connection::open(path).expect("opens");
        let whole: String = database
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .expect("checks");
        assert_eq!(whole, "ok");
        let count = |sql| -> i64 {
            database
                .query_row(sql, [], |row| row.get(0))
                .expect("counts")
        };
        (
            count("SELECT count(*) FROM challenge"),
            count("SELECT count(*) FROM challenge WHERE ended IS NULL"),
        )
    };
    assert!(total >= begun.len() as i64);
    let mut ends: HashMap<Reason, usize> = HashMap::new();
    runtime().block_on(async {
        let (engine, mut gateway) = start(directory).await;
        for (id, key) in begun {
            let found = engine.find(&Tenant::default(), *id).await.expect("finds");
            let found = found.unwrap_or_else(|| panic!("{id} was acknowledged and is lost"));
            let State::Ended(reason) = found.state() else {
                panic!("{id} is in limbo: {:?}", found.state());
            };
            if approved.contains(id) {
                assert_eq!(reason, Reason::KeyPressed, "{id} was approved");
            }
            assert!(
                matches!(reason, Reason::KeyPressed | Reason::Interrupted),
                "{reason:?}"
            );
            let log = engine.store().log(*id, 0).await.expect("reads");
            assert!(log.iter().zip(1..).all(|(entry, n)| entry.seq == n));
            assert_eq!(
                log.last().map(|entry| entry.what),
                Some(What::Ended(reason))
            );
            *ends.entry(reason).or_default() += 1;
            // A client that repeats its request after the crash is led to the same challenge.
            if ends[&reason] < 20 {
                let again = engine.begin(begin(key)).await.expect("replays");
                assert!(again.replayed);
                assert_eq!(again.challenge.details().id, *id);
            }
        }
        assert!(
            gateway.commands.try_recv().is_err(),
            "nobody was called again"
        );
        engine.shutdown(Duration::ZERO).await;
    });
    println!(
        "{total} kept, {open} open at the kill, {} acknowledged: {ends:?}",
        begun.len()
    );
}
