//! Telephone events: the keys of a phone as RTP packets of their own (RFC 4733).

mod presses;
mod sender;

pub use presses::{Began, News, Presses};
pub use sender::{EventSender, Report};

/// One event block of a telephone-event payload (RFC 4733 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// The event code; 0 to 15 are keys.
    pub event: u8,
    /// Whether the event has ended.
    pub end: bool,
    /// The power level, 0 to 63 standing for 0 to -63 dBm0.
    pub volume: u8,
    /// How long the event, or this segment of it, has lasted, in samples.
    pub duration: u16,
}

/// A payload shorter than one event block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("telephone-event payload shorter than four octets")]
pub struct TooShort;

impl TelephoneEvent {
    /// Reads the first block. Further blocks (RFC 4733 2.5.1.5) are for tones of modems; read as
    /// keys, the zeros that some phones append would be presses of 0.
    pub fn parse(payload: &[u8]) -> Result<TelephoneEvent, TooShort> {
        let &[event, flags, high, low, ..] = payload else {
            return Err(TooShort);
        };
        Ok(TelephoneEvent {
            event,
            end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    /// The block as it goes on the wire; a volume above 63 becomes 63.
    pub fn encode(&self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        let flags = u8::from(self.end) << 7 | self.volume.min(63);
        [self.event, flags, high, low]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_block_of_the_standard() {
        let event = TelephoneEvent::parse(&[11, 0x8a, 0x03, 0x20]).unwrap();
        let expected = TelephoneEvent {
            event: 11,
            end: true,
            volume: 10,
            duration: 800,
        };
        assert_eq!(event, expected);
        // The reserved bit is ignored, and so is what follows the block.
        let again = TelephoneEvent::parse(&[11, 0xca, 0x03, 0x20, 0, 0, 0, 0]);
        assert_eq!(again, Ok(expected));
        assert_eq!(TelephoneEvent::parse(&[11, 0x8a, 3]), Err(TooShort));
    }

    proptest! {
        #[test]
        fn written_blocks_are_read_back(event: u8, end: bool, volume in 0u8..64, duration: u16) {
            let event = TelephoneEvent { event, end, volume, duration };
            prop_assert_eq!(TelephoneEvent::parse(&event.encode()), Ok(event));
        }
    }
}
