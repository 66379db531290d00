//! The grammar of authentication header fields: `scheme name=value, name="value"...`, perhaps
//! several times (RFC 7235 2.1, RFC 3261 25.1).

use std::borrow::Cow;

use smallvec::SmallVec;

use super::DigestError;

/// Most parameters of one challenge or answer.
const MAX_PARAMS: usize = 32;
/// Most challenges in one header field value.
const MAX_SCHEMES: usize = 16;

/// One scheme with its parameters; values are unquoted and unescaped.
pub(super) struct Fields<'a> {
    pub(super) scheme: &'a str,
    params: SmallVec<[(&'a str, Cow<'a, str>); 12]>,
}

impl<'a> Fields<'a> {
    /// A value by its name in any case.
    pub(super) fn get(&self, name: &str) -> Option<&Cow<'a, str>> {
        self.params
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(super) fn need(&self, name: &'static str) -> Result<&Cow<'a, str>, DigestError> {
        self.get(name).ok_or(DigestError::Missing(name))
    }

    pub(super) fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Digest")
    }
}

/// Splits a header field value into its schemes.
pub(super) fn schemes(value: &str) -> Result<SmallVec<[Fields<'_>; 2]>, DigestError> {
    let mut schemes: SmallVec<[Fields<'_>; 2]> = SmallVec::new();
    let mut rest = skip_commas(value);
    while !rest.is_empty() {
        if schemes.len() == MAX_SCHEMES {
            return Err(DigestError::Malformed);
        }
        let (fields, after) = scheme(rest)?;
        schemes.push(fields);
        rest = skip_commas(after);
    }
    Ok(schemes)
}

fn skip_commas(text: &str) -> &str {
    text.trim_start_matches([',', ' ', '\t', '\r', '\n'])
}

fn token(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c)))
        .unwrap_or(text.len());
    text.split_at(end)
}

/// Reads one scheme and what belongs to it.
fn scheme(text: &str) -> Result<(Fields<'_>, &str), DigestError> {
    let bad = DigestError::Malformed;
    let (name, mut rest) = token(text);
    if name.is_empty() {
        return Err(bad);
    }
    let mut fields = Fields {
        scheme: name,
        params: SmallVec::new(),
    };
    loop {
        let start = skip_commas(rest);
        let (name, after) = token(start);
        let after = after.trim_start();
        let Some(value) = after.strip_prefix('=') else {
            // Another scheme's name, the end, or the blob of a scheme that has no parameters.
            if fields.params.is_empty() && !start.is_empty() {
                let blob = start.find(',').unwrap_or(start.len());
                return Ok((fields, start.get(blob..).unwrap_or_default()));
            }
            return Ok((fields, start));
        };
        if name.is_empty() || fields.params.len() == MAX_PARAMS || fields.get(name).is_some() {
            return Err(bad);
        }
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(inside) => quoted(inside).ok_or(bad)?,
            None => {
                let end = value
                    .find([',', ' ', '\t', '\r', '\n', '"'])
                    .unwrap_or(value.len());
                let (value, after) = value.split_at(end);
                (Cow::Borrowed(value), after)
            }
        };
        // What is echoed may not carry anything into the request's header.
        if value.chars().any(char::is_control) {
            return Err(bad);
        }
        fields.params.push((name, value));
        let after = after.trim_start();
        if !(after.is_empty() || after.starts_with(',')) {
            return Err(bad);
        }
        rest = after;
    }
}

/// Reads up to the closing quote.
fn quoted(inside: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut plain: Option<String> = None;
    let mut chars = inside.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let value = match plain {
                    Some(plain) => Cow::Owned(plain),
                    None => Cow::Borrowed(inside.get(..at)?),
                };
                return Some((value, inside.get(at + 1..)?));
            }
            '\\' => {
                let (_, escaped) = chars.next()?;
                plain
                    .get_or_insert_with(|| inside.get(..at).unwrap_or_default().to_owned())
                    .push(escaped);
            }
            _ => {
                if let Some(plain) = plain.as_mut() {
                    plain.push(c);
                }
            }
        }
    }
    None
}

/// Appends `name="value"`, escaped.
pub(super) fn push_quoted(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str("=\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_schemes_in_one_value() {
        let value = "Digest realm=\"a, \\\"b\\\"\" ,nonce = n1,, Basic realm=\"c\", Negotiate abc==, \
                     digest nonce=\"x\"";
        let all = schemes(value).expect("sound");
        let names: Vec<_> = all.iter().map(|f| f.scheme).collect();
        assert_eq!(names, ["Digest", "Basic", "Negotiate", "digest"]);
        assert_eq!(all[0].get("REALM").map(AsRef::as_ref), Some("a, \"b\""));
        assert_eq!(all[0].get("nonce").map(AsRef::as_ref), Some("n1"));
        assert_eq!(all[3].get("nonce").map(AsRef::as_ref), Some("x"));
    }

    #[test]
    fn malformed_values() {
        for bad in [
            "Digest realm=\"a",
            "Digest realm=\"a\\\"",
            "Digest realm=a, realm=b",
            "Digest realm=\"a\nb\"",
            "Digest realm=\"a\" nonce=\"b\"",
            "=",
            "\"x\"",
        ] {
            assert!(schemes(bad).is_err(), "{bad}");
        }
        let many: String = (0..40).map(|i| format!("p{i}=1,")).collect();
        assert!(schemes(&format!("Digest {many}")).is_err());
        assert!(schemes(&"A b,".repeat(17)).is_err());
        assert!(schemes("").is_ok_and(|s| s.is_empty()));
    }
}
