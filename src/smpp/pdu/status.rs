//! Command statuses (SMPP 3.4 5.1.3, SMPP 5.0 4.7.6) and what each asks of the sender.

use std::fmt;

/// A `command_status`. Numbers without a name are kept as they came.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u32);

/// What a sender does about an answer to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The message centre has taken the text.
    Accepted,
    /// The text was refused for the moment: the same bind may be asked again, later.
    Retry,
    /// This bind will not take the text; another carrier may.
    FailOver,
    /// No carrier will take the text as it is.
    GiveUp,
}

macro_rules! statuses {
    ($($name:ident = $value:literal, $text:literal, $verdict:ident, $meaning:literal;)*) => {
        impl Status {
            $(#[doc = concat!("`", $text, "`: ", $meaning, ".")]
            pub const $name: Status = Status($value);)*

            /// The name in the standard; `None` for reserved and vendor numbers.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Status::$name => Some($text),)*
                    _ => None,
                }
            }

            /// What it means, in a few words.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Status::$name => $meaning,)*
                    Status(0x400..=0x4ff) => "an error of the carrier's own",
                    _ => "a status that the standard does not name",
                }
            }

            /// What a sender does about it. Statuses that say nothing about the number or the text
            /// fail over; so do those the standard does not name, since another carrier may know
            /// better and no text was taken.
            pub const fn verdict(self) -> Verdict {
                match self {
                    $(Status::$name => Verdict::$verdict,)*
                    _ => Verdict::FailOver,
                }
            }

            /// Every status that has a name.
            pub const ALL: &'static [Status] = &[$(Status::$name),*];
        }
    };
}

