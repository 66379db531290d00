//! The shapes of words that dialplans and the configuration share.

use crate::audio::Locale;

/// Whether a text can name a trunk or a bind: it needs no quotes in TOML.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Whether a text can be a caller id: a user part that needs no escapes in a SIP URI
/// (RFC 3261 25.1).
pub fn is_caller_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-_.!~*".contains(&b))
}

/// Whether a text can be the sender of a text: a number with its plus sign, a short code, or a name.
/// An address in a GSM network has room for 11 letters or 15 digits (3GPP TS 23.040 9.1.2.5,
/// ITU-T E.164 6.2).
pub fn is_sender(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return (3..=15).contains(&digits.len());
    }
    (1..=11).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b" +-_.&'!".contains(&b))
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && text.trim() == text
}

/// Whether a text has the shape of a language tag (RFC 5646 2.1), `en-GB`.
pub fn is_locale(text: &str) -> bool {
    text.parse::<Locale>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_shapes() {
        assert!(["sandbox", "carrier-1", "A_b"].iter().all(|t| is_name(t)));
        assert!(!["", "a b", "a.b", "\u{e9}"].iter().any(|t| is_name(t)));
        assert!(
            ["+442079460000", "ringtrue", "1000"]
                .iter()
                .all(|t| is_caller_id(t))
        );
        assert!(
            !["", "+44 20", "a@b", "a;b", "a\r\n"]
                .iter()
                .any(|t| is_caller_id(t))
        );
        assert!(
            ["Ringtrue", "A&B Bank", "80800", "+447700900123", "4 U"]
                .iter()
                .all(|t| is_sender(t))
        );
        assert!(
            ![
                "",
                "12",
                "+",
                "Twelve chars",
                " Bank",
                "1-2",
                "+4477009001234567",
                "Caf\u{e9}",
                "a\n"
            ]
            .iter()
            .any(|t| is_sender(t))
        );
        assert!(["en", "en-GB", "zh-Hant-TW"].iter().all(|t| is_locale(t)));
        assert!(
            !["", "english", "en_GB", "en-", "e", "make", "../x"]
                .iter()
                .any(|t| is_locale(t))
        );
    }
}
