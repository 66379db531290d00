//! Whether all state of a call is let go of: a test of its own, so that nothing else lives in its
//! process.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ringtrue::sip::call::{Event, Invitation};
use ringtrue::sip::endpoint::{Endpoint, EndpointConfig};

fn caller_address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 5060))
}

fn callee_address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 2], 5060))
}

/// Resident memory of this process, in octets.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.map_or(0, |pages: u64| pages * 4096)
}

/// 100,000 plain calls (fewer where the compiler does not optimise) at 1,000 a second: the tables
/// grow to what 64*T1 of calls leave behind, then no more, and are empty in the end.
#[test]
fn memory_is_flat_after_a_hundred_thousand_calls() {
    const CALLS: u32 = if cfg!(debug_assertions) {
        8_000
    } else {
        100_000
    };
    let mut config = EndpointConfig::new(caller_address());
    config.max_calls = 2_000;
    config.timing.t1 = Duration::from_millis(if cfg!(debug_assertions) { 25 } else { 500 });
    let mut caller = Endpoint::new(config.clone(), [1; 32]);
    config.advertised = callee_address();
    config.takes_calls = true;
    let mut callee = Endpoint::new(config, [2; 32]);
    let mut now = Instant::now();
    let mut released = 0;
    let mut settled = (0, 0);
    for number in 0..CALLS {
        now += Duration::from_millis(1);
        caller.handle_timeout(now);
        callee.handle_timeout(now);
        let to = "sip:bob@192.0.2.2";
        let from = "sip:bank@192.0.2.1";
        let invitation = Invitation::new(callee_address(), to, from, to, "v=0\r\n");
        caller.invite(now, invitation).expect("room for a call");
        released += whole_call(now, &mut caller, &mut callee);
        if number == CALLS * 2 / 5 {
            settled = (caller.load().capacity + callee.load().capacity, resident());
        }
    }
    assert_eq!(released, CALLS);
    let capacity = caller.load().capacity + callee.load().capacity;
    assert!(capacity <= settled.0, "{capacity} after {}", settled.0);
    let grown = resident().saturating_sub(settled.1);
    assert!(grown < 32 << 20, "{grown} octets more than before");
    for endpoint in [&mut caller, &mut callee] {
        endpoint.handle_timeout(now + Duration::from_secs(100));
        assert!(endpoint.is_empty(), "{:?}", endpoint.load());
        assert!(endpoint.load().capacity < 4096, "{:?}", endpoint.load());
    }
}

/// Carries messages to and fro until all is said; how many calls were released.
fn whole_call(now: Instant, caller: &mut Endpoint, callee: &mut Endpoint) -> u32 {
    let mut released = 0;
    loop {
        let mut is_quiet = true;
        while let Some(sent) = caller.poll_transmit() {
            callee.handle_datagram(now, caller_address(), &sent.bytes);
            caller.recycle(sent.bytes);
            is_quiet = false;
        }
        while let Some(sent) = callee.poll_transmit() {
            caller.handle_datagram(now, callee_address(), &sent.bytes);
            callee.recycle(sent.bytes);
            is_quiet = false;
        }
        while let Some(event) = caller.poll_event() {
            match event {
                Event::Answered { call, .. } => caller.hang_up(now, call).expect("up"),
                Event::Released { .. } => released += 1,
                _ => {}
            }
            is_quiet = false;
        }
        while let Some(event) = callee.poll_event() {
            if let Event::Incoming { call, invite } = event {
                callee.ring(now, call).expect("alerting");
                callee.answer(now, call, &invite.sdp).expect("alerting");
            }
            is_quiet = false;
        }
        if is_quiet {
            return released;
        }
    }
}
