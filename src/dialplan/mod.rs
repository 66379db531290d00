//! Dialplans: rules from files that lead a number to a route or a refusal.
//!
//! A file is TOML, a list of `[[rule]]`. The longest prefix wins; of two rules with one prefix,
//! the one that names kinds of numbers wins where it fits. Order and file names mean nothing.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::phone::{NumberKind, PhoneNumber};

/// Most files of a folder, and the largest of them in bytes.
const MOST_FILES: usize = 256;
const LARGEST_FILE: u64 = 1024 * 1024;
/// Keys of a rule, for suggestions.
const KEYS: [&str; 6] = ["prefix", "kinds", "trunk", "caller_id", "locale", "refuse"];

/// Where a call goes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The trunk's name.
    pub trunk: Arc<str>,
    /// The number shown to the person; `None` leaves it to the trunk.
    pub caller_id: Option<Arc<str>>,
    /// The locale of what is said.
    pub locale: Arc<str>,
}

/// A number that may not be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    code: &'static str,
    text: Arc<str>,
}

impl Refusal {
    /// `refused_by_dialplan`, or `no_rule` where no rule fits.
    pub fn code(&self) -> &'static str {
        self.code
    }
}

/// What is wrong with a file, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct DialplanError {
    /// The file.
    pub file: String,
    /// The line, from 1; 0 for the file or folder itself.
    pub line: usize,
    /// What is wrong and how to mend it.
    pub what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<toml::Spanned<RuleText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    prefix: String,
    #[serde(default)]
    kinds: Vec<String>,
    trunk: Option<String>,
    caller_id: Option<String>,
    locale: Option<String>,
    refuse: Option<String>,
}

/// One rule, and where it stands.
#[derive(Debug, Clone)]
struct Rule {
    prefix: Arc<str>,
    kinds: Vec<NumberKind>,
    action: Action,
    file: Arc<str>,
    line: usize,
}

#[derive(Debug, Clone)]
enum Action {
    Route(Route),
    Refuse(Arc<str>),
}

impl Rule {
    fn fits(&self, number: &PhoneNumber) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&number.kind())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: prefix {}", self.file, self.line, self.prefix)?;
        if !self.kinds.is_empty() {
            write!(f, " for {:?}", self.kinds)?;
        }
        match &self.action {
            Action::Route(route) => {
                write!(f, " to trunk {} in {}", route.trunk, route.locale)?;
                match &route.caller_id {
                    Some(caller) => write!(f, " as {caller}"),
                    None => Ok(()),
                }
            }
            Action::Refuse(text) => write!(f, " refused: {text}"),
        }
    }
}

/// All rules, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Dialplan {
    /// By prefix; a number has at most sixteen, so a look-up asks at most so often.
    rules: HashMap<Arc<str>, Vec<Rule>>,
}

/// Why a number goes where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The rule that won, as text; `None` where none fits.
    pub winner: Option<String>,
    /// The rules that fit too, and lost, the closest first.
    pub losers: Vec<String>,
    /// The outcome.
    pub outcome: Result<Route, Refusal>,
}

