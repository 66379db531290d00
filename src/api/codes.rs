//! Codes over HTTP: checked, and texted again.

use axum::extract::State;
use axum::response::Response;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::App;
use super::auth::Caller;
use super::body::{Fields, JsonBytes, invalid};
use super::challenges::{
    blocked, id_of, in_time, not_found, not_written, stopping, texting_stopped, unavailable,
};
use super::problem::{Kind, Problem, ProblemBody};
use super::segment::Segment;
use super::view::ChallengeView;
use super::wanted::field_error;
use crate::challenge::{Challenge, OneTimeCode, Reason, State as ChallengeState};
use crate::engine::{CheckError, ResendError};

/// A code to be checked.
#[derive(Debug, ToSchema)]
#[schema(as = CodeCheck)]
#[allow(dead_code, reason = "documents the body; `code_of` reads it")]
pub struct CodeCheckBody {
    /// The code as the person typed it: 4 to 10 digits, which spaces and hyphens may part.
    #[schema(example = "123456", max_length = 64)]
    code: String,
}

/// Check a code.
///
/// Only 200 is an approval, and a challenge has one at most. A wrong code counts, whoever sends it:
/// the attempt is on disk before it is answered. Codes are judged one after another in the order in
/// which they come. A body that holds no code, `malformed-code`, does not count.
#[utoipa::path(
    post,
    path = "/v1/challenges/{id}/check",
    tag = "challenges",
    params(("id" = Uuid, Path, description = "The challenge's id.")),
    request_body(content = CodeCheckBody, content_type = "application/json"),
    responses(
        (status = 200, description = "It is the code: the challenge is approved.",
            body = ChallengeView),
        (status = 400, description = "`malformed-body`, `malformed-code`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`challenge-not-found`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 408, description = "`body-timeout`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`no-code`, `code-spent`, `already-ended`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "`challenge-expired`, `too-many-attempts`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body-too-large`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported-media-type`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`wrong-code` with `attempts_left`, `invalid-request`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`",
            body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub async fn check(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    JsonBytes(body): JsonBytes,
) -> Result<Response, Problem> {
    let code = code_of(&body)?;
    let id = id_of(&id)?;
    match in_time(app.engine.check(&caller.tenant, id, code)).await? {
        Ok(challenge) => Ok(ChallengeView::answer(&challenge)),
        Err(CheckError::Unknown) => Err(not_found()),
        Err(CheckError::NotText) => Err(no_code()),
        Err(CheckError::Wrong { left }) => Err(Problem::new(
            Kind::WrongCode,
            match left {
                1 => "This is not the code. One more may be entered.".to_owned(),
                left => format!("This is not the code. {left} more may be entered."),
            },
        )
        .attempts_left(left)),
        Err(CheckError::Ended(challenge)) => Err(ended(&challenge)),
        Err(CheckError::Engine(error)) => Err(unavailable(&error)),
    }
}

/// Send the text again.
///
/// With the same code, which lives no longer for it, and not at once nor without end. After a restart
/// of the service a text cannot be sent again, since codes are not kept in the clear.
#[utoipa::path(
    post,
    path = "/v1/challenges/{id}/resend",
    tag = "challenges",
    params(("id" = Uuid, Path, description = "The challenge's id.")),
    responses(
        (status = 200, description = "The text is on its way, unless `text.state` is `failed`.",
            body = ChallengeView),
        (status = 401, description = "`unauthorized`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`challenge-not-found`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`not-resent`, `no-code`, `code-spent`, `already-ended`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "`challenge-expired`, `too-many-attempts`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`number-blocked`, `number-refused`, `text-too-long`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`resend-too-soon`, `limit-reached`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`",
            body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub async fn resend(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Response, Problem> {
    let id = id_of(&id)?;
    match in_time(app.engine.resend(&caller.tenant, id)).await? {
        Ok(challenge) => Ok(ChallengeView::answer(&challenge)),
        Err(error) => Err(not_resent(error)),
    }
}

fn not_resent(error: ResendError) -> Problem {
    let because = |reason: &'static str, detail: &'static str| {
        Problem::new(Kind::NotResent, detail).reason(reason)
    };
    match error {
        ResendError::Unknown => not_found(),
        ResendError::NotText => no_code(),
        ResendError::Ended(challenge) => ended(&challenge),
        ResendError::TooSoon(wait) => Problem::new(
            Kind::ResendTooSoon,
            "The last text was sent a moment ago and may still arrive. Try again later.",
        )
        .retry_after(wait),
        ResendError::NotSentYet => because(
            "not_sent_yet",
            "The last text has not left yet. Look at the challenge before you try again.",
        ),
        ResendError::NoMore => because(
            "no_more",
            "The text was sent as often as it may be. Begin a new challenge.",
        ),
        ResendError::CodeNotHeld => because(
            "code_not_held",
            "The service was restarted and does not know the code in the clear any more. The code \
             that was texted can be checked; for another, cancel and begin a new challenge.",
        ),
        ResendError::Blocked => blocked(),
        ResendError::Limited(refusal) => match refusal.retry_after() {
            Some(wait) => Problem::new(Kind::LimitReached, format!("{refusal}."))
                .reason(refusal.code())
                .retry_after(wait),
            None => Problem::new(Kind::NumberRefused, format!("{refusal}.")).reason(refusal.code()),
        },
        ResendError::Wording(error) => not_written(&error),
        ResendError::TextingStopped => texting_stopped(),
        ResendError::Draining => stopping(),
        ResendError::Engine(error) => unavailable(&error),
    }
}

fn no_code() -> Problem {
    Problem::new(
        Kind::NoCode,
        "This challenge is a call: it has no code and no text. Wait for its outcome.",
    )
}

/// Why a challenge that has ended takes no code.
fn ended(challenge: &Challenge) -> Problem {
    match challenge.state() {
        ChallengeState::Ended(Reason::CodeMatched) => Problem::new(
            Kind::CodeSpent,
            "The code was entered before, and approves nothing more. Begin a new challenge.",
        ),
        ChallengeState::Ended(Reason::TooManyAttempts) => Problem::new(
            Kind::TooManyAttempts,
            "Too many wrong codes were entered, and no code counts any more. Begin a new challenge.",
        ),
        ChallengeState::Ended(Reason::TimedOut) => Problem::new(
            Kind::ChallengeExpired,
            "The challenge has expired, and its code with it. Begin a new challenge.",
        ),
        state => {
            let status = state.status().name();
            let detail = format!("The challenge has ended as `{status}`. Begin a new challenge.");
            Problem::new(Kind::AlreadyEnded, detail).challenge(ChallengeView::from(challenge))
        }
    }
}

/// The code of a body. What it was is never repeated.
fn code_of(body: &[u8]) -> Result<OneTimeCode, Problem> {
    let mut fields = Fields::read(body, &["code"])?;
    let code = fields.text("code").map(Zeroizing::new);
    let mut errors = fields.finish();
    match code {
        Some(code) if errors.is_empty() => OneTimeCode::parse(&code).map_err(|error| {
            Problem::new(
                Kind::MalformedCode,
                format!("The field `code`: {error}. This did not count."),
            )
        }),
        code => {
            if code.is_none() && errors.is_empty() {
                let detail = "must be there: the code as the person typed it, as in `\"123456\"`";
                errors.push(field_error("code", detail.into()));
            }
            Err(invalid(errors))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_is_read_leniently_and_nonsense_is_told_apart() {
        let read = |body: &str| code_of(body.as_bytes());
        let code = read(r#"{"code":" 012-345 "}"#).expect("a code");
        assert_eq!(code.reveal(), "012345");
        for (body, kind) in [
            (r#"{"code":"12 34 5a"}"#, Kind::MalformedCode),
            (r#"{"code":""}"#, Kind::MalformedCode),
            (r#"{"code":"123"}"#, Kind::MalformedCode),
            (r#"{"code":"12345678901"}"#, Kind::MalformedCode),
            (r#"{"code":123456}"#, Kind::InvalidRequest),
            (r#"{"code":null}"#, Kind::InvalidRequest),
            (r#"{}"#, Kind::InvalidRequest),
            (r#"{"kode":"123456"}"#, Kind::InvalidRequest),
            (r#"{"code":"123456","code":"123457"}"#, Kind::InvalidRequest),
            (r#"["123456"]"#, Kind::MalformedBody),
            ("123456", Kind::MalformedBody),
        ] {
            let problem = read(body).expect_err(body);
            assert_eq!(problem.kind(), kind, "{body}");
            let told = serde_json::to_string(&problem.body()).expect("serializes");
            assert!(
                !told.contains("12 34 5a") && !told.contains("12345678901"),
                "{told}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = code_of(&body);
        }
    }
}
