//! The phone of the benchmark: SIPp, which answers, speaks for 1.2 s and presses the hash key.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ringtrue::audio::{Codec, g711};
use ringtrue::dtmf::{Digit, Generator, KeyShape};
use tempfile::TempDir;

use super::bare;
use super::peers::{Running, udp_port, wait_for_udp};

/// Presses the key and leaves the hanging up to the caller.
pub const PRESSES: &str = "answer-speak-press.xml";
/// Hangs up itself, when as much has been said.
pub const LEAVES: &str = "answer-speak-leave.xml";
/// How long the phone speaks before the key, in samples: 1.2 s. The key lasts 100 ms, and the goodbye
/// 400 ms after it.
const SPEAKS: usize = 9_600;

/// SIPp, for as long as this is kept.
pub struct Phone {
    /// Where it listens.
    pub port: u16,
    _process: Running,
    _folder: TempDir,
}

impl Phone {
    /// Starts it with a scenario of this directory and waits until it listens.
    pub fn start(scenario: &str) -> anyhow::Result<Phone> {
        let folder = TempDir::new()?;
        let (port, media) = (udp_port(), udp_port() & !1);
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/call");
        fs::copy(scenarios.join(scenario), folder.path().join(scenario))?;
        fs::write(folder.path().join("speech.g711a"), speech())?;
        let mut command = Command::new("sipp");
        command
            .current_dir(folder.path())
            .args(["-sf", scenario])
            .args(["-i", "127.0.0.1", "-nostdin"])
            .args(["-p", &port.to_string(), "-mp", &media.to_string()])
            .args(["-trace_err", "-error_file"])
            .arg(folder.path().join("errors"))
            .arg("127.0.0.1");
        let process = Running::start(&mut command, "sipp", &folder.path().join("log"));
        wait_for_udp(port);
        Ok(Phone {
            port,
            _process: process,
            _folder: folder,
        })
    }
}

/// So many samples of a person's noises.
pub fn noise(samples: usize) -> Vec<i16> {
    let mut noise = 1_u32;
    (0..samples)
        .map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 20) as i16 - 2_048
        })
        .collect()
}

/// A person's noises, and the hash key.
fn speech() -> Vec<u8> {
    let mut samples = noise(SPEAKS);
    samples.extend(Generator::new(&[Digit::HASH], KeyShape::default()).render());
    samples.extend([0; 16_000]);
    g711::encode_all(Codec::Pcma, &samples)
}

/// UDP datagrams that this host has sent so far.
pub fn datagrams() -> anyhow::Result<u64> {
    let table = fs::read_to_string("/proc/net/snmp")?;
    let mut lines = table.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (names, values) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let mut pairs = names.split(' ').zip(values.split(' '));
    let sent = pairs.find(|(name, _)| *name == "OutDatagrams");
    Ok(sent.map_or("0", |(_, value)| value).parse()?)
}

/// CPU time of so many datagrams by system calls alone. Nearly every one has us at one end, half
/// of them as the sender.
pub fn alone(datagrams: f64) -> anyhow::Result<Duration> {
    let (send, receive) = bare::datagram(bare::RTP)?;
    Ok((send + receive).mul_f64(datagrams / 2.0))
}
