//! The audio and telephone events of the RTP streams in a capture, found by their looks.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, bail};
use pcap_file::DataLink;
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::{Block, PcapNgReader};

use crate::audio::{Codec, SAMPLE_RATE, g711};
use crate::dtmf::analysis::{Analyser, Analysis};
use crate::dtmf::{DetectorConfig, Digit};
use crate::rtp::Packet;
use crate::rtp::event::TelephoneEvent;

/// Streams of one capture that are looked at.
const MOST_STREAMS: usize = 10_000;
/// Of one stream no more is recorded than four hours.
const MOST_SAMPLES: usize = 4 * 3_600 * SAMPLE_RATE as usize;
/// A stream has at least this many packets of audio or events.
const FEWEST_PACKETS: usize = 3;
/// A jump of the timestamp beyond this is a new start, not a gap: one minute.
const LONGEST_JUMP: u32 = 60 * SAMPLE_RATE;

/// A stream and what it holds.
pub struct Stream {
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// Its SSRC.
    pub ssrc: u32,
    /// Seconds from the first packet of the capture to its first.
    pub offset: f64,
    /// How long it lasts in seconds, by its timestamps.
    pub seconds: f64,
    /// Keys in its audio.
    pub audio: Analysis,
    /// RFC 4733 events.
    pub events: Vec<Event>,
}

/// The sound of one stream, for [`recordings`].
pub struct Recording {
    /// Who sent it, to whom, and its SSRC.
    pub name: String,
    /// What was received, silence for what was not.
    pub samples: Vec<i16>,
    /// What was not received: where, and how many samples.
    pub gaps: Vec<(usize, usize)>,
}

/// One press by RFC 4733; positions are samples from the stream's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Which key.
    pub digit: Digit,
    /// Where it began.
    pub start: u64,
    /// Its longest duration told.
    pub samples: u64,
}

/// Whether a file begins as a capture does.
pub fn is_capture(file: &[u8]) -> bool {
    matches!(
        file.first_chunk::<4>(),
        Some(
            [0xd4, 0xc3, 0xb2, 0xa1]
                | [0xa1, 0xb2, 0xc3, 0xd4]
                | [0x4d, 0x3c, 0xb2, 0xa1]
                | [0xa1, 0xb2, 0x3c, 0x4d]
                | [0x0a, 0x0d, 0x0d, 0x0a]
        )
    )
}

/// Finds every RTP stream with G.711 audio or telephone events.
///
/// # Errors
/// If it is no capture. One that breaks off is read as far as it goes.
pub fn read(file: &[u8], config: DetectorConfig) -> anyhow::Result<Vec<Stream>> {
    Ok(collect(file)?.streams(config))
}

/// The sound of every RTP stream with G.711 audio, in the order of [`read`], each made when it is
/// asked for: a small capture can tell of hours of gaps.
///
/// # Errors
/// If it is no capture.
pub fn recordings(file: &[u8]) -> anyhow::Result<impl Iterator<Item = Recording>> {
    let streams = collect(file)?.streams.into_iter();
    Ok(streams.filter_map(|((from, to, ssrc), packets)| {
        let mut recording = Recording {
            name: format!("{from} to {to}, SSRC {ssrc:08x}"),
            samples: Vec::new(),
            gaps: Vec::new(),
        };
        let played = packets.play(&mut recording, &mut Vec::new());
        (played >= FEWEST_PACKETS && !recording.samples.is_empty()).then_some(recording)
    }))
}

fn collect(file: &[u8]) -> anyhow::Result<Collected> {
    let mut collected = Collected::default();
    if file.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
        let mut reader = PcapNgReader::new(Cursor::new(file)).context("damaged pcapng file")?;
        let mut links = Vec::new();
        while let Some(Ok(block)) = reader.next_block() {
            match block {
                Block::SectionHeader(_) => links.clear(),
                Block::InterfaceDescription(interface) => links.push(interface.linktype),
                Block::EnhancedPacket(packet) => {
                    if let Some(link) = links.get(packet.interface_id as usize) {
                        collected.frame(*link, packet.timestamp.as_secs_f64(), &packet.data);
                    }
                }
                _ => {}
            }
        }
    } else {
        let mut reader = PcapReader::new(Cursor::new(file)).context("damaged pcap file")?;
        let link = reader.header().datalink;
        while let Some(Ok(packet)) = reader.next_packet() {
            collected.frame(link, packet.timestamp.as_secs_f64(), &packet.data);
        }
    }
    if collected.frames == 0 {
        bail!("the capture holds no packet that could be read");
    }
    Ok(collected)
}

