//! `ringtrue prompts`: checks, exports and converts recordings.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::Serialize;

use crate::audio::folder::{self, FileError};
use crate::audio::inspection::{self, Finding, Severity};
use crate::audio::wav::{self, Recording};
use crate::audio::{Codec, Locale, PromptName, SAMPLE_RATE, builtin, g711, pcm, preparation};
use crate::dtmf::{Detection, Detector, DetectorConfig};

/// Check, export and convert the recordings that calls play.
#[derive(Debug, clap::Args)]
pub struct Prompts {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check every recording of every locale: that it is there, loud enough, not clipped, and
    /// holds no tone that sounds like a key. Ends with 1 if one is not fit for a call.
    Check(Check),
    /// Write the recordings that come with the program to a folder, to be replaced one by one.
    Export(Export),
    /// Make a recording fit for a call: 8 kHz, levelled, with short silences at its ends.
    Convert(Convert),
}

#[derive(Debug, clap::Args)]
struct Check {
    /// The folder with a folder for each locale; without it, what comes with the program.
    dir: Option<PathBuf>,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// End with 1 upon warnings too.
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

#[derive(Debug, clap::Args)]
struct Export {
    /// Where to; made if it is not there. Files that are there are left alone.
    dir: PathBuf,
    /// Only this locale.
    #[arg(long)]
    locale: Option<Locale>,
}

#[derive(Debug, clap::Args)]
struct Convert {
    /// A WAV file of any rate and format.
    from: PathBuf,
    /// The WAV file to write.
    to: PathBuf,
}

/// Runs `ringtrue prompts ...`; results go to `out`.
///
/// # Errors
/// If a folder or file cannot be read or written. A recording that is not fit is no error: the
/// exit code tells.
pub fn run(arguments: &Prompts, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Check(check) => run_check(check, out),
        Command::Export(export) => run_export(export, out),
        Command::Convert(convert) => run_convert(convert, out),
    }
}

fn run_check(check: &Check, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let report = match &check.dir {
        Some(dir) => Report::of_folder(dir)
            .with_context(|| format!("the prompts in {} cannot be listed", dir.display()))?,
        None => Report::of_builtin(),
    };
    match check.format {
        Format::Table => report.write_table(out)?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        }
    }
    let failed = report.errors > 0 || (check.strict && report.warnings > 0);
    Ok(ExitCode::from(u8::from(failed)))
}

fn run_export(export: &Export, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let mut written = 0;
    let mut left = 0;
    for (tag, files) in &builtin::LOCALES {
        let wanted = export.locale.as_ref().is_none_or(|l| l.as_str() == *tag);
        if !wanted {
            continue;
        }
        let dir = export.dir.join(tag);
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        for (name, file) in PromptName::ALL.into_iter().zip(files) {
            let path = dir.join(format!("{name}.wav"));
            match fs::File::create_new(&path) {
                Ok(mut created) => {
                    created
                        .write_all(file)
                        .with_context(|| format!("cannot write {}", path.display()))?;
                    written += 1;
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => left += 1,
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot write {}", path.display()));
                }
            }
        }
    }
    if written + left == 0 {
        let tags: Vec<&str> = builtin::LOCALES.iter().map(|(tag, _)| *tag).collect();
        bail!(
            "no such locale comes with the program: choose one of {}",
            tags.join(", ")
        );
    }
    writeln!(
        out,
        "{written} recordings written to {}, {left} were there and are left alone",
        export.dir.display()
    )?;
    Ok(ExitCode::SUCCESS)
}

fn run_convert(convert: &Convert, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let from = convert.from.display();
    let recording = folder::read(&convert.from).map_err(|error| match error {
        FileError::Io(error) => anyhow::anyhow!("{from} cannot be read: {error}"),
        error => anyhow::anyhow!("{from}: {error}"),
    })?;
    let samples = preparation::prepare(&recording)?;
    fs::write(&convert.to, wav::write(&samples))
        .with_context(|| format!("cannot write {}", convert.to.display()))?;
    writeln!(
        out,
        "{}: {} Hz {}, {:.2} s -> {}: 8000 Hz 16-bit PCM, {:.2} s",
        from,
        recording.rate,
        recording.encoding,
        recording.samples.len() as f64 / f64::from(recording.rate),
        convert.to.display(),
        samples.len() as f64 / 8_000.0
    )?;
    Ok(ExitCode::SUCCESS)
}

/// A key's tone in a recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct KeyHeard {
    key: char,
    /// Where it begins, in seconds.
    seconds: f64,
}

