//! The receiving half of a stream: every datagram goes in, what may be heard comes out.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::event::{Presses, TelephoneEvent};
use super::packet::{NotRtp, Packet};
use super::peer::Peer;
use super::sequence::{Place, Sequence};
use super::statistics::Statistics;
use super::timeline::Timeline;
use super::transit::Transit;
use super::window::{Content, Window};
use super::{MAX_PAYLOAD, samples_to_time};
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

/// What the session description says about the media of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media {
    /// The payload type of the audio, G.711.
    pub audio: u8,
    /// The payload type of telephone events, if they were negotiated.
    pub event: Option<u8>,
}

/// Audio in order and in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// The next packet's payload.
    Audio {
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
        if packet.payload_type() == self.media.audio {
            match payload.len() {
                1..=MAX_PAYLOAD => Kind::Audio,
                _ => Kind::Unknown,
            }
        } else if Some(packet.payload_type()) == self.media.event {
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
            let quiet = arrival.by.saturating_duration_since(source.heard);
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
            Kind::Audio => {
                source.transit.observe(packet.timestamp(), arrival.by);
                Content::Audio {
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
            Kind::Audio if !in_time => {
                self.statistics.late += 1;
                Received::Ignored
            }
            Kind::Audio => {
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
    Audio,
    Event(TelephoneEvent),
    Unknown,
}