/// Who takes a stream's sound in order.
trait Player {
    /// How much there was, gaps included.
    fn position(&self) -> u64;
    /// What was received.
    fn feed(&mut self, samples: &[i16]);
    /// That so much was not.
    fn gap(&mut self, samples: u64);
}

impl Player for Analyser {
    fn position(&self) -> u64 {
        Analyser::position(self)
    }

    fn feed(&mut self, samples: &[i16]) {
        Analyser::feed(self, samples);
    }

    fn gap(&mut self, samples: u64) {
        Analyser::gap(self, samples);
    }
}

impl Player for Recording {
    fn position(&self) -> u64 {
        self.samples.len() as u64
    }

    fn feed(&mut self, samples: &[i16]) {
        let left = MOST_SAMPLES.saturating_sub(self.samples.len());
        self.samples.extend(samples.iter().take(left));
    }

    fn gap(&mut self, samples: u64) {
        let left = MOST_SAMPLES.saturating_sub(self.samples.len());
        let length = usize::try_from(samples).unwrap_or(left).min(left);
        self.gaps.push((self.samples.len(), length));
        self.samples.resize(self.samples.len() + length, 0);
    }
}

#[derive(Default)]
struct Collected {
    frames: usize,
    first: Option<f64>,
    streams: BTreeMap<(SocketAddr, SocketAddr, u32), Packets>,
}

#[derive(Default)]
struct Packets {
    first: f64,
    highest: Option<u64>,
    all: Vec<(u64, u32, u8, Vec<u8>)>,
}

impl Collected {
    fn frame(&mut self, link: DataLink, at: f64, frame: &[u8]) {
        self.frames += 1;
        let first = *self.first.get_or_insert(at);
        let Some((from, to, payload)) = datagram(link, frame) else {
            return;
        };
        let Ok(packet) = Packet::parse(payload) else {
            return;
        };
        let kind = packet.payload_type();
        // RTCP has payload types 72 to 76 here; every other static type is no G.711.
        if !matches!(kind, 0 | 8 | 96..=127) {
            return;
        }
        let key = (from, to, packet.ssrc());
        if !self.streams.contains_key(&key) && self.streams.len() >= MOST_STREAMS {
            return;
        }
        let packets = self.streams.entry(key).or_insert_with(|| Packets {
            first: at - first,
            ..Packets::default()
        });
        let sequence = extended(packets.highest, packet.sequence());
        packets.highest = Some(packets.highest.map_or(sequence, |h| h.max(sequence)));
        packets.all.push((
            sequence,
            packet.timestamp(),
            kind,
            packet.payload().to_vec(),
        ));
    }

    fn streams(self, config: DetectorConfig) -> Vec<Stream> {
        self.streams
            .into_iter()
            .filter_map(|((from, to, ssrc), packets)| {
                let mut stream = Stream {
                    from,
                    to,
                    ssrc,
                    offset: packets.first,
                    seconds: 0.0,
                    audio: Analysis::default(),
                    events: Vec::new(),
                };
                packets.listen(&mut stream, config).then_some(stream)
            })
            .collect()
    }
}

/// The sequence number without its wraps, nearest to the highest so far.
fn extended(highest: Option<u64>, sequence: u16) -> u64 {
    let Some(highest) = highest else {
        return (1 << 32) | u64::from(sequence);
    };
    let step = sequence.wrapping_sub(highest as u16) as i16;
    highest.saturating_add_signed(i64::from(step))
}

impl Packets {
    /// Plays the packets in their order; false if this is no stream of audio or events.
    fn listen(self, stream: &mut Stream, config: DetectorConfig) -> bool {
        let mut analyser = Analyser::new(config);
        let counted = self.play(&mut analyser, &mut stream.events);
        let longest = stream.events.iter().map(|e| e.start + e.samples).max();
        let samples = analyser.position().max(longest.unwrap_or(0));
        stream.seconds = samples as f64 / f64::from(SAMPLE_RATE);
        stream.audio = analyser.finish();
        counted >= FEWEST_PACKETS
    }

