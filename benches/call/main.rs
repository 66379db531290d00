//! What calls cost, against SIPp: `cargo bench --bench call [-- CASE...]`.
//!
//! - `signalling`: INVITE to BYE by the endpoint and its socket, against SIPp's built-in `uas`, as
//!   many at once as SIPp keeps up with. CPU time of the thread that does it all.
//! - `gateway`: verification calls with 1.6 s of RTP both ways and `#`, by the voice gateway: SIP,
//!   media, keys and script, without HTTP and store. CPU time of its threads over 500 calls at 50 a
//!   second.
//! - `baresip`: as many of the same calls by baresip, which hears no key in them.
//! - `verification`: whole verifications through `ringtrue serve`: HTTP, SQLite, SIP, 1.6 s of RTP
//!   both ways, `#`. CPU time of that process, all threads, over 500 calls at 50 a second.
//! - `soak [CALLS [PER_SECOND]]`: the same for long, with the process's memory on the way.
//!
//! Beside each stands the bare price of its packets: the same number of datagrams of the same
//! length sent and received through loopback sockets by a loop that does nothing else; beside the
//! verification also that of all its system calls at its pace.

mod bare;
mod gateway;
mod peer;
#[path = "../../tests/peers/mod.rs"]
mod peers;
mod phone;
mod process;
mod signalling;
mod verification;

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// That of `serve`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let is_wanted = |case: &str| words.is_empty() || words.iter().any(|word| word == case);
    if is_wanted("signalling") {
        runtime()?.block_on(signalling::run())?;
    }
    let mut ours = None;
    if is_wanted("gateway") {
        ours = Some(gateway::run(500, 50)?);
    }
    if is_wanted("baresip") {
        peer::run(500, 50, ours)?;
    }
    if is_wanted("verification") {
        runtime()?.block_on(verification::run(500, 50))?;
    }
    if words.iter().any(|word| word == "soak") {
        let mut numbers = words.iter().filter_map(|word| word.parse().ok());
        let (calls, rate) = (
            numbers.next().unwrap_or(100_000),
            numbers.next().unwrap_or(100),
        );
        runtime()?.block_on(verification::run(calls, rate))?;
    }
    Ok(())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// CPU time of this thread.
fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map(Duration::from)
        .unwrap_or_default()
}
