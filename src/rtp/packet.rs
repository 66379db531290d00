//! A view of one received RTP packet (RFC 3550 5.1).

use rtp_rs::{RtpReader, RtpReaderError};

/// One well-formed RTP packet. Contributing sources and a header extension are skipped, padding
/// is cut off: [`Packet::payload`] is the payload alone.
#[derive(Debug)]
pub struct Packet<'a>(RtpReader<'a>);

/// Why a datagram is not an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRtp {
    /// RTCP on the RTP port (RFC 5761 4), which is nothing wrong.
    #[error("an RTCP packet")]
    Control,
    /// Shorter than a header.
    #[error("shorter than an RTP header")]
    TooShort,
    /// Not version 2: STUN, UDPTL or noise.
    #[error("not RTP version 2")]
    Version,
    /// Contributing sources or extension reach past the end.
    #[error("header reaches past the end of the packet")]
    Truncated,
    /// The padding count is zero or larger than the payload.
    #[error("padding larger than the payload")]
    Padding,
}

impl<'a> Packet<'a> {
    /// Looks at a datagram. Never panics, allocates nothing.
    pub fn parse(datagram: &'a [u8]) -> Result<Packet<'a>, NotRtp> {
        // RFC 5761 4: 192 to 223 in the second octet is RTCP; no payload type between 64 and 95
        // is ever negotiated.
        if let [first, second, ..] = datagram
            && first >> 6 == 2
            && (192..=223).contains(second)
        {
            return Err(NotRtp::Control);
        }
        match RtpReader::new(datagram) {
            Ok(reader) => Ok(Packet(reader)),
            Err(RtpReaderError::BufferTooShort(_)) => Err(NotRtp::TooShort),
            Err(RtpReaderError::UnsupportedVersion(_)) => Err(NotRtp::Version),
            Err(RtpReaderError::HeadersTruncated { .. }) => Err(NotRtp::Truncated),
            Err(RtpReaderError::PaddingLengthInvalid(_)) => Err(NotRtp::Padding),
        }
    }

    /// The payload type, 0 to 127.
    pub fn payload_type(&self) -> u8 {
        self.0.payload_type()
    }

    /// The marker bit: first packet of a talkspurt (RFC 3551 4.1) or of an event (RFC 4733 2.5.1.2).
    pub fn marker(&self) -> bool {
        self.0.mark()
    }

    /// The sequence number.
    pub fn sequence(&self) -> u16 {
        self.0.sequence_number().into()
    }

    /// The timestamp, in samples.
    pub fn timestamp(&self) -> u32 {
        self.0.timestamp()
    }

    /// The synchronisation source.
    pub fn ssrc(&self) -> u32 {
        self.0.ssrc()
    }

    /// The payload without padding; may be empty.
    pub fn payload(&self) -> &'a [u8] {
        self.0.payload()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sources_extension_and_padding_are_skipped() {
        let mut octets = vec![0b1011_0010, 0x80 | 8, 1, 2, 0, 0, 0, 9, 0, 0, 0, 7];
        octets.extend([1; 8]); // two contributing sources
        octets.extend([0xbe, 0xde, 0, 1, 9, 9, 9, 9]); // an extension of one word
        octets.extend([0x55, 0x66, 0, 0, 3]); // payload, padding of three
        let packet = Packet::parse(&octets).unwrap();
        assert_eq!((packet.payload_type(), packet.marker()), (8, true));
        assert_eq!((packet.sequence(), packet.timestamp()), (0x0102, 9));
        assert_eq!((packet.ssrc(), packet.payload()), (7, &[0x55, 0x66][..]));
    }

    #[test]
    fn what_is_not_rtp_says_why() {
        let header = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let with = |at: usize, octet: u8| {
            let mut octets = header;
            octets[at] = octet;
            octets
        };
        assert!(Packet::parse(&header).unwrap().payload().is_empty());
        assert_eq!(Packet::parse(&[]).unwrap_err(), NotRtp::TooShort);
        assert_eq!(Packet::parse(&header[..11]).unwrap_err(), NotRtp::TooShort);
        assert_eq!(Packet::parse(&with(0, 0x40)).unwrap_err(), NotRtp::Version);
        assert_eq!(
            Packet::parse(&with(0, 0x8f)).unwrap_err(),
            NotRtp::Truncated
        );
        assert_eq!(
            Packet::parse(&with(0, 0x90)).unwrap_err(),
            NotRtp::Truncated
        );
        assert_eq!(
            Packet::parse(&with(0, 0xa0)).unwrap_err(),
            NotRtp::Truncated
        );
        let padded = [&with(0, 0xa0)[..], &[9, 200]].concat();
        assert_eq!(Packet::parse(&padded).unwrap_err(), NotRtp::Padding);
        let padded = [&with(0, 0xa0)[..], &[9, 0]].concat();
        assert_eq!(Packet::parse(&padded).unwrap_err(), NotRtp::Padding);
        for kind in [200, 201, 202, 203, 204, 205, 206] {
            assert_eq!(Packet::parse(&with(1, kind)).unwrap_err(), NotRtp::Control);
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_looked_at_without_panic(octets in prop::collection::vec(any::<u8>(), 0..200), first in any::<u8>()) {
            let mut octets = octets;
            if let Some(octet) = octets.first_mut() {
                *octet = 0x80 | (first & 0x3f);
            }
            if let Ok(packet) = Packet::parse(&octets) {
                prop_assert!(packet.payload().len() + 12 <= octets.len());
                prop_assert!(packet.payload_type() < 128);
            }
        }
    }
}
