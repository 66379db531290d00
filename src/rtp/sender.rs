//! The sending half of a stream: sequence number, timestamp, marker, SSRC.

use rand::Rng;
use rtp_rs::{RtpPacketBuilder, Seq};

use super::MAX_PACKET;
use super::event::Report;

/// One outgoing source (RFC 3550 5.1). Writes into the caller's buffer and allocates nothing.
#[derive(Debug, Clone)]
pub struct Sender {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Set on the next audio packet: it is the first of a talkspurt (RFC 3551 4.1).
    marker: bool,
}

/// A payload longer than [`super::MAX_PAYLOAD`], or a payload type above 127.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("payload too long or payload type above 127")]
pub struct Unwritable;

impl Sender {
    /// A new source. SSRC, first sequence number and first timestamp are random (RFC 3550 5.1);
    /// the sequence number starts in the lower half, so that it does not wrap at once (RFC 3711 3.3.1).
    pub fn new(random: &mut impl Rng) -> Sender {
        Sender {
            ssrc: random.next_u32(),
            sequence: (random.next_u32() >> 17) as u16,
            timestamp: random.next_u32(),
            marker: true,
        }
    }

    /// The synchronisation source.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The timestamp of the next audio packet.
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Writes a packet of G.711, and moves the timestamp on by its samples.
    pub fn audio<'b>(
        &mut self,
        payload_type: u8,
        payload: &[u8],
        buffer: &'b mut [u8; MAX_PACKET],
    ) -> Result<&'b [u8], Unwritable> {
        let (timestamp, marker) = (self.timestamp, self.marker);
        let packet = self.write(payload_type, marker, timestamp, payload, buffer)?;
        self.marker = false;
        self.advance(payload.len() as u32);
        Ok(packet)
    }

    /// Writes a report of a telephone event. The timestamp is the event's own; [`Sender::advance`]
    /// moves the clock while no audio is sent.
    pub fn event<'b>(
        &mut self,
        payload_type: u8,
        report: &Report,
        buffer: &'b mut [u8; MAX_PACKET],
    ) -> Result<&'b [u8], Unwritable> {
        let payload = report.event.encode();
        self.write(
            payload_type,
            report.marker,
            report.timestamp,
            &payload,
            buffer,
        )
    }

    /// Time passed without audio: `samples` are left out, and the next packet starts a talkspurt.
    pub fn skip(&mut self, samples: u32) {
        self.advance(samples);
        self.marker = true;
    }

    /// Moves the timestamp on.
    pub fn advance(&mut self, samples: u32) {
        self.timestamp = self.timestamp.wrapping_add(samples);
    }

    fn write<'b>(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
        buffer: &'b mut [u8; MAX_PACKET],
    ) -> Result<&'b [u8], Unwritable> {
        let length = RtpPacketBuilder::new()
            .payload_type(payload_type)
            .marked(marker)
            .sequence(Seq::from(self.sequence))
            .timestamp(timestamp)
            .ssrc(self.ssrc)
            .payload(payload)
            .build_into(buffer)
            .map_err(|_| Unwritable)?;
        self.sequence = self.sequence.wrapping_add(1);
        buffer.get(..length).ok_or(Unwritable)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::dtmf::Digit;
    use crate::rtp::event::{EventSender, TelephoneEvent};
    use crate::rtp::{MAX_PAYLOAD, Packet};

    fn sender(seed: u64) -> Sender {
        Sender::new(&mut ChaCha8Rng::seed_from_u64(seed))
    }

    #[test]
    fn packets_follow_each_other() {
        let mut sender = sender(1);
        let mut buffer = [0; MAX_PACKET];
        let first = sender.timestamp();
        let mut sequence = None;
        for n in 0..70_000u32 {
            let octets = sender.audio(8, &[n as u8; 160], &mut buffer).unwrap();
            let packet = Packet::parse(octets).unwrap();
            assert_eq!(packet.timestamp(), first.wrapping_add(160 * n));
            assert_eq!(packet.marker(), n == 0);
            assert_eq!(packet.payload(), [n as u8; 160]);
            let number = packet.sequence();
            if let Some(before) = sequence.replace(number) {
                assert_eq!(number, u16::wrapping_add(before, 1));
            } else {
                assert!(number < 0x8000);
            }
        }
    }

    #[test]
    fn a_pause_moves_the_clock_and_marks_the_next_packet() {
        let mut sender = sender(2);
        let mut buffer = [0; MAX_PACKET];
        sender.audio(0, &[0; 160], &mut buffer).unwrap();
        let before = sender.timestamp();
        sender.skip(320);
        let packet = Packet::parse(sender.audio(0, &[0; 160], &mut buffer).unwrap()).unwrap();
        assert!(packet.marker());
        assert_eq!(packet.timestamp(), before.wrapping_add(320));
    }

    #[test]
    fn events_keep_their_own_timestamp() {
        let mut sender = sender(3);
        let mut buffer = [0; MAX_PACKET];
        let start = sender.timestamp();
        let mut press = EventSender::new(Digit::HASH, 320, start);
        let report = press.next().unwrap();
        sender.advance(160);
        let packet = Packet::parse(sender.event(101, &report, &mut buffer).unwrap()).unwrap();
        assert_eq!(packet.timestamp(), start);
        assert!(packet.marker());
        let event = TelephoneEvent::parse(packet.payload()).unwrap();
        assert_eq!(event.event, 11);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut buffer = [0; MAX_PACKET];
        let too_long = [0; MAX_PAYLOAD + 1];
        assert_eq!(sender(4).audio(0, &too_long, &mut buffer), Err(Unwritable));
        assert_eq!(sender(4).audio(128, &[0], &mut buffer), Err(Unwritable));
        assert!(sender(4).audio(127, &[0; MAX_PAYLOAD], &mut buffer).is_ok());
    }

    #[test]
    fn seeds_make_sources() {
        assert_eq!(sender(5).ssrc(), sender(5).ssrc());
        assert_ne!(sender(5).ssrc(), sender(6).ssrc());
    }
}
