//! Problems: what every error of the API looks like (RFC 9457), and the closed list of them.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::view::ChallengeView;

/// What went wrong: each kind has a stable URI, which leads to its documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No API key, or none that is accepted; of a provider, no proof.
    Unauthorized,
    /// The body is not a JSON object.
    MalformedBody,
    /// A field of the body is missing, unknown or not what it must be.
    InvalidRequest,
    /// A query parameter or header is unknown or not what it must be.
    InvalidParameter,
    /// The text is not a phone number.
    InvalidNumber,
    /// The number needs more dialling once the call is answered.
    NotDirectDial,
    /// The dialplan does not lead the number anywhere.
    NumberRefused,
    /// The number is sent no texts.
    NumberBlocked,
    /// The operator has set up no way for texts.
    ChannelNotAvailable,
    /// There are no prompts or words for the locale.
    LocaleNotAvailable,
    /// The text takes more messages than the operator allows.
    TextTooLong,
    /// The idempotency key came with another request before.
    IdempotencyKeyReused,
    /// A limit on challenges says not now.
    LimitReached,
    /// There is no such challenge, or it is another tenant's.
    ChallengeNotFound,
    /// The challenge ended before it could be cancelled, checked or sent again.
    AlreadyEnded,
    /// The body holds no code; no attempt was counted.
    MalformedCode,
    /// It is not the code; the attempt was counted.
    WrongCode,
    /// As many wrong codes were entered as may be.
    TooManyAttempts,
    /// The challenge expired before the code was entered.
    ChallengeExpired,
    /// The code was entered before.
    CodeSpent,
    /// The challenge is a call.
    NoCode,
    /// The last text was sent a moment ago.
    ResendTooSoon,
    /// The text is not sent again.
    NotResent,
    /// Nothing is at this path.
    NotFound,
    /// What is at this path does not take this method.
    MethodNotAllowed,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body is too large.
    BodyTooLarge,
    /// The body is not announced as what is wanted: JSON, or what a provider's section says.
    UnsupportedMediaType,
    /// Too many requests wait for outcomes.
    TooManyWaiting,
    /// Too many challenges are open.
    Overloaded,
    /// The store or the gateway cannot be used, or the service is stopping.
    Unavailable,
    /// A fault in the service itself.
    Internal,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 32] = [
        Kind::Unauthorized,
        Kind::MalformedBody,
        Kind::InvalidRequest,
        Kind::InvalidParameter,
        Kind::InvalidNumber,
        Kind::NotDirectDial,
        Kind::NumberRefused,
        Kind::NumberBlocked,
        Kind::ChannelNotAvailable,
        Kind::LocaleNotAvailable,
        Kind::TextTooLong,
        Kind::IdempotencyKeyReused,
        Kind::LimitReached,
        Kind::ChallengeNotFound,
        Kind::AlreadyEnded,
        Kind::MalformedCode,
        Kind::WrongCode,
        Kind::TooManyAttempts,
        Kind::ChallengeExpired,
        Kind::CodeSpent,
        Kind::NoCode,
        Kind::ResendTooSoon,
        Kind::NotResent,
        Kind::NotFound,
        Kind::MethodNotAllowed,
        Kind::BodyTimeout,
        Kind::BodyTooLarge,
        Kind::UnsupportedMediaType,
        Kind::TooManyWaiting,
        Kind::Overloaded,
        Kind::Unavailable,
        Kind::Internal,
    ];

    /// The problem type's URI, relative to the service's own.
    pub const fn uri(self) -> &'static str {
        match self {
            Kind::Unauthorized => "/problems/unauthorized",
            Kind::MalformedBody => "/problems/malformed-body",
            Kind::InvalidRequest => "/problems/invalid-request",
            Kind::InvalidParameter => "/problems/invalid-parameter",
            Kind::InvalidNumber => "/problems/invalid-number",
            Kind::NotDirectDial => "/problems/not-direct-dial",
            Kind::NumberRefused => "/problems/number-refused",
            Kind::NumberBlocked => "/problems/number-blocked",
            Kind::ChannelNotAvailable => "/problems/channel-not-available",
            Kind::TextTooLong => "/problems/text-too-long",
            Kind::LocaleNotAvailable => "/problems/locale-not-available",
            Kind::IdempotencyKeyReused => "/problems/idempotency-key-reused",
            Kind::LimitReached => "/problems/limit-reached",
            Kind::ChallengeNotFound => "/problems/challenge-not-found",
            Kind::AlreadyEnded => "/problems/already-ended",
            Kind::MalformedCode => "/problems/malformed-code",
            Kind::WrongCode => "/problems/wrong-code",
            Kind::TooManyAttempts => "/problems/too-many-attempts",
            Kind::ChallengeExpired => "/problems/challenge-expired",
            Kind::CodeSpent => "/problems/code-spent",
            Kind::NoCode => "/problems/no-code",
            Kind::ResendTooSoon => "/problems/resend-too-soon",
            Kind::NotResent => "/problems/not-resent",
            Kind::NotFound => "/problems/not-found",
            Kind::MethodNotAllowed => "/problems/method-not-allowed",
            Kind::BodyTimeout => "/problems/body-timeout",
            Kind::BodyTooLarge => "/problems/body-too-large",
            Kind::UnsupportedMediaType => "/problems/unsupported-media-type",
            Kind::TooManyWaiting => "/problems/too-many-waiting",
            Kind::Overloaded => "/problems/overloaded",
            Kind::Unavailable => "/problems/unavailable",
            Kind::Internal => "/problems/internal",
        }
    }

    /// The last part of the URI.
    pub fn name(self) -> &'static str {
        self.uri().trim_start_matches("/problems/")
    }

    /// The status that answers carry.
    pub const fn status(self) -> StatusCode {
        match self {
            Kind::Unauthorized => StatusCode::UNAUTHORIZED,
            Kind::MalformedBody | Kind::InvalidParameter | Kind::MalformedCode => {
                StatusCode::BAD_REQUEST
            }
            Kind::InvalidRequest
            | Kind::InvalidNumber
            | Kind::NotDirectDial
            | Kind::NumberRefused
            | Kind::NumberBlocked
            | Kind::ChannelNotAvailable
            | Kind::LocaleNotAvailable
            | Kind::TextTooLong
            | Kind::WrongCode
            | Kind::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::LimitReached | Kind::TooManyWaiting | Kind::ResendTooSoon => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Kind::ChallengeNotFound | Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::AlreadyEnded | Kind::CodeSpent | Kind::NoCode | Kind::NotResent => {
                StatusCode::CONFLICT
            }
            Kind::TooManyAttempts | Kind::ChallengeExpired => StatusCode::GONE,
            Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Kind::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Kind::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Kind::Overloaded | Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The kind in a few words, the same in every answer.
    pub const fn title(self) -> &'static str {
        match self {
            Kind::Unauthorized => "No valid API key",
            Kind::MalformedBody => "The body is not a JSON object",
            Kind::InvalidRequest => "The request has fields that are not valid",
            Kind::InvalidParameter => "A parameter is not valid",
            Kind::InvalidNumber => "Not a phone number",
            Kind::NotDirectDial => "Not a direct-dial number",
            Kind::NumberRefused => "The number is not called from here",
            Kind::NumberBlocked => "The number is sent no texts",
            Kind::ChannelNotAvailable => "No texts are sent from here",
            Kind::TextTooLong => "The text would be too long",
            Kind::LocaleNotAvailable => "No prompts or words for this locale",
            Kind::IdempotencyKeyReused => "The idempotency key belongs to another request",
            Kind::LimitReached => "A limit was reached",
            Kind::ChallengeNotFound => "No such challenge",
            Kind::AlreadyEnded => "The challenge has already ended",
            Kind::MalformedCode => "Not a code",
            Kind::WrongCode => "Not the code",
            Kind::TooManyAttempts => "Too many wrong codes",
            Kind::ChallengeExpired => "The challenge has expired",
            Kind::CodeSpent => "The code was used before",
            Kind::NoCode => "The challenge has no code",
            Kind::ResendTooSoon => "Too soon to send the text again",
            Kind::NotResent => "The text is not sent again",
            Kind::NotFound => "Nothing is here",
            Kind::MethodNotAllowed => "Method not allowed here",
            Kind::BodyTimeout => "The body did not arrive in time",
            Kind::BodyTooLarge => "The body is too large",
            Kind::UnsupportedMediaType => "The body is of another media type",
            Kind::TooManyWaiting => "Too many requests wait for outcomes",
            Kind::Overloaded => "Too many challenges are open",
            Kind::Unavailable => "Not available just now",
            Kind::Internal => "A fault in the service",
        }
    }
}

