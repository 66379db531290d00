//! The text that carries a code: what is known of its fate.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Reason;

/// What a carrier said of a text: at most 64 printable ASCII characters, `UNDELIV err:027`. Kept in
/// place, so that a line of the log is copied as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CarrierWord {
    octets: [u8; CarrierWord::MAX],
    length: u8,
}

impl CarrierWord {
    /// The longest, in characters.
    pub const MAX: usize = 64;

    /// The printable ASCII of a text, as much as fits; `None` if there is none.
    pub fn new(text: &str) -> Option<CarrierWord> {
        let mut word = CarrierWord {
            octets: [0; Self::MAX],
            length: 0,
        };
        let printable = text.bytes().filter(|b| matches!(b, b' '..=b'~'));
        for (to, from) in word.octets.iter_mut().zip(printable) {
            *to = from;
            word.length += 1;
        }
        (word.length > 0).then_some(word)
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        let octets = self.octets.get(..usize::from(self.length));
        std::str::from_utf8(octets.unwrap_or_default()).unwrap_or_default()
    }
}

impl fmt::Debug for CarrierWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// What happened to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextNews {
    /// A carrier has taken it.
    Sent {
        /// Into how many messages it was split.
        messages: u8,
    },
    /// It left and no carrier answered: it may arrive or not.
    Unsure,
    /// A carrier's receipt says that it is accepted or on its way: it may arrive or not.
    Accepted {
        /// Milliseconds from its leaving to the receipt.
        took_ms: u64,
    },
    /// The carrier says that it does not know what has become of it.
    Unknown {
        /// Milliseconds from its leaving to the receipt.
        took_ms: u64,
    },
    /// The carrier says that it is on the phone.
    Delivered {
        /// Milliseconds from its leaving to the receipt.
        took_ms: u64,
    },
    /// The carrier says that it will not arrive.
    Undeliverable {
        /// Milliseconds from its leaving to the receipt.
        took_ms: u64,
        /// What the carrier said.
        error: Option<CarrierWord>,
    },
    /// It will not arrive whole: nothing of it left, or not all.
    Failed {
        /// Why.
        why: Unsent,
        /// What the carrier said.
        error: Option<CarrierWord>,
    },
}

/// Why a text was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unsent {
    /// No carrier could be reached in time.
    Unavailable,
    /// Every carrier was busy, or as much was on its way as may be.
    Overloaded,
    /// The carrier refused the text or us.
    Rejected,
    /// The carrier says that there is no such number.
    NoSuchNumber,
    /// It takes more messages than the carriers allow.
    TooLong,
}

impl Unsent {
    /// Every one.
    pub const ALL: [Unsent; 5] = [
        Unsent::Unavailable,
        Unsent::Overloaded,
        Unsent::Rejected,
        Unsent::NoSuchNumber,
        Unsent::TooLong,
    ];

    /// The reason that a challenge ends for if none of its texts has left.
    pub const fn reason(self) -> Reason {
        match self {
            Unsent::Unavailable => Reason::CarrierUnavailable,
            Unsent::Overloaded => Reason::Overloaded,
            Unsent::Rejected => Reason::TextRejected,
            Unsent::NoSuchNumber => Reason::NoSuchNumber,
            Unsent::TooLong => Reason::TextTooLong,
        }
    }
}

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextState {
    /// It has not left yet.
    Queued,
    /// A carrier has taken it.
    Sent,
    /// It left and no carrier answered: it may arrive or not.
    Unsure,
    /// A carrier's receipt says that it is accepted or on its way: it may arrive or not.
    Accepted,
    /// The carrier says that it does not know what has become of it.
    Unknown,
    /// The carrier says that it is on the phone.
    Delivered,
    /// The carrier says that it will not arrive.
    Undeliverable,
    /// It was not sent, or not whole.
    Failed,
}

impl TextState {
    /// Every state.
    pub const ALL: [TextState; 8] = [
        TextState::Queued,
        TextState::Sent,
        TextState::Unsure,
        TextState::Accepted,
        TextState::Unknown,
        TextState::Delivered,
        TextState::Undeliverable,
        TextState::Failed,
    ];

    /// Its name in the API and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            TextState::Queued => "queued",
            TextState::Sent => "sent",
            TextState::Unsure => "unsure",
            TextState::Accepted => "accepted",
            TextState::Unknown => "unknown",
            TextState::Delivered => "delivered",
            TextState::Undeliverable => "undeliverable",
            TextState::Failed => "failed",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<TextState> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// What is known of the last text of a challenge. A resend is a text of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Which of the challenge's texts it is: 1 is the first, 2 the first resend.
    pub sending: u8,
    /// Where it stands.
    pub state: TextState,
    /// When it was known to have left.
    pub sent: Option<Timestamp>,
    /// When it was known to be on the phone.
    pub delivered: Option<Timestamp>,
    /// Milliseconds from its leaving to the receipt.
    pub took_ms: Option<u64>,
    /// What the carrier said was wrong.
    pub error: Option<CarrierWord>,
    /// Into how many messages it was split.
    pub messages: Option<u8>,
}

impl Text {
    /// A text that is handed over and has not left.
    pub fn queued(sending: u8) -> Text {
        Text {
            sending,
            state: TextState::Queued,
            sent: None,
            delivered: None,
            took_ms: None,
            error: None,
            messages: None,
        }
    }

