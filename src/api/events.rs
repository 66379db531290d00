//! A challenge's log as server-sent events, from any line on, until the outcome.

use std::convert::Infallible;
use std::time::Duration;

use async_stream::stream;
use axum::extract::{RawQuery, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::App;
use super::auth::Caller;
use super::challenges::{id_of, not_found, parameters, unavailable, wait_refused};
use super::problem::{Kind, Problem, ProblemBody};
use super::segment::Segment;
use crate::answer::AnsweredBy;
use crate::challenge::{Entry, KeySource, Reason, State as ChallengeState, TextNews, Unsent, What};
use crate::engine::Follow;

/// Silence after which a comment tells that the stream still stands.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Milliseconds after which a client whose stream broke should come back.
const COME_BACK: Duration = Duration::from_secs(1);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// One line of a challenge's log, as the `data` of an event. The event's `id` is `seq`, its
/// `event` is `event`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventData {
    /// The challenge.
    pub challenge: Uuid,
    /// The line's number: 1, 2, 3...
    pub seq: u32,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What happened: the challenge's new status, or something on the way there.
    #[schema(value_type = EventName)]
    pub event: &'static str,
    /// Why the challenge ended, or why a text was not sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<Reason>,
    /// Which key was pressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "#")]
    pub digit: Option<char>,
    /// How the key was heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub source: Option<KeySource>,
    /// Whether the key was acted on: those before the invitation to press are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub counted: Option<bool>,
    /// Which of the challenge's texts it is about: 1 is the first, 2 the first that was sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub text: Option<u8>,
    /// Into how many messages the text was split.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub messages: Option<u8>,
    /// Milliseconds from the text's leaving to the carrier's receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub took_ms: Option<u64>,
    /// What the carrier said was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "UNDELIV err:027")]
    pub carrier_error: Option<String>,
    /// How many more wrong codes may be entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub attempts_left: Option<u8>,
    /// Who or what answered the call, by its sounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub answered_by: Option<AnsweredBy>,
}

/// What an event says.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "documents `EventData::event`")]
pub enum EventName {
    /// The challenge is accepted and durable.
    Queued,
    /// The phone is being called.
    Dialling,
    /// It rings.
    Ringing,
    /// It was answered.
    Answered,
    /// A key was pressed.
    Key,
    /// The call's sounds tell who or what has answered.
    AnsweredBy,
    /// A carrier has taken the text.
    Sent,
    /// The text left and no carrier answered: it may arrive or not.
    Unsure,
    /// A carrier's receipt says that the text is accepted or on its way: it may arrive or not.
    Accepted,
    /// The carrier says that it does not know what has become of the text.
    Unknown,
    /// The carrier says that the text is on the phone.
    Delivered,
    /// The carrier says that the text will not arrive.
    Undeliverable,
    /// A text that was to be sent again was not; what was sent before may still arrive.
    TextFailed,
    /// The text is to be sent again.
    Resent,
    /// A wrong code was entered.
    WrongCode,
    /// The person confirmed; the last event.
    Approved,
    /// The person did not confirm; the last event.
    Denied,
    /// Time ran out; the last event.
    Expired,
    /// It could not be carried out; the last event.
    Failed,
    /// It was taken back; the last event.
    Cancelled,
}

impl EventData {
    /// A line of a challenge's log.
    pub fn new(challenge: Uuid, entry: &Entry) -> EventData {
        let mut data = EventData {
            challenge,
            seq: entry.seq,
            at: entry.at,
            event: "",
            reason: None,
            digit: None,
            source: None,
            counted: None,
            text: None,
            messages: None,
            took_ms: None,
            carrier_error: None,
            attempts_left: None,
            answered_by: None,
        };
        match entry.what {
            What::Stage(stage) => data.event = ChallengeState::Open(stage).status().name(),
            What::Key(key) => {
                data.event = "key";
                data.digit = Some(key.digit.as_char());
                data.source = Some(key.source);
                data.counted = Some(key.counted);
            }
            What::AnsweredBy(by) => {
                data.event = "answered_by";
                data.answered_by = Some(by);
            }
            What::Text { sending, news } => {
                data.text = Some(sending);
                data.tell(news);
            }
            What::Resent { sending } => {
                data.event = "resent";
                data.text = Some(sending);
            }
            What::WrongCode { left } => {
                data.event = "wrong_code";
                data.attempts_left = Some(left);
            }
            What::Ended(reason) => {
                data.event = reason.outcome().name();
                data.reason = Some(reason);
            }
        }
        data
    }

