//! Where a challenge stands: stages while it is open, then one end.

use serde::{Deserialize, Serialize};

use super::{Channel, Outcome, Reason};

/// How far an open challenge has come. The stages of one channel are in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Accepted and durable; nothing has gone out yet.
    Queued,
    /// The phone is being called.
    Dialling,
    /// It rings.
    Ringing,
    /// It was answered.
    Answered,
    /// A text has left.
    Sent,
    /// A carrier says that the last text will not arrive; it may be wrong.
    Undeliverable,
    /// A carrier says that a text is on the phone.
    Delivered,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Stage; 7] = [
        Stage::Queued,
        Stage::Dialling,
        Stage::Ringing,
        Stage::Answered,
        Stage::Sent,
        Stage::Undeliverable,
        Stage::Delivered,
    ];

    /// Whether a challenge by this channel can be at this stage.
    pub const fn is_of(self, channel: Channel) -> bool {
        match self {
            Stage::Queued => true,
            Stage::Dialling | Stage::Ringing | Stage::Answered => {
                matches!(channel, Channel::Voice)
            }
            Stage::Sent | Stage::Undeliverable | Stage::Delivered => {
                matches!(channel, Channel::Sms)
            }
        }
    }
}

/// Open at a stage, or ended for a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Still waiting for its outcome.
    Open(Stage),
    /// Ended; nothing changes it any more.
    Ended(Reason),
}

impl State {
    /// The state in one word, as the API tells it.
    pub const fn status(self) -> Status {
        match self {
            State::Open(Stage::Queued) => Status::Queued,
            State::Open(Stage::Dialling) => Status::Dialling,
            State::Open(Stage::Ringing) => Status::Ringing,
            State::Open(Stage::Answered) => Status::Answered,
            State::Open(Stage::Sent) => Status::Sent,
            State::Open(Stage::Undeliverable) => Status::Undeliverable,
            State::Open(Stage::Delivered) => Status::Delivered,
            State::Ended(reason) => match reason.outcome() {
                Outcome::Approved => Status::Approved,
                Outcome::Denied => Status::Denied,
                Outcome::Expired => Status::Expired,
                Outcome::Failed => Status::Failed,
                Outcome::Cancelled => Status::Cancelled,
            },
        }
    }

    /// Why it ended, if it has.
    pub const fn reason(self) -> Option<Reason> {
        match self {
            State::Open(_) => None,
            State::Ended(reason) => Some(reason),
        }
    }
}

/// A state in one word: the stages of an open challenge and the outcomes of an ended one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted and durable; nothing has gone out yet.
    Queued,
    /// The phone is being called.
    Dialling,
    /// It rings.
    Ringing,
    /// It was answered.
    Answered,
    /// The text has left; whether it arrived is not known.
    Sent,
    /// The carrier says that the text will not arrive. It may be wrong: the challenge stays open.
    Undeliverable,
    /// The carrier says that the text is on the phone.
    Delivered,
    /// The person confirmed.
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

impl Status {
    /// Every status.
    pub const ALL: [Status; 12] = [
        Status::Queued,
        Status::Dialling,
        Status::Ringing,
        Status::Answered,
        Status::Sent,
        Status::Undeliverable,
        Status::Delivered,
        Status::Approved,
        Status::Denied,
        Status::Expired,
        Status::Failed,
        Status::Cancelled,
    ];

    /// Its name in the API and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Dialling => "dialling",
            Status::Ringing => "ringing",
            Status::Answered => "answered",
            Status::Sent => "sent",
            Status::Undeliverable => "undeliverable",
            Status::Delivered => "delivered",
            Status::Approved => "approved",
            Status::Denied => "denied",
            Status::Expired => "expired",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_api() {
        for status in Status::ALL {
            assert_eq!(serde_json::json!(status), serde_json::json!(status.name()));
        }
    }

    #[test]
    fn every_stage_but_the_first_is_of_one_channel() {
        for stage in Stage::ALL {
            let of = Channel::ALL.map(|channel| stage.is_of(channel));
            let channels = of.into_iter().filter(|of| *of).count();
            assert_eq!(channels, if stage == Stage::Queued { 2 } else { 1 });
        }
    }
}
