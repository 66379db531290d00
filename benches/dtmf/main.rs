//! The detector measured: quality beside SpanDSP, talk-off, speed.
//!
//! `cargo bench --bench dtmf` runs all and writes `docs/dtmf.md`'s tables;
//! `cargo bench --bench dtmf -- quality [CELL]`, `-- talkoff` or `-- speed` runs one and prints it.
//! Needs Debian's `gcc`, `libspandsp-dev` and the `asterisk-*-wav` packages named in `corpus.rs`.

mod channel;
mod corpus;
mod quality;
mod spandsp;
mod speed;
mod talkoff;

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
    match words.first().map(String::as_str) {
        Some("quality") => {
            quality::table(trials, words.get(1).map(String::as_str))?;
        }
        Some("talkoff") => {
            talkoff::table(passes)?;
        }
        Some("speed") => {
            speed::table()?;
        }
        _ => {
            speed::table()?;
            quality::table(trials, None)?;
            talkoff::table(passes)?;
        }
    }
    Ok(())
}
