//! What every request is given and leaves behind: an id, one line in the log, a count; and an
//! answer even if its handler has a fault. Neither paths nor queries nor bodies are logged: they
//! may hold numbers.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tracing::Instrument;

use super::App;
use super::auth::Caller;
use super::problem::{Kind, Problem};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByAnswer {
    method: &'static str,
    route: String,
    status: u16,
}

/// Counters of the HTTP side; cheap to clone, all clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    requests: Family<ByAnswer, Counter>,
    seconds: Histogram,
    /// Connections open now.
    pub(super) connections: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            requests: Family::default(),
            seconds: Histogram::new(exponential_buckets(0.000_5, 4.0, 9)),
            connections: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Makes the counters known to a registry.
    pub fn register(registry: &mut Registry) -> Metrics {
        let metrics = Metrics::default();
        registry.register(
            "http_requests",
            "Requests answered, by method, route and status",
            metrics.requests.clone(),
        );
        registry.register(
            "http_request_seconds",
            "Seconds to the head of an answer, long polls included",
            metrics.seconds.clone(),
        );
        registry.register(
            "http_connections",
            "Connections open now",
            metrics.connections.clone(),
        );
        metrics
    }
}

/// What is found out about a request on its way, for its line in the log.
#[derive(Debug, Clone, Default)]
pub struct Noted(Arc<OnceLock<Caller>>);

impl Noted {
    /// Notes who called.
    pub fn caller(&self, caller: &Caller) {
        // Asked once a request; a second time would be the same caller.
        let _ = self.0.set(caller.clone());
    }
}

/// Wraps the handling of every request.
pub async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = match *request.method() {
        axum::http::Method::GET => "GET",
        axum::http::Method::POST => "POST",
        axum::http::Method::HEAD => "HEAD",
        _ => "other",
    };
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str)
        .to_owned();
    // Ours alone: an id from outside could be anything.
    let id = hex::encode(rand::random::<[u8; 8]>());
    let noted = Noted::default();
    request.extensions_mut().insert(noted.clone());

    let span = tracing::info_span!("request", id);
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    let mut response = match handled.instrument(span.clone()).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            Kind::Internal,
            "Something went wrong in the service. Report this with the `x-request-id`.",
        )
        .into_response(),
    };

    if let Ok(id) = HeaderValue::try_from(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let status = response.status().as_u16();
    let seconds = began.elapsed().as_secs_f64();
    let caller = noted.0.get();
    let _entered = span.enter();
    tracing::info!(
        method,
        route,
        status,
        problem = response.extensions().get::<Kind>().map(|kind| kind.name()),
        tenant = caller.map(|caller| tracing::field::display(&caller.tenant)),
        key = caller.map(|caller| tracing::field::display(caller.key)),
        ms = (seconds * 1000.0).round(),
        "answered"
    );
    let label = ByAnswer {
        method,
        route,
        status,
    };
    app.metrics.requests.get_or_create(&label).inc();
    app.metrics.seconds.observe(seconds);
    response
}
