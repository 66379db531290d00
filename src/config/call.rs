//! `[call]`: how a verification call goes.

use std::path::Path;
use std::time::Duration;

use super::show::{self, Shown};
use crate::document::{Fault, Section};
use crate::dtmf::Digit;
use crate::voice::evidence::Keeping;
use crate::voice::{CallPolicy, OnMachine};

pub(super) fn read(section: &Section<'_>, folder: &Path) -> CallPolicy {
    let default = CallPolicy::default();
    let seconds = |from, to| Duration::from_secs(from)..=Duration::from_secs(to);
    let time = |key, range, default| {
        let at = section.duration(key, range);
        at.map_or(default, |at| at.value)
    };
    let count = |key, default| {
        let at = section.integer(key, 1..=20);
        at.map_or(default, |at| at.value as u32)
    };
    let confirm = section.read("confirm", "one key in quotes: \"#\", \"*\" or a digit", key);
    let refuse = if section.is_off("refuse") {
        None
    } else {
        let wanted = "one key in quotes, as in \"0\", or false for none";
        let at = section.read("refuse", wanted, key);
        at.map_or(default.refuse, |at| Some(at.value))
    };
    let policy = CallPolicy {
        ring_time: time("ring_time", seconds(1, 180), default.ring_time),
        longest_call: time("longest_call", seconds(5, 600), default.longest_call),
        prompt_plays: count("prompt_plays", default.prompt_plays),
        pause_between_plays: time(
            "pause_between_plays",
            seconds(0, 30),
            default.pause_between_plays,
        ),
        listen_first: time("listen_first", seconds(0, 30), default.listen_first),
        wrong_keys: count("wrong_keys", default.wrong_keys),
        confirm: confirm.map_or(default.confirm, |at| at.value),
        refuse,
        refuse_forwarded: section
            .flag("refuse_forwarded")
            .map_or(default.refuse_forwarded, |at| at.value),
        machine: section
            .read(
                "machine",
                "\"continue\" or \"hang_up\"",
                OnMachine::from_name,
            )
            .map_or(default.machine, |at| at.value),
        evidence: evidence(section, folder),
        media_timeout: time("media_timeout", seconds(1, 120), default.media_timeout),
    };
    if policy.refuse == Some(policy.confirm) {
        let text = format!(
            "`refuse` and `confirm` are the same key, {}",
            policy.confirm
        );
        let fault = Fault::new(section.place_of("refuse"), text);
        section.fault(fault.help("choose another key for one of them"));
    }
    policy
}

/// The folder is asked for whether it is used or not, so that its name is never unknown.
fn evidence(section: &Section<'_>, folder: &Path) -> Option<Keeping> {
    const DAY: Duration = Duration::from_secs(86_400);
    let dir = section.text("evidence_dir", "the path of a folder, in quotes");
    let dir = folder.join(dir.map_or("evidence", |at| at.value));
    if section.is_off("keep_evidence") {
        return None;
    }
    let keep_for = section.duration("keep_evidence", Duration::from_secs(1)..=DAY * 3_653)?;
    Some(Keeping {
        folder: dir,
        keep_for: keep_for.value,
    })
}

/// A key that every phone has.
fn key(text: &str) -> Option<Digit> {
    let mut characters = text.chars();
    let first = characters.next().filter(|c| !c.is_alphabetic())?;
    Digit::from_char(first).filter(|_| characters.next().is_none())
}

pub(super) fn show(policy: &CallPolicy) -> Shown {
    let refuse = policy.refuse.map(|digit| digit.to_string());
    let keeping = policy.evidence.as_ref();
    Shown::new("call")
        .with("ring_time", show::duration(policy.ring_time))
        .with("longest_call", show::duration(policy.longest_call))
        .with("prompt_plays", policy.prompt_plays)
        .with(
            "pause_between_plays",
            show::duration(policy.pause_between_plays),
        )
        .with("listen_first", show::duration(policy.listen_first))
        .with("wrong_keys", policy.wrong_keys)
        .with("confirm", policy.confirm.to_string())
        .with(
            "refuse",
            refuse.map_or(false.into(), serde_json::Value::from),
        )
        .with("refuse_forwarded", policy.refuse_forwarded)
        .with("machine", policy.machine.name())
        .with(
            "keep_evidence",
            keeping.map_or(false.into(), |k| {
                serde_json::Value::from(show::duration(k.keep_for))
            }),
        )
        .with("evidence_dir", keeping.map(|k| show::path(&k.folder)))
        .with("media_timeout", show::duration(policy.media_timeout))
}
