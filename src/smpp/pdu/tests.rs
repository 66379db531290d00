use proptest::prelude::*;

use super::*;

fn sms() -> Sms<'static> {
    Sms {
        service_type: b"CMT",
        source: Address::sender("Ringtrue"),
        destination: Address::international("+447700900123"),
        esm_class: EsmClass(0x40),
        protocol_id: 1,
        priority: 2,
        schedule: b"",
        validity: b"000000001000000R",
        registered_delivery: 1,
        replace_if_present: 0,
        data_coding: 8,
        default_message: 0,
        short_message: b"\x05\x00\x03\x01\x02\x01hello",
        tlvs: Tlvs::NONE,
    }
}

fn round_trip(pdu: Pdu<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    pdu.encode(&mut out).unwrap();
    assert_eq!(Header::decode(&out).unwrap().length as usize, out.len());
    assert_eq!(Pdu::decode(&out).unwrap(), pdu);
    out
}

#[test]
fn every_body_survives_the_wire() {
    let mut tlvs = TlvBuf::new();
    tlvs.push_u8(Tag::SC_INTERFACE_VERSION, 0x34);
    tlvs.push(Tag(0x1401), b"vendor").unwrap();
    let bind = Bind {
        system_id: b"ringtrue",
        password: b"secret",
        system_type: b"",
        interface_version: 0x34,
        addr_ton: 1,
        addr_npi: 1,
        address_range: b"^44",
    };
    let resp = BindResp {
        system_id: b"centre",
        tlvs: tlvs.as_tlvs(),
    };
    let message = MessageResp {
        message_id: b"0a1b",
        tlvs: tlvs.as_tlvs(),
    };
    let mut data = sms();
    (data.protocol_id, data.priority, data.validity) = (0, 0, b"");
    data.short_message = b"";
    data.tlvs = tlvs.as_tlvs();
    let bodies = [
        Body::Bind(BindKind::Transmitter, bind),
        Body::Bind(BindKind::Receiver, bind),
        Body::Bind(BindKind::Transceiver, bind),
        Body::BindResp(BindKind::Transmitter, resp),
        Body::BindResp(BindKind::Receiver, resp),
        Body::BindResp(BindKind::Transceiver, resp),
        Body::Outbind(Outbind {
            system_id: b"centre",
            password: b"secret",
        }),
        Body::Unbind,
        Body::UnbindResp,
        Body::EnquireLink,
        Body::EnquireLinkResp,
        Body::GenericNack,
        Body::SubmitSm(sms()),
        Body::SubmitSmResp(message),
        Body::DeliverSm(sms()),
        Body::DeliverSmResp(message),
        Body::DataSm(data),
        Body::DataSmResp(message),
        Body::AlertNotification(Alert {
            source: Address::international("447700900123"),
            esme: Address::NONE,
            tlvs: tlvs.as_tlvs(),
        }),
        Body::Other(Command(0x0001_0200), b"vendor"),
        Body::Other(Command::QUERY_SM, b"id\0\0\0\0"),
    ];
    for body in bodies {
        round_trip(Pdu {
            status: Status::OK,
            sequence: 0x7fff_ffff,
            body,
        });
    }
    assert_eq!(resp.version(), Some(Version::V34));
}

/// Octet for octet, so that a mistake made both in reading and in writing cannot hide.
#[test]
fn a_submit_sm_octet_for_octet() {
    let mut out = Vec::new();
    let pdu = Pdu {
        status: Status::OK,
        sequence: 2,
        body: Body::SubmitSm(Sms {
            source: Address::sender("Ring"),
            destination: Address::international("+15550100"),
            registered_delivery: 1,
            short_message: b"hi",
            ..Sms::default()
        }),
    };
    pdu.encode(&mut out).unwrap();
    let expected: Vec<u8> = [
        &[0, 0, 0, 47, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 2][..],
        b"\0",
        b"\x05\0Ring\0",
        b"\x01\x0115550100\0",
        &[0, 0, 0],
        b"\0\0",
        &[1, 0, 0, 0],
        b"\x02hi",
    ]
    .concat();
    assert_eq!(out, expected);
    let mut direct = Vec::new();
    let Body::SubmitSm(sms) = pdu.body else {
        unreachable!()
    };
    encode_submit(&mut direct, 2, &sms).unwrap();
    assert_eq!(direct, expected);
}

