//! Durations as people write them: `30s`, `1m30s`, `250ms`.

use std::fmt;
use std::time::Duration;

/// Units from long to short, in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads whole numbers each with its unit, `d`, `h`, `m`, `s`, `ms`, longer units first and each
/// at most once. `None` for anything else, a bare number among it: nobody knows its unit.
pub fn read_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total: u64 = 0;
    let mut units = UNITS.iter();
    if text.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let letters = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        let unit = rest.get(..letters)?;
        rest = rest.get(letters..)?;
        // Goes on from the unit before, so that units come in order and once.
        let (_, milliseconds) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.checked_mul(*milliseconds)?)?;
    }
    Some(Duration::from_millis(total))
}

/// Writes a duration as [`read_duration`] reads it, to the millisecond.
#[derive(Debug, Clone, Copy)]
pub struct Written(pub Duration);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, milliseconds) in UNITS {
            let number = left / milliseconds;
            left %= milliseconds;
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_read_in_order_and_never_guessed() {
        for (text, milliseconds) in [
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("90s", 90_000),
            ("250ms", 250),
            ("1h", 3_600_000),
            ("1d12h", 129_600_000),
            ("0s", 0),
            ("1s5ms", 1_005),
        ] {
            assert_eq!(
                read_duration(text),
                Some(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "30",
            "s",
            "1.5s",
            "-1s",
            "30 s",
            "30s1m",
            "1m1m",
            "30S",
            "30sec",
            " 30s",
            "1y",
            "99999999999999999999s",
            "18446744073709551615d",
            "１s",
            "1s1",
        ] {
            assert_eq!(read_duration(text), None, "{text}");
        }
        assert_eq!(Written(Duration::from_secs(90)).to_string(), "1m30s");
        assert_eq!(Written(Duration::ZERO).to_string(), "0s");
    }

    proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read(milliseconds in 0u64..=u64::MAX / 2) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(read_duration(&Written(duration).to_string()), Some(duration));
        }

        #[test]
        fn any_text_is_refused_or_read(text in "\\PC{0,20}") {
            let _ = read_duration(&text);
        }
    }
}
