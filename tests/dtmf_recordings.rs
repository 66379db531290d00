//! `ringtrue dtmf` from end to end: recordings as they came, made keys, captures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;
use pcap_file::pcapng::blocks::interface_statistics::InterfaceStatisticsBlock;
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
    let code = dtmf::run(&line.dtmf, None, &mut out).unwrap();
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
    // 3.5 % on either tone or on both is no key, whether or not it resembles one enough to be
    // told of.
    for digit in ["1", "5", "8", "#", "D"] {
        for low in ["0", "3.5", "-3.5"] {
            for high in ["0", "3.5", "-3.5"] {
                let off = ["--low-off", low, "--high-off", high];
                let words = [&["generate", digit, "--out", file], &off[..]].concat();
                assert_eq!(ringtrue(&words).0, ExitCode::SUCCESS);
                let exact = low == "0" && high == "0";
                let expected = ExitCode::from(u8::from(!exact));
                let (code, out) = ringtrue(&["decode", file]);
                assert_eq!(code, expected, "{digit} {low} {high}: {out}");
            }
        }
    }
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
    frame_of(0x1234_5678, sequence, timestamp, kind, payload)
}

/// The same of the stream with this SSRC.
fn frame_of(ssrc: u32, sequence: u16, timestamp: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut rtp = vec![0x80, kind];
    rtp.extend(sequence.to_be_bytes());
    rtp.extend(timestamp.to_be_bytes());
    rtp.extend(ssrc.to_be_bytes());
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

/// Two streams side by side, one in each law: `first` and `second` pressed, 0.2 s into each. Of the
/// second, the packet in the middle of its first key was lost.
fn two_streams(first: &str, second: &str) -> Vec<Vec<u8>> {
    let packets = |keys: &str, codec: Codec, kind: u8, ssrc: u32| {
        let samples = [vec![0; 1_600], pressed(keys)].concat();
        let octets = g711::encode_all(codec, &samples);
        let frames = octets.chunks(160).enumerate();
        let frames = frames
            .map(|(index, octets)| frame_of(ssrc, index as u16, index as u32 * 160, kind, octets));
        frames.collect::<Vec<_>>()
    };
    let one = packets(first, Codec::Pcma, 8, 1);
    let mut two = packets(second, Codec::Pcmu, 0, 2);
    two.remove(12);
    let mut both = Vec::new();
    for index in 0..one.len().max(two.len()) {
        both.extend(one.get(index).cloned());
        both.extend(two.get(index).cloned());
    }
    both
}

/// A pcapng file of two interfaces, of which the second saw the frames, and a block of another
/// kind in between (draft-ietf-opsawg-pcapng).
fn pcapng(frames: &[Vec<u8>], path: &Path) {
    let file = fs::File::create(path).unwrap();
    let mut writer = PcapNgWriter::new(file).unwrap();
    for linktype in [DataLink::RAW, DataLink::ETHERNET] {
        let interface = InterfaceDescriptionBlock {
            linktype,
            snaplen: 65_535,
            options: vec![],
        };
        writer.write_pcapng_block(interface).unwrap();
    }
    for (index, frame) in frames.iter().enumerate() {
        let packet = EnhancedPacketBlock {
            interface_id: 1,
            timestamp: Duration::from_millis(5_000 + index as u64 * 10),
            original_len: frame.len() as u32,
            data: frame.as_slice().into(),
            options: vec![],
        };
        writer.write_pcapng_block(packet).unwrap();
        if index == 7 {
            let statistics = InterfaceStatisticsBlock {
                interface_id: 1,
                timestamp: 0,
                options: vec![],
            };
            writer.write_pcapng_block(statistics).unwrap();
        }
    }
}

#[test]
fn both_streams_of_a_pcapng_capture_are_heard_and_a_broken_one_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call.pcapng");
    pcapng(&two_streams("15#", "2*"), &path);
    let keys = |report: &serde_json::Value, source: &str| -> String {
        let keys = report[0]["keys"].as_array().unwrap().iter();
        keys.filter(|key| key["stream"].as_str().unwrap().contains(source))
            .map(|key| key["key"].as_str().unwrap().to_string())
            .collect()
    };
    let (code, out) = ringtrue(&["decode", path.to_str().unwrap(), "--format", "json"]);
    assert_eq!(code, ExitCode::SUCCESS, "{out}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(keys(&report, "00000001"), "15#", "{out}");
    assert_eq!(keys(&report, "00000002"), "2*", "{out}");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() * 2 / 3]).unwrap();
    let (code, out) = ringtrue(&["decode", path.to_str().unwrap(), "--format", "json"]);
    assert_eq!(code, ExitCode::SUCCESS, "{out}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(keys(&report, "00000001"), "15", "{out}");
}

