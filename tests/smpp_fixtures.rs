//! PDUs that others wrote, octet for octet.

use std::collections::HashMap;

use ringtrue::smpp::pdu::{Body, Command, Framer, Pdu, Sms, Status, Tag, Version};
use ringtrue::smpp::receipt::{Fate, Receipt};
use ringtrue::smpp::text::{self, DefaultAlphabet};

fn fixtures() -> HashMap<&'static str, Vec<u8>> {
    include_str!("../fixtures/smpp/pdus.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, octets) = line.split_once(' ').expect("a name and octets");
            (name, hex::decode(octets).expect("hexadecimal"))
        })
        .collect()
}

fn sms<'a>(fixtures: &'a HashMap<&str, Vec<u8>>, name: &str) -> Sms<'a> {
    match Pdu::decode(&fixtures[name]).expect(name).body {
        Body::SubmitSm(sms) | Body::DeliverSm(sms) | Body::DataSm(sms) => sms,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn every_one_is_read_and_written_the_same() {
    let fixtures = fixtures();
    assert_eq!(fixtures.len(), 24);
    let mut framer = Framer::default();
    for (name, octets) in &fixtures {
        let mut input = octets.as_slice();
        let frame = framer.next(&mut input).expect(name).expect(name);
        assert_eq!(frame, octets, "{name}");
        let pdu = Pdu::decode(octets).expect(name);
        let command = name.split('/').nth(1).unwrap_or_default();
        let named = pdu.body.command().name().expect(name);
        assert!(command.starts_with(named), "{name}: {named}");
        let mut written = Vec::new();
        pdu.encode(&mut written).expect(name);
        assert_eq!(&written, octets, "{name}");
    }
}

#[test]
fn what_they_say() {
    let fixtures = fixtures();
    let Body::Bind(kind, bind) = Pdu::decode(&fixtures["npm/bind_transceiver"]).unwrap().body
    else {
        panic!("not a bind")
    };
    assert!(kind.sends() && kind.receives());
    assert_eq!(bind.system_id, b"ringtrue");
    assert_eq!(bind.system_type, b"OTP");
    assert_eq!(bind.address_range, b"^44");
    assert_eq!(Version::from_octet(bind.interface_version), Version::V50);
    let Body::BindResp(_, resp) = Pdu::decode(&fixtures["npm/bind_receiver_resp"])
        .unwrap()
        .body
    else {
        panic!("not its answer")
    };
    assert_eq!(resp.version(), Some(Version::V34));
    let refused = Pdu::decode(&fixtures["python/bind_transmitter_resp_refused"]).unwrap();
    assert_eq!(refused.status, Status::INVALID_PASSWORD);
    let throttled = Pdu::decode(&fixtures["npm/submit_sm_resp_throttled"]).unwrap();
    assert!(throttled.status.slows_the_bind());
    let submit = sms(&fixtures, "npm/submit_sm");
    assert_eq!(submit.validity, b"000000001000000R");
    assert_eq!(submit.destination.digits, b"447700900123");
    assert_eq!(submit.message(), b"Your code is 123456");
    assert_eq!(sms(&fixtures, "npm/submit_sm_payload").message().len(), 300);
    assert_eq!(sms(&fixtures, "npm/data_sm").message(), b"hi");
    let other = Pdu::decode(&fixtures["python/query_sm"]).unwrap();
    assert!(matches!(other.body, Body::Other(Command::QUERY_SM, octets) if octets.len() == 20));
}

#[test]
fn what_their_texts_and_receipts_say() {
    let fixtures = fixtures();
    let reading = |name| text::read(&sms(&fixtures, name), DefaultAlphabet::Gsm);
    assert_eq!(reading("npm/deliver_sm_ucs2").text.as_deref(), Some("СТОП"));
    let sar = reading("python/submit_sm_sar");
    assert_eq!(sar.text.as_deref(), Some("код"));
    let part = sar.part.unwrap();
    assert_eq!((part.reference, part.total, part.number), (258, 3, 2));
    let header = reading("python/submit_sm_udh");
    assert_eq!(header.text.as_deref(), Some("hello"));
    let part = header.part.unwrap();
    assert_eq!((part.reference, part.total, part.number), (7, 2, 1));
    let delivered = Receipt::read(&sms(&fixtures, "npm/deliver_sm_receipt")).unwrap();
    assert_eq!(delivered.id.as_bytes(), b"0a1b2c");
    assert_eq!(delivered.fate, Fate::Delivered);
    assert!(!delivered.has_error() && !delivered.intermediate);
    let coming = sms(&fixtures, "python/deliver_sm_intermediate");
    assert_eq!(
        coming.tlvs.get(Tag::MESSAGE_STATE).unwrap().integer(),
        Some(1)
    );
    let coming = Receipt::read(&coming).unwrap();
    assert_eq!(coming.fate, Fate::EnRoute);
    assert!(coming.intermediate);
}
