//! How a challenge ends, and why: two closed lists that the API documents.

use serde::{Deserialize, Serialize};

/// How a challenge ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The person confirmed on the phone.
    Approved,
    /// The person was reached and did not confirm, or refused.
    Denied,
    /// Time ran out before an answer.
    Expired,
    /// It could not be carried out; the reason says why.
    Failed,
    /// The caller of the API took it back.
    Cancelled,
}

/// Why a challenge ended as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Approved: the confirming key was pressed in time.
    KeyPressed,
    /// Denied: the person pressed the key that refuses or reports a fraud.
    Refused,
    /// Denied: only wrong keys were pressed until the limit.
    WrongKeys,
    /// Denied: the call was answered and no key came.
    NoKeys,
    /// Denied: the person hung up before confirming.
    HungUp,
    /// Failed: busy (486, 600).
    Busy,
    /// Failed: it rang and nobody answered in time (408, 480, or our own limit).
    NoAnswer,
    /// Failed: the phone declined the call (603, 607).
    Declined,
    /// Failed: the number does not exist (404, 410, 484, 604).
    NoSuchNumber,
    /// Failed: the call was forwarded or redirected; a challenge is direct dial only (3xx, 181, Diversion, History-Info).
    Forwarded,
    /// Failed: no codec in common (415, 488, 606), or an answer that cannot be used.
    MediaIncompatible,
    /// Failed: the call was answered and no audio path stood or it broke off.
    MediaLost,
    /// Failed: the trunk refused our credentials (401, 403, 407).
    TrunkRejected,
    /// Failed: the trunk could not be reached, or answered with a server failure (5xx, transport).
    TrunkUnavailable,
    /// Failed: the call was set up and broke off for a reason of the network.
    CallFailed,
    /// Failed: the operator's limit on a call's length was reached.
    CallTooLong,
    /// Failed: too many calls at once; nothing was dialled.
    Overloaded,
    /// Failed: the process stopped while the challenge was open.
    Interrupted,
    /// Expired: the challenge's own time ran out.
    TimedOut,
    /// Cancelled: by the API.
    CancelledByCaller,
}

impl Reason {
    /// The outcome that this reason belongs to; each reason has exactly one.
    pub const fn outcome(self) -> Outcome {
        use Reason::*;
        match self {
            KeyPressed => Outcome::Approved,
            Refused | WrongKeys | NoKeys | HungUp => Outcome::Denied,
            TimedOut => Outcome::Expired,
            CancelledByCaller => Outcome::Cancelled,
            Busy | NoAnswer | Declined | NoSuchNumber | Forwarded | MediaIncompatible
            | MediaLost | TrunkRejected | TrunkUnavailable | CallFailed | CallTooLong
            | Overloaded | Interrupted => Outcome::Failed,
        }
    }
}