impl Dialplan {
    /// Reads every `*.toml` of a folder.
    ///
    /// # Errors
    /// The first fault, with file and line.
    pub fn load(folder: &Path) -> Result<Dialplan, DialplanError> {
        let at = |what: String| DialplanError {
            file: folder.display().to_string(),
            line: 0,
            what,
        };
        let entries = std::fs::read_dir(folder)
            .map_err(|error| at(format!("the folder of dialplans cannot be read: {error}")))?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| at(error.to_string()))?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                files.push(path);
            }
            if files.len() > MOST_FILES {
                return Err(at(format!(
                    "more than {MOST_FILES} files; merge some of them"
                )));
            }
        }
        files.sort();
        let mut plan = Dialplan::default();
        for path in files {
            let name = path.display().to_string();
            let fault = |what: String| DialplanError {
                file: name.clone(),
                line: 0,
                what,
            };
            let size = std::fs::metadata(&path)
                .map_err(|error| fault(error.to_string()))?
                .len();
            if size > LARGEST_FILE {
                return Err(fault(format!("larger than {LARGEST_FILE} bytes; split it")));
            }
            let text = std::fs::read_to_string(&path).map_err(|error| fault(error.to_string()))?;
            plan.add(&name, &text)?;
        }
        if plan.rules.is_empty() {
            return Err(at(
                "no rule in any *.toml file; a dialplan needs at least one".into(),
            ));
        }
        Ok(plan)
    }

    /// Adds the rules of one file's text.
    ///
    /// # Errors
    /// The first fault, with its line.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), DialplanError> {
        let line_of = |span: Option<Range<usize>>| {
            let end = span.map_or(0, |span| span.start).min(text.len());
            text.as_bytes()[..end]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
                + 1
        };
        let fault = |line: usize, what: String| DialplanError {
            file: name.into(),
            line,
            what,
        };
        let file: File = toml::from_str(text).map_err(|error| {
            fault(
                line_of(error.span()),
                with_suggestion(error.message(), &KEYS),
            )
        })?;
        let source: Arc<str> = name.into();
        for spanned in file.rule {
            let line = line_of(Some(spanned.span()));
            let rule = spanned.into_inner();
            let digits = rule.prefix.strip_prefix('+');
            let Some(digits) =
                digits.filter(|d| d.len() <= 15 && d.bytes().all(|b| b.is_ascii_digit()))
            else {
                return Err(fault(
                    line,
                    format!(
                        "`{}` is no prefix; write + and up to 15 digits, as in \"+44\"",
                        rule.prefix
                    ),
                ));
            };
            let mut kinds = Vec::new();
            for kind in &rule.kinds {
                kinds.push(NumberKind::from_name(kind).ok_or_else(|| {
                    fault(
                        line,
                        format!("`{kind}` is no kind of number; try mobile, fixed_line or premium"),
                    )
                })?);
            }
            let action = match (rule.trunk, rule.refuse) {
                (Some(trunk), None) => Action::Route(Route {
                    trunk: trunk.into(),
                    caller_id: rule.caller_id.map(Into::into),
                    locale: rule.locale.unwrap_or_else(|| "en-GB".into()).into(),
                }),
                (None, Some(text)) => Action::Refuse(text.into()),
                _ => {
                    return Err(fault(
                        line,
                        "a rule has either `trunk` or `refuse`, and not both".into(),
                    ));
                }
            };
            let prefix: Arc<str> = format!("+{digits}").into();
            let there = self.rules.entry(Arc::clone(&prefix)).or_default();
            let same = there.iter().find(|other| {
                (other.kinds.is_empty() && kinds.is_empty())
                    || other.kinds.iter().any(|kind| kinds.contains(kind))
            });
            if let Some(other) = same {
                return Err(fault(
                    line,
                    format!(
                        "the same prefix and kind as {}:{}; remove one of them",
                        other.file, other.line
                    ),
                ));
            }
            there.push(Rule {
                prefix,
                kinds,
                action,
                file: Arc::clone(&source),
                line,
            });
        }
        Ok(())
    }

    /// The trunks that rules name.
    pub fn trunks(&self) -> impl Iterator<Item = &str> {
        self.rules
            .values()
            .flatten()
            .filter_map(|rule| match &rule.action {
                Action::Route(route) => Some(&*route.trunk),
                Action::Refuse(_) => None,
            })
    }

    /// The rules that fit, the winner first.
    fn fitting<'a>(&'a self, number: &'a PhoneNumber) -> impl Iterator<Item = &'a Rule> {
        let text = number.e164();
        (1..=text.len()).rev().flat_map(move |length| {
            let mut fits: Vec<&Rule> = text
                .get(..length)
                .and_then(|prefix| self.rules.get(prefix))
                .into_iter()
                .flatten()
                .filter(|rule| rule.fits(number))
                .collect();
            fits.sort_by_key(|rule| rule.kinds.is_empty());
            fits
        })
    }

    /// Where a number goes.
    ///
    /// # Errors
    /// When a rule refuses it, or none fits.
    pub fn route(&self, number: &PhoneNumber) -> Result<Route, Refusal> {
        match self.fitting(number).next().map(|rule| &rule.action) {
            Some(Action::Route(route)) => Ok(route.clone()),
            Some(Action::Refuse(text)) => Err(Refusal {
                code: "refused_by_dialplan",
                text: Arc::clone(text),
            }),
            None => Err(Refusal {
                code: "no_rule",
                text: "no rule of the dialplan fits the number".into(),
            }),
        }
    }

    /// Which rule a number meets, and which it would otherwise.
    pub fn explain(&self, number: &PhoneNumber) -> Explanation {
        let mut fitting = self.fitting(number).map(ToString::to_string);
        Explanation {
            winner: fitting.next(),
            losers: fitting.collect(),
            outcome: self.route(number),
        }
    }
}

