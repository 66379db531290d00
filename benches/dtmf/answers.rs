//! Who has answered, asked of the recordings: speech is a person if it is short and a recording if
//! it goes on, and neither a fax nor anything of the network.

use std::collections::BTreeMap;
use std::fmt::Write;

use ringtrue::answer::{Alongside, AnsweredBy, Classifier};

use super::channel::{self, Law};
use super::corpus;

/// Silence before and after each recording, in samples.
const BEFORE: usize = 4_000;
const AFTER: usize = 16_000;
/// The longest of a row, in seconds; what is longer has a row of its own.
const ROWS: [f64; 4] = [1.0, 3.0, 4.0, 10.0];

/// Plays every recording through both laws and returns the table.
pub fn table() -> anyhow::Result<String> {
    let mut rows: Vec<BTreeMap<&str, usize>> = vec![BTreeMap::new(); ROWS.len() + 1];
    for path in corpus::files()? {
        let recording = corpus::read(&path)?;
        let seconds = recording.len() as f64 / 8_000.0;
        let mut samples = vec![0f64; BEFORE];
        samples.extend(recording.iter().map(|x| f64::from(*x)));
        samples.resize(samples.len() + AFTER, 0.0);
        let row = ROWS.iter().position(|most| seconds <= *most);
        for law in [Law::A, Law::Mu] {
            let mut classifier = Classifier::new();
            classifier.feed(&channel::compand(&samples, law), Alongside::NOTHING);
            let by = classifier
                .answered_by()
                .map_or("nothing yet", AnsweredBy::name);
            if let Some(row) = rows.get_mut(row.unwrap_or(ROWS.len())) {
                *row.entry(by).or_default() += 1;
            }
        }
    }
    let mut out = String::new();
    let names: Vec<&str> = AnsweredBy::ALL
        .iter()
        .map(|by| by.name())
        .chain(["nothing yet"])
        .collect();
    writeln!(out, "| recordings that last | {} |", names.join(" | "))?;
    writeln!(out, "|---|{}", "---|".repeat(names.len()))?;
    for (index, row) in rows.iter().enumerate() {
        let label = match (
            index.checked_sub(1).and_then(|i| ROWS.get(i)),
            ROWS.get(index),
        ) {
            (None, Some(most)) => format!("up to {most} s"),
            (Some(least), Some(most)) => format!("{least} to {most} s"),
            (least, None) => format!("more than {} s", least.unwrap_or(&0.0)),
        };
        let counts: Vec<String> = names
            .iter()
            .map(|name| row.get(name).copied().unwrap_or(0).to_string())
            .collect();
        writeln!(out, "| {label} | {} |", counts.join(" | "))?;
    }
    eprintln!("{out}");
    Ok(out)
}
