//! One stream: a socket, what is sent through it and what is heard.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender as EventSender;

use super::listening::{Listening, Tone};
use super::outbox::Outbox;
use super::playback::{Playback, Turn};
use super::ports::Port;
use super::pressing::{Pressed, Pressing};
use super::wheel::{SLOTS, Tick};
use super::{StreamCommand, StreamEvent, StreamId, StreamNews, StreamReport, StreamSpec};
use crate::audio::{Codec, FRAME_SAMPLES, Outline};
use crate::rtp::{Arrival, MAX_PACKET, Peer, Received, Receiver, Sender};
use crate::voice::keys::{KeyPress, Keys};
use crate::voice::wire::{Plane, Tap};

/// Packets read in one turn: bounds what a flood can cost the other streams of the shard. Sixteen
/// in 20 ms is sixteen times what a peer sends; what is beyond stays with the kernel.
const MOST_READ: usize = 16;
/// Packets thrown away when a stream is opened: more than a socket holds, unless it is flooded.
const MOST_DISCARDED: usize = 1_024;
/// The longest datagram read; RTP on a call never comes near it.
pub(super) const LONGEST_DATAGRAM: usize = 2_048;
/// One frame of silence in either law.
const SILENT: [[u8; FRAME_SAMPLES]; 2] = [
    [Codec::Pcmu.silence(); FRAME_SAMPLES],
    [Codec::Pcma.silence(); FRAME_SAMPLES],
];

/// A stream's socket and the port it keeps.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) socket: UdpSocket,
    /// As bound; what the tap names.
    pub(super) local: SocketAddr,
    /// Given back when the stream is dropped.
    pub(super) _port: Port,
}

/// Buffers that all streams of a shard share.
pub(super) struct Buffers {
    datagram: Box<[u8; LONGEST_DATAGRAM]>,
    packet: [u8; MAX_PACKET],
}

impl Buffers {
    pub(super) fn new() -> Buffers {
        Buffers {
            datagram: Box::new([0; LONGEST_DATAGRAM]),
            packet: [0; MAX_PACKET],
        }
    }
}

/// An open stream.
pub(super) struct Stream {
    id: StreamId,
    line: Line,
    codec: Codec,
    payload_type: u8,
    event: Option<u8>,
    sender: Sender,
    receiver: Receiver,
    ears: Ears,
    playback: Playback,
    pressing: Pressing,
    tap: Tap,
    media_timeout: Duration,
    /// When the peer last sent media, or the stream was opened.
    alive: Instant,
    /// Whether [`StreamNews::NoMedia`] has been reported.
    quiet: bool,
    /// Whether [`StreamNews::WrongSource`] has been reported.
    intruded: bool,
    /// When the socket was last read empty.
    read: Instant,
    last: Option<Tick>,
    report: StreamReport,
}

/// What hears keys, and what was heard.
#[derive(Debug)]
struct Ears {
    id: StreamId,
    listening: Listening,
    keys: Keys,
    outbox: Outbox,
}

fn peer(spec: &StreamSpec) -> Peer {
    if spec.latch {
        Peer::Latching(spec.remote)
    } else {
        Peer::Named(spec.remote)
    }
}

impl Ears {
    fn post(&mut self, at: Instant, news: StreamNews) {
        let stream = self.id;
        self.outbox.post(StreamEvent { stream, at, news });
    }

    fn post_along(&mut self, at: Instant, news: StreamNews) {
        let stream = self.id;
        let event = StreamEvent { stream, at, news };
        self.outbox.post_along(event);
    }

    fn press(&mut self, key: Option<KeyPress>) {
        if let Some(key) = key {
            self.post(key.heard, StreamNews::Key(key));
        }
    }
}

