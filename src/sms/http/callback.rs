//! Receipts that a provider posts to us: proven to be its own, and read as the configuration says.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName};
use serde_json::Value;
use sha2::Sha256;
use smallvec::SmallVec;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::answer::{name, written};
use crate::smpp::receipt::{Fate, Receipt};

/// The largest body.
pub const LARGEST: usize = 64 * 1024;
/// Receipts in one body at most.
pub const MOST: usize = 100;
/// The longest code of an error that is kept, in octets.
const LONGEST_ERROR: usize = 16;

/// How a provider's receipts are proven and read.
#[derive(Debug, Clone)]
pub struct Callback {
    /// How the provider proves who it is.
    pub proof: Proof,
    /// Where a body says what.
    pub fields: Fields,
    /// What the provider's words mean; the case of letters does not matter. Others say nothing.
    pub meanings: Vec<(String, Meaning)>,
}

/// How a provider proves who it is. `Debug` shows no secret.
#[derive(Clone)]
pub enum Proof {
    /// A bearer token (RFC 6750 2.1).
    Bearer(Zeroizing<String>),
    /// A header that holds the secret.
    Header(HeaderName, Zeroizing<String>),
    /// A parameter of the query that holds the secret.
    Query(String, Zeroizing<String>),
    /// A header that holds the body's HMAC-SHA-256 under the secret (RFC 2104), in hexadecimal or
    /// base64, be it behind `sha256=`.
    Hmac(HeaderName, Zeroizing<String>),
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Proof::Bearer(_) => "Bearer(..)",
            Proof::Header(..) => "Header(..)",
            Proof::Query(..) => "Query(..)",
            Proof::Hmac(..) => "Hmac(..)",
        })
    }
}

/// Where a body says what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fields {
    /// JSON pointers (RFC 6901).
    Json {
        /// Where the list of receipts is that the others start from; `None` is one receipt.
        list: Option<String>,
        /// The provider's name for the text.
        id: String,
        /// What has become of it.
        status: String,
        /// The provider's code for what was wrong, if it gives one.
        error: Option<String>,
    },
    /// Names in a form.
    Form {
        /// The provider's name for the text.
        id: String,
        /// What has become of it.
        status: String,
        /// The provider's code for what was wrong, if it gives one.
        error: Option<String>,
    },
}

/// What a provider's word means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// On the phone.
    Delivered,
    /// It will not arrive.
    Undeliverable,
    /// Accepted, or on its way.
    Accepted,
    /// The provider does not know.
    Unknown,
}

/// What is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// It is not announced as what is expected, which is this.
    #[error("the body must be announced as {0}")]
    MediaType(&'static str),
    /// It is not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// Something is not where it should be, or is neither text nor number.
    #[error("{0} is missing, or is neither text nor number")]
    Missing(String),
    /// The list of receipts is not where it should be.
    #[error("{0} is no list")]
    NoList(String),
    /// It holds too many receipts.
    #[error("the body holds more than {MOST} receipts")]
    TooMany,
}

impl Proof {
    /// Whether the body is needed for it.
    pub fn needs_body(&self) -> bool {
        matches!(self, Proof::Hmac(..))
    }

    /// Whether a request is the provider's own. Takes as long whatever part of a secret is right.
    pub fn holds(&self, headers: &HeaderMap, query: Option<&str>, body: &[u8]) -> bool {
        // Two of a header are one too many: who knows which of them others went by.
        let one = |name: &HeaderName| {
            let mut values = headers.get_all(name).iter();
            let value = values.next()?;
            values.next().is_none().then_some(value.as_bytes())
        };
        match self {
            Proof::Bearer(secret) => one(&AUTHORIZATION).is_some_and(|value| {
                let (scheme, token) = value.split_at(value.len().min(7));
                scheme.eq_ignore_ascii_case(b"bearer ") && same(token.trim_ascii(), secret)
            }),
            Proof::Header(name, secret) => one(name).is_some_and(|value| same(value, secret)),
            Proof::Query(name, secret) => {
                let query = query.unwrap_or_default().as_bytes();
                let mut values = form_urlencoded::parse(query).filter(|(key, _)| key == name);
                let value = values.next();
                value.is_some_and(|(_, value)| same(value.as_bytes(), secret))
                    && values.next().is_none()
            }
            Proof::Hmac(name, secret) => one(name).and_then(digest).is_some_and(|digest| {
                let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes());
                // Any secret is long enough and none too long.
                mac.is_ok_and(|mac| mac.chain_update(body).verify_slice(&digest).is_ok())
            }),
        }
    }
}

fn same(given: &[u8], secret: &str) -> bool {
    given.ct_eq(secret.as_bytes()).into()
}

fn digest(value: &[u8]) -> Option<Vec<u8>> {
    let value = value.trim_ascii();
    let value = value.strip_prefix(b"sha256=").unwrap_or(value);
    match value.len() {
        64 => hex::decode(value).ok(),
        _ => STANDARD.decode(value).ok(),
    }
}

