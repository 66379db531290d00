//! Beginning a challenge: what is asked, what is answered, and why it may be refused.

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::handle::EngineError;
use crate::challenge::{Challenge, Channel, CodeLength, Purpose, Subject, Tenant};
use crate::dialplan;
use crate::guard;
use crate::phone::PhoneNumber;
use crate::store::{Idempotency, StoreError};
use crate::wording::{Mark, WordingError};

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
    /// The locale of what the person hears or reads; `None` leaves it to the dialplan.
    pub locale: Option<Arc<str>>,
    /// How long the challenge lives; `None` leaves it to the configuration.
    pub time_to_live: Option<Duration>,
    /// The key that tells a repeated request from a new one.
    pub idempotency_key: Option<Zeroizing<String>>,
    /// What a text is to be like; means nothing to a call.
    pub text: TextWishes,
}

/// What a text is to be like, where it is not to be as usual.
#[derive(Debug, Clone, Default)]
pub struct TextWishes {
    /// How many digits its code has.
    pub code_length: Option<CodeLength>,
    /// The brand to name, one of the tenant's.
    pub brand: Option<Arc<str>>,
    /// What the phone is told besides.
    pub mark: Option<Mark>,
}

impl Begin {
    /// The idempotency key with all that was asked, each part preceded by its length, so that two
    /// requests are the same bytes only if they ask the same.
    pub(super) fn idempotency(&self) -> Option<Idempotency> {
        let key = self.idempotency_key.clone()?;
        let seconds = self.time_to_live.map(|life| life.as_secs().to_string());
        let mut request = Zeroizing::new(Vec::with_capacity(384));
        let mut parts = vec![
            Some(self.to.e164()),
            Some(self.channel.name()),
            Some(self.purpose.name()),
            self.subject.as_ref().map(Subject::as_str),
            self.locale.as_deref(),
            seconds.as_deref(),
        ];
        let digits = self.text.code_length.map(|l| l.digits().to_string());
        let mark = self.text.mark.as_ref().map(|mark| match mark {
            Mark::WebOtp(domain) => format!("web_otp {domain}"),
            Mark::App(hash) => format!("app_hash {hash}"),
        });
        if self.channel == Channel::Sms {
            parts.extend([
                digits.as_deref(),
                self.text.brand.as_deref(),
                mark.as_deref(),
            ]);
        }
        for part in parts {
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
    /// The text cannot be written so.
    #[error(transparent)]
    Wording(WordingError),
    /// There are no recordings for the purpose: calls confirm sign-ins alone.
    #[error("there are no recordings for this purpose")]
    Unspoken,
    /// The number is sent no texts.
    #[error("the number is sent no texts")]
    Blocked,
    /// The operator has set up no way for texts.
    #[error("there is no texting gateway")]
    NoTexting,
    /// The texting gateway has stopped.
    #[error("the texting gateway has stopped")]
    TextingStopped,
    /// The system's random source failed, and no code was drawn.
    #[error("the system's random source failed")]
    NoRandomness,
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
            BeginError::Wording(_) => "wording",
            BeginError::Unspoken => "purpose_not_available",
            BeginError::Blocked => "blocked",
            BeginError::NoTexting => "no_texting",
            BeginError::TextingStopped => "texting_stopped",
            BeginError::NoRandomness => "no_randomness",
            BeginError::KeyReused => "idempotency_key_reused",
            BeginError::Full => "full",
            BeginError::Draining => "draining",
            BeginError::NoGateway => "no_gateway",
            BeginError::Engine(EngineError::Store(_)) => "store_unavailable",
            BeginError::Engine(EngineError::Stopped) => "stopped",
        }
    }
}