/// The keys that a far end, or an echo of our own prompt, would be taken for.
fn keys_heard(samples: &[f32]) -> Vec<KeyHeard> {
    let linear = pcm::to_i16(samples);
    let mut heard: Vec<KeyHeard> = Vec::new();
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let line = g711::decode_all(codec, &g711::encode_all(codec, &linear));
        let mut detector = Detector::new(DetectorConfig::default());
        let mut sink = |detection| {
            if let Detection::Began {
                digit,
                start_sample,
                ..
            } = detection
            {
                let seconds = start_sample as f64 / f64::from(SAMPLE_RATE);
                let key = digit.as_char();
                // Both laws hear the same press within a frame of each other.
                let known = |k: &KeyHeard| k.key == key && (k.seconds - seconds).abs() < 0.02;
                if !heard.iter().any(known) {
                    heard.push(KeyHeard { key, seconds });
                }
            }
        };
        detector.feed(&line, &mut sink);
        detector.finish(&mut sink);
    }
    heard.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    heard
}

/// What the check found, as `--format json` writes it.
#[derive(Debug, Serialize)]
struct Report {
    /// Findings that are errors, everywhere.
    errors: usize,
    /// Findings that are warnings, everywhere.
    warnings: usize,
    /// Findings about the folder itself.
    findings: Vec<Finding>,
    locales: Vec<LocaleReport>,
}

#[derive(Debug, Serialize)]
struct LocaleReport {
    locale: String,
    /// Findings about the locale's folder: strange files in it.
    findings: Vec<Finding>,
    recordings: Vec<RecordingReport>,
}

#[derive(Debug, Serialize)]
struct RecordingReport {
    name: &'static str,
    file: PathBuf,
    /// Not there if the file could not be read.
    #[serde(flatten)]
    measures: Option<Measures>,
    findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Measures {
    rate: u32,
    channels: u16,
    encoding: String,
    seconds: f64,
    /// Active speech level, ITU-T P.56; null for silence.
    speech_dbm0: Option<f64>,
    /// null for silence.
    peak_dbfs: Option<f64>,
    offset: f64,
    clipped: usize,
    lead_seconds: f64,
    tail_seconds: f64,
    keys: Vec<KeyHeard>,
}

impl Report {
    fn of_folder(dir: &Path) -> std::io::Result<Report> {
        let listing = folder::list(dir)?;
        let mut findings = Vec::new();
        if listing.locales.is_empty() {
            findings.push(Finding::error(format!(
                "no locale in {0}: it needs a folder for each, as in {0}/en-GB",
                dir.display()
            )));
        }
        for path in &listing.misnamed {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let text = match name.replace('_', "-").parse::<Locale>() {
                Ok(locale) => format!("{name} is not used: name it {locale}"),
                Err(error) => format!("{name} is not used: {error}"),
            };
            findings.push(Finding::warning(text));
        }
        let mut locales = Vec::new();
        for found in &listing.locales {
            let mut strange = Vec::new();
            for path in folder::entries(&found.path)? {
                strange.extend(strange_file(&path));
            }
            let recordings = PromptName::ALL
                .into_iter()
                .map(|name| {
                    let path = found.path.join(format!("{name}.wav"));
                    let recording = folder::read(&path);
                    RecordingReport::new(name, path, recording)
                })
                .collect();
            locales.push(LocaleReport {
                locale: found.locale.to_string(),
                findings: strange,
                recordings,
            });
        }
        Ok(Report::new(findings, locales))
    }

    fn of_builtin() -> Report {
        let locales = builtin::LOCALES
            .iter()
            .map(|(tag, files)| LocaleReport {
                locale: (*tag).to_owned(),
                findings: Vec::new(),
                recordings: PromptName::ALL
                    .into_iter()
                    .zip(files)
                    .map(|(name, file)| {
                        let path = Path::new(tag).join(format!("{name}.wav"));
                        RecordingReport::new(name, path, folder::decode(file))
                    })
                    .collect(),
            })
            .collect();
        Report::new(Vec::new(), locales)
    }

    fn new(findings: Vec<Finding>, locales: Vec<LocaleReport>) -> Report {
        let mut count = BTreeMap::new();
        let of_locales = locales.iter().flat_map(|locale| {
            let of_recordings = locale.recordings.iter().flat_map(|r| &r.findings);
            locale.findings.iter().chain(of_recordings)
        });
        for finding in findings.iter().chain(of_locales) {
            *count.entry(finding.severity).or_insert(0) += 1;
        }
        Report {
            errors: count.get(&Severity::Error).copied().unwrap_or(0),
            warnings: count.get(&Severity::Warning).copied().unwrap_or(0),
            findings,
            locales,
        }
    }

