//! `ringtrue dtmf` from end to end: recordings as they came, made keys, captures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use ringtrue::audio::{Codec, g711};
use ringtrue::cli::dtmf::{self, Dtmf};
use ringtrue::dtmf::analysis::hears_keys;
use ringtrue::dtmf::{Digit, Generator, KeyShape};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    dtmf: Dtmf,
}

/// Runs `ringtrue dtmf WORDS...`; the exit code and what it wrote.
fn ringtrue(words: &[&str]) -> (ExitCode, String) {
    let line = Line::try_parse_from([&["dtmf"], words].concat()).unwrap();
    let mut out = Vec::new();
    let code = dtmf::run(&line.dtmf, &mut out).unwrap();
    (code, String::from_utf8(out).unwrap())
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/dtmf")
        .join(name)
}

#[test]
fn speech_that_comes_nearest_to_a_key_is_none_at_any_level_in_any_law() {
    for name in ["tt-monkeys.wav", "a_p.wav"] {
        let samples: Vec<i16> = hound::WavReader::open(fixture(name))
            .unwrap()
            .samples()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(samples.len() > 8_000);
        for gain in [0.1, 0.5, 1.0, 2.5] {
            let loud: Vec<i16> = samples
                .iter()
                .map(|x| (f64::from(*x) * gain) as i16)
                .collect();
            for codec in [Codec::Pcma, Codec::Pcmu] {
                let heard = g711::decode_all(codec, &g711::encode_all(codec, &loud));
                assert_eq!(hears_keys(&heard), [], "{name} {gain} {codec:?}");
            }
        }
    }
    let folder = fixture("");
    let (code, out) = ringtrue(&["decode", folder.to_str().unwrap(), "--format", "tsv"]);
    assert_eq!(code, ExitCode::from(1));
    assert_eq!(out, "");
}

#[test]
fn what_generate_makes_decode_finds() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.wav");
    let file = file.to_str().unwrap();
    for spoilt in [
        vec![],
        vec!["--law", "mu", "--snr", "15", "--seed", "7"],
        vec!["--clip", "6", "--law", "a"],
        vec!["--low-off", "1.5", "--high-off", "-1.5", "--twist", "-8"],
        vec!["--dial-tone", "350,440", "--level", "-14"],
        vec!["--interrupt", "10"],
        vec!["--tone", "40", "--pause", "40", "--level", "-30"],
    ] {
        let words = [&["generate", "159#*0D", "--out", file], spoilt.as_slice()].concat();
        assert_eq!(ringtrue(&words).0, ExitCode::SUCCESS);
        let (code, out) = ringtrue(&["decode", file, "--format", "tsv"]);
        let keys: String = out.lines().filter_map(|l| l.rsplit('\t').next()).collect();
        assert_eq!(
            (code, keys.as_str()),
            (ExitCode::SUCCESS, "159#*0D"),
            "{spoilt:?}"
        );
        let first: Vec<&str> = out.lines().next().unwrap().split('\t').collect();
        assert_eq!(first.len(), 4);
        assert_eq!(first[0], file);
        let start: f64 = first[1].parse().unwrap();
        assert!((start - 0.1).abs() < 0.006, "{start}");
    }
    // So far off that its tone falls between the bank's: no key, and nothing that resembles one.
    let words = ["generate", "8", "--out", file, "--high-off", "3.5"];
    assert_eq!(ringtrue(&words).0, ExitCode::SUCCESS);
    assert_eq!(ringtrue(&["decode", file]).0, ExitCode::from(1));
    // A little nearer it resembles one, and is refused with the reason.
    let words = ["generate", "8", "--out", file, "--high-off", "3"];
    assert_eq!(ringtrue(&words).0, ExitCode::SUCCESS);
    let (code, out) = ringtrue(&["decode", file, "--format", "json"]);
    assert_eq!(code, ExitCode::from(1));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report[0]["keys"].as_array().unwrap().len(), 0);
    assert_eq!(report[0]["refused"][0]["resembled"], "8");
    assert_eq!(report[0]["refused"][0]["reason"], "off_frequency");
    let (code, out) = ringtrue(&["decode", file, "--refused"]);
    assert_eq!(code, ExitCode::from(1));
    assert!(out.contains("something like 8: off frequency"), "{out}");
}

