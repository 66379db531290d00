//! The variable segment of a path.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

/// What stands in the path, decoded. What is not UTF-8 reads as nothing, which names nothing: so it
/// is answered as any other name that is unknown, and not by the router in words of its own.
pub struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        Ok(Segment(
            path.map_or_else(|_| String::new(), |Path(name)| name),
        ))
    }
}
