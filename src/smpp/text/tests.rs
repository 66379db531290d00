use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::smpp::pdu::{Address, EsmClass, Sms, SmsBuf, Tag, TlvBuf};

fn style(concatenation: Concatenation) -> Style {
    Style {
        concatenation,
        most_messages: 255,
        ..Style::default()
    }
}

fn put(message: &Message) -> SmsBuf {
    let mut tlvs = TlvBuf::new();
    let sms = message.put(&Sms::default(), &mut tlvs).unwrap();
    sms.to_owned()
}

/// Sends and receives.
fn through(text: &str, style: &Style) -> String {
    let mut assembler = Assembler::new(4, Duration::from_secs(60));
    let mut whole = None;
    for message in write(text, style, 7).unwrap() {
        let sms = put(&message);
        let reading = read(&sms.as_sms(), style.default_alphabet);
        assert!(reading.exact);
        let piece = reading.text.unwrap();
        assert!(whole.is_none());
        whole = match reading.part {
            None => Some(piece),
            Some(part) => assembler
                .add(Instant::now(), &sms.as_sms(), part, piece, ())
                .map(|(whole, _)| whole),
        };
    }
    whole.unwrap()
}

#[test]
fn the_counts_that_everyone_knows() {
    let seven = style(Concatenation::Header8);
    let count = |text: &str, style: &Style| {
        let m = measure(text, style).unwrap();
        (m.units, m.messages)
    };
    let a = |n| "a".repeat(n);
    assert_eq!(count("", &seven), (0, 1));
    assert_eq!(count(&a(160), &seven), (160, 1));
    assert_eq!(count(&a(161), &seven), (161, 2));
    assert_eq!(count(&a(306), &seven), (306, 2));
    assert_eq!(count(&a(307), &seven), (307, 3));
    assert_eq!(count(&"€".repeat(80), &seven), (160, 1));
    let sixteen = style(Concatenation::Header16);
    assert_eq!(count(&a(304), &sixteen), (304, 2));
    assert_eq!(count(&a(305), &sixteen), (305, 3));
    let ya = |n| "я".repeat(n);
    assert_eq!(count(&ya(70), &seven), (70, 1));
    assert_eq!(count(&ya(71), &seven), (71, 2));
    assert_eq!(count(&ya(134), &seven), (134, 2));
    assert_eq!(count(&ya(135), &seven), (135, 3));
    assert_eq!(count(&ya(132), &sixteen), (132, 2));
    assert_eq!(count(&ya(133), &sixteen), (133, 3));
    // 😀 is two units: thirty-three of them and one odd unit of room.
    assert_eq!(count(&"😀".repeat(67), &seven), (134, 3));
    assert_eq!(count(&"😀".repeat(35), &seven), (70, 1));
}

#[test]
fn ucs2_only_when_needed() {
    let plain = Style::default();
    let coding = |text: &str, style: &Style| measure(text, style).unwrap().coding;
    let default = Coding::Septets(Alphabet::DEFAULT);
    assert_eq!(coding("Ringtrue: your code is 123456", &plain), default);
    assert_eq!(coding("naïve", &plain), Coding::Ucs2);
    assert_eq!(coding("It’s “123456” – don’t share…", &plain), default);
    let exact = Style {
        plain_punctuation: false,
        ..Style::default()
    };
    assert_eq!(coding("It’s 123456", &exact), Coding::Ucs2);
    assert_eq!(through("It’s “1” – no…", &plain), "It's \"1\" - no...");
    assert_eq!(through("It’s “1” – no…", &exact), "It’s “1” – no…");
    // An escape that someone types is no escape.
    assert_eq!(coding("\u{1b}e", &plain), Coding::Ucs2);
}

