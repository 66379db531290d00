//! Challenges over HTTP: begin, look, wait, cancel.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::App;
use super::auth::Caller;
use super::body::{Fields, JsonBytes, invalid, unknown};
use super::problem::{FieldError, Kind, Problem, ProblemBody};
use crate::challenge::{Challenge, Channel, Purpose, Reason, Status, Subject};
use crate::engine::{
    Begin, BeginError, CancelError, EngineError, LONGEST_LIFE, SHORTEST_LIFE, WaitError,
};
use crate::phone::{PhoneError, PhoneNumber};

/// The longest long poll, in seconds.
pub const LONGEST_WAIT: u64 = 60;
/// How long a challenge may take to be begun or cancelled: the time of a few commits.
const ANSWER_TIME: Duration = Duration::from_secs(15);
/// The longest idempotency key.
const LONGEST_KEY: usize = 255;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A challenge to be begun. Only `to` must be there.
#[derive(Debug, ToSchema)]
#[schema(as = NewChallenge)]
#[allow(
    dead_code,
    reason = "documents the body; `Wanted::read` reads it field by field"
)]
pub struct NewChallengeBody {
    /// The phone to reach, in E.164: a plus sign, the country code, the number. Direct dial only:
    /// no extension, no pause, no digits to be dialled after the answer.
    #[schema(example = "+442079460123")]
    to: String,
    /// How the person is reached.
    #[schema(inline, default = "voice", nullable = false, required = false)]
    channel: Option<Channel>,
    /// Your own name for the person, 1 to 256 bytes; returned as it is and never interpreted.
    #[schema(max_length = 256, min_length = 1, nullable = false)]
    subject: Option<String>,
    /// The language of the prompts, `en-GB`; if there are none for the region, another region's of
    /// the same language. The dialplan's choice if it is not there.
    #[schema(example = "en-GB", nullable = false)]
    locale: Option<String>,
    /// What the person is asked to confirm.
    #[schema(inline, default = "sign_in", nullable = false, required = false)]
    purpose: Option<Purpose>,
    /// Seconds until the challenge expires.
    #[schema(minimum = 30, maximum = 600, nullable = false)]
    ttl: Option<u64>,
}

/// The fields of [`NewChallengeBody`].
const FIELDS: &[&str] = &["to", "channel", "subject", "locale", "purpose", "ttl"];

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
    /// The language of the prompts.
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
        }
    }
}

impl ChallengeView {
    fn answer(challenge: &Challenge) -> Response {
        let no_store = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        (no_store, Json(ChallengeView::from(challenge))).into_response()
    }
}

/// Begin a challenge.
///
/// The challenge is durable when the answer arrives, and the phone is being called. Send an
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
            `number-refused`, `locale-not-available`, `idempotency-key-reused`",
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
    Path(id): Path<String>,
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
/// The phone stops ringing or the call is ended. If the person pressed the key a moment before,
/// the challenge is approved and stays so: the answer is then 409 and carries the challenge.
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
    Path(id): Path<String>,
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

/// What a body asks for, checked.
#[derive(Debug)]
struct Wanted {
    to: PhoneNumber,
    channel: Channel,
    purpose: Purpose,
    subject: Option<Subject>,
    locale: Option<Arc<str>>,
    time_to_live: Option<Duration>,
}

