use proptest::prelude::*;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberType};

use super::*;
use crate::phone::Indirection;

const TYPES: [PhoneNumberType; 11] = [
    PhoneNumberType::FixedLine,
    PhoneNumberType::Mobile,
    PhoneNumberType::FixedLineOrMobile,
    PhoneNumberType::TollFree,
    PhoneNumberType::PremiumRate,
    PhoneNumberType::SharedCost,
    PhoneNumberType::VoIP,
    PhoneNumberType::PersonalNumber,
    PhoneNumberType::Pager,
    PhoneNumberType::UAN,
    PhoneNumberType::VoiceMail,
];

/// An example of every kind in every region, as E.164.
fn examples() -> Vec<String> {
    let mut all = Vec::new();
    for region in PHONE_NUMBER_UTIL.get_supported_regions() {
        for kind in TYPES {
            if let Ok(number) =
                PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind)
            {
                all.push(
                    PHONE_NUMBER_UTIL
                        .format(&number, PhoneNumberFormat::E164)
                        .into_owned(),
                );
            }
        }
    }
    for code in PHONE_NUMBER_UTIL.get_supported_global_network_calling_codes() {
        if let Ok(number) = PHONE_NUMBER_UTIL.get_example_number_for_non_geo_entity(code) {
            all.push(
                PHONE_NUMBER_UTIL
                    .format(&number, PhoneNumberFormat::E164)
                    .into_owned(),
            );
        }
    }
    all.sort();
    all.dedup();
    all
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn gb() -> Region {
    Region::parse("gb").unwrap()
}

#[test]
fn every_regions_examples_are_read_with_their_kind_and_region() {
    let all = examples();
    assert!(all.len() > 900, "{}", all.len());
    for e164 in &all {
        let number = number(e164);
        assert_eq!(number.e164(), e164);
        let reference = PHONE_NUMBER_UTIL.parse(e164, None).unwrap();
        assert!(PHONE_NUMBER_UTIL.is_valid_number(&reference), "{e164}");
        assert_eq!(
            number.kind(),
            NumberKind::from(PHONE_NUMBER_UTIL.get_number_type(&reference))
        );
        assert_eq!(
            Some(number.region().inner()),
            PHONE_NUMBER_UTIL.get_region_for_number(&reference)
        );
        assert_eq!(number.country_code(), reference.country_code.to_string());
        assert_eq!(
            format!("+{}{}", number.country_code(), number.national()),
            *e164
        );
    }
}

#[test]
fn what_people_write_is_read() {
    for (text, e164, kind, region) in [
        (
            "+44 20 7946 0123",
            "+442079460123",
            NumberKind::FixedLine,
            "GB",
        ),
        (
            "+44 (0)20 7946 0123",
            "+442079460123",
            NumberKind::FixedLine,
            "GB",
        ),
        ("+447400123456", "+447400123456", NumberKind::Mobile, "GB"),
        (
            "+1 (650) 253-0000",
            "+16502530000",
            NumberKind::FixedOrMobile,
            "US",
        ),
        (
            "+1 416 555 0123",
            "+14165550123",
            NumberKind::FixedOrMobile,
            "CA",
        ),
        (
            "+39 06 1234 5678",
            "+390612345678",
            NumberKind::FixedLine,
            "IT",
        ),
        (
            "+44 909 879 0000",
            "+449098790000",
            NumberKind::Premium,
            "GB",
        ),
        (
            "+1 800 253 0000",
            "+18002530000",
            NumberKind::TollFree,
            "US",
        ),
        (
            "+800 1234 5678",
            "+80012345678",
            NumberKind::TollFree,
            "001",
        ),
        (
            "+870 301 234 567",
            "+870301234567",
            NumberKind::Mobile,
            "001",
        ),
    ] {
        let number = number(text);
        assert_eq!(number.e164(), e164);
        assert_eq!(number.kind(), kind, "{text}");
        assert_eq!(number.region().code(), region, "{text}");
    }
    let national = PhoneNumber::parse_in("020 7946 0123", gb()).unwrap();
    assert_eq!(national.e164(), "+442079460123");
    let idd = PhoneNumber::parse_in("00 39 06 6982 1234", gb()).unwrap();
    assert_eq!(idd.e164(), "+390669821234");
    let plus = PhoneNumber::parse_in("+1 650 253 0000", gb()).unwrap();
    assert_eq!(plus.e164(), "+16502530000");
}

