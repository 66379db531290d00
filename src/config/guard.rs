//! `[guard]`: limits that are asked before a challenge is accepted.

use std::time::Duration;

use super::show::{self, Shown};
use crate::dialplan::Prefix;
use crate::document::{At, Fault, Section, resembling};
use crate::guard::{Policy, Rate};
use crate::phone::NumberKind;

pub(super) fn read(section: &Section<'_>) -> Policy {
    let default = Policy::default();
    let number = |key, default| rates(section, key, Policy::MOST_PER_NUMBER, default);
    let shared = |key, default| rates(section, key, Policy::MOST, default);
    let held = Duration::ZERO..=Duration::from_secs(30 * 86_400);
    Policy {
        open_per_number: section
            .integer("open_per_number", 1..=100)
            .map_or(default.open_per_number, |at| at.value as u32),
        per_number: number("per_number", default.per_number),
        unconfirmed_per_number: number("unconfirmed_per_number", default.unconfirmed_per_number),
        hold_after_report: section
            .duration("hold_after_report", held)
            .map_or(default.hold_after_report, |at| at.value),
        per_range: shared("per_range", default.per_range),
        per_tenant: shared("per_tenant", default.per_tenant),
        overall: shared("overall", default.overall),
        blocked_kinds: listed(section, "blocked_kinds", default.blocked_kinds, kind),
        blocked_prefixes: listed(
            section,
            "blocked_prefixes",
            default.blocked_prefixes,
            prefix,
        ),
        most_numbers: section
            .integer("most_numbers", 100..=10_000_000)
            .map_or(default.most_numbers, |at| at.value as usize),
    }
}

fn rates(section: &Section<'_>, key: &'static str, most: u32, default: Vec<Rate>) -> Vec<Rate> {
    listed(section, key, default, |text| {
        match Rate::parse(text.value) {
            Some(rate) if rate.count <= most && rate.window <= Duration::from_secs(30 * 86_400) => {
                Ok(rate)
            }
            read => {
                let text_of = match read {
                    Some(_) => "this rate is out of range",
                    None => "this is not a rate",
                };
                let fault = Fault::new(text.place.clone(), text_of);
                Err(fault.help(format!(
                "write a number and a duration, as in \"5 per 10m\", at most \"{most} per 30d\"; [] is no limit"
            )))
            }
        }
    })
}

/// A list of texts as `read` understands each; the default if there is none or one is faulty.
fn listed<T>(
    section: &Section<'_>,
    key: &'static str,
    default: Vec<T>,
    read: impl Fn(&At<&str>) -> Result<T, Fault>,
) -> Vec<T> {
    let Some(texts) = section.any_texts(key, "a list of texts, each in quotes; [] is none") else {
        return default;
    };
    let read = |text: &At<&str>| read(text).map_err(|fault| section.fault(fault)).ok();
    texts.iter().filter_map(read).collect()
}

fn kind(text: &At<&str>) -> Result<NumberKind, Fault> {
    NumberKind::from_name(text.value).ok_or_else(|| {
        let names = NumberKind::ALL.map(NumberKind::as_str);
        let fault = Fault::new(text.place.clone(), "there is no such kind of number");
        match resembling(text.value, names) {
            Some(name) => fault.help(format!("did you mean \"{name}\"?")),
            None => fault.help(format!("the kinds are {}", names.join(", "))),
        }
    })
}

fn prefix(text: &At<&str>) -> Result<Box<str>, Fault> {
    match Prefix::parse(text.value) {
        Some(prefix) if !prefix.digits().is_empty() => Ok(text.value.into()),
        _ => {
            let fault = Fault::new(text.place.clone(), "this is not a prefix");
            Err(fault.help("write \"+\" and the first digits of numbers, as in \"+870\""))
        }
    }
}

pub(super) fn show(policy: &Policy) -> Shown {
    let rates = |rates: &[Rate]| -> Vec<String> { rates.iter().map(Rate::to_string).collect() };
    let kinds: Vec<&str> = policy.blocked_kinds.iter().map(|k| k.as_str()).collect();
    let prefixes: Vec<&str> = policy.blocked_prefixes.iter().map(|p| &**p).collect();
    Shown::new("guard")
        .with("open_per_number", policy.open_per_number)
        .with("per_number", rates(&policy.per_number))
        .with(
            "unconfirmed_per_number",
            rates(&policy.unconfirmed_per_number),
        )
        .with(
            "hold_after_report",
            show::duration(policy.hold_after_report),
        )
        .with("per_range", rates(&policy.per_range))
        .with("per_tenant", rates(&policy.per_tenant))
        .with("overall", rates(&policy.overall))
        .with("blocked_kinds", kinds)
        .with("blocked_prefixes", prefixes)
        .with("most_numbers", policy.most_numbers)
}