#[test]
fn national_tables_where_they_are_known() {
    let turkish = Style {
        languages: vec![Language::Turkish],
        ..Style::default()
    };
    let text = "Giriş kodunuz 123456. Kimseyle paylaşmayın.";
    let m = measure(text, &turkish).unwrap();
    assert_eq!(
        m.coding,
        Coding::Septets(Alphabet {
            locking: None,
            single: Some(Language::Turkish)
        })
    );
    assert_eq!(
        measure(text, &Style::default()).unwrap().coding,
        Coding::Ucs2
    );
    assert_eq!(through(text, &turkish), text);
    let message = &write(text, &turkish, 0).unwrap()[0];
    assert!(message.has_header);
    assert_eq!(message.octets[..4], [3, 0x24, 1, 1]);
    assert_eq!(message.data_coding, 0);
    // Where single shifts would cost a second message, the locking table does not.
    let dense = "ışğİ".repeat(38);
    let m = measure(&dense, &turkish).unwrap();
    assert_eq!((m.units, m.messages), (152, 1));
    assert_eq!(
        m.coding,
        Coding::Septets(Alphabet {
            locking: Some(Language::Turkish),
            single: None
        })
    );
    assert_eq!(through(&dense, &turkish), dense);
    for (language, text) in [
        (
            Language::Spanish,
            "Su código es 123456. ¡No lo comparta con nadie, ningún caso!",
        ),
        (
            Language::Portuguese,
            "O seu código é 123456. Não o partilhe. Ações, à atenção; êxito.",
        ),
    ] {
        for concatenation in [
            Concatenation::Header8,
            Concatenation::Header16,
            Concatenation::Sar,
        ] {
            for default_alphabet in [DefaultAlphabet::Gsm, DefaultAlphabet::GsmPacked] {
                let style = Style {
                    default_alphabet,
                    languages: vec![language],
                    most_messages: 255,
                    ..style(concatenation)
                };
                let long = text.repeat(4);
                assert!(matches!(
                    measure(&long, &style).unwrap().coding,
                    Coding::Septets(_)
                ));
                assert_eq!(through(text, &style), text);
                assert_eq!(through(&long, &style), long);
            }
        }
    }
    let payload = Style {
        languages: vec![Language::Turkish],
        ..style(Concatenation::Payload)
    };
    assert_eq!(measure(text, &payload).unwrap().coding, Coding::Ucs2);
}

#[test]
fn pieces_cut_no_escape_and_no_surrogate() {
    // The escape of the euro would be the 153rd septet, its code the 154th.
    let text = format!("{}€{}", "a".repeat(152), "b".repeat(20));
    let messages = write(&text, &style(Concatenation::Header8), 0x1ff).unwrap();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].octets[..6], [5, 0, 3, 0xff, 2, 1]);
    assert_eq!(messages[1].octets[..6], [5, 0, 3, 0xff, 2, 2]);
    assert_eq!(messages[0].octets.len(), 6 + 152);
    assert_eq!(messages[1].octets[6..8], [0x1b, 0x65]);
    let text = format!("{}😀{}", "я".repeat(66), "b".repeat(20));
    let messages = write(&text, &style(Concatenation::Header8), 1).unwrap();
    assert_eq!(messages[0].octets.len(), 6 + 132);
    assert_eq!(messages[1].octets[6..10], [0xd8, 0x3d, 0xde, 0x00]);
    assert!(messages.iter().all(|m| m.data_coding == 8 && m.has_header));
}

#[test]
fn each_way_of_concatenation() {
    let text = "a".repeat(200);
    let sixteen = write(&text, &style(Concatenation::Header16), 0x1234).unwrap();
    assert_eq!(sixteen[1].octets[..7], [6, 8, 4, 0x12, 0x34, 2, 2]);
    let sar = write(&text, &style(Concatenation::Sar), 0x1234).unwrap();
    assert_eq!(sar.len(), 2);
    assert_eq!(sar[0].octets.len(), 152);
    let sms = put(&sar[1]);
    assert!(!sms.esm_class.has_header());
    let integer = |tag| sms.tlvs.as_tlvs().get(tag).and_then(|t| t.integer());
    assert_eq!(integer(Tag::SAR_MSG_REF_NUM), Some(0x1234));
    assert_eq!(integer(Tag::SAR_TOTAL_SEGMENTS), Some(2));
    assert_eq!(integer(Tag::SAR_SEGMENT_SEQNUM), Some(2));
    let payload = write(&text, &style(Concatenation::Payload), 1).unwrap();
    assert_eq!(payload.len(), 1);
    let sms = put(&payload[0]);
    assert!(sms.short_message.is_empty());
    assert_eq!(sms.as_sms().message(), text.as_bytes());
    let short = write("hi", &style(Concatenation::Payload), 1).unwrap();
    assert_eq!(put(&short[0]).short_message.as_slice(), b"hi");
}

