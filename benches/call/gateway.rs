//! Verification calls through the voice gateway alone: what places calls, speaks, hears and hangs up,
//! without the service around it. Other engines are measured so, started by a line over a socket.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use ringtrue::audio::{Codec, Locale, PromptLibrary};
use ringtrue::challenge::Reason;
use ringtrue::phone::PhoneNumber;
use ringtrue::voice::gateway::{Gateway, GatewayConfig};
use ringtrue::voice::media::MediaConfig;
use ringtrue::voice::order::{CallOrder, CallRef, Command, News, Report};
use ringtrue::voice::wire::Tap;
use ringtrue::voice::{CallPolicy, Trunk};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::peers::short_prompts;
use super::phone::{self, Phone, datagrams};
use super::process::processor_time;
use super::thread_time;

/// The key is reported first; the goodbye and the BYE follow.
const GOODBYE: Duration = Duration::from_secs(1);

/// Runs so many calls at that many a second and prints what they cost: the CPU time of all threads
/// but this one, which does nothing but place the calls.
pub fn run(calls: u64, rate: u64) -> anyhow::Result<Duration> {
    // As `serve` has it: one thread for all but the media.
    let theirs = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    super::runtime()?.block_on(drive(theirs.handle(), calls, rate))
}

async fn drive(theirs: &Handle, calls: u64, rate: u64) -> anyhow::Result<Duration> {
    let phone = Phone::start(phone::PRESSES)?;
    let folder = TempDir::new()?;
    short_prompts(&folder.path().join("en-GB"));
    let (stop, stopped) = watch::channel(false);
    let config = config(&phone, folder.path())?;
    let gateway = theirs.spawn(Gateway::start(config, stopped)).await??;
    let Gateway {
        commands,
        mut reports,
        task,
    } = gateway;
    // The first make threads and pools.
    place(&commands, &mut reports, 0..100, rate).await?;
    let (before, driver, packets) = (own_time()?, thread_time(), datagrams()?);
    let began = Instant::now();
    place(&commands, &mut reports, 100..100 + calls, rate).await?;
    let lasted = began.elapsed() - GOODBYE;
    let driver = thread_time() - driver;
    let each = (own_time()? - before - driver) / calls as u32;
    let packets = (datagrams()? - packets) as f64 / calls as f64;
    stop.send_replace(true);
    task.await??;
    let alone = phone::alone(packets)?;
    println!(
        "gateway: {calls} calls at {:.1} a second: {each:.2?} CPU a call; its {packets:.0} datagrams \
         alone {alone:.1?}: {:.2} x",
        calls as f64 / lasted.as_secs_f64(),
        each.as_secs_f64() / alone.as_secs_f64(),
    );
    Ok(each)
}

fn own_time() -> anyhow::Result<Duration> {
    processor_time(std::process::id())
}

/// Places calls until all of them have ended in the key.
async fn place(
    commands: &mpsc::Sender<Command>,
    reports: &mut mpsc::Receiver<Report>,
    mut calls: Range<u64>,
    rate: u64,
) -> anyhow::Result<()> {
    let mut turns = tokio::time::interval(Duration::from_secs(1) / rate as u32);
    let mut open = 0;
    while !calls.is_empty() || open > 0 {
        tokio::select! {
            _ = turns.tick(), if !calls.is_empty() => {
                let n = calls.next().unwrap_or_default();
                commands.send(Command::Place(Box::new(order(n)?))).await?;
                open += 1;
            }
            report = reports.recv() => {
                let report = report.context("the gateway has ended")?;
                if let News::Ended(reason) = report.news {
                    anyhow::ensure!(reason == Reason::KeyPressed, "a call ended: {reason:?}");
                    open -= 1;
                }
            }
        }
    }
    tokio::time::sleep(GOODBYE).await;
    Ok(())
}

fn config(phone: &Phone, prompts: &Path) -> anyhow::Result<GatewayConfig> {
    let proxy: Arc<str> = format!("127.0.0.1:{}", phone.port).into();
    let trunk = Trunk {
        name: "peer".into(),
        domain: proxy.clone(),
        proxy,
        credentials: None,
        caller_id: None,
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        latch: false,
        max_calls: 2_000,
        plus: true,
    };
    let default: Locale = "en-GB".parse()?;
    Ok(GatewayConfig {
        bind: ([127, 0, 0, 1], 0).into(),
        advertise: None,
        media: MediaConfig {
            bind: [127, 0, 0, 1].into(),
            advertise: None,
            ports: 20_000..=29_998,
            shards: 2,
            tap: Tap::default(),
        },
        trunks: vec![trunk],
        policy: CallPolicy {
            prompt_plays: 5,
            pause_between_plays: Duration::from_millis(300),
            listen_first: Duration::from_millis(200),
            ..CallPolicy::default()
        },
        prompts: Arc::new(PromptLibrary::load(prompts, &default)?),
        keeper: None,
        tap: Tap::default(),
    })
}

fn order(n: u64) -> anyhow::Result<CallOrder> {
    Ok(CallOrder {
        call: CallRef(Uuid::from_u128(u128::from(n) << 64 | 1)),
        to: PhoneNumber::parse(&format!("+4474{n:08}"))?,
        trunk: "peer".into(),
        caller_id: None,
        locale: "en-GB".into(),
        time_left: Duration::from_secs(60),
    })
}
