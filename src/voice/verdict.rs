//! What a failed call means to the person who waits for it.

use crate::challenge::Reason;
use crate::sip::call::{CallFailure, Ending};

/// The reason for a call that was never answered.
pub const fn reason_for(failure: CallFailure) -> Reason {
    match failure {
        CallFailure::Busy => Reason::Busy,
        CallFailure::NoAnswer | CallFailure::RingTimeLimit => Reason::NoAnswer,
        CallFailure::Declined => Reason::Declined,
        CallFailure::NoSuchNumber => Reason::NoSuchNumber,
        CallFailure::Redirected => Reason::Forwarded,
        CallFailure::MediaIncompatible => Reason::MediaIncompatible,
        CallFailure::CredentialsRefused | CallFailure::Forbidden => Reason::TrunkRejected,
        CallFailure::ServerFailure | CallFailure::NoResponse | CallFailure::Unreachable => {
            Reason::TrunkUnavailable
        }
        CallFailure::Overloaded => Reason::Overloaded,
        CallFailure::Unusable | CallFailure::Refused => Reason::CallFailed,
    }
}

/// The reason for an answered call that ended before the script was done.
pub const fn reason_of_end(how: Ending) -> Reason {
    match how {
        Ending::HungUp => Reason::HungUp,
        Ending::Cancelled
        | Ending::Rejected
        | Ending::Unanswered
        | Ending::Unacknowledged
        | Ending::Lost => Reason::CallFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::Outcome;

    #[test]
    fn no_final_status_ever_approves() {
        for code in 300..700 {
            let reason = reason_for(CallFailure::from_status(code));
            assert_eq!(reason.outcome(), Outcome::Failed, "{code}");
        }
        assert_eq!(reason_for(CallFailure::from_status(302)), Reason::Forwarded);
        assert_eq!(reason_for(CallFailure::RingTimeLimit), Reason::NoAnswer);
        assert_eq!(reason_of_end(Ending::HungUp), Reason::HungUp);
        assert_eq!(reason_of_end(Ending::Lost), Reason::CallFailed);
    }
}