#[test]
fn refused_requests_are_answered_with_a_header_alone() {
    for body in [
        Body::SubmitSmResp(MessageResp::default()),
        Body::BindResp(
            BindKind::Transceiver,
            BindResp {
                system_id: b"centre",
                tlvs: Tlvs::NONE,
            },
        ),
    ] {
        let mut out = Vec::new();
        let pdu = Pdu {
            status: Status::THROTTLED,
            sequence: 9,
            body,
        };
        pdu.encode(&mut out).unwrap();
        assert_eq!(out.len(), HEADER_LEN);
        assert_eq!(Pdu::decode(&out).unwrap().status, Status::THROTTLED);
        let mut bare = Vec::new();
        encode_bare(&mut bare, body.command(), Status::THROTTLED, 9);
        assert_eq!(out, bare);
    }
}

fn response(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let pdu = Pdu {
        status: Status::OK,
        sequence: 1,
        body: Body::Other(Command::SUBMIT_SM_RESP, body),
    };
    pdu.encode(&mut out).unwrap();
    out
}

#[test]
fn message_ids_are_read_however_they_end() {
    for (body, id) in [
        (&b""[..], &b""[..]),
        (b"\0", b""),
        (b"12\0", b"12"),
        (b"12", b"12"),
        (b"12\0\xff", b"12"),
        (b"12\0\x04\x28\0\x01\x5f\x09", b"12"),
    ] {
        let frame = response(body);
        let Body::SubmitSmResp(resp) = Pdu::decode(&frame).unwrap().body else {
            panic!("not a response")
        };
        assert_eq!(resp.message_id, id);
    }
    let frame = response(b"12\0\x04\x28\0\x01\x5f\x09");
    let Body::SubmitSmResp(resp) = Pdu::decode(&frame).unwrap().body else {
        panic!("not a response")
    };
    assert_eq!(
        resp.tlvs
            .get(Tag::CONGESTION_STATE)
            .and_then(|t| t.integer()),
        Some(0x5f)
    );
    assert_eq!(
        Pdu::decode(&response(&[b'1'; 300])).unwrap_err().kind,
        DecodeErrorKind::StringTooLong
    );
}

#[test]
fn lengths_inside_a_pdu_that_lie_are_answerable_errors() {
    let good = round_trip(Pdu {
        status: Status::OK,
        sequence: 77,
        body: Body::DeliverSm(sms()),
    });
    // sm_length says more than there is.
    let mut bad = good.clone();
    let at = good.len() - sms().short_message.len() - 1;
    bad[at] = 255;
    let error = Pdu::decode(&bad).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::MessageLength);
    assert_eq!(error.kind.status(), Status::INVALID_MESSAGE_LENGTH);
    assert_eq!((error.command, error.sequence), (Command::DELIVER_SM, 77));
    // sm_length says less: the rest is taken for optional parameters, and they do not fit.
    bad[at] = 3;
    let error = Pdu::decode(&bad).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TlvStream);
    // The PDU ends inside, wherever that is.
    for length in HEADER_LEN..good.len() {
        let mut cut = good[..length].to_vec();
        cut[..4].copy_from_slice(&(length as u32).to_be_bytes());
        assert!(Pdu::decode(&cut).is_err(), "cut at {length}");
        // Or the frame is shorter than it says.
        assert!(Pdu::decode(&good[..length]).is_err());
    }
    assert!(Pdu::decode(&good[..7]).is_err());
    // A command_length below the header's own.
    let mut short = good.clone();
    short[3] = 3;
    short[2] = 0;
    assert!(Pdu::decode(&short).is_err());
}

