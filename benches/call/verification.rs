//! Whole verifications through the service, against SIPp.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringtrue::audio::{Codec, g711};
use ringtrue::dtmf::{Digit, Generator, KeyShape};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::peers::{Ringtrue, Running, Wanted, udp_port, wait_for_udp};
use super::process::{processor_time, resident};
use super::{bare, durable};

/// The prompts of the tests last 400 ms each. The guard would not let so many calls pass, and remembers
/// numbers, as it should; here it remembers few, so that any other growth shows.
const CALL: &str = "prompt_plays = 5\npause_between_plays = \"300ms\"\nlisten_first = \"200ms\"\n\
    [guard]\nper_range = [\"100000 per 10s\"]\nper_tenant = [\"100000 per 10s\"]\n\
    overall = [\"100000 per 10s\"]\nmost_numbers = 1000\n";
/// How long the phone speaks before the key, in samples: 1.2 s. The key lasts 100 ms, and the goodbye
/// 400 ms after it.
const SPEAKS: usize = 9_600;
/// Octets of an RTP packet of 20 ms.
const OCTETS: usize = 172;

/// Runs so many calls at that many a second and prints what they cost.
pub async fn run(calls: u64, rate: u64) -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let (port, media) = (udp_port(), udp_port() & !1);
    let scenario =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/call/answer-speak-press.xml");
    fs::copy(scenario, folder.path().join("answer-speak-press.xml"))?;
    fs::write(folder.path().join("speech.g711a"), speech())?;
    let mut command = Command::new("sipp");
    command
        .current_dir(folder.path())
        .args([
            "-sf",
            "answer-speak-press.xml",
            "-i",
            "127.0.0.1",
            "-nostdin",
        ])
        .args(["-p", &port.to_string(), "-mp", &media.to_string()])
        .args(["-trace_err", "-error_file"])
        .arg(folder.path().join("errors"))
        .arg("127.0.0.1");
    let _sipp = Running::start(&mut command, "sipp", &folder.path().join("log"));
    wait_for_udp(port);
    let wanted = Wanted {
        proxy: format!("127.0.0.1:{port}"),
        trunk: "max_calls = 2000",
        call: CALL,
        rule: "",
    };
    // A port rests for five seconds after its call.
    let ringtrue = Ringtrue::start_with(wanted, 20_000..=29_998).await;
    let ringtrue = Arc::new(ringtrue);
    // Warm: the first calls make threads and pools.
    verify(&ringtrue, 0).await?;
    let cpu = processor_time(ringtrue.id())?;
    let packets = datagrams()?;
    let began = Instant::now();
    let mut turns = tokio::time::interval(Duration::from_secs(1) / rate as u32);
    let mut running = JoinSet::new();
    let mut lasted = Duration::ZERO;
    let step = (calls / 10).max(1);
    for n in 1..=calls {
        turns.tick().await;
        let service = Arc::clone(&ringtrue);
        running.spawn(async move { verify(&service, n).await });
        while let Some(done) = running.try_join_next() {
            lasted += done??;
        }
        if calls > 1_000 && n % step == 0 {
            println!(
                "  {n:7} calls begun, {} KiB resident",
                resident(ringtrue.id())?
            );
        }
    }
    while let Some(done) = running.join_next().await {
        lasted += done??;
    }
    let spent = processor_time(ringtrue.id())? - cpu;
    let packets = (datagrams()? - packets) as f64 / calls as f64;
    let each = spent / calls as u32;
    let (send, receive) = bare(OCTETS)?;
    // Nearly every datagram has us at one end, half of them as the sender.
    let alone = (send + receive).as_secs_f64() * packets / 2.0;
    // The challenge before it is answered, and its end before that is told.
    let kept = durable()? * 2;
    println!(
        "verification: {calls} calls at {:.1} a second, {:.2?} each from request to answer: \
         {each:.1?} CPU a call; its {packets:.0} datagrams alone {:.1?}: {:.2} x; \
         two durable writes alone {kept:.1?}",
        calls as f64 / began.elapsed().as_secs_f64(),
        lasted / calls as u32,
        Duration::from_secs_f64(alone),
        each.as_secs_f64() / alone,
    );
    if calls > 1_000 {
        // Transactions linger for 32 seconds (RFC 3261 17.1.1.2), and ports rest.
        tokio::time::sleep(Duration::from_secs(35)).await;
        println!("  at rest again: {} KiB resident", resident(ringtrue.id())?);
    }
    Ok(())
}

/// A person's noises, and the hash key.
fn speech() -> Vec<u8> {
    let mut noise = 1_u32;
    let mut samples: Vec<i16> = (0..SPEAKS)
        .map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 20) as i16 - 2_048
        })
        .collect();
    samples.extend(Generator::new(&[Digit::HASH], KeyShape::default()).render());
    samples.extend([0; 16_000]);
    g711::encode_all(Codec::Pcma, &samples)
}

/// One verification, and how long it took.
async fn verify(ringtrue: &Ringtrue, n: u64) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let id = ringtrue.challenge(&format!("+4474{:08}", n)).await;
    let outcome = ringtrue.outcome(&id).await;
    anyhow::ensure!(outcome == "approved/key_pressed", "call {n}: {outcome}");
    Ok(began.elapsed())
}

/// UDP datagrams that this host has sent so far.
fn datagrams() -> anyhow::Result<u64> {
    let table = fs::read_to_string("/proc/net/snmp")?;
    let mut lines = table.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (names, values) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let mut pairs = names.split(' ').zip(values.split(' '));
    let sent = pairs.find(|(name, _)| *name == "OutDatagrams");
    Ok(sent.map_or("0", |(_, value)| value).parse()?)
}
