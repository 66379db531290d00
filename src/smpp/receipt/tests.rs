use proptest::prelude::*;

use super::*;
use crate::smpp::pdu::TlvBuf;

fn text(message: &str) -> Option<Receipt> {
    Receipt::read(&Sms {
        esm_class: EsmClass::RECEIPT,
        short_message: message.as_bytes(),
        ..Sms::default()
    })
}

fn stamp(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Option<Stamp> {
    Some(Stamp {
        year,
        month,
        day,
        hour,
        minute,
        second,
    })
}

#[test]
fn the_example_that_everybody_copied() {
    let receipt = text(
        "id:0123456789 sub:001 dlvrd:001 submit date:2411242230 done date:2411242231 \
         stat:DELIVRD err:000 text:Your code is",
    )
    .unwrap();
    assert_eq!(receipt.id.as_bytes(), b"0123456789");
    assert_eq!(receipt.fate, Fate::Delivered);
    assert_eq!(receipt.error.as_deref(), Some(&b"000"[..]));
    assert!(!receipt.has_error());
    assert_eq!(receipt.submitted, stamp(2024, 11, 24, 22, 30, 0));
    assert_eq!(receipt.done, stamp(2024, 11, 24, 22, 31, 0));
    assert!(!receipt.intermediate);
}

/// One dialect a line, as carriers and gateways write them.
#[test]
fn dialects() {
    let id = "7f3a";
    for (message, fate, error) in [
        // Order, case, separators.
        ("stat:DELIVRD id:7f3a err:000", Fate::Delivered, "000"),
        (
            "ID:7f3a SUB:001 DLVRD:000 STAT:UNDELIV ERR:034 TEXT:",
            Fate::Undeliverable,
            "034",
        ),
        ("id:7f3a;stat:EXPIRED;err:0x1F;", Fate::Expired, "0x1F"),
        ("id:7f3a, stat:REJECTD, err:E12", Fate::Rejected, "E12"),
        ("id:7f3a\r\nstat:ACCEPTD\r\nerr:0\r\n", Fate::Accepted, "0"),
        ("id:7f3a|stat:DELETED|err:1", Fate::Deleted, "1"),
        ("id=7f3a stat=UNKNOWN err=9", Fate::Unknown, "9"),
        ("id: 7f3a stat: DELIVRD err: 000", Fate::Delivered, "000"),
        // Long words and odd ones.
        ("id:7f3a stat:DELIVERED err:000", Fate::Delivered, "000"),
        ("id:7f3a stat:delivered err:000", Fate::Delivered, "000"),
        (
            "id:7f3a stat:UNDELIVERABLE err:011",
            Fate::Undeliverable,
            "011",
        ),
        (
            "id:7f3a status:FAILED error:011",
            Fate::Undeliverable,
            "011",
        ),
        ("id:7f3a stat:BUFFERED err:000", Fate::EnRoute, "000"),
        ("id:7f3a stat:ENROUTE err:000", Fate::EnRoute, "000"),
        ("id:7f3a stat:SKIPPED err:000", Fate::Skipped, "000"),
        ("id:7f3a stat:WHATEVER err:000", Fate::Other, "000"),
        // Dates with and without spaces in their names.
        (
            "id:7f3a submitdate:2411242230 donedate:2411242231 stat:DELIVRD err:0",
            Fate::Delivered,
            "0",
        ),
        (
            "id:7f3a submit_date:2411242230 done_date:2411242231 stat:DELIVRD err:0",
            Fate::Delivered,
            "0",
        ),
        // Empty fields, and words before and between.
        (
            "id:7f3a sub: dlvrd: submit date: done date: stat:DELIVRD err:0 text:",
            Fate::Delivered,
            "0",
        ),
        (
            "Receipt id:7f3a hm stat:DELIVRD and err:0",
            Fate::Delivered,
            "0",
        ),
        // The sender's own words are not the message centre's.
        (
            "id:7f3a stat:UNDELIV err:1 text:id:9 stat:DELIVRD err:0",
            Fate::Undeliverable,
            "1",
        ),
        (
            "id:7f3a stat:UNDELIV err:1 stat:DELIVRD id:9",
            Fate::Undeliverable,
            "1",
        ),
    ] {
        let receipt = text(message).unwrap_or_else(|| panic!("no receipt: {message}"));
        assert_eq!(receipt.id.as_bytes(), id.as_bytes(), "{message}");
        assert_eq!(receipt.fate, fate, "{message}");
        assert_eq!(
            receipt.error.as_deref(),
            Some(error.as_bytes()),
            "{message}"
        );
    }
    let bare = text("id:7f3a stat:DELIVRD").unwrap();
    assert_eq!((bare.error, bare.submitted, bare.done), (None, None, None));
    let unsaid = text("id:7f3a").unwrap();
    assert_eq!(unsaid.fate, Fate::Other);
    assert!(!unsaid.fate.is_final());
}

#[test]
fn without_an_id_it_is_no_receipt() {
    for message in [
        "",
        "stat:DELIVRD err:000",
        "id: stat:DELIVRD",
        "valid:7 stat:DELIVRD",
        "hello",
    ] {
        assert_eq!(text(message), None, "{message}");
    }
}

#[test]
fn a_text_that_reads_like_a_receipt_is_a_text() {
    let sms = Sms {
        short_message: b"id:7f3a stat:DELIVRD err:000",
        ..Sms::default()
    };
    assert_eq!(Receipt::read(&sms), None);
}

#[test]
fn dates() {
    let done = |digits: &str| text(&format!("id:1 done date:{digits}")).unwrap().done;
    assert_eq!(done("2411242231"), stamp(2024, 11, 24, 22, 31, 0));
    assert_eq!(done("241124223159"), stamp(2024, 11, 24, 22, 31, 59));
    assert_eq!(done("20241124223159"), stamp(2024, 11, 24, 22, 31, 59));
    assert_eq!(done("202411242231"), stamp(2024, 11, 24, 22, 31, 0));
    // Twelve digits whose year of two digits would be 20 and whose hour is none.
    assert_eq!(done("200511242231"), None);
    assert_eq!(done("201205102231"), stamp(2020, 12, 5, 10, 22, 31));
    for nonsense in [
        "2413242231",
        "2411322231",
        "2411242431",
        "24112422",
        "241124223",
        "24-11-24",
        "x",
    ] {
        assert_eq!(done(nonsense), None, "{nonsense}");
    }
}

#[test]
fn optional_parameters_count_more_than_the_text() {
    let mut tlvs = TlvBuf::new();
    tlvs.push(Tag::RECEIPTED_MESSAGE_ID, b"77AB\0").unwrap();
    tlvs.push_u8(Tag::MESSAGE_STATE, 5);
    tlvs.push(Tag::NETWORK_ERROR_CODE, &[3, 0, 27]).unwrap();
    let sms = Sms {
        esm_class: EsmClass::TEXT,
        tlvs: tlvs.as_tlvs(),
        ..Sms::default()
    };
    let receipt = Receipt::read(&sms).unwrap();
    assert_eq!(receipt.id.as_bytes(), b"77AB");
    assert_eq!(receipt.fate, Fate::Undeliverable);
    assert_eq!(
        receipt.network_error,
        Some(NetworkError {
            network: 3,
            code: 27
        })
    );
    assert!(receipt.has_error());
    let both = Sms {
        esm_class: EsmClass::INTERMEDIATE,
        short_message: b"id:1 stat:DELIVRD err:007",
        ..sms
    };
    let receipt = Receipt::read(&both).unwrap();
    assert_eq!(receipt.id.as_bytes(), b"77AB");
    assert_eq!(receipt.fate, Fate::Undeliverable);
    assert_eq!(receipt.error.as_deref(), Some(&b"007"[..]));
    assert!(receipt.intermediate);
    // One of the two alone does not make a receipt of a text.
    let mut lone = TlvBuf::new();
    lone.push(Tag::RECEIPTED_MESSAGE_ID, b"1\0").unwrap();
    let sms = Sms {
        tlvs: lone.as_tlvs(),
        ..Sms::default()
    };
    assert_eq!(Receipt::read(&sms), None);
}

#[test]
fn every_state_has_its_fate() {
    for state in 0..10 {
        let fate = Fate::from_state(state);
        assert_eq!(fate.state().map(u32::from), Some(state));
        assert_eq!(Fate::from_word(fate.word().as_bytes()), fate);
    }
    assert_eq!(Fate::from_state(10), Fate::Other);
    assert_eq!(Fate::Other.state(), None);
}

proptest! {
    #[test]
    fn noise_never_panics(
        message in proptest::collection::vec(any::<u8>(), 0..255),
        esm in any::<u8>(),
    ) {
        let _ = Receipt::read(&Sms {
            esm_class: EsmClass(esm),
            short_message: &message,
            ..Sms::default()
        });
    }

    #[test]
    fn near_receipts_never_panic(message in "(id|stat|err|done date|text|sub|[ ,;:=]|[a-z0-9]{0,5}){0,30}") {
        if let Some(receipt) = text(&message) {
            prop_assert!(!receipt.id.is_empty());
            prop_assert!(receipt.error.is_none_or(|e| e.len() <= 16));
        }
    }

    #[test]
    fn any_order_of_fields_reads_the_same(order in Just(["id:a1", "sub:001", "dlvrd:001",
        "submit date:2411242230", "done date:2411242231", "stat:UNDELIV", "err:027"].to_vec()).prop_shuffle())
    {
        let receipt = text(&order.join(" ")).unwrap();
        prop_assert_eq!(receipt.id.as_bytes(), b"a1");
        prop_assert_eq!(receipt.fate, Fate::Undeliverable);
        prop_assert_eq!(receipt.error.as_deref(), Some(&b"027"[..]));
        prop_assert!(receipt.done > receipt.submitted);
    }
}