#[test]
fn what_does_not_fit_is_not_sent_and_leaves_no_trace() {
    let mut out = b"before".to_vec();
    let mut long = sms();
    long.short_message = &[0; 255];
    let mut name = sms();
    name.source = Address::sender("A name of twenty-one!");
    let mut nul = sms();
    nul.service_type = b"a\0b";
    for (sms, error) in [
        (long, EncodeError::MessageTooLong),
        (
            name,
            EncodeError::StringTooLong {
                field: "source_addr",
                most: 20,
            },
        ),
        (
            nul,
            EncodeError::NulInString {
                field: "service_type",
            },
        ),
    ] {
        assert_eq!(encode_submit(&mut out, 1, &sms), Err(error));
        let pdu = Pdu {
            status: Status::OK,
            sequence: 1,
            body: Body::DeliverSm(sms),
        };
        assert_eq!(pdu.encode(&mut out), Err(error));
        assert_eq!(out, b"before");
    }
}

#[test]
fn the_message_is_where_it_is() {
    let mut tlvs = TlvBuf::new();
    tlvs.push(Tag::MESSAGE_PAYLOAD, b"long").unwrap();
    let mut sms = Sms {
        short_message: b"short",
        tlvs: tlvs.as_tlvs(),
        ..Sms::default()
    };
    assert_eq!(sms.message(), b"short");
    sms.short_message = b"";
    assert_eq!(sms.message(), b"long");
    sms.tlvs = Tlvs::NONE;
    assert_eq!(sms.message(), b"");
    let owned = super::tests::sms().to_owned();
    assert_eq!(owned.as_sms(), super::tests::sms());
}

#[test]
fn nothing_secret_is_shown() {
    let shown = format!("{:?} {:?}", sms(), sms().to_owned());
    assert!(!shown.contains("hello"), "{shown}");
    assert!(!shown.contains("44770090"), "{shown}");
}

#[test]
fn esm_classes() {
    assert!(EsmClass(0x04).is_receipt());
    assert!(EsmClass(0x44).is_receipt());
    assert!(EsmClass(0x20).is_receipt());
    assert!(!EsmClass(0x00).is_receipt());
    assert!(!EsmClass(0x08).is_receipt());
    assert!(EsmClass(0x08).is_acknowledgement());
    assert!(EsmClass(0x10).is_acknowledgement());
    assert!(!EsmClass(0x18).is_acknowledgement());
    assert!(EsmClass(0x40).has_header());
}

proptest! {
    #[test]
    fn any_body_of_any_command_is_read_or_refused(
        command in prop_oneof![
            proptest::sample::select(Command::ALL).prop_map(|c| c.0),
            any::<u32>(),
        ],
        status in any::<u32>(),
        body in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..120),
    ) {
        let mut frame = Vec::new();
        let pdu = Pdu {
            status: Status(status),
            sequence: 5,
            body: Body::Other(Command(command), &body),
        };
        pdu.encode(&mut frame).unwrap();
        match Pdu::decode(&frame) {
            Ok(read) => {
                prop_assert_eq!(read.body.command(), Command(command));
                // What was read can be written again, unless a field was longer than the standard.
                let mut again = Vec::new();
                if read.encode(&mut again).is_ok() {
                    let twice = Pdu::decode(&again).unwrap();
                    prop_assert_eq!(twice.body.command(), read.body.command());
                }
            }
            Err(error) => {
                prop_assert_eq!(error.sequence, 5);
                prop_assert!(error.kind.status() != Status::OK);
            }
        }
    }

    #[test]
    fn any_text_survives_the_wire(
        text in proptest::collection::vec(any::<u8>(), 0..255),
        digits in "[0-9]{0,20}",
        esm in any::<u8>(),
        dcs in any::<u8>(),
        sequence in any::<u32>(),
    ) {
        let sms = Sms {
            destination: Address::international(&digits),
            esm_class: EsmClass(esm),
            data_coding: dcs,
            short_message: &text,
            ..Sms::default()
        };
        let mut out = Vec::new();
        encode_submit(&mut out, sequence, &sms).unwrap();
        let read = Pdu::decode(&out).unwrap();
        prop_assert_eq!(read.sequence, sequence);
        prop_assert_eq!(read.body, Body::SubmitSm(sms));
    }
}
