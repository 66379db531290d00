//! `ringtrue dtmf generate`: the audio of keys, spoilt as asked for.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::audio::{Codec, SAMPLE_RATE, g711, pcm, resample, wav};
use crate::dtmf::line::{self, Fill};
use crate::dtmf::{Digit, Generator, KeyShape, amplitude};

#[derive(Debug, clap::Args)]
pub struct Generate {
    /// The keys: 0-9, *, #, A-D.
    digits: String,
    /// The WAV file to write: 8 kHz, 16 bits, mono.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How long each key sounds, in ms.
    #[arg(long, default_value_t = 100.0, value_name = "MS")]
    tone: f64,
    /// The silence after each key, in ms.
    #[arg(long, default_value_t = 100.0, value_name = "MS")]
    pause: f64,
    /// The silence before the first key, in ms.
    #[arg(long, default_value_t = 100.0, value_name = "MS")]
    lead: f64,
    /// Level of the low tone, in dBm0.
    #[arg(long, default_value_t = -10.0, allow_negative_numbers = true, value_name = "DBM0")]
    level: f32,
    /// Level of the high tone over the low one, in dB.
    #[arg(
        long,
        default_value_t = 0.0,
        allow_negative_numbers = true,
        value_name = "DB"
    )]
    twist: f32,
    /// By how many percent the low tone is off its frequency.
    #[arg(
        long,
        default_value_t = 0.0,
        allow_negative_numbers = true,
        value_name = "PERCENT"
    )]
    low_off: f64,
    /// By how many percent the high tone is off its frequency.
    #[arg(
        long,
        default_value_t = 0.0,
        allow_negative_numbers = true,
        value_name = "PERCENT"
    )]
    high_off: f64,
    /// Hertz added to the low tone.
    #[arg(
        long,
        default_value_t = 0.0,
        allow_negative_numbers = true,
        value_name = "HZ"
    )]
    low_off_hz: f64,
    /// Hertz added to the high tone.
    #[arg(
        long,
        default_value_t = 0.0,
        allow_negative_numbers = true,
        value_name = "HZ"
    )]
    high_off_hz: f64,
    /// Phase at the start of each key, in turns.
    #[arg(long, default_value_t = 0.0, value_name = "TURNS")]
    phase: f64,
    /// Silences the middle of each key for so many ms.
    #[arg(long, default_value_t = 0.0, value_name = "MS")]
    interrupt: f64,
    /// Overdrives so many dB beyond full scale.
    #[arg(long, value_name = "DB")]
    clip: Option<f64>,
    /// Adds white noise so many dB below both tones.
    #[arg(long, allow_negative_numbers = true, value_name = "DB")]
    snr: Option<f64>,
    /// Adds so many clicks a second.
    #[arg(long, value_name = "RATE")]
    clicks: Option<f64>,
    /// Adds tones of these frequencies beneath, as in 350,440.
    #[arg(long, value_delimiter = ',', value_name = "HZ")]
    dial_tone: Vec<f64>,
    /// Level of the tones beneath, all together, in dBm0.
    #[arg(long, default_value_t = -15.0, allow_negative_numbers = true, value_name = "DBM0")]
    dial_tone_level: f32,
    /// Adds this WAV file beneath: speech, or the echo of a prompt.
    #[arg(long, value_name = "FILE")]
    under: Option<PathBuf>,
    /// How far that file lies below both tones, in dB.
    #[arg(
        long,
        default_value_t = 15.0,
        allow_negative_numbers = true,
        value_name = "DB"
    )]
    under_db: f64,
    /// Sends it through a companding law.
    #[arg(long, value_enum)]
    law: Option<Law>,
    /// Loses so many percent of 20 ms frames.
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    loss: f64,
    /// How lost frames are filled.
    #[arg(long, value_enum, default_value_t = Filling::Silence)]
    fill: Filling,
    /// Seed of all that is random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Law {
    /// A-law, PCMA.
    A,
    /// Mu-law, PCMU.
    Mu,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Filling {
    /// With silence.
    Silence,
    /// With the frame before.
    Repeat,
}

/// The longest recording made, one hour.
const LONGEST_SECONDS: f64 = 3_600.0;

pub fn run(generate: &Generate, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let samples = make(generate)?;
    fs::write(&generate.out, wav::write(&samples))
        .with_context(|| format!("cannot write {}", generate.out.display()))?;
    writeln!(
        out,
        "{}: {:.3} s, keys {}",
        generate.out.display(),
        samples.len() as f64 / f64::from(SAMPLE_RATE),
        generate.digits
    )?;
    Ok(ExitCode::SUCCESS)
}

