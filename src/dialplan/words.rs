//! The shapes of words that dialplans and the configuration share.

use crate::audio::Locale;

/// Whether a text can name a trunk: it needs no quotes in TOML.
pub fn is_trunk_name(text: &str) -> bool {
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

/// Whether a text has the shape of a language tag (RFC 5646 2.1), `en-GB`.
pub fn is_locale(text: &str) -> bool {
    text.parse::<Locale>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_shapes() {
        assert!(
            ["sandbox", "carrier-1", "A_b"]
                .iter()
                .all(|t| is_trunk_name(t))
        );
        assert!(
            !["", "a b", "a.b", "\u{e9}"]
                .iter()
                .any(|t| is_trunk_name(t))
        );
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
        assert!(["en", "en-GB", "zh-Hant-TW"].iter().all(|t| is_locale(t)));
        assert!(
            !["", "english", "en_GB", "en-", "e", "make", "../x"]
                .iter()
                .any(|t| is_locale(t))
        );
    }
}
