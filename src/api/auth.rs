//! Who calls: Bearer API keys (RFC 6750).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

use super::App;
use super::challenges::unavailable;
use super::problem::{Kind, Problem};
use crate::challenge::Tenant;
use crate::engine::EngineError;
use crate::store::{ApiKey, KeyId, Store, StoreError, Token};

/// How long a key that was found is believed: a revoked key is refused after this.
const BELIEVED: Duration = Duration::from_secs(1);
/// Keys remembered at once.
const REMEMBERED: usize = 1024;

/// One who calls with an API key.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Whose challenges it may begin and see.
    pub tenant: Tenant,
    /// Its key.
    pub key: KeyId,
}

/// The keys of the store, the busy ones remembered for a moment.
pub struct Keys {
    store: Arc<dyn Store>,
    remembered: Mutex<HashMap<KeyId, (ApiKey, Instant)>>,
}

impl Keys {
    /// The keys of a store.
    pub fn new(store: Arc<dyn Store>) -> Keys {
        Keys {
            store,
            remembered: Mutex::default(),
        }
    }

    /// The key of a token, if there is one that accepts it.
    async fn key_of(&self, token: &Token) -> Result<Option<ApiKey>, StoreError> {
        let now = Instant::now();
        let remembered = {
            let remembered = self.remembered.lock();
            let remembered = remembered.unwrap_or_else(PoisonError::into_inner);
            remembered
                .get(&token.id())
                .filter(|(_, until)| now < *until)
                .map(|(key, _)| key.clone())
        };
        let key = match remembered {
            Some(key) => key,
            None => {
                let Some(key) = self.store.api_key(token.id()).await? else {
                    return Ok(None);
                };
                let mut remembered = self
                    .remembered
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                if remembered.len() >= REMEMBERED {
                    remembered.retain(|_, (_, until)| now < *until);
                }
                if remembered.len() < REMEMBERED {
                    remembered.insert(key.id, (key.clone(), now + BELIEVED));
                }
                key
            }
        };
        Ok(key.accepts(token).then_some(key))
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Caller, Problem> {
        let Some(token) = bearer(&parts.headers) else {
            return Err(Problem::new(
                Kind::Unauthorized,
                "Send an API key: `Authorization: Bearer rt_...`. `ringtrue key create NAME` makes one.",
            ));
        };
        let key = match Token::parse(token) {
            Some(token) => app.keys.key_of(&token).await,
            None => Ok(None),
        };
        let key = key.map_err(|error| unavailable(&EngineError::Store(error)))?;
        let Some(key) = key else {
            let challenge =
                HeaderValue::from_static("Bearer realm=\"ringtrue\", error=\"invalid_token\"");
            return Err(Problem::new(
                Kind::Unauthorized,
                "This API key is unknown or revoked. `ringtrue key list` shows those there are.",
            )
            .header(WWW_AUTHENTICATE, challenge));
        };
        let caller = Caller {
            tenant: key.tenant,
            key: key.id,
        };
        if let Some(noted) = parts.extensions.get::<super::observe::Noted>() {
            noted.caller(&caller);
        }
        Ok(caller)
    }
}

/// The one Bearer token of a request (RFC 6750 2.1). The scheme's case does not matter.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (AUTHORIZATION, HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn one_bearer_token_is_read() {
        for good in ["Bearer rt_x", "bearer rt_x", "BEARER  rt_x"] {
            assert_eq!(bearer(&headers(&[good])), Some("rt_x"), "{good}");
        }
        assert_eq!(bearer(&headers(&[])), None);
        for bad in ["rt_x", "Basic rt_x", "Bearer", "Bearerrt_x"] {
            assert_eq!(bearer(&headers(&[bad])), None, "{bad}");
        }
        assert_eq!(bearer(&headers(&["Bearer rt_x", "Bearer rt_y"])), None);
    }
}
