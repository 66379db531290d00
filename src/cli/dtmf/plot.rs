//! `ringtrue dtmf plot`: a picture of why a recording holds the keys that it does.

mod bitmap;
mod canvas;
mod picture;
mod spectrum;
mod svg;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use self::bitmap::Bitmap;
use self::picture::{HEIGHT, Shown, WIDTH};
use self::svg::Svg;
use super::capture;
use crate::audio::{SAMPLE_RATE, pcm, resample, wav};
use crate::dtmf::analysis::{Analyser, Analysis};
use crate::dtmf::{Detector, DetectorConfig, Verdict};

#[derive(Debug, clap::Args)]
pub struct Plot {
    /// A WAV file of any rate (PCM, float or G.711), or a capture (pcap, pcapng).
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to write the picture; the name ends in .png or .svg.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where to begin, in seconds. Without it, half a second before the first key, or before what
    /// resembled one, if the recording is longer than what is shown.
    #[arg(long, value_name = "SECONDS")]
    from: Option<f64>,
    /// Which channel of a recording, from 1.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    channel: usize,
    /// Which RTP stream of a capture, from 1: those with G.711 audio, in the order of `dtmf decode`.
    #[arg(
        long,
        default_value_t = 1,
        value_name = "NUMBER",
        conflicts_with = "channel"
    )]
    stream: usize,
    /// How much to show, in seconds: 0.05 to 60.
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS")]
    length: f64,
    /// Weakest level of a tone, in dBm0.
    #[arg(long, allow_negative_numbers = true, value_name = "DBM0")]
    weakest: Option<f32>,
    /// Least power of both tones over the rest, in dB.
    #[arg(long, value_name = "DB")]
    snr: Option<f32>,
}

/// The picture's format, told by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Png,
    Svg,
}

impl Kind {
    fn of(path: &Path) -> anyhow::Result<Kind> {
        let is = |kind: &str| {
            path.extension()
                .is_some_and(|e| e.eq_ignore_ascii_case(kind))
        };
        if is("png") {
            Ok(Kind::Png)
        } else if is("svg") {
            Ok(Kind::Svg)
        } else {
            bail!("{}: name the picture .png or .svg", path.display());
        }
    }
}

pub fn run(plot: &Plot, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let kind = Kind::of(&plot.out)?;
    if !(0.05..=60.0).contains(&plot.length) {
        bail!("--length {} is not between 0.05 and 60", plot.length);
    }
    let default = DetectorConfig::default();
    let config = DetectorConfig {
        weakest_dbm0: plot.weakest.unwrap_or(default.weakest_dbm0),
        snr_db: plot.snr.unwrap_or(default.snr_db),
        ..default
    };
    let name = plot.file.display().to_string();
    let file = fs::read(&plot.file).with_context(|| format!("cannot read {name}"))?;
    let (samples, gaps) = if capture::is_capture(&file) {
        stream(plot, &file, &name)?
    } else {
        (channel(plot, &file, &name)?, Vec::new())
    };
    if samples.is_empty() {
        bail!("{name} holds no sound");
    }
    let (found, verdicts) = listen(&samples, &gaps, config);
    let (first, last) = stretch(plot, &samples, &found)?;
    let shown = Shown {
        name: plot
            .file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or(&name),
        samples: samples.get(first..last).unwrap_or_default(),
        first_sample: first as u64,
        keys: &found.keys,
        refused: &found.refused,
        verdicts: &verdicts,
        config,
    };
    let picture = match kind {
        Kind::Png => {
            let mut bitmap = Bitmap::new(WIDTH, HEIGHT);
            picture::draw(&mut bitmap, &shown);
            bitmap.png()?
        }
        Kind::Svg => {
            let mut svg = Svg::new(WIDTH, HEIGHT);
            picture::draw(&mut svg, &shown);
            svg.finish().into_bytes()
        }
    };
    fs::write(&plot.out, picture)
        .with_context(|| format!("cannot write {}", plot.out.display()))?;
    let second = |sample: usize| sample as f64 / f64::from(SAMPLE_RATE);
    writeln!(
        out,
        "{}: {:.3} to {:.3} s of {:.3} s; in all {} keys {}, {} refused",
        plot.out.display(),
        second(first),
        second(last),
        second(samples.len()),
        found.keys.len(),
        picture::digits(&found.keys),
        found.refused.len()
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The samples of the channel asked for.
fn channel(plot: &Plot, file: &[u8], name: &str) -> anyhow::Result<Vec<i16>> {
    let mut channels = wav::read_channels(file).with_context(|| name.to_string())?;
    let index = plot.channel.wrapping_sub(1);
    if index >= channels.len() {
        let count = channels.len();
        bail!("{name} has no channel {}: 1 to {count}", plot.channel);
    }
    let recording = channels.swap_remove(index);
    Ok(pcm::to_i16(&resample::to_8k(
        &recording.samples,
        recording.rate,
    )?))
}

/// Stretches of a stream that were not received: where, and how many samples.
type Gaps = Vec<(usize, usize)>;

/// The samples of the stream asked for.
fn stream(plot: &Plot, file: &[u8], name: &str) -> anyhow::Result<(Vec<i16>, Gaps)> {
    let mut names = Vec::new();
    for (number, stream) in (1..).zip(capture::recordings(file).with_context(|| name.to_string())?)
    {
        if number == plot.stream {
            return Ok((stream.samples, stream.gaps));
        }
        names.push(format!("{number}: {}", stream.name));
    }
    bail!(
        "{name} has no stream {} of G.711 audio; it has {}",
        plot.stream,
        if names.is_empty() {
            "none".into()
        } else {
            names.join("; ")
        }
    )
}

/// Every key, every refusal, and every judgement on a window.
fn listen(
    samples: &[i16],
    gaps: &[(usize, usize)],
    config: DetectorConfig,
) -> (Analysis, Vec<Verdict>) {
    let mut verdicts = Vec::new();
    let mut detector = Detector::new(config).thorough();
    let mut analyser = Analyser::new(config);
    let mut at = 0;
    for &(start, length) in gaps.iter().chain(&[(samples.len(), 0)]) {
        let received = samples.get(at..start).unwrap_or_default();
        detector.feed_traced(received, &mut |_| (), &mut |verdict| verdicts.push(verdict));
        analyser.feed(received);
        detector.gap(length as u64, &mut |_| ());
        analyser.gap(length as u64);
        at = start + length;
    }
    (analyser.finish(), verdicts)
}

/// The first sample shown and the one behind the last.
fn stretch(plot: &Plot, samples: &[i16], found: &Analysis) -> anyhow::Result<(usize, usize)> {
    let rate = f64::from(SAMPLE_RATE);
    let length = ((plot.length * rate) as usize).min(samples.len());
    let latest = samples.len() - length;
    let first = match plot.from {
        Some(from) => {
            let first = from * rate;
            if !(0.0..samples.len() as f64).contains(&first) {
                let all = samples.len() as f64 / rate;
                bail!("--from {from} is not within the recording, which lasts {all:.3} s");
            }
            first as usize
        }
        None => {
            let keys = found.keys.iter().map(|key| key.start_sample);
            let refused = found.refused.iter().map(|no| no.start_sample);
            let start = keys.min().or(refused.min()).unwrap_or(0) as usize;
            start.saturating_sub(SAMPLE_RATE as usize / 2).min(latest)
        }
    };
    Ok((first, (first + length).min(samples.len())))
}
