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

/// Why a payload is not one event block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEvent {
    /// It is shorter.
    #[error("telephone-event payload shorter than four octets")]
    TooShort,
    /// It is longer, and by more than the few zeros that some phones append: audio, redundancy
    /// (RFC 2198), or the further blocks of a modem's tones (RFC 4733 2.5.1.5).
    #[error("telephone-event payload with more in it than one event")]
    TooMuch,
}

/// Most zeros that are appended to a block: as much as three blocks.
const MOST_PADDING: usize = 12;

impl TelephoneEvent {
    /// Reads a payload of one block. The zeros that some phones append are left out; read as
    /// blocks, they would be presses of 0. Any other payload is none: whatever audio comes under
    /// this payload type must not be taken for keys.
    pub fn parse(payload: &[u8]) -> Result<TelephoneEvent, NotAnEvent> {
        let &[event, flags, high, low, ref padding @ ..] = payload else {
            return Err(NotAnEvent::TooShort);
        };
        if padding.len() > MOST_PADDING || padding.iter().any(|octet| *octet != 0) {
            return Err(NotAnEvent::TooMuch);
        }
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
        // The reserved bit is ignored.
        let again = TelephoneEvent::parse(&[11, 0xca, 0x03, 0x20]);
        assert_eq!(again, Ok(expected));
        let short = TelephoneEvent::parse(&[11, 0x8a, 3]);
        assert_eq!(short, Err(NotAnEvent::TooShort));
    }

    #[test]
    fn zeros_may_follow_the_block_and_nothing_else() {
        let mut payload = [11, 0x8a, 0x03, 0x20].to_vec();
        let event = TelephoneEvent::parse(&payload);
        for _ in 0..MOST_PADDING {
            payload.push(0);
            assert_eq!(TelephoneEvent::parse(&payload), event);
        }
        payload.push(0);
        assert_eq!(TelephoneEvent::parse(&payload), Err(NotAnEvent::TooMuch));
        // Two blocks; 20 ms of G.711 that is quiet; RFC 2198 with an event before this one; 10 ms
        // of G.729.
        for other in [
            &[1, 0x8a, 0x03, 0x20, 2, 0x0a, 0, 0xa0][..],
            &[0; 160],
            &[0x0b; 160],
            &[0x65 | 0x80, 0, 0xa0, 4, 0x65, 1, 10, 0, 160, 1, 10, 1, 64],
            &[7, 0x52, 0x80, 0, 0xfa, 0xc2, 0, 7, 0xd6, 0x1d],
        ] {
            assert_eq!(TelephoneEvent::parse(other), Err(NotAnEvent::TooMuch));
        }
    }

    proptest! {
        #[test]
        fn written_blocks_are_read_back(event: u8, end: bool, volume in 0u8..64, duration: u16) {
            let event = TelephoneEvent { event, end, volume, duration };
            prop_assert_eq!(TelephoneEvent::parse(&event.encode()), Ok(event));
        }
    }
}
