//! Beginning a challenge: what is asked, what is answered, and why it may be refused.

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::handle::EngineError;
use crate::challenge::{Challenge, Channel, Purpose, Subject, Tenant};
use crate::dialplan;
use crate::guard;
use crate::phone::PhoneNumber;
use crate::store::{Idempotency, StoreError};

/// A challenge that is asked for.
#[derive(Debug, Clone)]
pub struct Begin {
    /// Who asks.
    pub tenant: Tenant,
    /// Whom to reach.
    pub to: PhoneNumber,
    /// How.
    pub channel: Channel,
    /// What the person is asked to confirm.
    pub purpose: Purpose,
    /// The identity provider's name for the person.
    pub subject: Option<Subject>,
    /// The locale of what the person hears; `None` leaves it to the dialplan.
    pub locale: Option<Arc<str>>,
    /// How long the challenge lives; `None` leaves it to the configuration.
    pub time_to_live: Option<Duration>,
    /// The key that tells a repeated request from a new one.
    pub idempotency_key: Option<Zeroizing<String>>,
}

impl Begin {
    /// The idempotency key with all that was asked, each part preceded by its length, so that two
    /// requests are the same bytes only if they ask the same.
    pub(super) fn idempotency(&self) -> Option<Idempotency> {
        let key = self.idempotency_key.clone()?;
        let seconds = self.time_to_live.map(|life| life.as_secs().to_string());
        let mut request = Zeroizing::new(Vec::with_capacity(384));
        for part in [
            Some(self.to.e164()),
            Some(self.channel.name()),
            Some(self.purpose.name()),
            self.subject.as_ref().map(Subject::as_str),
            self.locale.as_deref(),
            seconds.as_deref(),
        ] {
            match part {
                Some(part) => {
                    request.extend_from_slice(&(part.len() as u64).to_be_bytes());
                    request.extend_from_slice(part.as_bytes());
                }
                None => request.extend_from_slice(&u64::MAX.to_be_bytes()),
            }
        }
        Some(Idempotency { key, request })
    }
}

/// A challenge that was begun.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// As the store confirmed it.
    pub challenge: Challenge,
    /// Whether an earlier request with the same idempotency key had begun it.
    pub replayed: bool,
}

/// Why a challenge was not begun.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BeginError {
    /// The dialplan says no.
    #[error("the dialplan refuses the number: {0}")]
    Refused(dialplan::Refusal),
    /// A limit says not now.
    #[error("a limit was reached: {0}")]
    Limited(guard::Refusal),
    /// There are no prompts for the locale; these there are.
    #[error("there are no prompts for this locale")]
    Locale(Vec<Arc<str>>),
    /// The idempotency key came with another request before.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// Too many challenges are open.
    #[error("too many challenges are open")]
    Full,
    /// The engine is being shut down.
    #[error("the engine is being shut down")]
    Draining,
    /// The gateway has stopped.
    #[error("the voice gateway has stopped")]
    NoGateway,
    /// The engine could not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<StoreError> for BeginError {
    fn from(error: StoreError) -> Self {
        BeginError::Engine(EngineError::Store(error))
    }
}

impl BeginError {
    /// One word for metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            BeginError::Refused(_) => "refused",
            BeginError::Limited(_) => "limited",
            BeginError::Locale(_) => "locale_not_available",
            BeginError::KeyReused => "idempotency_key_reused",
            BeginError::Full => "full",
            BeginError::Draining => "draining",
            BeginError::NoGateway => "no_gateway",
            BeginError::Engine(EngineError::Store(_)) => "store_unavailable",
            BeginError::Engine(EngineError::Stopped) => "stopped",
        }
    }
}