impl Callback {
    /// Reads the receipts of a body.
    ///
    /// # Errors
    /// See [`CallbackError`]; then none of them is taken.
    pub fn read(&self, media_type: &str, body: &[u8]) -> Result<Vec<Receipt>, CallbackError> {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let expected = match self.fields {
            Fields::Json { .. } => "application/json",
            Fields::Form { .. } => "application/x-www-form-urlencoded",
        };
        if !essence.eq_ignore_ascii_case(expected) {
            return Err(CallbackError::MediaType(expected));
        }
        match &self.fields {
            Fields::Json {
                list,
                id,
                status,
                error,
            } => {
                let value: Value =
                    serde_json::from_slice(body).map_err(|_| CallbackError::NotJson)?;
                let one = |value: &Value| {
                    let at = |pointer: &str| value.pointer(pointer).and_then(plain);
                    self.receipt(
                        at(id).ok_or_else(|| CallbackError::Missing(id.clone()))?,
                        at(status).ok_or_else(|| CallbackError::Missing(status.clone()))?,
                        error.as_deref().and_then(at),
                    )
                    .ok_or_else(|| CallbackError::Missing(id.clone()))
                };
                let Some(list) = list else {
                    return Ok(vec![one(&value)?]);
                };
                let items = value.pointer(list).and_then(Value::as_array);
                let items = items.ok_or_else(|| CallbackError::NoList(list.clone()))?;
                if items.len() > MOST {
                    return Err(CallbackError::TooMany);
                }
                items.iter().map(one).collect()
            }
            Fields::Form { id, status, error } => {
                let at = |name: &str| {
                    let mut pairs = form_urlencoded::parse(body);
                    pairs
                        .find(|(key, _)| key == name)
                        .map(|(_, value)| value.into_owned())
                };
                let missing = |name: &String| CallbackError::Missing(name.clone());
                let receipt = self.receipt(
                    at(id).ok_or_else(|| missing(id))?,
                    at(status).ok_or_else(|| missing(status))?,
                    error.as_deref().and_then(at),
                );
                Ok(vec![receipt.ok_or_else(|| missing(id))?])
            }
        }
    }

