//! `ringtrue dtmf decode`: the keys in recordings and captures.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::Context;
use serde::Serialize;

use super::capture::{self, Stream};
use super::progress::Progress;
use crate::audio::wav::{self, Recording};
use crate::audio::{SAMPLE_RATE, pcm, resample};
use crate::dtmf::analysis::{Analyser, Analysis, Key};
use crate::dtmf::{DetectorConfig, Digit, Measures, Refusal};

#[derive(Debug, clap::Args)]
pub struct Decode {
    /// WAV files of any rate (PCM, float or G.711; each channel is heard for itself), pcap or pcapng captures,
    /// or folders of them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How to write the keys.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Show what resembled a key and was refused, too; JSON always has it.
    #[arg(long)]
    refused: bool,
    /// Weakest level of a tone, in dBm0.
    #[arg(long, allow_negative_numbers = true, value_name = "DBM0")]
    weakest: Option<f32>,
    /// Least power of both tones over the rest, in dB.
    #[arg(long, value_name = "DB")]
    snr: Option<f32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs, with every measure.
    Json,
    /// One line for each key: file, start in seconds, end in seconds, key.
    Tsv,
}

/// What one file holds.
#[derive(Debug, Serialize)]
struct Report {
    file: String,
    seconds: f64,
    keys: Vec<KeyReport>,
    refused: Vec<RefusedReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Source {
    /// Tones in the audio.
    InBand,
    /// An RFC 4733 event.
    Rfc4733,
    /// An event, and its tones in the audio besides: one press.
    Both,
}

#[derive(Debug, Serialize)]
struct KeyReport {
    key: Digit,
    start: f64,
    end: f64,
    source: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    /// From 1, where a recording has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<usize>,
    #[serde(flatten)]
    measures: Option<MeasuresReport>,
}

#[derive(Debug, Serialize)]
struct RefusedReport {
    resembled: Digit,
    start: f64,
    reason: Refusal,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<usize>,
    #[serde(flatten)]
    measures: MeasuresReport,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct MeasuresReport {
    #[serde(flatten)]
    measures: Measures,
    twist_db: f32,
}

impl From<Measures> for MeasuresReport {
    fn from(measures: Measures) -> Self {
        MeasuresReport {
            measures,
            twist_db: measures.twist_db(),
        }
    }
}

pub fn run(decode: &Decode, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let default = DetectorConfig::default();
    let config = DetectorConfig {
        weakest_dbm0: decode.weakest.unwrap_or(default.weakest_dbm0),
        snr_db: decode.snr.unwrap_or(default.snr_db),
        ..default
    };
    let mut paths = Vec::new();
    for path in &decode.files {
        collect(path, true, &mut paths)
            .with_context(|| format!("cannot list {}", path.display()))?;
    }
    let sizes: u64 = paths
        .iter()
        .map(|path| fs::metadata(path).map_or(0, |m| m.len()))
        .sum();
    let progress = Progress::new(sizes);
    let (mut keys, mut failed) = (0usize, false);
    let (mut with_keys, mut seconds) = (0usize, 0.0);
    let mut first = true;
    if decode.format == Format::Json {
        write!(out, "[")?;
    }
    let result = each_in_order(&paths, config, &progress, |report| {
        keys += report.keys.len();
        with_keys += usize::from(!report.keys.is_empty());
        seconds += report.seconds;
        failed |= report.error.is_some();
        if let Some(error) = &report.error {
            eprintln!("{}: {error}", report.file);
        }
        match decode.format {
            Format::Table => write_table(out, &report, decode.refused, paths.len() > 1)?,
            Format::Tsv => write_tsv(out, &report)?,
            Format::Json => {
                write!(out, "{}", if first { "\n" } else { ",\n" })?;
                serde_json::to_writer_pretty(&mut *out, &report)?;
            }
        }
        first = false;
        Ok(())
    });
    drop(progress);
    result?;
    match decode.format {
        Format::Json => writeln!(out, "\n]")?,
        // Of a folder only those with keys are told of above.
        Format::Table if paths.len() != 1 => writeln!(
            out,
            "{} recordings of {seconds:.1} s in all: {keys} keys in {with_keys} of them",
            paths.len()
        )?,
        Format::Table | Format::Tsv => {}
    }
    out.flush()?;
    Ok(ExitCode::from(match (failed, keys) {
        (true, _) => 2,
        (false, 0) => 1,
        (false, _) => 0,
    }))
}

/// The files of a folder and its folders that look like recordings or captures, sorted; a file
/// that was named is taken whatever its name.
fn collect(path: &Path, named: bool, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_dir() && (named || !path.is_symlink()) {
        let mut inside = Vec::new();
        for entry in fs::read_dir(path)? {
            inside.push(entry?.path());
        }
        inside.sort();
        for path in inside {
            collect(&path, false, into)?;
        }
        return Ok(());
    }
    let known = path.extension().is_some_and(|extension| {
        ["wav", "pcap", "pcapng", "cap"]
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    });
    if named || known {
        into.push(path.to_path_buf());
    }
    Ok(())
}

/// Decodes the files on all processors and hands over the reports in the order of the files.
fn each_in_order(
    paths: &[PathBuf],
    config: DetectorConfig,
    progress: &Progress,
    mut take: impl FnMut(Report) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let workers = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(paths.len());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        // A worker waits here when it is far ahead of what was written.
        let (sender, receiver) = mpsc::sync_channel(workers * 4 + 1);
        for _ in 0..workers {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(path) = paths.get(index) else {
                        return;
                    };
                    let report = report_on(path, config, progress);
                    if sender.send((index, report)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut due = 0;
        for (index, report) in receiver {
            early.insert(index, report);
            while let Some(report) = early.remove(&due) {
                take(report)?;
                due += 1;
            }
        }
        Ok(())
    })
}

fn report_on(path: &Path, config: DetectorConfig, progress: &Progress) -> Report {
    let mut report = Report {
        file: path.display().to_string(),
        seconds: 0.0,
        keys: Vec::new(),
        refused: Vec::new(),
        error: None,
    };
    if let Err(error) = fill(&mut report, path, config, progress) {
        report.error = Some(format!("{error:#}"));
    }
    report.keys.sort_by(|a, b| a.start.total_cmp(&b.start));
    report
}

fn fill(
    report: &mut Report,
    path: &Path,
    config: DetectorConfig,
    progress: &Progress,
) -> anyhow::Result<()> {
    let file = fs::read(path).context("cannot be read")?;
    if capture::is_capture(&file) {
        for stream in capture::read(&file, config)? {
            let name = format!("{} > {} ssrc {:08x}", stream.from, stream.to, stream.ssrc);
            report.seconds = report.seconds.max(stream.offset + stream.seconds);
            report
                .refused
                .extend(refused(&stream.audio, stream.offset, Some(&name)));
            report.keys.extend(presses(&stream, &name));
        }
        progress.add(file.len() as u64);
        return Ok(());
    }
    let channels = wav::read_channels(&file)?;
    let bytes = file.len() as u64;
    drop(file);
    let several = channels.len() > 1;
    let share = bytes / channels.len().max(1) as u64;
    for (index, recording) in channels.into_iter().enumerate() {
        report.seconds = recording.samples.len() as f64 / f64::from(recording.rate);
        let analysis = listen(&recording, config, share, progress)?;
        let channel = several.then_some(index + 1);
        report.refused.extend(
            refused(&analysis, 0.0, None).map(|refused| RefusedReport { channel, ..refused }),
        );
        for key in &analysis.keys {
            let key = KeyReport {
                channel,
                ..key_report(key, 0.0, None)
            };
            if !report.keys.iter().any(|known| known.is_twin_of(&key)) {
                report.keys.push(key);
            }
        }
    }
    Ok(())
}

impl KeyReport {
    /// Whether this is the same press in another channel: of a mono recording saved in stereo, or
    /// of a line where both sides hear each other.
    fn is_twin_of(&self, other: &KeyReport) -> bool {
        self.key == other.key
            && self.channel != other.channel
            && (self.start - other.start).abs() < ONE_PRESS_SECONDS
    }
}

/// What one channel holds; `bytes` of the file's progress are its own.
fn listen(
    recording: &Recording,
    config: DetectorConfig,
    bytes: u64,
    progress: &Progress,
) -> anyhow::Result<Analysis> {
    let samples = if recording.rate == SAMPLE_RATE {
        pcm::to_i16(&recording.samples)
    } else {
        pcm::to_i16(&resample::to_8k(&recording.samples, recording.rate)?)
    };
    let mut analyser = Analyser::new(config);
    let minute = 60 * SAMPLE_RATE as usize;
    let mut told = 0;
    for (index, piece) in samples.chunks(minute).enumerate() {
        analyser.feed(piece);
        let done = ((index + 1) * minute).min(samples.len()) as u64;
        let now = bytes * done / samples.len().max(1) as u64;
        progress.add(now - told);
        told = now;
    }
    Ok(analyser.finish())
}

fn seconds(samples: u64) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE)
}