#[test]
fn too_long_is_said_before_anything_is_sent() {
    let style = Style {
        most_messages: 2,
        ..Style::default()
    };
    assert_eq!(
        measure(&"a".repeat(307), &style),
        Err(TextError::TooLong {
            messages: 3,
            most: 2
        })
    );
    assert!(write(&"a".repeat(307), &style, 1).is_err());
    assert!(write(&"a".repeat(40_000), &self::style(Concatenation::Header8), 1).is_err());
}

#[test]
fn carriers_whose_default_is_not_gsm() {
    let latin = Style {
        default_alphabet: DefaultAlphabet::Latin1,
        default_coding: 3,
        ..Style::default()
    };
    let message = &write("Größe @ 5", &latin, 1).unwrap()[0];
    assert_eq!(message.octets.as_slice(), b"Gr\xf6\xdfe @ 5");
    assert_eq!(message.data_coding, 3);
    assert_eq!(measure("5 €", &latin).unwrap().coding, Coding::Ucs2);
    assert_eq!(measure("{}", &latin).unwrap().units, 4);
    let ascii = Style {
        default_alphabet: DefaultAlphabet::Ascii,
        ..Style::default()
    };
    assert_eq!(measure("Größe", &ascii).unwrap().coding, Coding::Ucs2);
    assert_eq!(write("@$", &ascii, 1).unwrap()[0].octets.as_slice(), b"@$");
    for style in [latin, ascii] {
        assert_eq!(through("code {1} 123456 @", &style), "code {1} 123456 @");
    }
}

fn delivered(data_coding: u8, octets: &[u8]) -> Reading {
    let sms = Sms {
        data_coding,
        short_message: octets,
        ..Sms::default()
    };
    read(&sms, DefaultAlphabet::Gsm)
}

#[test]
fn what_phones_send() {
    let text = |data_coding, octets: &[u8]| delivered(data_coding, octets).text;
    assert_eq!(text(0, b"STOP\x00").as_deref(), Some("STOP@"));
    assert_eq!(text(1, b"STOP@").as_deref(), Some("STOP@"));
    assert_eq!(text(3, b"ARR\xcaT").as_deref(), Some("ARRÊT"));
    assert_eq!(text(6, b"\xc1\xc2\xbe\xbf \xf0").as_deref(), Some("СТОП №"));
    assert_eq!(text(7, b"\xf9\xec\xe5\xed").as_deref(), Some("שלום"));
    assert_eq!(text(8, b"\x04\x21\x04\x22").as_deref(), Some("СТ"));
    assert_eq!(text(8, b"\xff\xfe\x21\x04").as_deref(), Some("С"));
    assert_eq!(text(8, b"\xfe\xff\x04\x21").as_deref(), Some("С"));
    assert_eq!(text(0x18, b"\x04\x21").as_deref(), Some("С"));
    assert_eq!(text(0xf0, b"hi").as_deref(), Some("hi"));
    assert_eq!(text(0xe0, b"\0h").as_deref(), Some("h"));
    for octets in [2, 4, 5, 0x14, 0x80, 0xf4, 0xff] {
        assert_eq!(text(octets, b"hi"), None);
    }
    let odd = delivered(8, b"\0h\0");
    assert_eq!((odd.text.as_deref(), odd.exact), (Some("h"), false));
    let lone = delivered(8, b"\xd8\x3d\0h");
    assert_eq!(
        (lone.text.as_deref(), lone.exact),
        (Some("\u{fffd}h"), false)
    );
    let wrong = delivered(1, b"a\x80");
    assert_eq!(
        (wrong.text.as_deref(), wrong.exact),
        (Some("a\u{fffd}"), false)
    );
}

#[test]
fn headers_that_lie() {
    let sms = Sms {
        esm_class: EsmClass(EsmClass::UDHI),
        short_message: b"\x30hello",
        ..Sms::default()
    };
    let reading = read(&sms, DefaultAlphabet::Gsm);
    assert!(!reading.exact);
    assert!(reading.text.unwrap().ends_with("hello"));
    assert_eq!(reading.part, None);
    let foreign = Sms {
        short_message: b"\x03\x24\x01\x06hi",
        ..sms
    };
    assert!(!read(&foreign, DefaultAlphabet::Gsm).exact);
}

