//! The receiving half of a stream: every datagram goes in, what may be heard comes out.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::event::{Presses, TelephoneEvent};
use super::media::Media;
use super::packet::{NotRtp, Packet};
use super::peer::Peer;
use super::sequence::{Place, Sequence};
use super::statistics::Statistics;
use super::timeline::Timeline;
use super::transit::Transit;
use super::window::{Content, Window};
use super::{MAX_PAYLOAD, samples_to_time};
use crate::audio::Codec;
use crate::dtmf::Digit;

/// A source must be quiet for this long before another may take its place. While a phone is
/// heard, nobody who merely guesses its address can speak for it.
const QUIET_BEFORE_CHANGE: Duration = Duration::from_millis(60);
/// Samples of the packets from which transit times are learnt.
const FRAME: u32 = 160;

/// When a packet came: a socket is read now and then, so it is known only that it came after one
/// reading and before the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Not before this instant: the socket was empty then.
    pub after: Instant,
    /// Not after this instant: now.
    pub by: Instant,
}

/// Audio in order and in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// The next packet's payload.
    Audio {
        /// Its law.
        codec: Codec,
        /// G.711, one octet a sample.
        payload: &'a [u8],
        /// When its last sample was sent: at the latest, and without what the network added to
        /// its shortest delay.
        ended: Instant,
    },
    /// A piece was lost.
    Lost {
        /// How much.
        samples: u32,
    },
    /// The other side sent nothing, or telephone events, for so long.
    Pause {
        /// How long.
        samples: u32,
    },
    /// Another source begins; how much lies between is not known.
    Break,
}

/// A press that has begun, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PressBegan {
    /// Which key.
    pub digit: Digit,
    /// When the press began: at the latest, and without what the network added to its shortest
    /// delay.
    pub at: Instant,
}

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// Audio; what may be heard has been handed on.
    Audio,
    /// A telephone event, and what it told, in this order.
    Event {
        /// The press before has ended without saying so.
        ended_before: Option<Digit>,
        /// A press has begun.
        began: Option<PressBegan>,
        /// The press has ended.
        ended: Option<Digit>,
    },
    /// A duplicate, a late or stray packet, or one of a payload type that was not negotiated.
    Ignored,
    /// From the right address, but with a second SSRC while the first still sends.
    Foreign,
    /// Not from the peer.
    WrongSource,
    /// RTCP or no RTP at all.
    NotRtp(NotRtp),
}

impl Received {
    /// Whether it shows that the peer still sends media.
    pub fn is_media(self) -> bool {
        matches!(
            self,
            Received::Audio | Received::Event { .. } | Received::Ignored | Received::Foreign
        )
    }
}

#[derive(Debug)]
struct Source {
    ssrc: u32,
    sequence: Sequence,
    transit: Transit,
    heard: Instant,
}

impl Source {
    fn new(packet: &Packet<'_>, now: Instant) -> Source {
        Source {
            ssrc: packet.ssrc(),
            sequence: Sequence::new(packet.sequence()),
            transit: Transit::default(),
            heard: now,
        }
    }
}

/// Receives one stream. Bounded in memory, allocates nothing after it is made.
#[derive(Debug)]
pub struct Receiver {
    peer: Peer,
    media: Media,
    source: Option<Source>,
    window: Window,
    timeline: Timeline,
    presses: Presses,
    statistics: Statistics,
    /// Losses of sources that are gone.
    lost_before: u64,
}

impl Receiver {
    /// A receiver for packets from `peer`.
    pub fn new(peer: Peer, media: Media) -> Receiver {
        Receiver {
            peer,
            media,
            source: None,
            window: Window::new(0),
            timeline: Timeline::default(),
            presses: Presses::new(),
            statistics: Statistics::default(),
            lost_before: 0,
        }
    }

    /// The session was described anew: other media, or another peer. Sources start afresh; the
    /// statistics and the key that may be down go on.
    pub fn redirect(&mut self, peer: Peer, media: Media) {
        self.forget_source();
        self.peer = peer;
        self.media = media;
    }

