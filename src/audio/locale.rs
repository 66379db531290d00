//! Locale tags, as the folders of recordings are named: `en-GB`, `fr`, `zh-Hant-TW`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A language tag (RFC 5646) in its usual case: language in small letters, script with a capital,
/// region in capitals. Two tags that differ in case alone are equal.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Locale(Box<str>);

/// What is no locale tag.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a locale: write the language, then the country, as in en-GB or fr-FR")]
pub struct LocaleError(String);

impl Locale {
    /// The longest tag that is read, in octets (RFC 5646 4.4.1 wants at least 35).
    pub const MAX: usize = 35;

    /// The whole tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language alone, `en` of `en-GB`.
    pub fn language(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }
}

impl FromStr for Locale {
    type Err = LocaleError;

    fn from_str(tag: &str) -> Result<Locale, LocaleError> {
        let refuse = || LocaleError(tag.chars().take(Locale::MAX).collect());
        if tag.len() > Locale::MAX {
            return Err(refuse());
        }
        let mut parts = tag.split('-');
        let language = parts.next().unwrap_or_default();
        if !(2..=3).contains(&language.len()) || !language.bytes().all(|b| b.is_ascii_alphabetic())
        {
            return Err(refuse());
        }
        let mut written = language.to_ascii_lowercase();
        for part in parts {
            if !(1..=8).contains(&part.len()) || !part.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return Err(refuse());
            }
            written.push('-');
            match part.len() {
                2 => written.push_str(&part.to_ascii_uppercase()),
                4 if part.bytes().all(|b| b.is_ascii_alphabetic()) => {
                    written.push_str(&part[..1].to_ascii_uppercase());
                    written.push_str(&part[1..].to_ascii_lowercase());
                }
                _ => written.push_str(&part.to_ascii_lowercase()),
            }
        }
        Ok(Locale(written.into()))
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_is_settled() {
        for (tag, settled) in [
            ("EN-gb", "en-GB"),
            ("fr", "fr"),
            ("ZH-hant-tw", "zh-Hant-TW"),
            ("es-419", "es-419"),
            ("sl-Rozaj", "sl-rozaj"),
        ] {
            let locale: Locale = tag.parse().unwrap();
            assert_eq!(locale.as_str(), settled);
            assert_eq!(locale.language(), &settled[..2]);
        }
    }

    #[test]
    fn other_things_are_refused() {
        let long = format!("en{}", "-x".repeat(20));
        for tag in [
            "",
            "e",
            "make",
            "en_GB",
            "en-",
            "-GB",
            "en-GB.bak",
            "en-größe",
            "..",
            &long,
        ] {
            assert!(tag.parse::<Locale>().is_err(), "{tag}");
        }
        let error = "en_GB".parse::<Locale>().unwrap_err();
        assert!(error.to_string().contains("as in en-GB"));
    }

    proptest! {
        #[test]
        fn parsing_is_idempotent(tag in "[a-zA-Z0-9-]{0,40}") {
            if let Ok(locale) = tag.parse::<Locale>() {
                prop_assert_eq!(locale.as_str().parse::<Locale>().unwrap(), locale);
            }
        }

        #[test]
        fn any_text_is_safe(tag in ".{0,60}") {
            let _ = tag.parse::<Locale>();
        }
    }
}
