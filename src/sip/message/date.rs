//! The one form of date SIP allows (RFC 3261 20.17): `Sat, 13 Nov 2010 23:29:00 GMT`.

const DAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Whether a text is such a date; only GMT is.
pub(super) fn is_date(text: &[u8]) -> bool {
    let Ok(text) = <&[u8; 29]>::try_from(text) else {
        return false;
    };
    let pattern = b"aaa, 00 aaa 0000 00:00:00 GMT";
    let shaped = text.iter().zip(pattern).all(|(byte, like)| match like {
        b'a' => byte.is_ascii_alphabetic(),
        b'0' => byte.is_ascii_digit(),
        mark => byte.eq_ignore_ascii_case(mark),
    });
    let one_of = |at: usize, names: &[&[u8]]| {
        text.get(at..at + 3)
            .is_some_and(|part| names.iter().any(|n| part.eq_ignore_ascii_case(n)))
    };
    let two = |at: usize| match text.get(at..at + 2) {
        Some([tens, ones]) => (tens.wrapping_sub(b'0')) * 10 + ones.wrapping_sub(b'0'),
        _ => u8::MAX,
    };
    shaped
        && one_of(0, &DAYS)
        && one_of(8, &MONTHS)
        && (1..=31).contains(&two(5))
        && two(17) < 24
        && two(20) < 60
        && two(23) < 61
}

#[cfg(test)]
mod tests {
    use super::is_date;

    #[test]
    fn dates() {
        assert!(is_date(b"Sat, 13 Nov 2010 23:29:00 GMT"));
        for bad in [
            "",
            "Fri, 01 Jan 2010 16:00:00 EST",
            "Sat, 32 Nov 2010 23:29:00 GMT",
            "Sat, 13 Nov 2010 24:29:00 GMT",
            "Sxt, 13 Nov 2010 23:29:00 GMT",
            "Sat, 13 Nov 10 23:29:00 GMT",
        ] {
            assert!(!is_date(bad.as_bytes()), "{bad}");
        }
    }
}
