//! A sentence with places for code, brand and minutes.

use std::fmt::Write;

use zeroize::Zeroizing;

use super::Mark;
use crate::document::resembling;

/// The places there are.
const PLACES: [&str; 3] = ["code", "brand", "minutes"];
/// Room for every text that may be sent, so that its words are never moved and left behind.
const ROOM: usize = 2048;

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Words(Box<str>),
    Code,
    Brand,
    Minutes,
}

/// The words of a text with its places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

/// What is put in a template's places.
#[derive(Clone, Copy)]
pub(super) struct Filling<'a> {
    pub code: &'a str,
    pub brand: &'a str,
    pub minutes: u64,
    pub mark: Option<&'a Mark>,
}

/// Why words are no template, and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoTemplate {
    pub text: String,
    pub help: String,
}

fn no(text: impl Into<String>, help: impl Into<String>) -> NoTemplate {
    NoTemplate {
        text: text.into(),
        help: help.into(),
    }
}

impl Template {
    pub fn parse(words: &str) -> Result<Template, NoTemplate> {
        let mut parts = Vec::new();
        let mut rest = words;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            if !before.is_empty() {
                parts.push(Part::Words(before.into()));
            }
            let named = from.strip_prefix('{').and_then(|from| from.split_once('}'));
            let Some((name, after)) = named else {
                return Err(no(
                    "a brace that belongs to no place",
                    "write {code}, {brand} or {minutes}, and no other braces",
                ));
            };
            parts.push(match name {
                "code" => Part::Code,
                "brand" => Part::Brand,
                "minutes" => Part::Minutes,
                other => {
                    let shown: String = other
                        .chars()
                        .take(32)
                        .flat_map(char::escape_debug)
                        .collect();
                    let help = match resembling(other, PLACES) {
                        Some(meant) => format!("did you mean {{{meant}}}?"),
                        None => "the places are {code}, {brand} and {minutes}".to_owned(),
                    };
                    return Err(no(format!("there is no place {{{shown}}}"), help));
                }
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Words(rest.into()));
        }
        match parts.iter().filter(|part| **part == Part::Code).count() {
            1 => Ok(Template(parts)),
            0 => Err(no(
                "the code is not in the text",
                "write {code} where it is to stand",
            )),
            // A second would be taken for another code, by people and by phones.
            _ => Err(no("the code is in the text twice", "write {code} once")),
        }
    }

    /// The text. It is wiped when dropped.
    pub fn fill(&self, with: Filling<'_>) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(ROOM));
        for part in &self.0 {
            match part {
                Part::Words(words) => text.push_str(words),
                Part::Code => text.push_str(with.code),
                Part::Brand => text.push_str(with.brand),
                Part::Minutes => {
                    // Writing to a string does not fail.
                    let _ = write!(text, "{}", with.minutes);
                }
            }
        }
        match with.mark {
            None => {}
            Some(Mark::WebOtp(domain)) => {
                let _ = write!(text, "\n@{domain} #{}", with.code);
            }
            Some(Mark::App(hash)) => {
                let _ = write!(text, "\n{hash}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wording::{AppHash, Domain};

    fn filling(mark: Option<&Mark>) -> Filling<'_> {
        Filling {
            code: "012345",
            brand: "Example",
            minutes: 5,
            mark,
        }
    }

    #[test]
    fn places_are_filled_and_marks_stand_last() {
        let template = Template::parse("{brand}: {code}, {minutes} min").expect("sound");
        assert_eq!(*template.fill(filling(None)), "Example: 012345, 5 min");
        let mark = Domain::parse("example.org")
            .map(Mark::WebOtp)
            .expect("a domain");
        assert_eq!(
            *template.fill(filling(Some(&mark))),
            "Example: 012345, 5 min\n@example.org #012345"
        );
        let mark = AppHash::parse("FA+9qCX9VSu")
            .map(Mark::App)
            .expect("a hash");
        assert_eq!(
            *template.fill(filling(Some(&mark))),
            "Example: 012345, 5 min\nFA+9qCX9VSu"
        );
    }

    #[test]
    fn what_is_no_template_is_told_with_its_fix() {
        for (words, text, help) in [
            ("hello", "not in the text", "write {code}"),
            ("{code} {code}", "twice", "once"),
            ("{code} {band}", "no place {band}", "did you mean {brand}"),
            ("{code} {}", "no place {}", "the places are"),
            ("{code} {minutes", "a brace", "no other braces"),
            ("{code} }", "a brace", "no other braces"),
            ("{{code}}", "no place", "did you mean {code}"),
        ] {
            let fault = Template::parse(words).expect_err(words);
            assert!(fault.text.contains(text), "{words}: {}", fault.text);
            assert!(fault.help.contains(help), "{words}: {}", fault.help);
        }
    }

    proptest! {
        #[test]
        fn any_words_are_read_or_refused(words in "[a-z{} ]{0,12}(\\{code\\})?[a-z{} ]{0,12}") {
            if let Ok(template) = Template::parse(&words) {
                let text = template.fill(filling(None));
                prop_assert_eq!(text.matches("012345").count(), 1);
                let braces = text.contains(['{', '}']);
                prop_assert!(!braces, "{}", *text);
            }
        }
    }
}
