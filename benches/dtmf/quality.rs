//! The quality table: cells of thousands of seeded trials, ours beside SpanDSP.

use std::fmt::Write;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ringtrue::dtmf::{Detection, Detector, DetectorConfig, Digit, Generator, KeyShape, amplitude};

use super::channel::{self, Fill, Law};
use super::corpus;
use super::spandsp::SpanDsp;

/// What is done to the keys of one cell.
#[derive(Clone)]
struct Cell {
    name: String,
    heard: bool,
    /// Keys a trial.
    presses: usize,
    tone_ms: (f64, f64),
    pause_ms: f64,
    level: (f32, f32),
    twist: f32,
    /// Share and hertz by which low and high tone are off.
    off: [(f64, f64); 2],
    only: Option<usize>,
    law: Option<Law>,
    snr_db: Option<f64>,
    impulses: Option<f64>,
    dial_tone: Option<&'static [f64]>,
    drive_db: f64,
    break_ms: f64,
    loss: Option<(f64, Fill)>,
    /// Whether the detector is told of the loss.
    told: bool,
    echo_db: Option<f64>,
}

fn cell(name: &str, heard: bool) -> Cell {
    Cell {
        name: name.into(),
        heard,
        presses: 1,
        tone_ms: (40.0, 100.0),
        pause_ms: 100.0,
        level: (-20.0, -4.0),
        twist: 0.0,
        off: [(1.0, 0.0); 2],
        only: None,
        law: None,
        snr_db: None,
        impulses: None,
        dial_tone: None,
        drive_db: 0.0,
        break_ms: 0.0,
        loss: None,
        told: false,
        echo_db: None,
    }
}