    /// Whom the stream talks with.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// What was received so far.
    pub fn statistics(&self) -> Statistics {
        let source = self.source.as_ref();
        Statistics {
            lost: self.lost_before + source.map_or(0, |source| source.sequence.lost()),
            jitter: source.map_or(self.statistics.jitter, |source| source.transit.jitter()),
            ..self.statistics
        }
    }

    /// Takes a datagram. Audio that is due is handed to `hear`; at most a window full of it.
    pub fn receive(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        arrival: Arrival,
        hear: &mut impl FnMut(Heard<'_>),
    ) -> Received {
        if !self.peer.admits(from) {
            self.statistics.wrong_source += 1;
            return Received::WrongSource;
        }
        let packet = match Packet::parse(datagram) {
            Ok(packet) => packet,
            Err(why) => {
                match why {
                    NotRtp::Control => self.statistics.control += 1,
                    _ => self.statistics.not_rtp += 1,
                }
                return Received::NotRtp(why);
            }
        };
        let kind = self.kind(&packet);
        if matches!(kind, Kind::Unknown) && matches!(self.peer, Peer::Latching(_)) {
            self.statistics.wrong_source += 1;
            return Received::WrongSource;
        }
        let (place, number) = match self.place(&packet, &kind, arrival, hear) {
            Ok(place) => place,
            Err(refused) => return refused,
        };
        if !matches!(kind, Kind::Unknown) {
            self.peer.proven(from);
        }
        match place {
            Place::Ahead | Place::Restarted | Place::Behind => {}
            Place::Duplicate => {
                self.statistics.duplicated += 1;
                return Received::Ignored;
            }
            Place::TooOld => {
                self.statistics.late += 1;
                return Received::Ignored;
            }
            Place::Stray => {
                self.statistics.stray += 1;
                return Received::Ignored;
            }
        }
        let received = self.accept(&packet, kind, number, arrival, hear);
        let accepted = matches!(received, Received::Audio | Received::Event { .. });
        self.statistics.reordered += u64::from(place == Place::Behind && accepted);
        received
    }

    /// Time passes: holes are given up. Returns the key whose press has ended without saying so.
    pub fn expire(&mut self, now: Instant, hear: &mut impl FnMut(Heard<'_>)) -> Option<Digit> {
        if let Some(source) = &self.source {
            let (timeline, transit) = (&mut self.timeline, &source.transit);
            self.window
                .expire(now, &mut |item| timeline.advance(item, transit, hear));
        }
        self.presses.expire(now)
    }

    fn kind(&self, packet: &Packet<'_>) -> Kind {
        let payload = packet.payload();
        if let Some(codec) = self.media.codec_of(packet.payload_type()) {
            match payload.len() {
                1..=MAX_PAYLOAD => Kind::Audio(codec),
                _ => Kind::Unknown,
            }
        } else if self.media.is_event(packet.payload_type()) {
            TelephoneEvent::parse(payload).map_or(Kind::Unknown, Kind::Event)
        } else {
            Kind::Unknown
        }
    }

    /// Finds the packet's place in its source, or why it has none.
    fn place(
        &mut self,
        packet: &Packet<'_>,
        kind: &Kind,
        arrival: Arrival,
        hear: &mut impl FnMut(Heard<'_>),
    ) -> Result<(Place, u64), Received> {
        if let Some(source) = &mut self.source {
            if source.ssrc == packet.ssrc() {
                source.heard = arrival.by;
                let (place, number) = source.sequence.place(packet.sequence());
                if place == Place::Restarted {
                    source.transit = Transit::default();
                    self.statistics.source_changes += 1;
                    self.window.restart(number);
                    self.timeline.restart();
                    hear(Heard::Break);
                }
                return Ok((place, number));
            }
            // What may still lie unread in the socket does not count as quiet.
            let quiet = arrival.after.saturating_duration_since(source.heard);
            if quiet < QUIET_BEFORE_CHANGE || matches!(kind, Kind::Unknown) {
                self.statistics.foreign_ssrc += 1;
                return Err(Received::Foreign);
            }
            self.forget_source();
            self.statistics.source_changes += 1;
            hear(Heard::Break);
        }
        let source = self.source.insert(Source::new(packet, arrival.by));
        let number = source.sequence.highest();
        self.window.restart(number);
        self.timeline.restart();
        Ok((Place::Ahead, number))
    }

    fn accept(
        &mut self,
        packet: &Packet<'_>,
        kind: Kind,
        number: u64,
        arrival: Arrival,
        hear: &mut impl FnMut(Heard<'_>),
    ) -> Received {
        let Some(source) = &mut self.source else {
            return Received::Ignored;
        };
        let content = match kind {
            Kind::Audio(codec) => {
                source.transit.observe(packet.timestamp(), arrival.by);
                Content::Audio {
                    codec,
                    timestamp: packet.timestamp(),
                    payload: packet.payload(),
                }
            }
            Kind::Event(_) | Kind::Unknown => Content::Other,
        };
        let (timeline, transit) = (&mut self.timeline, &source.transit);
        let in_time = self.window.insert(number, content, arrival, &mut |item| {
            timeline.advance(item, transit, hear)
        });
        match kind {
            Kind::Unknown => {
                self.statistics.wrong_payload_type += 1;
                Received::Ignored
            }
            Kind::Audio(_) if !in_time => {
                self.statistics.late += 1;
                Received::Ignored
            }
            Kind::Audio(_) => {
                self.statistics.received += 1;
                Received::Audio
            }
            Kind::Event(event) => {
                self.statistics.received += 1;
                let news = self.presses.receive(
                    packet.ssrc(),
                    packet.marker(),
                    packet.timestamp(),
                    &event,
                    arrival.by,
                );
                self.statistics.other_events += u64::from(news.no_key);
                let began = news.began.map(|began| {
                    // Sent when `elapsed` had passed since the timestamp; an audio packet sent
                    // then would carry a timestamp one frame before that.
                    let now = packet.timestamp().wrapping_add(u32::from(event.duration));
                    let sent = transit.undelayed(now.wrapping_sub(FRAME), arrival.after);
                    let elapsed = samples_to_time(u64::from(began.elapsed));
                    PressBegan {
                        digit: began.digit,
                        at: sent.checked_sub(elapsed).unwrap_or(sent),
                    }
                });
                Received::Event {
                    ended_before: news.ended_before,
                    began,
                    ended: news.ended,
                }
            }
        }
    }

    fn forget_source(&mut self) {
        if let Some(source) = self.source.take() {
            self.lost_before += source.sequence.lost();
            self.statistics.jitter = source.transit.jitter();
        }
    }
}

/// What a packet is, by what was negotiated.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Audio(Codec),
    Event(TelephoneEvent),
    Unknown,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::seq::SliceRandom;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::rtp::event::EventSender;
    use crate::rtp::{MAX_PACKET, Sender};

    const EVENTS: u8 = 101;
    const FRAME_TIME: Duration = Duration::from_millis(20);

    /// What was heard, in words short enough to compare.
    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Note {
        Audio(u8, Instant),
        Lost(u32),
        Pause(u32),
        Break,
    }

    fn note(heard: Heard<'_>) -> Note {
        match heard {
            Heard::Audio { payload, ended, .. } => Note::Audio(payload[0], ended),
            Heard::Lost { samples } => Note::Lost(samples),
            Heard::Pause { samples } => Note::Pause(samples),
            Heard::Break => Note::Break,
        }
    }

    struct Wire {
        receiver: Receiver,
        from: SocketAddr,
        now: Instant,
        heard: Vec<Note>,
    }

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn media() -> Media {
        Media::new(8, Codec::Pcma, Some(EVENTS))
    }

    impl Wire {
        fn new(peer: Peer) -> Wire {
            Wire {
                receiver: Receiver::new(peer, media()),
                from: at(4_000),
                now: Instant::now(),
                heard: Vec::new(),
            }
        }

        fn named() -> Wire {
            Wire::new(Peer::Named(at(4_000)))
        }

        fn take(&mut self, octets: &[u8]) -> Received {
            let arrival = Arrival {
                after: self.now,
                by: self.now,
            };
            let heard = &mut self.heard;
            self.receiver
                .receive(self.from, octets, arrival, &mut |h| heard.push(note(h)))
        }

        /// A frame's time later.
        fn later(&mut self, octets: &[u8]) -> Received {
            self.now += FRAME_TIME;
            self.take(octets)
        }

        fn audio(&self) -> Vec<u8> {
            let audio = self.heard.iter().filter_map(|note| match note {
                Note::Audio(octet, _) => Some(*octet),
                _ => None,
            });
            audio.collect()
        }
    }

    fn sender(seed: u64) -> Sender {
        Sender::new(&mut ChaCha8Rng::seed_from_u64(seed))
    }

    /// Packets of audio, each filled with its number.
    fn packets(sender: &mut Sender, count: u8) -> Vec<Vec<u8>> {
        let mut buffer = [0; MAX_PACKET];
        (0..count)
            .map(|n| sender.audio(8, &[n; 160], &mut buffer).unwrap().to_vec())
            .collect()
    }

    fn press(sender: &mut Sender, digit: Digit, samples: u32) -> Vec<Vec<u8>> {
        let mut buffer = [0; MAX_PACKET];
        let start = sender.timestamp();
        EventSender::new(digit, samples, start)
            .map(|report| {
                sender.advance(160);
                let packet = sender.event(EVENTS, &report, &mut buffer);
                packet.unwrap().to_vec()
            })
            .collect()
    }

    #[test]
    fn audio_passes_in_order_with_its_time() {
        let mut wire = Wire::named();
        let start = wire.now;
        for packet in packets(&mut sender(1), 50) {
            assert_eq!(wire.later(&packet), Received::Audio);
        }
        let expected: Vec<Note> = (0..50)
            .map(|n| Note::Audio(n, start + FRAME_TIME * (u32::from(n) + 1)))
            .collect();
        assert_eq!(wire.heard, expected);
        let statistics = wire.receiver.statistics();
        let expected = Statistics {
            received: 50,
            ..Statistics::default()
        };
        assert_eq!(statistics, expected);
    }

    #[test]
    fn only_the_peer_is_heard() {
        let mut wire = Wire::named();
        let packets = packets(&mut sender(1), 3);
        wire.from = at(4_002);
        assert_eq!(wire.take(&packets[0]), Received::WrongSource);
        assert_eq!(wire.take(&[0; 3]), Received::WrongSource);
        assert!(!wire.take(&packets[0]).is_media());
        wire.from = at(4_000);
        assert_eq!(wire.take(&packets[1]), Received::Audio);
        assert_eq!(wire.audio(), [1]);
        assert_eq!(wire.receiver.statistics().wrong_source, 3);
    }

    #[test]
    fn a_latching_receiver_keeps_the_first_that_speaks_the_negotiated_media() {
        let mut wire = Wire::new(Peer::Latching(at(4_000)));
        let mut other = sender(2);
        let mut buffer = [0; MAX_PACKET];
        wire.from = at(5_000);
        assert!(matches!(wire.take(&[0x80; 5]), Received::NotRtp(_)));
        let video = other.audio(34, &[1; 160], &mut buffer).unwrap();
        assert_eq!(wire.take(video), Received::WrongSource);
        assert_eq!(wire.receiver.peer(), Peer::Latching(at(4_000)));
        wire.from = at(6_000);
        let packets = packets(&mut sender(1), 3);
        assert_eq!(wire.take(&packets[0]), Received::Audio);
        assert_eq!(wire.receiver.peer(), Peer::Latched(at(6_000)));
        wire.from = at(4_000);
        assert_eq!(wire.take(&packets[1]), Received::WrongSource);
        assert_eq!(wire.audio(), [0]);
    }

    #[test]
    fn only_negotiated_payloads_are_heard() {
        let mut wire = Wire::named();
        let mut buffer = [0; MAX_PACKET];
        let mut source = sender(1);
        let first = source.audio(8, &[1; 160], &mut buffer).unwrap().to_vec();
        assert_eq!(wire.take(&first), Received::Audio);
        for payload_type in [0, 13, 9, 96, 100] {
            let packet = source.audio(payload_type, &[9; 160], &mut buffer).unwrap();
            assert_eq!(wire.take(packet), Received::Ignored);
        }
        let empty = source.audio(8, &[], &mut buffer).unwrap();
        assert_eq!(wire.take(empty), Received::Ignored);
        // Audio under the events' number, the octets of which are a key's code.
        let loud = source.audio(EVENTS, &[11; 160], &mut buffer).unwrap();
        assert_eq!(wire.take(loud), Received::Ignored);
        let last = source.audio(8, &[2; 160], &mut buffer).unwrap().to_vec();
        assert_eq!(wire.take(&last), Received::Audio);
        assert_eq!(wire.audio(), [1, 2]);
        let statistics = wire.receiver.statistics();
        assert_eq!((statistics.wrong_payload_type, statistics.lost), (7, 0));
        assert!(matches!(
            wire.take(&[0x80, 200, 0, 0]),
            Received::NotRtp(NotRtp::Control)
        ));
        assert_eq!(wire.receiver.statistics().control, 1);
    }

    #[test]
    fn a_phone_may_change_its_law_and_its_number_for_events_at_any_time() {
        let mut wire = Wire::named();
        let media = media().with_audio(0, Codec::Pcmu).with_event(96);
        wire.receiver = Receiver::new(Peer::Named(at(4_000)), media);
        let mut source = sender(1);
        let mut buffer = [0; MAX_PACKET];
        let mut packet = |payload_type| {
            let packet = source.audio(payload_type, &[7; 160], &mut buffer);
            packet.unwrap().to_vec()
        };
        // The second and the third come the wrong way round, so that one waits in the window.
        let packets = [packet(8), packet(0), packet(8), packet(0)];
        let mut laws = Vec::new();
        for n in [0, 2, 1, 3] {
            wire.now += FRAME_TIME;
            let arrival = Arrival {
                after: wire.now,
                by: wire.now,
            };
            let received = wire
                .receiver
                .receive(wire.from, &packets[n], arrival, &mut |heard| {
                    if let Heard::Audio { codec, .. } = heard {
                        laws.push(codec);
                    }
                });
            assert_eq!(received, Received::Audio);
        }
        let (a, mu) = (Codec::Pcma, Codec::Pcmu);
        assert_eq!(laws, [a, mu, a, mu]);
        for number in [EVENTS, 96] {
            let mut report = press(&mut source, Digit::HASH, 800).remove(0);
            report[1] = report[1] & 0x80 | number;
            assert!(matches!(
                wire.later(&report),
                Received::Event { began: Some(_), .. }
            ));
        }
    }

    #[test]
    fn keys_are_heard_at_once_and_dated_from_their_beginning() {
        let mut wire = Wire::named();
        let mut source = sender(1);
        for packet in packets(&mut source, 50) {
            wire.later(&packet);
        }
        let pressed = wire.now;
        let reports = press(&mut source, Digit::HASH, 800);
        // The first two are lost.
        wire.now += 2 * FRAME_TIME;
        let began = PressBegan {
            digit: Digit::HASH,
            at: pressed,
        };
        let expected = Received::Event {
            ended_before: None,
            began: Some(began),
            ended: None,
        };
        assert_eq!(wire.later(&reports[2]), expected);
        let mut ended = 0;
        for report in &reports[3..] {
            match wire.later(report) {
                Received::Event {
                    began: None,
                    ended: Some(digit),
                    ..
                } => {
                    assert_eq!(digit, Digit::HASH);
                    ended += 1;
                }
                Received::Event { began: None, .. } => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(ended, 1);
    }

    #[test]
    fn a_key_that_the_network_held_up_keeps_its_time() {
        let mut wire = Wire::named();
        let mut source = sender(1);
        for packet in packets(&mut source, 100) {
            wire.later(&packet);
        }
        let pressed = wire.now;
        let reports = press(&mut source, Digit::HASH, 800);
        // Three seconds pass before anything comes.
        wire.now += Duration::from_secs(3);
        match wire.take(&reports[0]) {
            Received::Event {
                began: Some(press), ..
            } => assert_eq!(press.at, pressed),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn audio_behind_events_comes_after_a_pause() {
        let mut wire = Wire::named();
        let mut source = sender(1);
        packets(&mut source, 2).iter().for_each(|p| {
            wire.later(p);
        });
        for report in press(&mut source, Digit::STAR, 800) {
            wire.later(&report);
        }
        packets(&mut source, 1).iter().for_each(|p| {
            wire.later(p);
        });
        assert_eq!(wire.heard[2], Note::Pause(7 * 160));
        assert_eq!(wire.audio(), [0, 1, 0]);
        assert_eq!(wire.receiver.statistics().lost, 0);
    }

    #[test]
    fn a_second_source_is_heard_only_when_the_first_is_quiet() {
        let mut wire = Wire::named();
        let (mut first, mut second) = (sender(1), sender(2));
        let (ours, theirs) = (packets(&mut first, 10), packets(&mut second, 10));
        let keys = press(&mut second, Digit::HASH, 800);
        for n in 0..5 {
            assert_eq!(wire.later(&ours[n]), Received::Audio);
            assert_eq!(wire.take(&theirs[n]), Received::Foreign);
            assert_eq!(wire.take(&keys[n]), Received::Foreign);
        }
        wire.now += QUIET_BEFORE_CHANGE;
        assert_eq!(wire.take(&theirs[5]), Received::Audio);
        assert_eq!(wire.take(&ours[5]), Received::Foreign);
        assert_eq!(wire.audio(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(wire.heard[5], Note::Break);
        let statistics = wire.receiver.statistics();
        assert_eq!(
            (statistics.source_changes, statistics.foreign_ssrc),
            (1, 11)
        );
    }

    #[test]
    fn restarted_sequence_numbers_are_followed() {
        let mut wire = Wire::named();
        let mut source = sender(1);
        let packets = packets(&mut source, 10);
        let renumbered = |n: usize| {
            let mut packet = packets[n].clone();
            packet[2] ^= 0x60;
            packet
        };
        wire.later(&packets[0]);
        assert_eq!(wire.later(&renumbered(1)), Received::Ignored);
        assert_eq!(wire.later(&renumbered(2)), Received::Audio);
        assert_eq!(wire.later(&renumbered(3)), Received::Audio);
        assert_eq!(wire.audio(), [0, 2, 3]);
        assert_eq!(wire.heard[1], Note::Break);
        assert_eq!(wire.receiver.statistics().stray, 1);
    }

    #[test]
    fn a_redirected_receiver_listens_to_the_new_peer_alone() {
        let mut wire = Wire::named();
        let packets = packets(&mut sender(1), 4);
        wire.later(&packets[0]);
        wire.receiver.redirect(Peer::Named(at(7_000)), media());
        assert_eq!(wire.later(&packets[1]), Received::WrongSource);
        wire.from = at(7_000);
        assert_eq!(wire.later(&packets[3]), Received::Audio);
        assert_eq!(wire.audio(), [0, 3]);
        assert_eq!(wire.receiver.statistics().lost, 0);
    }

    #[test]
    fn a_lost_packet_is_given_up_in_time() {
        let mut wire = Wire::named();
        let packets = packets(&mut sender(1), 4);
        wire.later(&packets[0]);
        wire.later(&packets[2]);
        wire.now += Duration::from_millis(79);
        let heard = &mut wire.heard;
        wire.receiver.expire(wire.now, &mut |h| heard.push(note(h)));
        assert_eq!(heard.len(), 1);
        wire.now += Duration::from_millis(1);
        wire.receiver.expire(wire.now, &mut |h| heard.push(note(h)));
        assert_eq!(heard[1], Note::Lost(160));
        assert_eq!(wire.take(&packets[1]), Received::Ignored);
        assert_eq!(wire.audio(), [0, 2]);
        let statistics = wire.receiver.statistics();
        assert_eq!((statistics.late, statistics.received), (1, 2));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Whatever the network does to a stream, what is heard is in order, every moment is
        /// accounted for once, and every press is told once.
        #[test]
        fn a_bad_network_loses_and_doubles_nothing_by_itself(
            seed in any::<u64>(), loss in 0u32..40, double in 0u32..30, disorder in 1usize..5,
        ) {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut source = sender(seed);
            let mut wire = Wire::named();
            let mut sent = Vec::new();
            let mut pressed = 0;
            for _ in 0..6 {
                sent.extend(packets(&mut source, 20).into_iter().map(|p| (false, p)));
                sent.extend(press(&mut source, Digit::HASH, 480).into_iter().map(|p| (true, p)));
            }
            sent.extend(packets(&mut source, 8).into_iter().map(|p| (false, p)));
            let mut arriving = Vec::new();
            for (n, (event, packet)) in sent.iter().enumerate() {
                // The first and the last packets arrive, so that both ends are known.
                let safe = n == 0 || n + 8 >= sent.len();
                if safe || !random.random_ratio(loss, 100) {
                    arriving.push((n, *event, packet));
                    if random.random_ratio(double, 100) {
                        arriving.push((n, *event, packet));
                    }
                }
            }
            let last = arriving.len() - 8;
            for chunk in arriving[1..last].chunks_mut(disorder) {
                chunk.shuffle(&mut random);
            }
            let presses = arriving.iter().filter(|(_, event, _)| *event);
            let mut presses: Vec<usize> = presses.map(|(n, ..)| n / 25).collect();
            presses.sort_unstable();
            presses.dedup();
            for (_, _, packet) in &arriving {
                if let Received::Event { began: Some(_), .. } = wire.later(packet) {
                    pressed += 1;
                }
            }
            prop_assert_eq!(pressed, presses.len());
            let total: u64 = wire.heard.iter().map(|note| match note {
                Note::Audio(..) => 160,
                Note::Lost(samples) | Note::Pause(samples) => u64::from(*samples),
                Note::Break => 0,
            }).sum();
            prop_assert_eq!(total, 160 * sent.len() as u64);
            let statistics = wire.receiver.statistics();
            let distinct: std::collections::HashSet<usize> = arriving.iter().map(|(n, ..)| *n).collect();
            prop_assert_eq!(statistics.received + statistics.late, distinct.len() as u64);
            prop_assert_eq!(statistics.lost, (sent.len() - distinct.len()) as u64);
            prop_assert_eq!(statistics.duplicated, (arriving.len() - distinct.len()) as u64);
        }

        #[test]
        fn no_datagram_panics(datagrams in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(any::<u8>(), 0..60), 0u64..200), 0..80,
        )) {
            let mut wire = Wire::new(Peer::Latching(at(4_000)));
            for (shaped, mut octets, wait) in datagrams {
                if shaped && octets.len() > 12 {
                    octets[0] = 0x80;
                    octets[1] = if octets[1] & 1 == 0 { 8 } else { EVENTS };
                    octets[8..12].fill(0);
                }
                wire.now += Duration::from_millis(wait);
                wire.take(&octets);
                let heard = &mut wire.heard;
                wire.receiver.expire(wire.now, &mut |h| heard.push(note(h)));
            }
        }
    }
}