/// The message of a parser, with the key that was probably meant.
pub(crate) fn with_suggestion(message: &str, known: &[&str]) -> String {
    let message = message.lines().next().unwrap_or_default();
    let Some(key) = message
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split('`').next())
    else {
        return message.to_owned();
    };
    let closest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(key, name), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 3);
    match closest {
        Some((_, name)) => format!("there is no key `{key}`; did you mean `{name}`?"),
        None => format!("there is no key `{key}`; there are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text).expect("a number")
    }

    fn plan(text: &str) -> Dialplan {
        let mut plan = Dialplan::default();
        plan.add("test.toml", text).expect("a sound dialplan");
        plan
    }

    #[test]
    fn the_longest_prefix_wins_and_a_kind_beats_none() {
        let plan = plan(
            "[[rule]]\nprefix = \"+\"\ntrunk = \"world\"\n\
             [[rule]]\nprefix = \"+44\"\ntrunk = \"uk\"\n\
             [[rule]]\nprefix = \"+44\"\nkinds = [\"mobile\"]\ntrunk = \"uk-mobile\"\ncaller_id = \"+442079460000\"\n\
             [[rule]]\nprefix = \"+4479\"\nrefuse = \"not these\"\n",
        );
        let trunk = |text| {
            plan.route(&number(text))
                .map(|route| route.trunk.to_string())
        };
        assert_eq!(trunk("+33142685300").as_deref(), Ok("world"));
        assert_eq!(trunk("+442079460123").as_deref(), Ok("uk"));
        assert_eq!(trunk("+447400123456").as_deref(), Ok("uk-mobile"));
        let refused = trunk("+447911123456").expect_err("refused");
        assert_eq!(
            (refused.code(), refused.to_string().as_str()),
            ("refused_by_dialplan", "not these")
        );
        let why = plan.explain(&number("+447400123456"));
        assert_eq!(
            why.winner.as_deref(),
            Some(
                "test.toml:7: prefix +44 for [Mobile] to trunk uk-mobile in en-GB as +442079460000"
            )
        );
        assert_eq!(why.losers.len(), 2);
    }

    #[test]
    fn no_rule_is_a_refusal() {
        let plan = plan("[[rule]]\nprefix = \"+1\"\ntrunk = \"us\"\n");
        assert_eq!(
            plan.route(&number("+447400123456"))
                .expect_err("none")
                .code(),
            "no_rule"
        );
    }

    #[test]
    fn faults_name_line_and_fix() {
        for (text, line, what) in [
            ("[[rule]]\nprefx = \"+44\"\n", 2, "did you mean `prefix`"),
            (
                "\n[[rule]]\nprefix = \"44\"\ntrunk = \"a\"\n",
                2,
                "write + and up to 15 digits",
            ),
            (
                "[[rule]]\nprefix = \"+44\"\n",
                1,
                "either `trunk` or `refuse`",
            ),
            (
                "[[rule]]\nprefix = \"+44\"\nkinds = [\"mobil\"]\ntrunk = \"a\"\n",
                1,
                "no kind of number",
            ),
            (
                "[[rule]]\nprefix = \"+1\"\ntrunk = \"a\"\n[[rule]]\nprefix = \"+1\"\ntrunk = \"b\"\n",
                4,
                "test.toml:1",
            ),
        ] {
            let error = Dialplan::default().add("test.toml", text).expect_err(text);
            assert_eq!(error.line, line, "{error}");
            assert!(error.what.contains(what), "{error}");
        }
    }
}
