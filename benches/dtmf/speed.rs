//! Channels a core: CPU time of whole banks, every decision included, beside SpanDSP's.

use std::fmt::Write;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ringtrue::dtmf::bank::{Bank, Kernel};
use ringtrue::dtmf::{DetectorConfig, Digit, Generator, KeyShape};

use super::channel;
use super::corpus;
use super::spandsp::SpanDsp;

/// Channels side by side.
const CHANNELS: usize = 1_000;
/// Frames of each, 20 ms.
const FRAMES: usize = 500;

fn cpu_seconds() -> f64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .map_or(0.0, |t| t.tv_sec() as f64 + t.tv_nsec() as f64 * 1e-9)
}

/// What the channels carry.
fn loads() -> anyhow::Result<Vec<(&'static str, Vec<i16>)>> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let length = 8_000 * 240;
    let mut noise = vec![0f64; length];
    channel::add_noise(&mut noise, 1e6, &mut rng);
    let noise = channel::compand(&noise, channel::Law::A);
    let mut keys = Vec::new();
    while keys.len() < length {
        let digit: Vec<Digit> = Digit::from_event(rng.random_range(0..16))
            .into_iter()
            .collect();
        keys.extend(Generator::new(&digit, KeyShape::default()).render());
    }
    let mut music = Vec::new();
    for path in corpus::files()? {
        if path.starts_with(corpus::PACKAGES[5].1) {
            music.extend(corpus::read(&path)?);
        }
    }
    let speech = corpus::speech_sample()?;
    // A verification call: a phone that rustles, some speech, one key in 15 s.
    let mut call = Vec::new();
    for second in speech.chunks(8_000 * 3) {
        call.extend_from_slice(second);
        call.extend(noise.iter().take(8_000 * 12).map(|x| x >> 6));
        let digit: Vec<Digit> = Digit::from_event(11).into_iter().collect();
        call.extend(Generator::new(&digit, KeyShape::default()).render());
    }
    Ok(vec![
        ("silence", vec![0; length]),
        ("a verification call", call),
        ("speech without a pause", speech),
        ("music", music),
        ("white noise at -27 dBm0", noise),
        ("keys without end, 100 ms each", keys),
    ])
}

/// Measures every load on every kernel and returns the table.
pub fn table() -> anyhow::Result<String> {
    let mut spandsp = SpanDsp::start()?;
    let mut out = String::new();
    let kernels = Kernel::available();
    write!(out, "| what the channels carry | SpanDSP |")?;
    for kernel in &kernels {
        write!(out, " {} |", kernel.name())?;
    }
    writeln!(out, " {} over SpanDSP |", Kernel::fastest().name())?;
    writeln!(out, "|---|---|{}---|", "---|".repeat(kernels.len()))?;
    for (name, audio) in loads()? {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let starts: Vec<usize> = (0..CHANNELS)
            .map(|_| rng.random_range(0..audio.len() - FRAMES * 160))
            .collect();
        // Frame after frame for all channels, as they come in.
        let rounds: Vec<Vec<[i16; 160]>> = (0..FRAMES)
            .map(|frame| {
                starts
                    .iter()
                    .filter_map(|start| audio[start + frame * 160..].first_chunk().copied())
                    .collect()
            })
            .collect();
        let mut theirs = f64::INFINITY;
        let mut ours = vec![f64::INFINITY; kernels.len()];
        // The best of three, taken in turns: other work on the machine only ever slows.
        for _ in 0..3 {
            let piece = &audio[starts[0]..starts[0] + FRAMES * 160];
            let long: Vec<i16> = piece
                .iter()
                .copied()
                .cycle()
                .take(FRAMES * 160 * 10)
                .collect();
            theirs = theirs.min(spandsp.seconds(&long)? / long.len() as f64);
            for (kernel, best) in kernels.iter().zip(&mut ours) {
                let mut bank = Bank::with_kernel(CHANNELS, DetectorConfig::default(), *kernel);
                let mut heard = 0usize;
                let mut taken = 0.0;
                // As a media shard has them: just decoded, in one buffer used again and again.
                let mut decoded = vec![[0i16; 160]; CHANNELS];
                for frames in &rounds {
                    decoded.copy_from_slice(frames);
                    let before = cpu_seconds();
                    bank.feed(&decoded, &mut |_, _| heard += 1);
                    taken += cpu_seconds() - before;
                }
                std::hint::black_box(heard);
                *best = best.min(taken / (CHANNELS * FRAMES * 160) as f64);
            }
        }
        let channels = |seconds: f64| 1.0 / (seconds * 8_000.0);
        let mut line = format!("| {name} | {:.0} k |", channels(theirs) / 1e3);
        for seconds in &ours {
            write!(line, " {:.0} k |", channels(*seconds) / 1e3)?;
        }
        let fastest = ours.last().copied().unwrap_or(f64::INFINITY);
        write!(line, " **{:.1} x** |", theirs / fastest)?;
        eprintln!("{line}");
        writeln!(out, "{line}")?;
    }
    Ok(out)
}
