//! The recordings that come with the program, and `ringtrue prompts`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use ringtrue::audio::inspection::{self, Severity};
use ringtrue::audio::{Codec, Locale, PromptLibrary, PromptName, folder, wav};
use ringtrue::cli::prompts;
use serde_json::Value;

const LOCALES: [&str; 5] = ["en-GB", "en-US", "es-ES", "fr-FR", "it-IT"];

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    prompts: prompts::Prompts,
}

/// Runs `ringtrue prompts ARGUMENTS`: what it printed, and whether it ended with 0.
fn ringtrue_prompts(arguments: &[&str]) -> (String, bool) {
    let line = ["prompts"].iter().chain(arguments);
    let parsed = CommandLine::try_parse_from(line).unwrap();
    let mut out = Vec::new();
    let code = prompts::run(&parsed.prompts, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), code == ExitCode::SUCCESS)
}

fn shipped() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/prompts"))
}

#[test]
fn shipped_recordings_are_as_they_should_be() {
    let mut bytes = 0;
    for locale in LOCALES {
        for name in PromptName::ALL {
            let path = shipped().join(locale).join(format!("{name}.wav"));
            bytes += fs::metadata(&path).unwrap().len();
            let recording = folder::read(&path).unwrap();
            assert_eq!((recording.rate, recording.channels), (8_000, 1));
            let (inspection, _) = inspection::inspect(name, &recording).unwrap();
            assert_eq!(inspection.findings, [], "{locale}/{name}");
            let level = inspection.level.speech.unwrap().active_dbm0();
            assert!(
                (level - -20.0).abs() < 0.5,
                "{locale}/{name}: {level:.2} dBm0"
            );
            assert!(inspection.level.peak_dbfs <= -2.9, "{locale}/{name}");
            assert!(inspection.level.offset.abs() < 0.001, "{locale}/{name}");
            assert!(
                (0.03..0.2).contains(&inspection.lead_seconds),
                "{locale}/{name}"
            );
            assert!(
                (0.1..0.4).contains(&inspection.tail_seconds),
                "{locale}/{name}"
            );
        }
    }
    assert!(bytes < 4 * 1024 * 1024, "{bytes} bytes of recordings");
}

#[test]
fn every_recording_has_its_wording() {
    for locale in LOCALES {
        let text = fs::read_to_string(shipped().join(locale).join("wording.toml")).unwrap();
        let wording: toml::Table = text.parse().unwrap();
        let prompts = wording["prompts"].as_table().unwrap();
        assert_eq!(prompts.len(), PromptName::COUNT, "{locale}");
        for name in PromptName::ALL {
            assert!(prompts.contains_key(name.as_str()), "{locale}/{name}");
        }
    }
}

#[test]
fn the_program_brings_what_the_folder_holds() {
    let default: Locale = "en-GB".parse().unwrap();
    let from_folder = PromptLibrary::load(shipped(), &default).unwrap();
    let built_in = PromptLibrary::builtin(&default).unwrap();
    let locales: Vec<&str> = built_in.sets().map(|s| s.locale().as_str()).collect();
    assert_eq!(locales, LOCALES);
    for (ours, theirs) in built_in.sets().zip(from_folder.sets()) {
        assert_eq!(ours.locale(), theirs.locale());
        for name in PromptName::ALL {
            let (ours, theirs) = (ours.get(name), theirs.get(name));
            assert_eq!(ours.frames(), theirs.frames());
            for codec in [Codec::Pcmu, Codec::Pcma] {
                for frame in 0..ours.frames() {
                    assert_eq!(ours.frame(codec, frame), theirs.frame(codec, frame));
                }
            }
        }
    }
}

#[test]
fn check_is_content_with_what_is_shipped() {
    for arguments in [
        vec!["check", "--strict"],
        vec!["check", "--strict", shipped().to_str().unwrap()],
    ] {
        let (out, fit) = ringtrue_prompts(&arguments);
        assert!(fit, "{out}");
        assert!(
            out.contains("85 recordings in 5 locales: 0 errors, 0 warnings"),
            "{out}"
        );
    }
}

/// Two keys of 120 ms with a pause between, in one otherwise silent second.
fn keys() -> Vec<i16> {
    let mut samples = vec![0i16; 8_000];
    for (start, low, high) in [(1_000, 770.0, 1_336.0), (4_000, 941.0, 1_477.0)] {
        for n in 0..960 {
            let angle = std::f64::consts::TAU * n as f64 / 8_000.0;
            let tone = (low * angle).sin() + (high * angle).sin();
            samples[start + n] = (tone * 4_000.0) as i16;
        }
    }
    samples
}

