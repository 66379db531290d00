//! One stream: its socket, what it plays, what it hears.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rand::Rng;
use smallvec::SmallVec;

use super::{KeyWay, Reservation, StreamCommand, StreamId, StreamNews, StreamSpec};
use crate::audio::{Codec, FRAME_SAMPLES, Prompt, g711};
use crate::dtmf::{Detection, Detector, DetectorConfig, Digit, Generator, KeyShape};
use crate::rtp::event::EventSender;
use crate::rtp::{
    Arrival, Heard, MAX_PACKET, MAX_PAYLOAD, Media, Peer, Received, Receiver, Sender, Statistics,
};
use crate::voice::keys::Keys;
use crate::voice::wire::{Plane, Tap};

/// Datagrams taken in one tick. A phone sends one in 20 ms; a flood from elsewhere must not hold
/// up the other streams.
const DATAGRAMS_A_TICK: usize = 8;
/// A key of ours is held no longer.
const LONGEST_KEY: Duration = Duration::from_secs(10);

/// Buffers that a shard lends to whichever stream has its tick.
pub(super) struct Scratch {
    datagram: [u8; 2048],
    packet: [u8; MAX_PACKET],
}

impl Scratch {
    pub(super) fn new() -> Scratch {
        Scratch {
            datagram: [0; 2048],
            packet: [0; MAX_PACKET],
        }
    }
}

/// What is being sent.
enum Playing {
    Nothing,
    Prompts {
        prompts: Vec<Prompt>,
        index: usize,
        frame: usize,
        tag: u32,
    },
    Tones {
        octets: Vec<u8>,
        at: usize,
    },
}

/// What the detector has found in the audio of one tick.
type Found = SmallVec<[Tone; 4]>;

/// The beginning or the end of a tone.
#[derive(Clone, Copy)]
enum Tone {
    Began(Digit, Instant),
    Ended(Digit),
}

/// Audio in, tones out.
struct Ears {
    codec: Codec,
    detector: Detector,
    samples: [i16; MAX_PAYLOAD],
    found: Found,
}

impl Ears {
    fn hear(&mut self, heard: Heard<'_>) {
        match heard {
            Heard::Audio { payload, ended } => {
                let count = g711::decode_into(self.codec, payload, &mut self.samples);
                let samples = self.samples.get(..count).unwrap_or(&[]);
                let position = self.detector.position() + count as u64;
                let found = &mut self.found;
                self.detector
                    .feed(samples, &mut |detection| match detection {
                        Detection::Began {
                            digit,
                            start_sample,
                            ..
                        } => {
                            let ago = position.saturating_sub(start_sample);
                            let ago = Duration::from_micros(ago.saturating_mul(125));
                            let began = ended.checked_sub(ago).unwrap_or(ended);
                            found.push(Tone::Began(digit, began));
                        }
                        Detection::Ended { digit, .. } => found.push(Tone::Ended(digit)),
                    });
            }
            Heard::Lost { samples } | Heard::Pause { samples } => self.gap(u64::from(samples)),
            Heard::Break => {
                let found = &mut self.found;
                self.detector.finish(&mut |detection| {
                    if let Detection::Ended { digit, .. } = detection {
                        found.push(Tone::Ended(digit));
                    }
                });
                self.detector = Detector::new(DetectorConfig::default());
            }
        }
    }

    fn gap(&mut self, samples: u64) {
        let found = &mut self.found;
        self.detector.gap(samples, &mut |detection| {
            // A tone is never found in a gap, but it may end in one.
            if let Detection::Ended { digit, .. } = detection {
                found.push(Tone::Ended(digit));
            }
        });
    }
}

/// One stream of one call.
pub(super) struct Stream {
    id: StreamId,
    socket: UdpSocket,
    local: SocketAddr,
    spec: StreamSpec,
    sender: Sender,
    receiver: Receiver,
    ears: Ears,
    keys: Keys,
    playing: Playing,
    event: Option<EventSender>,
    read: Instant,
    media: Instant,
    mute: bool,
}

