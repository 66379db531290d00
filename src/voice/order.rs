//! What the engine orders of the voice gateway, and what the gateway reports back.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::answer::AnsweredBy;
use crate::challenge::Reason;
use crate::dtmf::Digit;
use crate::phone::PhoneNumber;

/// Names one call order across both planes; the engine uses the challenge's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallRef(pub Uuid);

/// One verification call to be placed.
#[derive(Debug, Clone)]
pub struct CallOrder {
    /// The order's name, repeated in every report.
    pub call: CallRef,
    /// Whom to dial.
    pub to: PhoneNumber,
    /// The trunk's name, as in the configuration.
    pub trunk: Arc<str>,
    /// The number or user part shown to the person; `None` leaves it to the trunk.
    pub caller_id: Option<Arc<str>>,
    /// The locale of the prompts, `en-GB`.
    pub locale: Arc<str>,
    /// The instant after which the call must have ended, as time left from now.
    pub time_left: Duration,
}

/// From engine to gateway.
#[derive(Debug, Clone)]
pub enum Command {
    /// Place a call. Ends in exactly one [`Report::Ended`].
    Place(Box<CallOrder>),
    /// End a call, whatever its state; it still ends in one [`Report::Ended`].
    Cancel(CallRef),
}

/// From gateway to engine.
#[derive(Debug, Clone)]
pub struct Report {
    /// Which order.
    pub call: CallRef,
    /// What happened.
    pub news: News,
}

/// What happened to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The INVITE went out.
    Dialling,
    /// The phone rings (180, or 183 with media).
    Ringing,
    /// The call was answered with a final 200.
    Answered,
    /// A key was pressed; `counted` is false for keys that the safety rules set aside.
    Key {
        /// Which key.
        digit: Digit,
        /// How it was heard.
        source: KeySource,
        /// Whether the script acted on it.
        counted: bool,
    },
    /// Who or what had answered, as far as its sounds tell. Told once, right before the end.
    AnsweredBy(AnsweredBy),
    /// The call is over; nothing follows. `KeyPressed` is reported as soon as the script
    /// approves: the goodbye and the BYE follow behind it.
    Ended(Reason),
}

/// How a key was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// An RFC 4733 telephone-event.
    Rfc4733,
    /// A SIP INFO request.
    SipInfo,
    /// Tones in the audio.
    InBand,
}