fn cells() -> Vec<Cell> {
    let mut all = Vec::new();
    for (name, law) in [("A-law", Law::A), ("mu-law", Law::Mu)] {
        all.push(Cell {
            law: Some(law),
            ..cell(&format!("clean, {name}"), true)
        });
    }
    let exact = (1.0, 0.0);
    let (up, down) = ((1.015, 2.0), (0.985, -2.0));
    for (name, off) in [
        ("both tones +1.5 % + 2 Hz", [up, up]),
        ("both tones -1.5 % - 2 Hz", [down, down]),
        ("low +1.5 % + 2 Hz, high -1.5 % - 2 Hz", [up, down]),
        ("low -1.5 % - 2 Hz, high +1.5 % + 2 Hz", [down, up]),
        ("low tone alone +1.5 % + 2 Hz", [up, exact]),
        ("high tone alone +1.5 % + 2 Hz", [exact, up]),
    ] {
        all.push(Cell {
            off,
            ..cell(name, true)
        });
    }
    for twist in [-8.0, 4.0] {
        all.push(Cell {
            twist,
            level: (-20.0, -8.0),
            ..cell(&format!("high tone {twist:+} dB"), true)
        });
    }
    for level in [0.0, -10.0, -25.0, -30.0, -35.0, -40.0] {
        all.push(Cell {
            level: (level, level),
            ..cell(&format!("{level} dBm0 a tone"), true)
        });
    }
    all.push(Cell {
        tone_ms: (40.0, 40.0),
        ..cell("40 ms", true)
    });
    all.push(Cell {
        presses: 2,
        tone_ms: (40.0, 60.0),
        pause_ms: 40.0,
        ..cell("the same key twice, 40 ms apart", true)
    });
    all.push(Cell {
        tone_ms: (80.0, 120.0),
        break_ms: 10.0,
        ..cell("10 ms interruption in 80-120 ms", true)
    });
    for snr in [20.0, 15.0, 12.0] {
        all.push(Cell {
            snr_db: Some(snr),
            ..cell(&format!("white noise, {snr} dB SNR"), true)
        });
    }
    all.push(Cell {
        snr_db: Some(15.0),
        tone_ms: (40.0, 40.0),
        ..cell("white noise, 15 dB SNR, 40 ms", true)
    });
    for rate in [10.0, 25.0] {
        all.push(Cell {
            impulses: Some(rate),
            ..cell(&format!("clicks to overload, {rate} a second"), true)
        });
    }
    let plans: [(&str, &'static [f64]); 3] = [
        ("350 + 440 Hz", &[350.0, 440.0]),
        ("425 Hz", &[425.0]),
        ("400 + 450 Hz", &[400.0, 450.0]),
    ];
    for (name, hz) in plans {
        all.push(Cell {
            dial_tone: Some(hz),
            level: (-18.0, -6.0),
            ..cell(&format!("dial tone {name} at -15 dBm0 beneath"), true)
        });
    }
    for drive in [6.0, 10.0] {
        all.push(Cell {
            level: (-3.0, -3.0),
            drive_db: drive,
            ..cell(&format!("clipped {drive} dB"), true)
        });
    }
    for (name, fill) in [
        ("silence", Fill::Silence),
        ("the frame before", Fill::Repeat),
    ] {
        for percent in [1.0, 5.0] {
            all.push(Cell {
                tone_ms: (80.0, 120.0),
                loss: Some((percent / 100.0, fill)),
                ..cell(
                    &format!("{percent} % loss filled with {name}, 80-120 ms"),
                    true,
                )
            });
        }
    }
    all.push(Cell {
        tone_ms: (80.0, 120.0),
        loss: Some((0.05, Fill::Silence)),
        told: true,
        ..cell("5 % loss, detector told, 80-120 ms", true)
    });
    all.push(Cell {
        echo_db: Some(-15.0),
        ..cell("speech 15 dB below the key (echo of a prompt)", true)
    });
    all.push(Cell {
        off: [up, down],
        twist: -8.0,
        snr_db: Some(18.0),
        tone_ms: (45.0, 60.0),
        level: (-20.0, -8.0),
        ..cell("off frequency, twisted and noisy at once", true)
    });
    all.push(Cell {
        tone_ms: (23.0, 23.0),
        ..cell("23 ms", false)
    });
    let (far_up, far_down) = ((1.035, 0.0), (0.965, 0.0));
    for (name, off) in [
        ("low tone +3.5 %", [far_up, exact]),
        ("low tone -3.5 %", [far_down, exact]),
        ("high tone +3.5 %", [exact, far_up]),
        ("high tone -3.5 %", [exact, far_down]),
        ("both tones +3.5 %", [far_up, far_up]),
        ("both tones -3.5 %", [far_down, far_down]),
        ("low +3.5 %, high -3.5 %", [far_up, far_down]),
        ("low -3.5 %, high +3.5 %", [far_down, far_up]),
    ] {
        all.push(Cell {
            off,
            ..cell(name, false)
        });
    }
    all.push(Cell {
        level: (-55.0, -55.0),
        ..cell("-55 dBm0 a tone", false)
    });
    for (name, only) in [("low tone alone", 0), ("high tone alone", 1)] {
        all.push(Cell {
            only: Some(only),
            tone_ms: (40.0, 400.0),
            ..cell(name, false)
        });
    }
    all
}

struct Trial {
    samples: Vec<i16>,
    lost: Vec<bool>,
    expected: String,
    /// Where the last key has lasted 40 ms.
    enough: u64,
}

fn trial(cell: &Cell, digit: Digit, speech: &[i16], rng: &mut ChaCha8Rng) -> Trial {
    let tone = rng.random_range(cell.tone_ms.0..=cell.tone_ms.1) * 8.0;
    let level = rng.random_range(cell.level.0..=cell.level.1);
    let shape = KeyShape {
        level_dbm0: level,
        twist_db: cell.twist,
        low_scale: cell.off[0].0,
        low_offset_hz: cell.off[0].1,
        high_scale: cell.off[1].0,
        high_offset_hz: cell.off[1].1,
        tone_samples: tone.round() as u32,
        pause_samples: (cell.pause_ms * 8.0) as u32,
        low_phase: rng.random(),
        high_phase: rng.random(),
        low_off: cell.only == Some(1),
        high_off: cell.only == Some(0),
    };
    let lead = rng.random_range(480..960);
    let mut samples = vec![0f64; lead];
    let mut key = Generator::new(&vec![digit; cell.presses], shape).render_exact();
    if cell.break_ms > 0.0 {
        let length = (cell.break_ms * 8.0) as usize;
        let from = rng.random_range(0..tone as usize - length);
        key[from..from + length].fill(0.0);
    }
    samples.extend_from_slice(&key);
    samples.resize(samples.len() + 960, 0.0);
    let low = f64::from(amplitude(level));
    let high = f64::from(amplitude(level + cell.twist));
    let power = (low * low + high * high) / 2.0;
    if cell.drive_db != 0.0 {
        let gain = 10f64.powf(cell.drive_db / 20.0) * 32_000.0 / (low + high);
        for x in &mut samples {
            *x = (*x * gain).clamp(-32_000.0, 32_000.0);
        }
    }
    if let Some(hz) = cell.dial_tone {
        let each = f64::from(amplitude(-15.0)) / (hz.len() as f64).sqrt();
        channel::add_tones(&mut samples, hz, each, rng);
    }
    if let Some(snr) = cell.snr_db {
        channel::add_noise(&mut samples, power / 10f64.powf(snr / 10.0), rng);
    }
    if let Some(rate) = cell.impulses {
        channel::add_clicks(&mut samples, rate, rng);
    }
    if let Some(db) = cell.echo_db
        && speech.len() > samples.len()
    {
        let at = rng.random_range(0..speech.len() - samples.len());
        let piece = &speech[at..at + samples.len()];
        let mean = piece.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / piece.len() as f64;
        if mean > 1e4 {
            let gain = (power * 10f64.powf(db / 10.0) / mean).sqrt();
            for (x, s) in samples.iter_mut().zip(piece) {
                *x += f64::from(*s) * gain;
            }
        }
    }
    let law = cell
        .law
        .unwrap_or(if rng.random() { Law::A } else { Law::Mu });
    let mut samples = channel::compand(&samples, law);
    let lost = match cell.loss {
        Some((probability, fill)) => channel::lose(&mut samples, probability, fill, rng),
        None => Vec::new(),
    };
    let period = tone.round() as u64 + (cell.pause_ms * 8.0) as u64;
    Trial {
        samples,
        lost,
        expected: if cell.heard {
            vec![digit.as_char(); cell.presses].into_iter().collect()
        } else {
            String::new()
        },
        enough: lead as u64 + period * (cell.presses as u64 - 1) + 320,
    }
}

/// The keys we hear, and how long after the key had lasted 40 ms the last was decided.
fn ours(trial: &Trial, told: bool) -> (String, i64) {
    let mut keys = String::new();
    let mut late = 0;
    let mut sink = |detection: Detection| {
        if let Detection::Began {
            digit,
            decided_sample,
            ..
        } = detection
        {
            keys.push(digit.as_char());
            late = decided_sample as i64 - trial.enough as i64;
        }
    };
    let mut detector = Detector::new(DetectorConfig::default());
    for (index, frame) in trial.samples.chunks(160).enumerate() {
        if told && trial.lost.get(index) == Some(&true) {
            detector.gap(frame.len() as u64, &mut sink);
        } else {
            detector.feed(frame, &mut sink);
        }
    }
    detector.finish(&mut sink);
    (keys, late)
}

#[derive(Default)]
struct Score {
    right: usize,
    missed: usize,
    wrong: usize,
    extra: usize,
}

impl Score {
    fn add(&mut self, keys: &str, expected: &str) {
        if keys == expected {
            self.right += 1;
        } else if keys.len() < expected.len() {
            self.missed += 1;
        } else if keys.len() > expected.len() {
            self.extra += 1;
        } else {
            self.wrong += 1;
        }
    }

    fn show(&self) -> String {
        let mut faults = String::new();
        for (count, name) in [
            (self.missed, "missed"),
            (self.wrong, "wrong"),
            (self.extra, "extra"),
        ] {
            if count > 0 {
                let _ = write!(faults, ", {count} {name}");
            }
        }
        format!("{}{faults}", self.right)
    }
}

/// Runs every cell and returns the table.
pub fn table(trials_per_digit: usize, only: Option<&str>) -> anyhow::Result<String> {
    let mut spandsp = SpanDsp::start()?;
    let speech = corpus::speech_sample()?;
    let mut out = String::new();
    writeln!(
        out,
        "| condition | must be | trials | Ringtrue right | SpanDSP right | decided after 40 ms, p50 / p99 |\n|---|---|---|---|---|---|"
    )?;
    for (index, cell) in cells().iter().enumerate() {
        if only.is_some_and(|name| !cell.name.contains(name)) {
            continue;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(0x5eed_0000 + index as u64);
        let (mut we, mut they) = (Score::default(), Score::default());
        let mut late = Vec::new();
        for digit in Digit::all() {
            for _ in 0..trials_per_digit {
                let trial = trial(cell, digit, &speech, &mut rng);
                let (keys, after) = ours(&trial, cell.told);
                if cell.heard && keys == trial.expected {
                    late.push(after);
                }
                if std::env::var_os("DTMF_FAULTS").is_some() && keys != trial.expected {
                    eprintln!("{}: {digit} heard as {keys:?}", cell.name);
                }
                we.add(&keys, &trial.expected);
                let keys = spandsp.keys(&trial.samples, cell.dial_tone.is_some())?;
                they.add(&keys, &trial.expected);
            }
        }
        late.sort_unstable();
        let at = |share: f64| {
            late.get((late.len() as f64 * share) as usize)
                .map_or("-".to_string(), |s| format!("{:.0}", *s as f64 / 8.0))
        };
        let line = format!(
            "| {} | {} | {} | {} | {} | {} |",
            cell.name,
            if cell.heard { "heard" } else { "refused" },
            16 * trials_per_digit,
            we.show(),
            they.show(),
            if cell.heard {
                format!("{} / {} ms", at(0.5), at(0.99))
            } else {
                "-".into()
            },
        );
        eprintln!("{line}");
        writeln!(out, "{line}")?;
    }
    Ok(out)
}