#[test]
fn what_is_not_a_number_is_refused_with_its_code() {
    for (text, code) in [
        ("", "empty"),
        ("+", "not_a_number"),
        ("()", "not_a_number"),
        ("020 7946 0123", "no_plus"),
        ("0044 20 7946 0123", "no_plus"),
        ("+1 650 253", "too_short"),
        ("+44 2", "too_short"),
        ("+44 20 7946 01234", "too_long"),
        ("+49 30 12345678901234", "too_long"),
        ("+1 650 153 0000", "not_valid_for_region"),
        ("+1 555 555 5555", "not_valid_for_region"),
        ("+210 1234 5678", "unknown_country_code"),
        ("+999 1234 5678", "unknown_country_code"),
        ("+0 1234 5678", "unknown_country_code"),
        ("911", "short_code"),
        ("112", "short_code"),
        ("+44 999", "short_code"),
        ("+49112", "short_code"),
        ("+44 116 123", "short_code"),
        ("118118", "short_code"),
        ("+1 800 FLOWERS", "letters"),
        ("+16502530000 x12", "not_direct_dial"),
    ] {
        let error = PhoneNumber::parse(text).unwrap_err();
        assert_eq!(error.code(), code, "{text}");
        assert!(PhoneError::CODES.contains(&error.code()));
    }
    for text in ["999", "118118", "30300", "7042"] {
        let error = PhoneNumber::parse_in(text, gb()).unwrap_err();
        assert_eq!(error, PhoneError::ShortCode, "{text}");
    }
}

#[test]
fn no_emergency_number_is_dialled_from_or_to_any_region() {
    for region in PHONE_NUMBER_UTIL.get_supported_regions() {
        let code = PHONE_NUMBER_UTIL
            .get_country_code_for_region(region)
            .unwrap();
        for short in NOBODYS {
            let national = PhoneNumber::parse_in(short, Region::from_inner(region));
            assert!(national.is_err(), "{short} in {region}: {national:?}");
            let abroad = PhoneNumber::parse(&format!("+{code}{short}"));
            if let Ok(number) = &abroad {
                // A country code may run into the short code: +1 and 242... are one code. What
                // was parsed must then be more than the short code itself.
                assert_ne!(number.national(), short, "{short} to {region}");
            }
        }
    }
}

#[test]
fn a_mask_hides_all_but_two_digits_and_short_numbers_wholly() {
    assert_eq!(number("+442079460123").masked(), "+44********23");
    assert_eq!(number("+16502530000").masked(), "+1********00");
    assert_eq!(format!("{:?}", number("+442079460123")), "+44********23");
    assert_eq!(format!("{:#?}", number("+442079460123")), "+44********23");
    for e164 in examples() {
        let number = number(&e164);
        let masked = number.masked();
        let national = masked.get(1 + number.country_code().len()..).unwrap();
        let shown = national.chars().filter(|c| *c != '*').count();
        let hidden = national.len() - shown;
        assert_eq!(masked.len(), e164.len());
        assert!(shown <= 2, "{masked}");
        assert!(hidden >= 6 || shown == 0, "{masked}");
        assert!(e164.ends_with(national.trim_start_matches('*')));
    }
}