fn key_report(key: &Key, offset: f64, stream: Option<&str>) -> KeyReport {
    KeyReport {
        key: key.digit,
        start: offset + seconds(key.start_sample),
        end: offset + seconds(key.end_sample),
        source: Source::InBand,
        stream: stream.map(str::to_string),
        channel: None,
        measures: Some(key.measures.into()),
    }
}

fn refused<'a>(
    analysis: &'a Analysis,
    offset: f64,
    stream: Option<&'a str>,
) -> impl Iterator<Item = RefusedReport> + 'a {
    analysis.refused.iter().map(move |refused| RefusedReport {
        resembled: refused.digit,
        start: offset + seconds(refused.start_sample),
        reason: refused.refusal,
        stream: stream.map(str::to_string),
        channel: None,
        measures: refused.measures.into(),
    })
}

/// A gateway that makes events of tones lets this much of the tone through, or all of it, up to
/// so much apart from the event.
const ONE_PRESS_SECONDS: f64 = 0.1;

/// The presses of a stream: an event and the same key's tone at the same time are one.
fn presses(stream: &Stream, name: &str) -> Vec<KeyReport> {
    let mut presses: Vec<KeyReport> = stream
        .events
        .iter()
        .map(|event| KeyReport {
            key: event.digit,
            start: stream.offset + seconds(event.start),
            end: stream.offset + seconds(event.start + event.samples),
            source: Source::Rfc4733,
            stream: Some(name.to_string()),
            channel: None,
            measures: None,
        })
        .collect();
    for key in &stream.audio.keys {
        let tone = key_report(key, stream.offset, Some(name));
        let same = presses.iter_mut().find(|press| {
            press.source == Source::Rfc4733
                && press.key == tone.key
                && tone.start <= press.end + ONE_PRESS_SECONDS
                && press.start <= tone.end + ONE_PRESS_SECONDS
        });
        match same {
            Some(press) => {
                press.source = Source::Both;
                press.start = press.start.min(tone.start);
                press.measures = tone.measures;
            }
            None => presses.push(tone),
        }
    }
    presses
}