#[test]
fn a_file_that_cannot_be_read_is_told_by_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.wav");
    fs::write(&bad, b"RIFFnonsense").unwrap();
    let (code, out) = ringtrue(&["decode", bad.to_str().unwrap(), "--format", "json"]);
    assert_eq!(code, ExitCode::from(2));
    assert!(out.contains("\"error\""), "{out}");
}

/// An Ethernet frame with a VLAN tag around an RTP packet.
fn frame(sequence: u16, timestamp: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut rtp = vec![0x80, kind];
    rtp.extend(sequence.to_be_bytes());
    rtp.extend(timestamp.to_be_bytes());
    rtp.extend(0x1234_5678u32.to_be_bytes());
    rtp.extend(payload);
    let mut frame = vec![2; 12];
    frame.extend([0x81, 0, 0, 5, 0x08, 0]);
    let length = 28 + rtp.len() as u16;
    frame.extend([0x45, 0]);
    frame.extend(length.to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    frame.extend([0x4e, 0x20, 0x4e, 0x22]);
    frame.extend((8 + rtp.len() as u16).to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(rtp);
    frame
}

#[test]
fn a_capture_tells_tones_from_events_and_joins_them() {
    // 5 in the audio, # by an event whose tone leaks 60 ms, with a lost and a swapped packet.
    let digits = [Digit::from_char('5').unwrap()];
    let mut audio = vec![0i16; 1_600];
    audio.extend(Generator::new(&digits, KeyShape::default()).render());
    let leak = KeyShape {
        tone_samples: 480,
        pause_samples: 3_520,
        ..KeyShape::default()
    };
    audio.extend(Generator::new(&[Digit::HASH], leak).render());
    let mut frames = Vec::new();
    for (index, samples) in audio.chunks_exact(160).enumerate() {
        let (sequence, timestamp) = (65_530u16.wrapping_add(index as u16), index as u32 * 160);
        let at = u32::MAX - 999;
        let payload = if (23..30).contains(&index) {
            let duration = (index as u16 - 22) * 160;
            let [high, low] = duration.to_be_bytes();
            frames.push(frame(
                sequence,
                at.wrapping_add(3_200 + 320),
                101,
                &[11, 10, high, low],
            ));
            continue;
        } else {
            g711::encode_all(Codec::Pcma, samples)
        };
        if index != 3 {
            frames.push(frame(sequence, at.wrapping_add(timestamp), 8, &payload));
        }
    }
    frames.swap(5, 6);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call.pcap");
    let header = PcapHeader {
        datalink: DataLink::ETHERNET,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(fs::File::create(&path).unwrap(), header).unwrap();
    for (index, frame) in frames.iter().enumerate() {
        let at = Duration::from_millis(1_000 + index as u64 * 20);
        let packet = PcapPacket::new(at, frame.len() as u32, frame);
        writer.write_packet(&packet).unwrap();
    }
    drop(writer);
    let (code, out) = ringtrue(&["decode", path.to_str().unwrap(), "--format", "json"]);
    assert_eq!(code, ExitCode::SUCCESS, "{out}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let keys = report[0]["keys"].as_array().unwrap();
    let told: Vec<(&str, &str)> = keys
        .iter()
        .map(|k| (k["key"].as_str().unwrap(), k["source"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("5", "in_band"), ("#", "both")], "{out}");
    assert!((keys[0]["start"].as_f64().unwrap() - 0.2).abs() < 0.006);
    assert!(
        keys[0]["stream"]
            .as_str()
            .unwrap()
            .contains("192.0.2.1:20000")
    );
}
