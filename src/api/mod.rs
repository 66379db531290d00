//! The native HTTP API.
//!
//! Translates requests into calls of the engine and its answers into JSON; decides nothing. Every
//! error is a [`Problem`]. [`router`] is the API; [`serve`] puts it on a socket.

// A Problem is built once, on the way out; boxing it would save nothing that matters.
#![allow(clippy::result_large_err)]

mod auth;
mod body;
mod challenges;
mod codes;
mod events;
mod observe;
mod openapi;
mod problem;
mod receipts;
mod segment;
mod serve;
mod service;
mod view;
mod wanted;

pub use body::{BODY_TIME, MAX_BODY};
pub use challenges::LONGEST_WAIT;
pub use events::{EventData, EventName};
pub use observe::Metrics;
pub use openapi::Api;
pub use problem::{FieldError, Kind, Problem, ProblemBody};
pub use receipts::Callbacks;
pub use serve::{Limits, serve};
pub use service::Readiness;
pub use view::{ChallengeView, TextView};

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use prometheus_client::registry::Registry;
use utoipa::OpenApi;

use self::auth::Keys;
use crate::engine::EngineHandle;

/// What every handler can reach.
#[derive(Clone)]
struct App {
    engine: EngineHandle,
    keys: Arc<Keys>,
    registry: Arc<Registry>,
    metrics: Metrics,
    openapi: Bytes,
    callbacks: Arc<Callbacks>,
}

/// The API of an engine. The registry is what `/metrics` shows; receipts are taken of the providers
/// that have callbacks.
pub fn router(
    engine: EngineHandle,
    registry: Arc<Registry>,
    metrics: Metrics,
    callbacks: Callbacks,
) -> Router {
    let app = App {
        keys: Arc::new(Keys::new(Arc::clone(engine.store()))),
        engine,
        registry,
        metrics,
        callbacks: Arc::new(callbacks),
        openapi: Bytes::from(serde_json::to_vec(&Api::openapi()).unwrap_or_default()),
    };
    Router::new()
        .route("/v1/challenges", post(challenges::create))
        .route("/v1/challenges/{id}", get(challenges::read))
        .route("/v1/challenges/{id}/events", get(events::follow))
        .route("/v1/challenges/{id}/cancel", post(challenges::cancel))
        .route("/v1/challenges/{id}/check", post(codes::check))
        .route("/v1/challenges/{id}/resend", post(codes::resend))
        .route("/v1/receipts/{gateway}", post(receipts::take))
        .route("/healthz", get(service::live))
        .route("/readyz", get(service::ready))
        .route("/metrics", get(service::metrics))
        .route("/openapi.json", get(service::openapi))
        .route("/problems", get(service::problems))
        .route("/problems/{name}", get(service::problem))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_this_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(app.clone(), observe::observe))
        .with_state(app)
}

async fn nothing_here() -> Problem {
    Problem::new(
        Kind::NotFound,
        "Nothing is at this path; `/openapi.json` lists what there is.",
    )
}

async fn not_this_method() -> Problem {
    Problem::new(
        Kind::MethodNotAllowed,
        "This path takes other methods; the `Allow` header names them.",
    )
}