#[test]
fn check_finds_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let (out, fit) = ringtrue_prompts(&["check", path]);
    assert!(!fit && out.contains("no locale in"), "{out}");

    ringtrue_prompts(&["export", path, "--locale", "fr-FR"]);
    let french = dir.path().join("fr-FR");
    fs::remove_file(french.join("wrong-key.wav")).unwrap();
    fs::write(french.join("digit-1.wav"), b"ID3").unwrap();
    fs::write(french.join("digit-2.wav"), wav::write(&[0; 4_000])).unwrap();
    fs::write(french.join("greeting.wav"), wav::write(&keys())).unwrap();
    fs::write(french.join("press_hash.wav"), b"").unwrap();
    fs::write(french.join("music.mp3"), b"").unwrap();
    fs::write(french.join("notes.txt"), b"").unwrap();
    fs::create_dir(dir.path().join("en_US")).unwrap();
    fs::write(dir.path().join("en_US/greeting.wav"), b"").unwrap();

    let (out, fit) = ringtrue_prompts(&["check", path]);
    assert!(!fit);
    for words in [
        "wrong-key       \n    error: is missing",
        "error: not a WAV file",
        "error: is silent",
        "error: holds the tone of key 5 at 0.1",
        "error: holds the tone of key # at 0.5",
        "warning: press_hash.wav is not used: did you mean press-hash.wav?",
        "warning: music.mp3 is not used: save it as WAV",
        "warning: en_US is not used: name it en-US",
        "17 recordings in 1 locales: 5 errors, 3 warnings",
    ] {
        assert!(out.contains(words), "{words:?} in {out}");
    }
    assert!(!out.contains("notes.txt"), "{out}");

    let (out, fit) = ringtrue_prompts(&["check", path, "--format", "json"]);
    assert!(!fit);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&report["errors"], &report["warnings"]),
        (&5.into(), &3.into())
    );
    let recordings = report["locales"][0]["recordings"].as_array().unwrap();
    assert_eq!(recordings.len(), PromptName::COUNT);
    let greeting = &recordings[PromptName::Greeting as usize];
    assert_eq!(greeting["keys"][0]["key"], "5");
    assert_eq!(greeting["keys"][1]["key"], "#");
    assert_eq!(greeting["rate"], 8_000);
    assert_eq!(greeting["findings"][0]["severity"], "error");
    let missing = &recordings[PromptName::WrongKey as usize];
    assert_eq!(missing.get("rate"), None);
}

#[test]
fn strict_minds_warnings() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    ringtrue_prompts(&["export", path, "--locale", "en-US"]);
    fs::write(dir.path().join("en-US/hello.wav"), b"").unwrap();
    assert!(ringtrue_prompts(&["check", path]).1);
    assert!(!ringtrue_prompts(&["check", path, "--strict"]).1);
}

#[test]
fn export_leaves_own_recordings_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let (out, _) = ringtrue_prompts(&["export", path]);
    assert!(out.starts_with("85 recordings written"), "{out}");
    let own = dir.path().join("it-IT/greeting.wav");
    fs::write(&own, b"mine").unwrap();
    fs::remove_file(dir.path().join("it-IT/digit-9.wav")).unwrap();
    let (out, _) = ringtrue_prompts(&["export", path]);
    assert!(out.starts_with("1 recordings written"), "{out}");
    assert!(out.contains("84 were there"), "{out}");
    assert_eq!(fs::read(&own).unwrap(), b"mine");

    let line = ["prompts", "export", path, "--locale", "de-DE"];
    let parsed = CommandLine::try_parse_from(line).unwrap();
    let error = prompts::run(&parsed.prompts, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("choose one of en-GB"), "{error}");
}

#[test]
fn convert_makes_a_recording_fit() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (
        dir.path().join("studio.wav"),
        dir.path().join("greeting.wav"),
    );
    // A faint recording at 16 kHz with a DC offset and a second of silence in front.
    let shipped = folder::read(&shipped().join("en-GB/greeting.wav")).unwrap();
    let mut samples = vec![300i16; 16_000];
    let studio = ringtrue::audio::resample::resample(&shipped.samples, 8_000, 16_000).unwrap();
    samples.extend(studio.iter().map(|s| (s * 1_500.0) as i16 + 300));
    let mut file = wav::write(&samples);
    file[24..28].copy_from_slice(&16_000u32.to_le_bytes());
    fs::write(&from, file).unwrap();

    let arguments = ["convert", from.to_str().unwrap(), to.to_str().unwrap()];
    let (out, _) = ringtrue_prompts(&arguments);
    assert!(out.contains("16000 Hz 16-bit PCM"), "{out}");
    let converted = folder::read(&to).unwrap();
    let (inspection, _) = inspection::inspect(PromptName::Greeting, &converted).unwrap();
    let bad = |f: &&inspection::Finding| f.severity > Severity::Note;
    assert_eq!(inspection.findings.iter().find(bad), None);
    let wanted = shipped.samples.len() as f64 / 8_000.0;
    assert!((inspection.seconds - wanted).abs() < 0.1, "{inspection:?}");

    let line = ["prompts", "convert", "/nowhere.wav", to.to_str().unwrap()];
    let parsed = CommandLine::try_parse_from(line).unwrap();
    let error = prompts::run(&parsed.prompts, &mut Vec::new()).unwrap_err();
    assert!(
        error.to_string().contains("/nowhere.wav cannot be read"),
        "{error}"
    );
}