impl Stream {
    pub(super) fn new(
        id: StreamId,
        reservation: Reservation,
        spec: StreamSpec,
        now: Instant,
        random: &mut impl Rng,
    ) -> Stream {
        let peer = if spec.latch {
            Peer::Latching(spec.remote)
        } else {
            Peer::Named(spec.remote)
        };
        let media = Media {
            audio: spec.payload_type,
            event: spec.event,
        };
        Stream {
            id,
            socket: reservation.socket,
            local: reservation.addr,
            spec,
            sender: Sender::new(random),
            receiver: Receiver::new(peer, media),
            ears: Ears {
                codec: spec.codec,
                detector: Detector::new(DetectorConfig::default()),
                samples: [0; MAX_PAYLOAD],
                found: Found::new(),
            },
            keys: Keys::new(spec.event.is_some()),
            playing: Playing::Nothing,
            event: None,
            read: now,
            media: now,
            mute: false,
        }
    }

    pub(super) fn id(&self) -> StreamId {
        self.id
    }

    pub(super) fn statistics(&self) -> Statistics {
        self.receiver.statistics()
    }

    /// Carries out any command but [`StreamCommand::Close`], which is the shard's.
    pub(super) fn tell(
        &mut self,
        command: StreamCommand,
        now: Instant,
        news: &mut impl FnMut(StreamId, StreamNews),
    ) {
        match command {
            StreamCommand::Play { prompts, tag } => {
                self.playing = Playing::Prompts {
                    prompts,
                    index: 0,
                    frame: 0,
                    tag,
                };
            }
            StreamCommand::SendKey { digit, way, held } => {
                let held = held.clamp(Duration::from_millis(40), LONGEST_KEY);
                let samples = (held.as_millis() as u32).saturating_mul(8);
                match way {
                    KeyWay::Rfc4733 if self.spec.event.is_some() => {
                        self.event =
                            Some(EventSender::new(digit, samples, self.sender.timestamp()));
                    }
                    KeyWay::Rfc4733 | KeyWay::InBand => {
                        let shape = KeyShape {
                            tone_samples: samples,
                            ..KeyShape::default()
                        };
                        let tones = Generator::new(&[digit], shape).render();
                        let octets = g711::encode_all(self.spec.codec, &tones);
                        self.playing = Playing::Tones { octets, at: 0 };
                    }
                }
            }
            StreamCommand::Info { digit, held } => {
                if let Some(press) = self.keys.info(digit, held, now) {
                    news(self.id, StreamNews::Key(press));
                }
            }
            StreamCommand::Close => {}
        }
    }

    /// The stream's turn: takes what has come, sends what is due.
    pub(super) fn tick(
        &mut self,
        now: Instant,
        scratch: &mut Scratch,
        tap: &Tap,
        news: &mut impl FnMut(StreamId, StreamNews),
    ) {
        self.receive(now, scratch, tap, news);
        self.send(scratch, tap, news);
        if !self.mute && now.saturating_duration_since(self.media) >= self.spec.media_timeout {
            self.mute = true;
            news(self.id, StreamNews::NoMedia);
        }
    }

