//! Why a number goes where it goes, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::{Dialplan, Kinds, Prefix, RefusalCode, RuleRef, TextWay};
use crate::document::Place;
use crate::phone::{NumberKind, PhoneNumber};

/// Which rule decides on a number and why, and which others matched and lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The number, masked.
    pub number: String,
    /// What it is used for.
    pub kind: NumberKind,
    /// Whose numbering plan it is in.
    pub region: String,
    /// Why it is never called or texted, whatever the rules say; not known here, but to those who
    /// hold the guard's policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
    /// What becomes of a call to it.
    pub decision: Decision,
    /// What becomes of a text to it.
    pub text: TextDecision,
    /// The rule that decides; `None` if none matches.
    pub rule: Option<Cited>,
    /// Why that rule decides, a sentence.
    pub why: String,
    /// Other rules with a prefix that the number begins with, the longest first.
    pub others: Vec<Other>,
}

/// Why a number is never called or texted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// Why, as the API says it: `blocked_kind`.
    pub code: &'static str,
    /// Why, for people.
    pub text: String,
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is placed.
    Route {
        /// Through this trunk.
        trunk: String,
        /// Showing this; `None` leaves it to the trunk.
        caller_id: Option<String>,
        /// With prompts of this locale.
        locale: String,
    },
    /// It is refused.
    Refuse {
        /// Why, from a closed list.
        code: RefusalCode,
        /// Why, for people.
        text: String,
    },
}

/// What becomes of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TextDecision {
    /// It is sent.
    Route {
        /// By one of these, the best first.
        ways: Vec<TextWay>,
        /// From this; `None` leaves it to the bind.
        sender: Option<String>,
        /// In words of this locale.
        locale: String,
    },
    /// It is refused.
    Refuse {
        /// Why, from a closed list.
        code: RefusalCode,
        /// Why, for people.
        text: String,
    },
}

/// A rule as cited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cited {
    /// Where it is written.
    pub place: Place,
    /// Its prefix that the number begins with.
    pub prefix: Prefix,
    /// The kinds it names; none stand for all.
    pub kinds: Kinds,
}

/// A rule that did not decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Other {
    /// The rule.
    pub rule: Cited,
    /// Why it did not.
    pub lost: Lost,
}

/// Why a rule with a fitting prefix did not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lost {
    /// It names kinds, and not the number's: it does not match.
    OtherKind,
    /// It matches, and its prefix is shorter.
    ShorterPrefix,
    /// It matches with the same prefix, and names no kinds where the other does.
    NamesNoKind,
}

impl From<RuleRef> for Cited {
    fn from(rule: RuleRef) -> Cited {
        Cited {
            place: rule.place,
            prefix: rule.prefix,
            kinds: rule.kinds,
        }
    }
}

pub(super) fn explain(plan: &Dialplan, number: &PhoneNumber) -> Explanation {
    let winner = plan.table.find(number);
    let mut others = Vec::new();
    for found in plan.table.along(number) {
        let Some(rule) = plan.rules.get(found.rule) else {
            continue;
        };
        let won = winner.as_ref();
        if won.is_some_and(|w| w.rule == found.rule && w.prefix == found.prefix) {
            continue;
        }
        let lost = if !rule.kinds.matches(number.kind()) {
            Lost::OtherKind
        } else if won.is_some_and(|w| w.prefix == found.prefix) {
            Lost::NamesNoKind
        } else {
            Lost::ShorterPrefix
        };
        others.push(Other {
            rule: RuleRef::new(rule, found.prefix).into(),
            lost,
        });
    }
    let count = |lost: Lost| others.iter().filter(|o| o.lost == lost).count();
    let (decision, rule) = match plan.route(number) {
        Ok(route) => (
            Decision::Route {
                trunk: route.trunk.to_string(),
                caller_id: route.caller_id.map(|c| c.to_string()),
                locale: route.locale.to_string(),
            },
            Some(Cited::from(route.rule)),
        ),
        Err(refusal) => (
            Decision::Refuse {
                code: refusal.code,
                text: refusal.text.to_string(),
            },
            refusal.rule.map(Cited::from),
        ),
    };
    let text = match plan.text_route(number) {
        Ok(route) => TextDecision::Route {
            ways: route.ways.to_vec(),
            sender: route.sender.map(|s| s.to_string()),
            locale: route.locale.to_string(),
        },
        Err(refusal) => TextDecision::Refuse {
            code: refusal.code,
            text: refusal.text.to_string(),
        },
    };
    let why = match (&rule, count(Lost::NamesNoKind), count(Lost::ShorterPrefix)) {
        (None, ..) => "no rule matches".to_owned(),
        (Some(_), 0, 0) => "it is the only rule that matches".to_owned(),
        (Some(rule), 0, _) => format!("{} is the longest prefix of those that match", rule.prefix),
        (Some(rule), ..) => format!(
            "{} is the longest prefix of those that match, and of its rules this one names {}",
            rule.prefix,
            number.kind()
        ),
    };
    Explanation {
        number: number.masked(),
        kind: number.kind(),
        region: number.region().code(),
        blocked: None,
        decision,
        text,
        rule,
        why,
        others,
    }
}

