//! Challenges over HTTP: begin, look, wait, cancel.

use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::App;
use super::auth::Caller;
use super::body::{JsonBytes, invalid, unknown};
use super::problem::{Kind, Problem, ProblemBody};
use super::segment::Segment;
use super::view::ChallengeView;
use super::wanted::{NewChallengeBody, Wanted, field_error};
use crate::engine::{Begin, BeginError, CancelError, EngineError, WaitError};
use crate::wording::WordingError;

/// The longest long poll, in seconds.
pub const LONGEST_WAIT: u64 = 60;
/// How long a challenge may take to be begun or cancelled: the time of a few commits.
const ANSWER_TIME: Duration = Duration::from_secs(15);
/// The longest idempotency key.
const LONGEST_KEY: usize = 255;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Begin a challenge.
///
/// The challenge is durable when the answer arrives, and the phone is being called or texted. Send an
/// `Idempotency-Key` to be able to repeat the request after a lost answer: the same key with the
/// same body answers with the same challenge for 24 hours and calls nobody twice.
#[utoipa::path(
    post,
    path = "/v1/challenges",
    tag = "challenges",
    params(
        ("Idempotency-Key" = Option<String>, Header, description =
            "1 to 255 visible ASCII characters, different for each challenge; a UUID will do."),
    ),
    request_body(content = NewChallengeBody, content_type = "application/json"),
    responses(
        (status = 201, description = "The challenge is begun.", body = ChallengeView, headers(
            ("Location" = String, description = "Where the challenge is."),
            ("Idempotency-Replayed" = bool, description =
                "`true` if an earlier request with this idempotency key had begun it."),
        )),
        (status = 400, description = "`malformed-body`, `invalid-parameter`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 408, description = "`body-timeout`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body-too-large`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported-media-type`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-request`, `invalid-number`, `not-direct-dial`, \
            `number-refused`, `number-blocked`, `channel-not-available`, `locale-not-available`, \
            `text-too-long`, `idempotency-key-reused`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`limit-reached`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`, `unavailable`",
            body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    JsonBytes(body): JsonBytes,
) -> Result<Response, Problem> {
    let idempotency_key = idempotency_key(&headers)?;
    let wanted = Wanted::read(&body)?;
    let begin = Begin {
        tenant: caller.tenant,
        to: wanted.to,
        channel: wanted.channel,
        purpose: wanted.purpose,
        subject: wanted.subject,
        locale: wanted.locale,
        time_to_live: wanted.time_to_live,
        idempotency_key,
        text: wanted.text,
    };
    let accepted = in_time(app.engine.begin(begin)).await?.map_err(refused)?;
    let id = accepted.challenge.details().id;
    let mut response = ChallengeView::answer(&accepted.challenge);
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::try_from(format!("/v1/challenges/{id}")) {
        headers.insert(LOCATION, location);
    }
    if accepted.replayed {
        headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Look at a challenge, or wait for its outcome.
#[utoipa::path(
    get,
    path = "/v1/challenges/{id}",
    tag = "challenges",
    params(
        ("id" = Uuid, Path, description = "The challenge's id."),
        ("wait" = Option<u64>, Query, maximum = 60, description =
            "Seconds to wait for the outcome, at most 60. The answer comes as soon as there is \
             one, or with the present status when the time is over."),
    ),
    responses(
        (status = 200, description = "The challenge as it stands.", body = ChallengeView),
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
pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let wait = parameters(query.as_deref(), &["wait"])?
        .map(|(_, value)| wait_seconds(&value))
        .transpose()?;
    let id = id_of(&id)?;
    let found = match wait {
        Some(seconds) if seconds > 0 => {
            let patience = Duration::from_secs(seconds);
            app.engine.wait(&caller.tenant, id, patience).await
        }
        _ => {
            let found = in_time(app.engine.find(&caller.tenant, id)).await?;
            found.map_err(WaitError::from)
        }
    };
    match found.map_err(wait_refused)? {
        Some(challenge) => Ok(ChallengeView::answer(&challenge)),
        None => Err(not_found()),
    }
}

/// Cancel a challenge.
///
/// The phone stops ringing, the call is ended, or a text that has not left is taken back. If the
/// person pressed the key or the code was checked a moment before, the challenge is approved and stays so: the answer is then 409 and carries the challenge.
/// Cancelling again what was cancelled is no error.
#[utoipa::path(
    post,
    path = "/v1/challenges/{id}/cancel",
    tag = "challenges",
    params(("id" = Uuid, Path, description = "The challenge's id.")),
    responses(
        (status = 200, description = "The challenge is cancelled.", body = ChallengeView),
        (status = 401, description = "`unauthorized`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`challenge-not-found`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`already-ended`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`",
            body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Response, Problem> {
    let id = id_of(&id)?;
    match in_time(app.engine.cancel(&caller.tenant, id)).await? {
        Ok(challenge) => Ok(ChallengeView::answer(&challenge)),
        Err(CancelError::Unknown) => Err(not_found()),
        Err(CancelError::Ended(challenge)) => {
            let status = challenge.state().status().name();
            let detail = format!("The challenge ended as `{status}` before it could be cancelled.");
            Err(Problem::new(Kind::AlreadyEnded, detail)
                .challenge(ChallengeView::from(&*challenge)))
        }
        Err(CancelError::Engine(error)) => Err(unavailable(&error)),
    }
}

/// The request's idempotency key.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<Zeroizing<String>>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let key = value.to_str().unwrap_or_default();
    let visible = key.bytes().all(|b| b.is_ascii_graphic());
    if values.next().is_some() || !visible || !(1..=LONGEST_KEY).contains(&key.len()) {
        return Err(Problem::new(
            Kind::InvalidParameter,
            "Send one `Idempotency-Key` of 1 to 255 visible ASCII characters, or none.",
        ));
    }
    Ok(Some(Zeroizing::new(key.to_owned())))
}

/// The one query parameter of a request, if it has one: it is one of these names and not there
/// twice.
pub(super) fn parameters(
    query: Option<&str>,
    names: &[&'static str],
) -> Result<Option<(&'static str, String)>, Problem> {
    let mut found = None;
    for pair in query
        .unwrap_or_default()
        .split('&')
        .filter(|p| !p.is_empty())
    {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(known) = names.iter().find(|known| **known == name) else {
            let name = super::body::repeatable(name);
            let detail = match names {
                [] => "There are no query parameters here. Leave them out.".into(),
                names => format!("The query parameter `{name}` {}.", unknown(name, names)),
            };
            return Err(Problem::new(Kind::InvalidParameter, detail));
        };
        if found.replace((*known, value.to_owned())).is_some() {
            let detail = format!("The query parameter `{known}` is there twice.");
            return Err(Problem::new(Kind::InvalidParameter, detail));
        }
    }
    Ok(found)
}

fn wait_seconds(value: &str) -> Result<u64, Problem> {
    value
        .parse()
        .ok()
        .filter(|seconds| *seconds <= LONGEST_WAIT)
        .ok_or_else(|| {
            let detail =
                format!("`wait` must be a whole number of seconds from 0 to {LONGEST_WAIT}.");
            Problem::new(Kind::InvalidParameter, detail)
        })
}

/// The id in a path. What is no id names no challenge.
pub(super) fn id_of(text: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text).map_err(|_| not_found())
}

fn unavailable_for(reason: &'static str, detail: &'static str) -> Problem {
    Problem::new(Kind::Unavailable, detail)
        .reason(reason)
        .retry_after(Duration::from_secs(5))
}

pub(super) fn stopping() -> Problem {
    unavailable_for("stopping", "The service is stopping. Try again elsewhere.")
}

pub(super) fn not_found() -> Problem {
    Problem::new(
        Kind::ChallengeNotFound,
        "There is no challenge of this id that this API key may see.",
    )
}

/// What cannot be answered in time is told so; the engine carries on with it.
pub(super) async fn in_time<T>(answer: impl Future<Output = T>) -> Result<T, Problem> {
    tokio::time::timeout(ANSWER_TIME, answer).await.map_err(|_| {
        let detail = "The store did not answer in time. Look at the challenge before you repeat the \
                      request, or repeat it with the same idempotency key.";
        Problem::new(Kind::Unavailable, detail)
            .reason("timeout")
            .retry_after(Duration::from_secs(5))
    })
}

pub(super) fn wait_refused(error: WaitError) -> Problem {
    match error {
        WaitError::TooMany => Problem::new(
            Kind::TooManyWaiting,
            "Too many requests wait already, for this challenge or in all. Ask without `wait`, or \
             wait with fewer requests.",
        )
        .retry_after(Duration::from_secs(5)),
        WaitError::Engine(error) => unavailable(&error),
    }
}

pub(super) fn unavailable(error: &EngineError) -> Problem {
    tracing::error!(%error, "a request could not be answered");
    let (reason, detail) = match error {
        EngineError::Store(_) => ("store", "The store cannot be used just now. Try again."),
        EngineError::Stopped => ("stopped", "The service is stopping. Try again elsewhere."),
    };
    Problem::new(Kind::Unavailable, detail)
        .reason(reason)
        .retry_after(Duration::from_secs(5))
}

fn refused(error: BeginError) -> Problem {
    match error {
        BeginError::Refused(refusal) => Problem::new(
            Kind::NumberRefused,
            format!("The dialplan refuses this number: {refusal}."),
        )
        .reason(refusal.code()),
        BeginError::Limited(refusal) => match refusal.retry_after() {
            Some(wait) => Problem::new(Kind::LimitReached, format!("{refusal}."))
                .reason(refusal.code())
                .retry_after(wait),
            None => Problem::new(Kind::NumberRefused, format!("{refusal}.")).reason(refusal.code()),
        },
        BeginError::Locale(there_are) => locale_not_available("prompts", &there_are),
        BeginError::Wording(error) => not_written(&error),
        BeginError::Unspoken => invalid(vec![field_error(
            "purpose",
            "must be `sign_in` for a call: there are no recordings for others".into(),
        )]),
        BeginError::Blocked => blocked(),
        BeginError::NoTexting => Problem::new(
            Kind::ChannelNotAvailable,
            "No way for texts is set up here. Use another channel, or ask the operator.",
        ),
        BeginError::TextingStopped => texting_stopped(),
        BeginError::NoRandomness => {
            tracing::error!("the system's random source failed");
            Problem::new(
                Kind::Internal,
                "The system's random source failed, and no code was drawn.",
            )
        }
        BeginError::KeyReused => Problem::new(
            Kind::IdempotencyKeyReused,
            "This `Idempotency-Key` came with another body before. Use a new key for a new \
             challenge.",
        ),
        BeginError::Full => Problem::new(
            Kind::Overloaded,
            "As many challenges are open as this service takes. Try again in a few seconds.",
        )
        .retry_after(Duration::from_secs(5)),
        BeginError::Draining => stopping(),
        BeginError::NoGateway => unavailable_for(
            "gateway",
            "No calls can be placed just now. Try again later.",
        ),
        BeginError::Engine(error) => unavailable(&error),
    }
}

/// Why a text cannot be written.
pub(super) fn not_written(error: &WordingError) -> Problem {
    match error {
        WordingError::Locale(there_are) => locale_not_available("words", there_are),
        WordingError::Brand(there_are) => invalid(vec![field_error(
            "brand",
            format!("must be one of `{}`", there_are.join("`, `")),
        )]),
        WordingError::TooLong { .. } | WordingError::TooLongForApp(_) => Problem::new(
            Kind::TextTooLong,
            format!("{error}. Ask for a shorter `brand` or `web_otp`, or for none."),
        ),
    }
}

pub(super) fn blocked() -> Problem {
    Problem::new(
        Kind::NumberBlocked,
        "The number is sent no texts. Reach the person otherwise.",
    )
}

pub(super) fn texting_stopped() -> Problem {
    Problem::new(
        Kind::Unavailable,
        "No texts can be sent just now. Try again later.",
    )
    .reason("texting")
    .retry_after(Duration::from_secs(5))
}

fn locale_not_available(what: &str, there_are: &[std::sync::Arc<str>]) -> Problem {
    let listed = there_are.join("`, `");
    Problem::new(
        Kind::LocaleNotAvailable,
        format!("There are {what} for `{listed}`."),
    )
    .errors(vec![field_error(
        "locale",
        format!("must be one of `{listed}`"),
    )])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_parameters_are_known_or_refused() {
        let names = &["wait"];
        assert_eq!(parameters(None, names).expect("none"), None);
        assert_eq!(parameters(Some(""), names).expect("none"), None);
        let found = parameters(Some("wait=5"), names).expect("one");
        assert_eq!(found, Some(("wait", "5".into())));
        for bad in ["wait=1&wait=2", "wiat=1", "a=b", "wait=5&x"] {
            let problem = parameters(Some(bad), names).expect_err(bad);
            assert_eq!(problem.kind(), Kind::InvalidParameter);
        }
        let told = parameters(Some("wiat=1"), names)
            .expect_err("unknown")
            .body()
            .detail;
        assert!(told.contains("did you mean `wait`"), "{told}");
        for bad in ["", "-1", "61", "1.5", "+1x", "99999999999999999999"] {
            assert!(wait_seconds(bad).is_err(), "{bad}");
        }
    }
}
