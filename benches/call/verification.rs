//! Whole verifications through the service, against SIPp.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::bare;
use super::peers::{Ringtrue, Wanted};
use super::phone::{self, Phone, datagrams};
use super::process::{processor_time, resident};

/// The prompts of the tests last 400 ms each. The guard would not let so many calls pass, and remembers
/// numbers, as it should; here it remembers few, so that any other growth shows.
const CALL: &str = "prompt_plays = 5\npause_between_plays = \"300ms\"\nlisten_first = \"200ms\"\n\
    [guard]\nper_range = [\"100000 per 10s\"]\nper_tenant = [\"100000 per 10s\"]\n\
    overall = [\"100000 per 10s\"]\nmost_numbers = 1000\n";

/// Runs so many calls at that many a second and prints what they cost.
pub async fn run(calls: u64, rate: u64) -> anyhow::Result<()> {
    let phone = Phone::start(phone::PRESSES)?;
    let wanted = Wanted {
        proxy: format!("127.0.0.1:{}", phone.port),
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
    // The answer comes first; the goodbye and the BYE follow.
    let took = began.elapsed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let spent = processor_time(ringtrue.id())? - cpu;
    let packets = (datagrams()? - packets) as f64 / calls as f64;
    let each = spent / calls as u32;
    let alone = phone::alone(packets)?;
    let paced = bare::verification()?;
    println!(
        "verification: {calls} calls at {:.1} a second, {:.2?} each from request to answer: \
         {each:.2?} CPU a call; its {packets:.0} datagrams alone {alone:.1?}: {:.2} x; \
         all its system calls alone, 50 a second, {paced:.1?}: {:.2} x",
        calls as f64 / took.as_secs_f64(),
        lasted / calls as u32,
        each.as_secs_f64() / alone.as_secs_f64(),
        each.as_secs_f64() / paced.as_secs_f64(),
    );
    if calls > 1_000 {
        // Transactions linger for 32 seconds (RFC 3261 17.1.1.2), and ports rest.
        tokio::time::sleep(Duration::from_secs(35)).await;
        println!("  at rest again: {} KiB resident", resident(ringtrue.id())?);
    }
    Ok(())
}

/// One verification, and how long it took.
async fn verify(ringtrue: &Ringtrue, n: u64) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let id = ringtrue.challenge(&format!("+4474{:08}", n)).await;
    let outcome = ringtrue.outcome(&id).await;
    anyhow::ensure!(outcome == "approved/key_pressed", "call {n}: {outcome}");
    Ok(began.elapsed())
}