impl Wanted {
    fn read(body: &[u8]) -> Result<Wanted, Problem> {
        let mut fields = Fields::read(body, FIELDS)?;
        let to = fields.text("to").map(Zeroizing::new);
        let channel = named(&mut fields, "channel", Channel::from_name, || {
            Channel::ALL.map(Channel::name).to_vec()
        });
        let purpose = named(&mut fields, "purpose", Purpose::from_name, || {
            Purpose::ALL.map(Purpose::name).to_vec()
        });
        let subject = fields
            .text("subject")
            .map(|name| Subject::new(&name))
            .transpose()
            .unwrap_or_else(|error| {
                fields.wrong(
                    "subject",
                    format!("has {} bytes and may have 1 to 256", error.0),
                );
                None
            });
        let locale: Option<Arc<str>> = fields.text("locale").map(Into::into);
        if locale.as_deref().is_some_and(|locale| !is_locale(locale)) {
            fields.wrong("locale", "must be a language and a region, as in `en-GB`");
        }
        let seconds = SHORTEST_LIFE.as_secs()..=LONGEST_LIFE.as_secs();
        let ttl = fields.whole("ttl");
        if ttl.is_some_and(|ttl| !seconds.contains(&ttl)) {
            let (least, most) = (seconds.start(), seconds.end());
            fields.wrong("ttl", format!("must be from {least} to {most} seconds"));
        }
        let to = to.map(|to| PhoneNumber::parse(&to));
        let mut errors = fields.finish();
        let to = match to {
            Some(Ok(to)) if errors.is_empty() => to,
            Some(Ok(_)) => return Err(invalid(errors)),
            Some(Err(error)) if errors.is_empty() => return Err(not_dialled(error)),
            Some(Err(error)) => {
                errors.push(field_error("to", error.to_string()));
                return Err(invalid(errors));
            }
            None => {
                if !errors.iter().any(|error| error.pointer == "#/to") {
                    let detail = "must be there: the phone number to reach, as in `+442079460123`";
                    errors.push(field_error("to", detail.into()));
                }
                return Err(invalid(errors));
            }
        };
        Ok(Wanted {
            to,
            channel: channel.unwrap_or(Channel::Voice),
            purpose: purpose.unwrap_or(Purpose::SignIn),
            subject,
            locale,
            time_to_live: ttl.map(Duration::from_secs),
        })
    }
}

fn field_error(name: &str, detail: String) -> FieldError {
    FieldError {
        pointer: format!("#/{name}"),
        detail,
    }
}

/// A field whose value is one of a closed list of names.
fn named<T>(
    fields: &mut Fields,
    field: &'static str,
    from_name: fn(&str) -> Option<T>,
    names: fn() -> Vec<&'static str>,
) -> Option<T> {
    let name = fields.text(field)?;
    let value = from_name(&name);
    if value.is_none() {
        fields.wrong(field, format!("must be one of `{}`", names().join("`, `")));
    }
    value
}

/// Whether a text has the shape of a BCP 47 language tag of at most three parts.
fn is_locale(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    let alphabetic = |part: &str| part.bytes().all(|b| b.is_ascii_alphabetic());
    let alphanumeric = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric());
    let rest: Vec<&str> = parts.collect();
    (2..=3).contains(&language.len())
        && alphabetic(language)
        && rest.len() <= 2
        && rest
            .iter()
            .all(|part| (2..=8).contains(&part.len()) && alphanumeric(part))
}

