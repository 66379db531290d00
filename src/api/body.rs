//! Bodies: JSON objects of known fields, read so that every mistake is told at once and no value
//! is ever repeated in an error.

use std::fmt;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::problem::{FieldError, Kind, Problem};

/// The largest body.
pub const MAX_BODY: usize = 16 * 1024;
/// How long a body may take to arrive.
pub const BODY_TIME: Duration = Duration::from_secs(10);
/// Names further apart than this are no misspellings of each other.
const ALIKE: f64 = 0.8;

/// A JSON body as it arrived: announced as JSON, not too large, not too slow.
pub struct JsonBytes(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let announced = request.headers().get(CONTENT_TYPE);
        let media_type = announced
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .unwrap_or_default();
        if !media_type.trim().eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(
                Kind::UnsupportedMediaType,
                "Send the body with `Content-Type: application/json`.",
            ));
        }
        let arrived = tokio::time::timeout(BODY_TIME, Bytes::from_request(request, state));
        match arrived.await {
            Ok(Ok(bytes)) => Ok(JsonBytes(bytes)),
            Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::new(
                    Kind::BodyTooLarge,
                    format!("A body has at most {MAX_BODY} bytes."),
                ))
            }
            Ok(Err(_)) => Err(Problem::new(
                Kind::MalformedBody,
                "The body broke off before its end. Send the request again.",
            )),
            Err(_) => Err(Problem::new(
                Kind::BodyTimeout,
                format!(
                    "The body must arrive within {} seconds. Send the request again.",
                    BODY_TIME.as_secs()
                ),
            )),
        }
    }
}

/// The fields of a JSON object, and what is wrong with them so far.
#[derive(Debug)]
pub struct Fields {
    known: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Reads an object that may have these fields and no others.
    ///
    /// # Errors
    /// If the body is not a JSON object. What is wrong with its fields is told by
    /// [`Fields::finish`].
    pub fn read(body: &[u8], names: &'static [&'static str]) -> Result<Fields, Problem> {
        let malformed = |detail: String| Problem::new(Kind::MalformedBody, detail);
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let read = deserializer
            .deserialize_map(FieldsVisitor { names })
            .and_then(|fields| deserializer.end().map(|()| fields));
        read.map_err(|error| {
            let (line, column) = (error.line(), error.column());
            // serde_json's messages about data repeat the data; those about syntax are its own.
            match error.classify() {
                serde_json::error::Category::Data => {
                    malformed("Send one JSON object: names and values within braces.".into())
                }
                serde_json::error::Category::Eof => {
                    malformed("The JSON ends before it is complete.".into())
                }
                _ => malformed(format!("Not JSON at line {line}, column {column}.")),
            }
        })
    }

    /// Notes that a field is wrong.
    pub fn wrong(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push(FieldError {
            pointer: format!("#/{name}"),
            detail: detail.into(),
        });
    }

    /// Takes a text; `None` if it is not there, is `null`, or is no text, which is noted.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        match self.known.remove(name)? {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => {
                let kind = kind_of(&other);
                self.wrong(name, format!("must be a string, not {kind}"));
                None
            }
        }
    }

    /// Takes a whole number; `None` if it is not there, is `null`, or is no such, which is noted.
    pub fn whole(&mut self, name: &'static str) -> Option<u64> {
        let value = match self.known.remove(name)? {
            Value::Null => return None,
            value => value,
        };
        let whole = value.as_u64();
        if whole.is_none() {
            self.wrong(name, "must be a whole number that is not negative");
        }
        whole
    }

    /// What was wrong with the fields, all of it.
    pub fn finish(self) -> Vec<FieldError> {
        self.errors
    }
}

/// The problem of fields that are not valid.
pub fn invalid(errors: Vec<FieldError>) -> Problem {
    let detail = match errors.as_slice() {
        [only] => format!("{} {}.", only.pointer, only.detail),
        more => format!("{} fields are not valid; see `errors`.", more.len()),
    };
    Problem::new(Kind::InvalidRequest, detail).errors(errors)
}

