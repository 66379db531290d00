//! Lines by which a phone knows whose code a text carries, and fills it in.

use std::fmt;

/// What a phone is told besides the words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Mark {
    /// The last line `@example.org #123456`: browsers offer the code to pages of that domain alone
    /// (Origin-bound one-time codes delivered via SMS, WICG).
    WebOtp(Domain),
    /// A last line by which Android's SMS Retriever hands the text to one app.
    App(AppHash),
}

/// The domain of the page that a code is for: lower-case ASCII, `example.org`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Domain(Box<str>);

/// A text that is no domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a domain in ASCII, `example.org`, without path or port")]
pub struct NotADomain;

impl Domain {
    /// The longest, in characters. The standard allows 253, which would fill more than a message.
    pub const MAX: usize = 80;

    /// A domain, or the `https` origin of one.
    ///
    /// # Errors
    /// If it is neither.
    pub fn parse(text: &str) -> Result<Domain, NotADomain> {
        let host = text.strip_prefix("https://").unwrap_or(text);
        let host = host.strip_suffix('/').unwrap_or(host);
        let fits = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        // At least two labels, the last no number: no address and no machine of the local network.
        let last = host.rsplit('.').next().unwrap_or_default();
        let named = last.bytes().any(|b| b.is_ascii_alphabetic());
        if host.len() > Self::MAX || !host.contains('.') || !named || !host.split('.').all(fits) {
            return Err(NotADomain);
        }
        Ok(Domain(host.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The hash of an Android app's package and signing certificate: 11 characters of Base64.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AppHash(Box<str>);

/// A text that is no such hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the 11 characters that Android's SMS Retriever knows the app by")]
pub struct NotAnAppHash;

impl AppHash {
    /// The hash.
    ///
    /// # Errors
    /// If it is anything but 11 characters of Base64.
    pub fn parse(text: &str) -> Result<AppHash, NotAnAppHash> {
        let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
        if text.len() == 11 && text.bytes().all(base64) {
            Ok(AppHash(text.into()))
        } else {
            Err(NotAnAppHash)
        }
    }
}

impl fmt::Display for AppHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_a_public_host_name() {
        for (text, domain) in [
            ("example.org", "example.org"),
            ("https://Login.Example.org/", "login.example.org"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(
                Domain::parse(text).map(|d| d.to_string()),
                Ok(domain.into())
            );
        }
        for text in [
            "",
            "localhost",
            "http://example.org",
            "example.org:8443",
            "example.org/login",
            "127.0.0.1",
            "-a.example",
            "a..example",
            "bücher.example",
            "a b.example",
            "example.org\n@evil.example #1",
            &format!("{}.example", "a.".repeat(40)),
        ] {
            assert_eq!(Domain::parse(text), Err(NotADomain), "{text:?}");
        }
    }

    #[test]
    fn an_app_hash_is_eleven_characters() {
        assert!(AppHash::parse("FA+9qCX9VSu").is_ok());
        for text in [
            "",
            "FA+9qCX9VS",
            "FA+9qCX9VSuu",
            "FA+9qCX9VS\n",
            "FA-9qCX9VSu",
        ] {
            assert_eq!(AppHash::parse(text), Err(NotAnAppHash), "{text:?}");
        }
    }
}