statuses! {
    OK = 0x00, "ESME_ROK", Accepted, "no error";
    INVALID_MESSAGE_LENGTH = 0x01, "ESME_RINVMSGLEN", GiveUp, "message length is invalid";
    INVALID_COMMAND_LENGTH = 0x02, "ESME_RINVCMDLEN", FailOver, "command length is invalid";
    INVALID_COMMAND = 0x03, "ESME_RINVCMDID", FailOver, "command is not known";
    INVALID_BIND_STATE = 0x04, "ESME_RINVBNDSTS", FailOver, "not allowed in this state of the bind";
    ALREADY_BOUND = 0x05, "ESME_RALYBND", FailOver, "already bound";
    INVALID_PRIORITY = 0x06, "ESME_RINVPRTFLG", FailOver, "priority is invalid";
    INVALID_REGISTERED_DELIVERY = 0x07, "ESME_RINVREGDLVFLG", FailOver,
        "receipt request is invalid";
    SYSTEM_ERROR = 0x08, "ESME_RSYSERR", FailOver, "system error";
    INVALID_SOURCE = 0x0a, "ESME_RINVSRCADR", FailOver, "sender is not allowed";
    INVALID_DESTINATION = 0x0b, "ESME_RINVDSTADR", GiveUp, "destination is invalid";
    INVALID_MESSAGE_ID = 0x0c, "ESME_RINVMSGID", FailOver, "message id is invalid";
    BIND_FAILED = 0x0d, "ESME_RBINDFAIL", FailOver, "bind failed";
    INVALID_PASSWORD = 0x0e, "ESME_RINVPASWD", FailOver, "password is wrong";
    INVALID_SYSTEM_ID = 0x0f, "ESME_RINVSYSID", FailOver, "system id is wrong";
    CANCEL_FAILED = 0x11, "ESME_RCANCELFAIL", FailOver, "cancelling failed";
    REPLACE_FAILED = 0x13, "ESME_RREPLACEFAIL", FailOver, "replacing failed";
    QUEUE_FULL = 0x14, "ESME_RMSGQFUL", Retry, "message queue is full";
    INVALID_SERVICE_TYPE = 0x15, "ESME_RINVSERTYP", FailOver, "service type is invalid";
    INVALID_DESTINATION_COUNT = 0x33, "ESME_RINVNUMDESTS", FailOver,
        "number of destinations is invalid";
    INVALID_LIST_NAME = 0x34, "ESME_RINVDLNAME", FailOver, "distribution list is not known";
    INVALID_DESTINATION_FLAG = 0x40, "ESME_RINVDESTFLAG", FailOver, "destination flag is invalid";
    INVALID_SUBMIT_WITH_REPLACE = 0x42, "ESME_RINVSUBREP", FailOver,
        "submitting with replacement is not supported";
    INVALID_ESM_CLASS = 0x43, "ESME_RINVESMCLASS", FailOver, "esm_class is invalid";
    CANNOT_SUBMIT_TO_LIST = 0x44, "ESME_RCNTSUBDL", FailOver,
        "cannot submit to a distribution list";
    SUBMIT_FAILED = 0x45, "ESME_RSUBMITFAIL", FailOver, "submitting failed";
    INVALID_SOURCE_TON = 0x48, "ESME_RINVSRCTON", FailOver, "sender's type of number is invalid";
    INVALID_SOURCE_NPI = 0x49, "ESME_RINVSRCNPI", FailOver, "sender's numbering plan is invalid";
    INVALID_DESTINATION_TON = 0x50, "ESME_RINVDSTTON", FailOver,
        "destination's type of number is invalid";
    INVALID_DESTINATION_NPI = 0x51, "ESME_RINVDSTNPI", FailOver,
        "destination's numbering plan is invalid";
    INVALID_SYSTEM_TYPE = 0x53, "ESME_RINVSYSTYP", FailOver, "system type is invalid";
    INVALID_REPLACE_FLAG = 0x54, "ESME_RINVREPFLAG", FailOver, "replace flag is invalid";
    INVALID_MESSAGE_COUNT = 0x55, "ESME_RINVNUMMSGS", FailOver, "number of messages is invalid";
    THROTTLED = 0x58, "ESME_RTHROTTLED", Retry, "faster than the carrier allows";
    INVALID_SCHEDULE = 0x61, "ESME_RINVSCHED", FailOver, "scheduled delivery time is invalid";
    INVALID_EXPIRY = 0x62, "ESME_RINVEXPIRY", FailOver, "validity period is invalid";
    INVALID_DEFAULT_MESSAGE = 0x63, "ESME_RINVDFTMSGID", FailOver,
        "predefined message is not known";
    TEMPORARY_APPLICATION_ERROR = 0x64, "ESME_RX_T_APPN", Retry,
        "receiver has a temporary error";
    PERMANENT_APPLICATION_ERROR = 0x65, "ESME_RX_P_APPN", FailOver,
        "receiver has a permanent error";
    REJECTED_BY_APPLICATION = 0x66, "ESME_RX_R_APPN", FailOver, "receiver rejects the message";
    QUERY_FAILED = 0x67, "ESME_RQUERYFAIL", FailOver, "query failed";
    INVALID_TLV_STREAM = 0xc0, "ESME_RINVTLVSTREAM", FailOver,
        "optional parameters do not fit their lengths";
    TLV_NOT_ALLOWED = 0xc1, "ESME_RTLVNOTALLWD", FailOver, "optional parameter is not allowed";
    INVALID_TLV_LENGTH = 0xc2, "ESME_RINVTLVLEN", FailOver,
        "optional parameter's length is invalid";
    MISSING_TLV = 0xc3, "ESME_RMISSINGTLV", FailOver, "optional parameter is missing";
    INVALID_TLV_VALUE = 0xc4, "ESME_RINVTLVVAL", FailOver, "optional parameter is invalid";
    DELIVERY_FAILED = 0xfe, "ESME_RDELIVERYFAILURE", FailOver, "delivery failed";
    UNKNOWN_ERROR = 0xff, "ESME_RUNKNOWNERR", FailOver, "unknown error";
    SERVICE_TYPE_UNAUTHORISED = 0x100, "ESME_RSERTYPUNAUTH", FailOver,
        "not authorised for the service type";
    PROHIBITED = 0x101, "ESME_RPROHIBITED", FailOver, "prohibited for this account";
    SERVICE_TYPE_UNAVAILABLE = 0x102, "ESME_RSERTYPUNAVAIL", FailOver,
        "service type is unavailable";
    SERVICE_TYPE_DENIED = 0x103, "ESME_RSERTYPDENIED", FailOver, "service type is denied";
    INVALID_DATA_CODING = 0x104, "ESME_RINVDCS", FailOver, "data coding is invalid";
    INVALID_SOURCE_SUBUNIT = 0x105, "ESME_RINVSRCADDRSUBUNIT", FailOver,
        "sender's subunit is invalid";
    INVALID_DESTINATION_SUBUNIT = 0x106, "ESME_RINVDSTADDRSUBUNIT", FailOver,
        "destination's subunit is invalid";
    INVALID_BROADCAST_INTERVAL = 0x107, "ESME_RINVBCASTFREQINT", FailOver,
        "broadcast interval is invalid";
    INVALID_BROADCAST_ALIAS = 0x108, "ESME_RINVBCASTALIAS_NAME", FailOver,
        "broadcast alias is invalid";
    INVALID_BROADCAST_AREA_FORMAT = 0x109, "ESME_RINVBCASTAREAFMT", FailOver,
        "broadcast area format is invalid";
    INVALID_BROADCAST_AREA_COUNT = 0x10a, "ESME_RINVNUMBCAST_AREAS", FailOver,
        "number of broadcast areas is invalid";
    INVALID_BROADCAST_CONTENT = 0x10b, "ESME_RINVBCASTCNTTYPE", FailOver,
        "broadcast content type is invalid";
    INVALID_BROADCAST_CLASS = 0x10c, "ESME_RINVBCASTMSGCLASS", FailOver,
        "broadcast message class is invalid";
    BROADCAST_FAILED = 0x10d, "ESME_RBCASTFAIL", FailOver, "broadcast failed";
    BROADCAST_QUERY_FAILED = 0x10e, "ESME_RBCASTQUERYFAIL", FailOver, "broadcast query failed";
    BROADCAST_CANCEL_FAILED = 0x10f, "ESME_RBCASTCANCELFAIL", FailOver,
        "broadcast cancelling failed";
    INVALID_BROADCAST_REPEAT = 0x110, "ESME_RINVBCAST_REP", FailOver,
        "number of broadcast repeats is invalid";
    INVALID_BROADCAST_GROUP = 0x111, "ESME_RINVBCASTSRVGRP", FailOver,
        "broadcast service group is invalid";
    INVALID_BROADCAST_CHANNEL = 0x112, "ESME_RINVBCASTCHANIND", FailOver,
        "broadcast channel is invalid";
}