#[test]
fn a_stream_of_a_capture_is_plotted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call.pcapng");
    let path = path.to_str().unwrap();
    pcapng(&two_streams("15#", "2*"), Path::new(path));
    let picture = folder.path().join("why.svg");
    let plot = |words: &[&str]| {
        let always = ["dtmf", "plot", path, "--out", picture.to_str().unwrap()];
        let line = Line::try_parse_from([&always, words].concat()).unwrap();
        let mut out = Vec::new();
        let code = dtmf::run(&line.dtmf, None, &mut out);
        code.map(|_| String::from_utf8(out).unwrap())
    };
    // One key each, though a packet is missing in the middle of the second stream's first.
    for (words, keys) in [(vec![], "3 keys 15#"), (vec!["--stream", "2"], "2 keys 2*")] {
        let out = plot(&words).unwrap();
        assert!(out.contains(&format!("in all {keys}")), "{out}");
        let svg = fs::read_to_string(&picture).unwrap();
        let title = format!("call.pcapng: keys {}", &keys[7..]);
        assert!(svg.contains(&title), "{title}");
    }
    let fault = format!("{:#}", plot(&["--stream", "3"]).unwrap_err());
    assert!(fault.contains("no stream 3"), "{fault}");
    assert!(
        fault.contains("2: 192.0.2.1:20000 to 192.0.2.2:20002, SSRC 00000002"),
        "{fault}"
    );
    let both = [
        "dtmf",
        "plot",
        path,
        "--out",
        "x.svg",
        "--stream",
        "1",
        "--channel",
        "1",
    ];
    assert!(Line::try_parse_from(both).is_err());
}

/// A second of keys in another shape of file.
fn pressed(keys: &str) -> Vec<i16> {
    let digits: Vec<Digit> = keys.chars().filter_map(Digit::from_char).collect();
    Generator::new(&digits, KeyShape::default()).render()
}

/// The same sound at another rate, by straight lines between samples.
fn at_rate(samples: &[i16], rate: u32) -> Vec<f32> {
    let count = samples.len() as u64 * u64::from(rate) / 8_000;
    (0..count)
        .map(|n| {
            let at = n as f64 * 8_000.0 / f64::from(rate);
            let (index, part) = (at as usize, at.fract());
            let sample = |index: usize| f64::from(*samples.get(index).unwrap_or(&0));
            ((sample(index) * (1.0 - part) + sample(index + 1) * part) / 32_768.0) as f32
        })
        .collect()
}

fn keys_of(path: &Path) -> (ExitCode, String) {
    let (code, out) = ringtrue(&["decode", path.to_str().unwrap(), "--format", "tsv"]);
    let keys = out.lines().filter_map(|l| l.rsplit('\t').next()).collect();
    (code, keys)
}

#[test]
fn recordings_of_any_rate_and_depth_are_heard() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.wav");
    for rate in [6_000, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000] {
        for (bits, sample_format) in [
            (8, hound::SampleFormat::Int),
            (16, hound::SampleFormat::Int),
            (24, hound::SampleFormat::Int),
            (32, hound::SampleFormat::Int),
            (32, hound::SampleFormat::Float),
        ] {
            let spec = hound::WavSpec {
                channels: 1,
                sample_rate: rate,
                bits_per_sample: bits,
                sample_format,
            };
            let mut writer = hound::WavWriter::create(&path, spec).unwrap();
            for x in at_rate(&pressed("15#"), rate) {
                match sample_format {
                    hound::SampleFormat::Float => writer.write_sample(x).unwrap(),
                    hound::SampleFormat::Int => {
                        let full = (1u64 << (bits - 1)) as f64 - 1.0;
                        writer.write_sample((f64::from(x) * full) as i32).unwrap();
                    }
                }
            }
            writer.finalize().unwrap();
            let heard = keys_of(&path);
            assert_eq!(heard, (ExitCode::SUCCESS, "15#".into()), "{rate} {bits}");
        }
    }
}

#[test]
fn g711_in_a_wav_file_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.wav");
    for (tag, codec) in [(6u16, Codec::Pcma), (7, Codec::Pcmu)] {
        let octets = g711::encode_all(codec, &pressed("0*D"));
        let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        file.extend(tag.to_le_bytes());
        file.extend(1u16.to_le_bytes());
        file.extend(8_000u32.to_le_bytes());
        file.extend(8_000u32.to_le_bytes());
        file.extend(1u16.to_le_bytes());
        file.extend(8u16.to_le_bytes());
        file.extend(b"data");
        file.extend((octets.len() as u32).to_le_bytes());
        file.extend(octets);
        fs::write(&path, file).unwrap();
        assert_eq!(
            keys_of(&path),
            (ExitCode::SUCCESS, "0*D".into()),
            "{codec:?}"
        );
    }
}