/// One thing that is wrong with a request's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where: a JSON pointer as a URI fragment (RFC 6901 6).
    #[schema(example = "#/to")]
    pub pointer: String,
    /// What is wrong, and what to do.
    pub detail: String,
}

/// An error, as RFC 9457 shapes it.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    reason: Option<Cow<'static, str>>,
    errors: Vec<FieldError>,
    challenge: Option<Box<ChallengeView>>,
    attempts_left: Option<u8>,
    retry_after: Option<Duration>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of a kind; the detail tells what to do. Never put a number into it.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Problem {
        let mut headers = Vec::new();
        if kind == Kind::Unauthorized {
            let challenge = HeaderValue::from_static("Bearer realm=\"ringtrue\"");
            headers.push((WWW_AUTHENTICATE, challenge));
        }
        Problem {
            kind,
            detail: detail.into(),
            reason: None,
            errors: Vec::new(),
            challenge: None,
            attempts_left: None,
            retry_after: None,
            headers,
        }
    }

    /// With the reason from the closed list of its kind.
    pub fn reason(mut self, reason: impl Into<Cow<'static, str>>) -> Problem {
        self.reason = Some(reason.into());
        self
    }

    /// With all that is wrong with the body.
    pub fn errors(mut self, errors: Vec<FieldError>) -> Problem {
        self.errors = errors;
        self
    }

    /// With the challenge it is about.
    pub fn challenge(mut self, challenge: ChallengeView) -> Problem {
        self.challenge = Some(Box::new(challenge));
        self
    }

    /// With the number of wrong codes that may still be entered.
    pub fn attempts_left(mut self, left: u8) -> Problem {
        self.attempts_left = Some(left);
        self
    }

    /// With the time after which it is worth to try again.
    pub fn retry_after(mut self, wait: Duration) -> Problem {
        self.retry_after = Some(wait);
        self
    }

    /// With a header of its own, in place of one of the same name.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value));
        self
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its body.
    pub fn body(&self) -> ProblemBody {
        ProblemBody {
            kind: self.kind.uri(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: self.detail.to_string(),
            reason: self.reason.as_deref().map(str::to_owned),
            errors: self.errors.clone(),
            challenge: self.challenge.clone(),
            attempts_left: self.attempts_left,
            retry_after: self.retry_after.map(whole_seconds),
        }
    }
}

