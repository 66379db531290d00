//! Cuts a byte stream into PDUs. Reads may split and join PDUs at any octet.

use thiserror::Error;

use super::{HEADER_LEN, Header};

/// A length field after which the stream cannot be followed any more: the session must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Shorter than the header it stands in.
    #[error("a PDU claims {length} octets, fewer than its own header")]
    TooShort {
        /// The `command_length` that came.
        length: u32,
    },
    /// Longer than this side accepts.
    #[error("a PDU claims {length} octets, more than the {limit} accepted here")]
    TooLong {
        /// The `command_length` that came.
        length: u32,
        /// The most that is accepted.
        limit: u32,
    },
}

/// The longest PDU accepted unless configured otherwise: a `message_payload` of 65,535 octets with
/// room for the other fields.
pub const DEFAULT_LIMIT: u32 = 68 * 1024;

/// Finds whole PDUs in a stream. A PDU that arrives whole is handed out where it lies; only one
/// that is split over reads is copied. Never holds more than the limit, and never makes room for
/// more than has arrived.
#[derive(Debug)]
pub struct Framer {
    partial: Vec<u8>,
    /// Octets of the PDU in `partial` that has been handed out and may be dropped.
    handed_out: bool,
    limit: u32,
    broken: Option<FrameError>,
}

impl Default for Framer {
    fn default() -> Framer {
        Framer::new(DEFAULT_LIMIT)
    }
}

impl Framer {
    /// Accepts PDUs up to `limit` octets, header included; at least a header's 16.
    pub fn new(limit: u32) -> Framer {
        Framer {
            partial: Vec::new(),
            handed_out: false,
            limit: limit.max(HEADER_LEN as u32),
            broken: None,
        }
    }

    /// Forgets a PDU that began and a stream that broke: for a new connection.
    pub fn reset(&mut self) {
        self.partial.clear();
        self.handed_out = false;
        self.broken = None;
    }

    /// Octets held of a PDU that has begun.
    pub fn held(&self) -> usize {
        if self.handed_out {
            0
        } else {
            self.partial.len()
        }
    }

    /// The next whole PDU, its header included, taken from `input` and what earlier calls left.
    /// `None` once `input` is used up.
    ///
    /// # Errors
    /// A length field that lies; every later call gives the same error.
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<&'s [u8]>, FrameError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        if self.handed_out {
            self.partial.clear();
            self.handed_out = false;
        }
        if self.partial.is_empty() {
            let Some(length) = self.announced(input)? else {
                self.partial.extend_from_slice(input);
                *input = &[];
                return Ok(None);
            };
            if let Some((whole, rest)) = input.split_at_checked(length) {
                *input = rest;
                return Ok(Some(whole));
            }
            self.partial.extend_from_slice(input);
            *input = &[];
            return Ok(None);
        }
        self.fill(HEADER_LEN, input);
        let held = std::mem::take(&mut self.partial);
        let announced = self.announced(&held);
        self.partial = held;
        let Some(length) = announced? else {
            return Ok(None);
        };
        self.fill(length, input);
        if self.partial.len() < length {
            return Ok(None);
        }
        self.handed_out = true;
        Ok(Some(&self.partial))
    }

    fn fill(&mut self, wanted: usize, input: &mut &[u8]) {
        let missing = wanted.saturating_sub(self.partial.len()).min(input.len());
        let (taken, rest) = input.split_at(missing);
        self.partial.extend_from_slice(taken);
        *input = rest;
    }

    /// The announced length, once a whole header is there. It is judged as soon as its own four
    /// octets are.
    fn announced(&mut self, octets: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some(field) = octets.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*field);
        let error = if (length as usize) < HEADER_LEN {
            FrameError::TooShort { length }
        } else if length > self.limit {
            FrameError::TooLong {
                length,
                limit: self.limit,
            }
        } else {
            return Ok(Header::decode(octets).map(|_| length as usize));
        };
        self.broken = Some(error);
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pdu(body: &[u8], sequence: u32) -> Vec<u8> {
        let mut out = ((HEADER_LEN + body.len()) as u32).to_be_bytes().to_vec();
        out.extend_from_slice(&[0, 0, 0, 0x15, 0, 0, 0, 0]);
        out.extend_from_slice(&sequence.to_be_bytes());
        out.extend_from_slice(body);
        out
    }

    fn cut(framer: &mut Framer, mut input: &[u8]) -> Result<Vec<Vec<u8>>, FrameError> {
        let mut found = Vec::new();
        while let Some(frame) = framer.next(&mut input)? {
            found.push(frame.to_vec());
        }
        assert!(input.is_empty());
        Ok(found)
    }

    #[test]
    fn split_at_every_octet() {
        let first = pdu(b"hello", 1);
        let second = pdu(b"", 2);
        let stream: Vec<u8> = [first.clone(), second.clone(), first.clone()].concat();
        for at in 0..=stream.len() {
            let mut framer = Framer::default();
            let mut found = cut(&mut framer, &stream[..at]).unwrap();
            found.extend(cut(&mut framer, &stream[at..]).unwrap());
            assert_eq!(found, [first.clone(), second.clone(), first.clone()]);
            assert_eq!(framer.held(), 0);
        }
        let mut framer = Framer::default();
        let mut found = Vec::new();
        for octet in &stream {
            found.extend(cut(&mut framer, std::slice::from_ref(octet)).unwrap());
        }
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn lengths_that_lie_break_the_stream_for_good() {
        for (length, error) in [
            (0, FrameError::TooShort { length: 0 }),
            (15, FrameError::TooShort { length: 15 }),
            (
                101,
                FrameError::TooLong {
                    length: 101,
                    limit: 100,
                },
            ),
            (
                u32::MAX,
                FrameError::TooLong {
                    length: u32::MAX,
                    limit: 100,
                },
            ),
        ] {
            let mut framer = Framer::new(100);
            // The length alone is enough: no waiting for a header behind a lie.
            assert_eq!(cut(&mut framer, &length.to_be_bytes()), Err(error));
            assert_eq!(cut(&mut framer, &pdu(b"", 1)), Err(error));
            framer.reset();
            assert_eq!(cut(&mut framer, &pdu(b"", 1)).unwrap().len(), 1);
        }
    }

    #[test]
    fn room_is_made_for_what_has_arrived_alone() {
        let mut framer = Framer::new(u32::MAX);
        let mut head = 0x7fff_ffffu32.to_be_bytes().to_vec();
        head.extend_from_slice(&[0; 12]);
        assert_eq!(cut(&mut framer, &head).unwrap().len(), 0);
        assert_eq!(framer.held(), 16);
        assert!(framer.partial.capacity() < 1024);
    }

    proptest! {
        #[test]
        fn any_splitting_gives_the_same_pdus(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..12),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..10),
        ) {
            let pdus: Vec<Vec<u8>> = bodies.iter().enumerate().map(|(i, b)| pdu(b, i as u32)).collect();
            let stream = pdus.concat();
            let mut at: Vec<usize> = cuts.iter().map(|c| c.index(stream.len() + 1)).collect();
            at.push(0);
            at.push(stream.len());
            at.sort_unstable();
            let mut framer = Framer::default();
            let mut found = Vec::new();
            for pair in at.windows(2) {
                found.extend(cut(&mut framer, &stream[pair[0]..pair[1]]).unwrap());
            }
            prop_assert_eq!(found, pdus);
        }

        #[test]
        fn noise_never_panics_and_never_grows(noise in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut framer = Framer::new(64);
            let _ = cut(&mut framer, &noise);
            prop_assert!(framer.held() <= 64);
        }
    }
}