fn not_dialled(error: PhoneError) -> Problem {
    let kind = match error {
        PhoneError::NotDirectDial(_) => Kind::NotDirectDial,
        _ => Kind::InvalidNumber,
    };
    let told = error.to_string();
    Problem::new(kind, format!("The field `to`: {told}."))
        .reason(error.code())
        .errors(vec![field_error("to", told)])
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

pub(super) fn not_found() -> Problem {
    Problem::new(
        Kind::ChallengeNotFound,
        "There is no challenge of this id that this API key may see.",
    )
}

/// What cannot be answered in time is told so; the engine carries on with it.
async fn in_time<T>(answer: impl Future<Output = T>) -> Result<T, Problem> {
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
    let unavailable_for = |reason: &'static str, detail: &'static str| {
        Problem::new(Kind::Unavailable, detail)
            .reason(reason)
            .retry_after(Duration::from_secs(5))
    };
    match error {
        BeginError::Refused(refusal) => Problem::new(
            Kind::NumberRefused,
            format!("The dialplan refuses this number: {refusal}."),
        )
        .reason(refusal.code()),
        BeginError::Limited(refusal) => Problem::new(Kind::LimitReached, format!("{refusal}."))
            .reason(refusal.code())
            .retry_after(refusal.retry_after()),
        BeginError::Locale(there_are) => Problem::new(
            Kind::LocaleNotAvailable,
            format!("There are prompts for `{}`.", there_are.join("`, `")),
        )
        .errors(vec![field_error(
            "locale",
            format!("must be one of `{}`", there_are.join("`, `")),
        )]),
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
        BeginError::Draining => {
            unavailable_for("stopping", "The service is stopping. Try again elsewhere.")
        }
        BeginError::NoGateway => unavailable_for(
            "gateway",
            "No calls can be placed just now. Try again later.",
        ),
        BeginError::Engine(error) => unavailable(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Wanted, Problem> {
        Wanted::read(body.as_bytes())
    }

    #[test]
    fn a_number_is_enough() {
        let wanted = read(r#"{"to":"+442079460123"}"#).expect("enough");
        assert_eq!(wanted.to.e164(), "+442079460123");
        assert_eq!(
            (wanted.channel, wanted.purpose),
            (Channel::Voice, Purpose::SignIn)
        );
        assert!(wanted.subject.is_none() && wanted.locale.is_none());
        assert!(wanted.time_to_live.is_none());
    }

    #[test]
    fn every_field_is_read() {
        let wanted = read(
            r#"{"to":"+442079460123","channel":"voice","subject":"jane","locale":"fr-FR",
                "purpose":"sign_in","ttl":600}"#,
        )
        .expect("valid");
        assert_eq!(wanted.subject.as_ref().map(Subject::as_str), Some("jane"));
        assert_eq!(wanted.locale.as_deref(), Some("fr-FR"));
        assert_eq!(wanted.time_to_live, Some(Duration::from_secs(600)));
    }

    #[test]
    fn wrong_fields_are_told_together() {
        let problem =
            read(r#"{"to":"x","channel":"fax","subject":"","locale":"english please","ttl":29}"#)
                .expect_err("wrong");
        assert_eq!(problem.kind(), Kind::InvalidRequest);
        let pointers: Vec<_> = problem
            .body()
            .errors
            .into_iter()
            .map(|e| e.pointer)
            .collect();
        assert_eq!(
            pointers,
            ["#/channel", "#/subject", "#/locale", "#/ttl", "#/to"]
        );
        let problem = read("{}").expect_err("nothing to call");
        assert_eq!(problem.body().errors.len(), 1);
        let problem = read(r#"{"to":5}"#).expect_err("no text");
        assert_eq!(problem.body().errors.len(), 1, "told once");
    }

    #[test]
    fn numbers_that_need_more_dialling_have_their_own_problem() {
        for (to, kind) in [
            ("+442079460958;ext=5", Kind::NotDirectDial),
            ("+442079460958,,5", Kind::NotDirectDial),
            ("+442079460958 ext 5", Kind::NotDirectDial),
            ("02079460958", Kind::InvalidNumber),
            ("", Kind::InvalidNumber),
            ("+44", Kind::InvalidNumber),
        ] {
            let body = serde_json::json!({ "to": to }).to_string();
            let problem = read(&body).expect_err(to);
            assert_eq!(problem.kind(), kind, "{to}");
            let told = serde_json::to_string(&problem.body()).expect("serializes");
            assert!(!told.contains("2079460958"), "{told}");
        }
    }

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

    #[test]
    fn locales_have_a_shape() {
        for good in ["en", "en-GB", "zh-Hant-TW", "es-419", "fil-PH"] {
            assert!(is_locale(good), "{good}");
        }
        for bad in [
            "",
            "e",
            "english",
            "en_GB",
            "en-",
            "en-G",
            "en-GB-x-y",
            "../x",
            "en GB",
        ] {
            assert!(!is_locale(bad), "{bad}");
        }
    }
}