fn write_tsv(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    // A tab or line break in a file's name would break the line.
    let file = report.file.replace(['\t', '\n', '\r'], " ");
    for key in &report.keys {
        writeln!(out, "{file}\t{:.3}\t{:.3}\t{}", key.start, key.end, key.key)?;
    }
    Ok(())
}

fn write_table(
    out: &mut impl Write,
    report: &Report,
    refused: bool,
    several: bool,
) -> std::io::Result<()> {
    let keys: String = report.keys.iter().map(|k| k.key.as_char()).collect();
    let shown = !report.keys.is_empty() || (refused && !report.refused.is_empty());
    if several && !shown {
        return Ok(());
    }
    writeln!(
        out,
        "{}: {:.1} s, {}",
        report.file,
        report.seconds,
        if keys.is_empty() {
            "no key".to_string()
        } else {
            format!("keys {keys}")
        }
    )?;
    if !report.keys.is_empty() {
        writeln!(
            out,
            "  key    start s      end s  source    low Hz   high Hz  low dBm0  high dBm0  SNR dB  sure"
        )?;
    }
    let mut stream = None;
    for key in &report.keys {
        if key.stream != stream {
            stream.clone_from(&key.stream);
            if let Some(stream) = &stream {
                writeln!(out, "  {stream}")?;
            }
        }
        let source = match key.source {
            Source::InBand => "in-band",
            Source::Rfc4733 => "RFC 4733",
            Source::Both => "both",
        };
        write!(
            out,
            "  {:>3} {:>10.3} {:>10.3}  {source:<8}",
            key.key, key.start, key.end
        )?;
        if let Some(MeasuresReport { measures: m, .. }) = key.measures {
            write!(
                out,
                "{:>8.1} {:>9.1} {:>9.1} {:>10.1} {:>7.1} {:>4.0} %",
                m.low_hz,
                m.high_hz,
                m.low_dbm0,
                m.high_dbm0,
                m.snr_db,
                m.confidence * 100.0
            )?;
        }
        if let Some(channel) = key.channel {
            write!(out, "  channel {channel}")?;
        }
        writeln!(out)?;
    }
    if refused {
        for no in &report.refused {
            let m = no.measures.measures;
            writeln!(
                out,
                "  at {:.3} s something like {}: {} ({:.1} Hz {:.1} dBm0, {:.1} Hz {:.1} dBm0, SNR {:.1} dB)",
                no.start,
                no.resembled,
                reason(no.reason),
                m.low_hz,
                m.low_dbm0,
                m.high_hz,
                m.high_dbm0,
                m.snr_db
            )?;
        }
    }
    Ok(())
}

fn reason(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::TooWeak => "too weak",
        Refusal::NotSteady => "not steady",
        Refusal::OffFrequency => "off frequency",
        Refusal::Twist => "tones too unequal",
        Refusal::NotTwoTones => "more than two tones",
    }
}
