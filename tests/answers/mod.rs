//! What the tests of the HTTP API share: a key to ask with, and answers read.

use jiff::Timestamp;
use reqwest::Response;
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use ringtrue::api::Kind;
use ringtrue::challenge::Tenant;
use ringtrue::store::{ApiKey, Store, Token};
use serde_json::Value;

/// The number that challenges go to.
pub const NUMBER: &str = "+442079460958";
/// The part of it that must never be seen.
pub const SECRET_DIGITS: &str = "2079460958";

/// A new API key of a tenant.
pub async fn key_for(store: &dyn Store, tenant: &str) -> String {
    let token = Token::generate().expect("random");
    let tenant = Tenant::new(tenant).expect("a tenant");
    let key = ApiKey::of(&token, "test".into(), tenant, Timestamp::UNIX_EPOCH);
    store.add_api_key(key).await.expect("is kept");
    token.reveal().to_string()
}

/// An answer's JSON, which never shows the number.
pub async fn read(answer: Response) -> Value {
    let text = answer.text().await.expect("a body");
    assert!(!text.contains(SECRET_DIGITS), "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Asserts that an answer is a problem of a kind, and returns its body and headers.
pub async fn problem(answer: Response, kind: Kind) -> (Value, HeaderMap) {
    let status = answer.status();
    let headers = answer.headers().clone();
    let body = read(answer).await;
    assert_eq!(body["type"], kind.uri(), "{body}");
    assert_eq!(status, kind.status(), "{body}");
    assert_eq!(body["status"], kind.status().as_u16(), "{body}");
    assert_eq!(body["title"], kind.title());
    assert!(
        body["detail"].as_str().is_some_and(|d| d.len() > 10),
        "{body}"
    );
    assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
    assert_eq!(headers[CACHE_CONTROL], "no-store");
    assert_eq!(headers["x-request-id"].len(), 16);
    (body, headers)
}
