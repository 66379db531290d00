//! Durable cycles a second: a challenge is created, moves on (answered) and is verified
//! (approved), each of the three durable before the next, with 16, 64 and 256 waiting at once.
//!
//! Three ways in the same run, on the same disk, with the same schema and settings:
//! - `bare`: one thread and rusqlite alone, transactions filled by hand with one step of
//!   everyone who waits. No queue, no task, no encryption: what SQLite itself can do.
//! - `store`: `Store` as the engine uses it, its numbers sealed.
//! - `engine`: whole, from `begin` to the approval that a waiting caller sees; six lines of log
//!   for each challenge in place of three.
//!
//! Beside them the cycles a second of processor time, which a busy machine disturbs less.
//!
//! `cargo bench --bench store [-- SECONDS]`

#[path = "../tests/gateway/mod.rs"]
mod gateway;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::Gateway;
use jiff::Timestamp;
use nix::sys::resource::{UsageWho, getrusage};
use ringtrue::challenge::{
    Attempts, Challenge, Channel, Details, Event, Purpose, Reason, State, Step, Tenant,
};
use ringtrue::engine::{Begin, Engine, EngineConfig, Metrics, TextWishes, VoiceGateway};
use ringtrue::phone::PhoneNumber;
use ringtrue::store::{self, Begun, Haste, NewChallenge, Recorded, Sqlite, Store, Use};
use rusqlite::{Connection, params};
use uuid::Uuid;

const ROUNDS: usize = 3;

fn main() -> anyhow::Result<()> {
    // `cargo bench` passes `--bench`.
    let seconds = std::env::args().skip(1).find_map(|arg| arg.parse().ok());
    let time = Duration::from_secs_f64(seconds.unwrap_or(3.0));
    println!(
        "durable cycles a second, and a second of processor time; best of {ROUNDS}, {time:?} each\n"
    );
    println!(
        "{:>8} {:>17} {:>17} {:>17}",
        "waiting", "bare", "store", "engine"
    );
    for waiting in [16, 64, 256] {
        let mut best = [Rate::default(); 3];
        for _ in 0..ROUNDS {
            for (best, way) in best.iter_mut().zip(0..) {
                let before = processor_time()?;
                let began = Instant::now();
                let cycles = match way {
                    0 => bare(waiting, time)?,
                    1 => runtime()?.block_on(through_store(waiting, time))?,
                    _ => runtime()?.block_on(through_engine(waiting, time))?,
                };
                best.improve(Rate {
                    wall: cycles / began.elapsed().as_secs_f64(),
                    processor: cycles / (processor_time()? - before),
                });
            }
        }
        let [bare, store, engine] = best.map(|rate| rate.to_string());
        println!("{waiting:>8} {bare:>17} {store:>17} {engine:>17}");
    }
    Ok(())
}

#[derive(Clone, Copy, Default)]
struct Rate {
    wall: f64,
    processor: f64,
}

impl Rate {
    fn improve(&mut self, other: Rate) {
        self.wall = self.wall.max(other.wall);
        self.processor = self.processor.max(other.processor);
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} / {:.0}", self.wall, self.processor)
    }
}

/// Seconds that this process has used of processors, its own and the system's for it.
fn processor_time() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

fn open(directory: &Path) -> anyhow::Result<Sqlite> {
    let path = directory.join("ringtrue.db");
    let key = directory.join("key");
    Ok(Sqlite::open(
        &path,
        &key,
        Use::Engine,
        store::Metrics::default(),
    )?)
}

fn number() -> anyhow::Result<PhoneNumber> {
    Ok(PhoneNumber::parse("+442079460958")?)
}

fn details(number: &PhoneNumber) -> anyhow::Result<Details> {
    let now = Timestamp::from_millisecond(Timestamp::now().as_millisecond())?;
    Ok(Details {
        id: Uuid::now_v7(),
        tenant: Tenant::default(),
        subject: None,
        purpose: Purpose::SignIn,
        channel: Channel::Voice,
        to: Some(number.masked().into()),
        locale: "en-GB".into(),
        created: now,
        expires: now + Duration::from_secs(120),
        attempts: Attempts::default(),
    })
}

