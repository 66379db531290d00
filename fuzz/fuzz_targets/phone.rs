//! Any text read as a phone number: no panic, and what is taken stands for itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringtrue::phone::{NumberKind, PhoneNumber, Region};

fuzz_target!(|text: &str| {
    if let Ok(number) = PhoneNumber::parse(text) {
        assert!(number.e164().starts_with('+') && number.e164().len() <= 16);
        assert!(number.e164().bytes().skip(1).all(|b| b.is_ascii_digit()));
        assert_ne!(number.kind(), NumberKind::Unknown);
        assert_eq!(PhoneNumber::parse(number.e164()).as_ref(), Ok(&number));
        assert!(number.national().len() <= 6 || number.masked() != number.e164());
    }
    // The first two letters name the region that the rest is dialled in.
    if let Some((region, rest)) = text.split_at_checked(2)
        && let Ok(region) = Region::parse(region)
        && let Ok(number) = PhoneNumber::parse_in(rest, region)
    {
        assert_eq!(PhoneNumber::parse(number.e164()), Ok(number));
    }
});