fn samples_of(ms: f64, what: &str) -> anyhow::Result<u32> {
    let samples = (ms * f64::from(SAMPLE_RATE) / 1_000.0).round();
    if !(0.0..=LONGEST_SECONDS * f64::from(SAMPLE_RATE)).contains(&samples) {
        bail!("--{what} {ms} is not between 0 and an hour");
    }
    Ok(samples as u32)
}

fn make(generate: &Generate) -> anyhow::Result<Vec<i16>> {
    let digits = generate
        .digits
        .chars()
        .map(|c| Digit::from_char(c).with_context(|| format!("{c:?} is no key: 0-9, *, #, A-D")))
        .collect::<anyhow::Result<Vec<Digit>>>()?;
    let shape = KeyShape {
        level_dbm0: generate.level,
        twist_db: generate.twist,
        low_scale: 1.0 + generate.low_off / 100.0,
        low_offset_hz: generate.low_off_hz,
        high_scale: 1.0 + generate.high_off / 100.0,
        high_offset_hz: generate.high_off_hz,
        tone_samples: samples_of(generate.tone, "tone")?,
        pause_samples: samples_of(generate.pause, "pause")?,
        low_phase: generate.phase,
        high_phase: generate.phase,
        ..KeyShape::default()
    };
    let lead = samples_of(generate.lead, "lead")? as usize;
    let mut keys = Generator::new(&digits, shape);
    if (lead as u64 + keys.total_samples()) as f64 > LONGEST_SECONDS * f64::from(SAMPLE_RATE) {
        bail!("that would last longer than an hour");
    }
    let mut samples = vec![0f64; lead];
    samples.append(&mut keys.render_exact());
    let broken = samples_of(generate.interrupt, "interrupt")?.min(shape.tone_samples) as usize;
    let period = (shape.tone_samples + shape.pause_samples) as usize;
    for key in 0..digits.len() {
        let from = lead + key * period + (shape.tone_samples as usize - broken) / 2;
        if let Some(middle) = samples.get_mut(from..from + broken) {
            middle.fill(0.0);
        }
    }
    let low = f64::from(amplitude(shape.level_dbm0));
    let high = f64::from(amplitude(shape.level_dbm0 + shape.twist_db));
    let power = (low * low + high * high) / 2.0;
    let mut rng = ChaCha8Rng::seed_from_u64(generate.seed);
    if let Some(db) = generate.clip {
        let gain = 10f64.powf(db / 20.0) * 32_767.0 / (low + high);
        for x in &mut samples {
            *x = (*x * gain).clamp(-32_767.0, 32_767.0);
        }
    }
    if !generate.dial_tone.is_empty() {
        let all = f64::from(amplitude(generate.dial_tone_level));
        let each = all / (generate.dial_tone.len() as f64).sqrt();
        line::add_tones(&mut samples, &generate.dial_tone, each, &mut rng);
    }
    if let Some(path) = &generate.under {
        add_recording(
            &mut samples,
            path,
            power / 10f64.powf(generate.under_db / 10.0),
        )?;
    }
    if let Some(db) = generate.snr {
        line::add_noise(&mut samples, power / 10f64.powf(db / 10.0), &mut rng);
    }
    if let Some(rate) = generate.clicks {
        line::add_clicks(&mut samples, rate, &mut rng);
    }
    let mut samples: Vec<i16> = samples
        .iter()
        .map(|x| x.round().clamp(-32_768.0, 32_767.0) as i16)
        .collect();
    if let Some(law) = generate.law {
        let codec = match law {
            Law::A => Codec::Pcma,
            Law::Mu => Codec::Pcmu,
        };
        samples = g711::decode_all(codec, &g711::encode_all(codec, &samples));
    }
    if generate.loss > 0.0 {
        let fill = match generate.fill {
            Filling::Silence => Fill::Silence,
            Filling::Repeat => Fill::Repeat,
        };
        line::lose(&mut samples, generate.loss / 100.0, fill, &mut rng);
    }
    Ok(samples)
}

/// Adds a recording, over and over, at this mean power.
fn add_recording(samples: &mut [f64], path: &PathBuf, power: f64) -> anyhow::Result<()> {
    let file = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let recording = wav::read(&file).with_context(|| path.display().to_string())?;
    let under = pcm::to_i16(&resample::to_8k(&recording.samples, recording.rate)?);
    let mean = under.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / under.len().max(1) as f64;
    if mean <= 0.0 {
        bail!("{} is silent", path.display());
    }
    let gain = (power / mean).sqrt();
    for (x, u) in samples.iter_mut().zip(under.iter().cycle()) {
        *x += f64::from(*u) * gain;
    }
    Ok(())
}
