//! The detector measured: quality beside SpanDSP, talk-off, speed.
//!
//! `cargo bench --bench dtmf` runs all and writes the tables into `docs/dtmf.md`;
//! `cargo bench --bench dtmf -- quality [CELL]`, `-- talkoff`, `-- margin`, `-- answers` or `-- speed`
//! runs one and prints it.
//! Needs Debian's `gcc`, `libspandsp-dev` and the `asterisk-*-wav` packages named in `corpus.rs`.
//! `DTMF_TRIALS` sets the trials a digit of each cell, 128 if unset; `DTMF_PASSES` how many of the
//! ways of playing the recordings are tried; `DTMF_FAULTS` lists every trial that went wrong.

mod answers;
mod channel;
mod corpus;
mod quality;
mod spandsp;
mod speed;
mod talkoff;

use anyhow::Context;
use ringtrue::dtmf::DetectorConfig;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let number = |name: &str, default: usize| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let trials = number("DTMF_TRIALS", 128);
    let passes = number("DTMF_PASSES", usize::MAX);
    let default = DetectorConfig::default();
    // How near speech comes to a key: the same with a weaker demand on the ratio of tones to rest.
    let weaker = DetectorConfig {
        snr_db: 6.0,
        ..default
    };
    match words.first().map(String::as_str) {
        Some("quality") => {
            quality::table(trials, words.get(1).map(String::as_str))?;
        }
        Some("talkoff") => {
            talkoff::table(passes, default)?;
        }
        Some("margin") => {
            talkoff::table(passes, weaker)?;
        }
        Some("answers") => {
            answers::table()?;
        }
        Some("speed") => {
            speed::table()?;
        }
        Some(other) => {
            anyhow::bail!("no part named {other}: quality, talkoff, margin, answers or speed")
        }
        None => {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/dtmf.md");
            let mut page = std::fs::read_to_string(path).context(path)?;
            put(&mut page, "speed", &speed::table()?)?;
            put(&mut page, "quality", &quality::table(trials, None)?)?;
            put(&mut page, "answers", &answers::table()?)?;
            put(&mut page, "talkoff", &talkoff::table(passes, default)?)?;
            std::fs::write(path, page)?;
        }
    }
    Ok(())
}

/// Replaces what stands between the two marks of a table.
fn put(page: &mut String, name: &str, table: &str) -> anyhow::Result<()> {
    let (begin, end) = (
        format!("<!-- {name}: written by cargo bench --bench dtmf -->\n"),
        format!("<!-- end of {name} -->"),
    );
    let from = page
        .find(&begin)
        .with_context(|| format!("no mark {begin}"))?
        + begin.len();
    let to = page.find(&end).with_context(|| format!("no mark {end}"))?;
    page.replace_range(from..to, &format!("\n{table}\n"));
    Ok(())
}