    fn write_table(&self, out: &mut impl Write) -> std::io::Result<()> {
        for finding in &self.findings {
            writeln!(out, "{}", line(finding))?;
        }
        let mut recordings = 0;
        for locale in &self.locales {
            writeln!(
                out,
                "\n{:<18} {:>7} {:>6} {:>11} {:>9} {:>7} {:>7}",
                locale.locale, "Hz", "length", "speech", "peak", "before", "after"
            )?;
            for finding in &locale.findings {
                writeln!(out, "  {}", line(finding))?;
            }
            for recording in &locale.recordings {
                recordings += 1;
                recording.write_row(out)?;
            }
        }
        writeln!(
            out,
            "\n{recordings} recordings in {} locales: {} errors, {} warnings",
            self.locales.len(),
            self.errors,
            self.warnings
        )
    }
}

/// A file in a locale's folder that is no recording of the set, if it looks meant as one.
fn strange_file(path: &Path) -> Option<Finding> {
    const OTHER_AUDIO: [&str; 9] = [
        "mp3", "ogg", "opus", "flac", "m4a", "aac", "gsm", "ulaw", "alaw",
    ];
    let file = path.file_name()?.to_string_lossy();
    let stem = path.file_stem()?.to_string_lossy();
    let extension = path.extension()?.to_string_lossy().to_ascii_lowercase();
    if OTHER_AUDIO.contains(&extension.as_str()) {
        return Some(Finding::warning(format!(
            "{file} is not used: save it as WAV"
        )));
    }
    if extension != "wav" || file == format!("{stem}.wav") && is_name(&stem) {
        return None;
    }
    let nearest = PromptName::ALL
        .into_iter()
        .map(|name| {
            (
                strsim::jaro_winkler(name.as_str(), &stem.to_lowercase()),
                name,
            )
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.85);
    Some(Finding::warning(match nearest {
        Some((_, name)) => format!("{file} is not used: did you mean {name}.wav?"),
        None => format!("{file} is not used: no recording has that name"),
    }))
}

fn is_name(stem: &str) -> bool {
    PromptName::from_file_stem(stem).is_some()
}

fn line(finding: &Finding) -> String {
    let word = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    format!("{word}: {}", finding.text)
}

impl RecordingReport {
    fn new(
        name: PromptName,
        file: PathBuf,
        recording: Result<Recording, FileError>,
    ) -> RecordingReport {
        let inspected = recording.and_then(|recording| {
            let (inspection, samples) = inspection::inspect(name, &recording)?;
            Ok((recording, inspection, samples))
        });
        let (recording, inspection, samples) = match inspected {
            Ok(all) => all,
            Err(error) => {
                return RecordingReport {
                    name: name.as_str(),
                    file,
                    measures: None,
                    findings: vec![Finding::error(match error {
                        FileError::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
                            "is missing: every locale needs it".to_owned()
                        }
                        error => error.to_string(),
                    })],
                };
            }
        };
        let keys = keys_heard(&samples);
        let mut findings: Vec<Finding> = keys
            .iter()
            .map(|key| {
                Finding::error(format!(
                    "holds the tone of key {} at {:.2} s, which a call would take for a press: \
                     record it again",
                    key.key, key.seconds
                ))
            })
            .collect();
        findings.extend(inspection.findings);
        let finite = |value: f64| value.is_finite().then_some(value);
        RecordingReport {
            name: name.as_str(),
            file,
            measures: Some(Measures {
                rate: recording.rate,
                channels: recording.channels,
                encoding: recording.encoding.to_string(),
                seconds: inspection.seconds,
                speech_dbm0: inspection.level.speech.map(|s| s.active_dbm0()),
                peak_dbfs: finite(inspection.level.peak_dbfs),
                offset: inspection.level.offset,
                clipped: inspection.level.clipped,
                lead_seconds: inspection.lead_seconds,
                tail_seconds: inspection.tail_seconds,
                keys,
            }),
            findings,
        }
    }

    fn write_row(&self, out: &mut impl Write) -> std::io::Result<()> {
        write!(out, "  {:<16}", self.name)?;
        if let Some(measures) = &self.measures {
            let level = |value: Option<f64>, unit: &str| {
                value.map_or_else(|| "silent".to_owned(), |v| format!("{v:.1} {unit}"))
            };
            write!(
                out,
                " {:>7} {:>4.2} s {:>11} {:>9} {:>5.2} s {:>5.2} s",
                measures.rate,
                measures.seconds,
                level(measures.speech_dbm0, "dBm0"),
                level(measures.peak_dbfs, "dB"),
                measures.lead_seconds,
                measures.tail_seconds
            )?;
        }
        writeln!(out)?;
        for finding in &self.findings {
            writeln!(out, "    {}", line(finding))?;
        }
        Ok(())
    }
}
