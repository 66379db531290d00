//! Times as SMPP writes them (SMPP 3.4 7.1.1).

use std::time::Duration;

/// Octets of a [`relative`] period.
pub const RELATIVE_LEN: usize = 16;

/// A `validity_period` relative to the message centre's own clock, `YYMMDDhhmmss000R`: exact
/// whatever the two clocks say. Rounded up to a whole second, at most 63 days.
pub fn relative(period: Duration) -> [u8; RELATIVE_LEN] {
    const DAY: u64 = 86_400;
    let seconds = period
        .as_secs()
        .saturating_add(u64::from(period.subsec_nanos() > 0));
    let seconds = seconds.min(63 * DAY);
    // A month's length is the message centre's own idea; days up to 31 are not.
    let (months, days) = match seconds / DAY {
        days @ 0..=31 => (0, days),
        days => (days / 30, days % 30),
    };
    let mut text = *b"000000000000000R";
    let fields = [
        months,
        days,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    ];
    for (pair, value) in text[2..12].as_chunks_mut::<2>().0.iter_mut().zip(fields) {
        *pair = [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_periods() {
        let cases = [
            (Duration::ZERO, "000000000000000R"),
            (Duration::from_millis(1), "000000000001000R"),
            (Duration::from_secs(600), "000000001000000R"),
            (Duration::from_secs(86_399), "000000235959000R"),
            (Duration::from_secs(86_400 * 31), "000031000000000R"),
            (Duration::from_secs(86_400 * 40), "000110000000000R"),
            (Duration::MAX, "000203000000000R"),
        ];
        for (period, text) in cases {
            assert_eq!(std::str::from_utf8(&relative(period)), Ok(text));
        }
    }
}