/// Hands audio to the ear, and what the ear makes of it to the keys.
fn hear<'a>(ears: &'a mut Ears, now: Instant) -> impl FnMut(crate::rtp::Heard<'_>) + 'a {
    let id = ears.id;
    let Ears {
        listening,
        keys,
        outbox,
        ..
    } = ears;
    move |heard| {
        listening.hear(heard, &mut |tone| match tone {
            Tone::Began { digit, at } => {
                if let Some(key) = keys.tone_began(digit, at, now) {
                    outbox.post(StreamEvent {
                        stream: id,
                        at: now,
                        news: StreamNews::Key(key),
                    });
                }
            }
            Tone::Ended { digit } => keys.tone_ended(digit, now),
        });
    }
}

impl Stream {
    /// Opens a stream at `now`.
    pub(super) fn new(
        id: StreamId,
        line: Line,
        sender: Sender,
        spec: StreamSpec,
        tap: Tap,
        now: Instant,
    ) -> Stream {
        Stream {
            id,
            line,
            codec: spec.codec,
            payload_type: spec.payload_type,
            event: spec.event,
            sender,
            receiver: Receiver::new(peer(&spec), spec.hears),
            ears: Ears {
                id,
                listening: Listening::new(),
                keys: Keys::new(spec.hears.has_events()),
                outbox: Outbox::default(),
            },
            playback: Playback::default(),
            pressing: Pressing::new(),
            tap,
            media_timeout: spec.media_timeout,
            alive: now,
            quiet: false,
            intruded: false,
            read: now,
            last: None,
            report: StreamReport::default(),
        }
    }

    /// Throws away what came before the stream was opened: it is nobody's, or of the call before.
    pub(super) fn discard(&mut self, buffers: &mut Buffers) {
        for _ in 0..MOST_DISCARDED {
            if self
                .line
                .socket
                .recv_from(&mut buffers.datagram[..])
                .is_err()
            {
                return;
            }
        }
    }

    /// Obeys a command other than [`StreamCommand::Close`].
    pub(super) fn command(&mut self, command: StreamCommand, now: Instant) {
        match command {
            StreamCommand::Play { prompts, tag } => {
                if let Some(tag) = self.playback.play(prompts, tag) {
                    self.ears.post(now, StreamNews::Stopped { tag });
                }
            }
            StreamCommand::StopPlaying => {
                if let Some(tag) = self.playback.stop() {
                    self.ears.post(now, StreamNews::Stopped { tag });
                }
            }
            StreamCommand::Remember => self.ears.listening.remember(),
            StreamCommand::SendKey { digit, way, held } => {
                if !self.pressing.press(digit, way, held) {
                    tracing::warn!(stream = self.id.number, "too many keys wait to be sent");
                }
            }
            StreamCommand::Info { digit, held, at } => {
                let key = self.ears.keys.info(digit, held, at.min(now));
                self.ears.press(key);
            }
            StreamCommand::Redirect(spec) => {
                self.receiver.redirect(peer(&spec), spec.hears);
                self.codec = spec.codec;
                self.payload_type = spec.payload_type;
                self.event = spec.event;
                self.ears.keys.renegotiated(spec.hears.has_events());
                self.alive = now;
            }
            StreamCommand::Close => {}
        }
    }

    /// The stream's turn, once every 20 ms: sends a frame, reads what has come, reports.
    pub(super) fn turn(
        &mut self,
        tick: Tick,
        now: Instant,
        buffers: &mut Buffers,
        events: &EventSender<StreamEvent>,
    ) {
        if let Some(last) = self.last.replace(tick) {
            let left_out = (tick.saturating_sub(last) / SLOTS as u64).saturating_sub(1);
            if left_out > 0 {
                // Time has passed for the listener too: a gap, and never a burst to close it.
                let samples = left_out.saturating_mul(FRAME_SAMPLES as u64);
                self.sender.skip(samples as u32);
                self.report.skipped += left_out;
            }
        }
        self.send_frame(now, buffers);
        self.read(now, buffers);
        let key = self.ears.keys.poll(now);
        self.ears.press(key);
        if let Some(by) = self.ears.listening.answered_by() {
            self.ears.post(now, StreamNews::AnsweredBy(by));
        }
        if let Some(sound) = self.ears.listening.sound(false) {
            self.ears.post(now, StreamNews::Sound(sound));
        }
        if !self.quiet && now.saturating_duration_since(self.alive) >= self.media_timeout {
            self.quiet = true;
            self.ears.post(now, StreamNews::NoMedia);
        }
        self.ears.outbox.flush(events);
    }

    /// Closes the stream and leaves what is still to be reported of it.
    pub(super) fn close(mut self, now: Instant) -> Outbox {
        if let Some(sound) = self.ears.listening.sound(true) {
            self.ears.post(now, StreamNews::Sound(sound));
        }
        let mut outbox = self.ears.outbox;
        let report = StreamReport {
            received: self.receiver.statistics(),
            events_dropped: outbox.dropped(),
            ..self.report
        };
        outbox.post_last(StreamEvent {
            stream: self.id,
            at: now,
            news: StreamNews::Closed(Box::new(report)),
        });
        outbox
    }

    fn send_frame(&mut self, now: Instant, buffers: &mut Buffers) {
        let timestamp = self.sender.timestamp();
        let payload_type = self.payload_type;
        let packet = &mut buffers.packet;
        let mut sent = Outline::SILENT;
        let audio = match self
            .pressing
            .turn(self.codec, timestamp, self.event.is_some())
        {
            Pressed::Nothing => None,
            Pressed::Tone(octets) => Some(self.sender.audio(payload_type, octets, packet)),
            Pressed::Event { report, down } => {
                if let Some(event) = self.event
                    && let Ok(octets) = self.sender.event(event, &report, packet)
                {
                    let out = Out {
                        line: &self.line,
                        tap: &self.tap,
                        to: self.receiver.peer().destination(),
                    };
                    out.send(octets, &mut self.report);
                }
                if down {
                    self.sender.skip(FRAME_SAMPLES as u32);
                    return;
                }
                None
            }
        };
        let audio = match audio {
            Some(audio) => audio,
            None => {
                let mut turn = self.playback.turn(self.codec);
                if let Turn::Finished { tag, started } = turn {
                    if !started {
                        self.ears.post(now, StreamNews::Started { tag });
                    }
                    self.ears.post(now, StreamNews::Finished { tag });
                    turn = Turn::Silence;
                }
                let octets = match turn {
                    Turn::Frame {
                        octets,
                        outline,
                        started,
                    } => {
                        sent = outline;
                        if let Some(tag) = started {
                            self.ears.post_along(now, StreamNews::Started { tag });
                        }
                        octets
                    }
                    Turn::Finished { .. } | Turn::Silence => match self.codec {
                        Codec::Pcmu => &SILENT[0][..],
                        Codec::Pcma => &SILENT[1][..],
                    },
                };
                self.sender.audio(payload_type, octets, packet)
            }
        };
        self.ears.listening.sending(sent);
        if let Ok(octets) = audio {
            let out = Out {
                line: &self.line,
                tap: &self.tap,
                to: self.receiver.peer().destination(),
            };
            out.send(octets, &mut self.report);
        }
    }

    fn read(&mut self, now: Instant, buffers: &mut Buffers) {
        let arrival = Arrival {
            after: self.read,
            by: now,
        };
        let mut emptied = false;
        for _ in 0..MOST_READ {
            match self.line.socket.recv_from(&mut buffers.datagram[..]) {
                Ok((length, from)) => {
                    let datagram = buffers.datagram.get(..length).unwrap_or_default();
                    self.take(from, datagram, arrival);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // Anything else than an empty socket passes, and is seen again in 20 ms.
                    emptied = error.kind() == io::ErrorKind::WouldBlock;
                    break;
                }
            }
        }
        let ended = self.receiver.expire(now, &mut hear(&mut self.ears, now));
        if let Some(digit) = ended {
            self.ears.keys.event_ended(digit, now);
        }
        if emptied {
            self.read = now;
        }
    }

    fn take(&mut self, from: SocketAddr, datagram: &[u8], arrival: Arrival) {
        let now = arrival.by;
        self.tap
            .copy(Plane::Media, false, from, self.line.local, datagram);
        let latching = matches!(self.receiver.peer(), Peer::Latching(_));
        let received =
            self.receiver
                .receive(from, datagram, arrival, &mut hear(&mut self.ears, now));
        if latching && matches!(self.receiver.peer(), Peer::Latched(_)) {
            self.ears.post(now, StreamNews::Latched { to: from });
        }
        if received.is_media() {
            self.alive = now;
            self.quiet = false;
        }
        match received {
            Received::Event {
                ended_before,
                began,
                ended,
            } => {
                if let Some(digit) = ended_before {
                    self.ears.keys.event_ended(digit, now);
                }
                if let Some(press) = began {
                    let key = self.ears.keys.event_began(press.digit, press.at, now);
                    self.ears.press(key);
                }
                if let Some(digit) = ended {
                    self.ears.keys.event_ended(digit, now);
                }
            }
            Received::WrongSource if !self.intruded => {
                self.intruded = true;
                self.ears.post(now, StreamNews::WrongSource { from });
            }
            _ => {}
        }
    }
}

/// The way out of a stream.
struct Out<'a> {
    line: &'a Line,
    tap: &'a Tap,
    to: Option<SocketAddr>,
}

impl Out<'_> {
    fn send(&self, octets: &[u8], report: &mut StreamReport) {
        let Some(to) = self.to else {
            return;
        };
        match self.line.socket.send_to(octets, to) {
            Ok(_) => report.sent += 1,
            // A full buffer or a route that is gone for a moment: the next frame is due in 20 ms.
            Err(_) => report.unsent += 1,
        }
        self.tap
            .copy(Plane::Media, true, self.line.local, to, octets);
    }
}