impl Explanation {
    /// Whether neither call nor text goes out, and for the same reason.
    fn refuses_both(&self) -> bool {
        match (&self.decision, &self.text) {
            (Decision::Refuse { code: call, .. }, TextDecision::Refuse { code: text, .. }) => {
                call == text
            }
            _ => false,
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  {}, {}", self.number, self.kind, self.region)?;
        if let Some(Blocked { code, text }) = &self.blocked {
            writeln!(f, "  blocked    {code}: {text}, whatever the rules say")?;
        }
        let mut locale = None;
        match &self.decision {
            Decision::Refuse { code, text } if self.refuses_both() => {
                writeln!(f, "  refused    {code}: {text}")?;
            }
            Decision::Route {
                trunk,
                caller_id,
                locale: spoken,
            } => {
                locale = Some(spoken);
                writeln!(f, "  calls      trunk {trunk}")?;
                match caller_id {
                    Some(caller_id) => writeln!(f, "  caller id  {caller_id}")?,
                    None => writeln!(f, "  caller id  the trunk's")?,
                }
            }
            Decision::Refuse { code, text } => writeln!(f, "  calls      {code}: {text}")?,
        }
        match &self.text {
            TextDecision::Route {
                ways,
                sender,
                locale: written,
            } => {
                locale = Some(written);
                for (at, way) in ways.iter().enumerate() {
                    let label = if at == 0 { "texts" } else { "" };
                    let TextWay { by, cost, weight } = way;
                    writeln!(f, "  {label:<9}  {by}, cost {cost}, weight {weight}")?;
                }
                match sender {
                    Some(sender) => writeln!(f, "  sender     {sender}")?,
                    None => writeln!(f, "  sender     the bind's")?,
                }
            }
            TextDecision::Refuse { .. } if self.refuses_both() => {}
            TextDecision::Refuse { code, text } => writeln!(f, "  texts      {code}: {text}")?,
        }
        if let Some(locale) = locale {
            writeln!(f, "  locale     {locale}")?;
        }
        if let Some(rule) = &self.rule {
            writeln!(f, "  rule       {rule}")?;
        }
        writeln!(f, "  because    {}", self.why)?;
        for (at, other) in self.others.iter().enumerate() {
            let label = if at == 0 { "others" } else { "" };
            let lost = match other.lost {
                Lost::OtherKind => format!("is not for {}", self.kind),
                Lost::ShorterPrefix => "matches, its prefix is shorter".to_owned(),
                Lost::NamesNoKind => "matches, it names no kinds".to_owned(),
            };
            writeln!(f, "  {label:<9}  {}: {lost}", other.rule)?;
        }
        Ok(())
    }
}

impl fmt::Display for Cited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}  {}",
            self.place.file, self.place.line, self.prefix
        )?;
        if self.kinds.is_any() {
            return Ok(());
        }
        write!(f, " {}", self.kinds)
    }
}