    /// Plays the sound of the packets in their order and notes their events; how many packets had
    /// either.
    fn play(mut self, player: &mut impl Player, into: &mut Vec<Event>) -> usize {
        self.all.sort_by_key(|(sequence, ..)| *sequence);
        self.all.dedup_by_key(|(sequence, ..)| *sequence);
        let events = self.event_types();
        let mut origin: Option<u32> = None;
        let mut counted = 0;
        for (_, timestamp, kind, payload) in &self.all {
            let codec = match kind {
                0 => Some(Codec::Pcmu),
                8 => Some(Codec::Pcma),
                _ => None,
            };
            if codec.is_none() && !events.contains(kind) {
                continue;
            }
            counted += 1;
            let now = player.position();
            let start = *origin.get_or_insert(*timestamp);
            // Where the packet belongs, near where the audio is now.
            let ahead = timestamp.wrapping_sub(start.wrapping_add(now as u32)) as i32;
            let Some(codec) = codec else {
                note_event(into, now.saturating_add_signed(ahead.into()), payload);
                continue;
            };
            if ahead.unsigned_abs() > LONGEST_JUMP {
                // The sender began its timestamps anew.
                origin = Some(timestamp.wrapping_sub(now as u32));
            } else if ahead > 0 {
                player.gap(u64::from(ahead.unsigned_abs()));
            } else if ahead < 0 {
                continue;
            }
            player.feed(&g711::decode_all(codec, payload));
        }
        counted
    }

    /// The dynamic payload types all of whose packets look like telephone events.
    fn event_types(&self) -> Vec<u8> {
        let mut types: Vec<(u8, bool)> = Vec::new();
        for (_, _, kind, payload) in &self.all {
            if *kind < 96 {
                continue;
            }
            let looks = matches!(payload.len(), 4 | 8 | 12)
                && TelephoneEvent::parse(payload).is_ok_and(|event| event.event <= 16)
                && payload.get(1).is_some_and(|flags| flags & 0x40 == 0);
            match types.iter_mut().find(|(k, _)| k == kind) {
                Some((_, all)) => *all &= looks,
                None => types.push((*kind, looks)),
            }
        }
        types.retain(|(_, all)| *all);
        types.into_iter().map(|(kind, _)| kind).collect()
    }
}

/// Packets of one event share its timestamp; the longest duration told is its length.
fn note_event(events: &mut Vec<Event>, start: u64, payload: &[u8]) {
    let Ok(event) = TelephoneEvent::parse(payload) else {
        return;
    };
    let Some(digit) = Digit::from_event(event.event) else {
        return;
    };
    let samples = u64::from(event.duration);
    match events
        .iter_mut()
        .rev()
        .take(4)
        .find(|e| e.digit == digit && e.start == start)
    {
        Some(event) => event.samples = event.samples.max(samples),
        None => events.push(Event {
            digit,
            start,
            samples,
        }),
    }
}

/// The UDP datagram in a frame: from, to, payload.
fn datagram(link: DataLink, frame: &[u8]) -> Option<(SocketAddr, SocketAddr, &[u8])> {
    let packet = match link {
        DataLink::ETHERNET => {
            let mut at = 12;
            // One or more VLAN tags (IEEE 802.1Q) may stand before the type.
            while matches!(frame.get(at..at + 2)?, [0x81, 0x00] | [0x88, 0xa8]) {
                at += 4;
            }
            matches!(frame.get(at..at + 2)?, [0x08, 0x00] | [0x86, 0xdd]).then_some(())?;
            frame.get(at + 2..)?
        }
        DataLink::LINUX_SLL => frame.get(16..)?,
        DataLink::LINUX_SLL2 => frame.get(20..)?,
        DataLink::NULL | DataLink::LOOP => frame.get(4..)?,
        DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => frame,
        _ => return None,
    };
    let (from, to, protocol, body): (IpAddr, IpAddr, u8, &[u8]) = match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet.first()? & 15) * 4;
            let total = usize::from(u16::from_be_bytes(*packet.get(2..)?.first_chunk()?));
            // A fragment other than a first one holds no UDP header.
            let fragment = u16::from_be_bytes(*packet.get(6..)?.first_chunk()?);
            (header >= 20 && fragment & 0x1fff == 0).then_some(())?;
            let end = total.min(packet.len());
            (
                Ipv4Addr::from(*packet.get(12..)?.first_chunk::<4>()?).into(),
                Ipv4Addr::from(*packet.get(16..)?.first_chunk::<4>()?).into(),
                *packet.get(9)?,
                packet.get(header..end)?,
            )
        }
        6 => (
            Ipv6Addr::from(*packet.get(8..)?.first_chunk::<16>()?).into(),
            Ipv6Addr::from(*packet.get(24..)?.first_chunk::<16>()?).into(),
            *packet.get(6)?,
            packet.get(40..)?,
        ),
        _ => return None,
    };
    (protocol == 17).then_some(())?;
    let port = |at: usize| Some(u16::from_be_bytes(*body.get(at..)?.first_chunk()?));
    let length = usize::from(port(4)?);
    Some((
        SocketAddr::new(from, port(0)?),
        SocketAddr::new(to, port(2)?),
        body.get(8..length.min(body.len()))?,
    ))
}