/// Text that must not be dialled whatever stands before it.
fn tail() -> impl Strategy<Value = String> {
    let digits = "[0-9]{1,12}";
    prop_oneof![
        (
            prop::sample::select(vec![
                "x",
                "X",
                " x ",
                "ext",
                " ext. ",
                "extn",
                " extension ",
                " EXT:",
                "#",
                " #",
                " доб. ",
                " anexo ",
                " int ",
                "ｘ",
                "ｅｘｔ",
                ";ext=",
                "; ext ",
                ",",
                ",,",
                ";",
                "p",
                "w",
                "P",
                " W ",
                "~",
                "*",
                "＃",
                "＊",
                ";postd=",
                ";isub=",
                ";phone-context=",
                "wp",
                ",p",
                "；",
                "，",
                "～",
                "/x",
                "/ x",
                "\\x",
            ]),
            digits
        )
            .prop_map(|(mark, digits)| format!("{mark}{digits}")),
        digits.prop_map(|d| format!(" - {d}#")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_dials_on_ever_parses(
        at in any::<prop::sample::Index>(),
        tel in prop_oneof![Just(""), Just("tel:"), Just("TEL:")],
        tail in tail(),
    ) {
        thread_local!(static ALL: Vec<String> = examples());
        let text = ALL.with(|all| format!("{tel}{}{tail}", at.get(all)));
        let error = PhoneNumber::parse(&text).err();
        prop_assert!(error.is_some(), "{}", text);
        let error = PhoneNumber::parse_in(&text, gb()).err();
        prop_assert!(error.is_some(), "{}", text);
    }

    #[test]
    fn a_number_survives_any_way_of_writing_it(
        at in any::<prop::sample::Index>(),
        separators in prop::collection::vec(
            prop::sample::select(vec!["", "", "", " ", "-", ".", "(", ")", "/", "\u{A0}", "\u{2013}", "\u{2060}"]), 17),
        script in prop::sample::select(vec!['0', '\u{660}', '\u{6F0}', '\u{966}', '\u{FF10}', '\u{E50}']),
    ) {
        thread_local!(static ALL: Vec<String> = examples());
        let e164 = ALL.with(|all| at.get(all).clone());
        let mut text = String::new();
        for (c, separator) in e164.chars().zip(&separators) {
            text.push_str(separator);
            text.push(match c.to_digit(10) {
                Some(d) => char::from_u32(script as u32 + d).unwrap(),
                None => c,
            });
        }
        let read = PhoneNumber::parse(&text);
        prop_assert_eq!(read.as_ref().map(|n| n.e164()), Ok(e164.as_str()), "{}", text);
    }

    #[test]
    fn any_digits_are_refused_or_stand_for_themselves(text in "\\+[0-9 ()-]{1,22}") {
        if let Ok(number) = PhoneNumber::parse(&text) {
            prop_assert!(number.e164().len() <= 16);
            prop_assert_eq!(PhoneNumber::parse(number.e164()), Ok(number.clone()));
            prop_assert_ne!(number.kind(), NumberKind::Unknown);
        }
    }

    #[test]
    fn any_text_at_all_is_read_without_panic(text in "\\PC{0,40}", region in "[A-Z]{2}") {
        let _ = PhoneNumber::parse(&text);
        if let Ok(region) = Region::parse(&region)
            && let Ok(number) = PhoneNumber::parse_in(&text, region)
        {
            prop_assert_eq!(PhoneNumber::parse(number.e164()), Ok(number.clone()));
        }
    }

    #[test]
    fn national_digits_are_refused_or_stand_for_themselves(digits in "[0-9]{2,17}", at in any::<prop::sample::Index>()) {
        let regions: Vec<_> = PHONE_NUMBER_UTIL.get_supported_regions().collect();
        if let Ok(number) = PhoneNumber::parse_in(&digits, Region::from_inner(*at.get(&regions))) {
            prop_assert_eq!(PhoneNumber::parse(number.e164()), Ok(number.clone()));
        }
    }
}

#[test]
fn regions_are_read_strictly() {
    assert_eq!(Region::parse("GB").unwrap().code(), "GB");
    assert_eq!(format!("{:?} {}", gb(), gb()), "GB GB");
    for bad in ["", "G", "GBR", "001", "ZZ", "é", "1A"] {
        assert!(Region::parse(bad).is_err(), "{bad}");
    }
    let error = PhoneError::NotDirectDial(Indirection::Extension);
    assert_eq!(
        error.to_string(),
        "not a direct-dial number: it has an extension"
    );
}