    /// Takes in what happened to it; whether that says anything new. A text that was once on the
    /// phone stays so, whatever a later receipt says; each state is taken on once at most.
    pub(super) fn learn(&mut self, news: TextNews, now: Timestamp) -> bool {
        use TextState::{
            Accepted, Delivered, Failed, Queued, Sent, Undeliverable, Unknown, Unsure,
        };
        let before = *self;
        match (news, self.state) {
            (TextNews::Sent { messages }, Queued | Unsure) => {
                self.state = Sent;
                self.sent.get_or_insert(now);
                self.messages = Some(messages);
            }
            // The receipt was faster than the carrier's answer.
            (TextNews::Sent { messages }, Accepted | Unknown | Delivered | Undeliverable) => {
                self.messages.get_or_insert(messages);
            }
            (TextNews::Unsure, Queued) => {
                self.state = Unsure;
                self.sent = Some(now);
            }
            (TextNews::Accepted { took_ms }, Queued | Sent | Unsure) => {
                self.state = Accepted;
                self.sent.get_or_insert(now);
                self.took_ms = Some(took_ms);
            }
            (TextNews::Unknown { took_ms }, Queued | Sent | Unsure | Accepted) => {
                self.state = Unknown;
                self.sent.get_or_insert(now);
                self.took_ms = Some(took_ms);
            }
            (
                TextNews::Delivered { took_ms },
                Queued | Sent | Unsure | Accepted | Unknown | Undeliverable,
            ) => {
                self.state = Delivered;
                self.sent.get_or_insert(now);
                self.delivered = Some(now);
                self.took_ms = Some(took_ms);
                self.error = None;
            }
            (
                TextNews::Undeliverable { took_ms, error },
                Queued | Sent | Unsure | Accepted | Unknown,
            ) => {
                self.state = Undeliverable;
                self.sent.get_or_insert(now);
                self.took_ms = Some(took_ms);
                self.error = error;
            }
            (TextNews::Failed { error, .. }, Queued) => {
                self.state = Failed;
                self.error = error;
            }
            _ => {}
        }
        *self != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carriers_words_are_cut_and_cleaned() {
        let word = |text: &str| CarrierWord::new(text).map(|w| w.as_str().to_owned());
        assert_eq!(word("UNDELIV err:027"), Some("UNDELIV err:027".into()));
        assert_eq!(word("a\r\nb\u{1b}[31mé"), Some("ab[31m".into()));
        assert_eq!(word(&"x".repeat(100)), Some("x".repeat(64)));
        assert_eq!(word(""), None);
        assert_eq!(word("\n"), None);
    }

    #[test]
    fn what_was_on_the_phone_stays_so() {
        let now = Timestamp::UNIX_EPOCH;
        let mut text = Text::queued(1);
        assert!(text.learn(TextNews::Sent { messages: 1 }, now));
        let undeliverable = TextNews::Undeliverable {
            took_ms: 5,
            error: CarrierWord::new("EXPIRED"),
        };
        assert!(text.learn(undeliverable, now));
        assert!(text.learn(TextNews::Delivered { took_ms: 9 }, now));
        assert!(!text.learn(undeliverable, now));
        assert_eq!((text.state, text.error), (TextState::Delivered, None));
        let failed = TextNews::Failed {
            why: Unsent::Rejected,
            error: None,
        };
        assert!(!text.learn(failed, now));
    }

    #[test]
    fn what_is_not_final_is_told_once_and_ends_nothing() {
        let now = Timestamp::UNIX_EPOCH;
        let mut text = Text::queued(1);
        let accepted = TextNews::Accepted { took_ms: 3 };
        let unknown = TextNews::Unknown { took_ms: 7 };
        assert!(text.learn(accepted, now));
        assert!(!text.learn(accepted, now));
        assert!(text.learn(TextNews::Sent { messages: 1 }, now));
        assert_eq!((text.state, text.messages), (TextState::Accepted, Some(1)));
        assert!(text.learn(unknown, now));
        assert_eq!((text.state, text.took_ms), (TextState::Unknown, Some(7)));
        assert!(!text.learn(accepted, now), "nothing goes round in a circle");
        assert!(text.learn(TextNews::Delivered { took_ms: 9 }, now));
        assert!(!text.learn(unknown, now));
        assert_eq!(text.state, TextState::Delivered);
    }

    #[test]
    fn a_receipt_may_be_faster_than_the_answer() {
        let now = Timestamp::UNIX_EPOCH;
        let mut text = Text::queued(1);
        assert!(text.learn(TextNews::Delivered { took_ms: 9 }, now));
        assert!(text.learn(TextNews::Sent { messages: 2 }, now));
        assert_eq!((text.state, text.messages), (TextState::Delivered, Some(2)));
        assert!(!text.learn(TextNews::Sent { messages: 2 }, now));
    }

    #[test]
    fn names_are_those_of_the_api_and_no_text_that_failed_approves() {
        for state in TextState::ALL {
            assert_eq!(serde_json::json!(state), serde_json::json!(state.name()));
            assert_eq!(TextState::from_name(state.name()), Some(state));
        }
        for why in Unsent::ALL {
            assert_eq!(why.reason().outcome(), super::super::Outcome::Failed);
        }
    }
}
