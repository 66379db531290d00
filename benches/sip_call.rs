//! What the signalling of a call costs the core: `cargo bench --bench sip_call`.
//!
//! INVITE, 100, 180, 200, ACK, BYE, 200 on the caller's side, with a second endpoint for a phone
//! that is not counted. Calls go in batches, so that the clock is read seldom; simulated time goes
//! on at the rate of each case, so that as many transactions linger as would in service.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use ringtrue::sip::call::{CallId, Event, Invitation};
use ringtrue::sip::endpoint::{Endpoint, EndpointConfig};
use ringtrue::sip::transaction::Transmit;

const BATCH: usize = 500;
const SDP: &str = "v=0\r\no=- 4611686018427387 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\n\
    t=0 0\r\nm=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

fn main() {
    println!("calls/s   calls     us/call   of that timers   lingering   octets/lingering");
    for (rate, calls) in [(100, 20_000), (1_000, 60_000), (10_000, 500_000)] {
        run(rate, calls);
    }
}

/// CPU time of this thread.
fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map(Duration::from)
        .unwrap_or_default()
}

fn resident() -> u64 {
    std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|statm| statm.split(' ').nth(1)?.parse::<u64>().ok())
        .unwrap_or_default()
        * 4096
}

/// One side, and what its work has cost.
struct Side {
    endpoint: Endpoint,
    address: SocketAddr,
    spent: Duration,
    timers: Duration,
    released: usize,
}

impl Side {
    fn new(address: [u8; 4], takes_calls: bool) -> Side {
        let address = SocketAddr::from((address, 5060));
        let mut config = EndpointConfig::new(address);
        config.takes_calls = takes_calls;
        config.max_transactions = 1_000_000;
        Side {
            endpoint: Endpoint::new(config, [address.ip().is_ipv4().into(); 32]),
            address,
            spent: Duration::ZERO,
            timers: Duration::ZERO,
            released: 0,
        }
    }

    /// Counted. A function of its own, so that a profiler can be told to look at it alone
    /// (`valgrind --tool=callgrind --toggle-collect='*counted*'`).
    #[inline(never)]
    fn counted(&mut self, act: impl FnOnce(&mut Endpoint)) {
        let before = cpu();
        act(&mut self.endpoint);
        self.spent += cpu() - before;
    }

    fn sent(&mut self) -> Vec<Transmit> {
        std::iter::from_fn(|| self.endpoint.poll_transmit()).collect()
    }

    fn recycle(&mut self, sent: Vec<Transmit>) {
        for transmit in sent {
            self.endpoint.recycle(transmit.bytes);
        }
    }

    /// Calls that were answered, and those that came in.
    fn events(&mut self) -> (Vec<CallId>, Vec<CallId>) {
        let (mut answered, mut incoming) = (Vec::new(), Vec::new());
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Answered { call, .. } => answered.push(call),
                Event::Incoming { call, .. } => incoming.push(call),
                Event::Released { .. } => self.released += 1,
                _ => {}
            }
        }
        (answered, incoming)
    }
}

fn exchange(now: Instant, caller: &mut Side, phone: &mut Side) {
    let sent = caller.sent();
    for transmit in &sent {
        let from = caller.address;
        phone.endpoint.handle_datagram(now, from, &transmit.bytes);
    }
    caller.recycle(sent);
    let sent = phone.sent();
    let from = phone.address;
    caller.counted(|endpoint| {
        for transmit in &sent {
            endpoint.handle_datagram(now, from, &transmit.bytes);
        }
    });
    phone.recycle(sent);
}

fn run(rate: usize, calls: usize) {
    let at_first = resident();
    let mut caller = Side::new([192, 0, 2, 1], false);
    let mut phone = Side::new([192, 0, 2, 2], true);
    let mut now = Instant::now();
    let to = "sip:+442079460123@192.0.2.2";
    let from = "\"Sign-in verification\" <sip:+442079460100@192.0.2.1>";
    for _ in 0..calls / BATCH {
        now += Duration::from_secs(1) * BATCH as u32 / rate as u32;
        let before = caller.spent;
        caller.counted(|endpoint| endpoint.handle_timeout(now));
        caller.timers += caller.spent - before;
        phone.endpoint.handle_timeout(now);
        let target = phone.address;
        caller.counted(|endpoint| {
            for _ in 0..BATCH {
                let invitation = Invitation::new(target, to, from, to, SDP);
                endpoint.invite(now, invitation).expect("room");
            }
        });
        exchange(now, &mut caller, &mut phone);
        let (_, incoming) = phone.events();
        for call in &incoming {
            phone.endpoint.ring(now, *call).expect("alerting");
        }
        exchange(now, &mut caller, &mut phone);
        for call in &incoming {
            let answered = phone.endpoint.answer(now, *call, SDP.as_bytes());
            answered.expect("alerting");
        }
        exchange(now, &mut caller, &mut phone);
        let (answered, _) = caller.events();
        caller.counted(|endpoint| {
            for call in &answered {
                endpoint.hang_up(now, *call).expect("up");
            }
        });
        exchange(now, &mut caller, &mut phone);
        exchange(now, &mut caller, &mut phone);
        caller.events();
        phone.events();
    }
    assert_eq!(caller.released, calls / BATCH * BATCH);
    let load = caller.endpoint.load();
    let lingering = load.client_transactions + phone.endpoint.load().server_transactions;
    println!(
        "{rate:7} {calls:7} {:11.2} {:16.2} {:11} {:18}",
        caller.spent.as_secs_f64() * 1e6 / calls as f64,
        caller.timers.as_secs_f64() * 1e6 / calls as f64,
        load.client_transactions,
        (resident().saturating_sub(at_first)) / lingering.max(1) as u64,
    );
}
