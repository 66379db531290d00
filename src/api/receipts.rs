//! Receipts that providers of texts post.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use futures_util::StreamExt;

use super::App;
use super::body::BODY_TIME;
use super::problem::{FieldError, Kind, Problem, ProblemBody};
use super::segment::Segment;
use crate::sms::{Callback, CallbackError, LARGEST_CALLBACK};

/// How long the service may take until what receipts say is kept.
const KEEPING: Duration = Duration::from_secs(10);

/// Take a provider's receipts.
///
/// For the providers of `[text_gateway.NAME]`, to which the configuration says how they prove who
/// they are and where their bodies say what; not for clients. 204 is answered once what the receipts
/// say is kept; one that overtakes the provider's own answer to the text is held in memory for a
/// minute. Receipts of texts that nobody knows any more, and words that the configuration does not
/// name, are taken and say nothing.
#[utoipa::path(
    post,
    path = "/v1/receipts/{gateway}",
    tag = "receipts",
    params(("gateway" = String, Path, description = "The text gateway's name in the configuration.")),
    request_body(
        description = "As the provider writes it: JSON or a form.",
        content(("application/json"), ("application/x-www-form-urlencoded")),
    ),
    responses(
        (status = 204, description = "Taken."),
        (status = 400, description = "`malformed-body`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not-found`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 408, description = "`body-timeout`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body-too-large`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported-media-type`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-request`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: post them again.",
            body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn take(
    State(app): State<App>,
    Segment(gateway): Segment,
    request: Request,
) -> Result<StatusCode, Problem> {
    let Some((name, callback)) = app.callbacks.get_key_value(&*gateway) else {
        return Err(Problem::new(
            Kind::NotFound,
            "No text gateway of this name takes receipts; `receipt_auth` in its section lets it.",
        ));
    };
    let (parts, body) = request.into_parts();
    let query = parts.uri.query();
    let proof = &callback.proof;
    if !proof.needs_body() && !proof.holds(&parts.headers, query, &[]) {
        return Err(unproven());
    }
    let body = read(body).await?;
    if proof.needs_body() && !proof.holds(&parts.headers, query, &body) {
        return Err(unproven());
    }
    let media_type = parts.headers.get(CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok());
    let receipts = callback
        .read(media_type.unwrap_or_default(), &body)
        .map_err(|error| unread(&error))?;
    let kept = receipts
        .into_iter()
        .map(|receipt| app.engine.receipt(Arc::clone(name), receipt));
    let kept = tokio::time::timeout(KEEPING, futures_util::future::join_all(kept)).await;
    match kept {
        Ok(kept) if kept.iter().all(|kept| *kept == Ok(true)) => Ok(StatusCode::NO_CONTENT),
        _ => Err(Problem::new(
            Kind::Unavailable,
            "What the receipts say could not be kept. Post them again.",
        )
        .retry_after(Duration::from_secs(5))),
    }
}

/// The receipts of which gateways are taken, and how they are proven and read.
pub type Callbacks = std::collections::HashMap<Arc<str>, Callback>;

fn unproven() -> Problem {
    Problem::new(
        Kind::Unauthorized,
        "This is not how `receipt_auth` in the text gateway's section says that its provider proves \
         who it is.",
    )
}

async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    match tokio::time::timeout(BODY_TIME, gather(body)).await {
        Ok(read) => read,
        Err(_) => Err(Problem::new(
            Kind::BodyTimeout,
            format!(
                "The body must arrive within {} seconds. Send the request again.",
                BODY_TIME.as_secs()
            ),
        )),
    }
}

async fn gather(body: Body) -> Result<Vec<u8>, Problem> {
    let mut octets = Vec::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            Problem::new(
                Kind::MalformedBody,
                "The body broke off before its end. Send the request again.",
            )
        })?;
        if octets.len() + chunk.len() > LARGEST_CALLBACK {
            return Err(Problem::new(
                Kind::BodyTooLarge,
                format!("A body of receipts has at most {LARGEST_CALLBACK} bytes."),
            ));
        }
        octets.extend_from_slice(&chunk);
    }
    Ok(octets)
}

/// What is wrong, by the configuration's own pointers and names; nothing of the body is repeated.
fn unread(error: &CallbackError) -> Problem {
    let detail = format!("{error}.");
    let pointer = match error {
        CallbackError::MediaType(_) => return Problem::new(Kind::UnsupportedMediaType, detail),
        CallbackError::NotJson => return Problem::new(Kind::MalformedBody, detail),
        CallbackError::TooMany => String::new(),
        CallbackError::Missing(pointer) | CallbackError::NoList(pointer) => pointer.clone(),
    };
    let slash = if pointer.starts_with('/') || pointer.is_empty() {
        ""
    } else {
        "/"
    };
    Problem::new(Kind::InvalidRequest, detail).errors(vec![FieldError {
        pointer: format!("#{slash}{pointer}"),
        detail: error.to_string(),
    }])
}
