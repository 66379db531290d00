//! Texts through the whole service, as many as it takes: `cargo bench --bench texting [-- CHALLENGES
//! [CLIENTS]]`.
//!
//! Each challenge is posted over HTTP, made durable, texted by SMPP to a message centre of ours,
//! answered, and reported delivered by a receipt whose word is durable too; the second case also has
//! the person's code checked and approved. Clients, service and message centre share the machine's
//! cores, as the figure by the clock says; CPU time is that of `ringtrue serve` alone.

mod centre;
mod client;
#[path = "../../tests/peers/mod.rs"]
mod peers;
#[path = "../call/process.rs"]
mod process;

use std::sync::Arc;
use std::time::{Duration, Instant};

use centre::Phones;
use client::Client;
use peers::{Ringtrue, Wanted};
use process::{processor_time, resident};

/// Limits that let so many pass, and a bind to the message centre.
fn sections(port: u16) -> String {
    format!(
        "[challenge]\nmax_open = 1000000\n\
         [guard]\nper_range = [\"100000 per 1s\"]\nper_tenant = [\"100000 per 1s\"]\n\
         overall = [\"100000 per 1s\"]\nmost_numbers = 1000\n\
         [bind.centre]\naddress = \"127.0.0.1:{port}\"\nsystem_id = \"bench\"\npassword = \"bench\"\n\
         window = 100\nsessions = 2\n\
         [log]\nfilter = \"warn\"\n"
    )
}

/// One in so many challenges is looked at in the end.
const SAMPLE: u64 = 500;

/// How far a challenge is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// To the receipt.
    Delivered,
    /// To the code that the person enters.
    Approved,
}

fn main() -> anyhow::Result<()> {
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok());
    let challenges = numbers.next().unwrap_or(50_000);
    let clients = numbers.next().unwrap_or(128);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for way in [Way::Delivered, Way::Approved] {
        runtime.block_on(run(way, challenges, clients))?;
    }
    Ok(())
}

async fn run(way: Way, challenges: u64, clients: u64) -> anyhow::Result<()> {
    let phones = Arc::new(Phones::default());
    let port = centre::start(Arc::clone(&phones))?;
    let call = sections(port);
    let wanted = Wanted {
        proxy: "127.0.0.1:9".to_owned(),
        trunk: "max_calls = 10",
        call: &call,
        rule: "binds = \"centre\"",
    };
    let ringtrue = Ringtrue::start(wanted).await;
    // Warm: the first make threads, pools and tables.
    work(&ringtrue, &phones, way, 0..200, clients).await?;
    let processor = processor_time(ringtrue.id())?;
    let began = Instant::now();
    work(&ringtrue, &phones, way, 1_000..1_000 + challenges, clients).await?;
    let lasted = began.elapsed();
    let spent = processor_time(ringtrue.id())? - processor;
    println!(
        "{way:?}: {challenges} challenges by {clients} clients, {:.0} a second by the clock; {:.1} us \
         CPU each, {:.0} a CPU-second; {} KiB resident",
        challenges as f64 / lasted.as_secs_f64(),
        spent.as_secs_f64() * 1e6 / challenges as f64,
        challenges as f64 / spent.as_secs_f64(),
        resident(ringtrue.id())?,
    );
    Ok(())
}

/// Has these challenges done, and waits until the last receipt is durable.
async fn work(
    ringtrue: &Ringtrue,
    phones: &Arc<Phones>,
    way: Way,
    which: std::ops::Range<u64>,
    clients: u64,
) -> anyhow::Result<()> {
    let before = delivered(ringtrue).await?;
    let count = which.end - which.start;
    let mut running = tokio::task::JoinSet::new();
    let sample = Arc::new(tokio::sync::Mutex::new(Vec::new()));
    let next = Arc::new(std::sync::atomic::AtomicU64::new(which.start));
    for _ in 0..clients {
        let mut client = Client::new(&ringtrue.base, ringtrue.token()).await?;
        let (next, phones) = (Arc::clone(&next), Arc::clone(phones));
        let sample = Arc::clone(&sample);
        running.spawn(async move {
            loop {
                let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if n >= which.end {
                    return anyhow::Ok(());
                }
                let number = format!("+4474{n:08}");
                let id = client.begin(&number).await?;
                match way {
                    Way::Approved => {
                        let code = phones.code(&number).await;
                        client.check(&id, &code).await?;
                    }
                    Way::Delivered if n % SAMPLE == 0 => sample.lock().await.push(id),
                    Way::Delivered => {}
                }
            }
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    if way == Way::Delivered {
        let until = Instant::now() + Duration::from_secs(60);
        while delivered(ringtrue).await? < before + count {
            anyhow::ensure!(
                Instant::now() < until,
                "receipts are missing: {}",
                ringtrue.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The API tells what is durable, and nothing else.
        for id in sample.lock().await.iter() {
            while ringtrue.get(id).await["status"] != "delivered" {
                anyhow::ensure!(Instant::now() < until, "{id}: {}", ringtrue.get(id).await);
            }
        }
    }
    Ok(())
}

/// Texts that were reported delivered and whose report is decided, from the service's metrics.
async fn delivered(ringtrue: &Ringtrue) -> anyhow::Result<u64> {
    let metrics = reqwest::get(format!("{}/metrics", ringtrue.base)).await?;
    let metrics = metrics.text().await?;
    let line = metrics.lines().find(|line| {
        line.starts_with("ringtrue_text_news_total") && line.contains("\"delivered\"")
    });
    let count = line.and_then(|line| line.split(' ').nth(1)?.parse().ok());
    Ok(count.unwrap_or(0))
}
