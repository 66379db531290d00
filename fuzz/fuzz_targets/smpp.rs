//! SMPP from an untrusted peer: framing, bodies, texts, receipts, and both sides of a session. No
//! panic, and no memory beyond the limit that was announced.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use ringtrue::smpp::centre::{self, Centre, Host, Reply};
use ringtrue::smpp::pdu::{Bind, BindKind, Body, Framer, Pdu, Sms, Status};
use ringtrue::smpp::receipt::{IdForm, Key, Receipt};
use ringtrue::smpp::session::{Config, Event, Lost, MessageId, Session};
use ringtrue::smpp::text::{self, DefaultAlphabet, Style};

const LIMIT: u32 = 4096;

struct Taker;

impl Host<()> for Taker {
    fn bind(&mut self, _: BindKind, _: &Bind<'_>) -> Result<(), Status> {
        Ok(())
    }

    fn submit(&mut self, sequence: u32, _: &Sms<'_>) -> Reply {
        Reply::Accept(MessageId::new(&sequence.to_be_bytes()))
    }

    fn delivered(&mut self, (): (), _: Result<Status, Lost>) {}
}

fn read(sms: &Sms<'_>) {
    for alphabet in [
        DefaultAlphabet::Gsm,
        DefaultAlphabet::GsmPacked,
        DefaultAlphabet::Latin1,
        DefaultAlphabet::Ascii,
    ] {
        let reading = text::read(sms, alphabet);
        if let Some(words) = reading.text {
            // What was read can be written again, unless it is too long.
            let _ = text::write(&words, &Style::default(), 1);
        }
    }
    if let Some(receipt) = Receipt::read(sms) {
        for form in [IdForm::Same, IdForm::HexThenDecimal, IdForm::DecimalThenHex] {
            assert!(Key::of_receipt(&receipt.id, form).is_some());
        }
    }
}

/// Each PDU on its own, and what is read is written and read the same.
fn frames(mut octets: &[u8]) {
    let mut framer = Framer::new(LIMIT);
    while let Ok(Some(frame)) = framer.next(&mut octets) {
        assert!(frame.len() <= LIMIT as usize);
        let Ok(pdu) = Pdu::decode(frame) else {
            continue;
        };
        if let Body::SubmitSm(sms) | Body::DeliverSm(sms) | Body::DataSm(sms) = &pdu.body {
            read(sms);
        }
        let mut again = Vec::new();
        if pdu.encode(&mut again).is_ok() {
            let twice = Pdu::decode(&again).expect("what was written can be read");
            assert_eq!(twice.body.command(), pdu.body.command());
        }
    }
    assert!(framer.held() <= LIMIT as usize);
}

/// A session that is bound and has texts on their way; the input is what the peer says, in two
/// pieces.
fn session(octets: &[u8], at: usize) {
    let mut now = Instant::now();
    let mut config = Config::new("fuzz", "");
    config.pdu_limit = LIMIT;
    let mut session = Session::new(config, now).expect("a bind that fits");
    session.connected(now);
    let bound = b"\0\0\0\x11\x80\0\0\x09\0\0\0\0\0\0\0\x01\0";
    session.handle_bytes(now, bound);
    assert!(session.is_bound());
    let mut open = 0i32;
    for tag in 0..5u32 {
        open += i32::from(session.submit(now, tag, &Sms::default()).is_ok());
    }
    let (first, second) = octets.split_at(at.min(octets.len()));
    for piece in [first, second] {
        session.handle_bytes(now, piece);
        now += Duration::from_secs(3);
        session.handle_timeout(now);
        while let Some(event) = session.poll_event() {
            match event {
                Event::Answered(_) => open -= 1,
                Event::Delivered(delivery) => session.acknowledge(delivery.handle, Status::OK),
                _ => {}
            }
        }
    }
    session.disconnected(now);
    while let Some(event) = session.poll_event() {
        open -= i32::from(matches!(event, Event::Answered(_)));
    }
    assert_eq!(open, 0, "each text has exactly one answer");
    // The other side of such a conversation.
    let mut config = centre::Config::default();
    config.pdu_limit = LIMIT;
    let mut centre = Centre::new(config, now);
    centre.handle_bytes(now, first, &mut Taker);
    let _ = centre.deliver(now, (), &Sms::default());
    centre.handle_bytes(now, second, &mut Taker);
    centre.handle_timeout(now + Duration::from_secs(90), &mut Taker);
}

fuzz_target!(|octets: &[u8]| {
    let at = octets.first().map_or(0, |octet| usize::from(*octet));
    frames(octets);
    session(octets, at);
    // The input as the message of a text.
    let message = octets.get(..255.min(octets.len())).unwrap_or_default();
    let sms = Sms {
        esm_class: ringtrue::smpp::pdu::EsmClass(at as u8),
        data_coding: message.get(1).copied().unwrap_or(0),
        short_message: message,
        ..Sms::default()
    };
    read(&sms);
});