    fn tell(&mut self, news: TextNews) {
        let (event, error) = match news {
            TextNews::Sent { messages } => {
                self.messages = Some(messages);
                ("sent", None)
            }
            TextNews::Unsure => ("unsure", None),
            TextNews::Accepted { took_ms } => {
                self.took_ms = Some(took_ms);
                ("accepted", None)
            }
            TextNews::Unknown { took_ms } => {
                self.took_ms = Some(took_ms);
                ("unknown", None)
            }
            TextNews::Delivered { took_ms } => {
                self.took_ms = Some(took_ms);
                ("delivered", None)
            }
            TextNews::Undeliverable { took_ms, error } => {
                self.took_ms = Some(took_ms);
                ("undeliverable", error)
            }
            TextNews::Failed { why, error } => {
                self.reason = Some(Unsent::reason(why));
                ("text_failed", error)
            }
        };
        self.event = event;
        self.carrier_error = error.map(|error| error.as_str().to_owned());
    }

    fn event(&self) -> Event {
        Event::default()
            .id(self.seq.to_string())
            .event(self.event)
            .data(serde_json::to_string(self).unwrap_or_default())
    }
}

/// Follow a challenge, as server-sent events.
///
/// Every line of its log so far, then each as it is written; the stream ends with the outcome. A
/// client that lost the stream sends `Last-Event-ID` and misses nothing; one that has already
/// seen the outcome is answered 204, which tells an `EventSource` not to come back.
#[utoipa::path(
    get,
    path = "/v1/challenges/{id}/events",
    tag = "challenges",
    params(
        ("id" = Uuid, Path, description = "The challenge's id."),
        ("Last-Event-ID" = Option<u32>, Header, description =
            "The id of the last event seen; the stream begins after it."),
    ),
    responses(
        (status = 200, description = "The events.", body = EventData,
            content_type = "text/event-stream"),
        (status = 204, description = "The challenge has ended and its last event was seen."),
        (status = 400, description = "`invalid-parameter`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`challenge-not-found`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`too-many-waiting`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`",
            body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub async fn follow(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    parameters(query.as_deref(), &[])?;
    let after = last_seen(&headers)?;
    let id = id_of(&id)?;
    let followed = app.engine.follow(&caller.tenant, id, after).await;
    let follow = followed.map_err(wait_refused)?.ok_or_else(not_found)?;
    let no_store = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    let over = follow.is_over().await;
    if over.map_err(|error| unavailable(&error.into()))? {
        return Ok((StatusCode::NO_CONTENT, no_store).into_response());
    }
    let heartbeat = KeepAlive::new().interval(HEARTBEAT).text("waiting");
    let events = Sse::new(events(id, follow)).keep_alive(heartbeat);
    // Proxies that buffer would hold back the events.
    let unbuffered = [(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    )];
    Ok((no_store, unbuffered, events).into_response())
}

fn events(
    id: Uuid,
    mut follow: Follow,
) -> impl futures_util::Stream<Item = Result<Event, Infallible>> {
    stream! {
        yield Ok(Event::default().retry(COME_BACK));
        loop {
            match follow.next().await {
                Ok(Some(entries)) => for entry in &entries {
                    yield Ok(EventData::new(id, entry).event());
                },
                Ok(None) => break,
                Err(error) => {
                    // The stream ends without an outcome; the client comes back.
                    tracing::error!(%error, "an event stream broke off");
                    break;
                }
            }
        }
    }
}

fn last_seen(headers: &HeaderMap) -> Result<u32, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else {
        return Ok(0);
    };
    let seen = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse().ok());
    seen.ok_or_else(|| {
        Problem::new(
            Kind::InvalidParameter,
            "`Last-Event-ID` must be the id of an event of this challenge: a whole number.",
        )
    })
}
