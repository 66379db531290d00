//! Reads one dialplan file into rules.

use std::cmp::Reverse;
use std::sync::Arc;

use super::rule::{Binds, CallWay, Kinds, Rule, TextWays, Verdict, Ways};
use super::words::{is_caller_id, is_locale, is_name, is_sender};
use super::{Prefix, RefusalCode, TextWay};
use crate::document::{At, Document, Fault, Faults, Place, Section, TextOrTable, resembling};
use crate::phone::NumberKind;

/// The most ways that a rule may name for texts.
const MOST_WAYS: usize = 64;

/// What rules of a file take over where they say nothing themselves.
struct Defaults {
    trunk: Said<At<Arc<str>>>,
    caller_id: Option<Arc<str>>,
    binds: Said<Binds>,
    sender: Option<Arc<str>>,
    locale: Option<At<Arc<str>>>,
}

/// What a table says of a key that may be `false`.
#[derive(Clone)]
enum Said<T> {
    /// This.
    Value(T),
    /// `false`: not, whatever the defaults say.
    Off,
    /// Something faulty, which was complained of.
    Faulty,
    /// Nothing.
    Nothing,
}

impl<T: Clone> Said<T> {
    fn of(section: &Section<'_>, key: &'static str, read: impl FnOnce() -> Option<T>) -> Said<T> {
        if section.is_off(key) {
            return Said::Off;
        }
        match read() {
            Some(value) => Said::Value(value),
            None if section.place_of(key) == section.place() => Said::Nothing,
            None => Said::Faulty,
        }
    }

    /// This, or what the defaults say where this says nothing.
    fn or(&self, defaults: &Said<T>) -> Said<T> {
        match self {
            Said::Nothing => defaults.clone(),
            said => said.clone(),
        }
    }

    fn is_there(&self) -> bool {
        !matches!(self, Said::Nothing)
    }
}

