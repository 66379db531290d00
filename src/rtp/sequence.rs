//! Sequence numbers: wrap, order, duplicates and restarts (RFC 3550 A.1).

/// A larger step forward than this is no loss but another stream (`MAX_DROPOUT`).
const MAX_DROPOUT: i64 = 3_000;
/// A packet further behind than this is no late one but another stream (`MAX_MISORDER`).
const MAX_MISORDER: i64 = 100;
/// How far back duplicates are told from late packets.
const REMEMBERED: i64 = 64;

/// Where a packet stands among those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Newer than all before.
    Ahead,
    /// Late: newer ones came before it.
    Behind,
    /// It has been here before.
    Duplicate,
    /// So late that nobody can tell whether it has been here before.
    TooOld,
    /// Far from everything; forgotten unless its successor comes next.
    Stray,
    /// The second in a row far from everything: the source has restarted its numbers.
    Restarted,
}

/// The sequence numbers of one source, extended to 64 bits.
#[derive(Debug, Clone)]
pub(super) struct Sequence {
    first: u64,
    highest: u64,
    /// Bit n: `highest - n` has been received.
    seen: u64,
    /// The number that would prove a restart.
    restart: Option<u16>,
    received: u64,
}

impl Sequence {
    /// Starts at the first packet of a source.
    pub(super) fn new(number: u16) -> Sequence {
        // One cycle up, so that packets before the first have a number too.
        let extended = 0x1_0000 + u64::from(number);
        Sequence {
            first: extended,
            highest: extended,
            seen: 1,
            restart: None,
            received: 1,
        }
    }

    /// The highest number so far.
    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// Packets that should have come and did not (RFC 3550 A.3), and none below zero.
    pub(super) fn lost(&self) -> u64 {
        (self.highest - self.first + 1).saturating_sub(self.received)
    }

    /// Places the packet with this number, and gives the number extended.
    pub(super) fn place(&mut self, number: u16) -> (Place, u64) {
        let step = i64::from(number.wrapping_sub(self.highest as u16) as i16);
        let extended = self.highest.wrapping_add_signed(step);
        let place = match step {
            1..=MAX_DROPOUT => {
                self.seen = self.seen.checked_shl(step as u32).unwrap_or(0) | 1;
                self.highest = extended;
                self.restart = None;
                self.received += 1;
                Place::Ahead
            }
            0 => Place::Duplicate,
            _ if (1 - REMEMBERED..0).contains(&step) => {
                let bit = 1u64 << -step;
                if self.seen & bit == 0 {
                    self.seen |= bit;
                    self.first = self.first.min(extended);
                    self.received += 1;
                    Place::Behind
                } else {
                    Place::Duplicate
                }
            }
            _ if (-MAX_MISORDER..0).contains(&step) => Place::TooOld,
            _ if self.restart == Some(number) => {
                *self = Sequence::new(number);
                return (Place::Restarted, self.highest);
            }
            _ => {
                self.restart = Some(number.wrapping_add(1));
                Place::Stray
            }
        };
        (place, extended)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_number_wraps() {
        let mut sequence = Sequence::new(65_534);
        let start = sequence.highest();
        for n in 1..200_000u64 {
            let number = 65_534u16.wrapping_add(n as u16);
            assert_eq!(sequence.place(number), (Place::Ahead, start + n));
        }
        assert_eq!(sequence.lost(), 0);
    }

    #[test]
    fn late_and_double_packets_are_told_apart() {
        let mut sequence = Sequence::new(0);
        assert_eq!(sequence.place(5).0, Place::Ahead);
        assert_eq!(sequence.lost(), 4);
        assert_eq!(sequence.place(3).0, Place::Behind);
        assert_eq!(sequence.place(3).0, Place::Duplicate);
        assert_eq!(sequence.place(5).0, Place::Duplicate);
        assert_eq!(sequence.place(0).0, Place::Duplicate);
        // One before the first that was seen.
        assert_eq!(sequence.place(65_535).0, Place::Behind);
        assert_eq!(sequence.lost(), 3);
        assert_eq!(sequence.place(105).0, Place::Ahead);
        assert_eq!(sequence.place(30).0, Place::TooOld);
        assert_eq!(sequence.place(42).0, Place::Behind);
    }

    #[test]
    fn a_restart_needs_two_in_a_row() {
        let mut sequence = Sequence::new(100);
        assert_eq!(sequence.place(40_000).0, Place::Stray);
        assert_eq!(sequence.place(101).0, Place::Ahead);
        assert_eq!(sequence.place(40_001).0, Place::Stray);
        assert_eq!(sequence.place(40_003).0, Place::Stray);
        assert_eq!(sequence.place(40_004).0, Place::Restarted);
        assert_eq!(sequence.place(40_005).0, Place::Ahead);
        assert_eq!(sequence.lost(), 0);
    }

    proptest! {
        #[test]
        fn nothing_is_ever_placed_twice(start in any::<u16>(), steps in prop::collection::vec(-70i32..70, 1..400)) {
            let mut sequence = Sequence::new(start);
            let mut placed = std::collections::HashSet::from([sequence.highest()]);
            let mut number = start;
            for step in steps {
                number = number.wrapping_add(step as u16);
                let (place, extended) = sequence.place(number);
                match place {
                    Place::Ahead | Place::Behind => prop_assert!(placed.insert(extended)),
                    Place::Duplicate => prop_assert!(placed.contains(&extended)),
                    Place::TooOld | Place::Stray => {}
                    Place::Restarted => placed = std::collections::HashSet::from([extended]),
                }
            }
        }
    }
}
