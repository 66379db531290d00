//! Reads one dialplan file into rules.

use std::sync::Arc;

use super::rule::{Kinds, Rule, Verdict, Way};
use super::words::{is_caller_id, is_locale, is_trunk_name};
use super::{Prefix, RefusalCode};
use crate::document::{At, Document, Fault, Faults, Section, resembling};
use crate::phone::NumberKind;

/// What rules of a file take over where they say nothing themselves.
#[derive(Default)]
struct Defaults {
    trunk: Option<At<Arc<str>>>,
    caller_id: Option<Arc<str>>,
    locale: Option<At<Arc<str>>>,
}

/// Appends the rules of a file.
pub(super) fn file(name: &str, text: &str, rules: &mut Vec<Rule>) -> Result<(), Faults> {
    let document = Document::parse(name, text)?;
    {
        let root = document.root();
        let defaults = root.section("defaults");
        let defaults = Defaults {
            trunk: trunk(&defaults),
            caller_id: caller_id(&defaults),
            locale: locale(&defaults),
        };
        let listed = root.list("rule");
        rules.extend(listed.iter().filter_map(|section| rule(section, &defaults)));
    }
    document.close()
}

/// One rule; `None` if it has a fault, which is noted.
fn rule(section: &Section<'_>, defaults: &Defaults) -> Option<Rule> {
    let prefixes = prefixes(section);
    let kinds = kinds(section);
    let own_trunk = trunk(section);
    let own_caller_id = caller_id(section);
    let own_locale = locale(section);
    let refuse = section.text("refuse", "the reason for people, in quotes");
    let code = code(section);

    let verdict = if let Some(text) = refuse {
        for (key, there) in [
            ("trunk", own_trunk.is_some()),
            ("caller_id", own_caller_id.is_some()),
            ("locale", own_locale.is_some()),
        ] {
            if there {
                let fault = Fault::new(
                    section.place_of(key),
                    format!("a rule that refuses has no `{key}`"),
                );
                section.fault(fault.help(format!("remove `{key}`, or `refuse`")));
            }
        }
        Verdict::Refuse {
            code: code.unwrap_or(RefusalCode::Refused),
            text: text.value.into(),
        }
    } else {
        if code.is_some() {
            let fault = Fault::new(
                section.place_of("code"),
                "`code` goes with `refuse`, which is not here",
            );
            section.fault(fault.help("add `refuse` with the reason for people, or remove `code`"));
        }
        let missing = |key: &str| {
            let fault = Fault::new(section.place(), format!("this rule has no `{key}`"));
            section.fault(fault.help(format!(
                "add `{key}` to it, or to [defaults] at the head of the file, or `refuse` if these numbers are not called"
            )));
        };
        let trunk = own_trunk.or_else(|| defaults.trunk.clone());
        let locale = own_locale.or_else(|| defaults.locale.clone());
        // A key with a faulty value was complained of already.
        if trunk.is_none() && section.place_of("trunk") == section.place() {
            missing("trunk");
        }
        if locale.is_none() && section.place_of("locale") == section.place() {
            missing("locale");
        }
        Verdict::Route(Way {
            trunk: trunk?,
            caller_id: own_caller_id.or_else(|| defaults.caller_id.clone()),
            locale: locale?,
        })
    };
    Some(Rule {
        place: section.place(),
        prefixes: prefixes?,
        kinds: kinds?,
        verdict,
    })
}

fn prefixes(section: &Section<'_>) -> Option<Vec<At<Prefix>>> {
    let wanted = "\"+\" and the first digits of numbers, country code first, as in \"+44\"; \
                  \"+\" alone is for every number";
    if section.place_of("prefix") == section.place() {
        let fault = Fault::new(section.place(), "this rule has no `prefix`");
        section.fault(fault.help(format!("add prefix = {wanted}")));
    }
    let mut prefixes: Vec<At<Prefix>> = Vec::new();
    let mut faulty = false;
    for text in section.texts("prefix", wanted)? {
        let fault = match Prefix::parse(text.value) {
            Some(prefix) if prefixes.iter().any(|p| p.value == prefix) => {
                Fault::new(text.place, format!("prefix {prefix} is listed twice"))
                    .help("remove one")
            }
            Some(value) => {
                let place = text.place;
                prefixes.push(At { value, place });
                continue;
            }
            None => {
                let help = match mended(text.value) {
                    Some(prefix) => format!("write \"{prefix}\""),
                    None => format!("write {wanted}"),
                };
                Fault::new(text.place, "this is not a prefix").help(help)
            }
        };
        section.fault(fault);
        faulty = true;
    }
    (!faulty).then_some(prefixes)
}

/// The prefix that was most likely meant: digits without a plus sign, with separators, after 00.
fn mended(text: &str) -> Option<Prefix> {
    let digits: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '+' | '*'))
        .take(Prefix::LONGEST + 3)
        .collect();
    let digits = digits.strip_prefix("00").unwrap_or(&digits);
    Prefix::parse(&format!("+{digits}"))
}

fn kinds(section: &Section<'_>) -> Option<Kinds> {
    let wanted = "kinds of numbers, as in \"mobile\" or [\"mobile\", \"fixed_line\"]";
    let mut kinds = Kinds::default();
    let mut faulty = false;
    for text in section.texts("kind", wanted).into_iter().flatten() {
        let fault = match NumberKind::from_name(text.value) {
            Some(kind) if kinds.add(kind) => continue,
            Some(kind) => {
                Fault::new(text.place, format!("kind {kind} is listed twice")).help("remove one")
            }
            None => {
                let names = NumberKind::ALL.map(NumberKind::as_str);
                let fault = Fault::new(text.place, "there is no such kind of number");
                match resembling(text.value, names) {
                    Some(name) => fault.help(format!("did you mean \"{name}\"?")),
                    None => fault.help(format!("the kinds are {}", names.join(", "))),
                }
            }
        };
        section.fault(fault);
        faulty = true;
    }
    (!faulty).then_some(kinds)
}

fn code(section: &Section<'_>) -> Option<RefusalCode> {
    let text = section.text("code", "a code in quotes, as in \"premium_rate\"")?;
    let code = RefusalCode::from_name(text.value);
    if code.is_none() {
        let names = RefusalCode::ALL.map(RefusalCode::as_str);
        let fault = Fault::new(text.place, "there is no such code");
        section.fault(match resembling(text.value, names) {
            Some(name) => fault.help(format!("did you mean \"{name}\"?")),
            None => fault.help(format!("the codes are {}", names.join(", "))),
        });
    }
    code
}

fn shared(
    section: &Section<'_>,
    key: &'static str,
    wanted: &str,
    fits: fn(&str) -> bool,
) -> Option<At<Arc<str>>> {
    section.read(key, wanted, |text| fits(text).then(|| Arc::from(text)))
}

fn trunk(section: &Section<'_>) -> Option<At<Arc<str>>> {
    let wanted = "the name of a [trunk.NAME] of the configuration";
    shared(section, "trunk", wanted, is_trunk_name)
}

fn caller_id(section: &Section<'_>) -> Option<Arc<str>> {
    let wanted = "the number that the person sees, as in \"+442079460000\"";
    shared(section, "caller_id", wanted, is_caller_id).map(|at| at.value)
}

fn locale(section: &Section<'_>) -> Option<At<Arc<str>>> {
    let wanted = "language and country, as in \"en-GB\"";
    shared(section, "locale", wanted, is_locale)
}