impl Status {
    /// Whether it asks this bind to send more slowly.
    pub const fn slows_the_bind(self) -> bool {
        matches!(self, Status::THROTTLED | Status::QUEUE_FULL)
    }

    /// Whether it says that a bind's credentials are wrong, so that trying again soon helps nobody
    /// and may lock the account.
    pub const fn refuses_credentials(self) -> bool {
        matches!(
            self,
            Status::INVALID_PASSWORD
                | Status::INVALID_SYSTEM_ID
                | Status::INVALID_SYSTEM_TYPE
                | Status::PROHIBITED
        )
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({:#04x}): {}", self.0, self.meaning()),
            None => write!(f, "{:#06x}: {}", self.0, self.meaning()),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ok_is_accepted_and_only_congestion_slows() {
        for raw in 0..0x600 {
            let status = Status(raw);
            assert_eq!(status.verdict() == Verdict::Accepted, raw == 0);
            assert_eq!(status.slows_the_bind(), raw == 0x58 || raw == 0x14);
            if status.slows_the_bind() {
                assert_eq!(status.verdict(), Verdict::Retry);
            }
            assert!(!status.meaning().is_empty());
        }
    }

    #[test]
    fn the_verdicts_that_matter_most() {
        assert_eq!(Status(0x0b).verdict(), Verdict::GiveUp);
        assert_eq!(Status(0x01).verdict(), Verdict::GiveUp);
        assert_eq!(Status(0x0a).verdict(), Verdict::FailOver);
        assert_eq!(Status(0x08).verdict(), Verdict::FailOver);
        assert_eq!(Status(0x64).verdict(), Verdict::Retry);
        assert_eq!(Status(0x412).verdict(), Verdict::FailOver);
        assert_eq!(Status(0x412).meaning(), "an error of the carrier's own");
        assert_eq!(
            Status::THROTTLED.to_string(),
            "ESME_RTHROTTLED (0x58): faster than the carrier allows"
        );
    }
}
