//! A rule as read from a file, and how one is cited.

use std::fmt;
use std::sync::Arc;

use super::{Prefix, RefusalCode, TextWay};
use crate::document::{At, Place};
use crate::phone::NumberKind;

/// The kinds that a rule names; none stand for all.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Kinds(u16);

impl Kinds {
    /// Adds a kind; `false` if it was there.
    pub fn add(&mut self, kind: NumberKind) -> bool {
        let bit = 1 << kind as u16;
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new
    }

    /// Whether a rule with these kinds is for numbers of `kind`.
    pub fn matches(self, kind: NumberKind) -> bool {
        self.0 == 0 || self.0 & (1 << kind as u16) != 0
    }

    /// Whether it names none.
    pub fn is_any(self) -> bool {
        self.0 == 0
    }

    /// Those named.
    pub fn iter(self) -> impl Iterator<Item = NumberKind> {
        let named = move |kind: &NumberKind| self.0 & (1 << *kind as u16) != 0;
        NumberKind::ALL.into_iter().filter(named)
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, kind) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            f.write_str(kind.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

impl serde::Serialize for Kinds {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

/// A rule as read.
pub(super) struct Rule {
    pub place: Place,
    /// At least one, each once.
    pub prefixes: Vec<At<Prefix>>,
    pub kinds: Kinds,
    pub verdict: Verdict,
}

pub(super) enum Verdict {
    Route(Ways),
    Refuse { code: RefusalCode, text: Arc<str> },
}

/// How numbers are reached: by calls, by texts, or by both.
pub(super) struct Ways {
    pub call: Option<CallWay>,
    pub text: Option<TextWays>,
    pub locale: At<Arc<str>>,
}

pub(super) struct CallWay {
    pub trunk: At<Arc<str>>,
    pub caller_id: Option<Arc<str>>,
}

#[derive(Clone)]
pub(super) struct TextWays {
    pub binds: Binds,
    pub sender: Option<Arc<str>>,
}

/// The ways for texts that a rule names.
#[derive(Clone)]
pub(super) struct Binds {
    /// The best first; one at least.
    pub ways: Arc<[TextWay]>,
    /// Where each is named.
    pub places: Arc<[Place]>,
}

/// A rule as cited in a decision: where it is written and the prefix that matched. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRef {
    /// Where it is written.
    pub place: Place,
    /// Its prefix that the number begins with.
    pub prefix: Prefix,
    /// The kinds it names.
    pub kinds: Kinds,
}

impl RuleRef {
    pub(super) fn new(rule: &Rule, prefix: Prefix) -> RuleRef {
        RuleRef {
            place: rule.place.clone(),
            prefix,
            kinds: rule.kinds,
        }
    }
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.place.file, self.place.line)
    }
}