#[test]
fn nothing_of_a_text_is_shown() {
    let message = &write("123456", &Style::default(), 1).unwrap()[0];
    let reading = delivered(0, b"123456");
    let shown = format!("{message:?} {reading:?}");
    assert!(!shown.contains("123456"), "{shown}");
}

#[test]
fn pieces_are_joined_in_any_order_and_forgotten_in_time() {
    let now = Instant::now();
    let minute = Duration::from_secs(60);
    let mut assembler = Assembler::new(2, minute);
    let from = |digits: &'static str| Sms {
        source: Address::international(digits),
        ..Sms::default()
    };
    let part = |reference, total, number| Part::new(reference, total, number).unwrap();
    let mut add = |at, sms: &Sms<'_>, part, text: &str| {
        let whole = assembler.add(at, sms, part, text.to_owned(), ());
        let whole = whole.map(|(whole, pieces)| {
            assert_eq!(pieces.len(), usize::from(part.total));
            whole
        });
        (whole, assembler.unfinished())
    };
    let (a, b) = (from("1555"), from("1666"));
    assert_eq!(add(now, &a, part(1, 1, 1), "one"), (Some("one".into()), 0));
    assert_eq!(add(now, &a, part(1, 3, 3), "c"), (None, 1));
    assert_eq!(add(now, &b, part(1, 3, 1), "x"), (None, 2));
    assert_eq!(add(now, &a, part(1, 3, 1), "a"), (None, 2));
    assert_eq!(add(now, &a, part(1, 3, 1), "a"), (None, 2));
    assert_eq!(add(now, &a, part(1, 3, 2), "b"), (Some("abc".into()), 1));
    // A third and fourth push the oldest out.
    assert_eq!(add(now, &a, part(2, 2, 1), "p"), (None, 2));
    assert_eq!(add(now, &a, part(3, 2, 1), "q"), (None, 2));
    assert_eq!(add(now, &a, part(2, 2, 2), "r"), (Some("pr".into()), 1));
    assert_eq!(add(now + minute, &a, part(3, 2, 2), "s"), (None, 1));
}

proptest! {
    #[test]
    fn any_text_survives(
        text in "[ -~éñÄ€\\{|Ωяş中😀\n’]{0,400}",
        concatenation in proptest::sample::select(vec![
            Concatenation::Header8, Concatenation::Header16, Concatenation::Sar, Concatenation::Payload,
        ]),
        default_alphabet in proptest::sample::select(vec![
            DefaultAlphabet::Gsm, DefaultAlphabet::GsmPacked, DefaultAlphabet::Latin1, DefaultAlphabet::Ascii,
        ]),
        national in any::<bool>(),
    ) {
        let style = Style {
            default_alphabet,
            concatenation,
            languages: if national { vec![Language::Turkish, Language::Portuguese] } else { vec![] },
            most_messages: 255,
            plain_punctuation: false,
            default_coding: match default_alphabet {
                DefaultAlphabet::Latin1 => 3,
                DefaultAlphabet::Ascii => 1,
                _ => 0,
            },
        };
        let messages = write(&text, &style, 3).unwrap();
        let measure = measure(&text, &style).unwrap();
        if concatenation != Concatenation::Payload {
            prop_assert_eq!(messages.len(), measure.messages);
            for message in &messages {
                prop_assert!(message.octets.len() <= 160);
                if message.data_coding == 8 {
                    prop_assert!(message.octets.len() <= 140);
                }
            }
        }
        prop_assert_eq!(through(&text, &style), text);
    }

    #[test]
    fn noise_never_panics(
        octets in proptest::collection::vec(any::<u8>(), 0..255),
        esm in any::<u8>(),
        data_coding in any::<u8>(),
        packed in any::<bool>(),
    ) {
        let sms = Sms {
            esm_class: EsmClass(esm),
            data_coding,
            short_message: &octets,
            ..Sms::default()
        };
        let alphabet = if packed { DefaultAlphabet::GsmPacked } else { DefaultAlphabet::Gsm };
        let reading = read(&sms, alphabet);
        prop_assert!(reading.text.is_none_or(|t| t.len() <= 3 * 2 * octets.len() + 3));
    }
}