/// Two channels of 16 bits, the shorter filled up with silence.
fn write_stereo(path: &Path, left: &[i16], right: &[i16]) {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..left.len().max(right.len()) {
        writer.write_sample(*left.get(n).unwrap_or(&0)).unwrap();
        writer.write_sample(*right.get(n).unwrap_or(&0)).unwrap();
    }
    writer.finalize().unwrap();
}

#[test]
fn each_channel_is_heard_for_itself_and_a_press_in_both_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call.wav");
    // One side presses while the other makes as loud a noise.
    let noise: Vec<i16> = (0..8_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 17) as i16 - 16_384)
        .collect();
    write_stereo(&path, &pressed("42#"), &noise);
    assert_eq!(keys_of(&path), (ExitCode::SUCCESS, "42#".into()));
    // Each side presses its own.
    let later = [vec![0; 6_000], pressed("9")].concat();
    write_stereo(&path, &pressed("42#"), &later);
    let name = path.to_str().unwrap();
    let (_, out) = ringtrue(&["decode", name, "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let keys = report[0]["keys"].as_array().unwrap();
    let told: Vec<(&str, u64)> = keys
        .iter()
        .map(|k| (k["key"].as_str().unwrap(), k["channel"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, [("4", 1), ("2", 1), ("#", 1), ("9", 2)]);
    // A mono recording saved in stereo.
    write_stereo(&path, &pressed("44#"), &pressed("44#"));
    assert_eq!(keys_of(&path), (ExitCode::SUCCESS, "44#".into()));
}

#[test]
fn a_folder_is_heard_in_the_order_of_its_names_and_other_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("b")).unwrap();
    let mut expected = String::new();
    for (name, key) in [
        ("a.wav", '1'),
        ("b/c.WAV", '2'),
        ("d.wav", '3'),
        ("e.wav", '4'),
    ] {
        let path = folder.path().join(name);
        let samples = [vec![0; 800], pressed(&key.to_string())].concat();
        fs::write(&path, ringtrue::audio::wav::write(&samples)).unwrap();
        expected.push(key);
    }
    fs::write(folder.path().join("notes.txt"), "no recording").unwrap();
    for _ in 0..5 {
        assert_eq!(
            keys_of(folder.path()),
            (ExitCode::SUCCESS, expected.clone())
        );
    }
    // The table names each key, its file and its measures.
    let (_, out) = ringtrue(&["decode", folder.path().to_str().unwrap()]);
    let all = "4 recordings of 1.2 s in all: 4 keys in 4 of them";
    for words in ["a.wav: 0.3 s, keys 1", "in-band", "697.", "1209.", all] {
        assert!(out.contains(words), "{words} in {out}");
    }
    // A damaged file among good ones is told by the exit code, and the others are heard.
    fs::write(folder.path().join("f.wav"), "RIFF").unwrap();
    assert_eq!(keys_of(folder.path()), (ExitCode::from(2), expected));
}

#[test]
fn a_plot_is_a_picture_of_either_kind() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let samples = [vec![0; 80_000], pressed("7#")].concat();
    fs::write(at("keys.wav"), ringtrue::audio::wav::write(&samples)).unwrap();
    let plot = |words: &[&str]| {
        let line = Line::try_parse_from([&["dtmf", "plot"], words].concat()).unwrap();
        let mut out = Vec::new();
        let code = dtmf::run(&line.dtmf, None, &mut out);
        (code, String::from_utf8(out).unwrap())
    };
    let (code, out) = plot(&[&at("keys.wav"), "--out", &at("keys.png"), "--length", "1"]);
    assert_eq!(code.unwrap(), ExitCode::SUCCESS);
    // It begins half a second before the first key.
    assert!(out.contains("9.4") || out.contains("9.5"), "{out}");
    assert!(out.contains("2 keys 7#"), "{out}");
    let png = fs::read(at("keys.png")).unwrap();
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    let (code, _) = plot(&[&at("keys.wav"), "--out", &at("keys.svg"), "--from", "9"]);
    assert_eq!(code.unwrap(), ExitCode::SUCCESS);
    let svg = fs::read_to_string(at("keys.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    for words in [
        "keys.wav: keys 7#",
        "dBm0",
        "off frequency",
        "data:image/png;base64,",
    ] {
        assert!(svg.contains(words), "{words}");
    }
    for (words, fault) in [
        (vec!["--out", "keys.gif"], "name the picture .png or .svg"),
        (
            vec!["--out", "keys.png", "--from", "99"],
            "not within the recording",
        ),
        (
            vec!["--out", "keys.png", "--channel", "2"],
            "has no channel 2",
        ),
        (vec!["--out", "keys.png", "--length", "0"], "not between"),
    ] {
        let (code, _) = plot(&[&[at("keys.wav").as_str()], words.as_slice()].concat());
        let error = format!("{:#}", code.unwrap_err());
        assert!(error.contains(fault), "{error}");
    }
}
