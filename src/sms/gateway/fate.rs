//! What a bind's word on a text means to the routing.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::smpp::pdu::{Status, Verdict};
use crate::smpp::receipt::{IdForm, Key};
use crate::smpp::session::MessageId;
use crate::sms::dispatch::Failure;
use crate::sms::order::Submission;
use crate::sms::routing::{Fate, plain};

impl Fate {
    /// From how a text of so many messages fared at a bind whose ids are of that form.
    pub(super) fn of(submission: Submission, messages: u8, form: IdForm) -> Fate {
        let keys = |taken: SmallVec<[MessageId; 1]>| {
            let keys = taken.iter().map(|id| Key::of_answer(id, form));
            keys.collect()
        };
        match submission {
            Submission::Sent(taken) => Fate::Sent {
                messages,
                keys: keys(taken),
            },
            Submission::Unknown { taken } => Fate::Unknown {
                messages,
                keys: keys(taken),
            },
            Submission::Refused { status, verdict } => Fate::Refused {
                failure: failure(status),
                error: said(status),
                elsewhere: verdict != Verdict::GiveUp,
            },
            Submission::Partial { status, .. } => Fate::Partial {
                error: status.map(said),
            },
            Submission::NotSent(why) => Fate::NotSent(why),
        }
    }
}

fn failure(status: Status) -> Failure {
    match status {
        Status::INVALID_DESTINATION => Failure::NoSuchNumber,
        Status::INVALID_MESSAGE_LENGTH => Failure::TooLong,
        status if status.verdict() == Verdict::Retry => Failure::Overloaded,
        _ => Failure::Rejected,
    }
}

/// A status as reports name it: `ESME_RINVDSTADR`, or `0x0412`.
pub(super) fn said(status: Status) -> Arc<str> {
    match status.name() {
        Some(name) => name.into(),
        None => plain(&format!("{:#06x}", status.0)),
    }
}
