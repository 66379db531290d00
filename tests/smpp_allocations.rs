//! Sending texts costs no allocation: once its buffers have grown, a session submits, is answered
//! and reports without asking for memory.

// Counting allocations takes an allocator, and that is an unsafe trait. This one adds a count and
// passes everything on to the system's.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Instant;

use ringtrue::smpp::pdu::{
    self, Address, BindKind, BindResp, Body, MessageResp, Pdu, Sms, Status, Tlvs,
};
use ringtrue::smpp::session::{Config, Event, Outcome, Session};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is passed on unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above; the memory came from `System`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn say(octets: &mut Vec<u8>, sequence: u32, body: Body<'_>) {
    let pdu = Pdu {
        status: Status::OK,
        sequence,
        body,
    };
    pdu.encode(octets).expect("a PDU that fits");
}

#[test]
fn a_text_costs_no_allocation() {
    const WINDOW: u32 = 50;
    let now = Instant::now();
    let mut config = Config::new("ringtrue", "secret");
    config.window = WINDOW as u16;
    let mut session = Session::new(config, now).expect("a bind that fits");
    session.connected(now);
    let mut answers = Vec::with_capacity(64 * 1024);
    let bound = BindResp {
        system_id: b"centre",
        tlvs: Tlvs::NONE,
    };
    say(
        &mut answers,
        1,
        Body::BindResp(BindKind::Transceiver, bound),
    );
    session.handle_bytes(now, &answers);
    assert!(matches!(session.poll_event(), Some(Event::Bound { .. })));
    let text = Sms {
        source: Address::sender("Ringtrue"),
        destination: Address::international("+447700900123"),
        validity: &pdu::time::relative(std::time::Duration::from_secs(600)),
        registered_delivery: 1,
        short_message: b"Your sign-in code is 123456. Do not share it.",
        ..Sms::default()
    };
    let mut sequence = 1;
    let mut round = |session: &mut Session<u32>| {
        answers.clear();
        for tag in 0..WINDOW {
            sequence += 1;
            assert_eq!(session.submit(now, tag, &text), Ok(sequence));
            let answer = MessageResp {
                message_id: b"0123456789abcdef",
                tlvs: Tlvs::NONE,
            };
            say(&mut answers, sequence, Body::SubmitSmResp(answer));
        }
        let written = session.poll_transmit().map_or(0, <[u8]>::len);
        session.transmitted(written);
        // Cut across a PDU, so that the framer has to hold a piece.
        let (first, second) = answers.split_at(answers.len() / 2 + 3);
        session.handle_bytes(now, first);
        session.handle_bytes(now, second);
        for tag in 0..WINDOW {
            let Some(Event::Answered(answer)) = session.poll_event() else {
                panic!("no answer")
            };
            assert_eq!(answer.tag, tag);
            assert!(matches!(answer.outcome, Outcome::Accepted(_)));
        }
    };
    for _ in 0..3 {
        round(&mut session);
    }
    let before = COUNT.with(Cell::get);
    for _ in 0..100 {
        round(&mut session);
    }
    assert_eq!(COUNT.with(Cell::get) - before, 0);
}
