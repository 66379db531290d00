//! Dialplans: rules from files that lead a number to a route or a refusal.
//!
//! A rule names a prefix of E.164 and, if it likes, kinds of numbers. Of all rules that match a
//! number the one with the longest prefix decides; of two with the same prefix, the one that
//! names kinds. No two rules may name the same prefix and kind, so neither the order of rules nor
//! that of files ever matters. A lookup walks the number's digits once and allocates nothing.

mod explain;
mod load;
mod prefix;
mod read;
mod route;
mod rule;
mod table;
pub mod words;

use std::path::Path;

pub use explain::{Blocked, Cited, Decision, Explanation, Lost, Other, TextDecision};
pub use prefix::Prefix;
pub use route::{Refusal, RefusalCode, Route, TextRoute, TextWay};
pub use rule::{Kinds, RuleRef};

use self::rule::{Rule, Verdict, Ways};
use self::table::Table;
use crate::document::{Faults, Place};
use crate::phone::PhoneNumber;

/// The text of the dialplan that comes with the program, to begin one's own from.
pub const BUILT_IN: &str = include_str!("../../dialplans/default.toml");
/// What it is called where a file's name would stand.
pub const BUILT_IN_NAME: &str = "built-in:dialplans/default.toml";

/// All rules, ready to be asked. Shared by reference; it never changes.
pub struct Dialplan {
    rules: Vec<Rule>,
    table: Table,
    /// The answer where no rule matches.
    no_rule: Refusal,
}

impl std::fmt::Debug for Dialplan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialplan")
            .field("rules", &self.rules.len())
            .finish_non_exhaustive()
    }
}

impl Dialplan {
    /// Reads files, each a name for messages and its text.
    ///
    /// # Errors
    /// Everything that is wrong with them, each with its place and fix.
    pub fn parse<'t>(
        files: impl IntoIterator<Item = (&'t str, &'t str)>,
    ) -> Result<Dialplan, Faults> {
        let mut faults = Faults::new();
        let mut rules = Vec::new();
        for (name, text) in files {
            if let Err(more) = read::file(name, text, &mut rules) {
                faults.append(more);
            }
        }
        let table = Table::build(&rules, &mut faults);
        faults.check()?;
        Ok(Dialplan {
            rules,
            table,
            no_rule: Refusal::no_rule(),
        })
    }

    /// Reads every `*.toml` in a folder, not those of folders in it.
    ///
    /// # Errors
    /// As [`Dialplan::parse`]; and a folder or file that cannot be read, or a folder with none.
    pub fn load(folder: &Path) -> Result<Dialplan, Faults> {
        let files = load::files(folder)?;
        Dialplan::parse(files.iter().map(|(name, text)| (&**name, &**text)))
    }

    /// The rules that come with the program, as in `dialplans/default.toml` of its source.
    ///
    /// # Errors
    /// None as long as the tests pass.
    pub fn built_in() -> Result<Dialplan, Faults> {
        Dialplan::parse([(BUILT_IN_NAME, BUILT_IN)])
    }

    /// Where a call to `number` goes. Allocates nothing: what is handed out is shared.
    ///
    /// # Errors
    /// [`Refusal`] if the rule that decides refuses or names no trunk, or none matches.
    pub fn route(&self, number: &PhoneNumber) -> Result<Route, Refusal> {
        let (ways, rule) = self.ways(number)?;
        match &ways.call {
            Some(call) => Ok(Route {
                trunk: call.trunk.value.clone(),
                caller_id: call.caller_id.clone(),
                locale: ways.locale.value.clone(),
                rule,
            }),
            None => Err(Refusal::not_called(rule)),
        }
    }

    /// Where a text to `number` goes. Allocates nothing: what is handed out is shared.
    ///
    /// # Errors
    /// [`Refusal`] if the rule that decides refuses or names no binds, or none matches.
    pub fn text_route(&self, number: &PhoneNumber) -> Result<TextRoute, Refusal> {
        let (ways, rule) = self.ways(number)?;
        match &ways.text {
            Some(text) => Ok(TextRoute {
                ways: text.binds.ways.clone(),
                sender: text.sender.clone(),
                locale: ways.locale.value.clone(),
                rule,
            }),
            None => Err(Refusal::not_texted(rule)),
        }
    }

    /// The ways of the rule that decides on `number`, and the rule.
    fn ways(&self, number: &PhoneNumber) -> Result<(&Ways, RuleRef), Refusal> {
        let found = self.table.find(number);
        let found = found.and_then(|f| self.rules.get(f.rule).map(|rule| (rule, f.prefix)));
        let Some((rule, prefix)) = found else {
            return Err(self.no_rule.clone());
        };
        let cited = RuleRef::new(rule, prefix);
        match &rule.verdict {
            Verdict::Route(ways) => Ok((ways, cited)),
            Verdict::Refuse { code, text } => Err(Refusal {
                code: *code,
                text: text.clone(),
                rule: Some(cited),
            }),
        }
    }

    /// Which rule decides on `number` and why, and which others matched and lost.
    pub fn explain(&self, number: &PhoneNumber) -> Explanation {
        explain::explain(self, number)
    }

    /// How many rules there are.
    pub fn rules(&self) -> usize {
        self.rules.len()
    }

    /// Every trunk that a rule names, with the place where it does.
    pub fn trunks(&self) -> impl Iterator<Item = (&str, &Place)> {
        let calls = self.routes().filter_map(|ways| ways.call.as_ref());
        calls.map(|call| (&*call.trunk.value, &call.trunk.place))
    }

    /// Every bind or HTTP gateway that a rule names, with the place where it does.
    pub fn binds(&self) -> impl Iterator<Item = (&str, &Place)> {
        let texts = self.routes().filter_map(|ways| ways.text.as_ref());
        texts.flat_map(|text| {
            let places = text.binds.places.iter();
            text.binds.ways.iter().map(|way| &*way.by).zip(places)
        })
    }

    /// Every locale that a rule names, with the place where it does.
    pub fn locales(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.routes()
            .map(|ways| (&*ways.locale.value, &ways.locale.place))
    }

    /// Every locale of calls that a rule names, with the place where it does: prompts are needed
    /// for those.
    pub fn call_locales(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.routes()
            .filter(|ways| ways.call.is_some())
            .map(|ways| (&*ways.locale.value, &ways.locale.place))
    }

    /// Every locale that a rule names which leads texts somewhere, with the place where it does.
    pub fn text_locales(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.routes()
            .filter(|ways| ways.text.is_some())
            .map(|ways| (&*ways.locale.value, &ways.locale.place))
    }

    fn routes(&self) -> impl Iterator<Item = &Ways> {
        self.rules.iter().filter_map(|rule| match &rule.verdict {
            Verdict::Route(ways) => Some(ways),
            Verdict::Refuse { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests;