/// Seconds, rounded up, at least one.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).max(1) as u64
}

/// An error (RFC 9457), `application/problem+json`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// The problem type, relative to the service's own URI, where its documentation is.
    #[serde(rename = "type")]
    #[schema(schema_with = type_schema)]
    pub kind: &'static str,
    /// The type in a few words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time, and what to do.
    pub detail: String,
    /// Why, in one word from a closed list; see the problem type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// All that is wrong with the body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The challenge it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Box<ChallengeView>>,
    /// How many more wrong codes may be entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts_left: Option<u8>,
    /// Seconds after which it is worth to try again; the `Retry-After` header says the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

fn type_schema() -> utoipa::openapi::schema::Object {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .enum_values(Some(Kind::ALL.map(Kind::uri)))
        .description(Some(
            "The problem type, relative to the service's own URI, where its documentation is.",
        ))
        .build()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body()).unwrap_or_default();
        let mut response = (self.kind.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response.extensions_mut().insert(self.kind);
        response
    }
}

/// The documentation of every problem type, one section each.
pub const DOCUMENT: &str = include_str!("../../docs/problems.md");

/// The section of the documentation that a problem type's name leads to.
pub fn section(name: &str) -> Option<&'static str> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
    let heading = format!("## {}\n", kind.name());
    let from = DOCUMENT.find(&heading)?;
    let rest = DOCUMENT.get(from..)?;
    let to = rest.get(3..)?.find("\n## ").map_or(rest.len(), |n| n + 4);
    rest.get(..to)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_has_its_own_uri_and_a_documentation_that_names_its_status() {
        let uris: HashSet<_> = Kind::ALL.map(Kind::uri).into_iter().collect();
        assert_eq!(uris.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let section = section(kind.name()).unwrap_or_else(|| panic!("no section: {kind:?}"));
            assert!(section.starts_with(&format!("## {}\n", kind.name())));
            assert_eq!(section.matches("\n## ").count(), 0, "{kind:?}");
            let status = format!("**{}**", kind.status().as_u16());
            assert!(section.contains(&status), "{kind:?}: {section}");
            assert!(section.contains(kind.title()), "{kind:?}: {section}");
        }
        assert_eq!(DOCUMENT.matches("\n## ").count(), Kind::ALL.len());
        assert_eq!(section("no-such-problem"), None);
    }

    #[test]
    fn waits_are_rounded_up() {
        for (ms, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(ms)), seconds);
        }
    }
}