    /// `None` for a text without a name.
    fn receipt(&self, id: String, status: String, error: Option<String>) -> Option<Receipt> {
        let meant = self
            .meanings
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(status.trim()));
        let error = error.filter(|error| !error.is_empty()).unwrap_or(status);
        let error = error.as_bytes();
        Some(Receipt {
            id: name(&id)?,
            fate: match meant {
                Some((_, Meaning::Delivered)) => Fate::Delivered,
                Some((_, Meaning::Undeliverable)) => Fate::Undeliverable,
                Some((_, Meaning::Accepted)) => Fate::Accepted,
                Some((_, Meaning::Unknown)) => Fate::Unknown,
                None => Fate::Other,
            },
            error: Some(SmallVec::from_slice(
                error.get(..LONGEST_ERROR).unwrap_or(error),
            )),
            network_error: None,
            submitted: None,
            done: None,
            intermediate: false,
        })
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(_) | Value::Number(_) => Some(written(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn callback(fields: Fields) -> Callback {
        Callback {
            proof: Proof::Bearer("secret".to_owned().into()),
            fields,
            meanings: vec![
                ("delivered".to_owned(), Meaning::Delivered),
                ("failed".to_owned(), Meaning::Undeliverable),
                ("sent".to_owned(), Meaning::Accepted),
                ("3".to_owned(), Meaning::Unknown),
            ],
        }
    }

    fn json(list: Option<&str>) -> Callback {
        callback(Fields::Json {
            list: list.map(str::to_owned),
            id: "/message/id".to_owned(),
            status: "/status".to_owned(),
            error: Some("/code".to_owned()),
        })
    }

    fn form() -> Callback {
        callback(Fields::Form {
            id: "MessageSid".to_owned(),
            status: "MessageStatus".to_owned(),
            error: Some("ErrorCode".to_owned()),
        })
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, value.parse().unwrap())
        });
        pairs.collect()
    }

    #[test]
    fn the_provider_alone_is_believed() {
        let secret = || Zeroizing::new("s3cret".to_owned());
        let none = headers(&[]);
        let bearer = Proof::Bearer(secret());
        for good in ["Bearer s3cret", "bearer s3cret"] {
            assert!(bearer.holds(&headers(&[("authorization", good)]), None, b""));
        }
        for bad in [
            "Bearer s3cre",
            "Bearer s3crets",
            "Bearer",
            "Basic s3cret",
            "s3cret",
            "",
        ] {
            assert!(
                !bearer.holds(&headers(&[("authorization", bad)]), None, b""),
                "{bad}"
            );
        }
        assert!(!bearer.holds(&none, Some("token=s3cret"), b"s3cret"));

        let header = Proof::Header(HeaderName::from_static("x-token"), secret());
        assert!(header.holds(&headers(&[("X-Token", "s3cret")]), None, b""));
        assert!(!header.holds(&headers(&[("X-Token", "S3cret")]), None, b""));
        let mut twice = headers(&[("x-token", "s3cret")]);
        twice.append("x-token", "other".parse().unwrap());
        assert!(!header.holds(&twice, None, b""));

        let query = Proof::Query("token".to_owned(), secret());
        assert!(query.holds(&none, Some("a=b&token=s3cret"), b""));
        for bad in [
            None,
            Some("token="),
            Some("tokens3cret"),
            Some("token=s3cret&token=x"),
        ] {
            assert!(!query.holds(&none, bad, b""), "{bad:?}");
        }

        // RFC 4231 4.3, the second test case.
        let hmac = Proof::Hmac(
            HeaderName::from_static("x-signature"),
            "Jefe".to_owned().into(),
        );
        let body = b"what do ya want for nothing?";
        let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let base64 = STANDARD.encode(hex::decode(hex).unwrap());
        let upper = hex.to_uppercase();
        for good in [hex, &upper, &format!("sha256={hex}"), &base64] {
            assert!(
                hmac.holds(&headers(&[("x-signature", good)]), None, body),
                "{good}"
            );
        }
        let signed = headers(&[("x-signature", hex)]);
        assert!(!hmac.holds(&signed, None, b"what do ya want for nothing!"));
        for bad in ["", "sha256=", &hex[..62], "Jefe"] {
            assert!(
                !hmac.holds(&headers(&[("x-signature", bad)]), None, body),
                "{bad}"
            );
        }
        assert!(hmac.needs_body() && !query.needs_body());
        assert!(!format!("{query:?}{hmac:?}{header:?}{bearer:?}").contains("s3cret"));
    }

    #[test]
    fn bodies_are_read_as_configured() {
        let one = json(None).read(
            "application/json; charset=utf-8",
            br#"{"message":{"id":17},"status":"DELIVERED","code":null}"#,
        );
        let one = one.unwrap().remove(0);
        assert_eq!((one.id.as_bytes(), one.fate), (&b"17"[..], Fate::Delivered));
        let many = json(Some("/results")).read(
            "application/json",
            br#"{"results":[{"message":{"id":"a"},"status":"failed","code":30003},
                {"message":{"id":"b"},"status":3},{"message":{"id":"c"},"status":"odd"}]}"#,
        );
        let many = many.unwrap();
        let fates: Vec<Fate> = many.iter().map(|receipt| receipt.fate).collect();
        assert_eq!(fates, [Fate::Undeliverable, Fate::Unknown, Fate::Other]);
        assert_eq!(many[0].error.as_deref(), Some(&b"30003"[..]));
        let posted = form().read(
            "application/x-www-form-urlencoded",
            b"MessageSid=SM%2B1&MessageStatus=sent&ErrorCode=",
        );
        let posted = posted.unwrap().remove(0);
        assert_eq!(
            (posted.id.as_bytes(), posted.fate),
            (&b"SM+1"[..], Fate::Accepted)
        );
    }

    #[test]
    fn bad_bodies_are_told_apart() {
        let json = json(Some("/results"));
        let read = |body: &str| json.read("application/json", body.as_bytes());
        let missing = |what: &str| Err(CallbackError::Missing(what.to_owned()));
        assert_eq!(read("{"), Err(CallbackError::NotJson));
        assert_eq!(
            read("{}"),
            Err(CallbackError::NoList("/results".to_owned()))
        );
        assert_eq!(read(r#"{"results":[{}]}"#), missing("/message/id"));
        let nameless = r#"{"results":[{"message":{"id":" "},"status":"sent"}]}"#;
        assert_eq!(read(nameless), missing("/message/id"));
        let listed = r#"{"results":[{"message":{"id":"a"},"status":["sent"]}]}"#;
        assert_eq!(read(listed), missing("/status"));
        let flood = format!(r#"{{"results":[{}0]}}"#, "0,".repeat(MOST));
        assert_eq!(read(&flood), Err(CallbackError::TooMany));
        assert_eq!(read(r#"{"results":[]}"#), Ok(Vec::new()));
        let form = form();
        assert_eq!(
            form.read("application/json", b"{}"),
            Err(CallbackError::MediaType(
                "application/x-www-form-urlencoded"
            ))
        );
        let typed = "application/x-www-form-urlencoded";
        assert_eq!(form.read(typed, b"MessageSid=1"), missing("MessageStatus"));
    }

    proptest! {
        #[test]
        fn noise_never_panics(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = json(Some("/a")).read("application/json", &body);
            let _ = form().read("application/x-www-form-urlencoded", &body);
            let signed = headers(&[("x-signature", "%%%")]);
            let hmac = Proof::Hmac(HeaderName::from_static("x-signature"), "k".to_owned().into());
            prop_assert!(!hmac.holds(&signed, None, &body));
        }
    }
}
