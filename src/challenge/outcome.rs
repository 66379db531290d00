//! How a challenge ends, and why: two closed lists that the API documents.

use serde::{Deserialize, Serialize};

/// How a challenge ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The person confirmed: pressed the key, or entered the code.
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
    /// Approved: the code that was texted was entered in time.
    CodeMatched,
    /// Denied: the person pressed the key that refuses or reports a fraud.
    Refused,
    /// Denied: only wrong keys were pressed until the limit.
    WrongKeys,
    /// Denied: the call was answered and no key came.
    NoKeys,
    /// Denied: the person hung up before confirming.
    HungUp,
    /// Denied: as many wrong codes were entered as may be.
    TooManyAttempts,
    /// Failed: busy (486, 600).
    Busy,
    /// Failed: it rang and nobody answered in time (408, 480, or our own limit).
    NoAnswer,
    /// Failed: the phone declined the call (603, 607).
    Declined,
    /// Failed: the number does not exist (404, 410, 484, 604, or a carrier of texts says so).
    NoSuchNumber,
    /// Failed: the call was forwarded or redirected; a challenge is direct dial only (3xx, 181, Diversion, History-Info).
    Forwarded,
    /// Failed: no codec in common (415, 488, 606), or an answer that cannot be used.
    MediaIncompatible,
    /// Failed: the call was answered and no audio path stood or it broke off.
    MediaLost,
    /// Failed: a voicemail or another recording answered, and the policy is to hang up on them.
    AnsweredByMachine,
    /// Failed: a fax answered.
    AnsweredByFax,
    /// Failed: the call was answered by the network's announcement that it cannot be connected.
    Announcement,
    /// Failed: the trunk refused our credentials (401, 403, 407).
    TrunkRejected,
    /// Failed: the trunk could not be reached, or answered with a server failure (5xx, transport).
    TrunkUnavailable,
    /// Failed: the call was set up and broke off for a reason of the network.
    CallFailed,
    /// Failed: the operator's limit on a call's length was reached.
    CallTooLong,
    /// Failed: no carrier of texts could be reached in time; nothing was sent.
    CarrierUnavailable,
    /// Failed: the carrier refused the text, or us.
    TextRejected,
    /// Failed: the text takes more messages than the carriers allow.
    TextTooLong,
    /// Failed: the carrier says that the text will not arrive, and policy ends the challenge then.
    Undeliverable,
    /// Failed: too many calls or texts at once; nothing was dialled or sent.
    Overloaded,
    /// Failed: the process stopped while the challenge was open.
    Interrupted,
    /// Expired: the challenge's own time ran out.
    TimedOut,
    /// Cancelled: by the API.
    CancelledByCaller,
}

impl Outcome {
    /// Its name in the API and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Approved => "approved",
            Outcome::Denied => "denied",
            Outcome::Expired => "expired",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
        }
    }
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 29] = [
        Reason::KeyPressed,
        Reason::CodeMatched,
        Reason::Refused,
        Reason::WrongKeys,
        Reason::NoKeys,
        Reason::HungUp,
        Reason::TooManyAttempts,
        Reason::Busy,
        Reason::NoAnswer,
        Reason::Declined,
        Reason::NoSuchNumber,
        Reason::Forwarded,
        Reason::MediaIncompatible,
        Reason::MediaLost,
        Reason::AnsweredByMachine,
        Reason::AnsweredByFax,
        Reason::Announcement,
        Reason::TrunkRejected,
        Reason::TrunkUnavailable,
        Reason::CallFailed,
        Reason::CallTooLong,
        Reason::CarrierUnavailable,
        Reason::TextRejected,
        Reason::TextTooLong,
        Reason::Undeliverable,
        Reason::Overloaded,
        Reason::Interrupted,
        Reason::TimedOut,
        Reason::CancelledByCaller,
    ];

    /// Its name in the API and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::KeyPressed => "key_pressed",
            Reason::CodeMatched => "code_matched",
            Reason::Refused => "refused",
            Reason::WrongKeys => "wrong_keys",
            Reason::NoKeys => "no_keys",
            Reason::HungUp => "hung_up",
            Reason::TooManyAttempts => "too_many_attempts",
            Reason::Busy => "busy",
            Reason::NoAnswer => "no_answer",
            Reason::Declined => "declined",
            Reason::NoSuchNumber => "no_such_number",
            Reason::Forwarded => "forwarded",
            Reason::MediaIncompatible => "media_incompatible",
            Reason::MediaLost => "media_lost",
            Reason::AnsweredByMachine => "answered_by_machine",
            Reason::AnsweredByFax => "answered_by_fax",
            Reason::Announcement => "announcement",
            Reason::TrunkRejected => "trunk_rejected",
            Reason::TrunkUnavailable => "trunk_unavailable",
            Reason::CallFailed => "call_failed",
            Reason::CallTooLong => "call_too_long",
            Reason::CarrierUnavailable => "carrier_unavailable",
            Reason::TextRejected => "text_rejected",
            Reason::TextTooLong => "text_too_long",
            Reason::Undeliverable => "undeliverable",
            Reason::Overloaded => "overloaded",
            Reason::Interrupted => "interrupted",
            Reason::TimedOut => "timed_out",
            Reason::CancelledByCaller => "cancelled_by_caller",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Reason> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }

    /// The outcome that this reason belongs to; each reason has exactly one.
    pub const fn outcome(self) -> Outcome {
        use Reason::*;
        match self {
            KeyPressed | CodeMatched => Outcome::Approved,
            Refused | WrongKeys | NoKeys | HungUp | TooManyAttempts => Outcome::Denied,
            TimedOut => Outcome::Expired,
            CancelledByCaller => Outcome::Cancelled,
            Busy | NoAnswer | Declined | NoSuchNumber | Forwarded | MediaIncompatible
            | MediaLost | AnsweredByMachine | AnsweredByFax | Announcement | TrunkRejected
            | TrunkUnavailable | CallFailed | CallTooLong | CarrierUnavailable | TextRejected
            | TextTooLong | Undeliverable | Overloaded | Interrupted => Outcome::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_its_own_name_which_is_that_of_the_api() {
        let names: HashSet<_> = Reason::ALL.iter().map(|r| r.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(serde_json::json!(reason), serde_json::json!(reason.name()));
            assert_eq!(Reason::from_name(reason.name()), Some(reason));
            let outcome = reason.outcome();
            assert_eq!(
                serde_json::json!(outcome),
                serde_json::json!(outcome.name())
            );
        }
    }

    #[test]
    fn one_reason_for_each_channel_approves() {
        let approving = Reason::ALL
            .into_iter()
            .filter(|r| r.outcome() == Outcome::Approved);
        assert_eq!(
            approving.collect::<Vec<_>>(),
            [Reason::KeyPressed, Reason::CodeMatched]
        );
    }
}
