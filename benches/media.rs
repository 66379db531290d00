//! What a packet costs: one shard of the media plane beside a bare loop over the same number of
//! sockets that does nothing but send and receive.
//!
//! `cargo bench --bench media [-- STREAMS SECONDS]`. Every stream plays a prompt, hears the one its
//! peer plays, and listens for keys in it. Figures are CPU time, user and system, of the whole
//! process, per packet pair: one packet sent and one received.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use ringtrue::audio::{Codec, Prompt};
use ringtrue::rtp::Media;
use ringtrue::voice::media::{
    MediaConfig, MediaPlane, StreamCommand, StreamId, StreamNews, StreamSpec,
};
use ringtrue::voice::wire::Tap;
use tokio::sync::mpsc;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const FRAME: Duration = Duration::from_millis(20);
/// Packet pairs of a call with 1.6 s of two-way media.
const CALL: f64 = 80.0;

fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the system tells what we use");
    let time = usage.user_time() + usage.system_time();
    Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1_000)
}

/// CPU time a packet pair, in microseconds.
struct Cost(f64);

impl Cost {
    fn of(used: Duration, pairs: u64) -> Cost {
        Cost(used.as_secs_f64() * 1e6 / pairs as f64)
    }

    fn show(&self, what: &str, pairs: u64, bare: Option<&Cost>) {
        let ratio = bare.map_or(String::new(), |bare| {
            format!(", {:.2} times the bare loop", self.0 / bare.0)
        });
        println!(
            "{what:<10} {:6.2} us a pair ({pairs} pairs), {:.3} ms a call of 1.6 s{ratio}",
            self.0,
            self.0 * CALL / 1_000.0,
        );
    }
}

/// Sends and receives one packet a socket every 20 ms, and does nothing else.
fn bare(streams: usize, seconds: u64) -> (Cost, u64) {
    let sockets: Vec<UdpSocket> = (0..streams)
        .map(|_| UdpSocket::bind((LOCAL, 0)).expect("a socket"))
        .collect();
    let addresses: Vec<SocketAddr> = sockets
        .iter()
        .map(|socket| socket.local_addr().expect("an address"))
        .collect();
    for socket in &sockets {
        socket.set_nonblocking(true).expect("a nonblocking socket");
    }
    let packet = [0x55; 172];
    let mut buffer = [0; 2_048];
    let mut pairs = 0;
    let start = Instant::now();
    let before = cpu();
    for round in 0..seconds * 50 {
        for (n, socket) in sockets.iter().enumerate() {
            socket.send_to(&packet, addresses[n ^ 1]).expect("sent");
            if let Ok(received) = socket.recv_from(&mut buffer) {
                black_box(received);
                pairs += 1;
            }
        }
        let next = start + FRAME * (round as u32 + 1);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    (Cost::of(cpu() - before, pairs), pairs)
}

fn plane(streams: usize, seconds: u64) -> (Cost, u64) {
    let (events, mut news) = mpsc::channel(65_536);
    let config = MediaConfig {
        bind: LOCAL,
        advertise: None,
        ports: 20_000..=31_999,
        shards: 1,
        tap: Tap::default(),
    };
    let plane = MediaPlane::start(config, events).expect("a plane");
    // Speech-like: noise in bursts, so that silence is not all that is decoded.
    let mut state = 1u32;
    let samples: Vec<i16> = (0..8_000u32 * 12)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if n / 4_000 % 3 == 0 {
                0
            } else {
                (state >> 19) as i16 - 4_096
            }
        })
        .collect();
    let prompt = Prompt::from_samples("noise", &samples);
    let mut open: Vec<StreamId> = Vec::new();
    for _ in 0..streams / 2 {
        let pair = (plane.reserve(), plane.reserve());
        let (Ok(a), Ok(b)) = pair else {
            panic!("no port left: {pair:?}");
        };
        let spec = |remote| StreamSpec {
            remote,
            codec: Codec::Pcmu,
            payload_type: Codec::Pcmu.payload_type(),
            event: Some(101),
            hears: Media::new(Codec::Pcmu.payload_type(), Codec::Pcmu, Some(101)),
            latch: false,
            media_timeout: Duration::from_secs(60),
        };
        let (to_a, to_b) = (spec(a.addr()), spec(b.addr()));
        open.push(plane.open(a, to_b).expect("open"));
        open.push(plane.open(b, to_a).expect("open"));
    }
    let plays = seconds as usize / 12 + 2;
    for stream in &open {
        let prompts = vec![prompt.clone(); plays];
        let play = StreamCommand::Play { prompts, tag: 1 };
        plane.command(*stream, play).expect("play");
    }
    std::thread::sleep(Duration::from_millis(500));
    let before = cpu();
    std::thread::sleep(Duration::from_secs(seconds));
    let used = cpu() - before;
    for stream in open {
        plane.command(stream, StreamCommand::Close).expect("close");
    }
    plane.shutdown();
    // Packets before and behind the measured time are few; they are taken off by their share.
    let (mut sent, mut lost, mut skipped, mut keys) = (0, 0, 0, 0);
    while let Ok(event) = news.try_recv() {
        match event.news {
            StreamNews::Closed(report) => {
                sent += report.received.received;
                lost += report.received.lost;
                skipped += report.skipped;
            }
            StreamNews::Key(_) => keys += 1,
            _ => {}
        }
    }
    if (lost, skipped, keys) != (0, 0, 0) {
        println!("  (lost {lost}, frames left out {skipped}, false keys {keys})");
    }
    let expected = streams as u64 * seconds * 50;
    (Cost::of(used, expected.min(sent)), expected.min(sent))
}

fn main() {
    // Cargo passes `--bench`.
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse().ok());
    let streams = numbers
        .next()
        .map_or(200, |streams: u64| streams as usize & !1);
    let seconds = numbers.next().unwrap_or(5);
    println!("{streams} streams, {seconds} s each");
    let (floor, pairs) = bare(streams, seconds);
    floor.show("bare loop", pairs, None);
    let (cost, pairs) = plane(streams, seconds);
    cost.show("shard", pairs, Some(&floor));
}
