//! Talk-off: recorded speech and music hold no keys; whatever is heard in them is false.

use std::collections::BTreeMap;
use std::fmt::Write;

use ringtrue::dtmf::{Detection, Detector, DetectorConfig};

use super::channel::{self, Law};
use super::corpus;
use super::spandsp::SpanDsp;

/// One way of playing the recordings.
struct Playing {
    gain_db: f64,
    speed: f64,
    law: Law,
}

fn playings() -> Vec<Playing> {
    let mut all = Vec::new();
    for (gain_db, speed) in [
        (0.0, 1.0),
        (-12.0, 1.0),
        (8.0, 1.0),
        (0.0, 0.85),
        (0.0, 0.93),
        (0.0, 1.08),
        (0.0, 1.17),
        (4.0, 1.3),
    ] {
        for law in [Law::A, Law::Mu] {
            all.push(Playing {
                gain_db,
                speed,
                law,
            });
        }
    }
    all
}

/// Plays faster or slower, pitch and all, by cubic interpolation.
fn at_speed(samples: &[i16], speed: f64, gain: f64) -> Vec<f64> {
    if samples.len() < 8 {
        return Vec::new();
    }
    let count = ((samples.len() - 4) as f64 / speed) as usize;
    (0..count)
        .map(|n| {
            let at = n as f64 * speed + 1.0;
            let (i, t) = (at as usize, at.fract());
            let s = |k: usize| f64::from(samples[(i + k - 1).min(samples.len() - 1)]);
            let (a, b, c, d) = (s(0), s(1), s(2), s(3));
            let value = b + 0.5
                * t
                * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)));
            value * gain
        })
        .collect()
}

/// Plays everything, `passes` ways at most, and returns the table.
pub fn table(passes: usize, config: DetectorConfig) -> anyhow::Result<String> {
    let mut spandsp = SpanDsp::start()?;
    let files = corpus::files()?;
    let mut out = String::new();
    writeln!(
        out,
        "| level | speed | law | hours | Ringtrue false keys | SpanDSP false keys |\n|---|---|---|---|---|---|"
    )?;
    let mut sums = (0f64, BTreeMap::new(), BTreeMap::new());
    for playing in playings().iter().take(passes) {
        let mut hours = 0.0;
        let (mut we, mut they) = (BTreeMap::new(), BTreeMap::new());
        for path in &files {
            let gain = 10f64.powf(playing.gain_db / 20.0);
            let samples = at_speed(&corpus::read(path)?, playing.speed, gain);
            let samples = channel::compand(&samples, playing.law);
            hours += samples.len() as f64 / 8_000.0 / 3_600.0;
            let mut sink = |detection| {
                if let Detection::Began {
                    digit,
                    start_sample,
                    measures,
                    ..
                } = detection
                {
                    eprintln!(
                        "{} at {:.3} s: {digit} {measures:?}",
                        path.display(),
                        start_sample as f64 / 8_000.0
                    );
                    *we.entry(digit.as_char()).or_insert(0usize) += 1;
                }
            };
            let mut detector = Detector::new(config);
            detector.feed(&samples, &mut sink);
            detector.finish(&mut sink);
            for key in spandsp.keys(&samples, false)?.chars() {
                *they.entry(key).or_insert(0usize) += 1;
            }
        }
        let line = format!(
            "| {:+} dB | {} | {:?} | {hours:.2} | {} | {} |",
            playing.gain_db,
            playing.speed,
            playing.law,
            show(&we),
            show(&they)
        );
        eprintln!("{line}");
        writeln!(out, "{line}")?;
        sums.0 += hours;
        for (all, one) in [(&mut sums.1, &we), (&mut sums.2, &they)] {
            for (key, count) in one {
                *all.entry(*key).or_insert(0usize) += count;
            }
        }
    }
    let line = format!(
        "| **all** | | | **{:.1}** | **{}** | **{}** |",
        sums.0,
        show(&sums.1),
        show(&sums.2)
    );
    eprintln!("{line}");
    writeln!(out, "{line}")?;
    Ok(out)
}

fn show(keys: &BTreeMap<char, usize>) -> String {
    let total: usize = keys.values().sum();
    if total == 0 {
        return "0".into();
    }
    let each: Vec<String> = keys.iter().map(|(k, n)| format!("{n} `{k}`")).collect();
    format!("{total} ({})", each.join(", "))
}
