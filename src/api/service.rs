//! What the service tells of itself: whether it lives, whether it is ready, what it counts, and
//! how it is used.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::problem::{DOCUMENT, Kind, Problem, ProblemBody, section};
use super::segment::Segment;

/// Whether the service takes new challenges, and what keeps it from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether it does.
    pub ready: bool,
    /// Whether the store can be written.
    pub store: bool,
    /// Whether calls can be placed.
    pub gateway: bool,
    /// Whether texts can be sent; `null` if no way for them is set up.
    pub texting: Option<bool>,
    /// Whether it is being stopped.
    pub draining: bool,
}

/// Whether the process lives.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "service",
    responses((status = 200, description = "It does.", body = String, content_type = "text/plain")),
)]
pub async fn live() -> Response {
    (no_store(), "ok\n").into_response()
}

/// Whether the service takes new challenges.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "service",
    responses(
        (status = 200, description = "It does.", body = Readiness),
        (status = 503, description = "It does not, and this is why.", body = Readiness),
    ),
)]
pub async fn ready(State(app): State<App>) -> Response {
    let health = app.engine.health();
    let readiness = Readiness {
        ready: health.ready(),
        store: health.store,
        gateway: health.gateway,
        texting: health.texting,
        draining: health.draining,
    };
    let status = match readiness.ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, no_store(), Json(readiness)).into_response()
}

/// What the service counts, in the OpenMetrics text format.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    responses((status = 200, description = "The metrics.", body = String,
        content_type = "application/openmetrics-text")),
)]
pub async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let mut text = String::with_capacity(16 * 1024);
    prometheus_client::encoding::text::encode(&mut text, &app.registry).map_err(|_| {
        Problem::new(
            Kind::Internal,
            "The metrics could not be written. Report this.",
        )
    })?;
    let content_type =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Ok(([(CONTENT_TYPE, content_type)], no_store(), text).into_response())
}

/// This API, as OpenAPI describes it.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "service",
    responses((status = 200, description = "The description.", body = Object,
        content_type = "application/json")),
)]
pub async fn openapi(State(app): State<App>) -> Response {
    let content_type = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, content_type)], app.openapi.clone()).into_response()
}

/// The documentation of every problem type.
#[utoipa::path(
    get,
    path = "/problems",
    tag = "service",
    responses((status = 200, description = "The documentation.", body = String,
        content_type = "text/markdown")),
)]
pub async fn problems() -> Response {
    markdown(DOCUMENT)
}

/// The documentation of one problem type; the `type` of a problem leads here.
#[utoipa::path(
    get,
    path = "/problems/{name}",
    tag = "service",
    params(("name" = String, Path, description = "The problem type's name.")),
    responses(
        (status = 200, description = "The documentation.", body = String,
            content_type = "text/markdown"),
        (status = 404, description = "`not-found`",
            body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn problem(Segment(name): Segment) -> Result<Response, Problem> {
    section(&name).map(markdown).ok_or_else(|| {
        Problem::new(
            Kind::NotFound,
            "There is no such problem type; `/problems` has all of them.",
        )
    })
}

fn markdown(text: &'static str) -> Response {
    let content_type = HeaderValue::from_static("text/markdown; charset=utf-8");
    ([(CONTENT_TYPE, content_type)], text).into_response()
}

fn no_store() -> [(axum::http::HeaderName, HeaderValue); 1] {
    [(CACHE_CONTROL, HeaderValue::from_static("no-store"))]
}
