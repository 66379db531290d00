//! Engine: accepts challenges, hands them to gateways, applies outcomes.
//!
//! One task owns every open challenge; nothing else touches them, so there is no lock and no
//! race that is not decided by the order in which that task hears of things. Callers reach it
//! through an [`EngineHandle`]; the gateway through two bounded channels.
//!
//! What can be seen from outside is always durable. An event changes what the engine has
//! *decided*; only when the store has answered does it change what the engine *tells*. An approval
//! that could not be written was never visible, and is given up when the challenge expires.

mod begin;
mod follow;
mod handle;
mod metrics;
mod open;
mod task;
#[cfg(test)]
mod tests;

pub use begin::{Accepted, Begin, BeginError};
pub use follow::Follow;
pub use handle::{CancelError, EngineError, EngineHandle, Health, WaitError};
pub use metrics::Metrics;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc, watch};

use self::task::Task;
use crate::dialplan::Dialplan;
use crate::guard::Guard;
use crate::store::{Retention, Store, StoreError};
use crate::voice::order::{Command, Report};

/// The shortest life of a challenge that may be asked for: less than a phone rings.
pub const SHORTEST_LIFE: Duration = Duration::from_secs(30);
/// The longest life of a challenge.
pub const LONGEST_LIFE: Duration = Duration::from_secs(600);

/// Requests that may wait for the engine's task.
const REQUESTS: usize = 1024;

/// What an operator decides about challenges, as configured under `[challenge]`.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The life of a challenge that names none; at most [`LONGEST_LIFE`], whatever is said here.
    pub time_to_live: Duration,
    /// Most challenges open at once.
    pub max_open: usize,
    /// Most requests waiting for outcomes at once, long polls and event streams together.
    pub max_waiting: usize,
    /// Most requests waiting for one challenge.
    pub max_waiting_each: usize,
    /// The locales that there are prompts for.
    pub locales: Vec<Arc<str>>,
    /// How long things are kept.
    pub retention: Retention,
    /// How often what is no longer kept is looked for.
    pub purge_every: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            time_to_live: Duration::from_secs(120),
            max_open: 10_000,
            max_waiting: 20_000,
            max_waiting_each: 8,
            locales: vec!["en-GB".into()],
            retention: Retention::default(),
            purge_every: Duration::from_secs(3600),
        }
    }
}

/// The engine; [`Engine::start`] is all there is to it.
#[derive(Debug)]
pub struct Engine;

impl Engine {
    /// Ends what a forerunner left open, and starts the engine's task on the current runtime.
    ///
    /// # Errors
    /// If the store cannot be used.
    pub async fn start(
        config: EngineConfig,
        store: Arc<dyn Store>,
        dialplan: Arc<Dialplan>,
        guard: Guard,
        commands: mpsc::Sender<Command>,
        reports: mpsc::Receiver<Report>,
        metrics: Metrics,
    ) -> Result<EngineHandle, StoreError> {
        let unfinished = store.end_unfinished(Timestamp::now()).await?;
        if unfinished.expired + unfinished.interrupted > 0 {
            tracing::warn!(
                expired = unfinished.expired,
                interrupted = unfinished.interrupted,
                "ended challenges that an earlier run left open"
            );
        }
        let (requests, asked) = mpsc::channel(REQUESTS);
        let (health, healthy) = watch::channel(Health {
            store: true,
            gateway: !commands.is_closed(),
            draining: false,
        });
        let waiting = Arc::new(Semaphore::new(config.max_waiting));
        let task = Task::new(
            config,
            Arc::clone(&store),
            dialplan,
            guard,
            commands,
            health,
            metrics.clone(),
        );
        tokio::spawn(task.run(asked, reports));
        Ok(EngineHandle {
            requests,
            store,
            health: healthy,
            waiting,
            metrics,
        })
    }
}