fn bare(waiting: usize, time: Duration) -> anyhow::Result<f64> {
    let directory = tempfile::tempdir()?;
    drop(open(directory.path())?);
    let connection = Connection::open(directory.path().join("ringtrue.db"))?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA cache_size = -32768;
         PRAGMA wal_autocheckpoint = 4000;",
    )?;
    let mut insert = connection.prepare(
        "INSERT INTO challenge (id, tenant, subject, purpose, channel, number, number_hash, masked,
             locale, created, expires, status, reason, ended, seq)
         VALUES (?1, 'default', NULL, 'sign_in', 'voice', ?2, ?3, '+44********58', 'en-GB', ?4, ?5,
             'queued', NULL, NULL, 1)",
    )?;
    let mut update = connection.prepare(
        "UPDATE challenge SET status = ?2, reason = ?3, ended = ?4, seq = ?5
         WHERE id = ?1 AND ended IS NULL",
    )?;
    let mut entry = connection
        .prepare("INSERT INTO entry (challenge, seq, at, what) VALUES (?1, ?2, ?3, ?4)")?;
    let (sealed, hash) = ([7u8; 57], [7u8; 32]);
    let began = Instant::now();
    let mut cycles = 0;
    while began.elapsed() < time {
        let ids: Vec<Uuid> = (0..waiting).map(|_| Uuid::now_v7()).collect();
        let now = Timestamp::now().as_millisecond();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for id in &ids {
            let id = id.as_bytes();
            insert.execute(params![id, sealed, hash, now, now + 120_000])?;
            entry.execute(params![id, 1, now, "queued"])?;
        }
        connection.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
        for id in &ids {
            let id = id.as_bytes();
            update.execute(params![id, "answered", None::<&str>, None::<i64>, 2])?;
            entry.execute(params![id, 2, now, "answered"])?;
        }
        connection.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
        for id in &ids {
            let id = id.as_bytes();
            update.execute(params![id, "approved", "key_pressed", now, 3])?;
            entry.execute(params![id, 3, now, "key_pressed"])?;
        }
        connection.execute_batch("COMMIT")?;
        cycles += waiting;
    }
    Ok(cycles as f64)
}

async fn through_store(waiting: usize, time: Duration) -> anyhow::Result<f64> {
    let directory = tempfile::tempdir()?;
    let store = Arc::new(open(directory.path())?);
    let number = number()?;
    let began = Instant::now();
    let tasks: Vec<_> = (0..waiting)
        .map(|_| {
            let (store, number) = (Arc::clone(&store), number.clone());
            tokio::spawn(async move {
                let mut cycles = 0;
                while began.elapsed() < time {
                    store_cycle(&store, &number).await?;
                    cycles += 1;
                }
                anyhow::Ok(cycles)
            })
        })
        .collect();
    let mut cycles = 0;
    for task in tasks {
        cycles += task.await??;
    }
    Ok(f64::from(cycles))
}

async fn store_cycle(store: &Sqlite, number: &PhoneNumber) -> anyhow::Result<()> {
    let (mut challenge, entry) = Challenge::begin(details(number)?);
    let begun = store
        .begin(NewChallenge {
            challenge: challenge.clone(),
            entry,
            number: number.clone(),
            idempotency: None,
            code: None,
        })
        .await?;
    anyhow::ensure!(begun == Begun::New, "a new challenge");
    for event in [Event::Answered, Event::Ended(Reason::KeyPressed)] {
        let now = challenge.details().created;
        let Step::Noted(entry) = challenge.apply(event, now) else {
            anyhow::bail!("{event:?} was ignored");
        };
        let recorded = store
            .record(challenge.clone(), vec![entry], Haste::Now)
            .await?;
        anyhow::ensure!(recorded == Recorded::Yes, "recorded");
    }
    Ok(())
}

async fn through_engine(waiting: usize, time: Duration) -> anyhow::Result<f64> {
    let directory = tempfile::tempdir()?;
    let (gateway, commands, reports) = Gateway::new(1024);
    let engine = Engine::start(
        EngineConfig::default(),
        Arc::new(open(directory.path())?),
        Arc::new(gateway::plan()),
        gateway::guard(),
        (VoiceGateway { commands, reports }, None),
        Metrics::default(),
    )
    .await?;
    tokio::spawn(gateway.approve_all());
    let number = number()?;
    let began = Instant::now();
    let tasks: Vec<_> = (0..waiting)
        .map(|_| {
            let (engine, number) = (engine.clone(), number.clone());
            tokio::spawn(async move {
                let tenant = Tenant::default();
                let mut cycles = 0;
                while began.elapsed() < time {
                    let begin = Begin {
                        tenant: tenant.clone(),
                        to: number.clone(),
                        channel: Channel::Voice,
                        purpose: Purpose::SignIn,
                        subject: None,
                        locale: None,
                        time_to_live: None,
                        idempotency_key: None,
                        text: TextWishes::default(),
                    };
                    let id = engine.begin(begin).await?.challenge.details().id;
                    let ended = engine.wait(&tenant, id, Duration::from_secs(60)).await?;
                    let ended = ended.map(|challenge| challenge.state());
                    anyhow::ensure!(ended == Some(State::Ended(Reason::KeyPressed)), "{ended:?}");
                    cycles += 1;
                }
                anyhow::Ok(cycles)
            })
        })
        .collect();
    let mut cycles = 0;
    for task in tasks {
        cycles += task.await??;
    }
    Ok(f64::from(cycles))
}
