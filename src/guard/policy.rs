//! The limits themselves, as configured under `[guard]`.

use std::fmt;
use std::time::Duration;

use super::{Limit, Refusal};
use crate::document::duration::Written;
use crate::document::read_duration;
use crate::phone::{NumberKind, PhoneNumber};

/// So many in any window of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least 1.
    pub count: u32,
    /// The window; at least 1 ms.
    pub window: Duration,
}

impl Rate {
    /// From `5 per 10m`.
    pub fn parse(text: &str) -> Option<Rate> {
        let (count, window) = text.split_once(" per ")?;
        let digits = count.bytes().all(|b| b.is_ascii_digit());
        let count = count.parse().ok().filter(|n| digits && *n > 0)?;
        let window = read_duration(window).filter(|w| !w.is_zero())?;
        Some(Rate { count, window })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {}", self.count, Written(self.window))
    }
}

/// What is admitted. An empty list of rates is no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Challenges open at once to one number; at least 1.
    pub open_per_number: u32,
    /// Challenges to one number.
    pub per_number: Vec<Rate>,
    /// Challenges to one number that end without approval, since the last that was approved: one
    /// who knows the password shall not ring its owner until the owner gives in.
    pub unconfirmed_per_number: Vec<Rate>,
    /// How long a number is left alone after its owner reported a sign-in they did not start.
    pub hold_after_report: Duration,
    /// Challenges to numbers that differ in the last four digits alone: toll fraud calls many
    /// numbers of a range that it earns from.
    pub per_range: Vec<Rate>,
    /// Challenges of one tenant.
    pub per_tenant: Vec<Rate>,
    /// Challenges in all.
    pub overall: Vec<Rate>,
    /// Kinds of numbers that are never called, whatever the dialplan says.
    pub blocked_kinds: Vec<NumberKind>,
    /// Beginnings of numbers, `+870`, that are never called, whatever the dialplan says.
    pub blocked_prefixes: Vec<Box<str>>,
    /// Numbers remembered at once, at some 300 octets each; beyond it those not asked for the
    /// longest are forgotten. More than `overall` admits in the longest window is never needed.
    pub most_numbers: usize,
}

impl Policy {
    /// No challenge lives longer.
    pub const LONGEST_CHALLENGE: Duration = Duration::from_secs(3600);
    /// The highest count of a rate for one number.
    pub const MOST_PER_NUMBER: u32 = 1_000;
    /// The highest count of any other rate.
    pub const MOST: u32 = 1_000_000;

    /// No limit at all: for benches and tests, and for nobody who pays for calls.
    pub fn unlimited() -> Policy {
        Policy {
            open_per_number: u32::MAX,
            per_number: Vec::new(),
            unconfirmed_per_number: Vec::new(),
            hold_after_report: Duration::ZERO,
            per_range: Vec::new(),
            per_tenant: Vec::new(),
            overall: Vec::new(),
            blocked_kinds: Vec::new(),
            blocked_prefixes: Vec::new(),
            ..Policy::default()
        }
    }

    /// Refuses what is never called.
    ///
    /// # Errors
    /// [`Refusal`], which time does not help.
    pub fn screen(&self, number: &PhoneNumber) -> Result<(), Refusal> {
        if self.blocked_kinds.contains(&number.kind()) {
            return Err(Refusal::never(Limit::BlockedKind));
        }
        let e164 = number.e164();
        if self.blocked_prefixes.iter().any(|p| e164.starts_with(&**p)) {
            return Err(Refusal::never(Limit::BlockedPrefix));
        }
        Ok(())
    }
}

impl Default for Policy {
    fn default() -> Self {
        let rate = |count, seconds| Rate {
            count,
            window: Duration::from_secs(seconds),
        };
        Policy {
            open_per_number: 1,
            per_number: vec![rate(5, 600), rate(40, 86_400)],
            unconfirmed_per_number: vec![rate(5, 1_800)],
            hold_after_report: Duration::from_secs(1_800),
            per_range: vec![rate(200, 3_600)],
            per_tenant: vec![rate(600, 60)],
            overall: vec![rate(1_200, 60)],
            blocked_kinds: vec![
                NumberKind::Premium,
                NumberKind::SharedCost,
                NumberKind::TollFree,
                NumberKind::Personal,
                NumberKind::Pager,
                NumberKind::Uan,
                NumberKind::Voicemail,
            ],
            blocked_prefixes: ["+870", "+878", "+881", "+882", "+883", "+888", "+979"]
                .map(Box::from)
                .to_vec(),
            most_numbers: 200_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_they_are_written() {
        for (text, count, seconds) in [
            ("5 per 10m", 5, 600),
            ("1 per 1d", 1, 86_400),
            ("200 per 1h30m", 200, 5_400),
        ] {
            let rate = Rate::parse(text).unwrap();
            assert_eq!(
                (rate.count, rate.window),
                (count, Duration::from_secs(seconds))
            );
            assert_eq!(rate.to_string(), text);
        }
        for text in [
            "",
            "5",
            "5/10m",
            "5 per",
            "0 per 1m",
            "-1 per 1m",
            "+1 per 1m",
            "5 per 0s",
            "5 per 10",
            "5  per 1m",
            "4294967296 per 1s",
        ] {
            assert_eq!(Rate::parse(text), None, "{text}");
        }
    }
}