/// Appends the rules of a file.
pub(super) fn file(name: &str, text: &str, rules: &mut Vec<Rule>) -> Result<(), Faults> {
    let document = Document::parse(name, text)?;
    {
        let root = document.root();
        let defaults = root.section("defaults");
        let defaults = Defaults {
            trunk: Said::of(&defaults, "trunk", || trunk(&defaults)),
            caller_id: caller_id(&defaults),
            binds: Said::of(&defaults, "binds", || binds(&defaults)),
            sender: sender(&defaults),
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
    let own = Defaults {
        trunk: Said::of(section, "trunk", || trunk(section)),
        caller_id: caller_id(section),
        binds: Said::of(section, "binds", || binds(section)),
        sender: sender(section),
        locale: locale(section),
    };
    let refuse = section.text("refuse", "the reason for people, in quotes");
    let code = code(section);

    let verdict = if let Some(text) = refuse {
        for (key, there) in [
            ("trunk", own.trunk.is_there()),
            ("caller_id", own.caller_id.is_some()),
            ("binds", own.binds.is_there()),
            ("sender", own.sender.is_some()),
            ("locale", own.locale.is_some()),
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
        Verdict::Route(ways(section, own, defaults)?)
    };
    Some(Rule {
        place: section.place(),
        prefixes: prefixes?,
        kinds: kinds?,
        verdict,
    })
}

/// The ways of a rule that does not refuse; `None` if that is faulty.
fn ways(section: &Section<'_>, own: Defaults, defaults: &Defaults) -> Option<Ways> {
    let missing = |what: &str, key: &str| {
        let fault = Fault::new(section.place(), format!("this rule has no {what}"));
        section.fault(fault.help(format!(
            "add {key} to it, or to [defaults] at the head of the file, or `refuse` if these numbers are neither called nor texted"
        )));
    };
    let trunk = own.trunk.or(&defaults.trunk);
    let binds = own.binds.or(&defaults.binds);
    let locale = own.locale.or_else(|| defaults.locale.clone());
    for (there, key, other, off) in [
        (
            own.caller_id.is_some(),
            "caller_id",
            "trunk",
            matches!(trunk, Said::Off | Said::Nothing),
        ),
        (
            own.sender.is_some(),
            "sender",
            "binds",
            matches!(binds, Said::Off | Said::Nothing),
        ),
    ] {
        if there && off {
            let text = format!("`{key}` goes with `{other}`, which is not here");
            let fault = Fault::new(section.place_of(key), text);
            section.fault(fault.help(format!("add `{other}`, or remove `{key}`")));
        }
    }
    let faulty = matches!(trunk, Said::Faulty) || matches!(binds, Said::Faulty);
    let call = match trunk {
        Said::Value(trunk) => Some(CallWay {
            trunk,
            caller_id: own.caller_id.or_else(|| defaults.caller_id.clone()),
        }),
        Said::Off | Said::Faulty | Said::Nothing => None,
    };
    let text = match binds {
        Said::Value(binds) => Some(TextWays {
            binds,
            sender: own.sender.or_else(|| defaults.sender.clone()),
        }),
        Said::Off | Said::Faulty | Said::Nothing => None,
    };
    let nowhere = call.is_none() && text.is_none() && !faulty;
    if nowhere {
        missing("`trunk` and no `binds`", "one of them");
    }
    // A key with a faulty value was complained of already.
    if locale.is_none() && section.place_of("locale") == section.place() {
        missing("`locale`", "`locale`");
    }
    (!nowhere && !faulty).then_some(())?;
    Some(Ways {
        call,
        text,
        locale: locale?,
    })
}

/// The ways for texts, each a name or a table, the cheapest first and of those the weightiest.
fn binds(section: &Section<'_>) -> Option<Binds> {
    let wanted = "the names of one or more [bind.NAME] or [text_gateway.NAME] of the configuration, as in \
                  [\"a\", \"b\"] or [{ name = \"a\", cost = 2, weight = 3 }, \"b\"]";
    let mut named: Vec<(TextWay, Place)> = Vec::new();
    let mut faulty = false;
    for each in section.texts_or_tables("binds", "bind", wanted)? {
        let (at, cost, weight) = match each {
            TextOrTable::Text(at) => (Some(at), None, None),
            TextOrTable::Table(table) => {
                let name = table.text("name", "the name of a [bind.NAME], in quotes");
                if name.is_none() && table.place_of("name") == table.place() {
                    let fault = Fault::new(table.place(), "this way has no `name`");
                    table.fault(fault.help("add name = \"the bind's name\""));
                }
                (
                    name,
                    table.integer("cost", 0..=1_000_000),
                    table.integer("weight", 1..=1_000_000),
                )
            }
        };
        let Some(At { value: name, place }) = at else {
            faulty = true;
            continue;
        };
        let fault = if !is_name(name) {
            let fault = Fault::new(place, "this is not a bind's name");
            fault.help("use letters, digits, `-` and `_`, at most 64")
        } else if named.iter().any(|(way, _)| *way.by == *name) {
            Fault::new(place, format!("bind {name} is listed twice")).help("remove one")
        } else {
            let way = TextWay {
                by: name.into(),
                weight: weight.map_or(1, |at| at.value as u32),
                cost: cost.map_or(1, |at| at.value as u32),
            };
            named.push((way, place));
            continue;
        };
        section.fault(fault);
        faulty = true;
    }
    if named.len() > MOST_WAYS {
        let text = format!("{} ways are more than the {MOST_WAYS} we take", named.len());
        section.fault(Fault::new(section.place_of("binds"), text).help("name fewer"));
        faulty = true;
    }
    named.sort_by_key(|(way, _)| (way.cost, Reverse(way.weight)));
    let (ways, places): (Vec<TextWay>, Vec<Place>) = named.into_iter().unzip();
    (!faulty).then(|| Binds {
        ways: ways.into(),
        places: places.into(),
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
    shared(section, "trunk", wanted, is_name)
}

fn caller_id(section: &Section<'_>) -> Option<Arc<str>> {
    let wanted = "the number that the person sees, as in \"+442079460000\"";
    shared(section, "caller_id", wanted, is_caller_id).map(|at| at.value)
}

fn sender(section: &Section<'_>) -> Option<Arc<str>> {
    let wanted = "who texts are from: a name of up to 11 letters, a short code, or a number with its plus sign";
    shared(section, "sender", wanted, is_sender).map(|at| at.value)
}

fn locale(section: &Section<'_>) -> Option<At<Arc<str>>> {
    let wanted = "language and country, as in \"en-GB\"";
    shared(section, "locale", wanted, is_locale)
}
