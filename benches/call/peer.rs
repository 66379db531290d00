//! The same call by baresip: it dials, speaks from a file and listens, to nothing in particular; the
//! phone hangs up.

use std::io::Read;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ringtrue::audio::wav;

use super::peers::baresip::{Baresip, Setup};
use super::phone::{self, Phone, datagrams};
use super::process::processor_time;

/// Calls before those that are counted.
const WARM: u64 = 20;

/// Has it call so often at that many a second and prints what that cost, beside `ours`.
pub fn run(calls: u64, rate: u64, ours: Option<Duration>) -> anyhow::Result<()> {
    let phone = Phone::start(phone::LEAVES)?;
    let mut baresip = Baresip::start(Setup {
        user: "bench",
        account: ";audio_codecs=pcma",
        speech: wav::write(&phone::noise(80_000)),
        ports: 20_000..=29_998,
        config: "call_max_calls 0\n",
        arguments: &[],
    });
    let mut told = baresip.told();
    // What it tells is read, or it would stop telling; that it is killed in the end is no error.
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        let _ = told.read_to_end(&mut all);
        all
    });
    dial(&mut baresip, phone.port, WARM, rate);
    let (cpu, packets) = (processor_time(baresip.id())?, datagrams()?);
    let lasted = dial(&mut baresip, phone.port, calls, rate);
    let each = (processor_time(baresip.id())? - cpu) / calls as u32;
    let packets = (datagrams()? - packets) as f64 / calls as f64;
    drop(baresip);
    let told = reader.join().unwrap_or_default();
    let told = String::from_utf8_lossy(&told);
    let established = told.matches("CALL_ESTABLISHED").count() as u64;
    anyhow::ensure!(
        established == WARM + calls,
        "{established} calls came about, and {} were dialled",
        WARM + calls
    );
    let alone = phone::alone(packets)?;
    let ratio = ours.map_or(String::new(), |ours| {
        format!(
            "; {:.1} times the gateway",
            each.as_secs_f64() / ours.as_secs_f64()
        )
    });
    println!(
        "baresip: {calls} calls at {:.1} a second: {each:.2?} CPU a call; its {packets:.0} datagrams \
         alone {alone:.1?}: {:.2} x{ratio}",
        calls as f64 / lasted.as_secs_f64(),
        each.as_secs_f64() / alone.as_secs_f64(),
    );
    Ok(())
}

/// Dials so often, and waits until the last call is over; how long the dialling took.
fn dial(baresip: &mut Baresip, port: u16, calls: u64, rate: u64) -> Duration {
    let began = Instant::now();
    for n in 1..=calls {
        baresip.send("dial", &format!("sip:{n}@127.0.0.1:{port}"));
        let next = began + Duration::from_secs(n) / rate as u32;
        sleep(next.saturating_duration_since(Instant::now()));
    }
    let lasted = began.elapsed();
    sleep(Duration::from_secs(4));
    lasted
}
