//! Engine: accepts challenges, hands them to gateways, applies outcomes.
//!
//! One task owns every open challenge; nothing else touches them, so there is no lock and no
//! race that is not decided by the order in which that task hears of things. Callers reach it
//! through an [`EngineHandle`]; the gateway through two bounded channels.
//!
//! What can be seen from outside is always durable. An event changes what the engine has
//! *decided*; only when the store has answered does it change what the engine *tells*. An approval
//! that could not be written was never visible, and is given up when the challenge expires. A code
//! that is entered is judged in the order in which codes come, the attempt is written, and only then
//! is it answered: whoever kills the process between two attempts gains none.

mod begin;
mod follow;
mod handle;
mod metrics;
mod open;
mod task;
#[cfg(test)]
mod tests;
mod texts;

pub use begin::{Accepted, Begin, BeginError, TextWishes};
pub use follow::Follow;
pub use handle::{
    CancelError, CheckError, EngineError, EngineHandle, Health, ResendError, WaitError,
};
pub use metrics::Metrics;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc, watch};

use self::task::Task;
use crate::challenge::{Attempts, CodeLength};
use crate::dialplan::{Dialplan, Refusal, TextRoute};
use crate::guard::Guard;
use crate::phone::PhoneNumber;
use crate::sms::dispatch;
use crate::store::{Retention, Store, StoreError};
use crate::voice::order::{Command, Report};
use crate::wording::Wording;

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
    /// What is decided about texts.
    pub text: TextPolicy,
}

/// What an operator decides about challenges by text, as configured under `[text]`.
#[derive(Debug, Clone)]
pub struct TextPolicy {
    /// What texts say.
    pub wording: Arc<Wording>,
    /// How many wrong codes end a challenge.
    pub attempts: Attempts,
    /// How many digits a code has if the request does not say.
    pub code_length: CodeLength,
    /// The life of a challenge that names none; at most [`LONGEST_LIFE`], whatever is said here.
    pub time_to_live: Duration,
    /// How long after a text the next of the same challenge may be.
    pub resend_after: Duration,
    /// How often the text of a challenge may be sent again.
    pub resends: u8,
    /// Whether a challenge ends when the carrier says that its text will not arrive. Carriers are
    /// not always right.
    pub end_undeliverable: bool,
    /// How long the receipts of a text are awaited, across restarts.
    pub await_receipts: Duration,
}

impl Default for TextPolicy {
    fn default() -> Self {
        TextPolicy {
            wording: Arc::default(),
            attempts: Attempts::default(),
            code_length: CodeLength::default(),
            time_to_live: Duration::from_secs(300),
            resend_after: Duration::from_secs(30),
            resends: 3,
            end_undeliverable: false,
            await_receipts: Duration::from_secs(24 * 3600),
        }
    }
}

/// The ends of the channels to the gateway of calls.
#[derive(Debug)]
pub struct VoiceGateway {
    /// What it is asked.
    pub commands: mpsc::Sender<Command>,
    /// What it reports.
    pub reports: mpsc::Receiver<Report>,
}

/// Tells the ways that a text to a number may go.
pub type TextRouter = Arc<dyn Fn(&PhoneNumber) -> Result<TextRoute, Refusal> + Send + Sync>;

/// The ends of the channels to the gateway of texts, and what leads texts to it.
pub struct TextGateway {
    /// What it is asked.
    pub commands: mpsc::Sender<dispatch::Command>,
    /// What it reports.
    pub reports: mpsc::Receiver<dispatch::Report>,
    /// Asked once for each challenge.
    pub route: TextRouter,
}

impl std::fmt::Debug for TextGateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextGateway").finish_non_exhaustive()
    }
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
            text: TextPolicy::default(),
        }
    }
}

/// The engine; [`Engine::start`] is all there is to it.
#[derive(Debug)]
pub struct Engine;

impl Engine {
    /// Ends what a forerunner left open, or takes it over where the text has left and its code can
    /// be checked, and starts the engine's task on the current runtime. Without a gateway of texts,
    /// challenges by text are refused.
    ///
    /// # Errors
    /// If the store cannot be used.
    pub async fn start(
        config: EngineConfig,
        store: Arc<dyn Store>,
        dialplan: Arc<Dialplan>,
        guard: Guard,
        gateways: (VoiceGateway, Option<TextGateway>),
        metrics: Metrics,
    ) -> Result<EngineHandle, StoreError> {
        let now = Timestamp::now();
        let unfinished = store.end_unfinished(now).await?;
        let standing = store.standing().await?;
        if unfinished.expired + unfinished.interrupted > 0 {
            tracing::warn!(
                expired = unfinished.expired,
                interrupted = unfinished.interrupted,
                "ended challenges that an earlier run left open"
            );
        }
        if !standing.is_empty() {
            let texts = standing.len();
            tracing::info!(
                texts,
                "took over challenges whose text an earlier run had sent"
            );
        }
        let (requests, asked) = mpsc::channel(REQUESTS);
        let (health, healthy) = watch::channel(Health {
            store: true,
            gateway: !gateways.0.commands.is_closed(),
            texting: gateways.1.as_ref().map(|texts| !texts.commands.is_closed()),
            draining: false,
        });
        let waiting = Arc::new(Semaphore::new(config.max_waiting));
        let (mut task, reports) = Task::new(
            config,
            Arc::clone(&store),
            dialplan,
            guard,
            gateways,
            health,
            metrics.clone(),
        );
        task.resume(standing, now);
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
