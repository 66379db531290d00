//! Keys that come as SIP INFO: `application/dtmf-relay` and `application/dtmf`.
//!
//! Neither is a standard; the bodies read here are what Cisco gateways, Asterisk, FreeSWITCH,
//! softphones and SIPp send: `Signal=#` and `Duration=160` on lines of their own, or the bare key.

use std::time::Duration;

use crate::dtmf::Digit;

/// Bodies beyond this are no key press.
const LONGEST_BODY: usize = 256;
/// A press that claims to be longer is taken as this long. The claim moves its beginning back, so
/// no press within a call may be cut short: a key held since before the invitation would count.
const LONGEST_PRESS: Duration = Duration::from_secs(3_600);

/// One key press in an INFO request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InfoKey {
    /// The key.
    pub digit: Digit,
    /// How long it was held, where the sender says so.
    pub held: Option<Duration>,
}

impl InfoKey {
    /// Reads the body of an INFO; `None` where it holds no key.
    pub fn read(content_type: &str, body: &[u8]) -> Option<InfoKey> {
        if body.len() > LONGEST_BODY {
            return None;
        }
        let text = std::str::from_utf8(body).ok()?;
        let kind = content_type.split(';').next().unwrap_or("").trim();
        if kind.eq_ignore_ascii_case("application/dtmf-relay") {
            let mut digit = None;
            let mut held = None;
            for line in text.lines() {
                let Some((name, value)) = line.split_once('=') else {
                    continue;
                };
                let value = value.trim();
                if name.trim().eq_ignore_ascii_case("signal") && digit.is_none() {
                    digit = Some(digit_named(value)?);
                } else if name.trim().eq_ignore_ascii_case("duration") {
                    held = value
                        .parse()
                        .ok()
                        .map(|ms| Duration::from_millis(ms).min(LONGEST_PRESS));
                }
            }
            Some(InfoKey {
                digit: digit?,
                held,
            })
        } else if kind.eq_ignore_ascii_case("application/dtmf") {
            let digit = digit_named(text.trim())?;
            Some(InfoKey { digit, held: None })
        } else {
            None
        }
    }
}

/// The key by its name, or by its RFC 4733 event code as some gateways write star and hash.
fn digit_named(text: &str) -> Option<Digit> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(name), None) => Digit::from_char(name),
        (Some(_), Some(_)) => match text.parse::<u8>() {
            Ok(code @ 10..=15) => Digit::from_event(code),
            _ => None,
        },
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(content_type: &str, body: &str) -> Option<(char, u128)> {
        InfoKey::read(content_type, body.as_bytes()).map(|key| {
            (
                key.digit.as_char(),
                key.held.map_or(0, |held| held.as_millis()),
            )
        })
    }

    #[test]
    fn the_bodies_of_the_field_are_read() {
        for (kind, body, key) in [
            (
                "application/dtmf-relay",
                "Signal=#\r\nDuration=160\r\n",
                ('#', 160),
            ),
            (
                "Application/DTMF-Relay",
                "signal = 5\nduration = 250",
                ('5', 250),
            ),
            (
                "application/dtmf-relay;charset=utf-8",
                "Signal=11\r\nDuration=100",
                ('#', 100),
            ),
            ("application/dtmf-relay", "Signal=*", ('*', 0)),
            (
                "application/dtmf-relay",
                "Signal=#\r\nDuration=60000",
                ('#', 60_000),
            ),
            (
                "application/dtmf-relay",
                "Signal=#\r\nDuration=999999999",
                ('#', 3_600_000),
            ),
            ("application/dtmf", "#", ('#', 0)),
            ("application/dtmf", " d \r\n", ('D', 0)),
            ("application/dtmf", "10", ('*', 0)),
        ] {
            assert_eq!(read(kind, body), Some(key), "{kind} {body:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        for (kind, body) in [
            ("application/dtmf-relay", ""),
            ("application/dtmf-relay", "Signal=\r\nDuration=100"),
            ("application/dtmf-relay", "Signal=16"),
            ("application/dtmf-relay", "Duration=100"),
            ("application/dtmf", "##"),
            ("application/dtmf", "+1"),
            ("application/dtmf", ""),
            ("text/plain", "#"),
            ("application/hook-flash", "#"),
        ] {
            assert_eq!(read(kind, body), None, "{kind} {body:?}");
        }
        assert_eq!(InfoKey::read("application/dtmf", &[b'#'; 300]), None);
        assert_eq!(InfoKey::read("application/dtmf", &[0xff, b'#']), None);
    }

    proptest! {
        #[test]
        fn no_body_panics(kind in ".{0,40}", body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = InfoKey::read(&kind, &body);
            let _ = InfoKey::read("application/dtmf-relay", &body);
            let _ = InfoKey::read("application/dtmf", &body);
        }
    }
}
