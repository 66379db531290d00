//! A challenge as the API shows it.

use axum::Json;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::answer::AnsweredBy;
use crate::challenge::{Challenge, Channel, Purpose, Reason, Status, Text, TextState};

/// A challenge: one question, "does this person hold this phone now?", with one outcome.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Challenge)]
pub struct ChallengeView {
    /// Its id.
    pub id: Uuid,
    /// How far it has come, or how it ended: `approved`, `denied`, `expired`, `failed` and
    /// `cancelled` are final and never change.
    pub status: Status,
    /// Why it ended as it did; `null` while it is open.
    pub reason: Option<Reason>,
    /// How the person is reached.
    pub channel: Channel,
    /// What the person is asked to confirm.
    pub purpose: Purpose,
    /// The phone, masked; `null` once the number was erased.
    #[schema(example = "+44********23")]
    pub to: Option<String>,
    /// Your own name for the person.
    pub subject: Option<String>,
    /// The language of prompts or words.
    #[schema(example = "en-GB")]
    pub locale: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it expires if nothing ends it before.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it ended; `null` while it is open.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Who or what answered the call, if its sounds told; a guess, told with the outcome.
    pub answered_by: Option<AnsweredBy>,
    /// How many more wrong codes may be entered; `null` for a call.
    pub attempts_left: Option<u8>,
    /// What is known of the last text; `null` for a call.
    pub text: Option<TextView>,
}

/// What is known of a challenge's last text. Receipts are the carrier's word, which is not always
/// true; one that comes after the challenge has ended is told too, and changes nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Text)]
pub struct TextView {
    /// Where it stands.
    #[schema(inline)]
    pub state: TextState,
    /// When it was known to have left.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sent_at: Option<Timestamp>,
    /// When the carrier said that it is on the phone.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delivered_at: Option<Timestamp>,
    /// Milliseconds from its leaving to the carrier's receipt.
    pub took_ms: Option<u64>,
    /// What the carrier said was wrong.
    #[schema(example = "UNDELIV err:027")]
    pub carrier_error: Option<String>,
    /// Into how many messages it was split; each is billed.
    pub messages: Option<u8>,
    /// How often the text was sent again.
    pub resends: u8,
}

impl From<&Text> for TextView {
    fn from(text: &Text) -> Self {
        TextView {
            state: text.state,
            sent_at: text.sent,
            delivered_at: text.delivered,
            took_ms: text.took_ms,
            carrier_error: text.error.as_ref().map(|e| e.as_str().to_owned()),
            messages: text.messages,
            resends: text.sending.saturating_sub(1),
        }
    }
}

impl From<&Challenge> for ChallengeView {
    fn from(challenge: &Challenge) -> Self {
        let details = challenge.details();
        ChallengeView {
            id: details.id,
            status: challenge.state().status(),
            reason: challenge.state().reason(),
            channel: details.channel,
            purpose: details.purpose,
            to: details.to.as_deref().map(str::to_owned),
            subject: details.subject.as_ref().map(|s| s.as_str().to_owned()),
            locale: details.locale.to_string(),
            created_at: details.created,
            expires_at: details.expires,
            ended_at: challenge.life().ended(),
            answered_by: challenge.life().answered_by(),
            attempts_left: challenge.attempts_left(),
            text: challenge.life().text().map(TextView::from),
        }
    }
}

impl ChallengeView {
    /// An answer that no cache keeps.
    pub(super) fn answer(challenge: &Challenge) -> Response {
        let no_store = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        (no_store, Json(ChallengeView::from(challenge))).into_response()
    }
}
