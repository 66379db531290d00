//! Why a challenge was not admitted, and when to ask again.

use std::time::Duration;

/// Why a challenge was not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{limit}")]
pub struct Refusal {
    limit: Limit,
    retry_after: Option<Duration>,
}

/// The limit that was reached: a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Limit {
    /// The kind of number is never called.
    #[error("numbers of this kind are not called")]
    BlockedKind,
    /// Numbers that begin so are never called.
    #[error("numbers that begin like this one are not called")]
    BlockedPrefix,
    /// A challenge to the number is open already.
    #[error("a challenge to this number is open already")]
    Open,
    /// Too many challenges to the number.
    #[error("there were too many challenges to this number")]
    Number,
    /// Too many challenges to the number that nobody confirmed.
    #[error("there were too many challenges to this number that nobody confirmed")]
    Unconfirmed,
    /// The number's owner reported a sign-in that they did not start.
    #[error("the owner of this number reported a sign-in, and it is left alone for a while")]
    Held,
    /// Too many challenges to numbers near it.
    #[error("there were too many challenges to numbers of this range")]
    Range,
    /// Too many challenges of the tenant.
    #[error("this tenant asked for too many challenges")]
    Tenant,
    /// Too many challenges in all.
    #[error("too many challenges were asked for")]
    Overall,
}

impl Limit {
    /// All of them.
    pub const ALL: [Limit; 9] = [
        Limit::BlockedKind,
        Limit::BlockedPrefix,
        Limit::Open,
        Limit::Number,
        Limit::Unconfirmed,
        Limit::Held,
        Limit::Range,
        Limit::Tenant,
        Limit::Overall,
    ];

    /// Its stable code in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Limit::BlockedKind => "blocked_kind",
            Limit::BlockedPrefix => "blocked_prefix",
            Limit::Open => "number_busy",
            Limit::Number => "number_limit",
            Limit::Unconfirmed => "number_unconfirmed",
            Limit::Held => "number_held",
            Limit::Range => "range_limit",
            Limit::Tenant => "tenant_limit",
            Limit::Overall => "overall_limit",
        }
    }
}

impl Refusal {
    pub(super) fn later(limit: Limit, retry_after: Duration) -> Refusal {
        Refusal {
            limit,
            retry_after: Some(retry_after),
        }
    }

    pub(super) fn never(limit: Limit) -> Refusal {
        Refusal {
            limit,
            retry_after: None,
        }
    }

    /// The limit that was reached.
    pub fn limit(&self) -> Limit {
        self.limit
    }

    /// Its stable code in the API, `number_limit`.
    pub fn code(&self) -> &'static str {
        self.limit.as_str()
    }

    /// When to ask again; `None` if the number is never called, which is no matter of time. An
    /// open challenge may end before.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}