    fn receive(
        &mut self,
        now: Instant,
        scratch: &mut Scratch,
        tap: &Tap,
        news: &mut impl FnMut(StreamId, StreamNews),
    ) {
        let arrival = Arrival {
            after: self.read,
            by: now,
        };
        for _ in 0..DATAGRAMS_A_TICK {
            let (length, from) = match self.socket.recv_from(&mut scratch.datagram) {
                Ok(received) => received,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    self.read = now;
                    break;
                }
                // An ICMP error of what we sent; the next call says what there is to read.
                Err(_) => continue,
            };
            let datagram = scratch.datagram.get(..length).unwrap_or(&[]);
            tap.copy(Plane::Media, false, from, self.local, datagram);
            let ears = &mut self.ears;
            let received = self
                .receiver
                .receive(from, datagram, arrival, &mut |heard| ears.hear(heard));
            if received.is_media() {
                self.media = now;
            }
            // Tones of this packet come before its event: an event's leak is told by it.
            self.take_tones(now, news);
            if let Received::Event {
                ended_before,
                began,
                ended,
            } = received
            {
                if let Some(digit) = ended_before {
                    self.keys.event_ended(digit, now);
                }
                if let Some(press) =
                    began.and_then(|began| self.keys.event_began(began.digit, began.at, now))
                {
                    news(self.id, StreamNews::Key(press));
                }
                if let Some(digit) = ended {
                    self.keys.event_ended(digit, now);
                }
            }
        }
        let ears = &mut self.ears;
        if let Some(digit) = self.receiver.expire(now, &mut |heard| ears.hear(heard)) {
            self.keys.event_ended(digit, now);
        }
        self.take_tones(now, news);
        if let Some(press) = self.keys.poll(now) {
            news(self.id, StreamNews::Key(press));
        }
    }

    fn take_tones(&mut self, now: Instant, news: &mut impl FnMut(StreamId, StreamNews)) {
        for tone in self.ears.found.drain(..) {
            match tone {
                Tone::Began(digit, began) => {
                    if let Some(press) = self.keys.tone_began(digit, began, now) {
                        news(self.id, StreamNews::Key(press));
                    }
                }
                Tone::Ended(digit) => self.keys.tone_ended(digit, now),
            }
        }
    }

    fn send(
        &mut self,
        scratch: &mut Scratch,
        tap: &Tap,
        news: &mut impl FnMut(StreamId, StreamNews),
    ) {
        let Some(to) = self.receiver.peer().destination() else {
            return;
        };
        if let (Some(event), Some(payload_type)) = (&mut self.event, self.spec.event) {
            let report = event.next();
            let down = event.is_down();
            match report {
                Some(report) => {
                    if let Ok(packet) =
                        self.sender
                            .event(payload_type, &report, &mut scratch.packet)
                    {
                        tap.copy(Plane::Media, true, self.local, to, packet);
                        // A packet that is not sent is a packet lost; the next one comes in 20 ms.
                        let _ = self.socket.send_to(packet, to);
                    }
                    if down {
                        // The event takes the place of the audio (RFC 4733 2.5.1.2).
                        self.sender.advance(FRAME_SAMPLES as u32);
                        return;
                    }
                }
                None => self.event = None,
            }
        }
        let silence = [self.spec.codec.silence(); FRAME_SAMPLES];
        let mut finished = None;
        let payload: &[u8] = match &mut self.playing {
            Playing::Nothing => &silence,
            Playing::Prompts {
                prompts,
                index,
                frame,
                tag,
            } => {
                // Prompts without a frame are passed over.
                while prompts
                    .get(*index)
                    .is_some_and(|prompt| *frame >= prompt.frames())
                {
                    *index += 1;
                    *frame = 0;
                }
                match prompts
                    .get(*index)
                    .and_then(|p| p.frame(self.spec.codec, *frame))
                {
                    Some(octets) => {
                        *frame += 1;
                        octets
                    }
                    None => {
                        finished = Some(*tag);
                        &silence
                    }
                }
            }
            Playing::Tones { octets, at } => {
                let end = (*at + FRAME_SAMPLES).min(octets.len());
                let piece = octets.get(*at..end).unwrap_or(&[]);
                *at = end;
                if piece.is_empty() { &silence } else { piece }
            }
        };
        if let Ok(packet) = self
            .sender
            .audio(self.spec.payload_type, payload, &mut scratch.packet)
        {
            tap.copy(Plane::Media, true, self.local, to, packet);
            let _ = self.socket.send_to(packet, to);
        }
        if let Some(tag) = finished {
            self.playing = Playing::Nothing;
            news(self.id, StreamNews::Finished { tag });
        }
    }
}
