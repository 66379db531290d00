//! The sixteen digits of Q.23 and their two frequencies.

use std::fmt;

/// One of the sixteen DTMF digits (ITU-T Q.23), numbered as RFC 4733 3.2 numbers its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digit(u8);

const NAMES: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D',
];
/// Row (low group) frequencies in hertz.
pub const LOW_HZ: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
/// Column (high group) frequencies in hertz.
pub const HIGH_HZ: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// The keypad by event codes: row, then column.
const KEYPAD: [[u8; 4]; 4] = [[1, 2, 3, 12], [4, 5, 6, 13], [7, 8, 9, 14], [10, 0, 11, 15]];

impl Digit {
    /// The hash key.
    pub const HASH: Digit = Digit(11);
    /// The star key.
    pub const STAR: Digit = Digit(10);

    /// All sixteen, in the order of their RFC 4733 event codes.
    pub fn all() -> impl Iterator<Item = Digit> + Clone {
        (0..16).map(Digit)
    }

    /// From an RFC 4733 event code; `None` above 15 (flash and the rest are no digits).
    pub const fn from_event(code: u8) -> Option<Digit> {
        if code < 16 { Some(Digit(code)) } else { None }
    }

    /// The RFC 4733 event code, 0 to 15.
    pub const fn event(self) -> u8 {
        self.0
    }

    /// From its name, `0`-`9`, `*`, `#`, `A`-`D` in either case.
    pub fn from_char(name: char) -> Option<Digit> {
        let name = name.to_ascii_uppercase();
        NAMES
            .iter()
            .position(|n| *n == name)
            .map(|i| Digit(i as u8))
    }

    /// Its name on the keypad.
    pub const fn as_char(self) -> char {
        NAMES[(self.0 & 15) as usize]
    }

    /// From row and column of the keypad, each 0 to 3.
    pub fn from_row_column(row: usize, column: usize) -> Option<Digit> {
        Some(Digit(*KEYPAD.get(row)?.get(column)?))
    }

    /// Row and column on the keypad, each 0 to 3.
    pub fn row_column(self) -> (usize, usize) {
        let place = KEYPAD.iter().flatten().position(|code| *code == self.0);
        place.map_or((3, 1), |place| (place / 4, place % 4))
    }

    /// Low and high frequency in hertz.
    pub fn frequencies(self) -> (f64, f64) {
        let (row, column) = self.row_column();
        (LOW_HZ[row], HIGH_HZ[column])
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_has_one_place_on_the_keypad() {
        for digit in Digit::all() {
            let (row, column) = digit.row_column();
            assert_eq!(Digit::from_row_column(row, column), Some(digit));
            assert_eq!(Digit::from_char(digit.as_char()), Some(digit));
            assert_eq!(Digit::from_event(digit.event()), Some(digit));
        }
        assert_eq!(Digit::HASH.frequencies(), (941.0, 1477.0));
        let names: String = (0..4)
            .flat_map(|row| (0..4).map(move |column| (row, column)))
            .filter_map(|(row, column)| Digit::from_row_column(row, column))
            .map(Digit::as_char)
            .collect();
        assert_eq!(names, "123A456B789C*0#D");
        assert_eq!(Digit::from_event(16), None);
    }
}
