//! What a provider's answer means for a text.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::config::Success;
use crate::smpp::session::MessageId;
use crate::sms::dispatch::Failure;
use crate::sms::routing::plain;

/// What an answer says.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// The provider took the text.
    Taken,
    /// It did not.
    Refused {
        failure: Failure,
        error: Arc<str>,
        /// How long it wants to be left alone, if it says.
        pause: Option<Duration>,
    },
    /// It cannot be told: the text may have been taken.
    Unclear(Arc<str>),
}

/// The longest pause that is kept.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Judges a status by itself; `None` is a success whose body is to be judged.
///
/// Only those that say that the request was not carried out count as a refusal (RFC 9110 15.5,
/// 15.6.4). Behind other statuses of 5xx the text may have gone out.
pub(super) fn judge_status(status: u16, retry_after: Option<&str>) -> Option<Verdict> {
    let error = || plain(&format!("HTTP {status}"));
    match status {
        200..=299 => None,
        429 | 503 => Some(Verdict::Refused {
            failure: Failure::Overloaded,
            error: error(),
            pause: retry_after.and_then(pause),
        }),
        // See Other: the request was carried out (RFC 9110 15.4.4).
        303 => Some(Verdict::Unclear(error())),
        300..=499 => Some(Verdict::Refused {
            failure: Failure::Rejected,
            error: error(),
            pause: None,
        }),
        _ => Some(Verdict::Unclear(error())),
    }
}

/// `Retry-After` in seconds; as a date it is left aside.
fn pause(text: &str) -> Option<Duration> {
    let digits = text.trim();
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    let seconds: u64 = digits.parse().ok().filter(|_| plain)?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

/// What a provider said, fit for a log: digits that it was sent, be they the number's or the code's,
/// are masked, and so are those that could be a number of somebody else.
fn masked(said: &str, sent: [&str; 2]) -> String {
    let mut masked = String::with_capacity(said.len());
    let mut rest = said;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|c: char| !c.is_ascii_digit());
        let (digits, after) = from.split_at(end.unwrap_or(from.len()));
        masked.push_str(before);
        let known = digits.len() >= 4 && sent.iter().any(|sent| sent.contains(digits));
        match known || digits.len() >= 7 {
            true => masked.extend(digits.chars().map(|_| '*')),
            false => masked.push_str(digits),
        }
        rest = after;
    }
    masked.push_str(rest);
    masked
}

/// Judges the body of a success; `None` is one that was too long to be read. What was sent, number
/// and words, is kept out of the verdict.
pub(super) fn judge_body(
    body: Option<&[u8]>,
    success: Option<&Success>,
    sent: [&str; 2],
) -> Verdict {
    let Some(success) = success else {
        return Verdict::Taken;
    };
    let unclear = |text: &str| Verdict::Unclear(text.into());
    let Some(body) = body else {
        return unclear("answer too long");
    };
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return unclear("answer is not JSON");
    };
    let Some(said) = value.pointer(&success.pointer) else {
        return unclear("answer lacks its verdict");
    };
    let said = written(said);
    if success.values.contains(&said) {
        return Verdict::Taken;
    }
    Verdict::Refused {
        failure: Failure::Rejected,
        error: plain(&masked(&said, sent)),
        pause: None,
    }
}

/// The longest name that a provider gives a text, in octets: some are URLs.
const LONGEST_NAME: usize = 512;

/// The provider's name for a text.
pub(super) fn id(body: Option<&[u8]>, pointer: Option<&str>) -> Option<MessageId> {
    let value: Value = serde_json::from_slice(body?).ok()?;
    name(&written(value.pointer(pointer?)?))
}

/// A provider's name for a text as answers and receipts have it in common, whole: what names are cut
/// to, two may share. `None` for an empty one, and for one longer than any provider's.
pub(super) fn name(text: &str) -> Option<MessageId> {
    let name = text.trim();
    let length = 1..=LONGEST_NAME;
    length
        .contains(&name.len())
        .then(|| MessageId::new(name.as_bytes()))
}

pub(super) fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_carried_out_is_a_refusal() {
        for status in 100..600 {
            let verdict = judge_status(status, Some("7"));
            match status {
                200..=299 => assert_eq!(verdict, None),
                429 | 503 => assert!(matches!(
                    verdict,
                    Some(Verdict::Refused { failure: Failure::Overloaded, pause: Some(pause), .. })
                        if pause == Duration::from_secs(7)
                )),
                // Where the outcome of what was carried out is to be seen (RFC 9110 15.4.4).
                303 => assert!(matches!(verdict, Some(Verdict::Unclear(_)))),
                300..=499 => assert!(matches!(verdict, Some(Verdict::Refused { .. }))),
                _ => assert!(matches!(verdict, Some(Verdict::Unclear(_))), "{status}"),
            }
        }
        assert_eq!(pause("86400"), Some(LONGEST_PAUSE));
        for odd in [
            "Fri, 31 Dec 1999 23:59:59 GMT",
            "-1",
            "",
            "99999999999999999999999",
        ] {
            assert_eq!(pause(odd), None, "{odd}");
        }
    }

    const SENT: [&str; 2] = ["+447400123456", "082931 is your code, valid for 5 min"];

    #[test]
    fn neither_number_nor_code_comes_back_by_the_providers_words() {
        for (said, told) in [
            (
                "invalid number +447400123456",
                "invalid number +************",
            ),
            ("0044 7400123456 is barred", "0044 ********** is barred"),
            (
                "rejected: '082931 is your code'",
                "rejected: '****** is your code'",
            ),
            ("see 33123456789", "see ***********"),
            ("error 30003 of 5", "error 30003 of 5"),
        ] {
            assert_eq!(masked(said, SENT), told);
        }
    }

    #[test]
    fn a_body_says_whether_the_text_was_taken() {
        let success = Success {
            pointer: "/messages/0/status".to_owned(),
            values: vec!["ok".to_owned(), "0".to_owned()],
        };
        let judge = |body: &str| judge_body(Some(body.as_bytes()), Some(&success), SENT);
        assert_eq!(judge(r#"{"messages":[{"status":"ok"}]}"#), Verdict::Taken);
        assert_eq!(judge(r#"{"messages":[{"status":0}]}"#), Verdict::Taken);
        assert!(matches!(
            judge(r#"{"messages":[{"status":"no\u001b[2J"}]}"#),
            Verdict::Refused { error, .. } if &*error == "no?[2J"
        ));
        for body in ["", "ok", "{}", r#"{"messages":[]}"#, "[[[[["] {
            assert!(matches!(judge(body), Verdict::Unclear(_)), "{body}");
        }
        assert!(matches!(
            judge_body(None, Some(&success), SENT),
            Verdict::Unclear(_)
        ));
        assert_eq!(judge_body(None, None, SENT), Verdict::Taken);
        let seventeen = id(Some(br#"{"id":17}"#), Some("/id"));
        assert_eq!(seventeen, Some(MessageId::new(b"17")));
        assert_eq!(id(Some(br#"{"id":" "}"#), Some("/id")), None);
        // Of names that begin alike none is taken for another, nor one of other letters.
        let long = "https://api.example/accounts/0123456789abcdef0123456789abcdef/texts/";
        let (one, other) = (name(&format!("{long}a")), name(&format!("{long}b")));
        assert!(one.is_some() && one != other);
        assert_ne!(name("Ab\u{e9}"), name("Ab\u{e8}"));
        assert_eq!(name(&"x".repeat(LONGEST_NAME + 1)), None);
        assert_eq!(id(Some(b"{}"), Some("/id")), None);
    }
}