/// What an unknown name is told: the name that was meant, if one is alike, else all there are.
pub fn unknown(name: &str, names: &[&str]) -> String {
    let alike = |other: &&str| strsim::jaro_winkler(&name.to_ascii_lowercase(), other);
    let best = names
        .iter()
        .map(|other| (alike(other), *other))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness >= ALIKE);
    match best {
        Some((_, meant)) => format!("is not known; did you mean `{meant}`?"),
        None => format!("is not known; there are `{}`", names.join("`, `")),
    }
}

/// A name as an error may repeat it: names have letters, numbers do not.
pub fn repeatable(name: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-');
    if !name.is_empty() && name.len() <= 40 && name.chars().all(plain) {
        name
    } else {
        "?"
    }
}

const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

struct FieldsVisitor {
    names: &'static [&'static str],
}

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Fields, A::Error> {
        let mut fields = Fields {
            known: Map::new(),
            errors: Vec::new(),
        };
        while let Some(name) = object.next_key::<String>()? {
            if !self.names.contains(&name.as_str()) {
                object.next_value::<IgnoredAny>()?;
                // A body of many wrong names is told of the first few.
                if fields.errors.len() < 16 {
                    fields.wrong(repeatable(&name), unknown(&name, self.names));
                }
            } else if fields.known.contains_key(&name) {
                object.next_value::<IgnoredAny>()?;
                if fields.errors.len() < 16 {
                    fields.wrong(&name, "is there twice");
                }
            } else {
                let value = object.next_value()?;
                fields.known.insert(name, value);
            }
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: &[&str] = &["to", "channel", "subject", "ttl"];

    fn read(body: &str) -> Fields {
        Fields::read(body.as_bytes(), NAMES).expect("an object")
    }

    #[test]
    fn fields_are_taken_by_their_type() {
        let mut fields = read(r#" {"to":"+1","ttl":60,"subject":null} "#);
        assert_eq!(fields.text("to").as_deref(), Some("+1"));
        assert_eq!(fields.whole("ttl"), Some(60));
        assert_eq!(fields.text("subject"), None);
        assert_eq!(fields.text("channel"), None);
        assert!(fields.finish().is_empty());
    }

    #[test]
    fn every_mistake_is_told_and_no_value_repeated() {
        let mut fields = read(
            r#"{"to":447700900123,"ttl":-5,"chanel":"voice","ttl":1,"+447700900123":1,"x":[]}"#,
        );
        assert_eq!(fields.text("to"), None);
        assert_eq!(fields.whole("ttl"), None);
        let errors = fields.finish();
        let told: Vec<String> = errors
            .iter()
            .map(|e| format!("{} {}", e.pointer, e.detail))
            .collect();
        assert_eq!(
            told,
            [
                "#/chanel is not known; did you mean `channel`?",
                "#/ttl is there twice",
                "#/? is not known; there are `to`, `channel`, `subject`, `ttl`",
                "#/x is not known; there are `to`, `channel`, `subject`, `ttl`",
                "#/to must be a string, not a number",
                "#/ttl must be a whole number that is not negative",
            ]
        );
    }

    #[test]
    fn what_is_no_object_is_told_without_repeating_it() {
        for body in [
            "",
            "{",
            "\"+447700900123\"",
            "447700900123",
            "[\"+447700900123\"]",
            "{\"to\":\"+447700900123\"",
            "{\"to\":\"+447700900123\"} x",
            "{to:1}",
            "{\"to\":\"\u{1}\"}",
            &format!("{}{}", "[".repeat(5000), "]".repeat(5000)),
            &format!("{{\"to\":{}{}}}", "[".repeat(5000), "]".repeat(5000)),
        ] {
            let problem = Fields::read(body.as_bytes(), NAMES).expect_err("no object");
            assert_eq!(problem.kind(), Kind::MalformedBody);
            let told = problem.body().detail;
            assert!(!told.contains("7700900123"), "{told}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Fields::read(&body, NAMES);
        }

        #[test]
        fn any_object_is_read(text in ".{0,20}", n in any::<i64>()) {
            let body = serde_json::json!({"to": text, "ttl": n}).to_string();
            let mut fields = read(&body);
            prop_assert_eq!(fields.text("to"), Some(text));
            prop_assert_eq!(fields.whole("ttl"), u64::try_from(n).ok());
        }
    }
}
