//! Another side's description, read: what of it matters to an audio stream.

use std::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;

use super::{Direction, MAX_FORMATS, MAX_MEDIA, MAX_SDP, SdpError, SessionId};
use crate::audio::Codec;

/// Attributes that are looked at; the rest (ICE, crypto, statistics) is left out unread.
const ATTRIBUTES: [&str; 8] = [
    "rtpmap", "fmtp", "ptime", "maxptime", "sendrecv", "sendonly", "recvonly", "inactive",
];
/// Longest packetization time that is taken for one, in milliseconds.
const LONGEST_PTIME: u16 = 200;

/// A session description of another side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Id and version of `o=`, where it has them as numbers.
    pub session: Option<SessionId>,
    /// Its media, in order.
    pub media: Vec<Media>,
}

/// One media description (`m=`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `image`...
    pub kind: String,
    /// 0 where it is refused or switched off.
    pub port: u16,
    /// `RTP/AVP`...
    pub transport: String,
    /// The formats as written.
    pub formats: SmallVec<[String; 8]>,
    /// Its formats that are one of ours, by payload type, in its order of preference.
    pub encodings: SmallVec<[(u8, Encoding); 4]>,
    /// Which way it flows. A connection address of 0.0.0.0 is a hold of RFC 2543: it does not
    /// listen then, whatever the attribute says (RFC 3264 8.4).
    pub direction: Direction,
    /// Milliseconds that it wants in a packet.
    pub ptime: Option<u16>,
    /// Most milliseconds that it takes in a packet.
    pub max_ptime: Option<u16>,
    address: Result<IpAddr, SdpError>,
    /// What its `rtpmap` say, those of formats that it does not list too.
    maps: SmallVec<[(u8, Option<Encoding>); 8]>,
}

/// What a payload type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Speech.
    Speech(Codec),
    /// RFC 4733 telephone events with a clock of 8000 Hz.
    Event,
}

impl Description {
    /// Reads a description. Lines that do not matter here may be malformed; line ends may be LF
    /// alone, a NUL and what is behind it are cut off, octets that are no UTF-8 replaced.
    pub fn parse(sdp: &[u8]) -> Result<Description, SdpError> {
        if sdp.len() > MAX_SDP {
            return Err(SdpError::TooLong);
        }
        let lines = lines_that_matter(sdp)?;
        let session =
            sdp_types::Session::parse(lines.as_bytes()).map_err(|_| SdpError::Malformed)?;
        let direction = session
            .attributes
            .iter()
            .find_map(direction)
            .unwrap_or_default();
        let connection = session.connection.as_ref().map(address);
        let media = session
            .medias
            .iter()
            .map(|media| Media::read(media, &session, direction, connection))
            .collect();
        // `sdp-types` fills in a zero where there was no origin.
        let session = session
            .origin
            .sess_id
            .parse()
            .ok()
            .filter(|id| *id != 0 || session.origin.sess_version != 0)
            .map(|id| SessionId {
                id,
                version: session.origin.sess_version,
            });
        Ok(Description { session, media })
    }

    /// The audio that can be used and its place among the media: the first of plain RTP with a
    /// port. Without one the error says what came closest.
    pub fn audio(&self) -> Result<(usize, &Media), SdpError> {
        let mut reason = SdpError::NoAudio;
        for (at, media) in self.media.iter().enumerate() {
            if !media.kind.eq_ignore_ascii_case("audio") {
                continue;
            }
            if media.port == 0 {
                if reason == SdpError::NoAudio {
                    reason = SdpError::Refused;
                }
            } else if media.is_plain_rtp() {
                return Ok((at, media));
            } else {
                reason = SdpError::Transport;
            }
        }
        Err(reason)
    }
}

impl Media {
    fn read(
        media: &sdp_types::Media,
        session: &sdp_types::Session,
        session_direction: Direction,
        session_address: Option<Result<IpAddr, SdpError>>,
    ) -> Media {
        let address = media
            .connections
            .first()
            .map(address)
            .or(session_address)
            .unwrap_or(Err(SdpError::NoAddress));
        let mut direction = media
            .attributes
            .iter()
            .find_map(direction)
            .unwrap_or(session_direction);
        if address.is_ok_and(|ip| ip.is_unspecified()) {
            direction = direction.deaf();
        }
        let formats: SmallVec<[String; 8]> = media
            .fmt
            .split_ascii_whitespace()
            .take(MAX_FORMATS)
            .map(str::to_owned)
            .collect();
        let maps: SmallVec<[(u8, Option<Encoding>); 8]> = media
            .attributes
            .iter()
            .chain(&session.attributes)
            .filter(|a| a.attribute.eq_ignore_ascii_case("rtpmap"))
            .filter_map(|a| rtpmap(a.value.as_deref()?))
            .take(MAX_FORMATS)
            .collect();
        let mut encodings: SmallVec<[(u8, Encoding); 4]> = SmallVec::new();
        for format in &formats {
            let Some(payload_type) = format.parse().ok().filter(|p| *p < 128) else {
                continue;
            };
            let mapped = maps.iter().find(|(p, _)| *p == payload_type);
            let encoding = match mapped {
                Some((_, encoding)) => *encoding,
                None => static_encoding(payload_type),
            };
            if let Some(encoding) = encoding
                && !encodings.iter().any(|(p, _)| *p == payload_type)
            {
                encodings.push((payload_type, encoding));
            }
        }
        let time = |name: &str| {
            let of = |attributes: &[sdp_types::Attribute]| {
                attributes
                    .iter()
                    .find(|a| a.attribute.eq_ignore_ascii_case(name))
                    .and_then(|a| milliseconds(a.value.as_deref()?))
            };
            of(&media.attributes).or_else(|| of(&session.attributes))
        };
        Media {
            kind: media.media.clone(),
            port: media.port,
            transport: media.proto.clone(),
            formats,
            encodings,
            direction,
            ptime: time("ptime"),
            max_ptime: time("maxptime"),
            address,
            maps,
        }
    }

    /// Whether it gives that payload type to something other than telephone events of 8000 Hz.
    pub fn maps_to_no_event(&self, payload_type: u8) -> bool {
        self.maps
            .iter()
            .find(|(mapped, _)| *mapped == payload_type)
            .is_some_and(|(_, encoding)| *encoding != Some(Encoding::Event))
    }

    /// Whether it is RTP with no encryption: `RTP/AVP`, or `RTP/AVPF`, whose feedback is RTCP's
    /// business.
    pub fn is_plain_rtp(&self) -> bool {
        ["RTP/AVP", "RTP/AVPF"]
            .iter()
            .any(|t| self.transport.eq_ignore_ascii_case(t))
    }

    /// Where it wants packets; the unspecified address while it is on hold the old way.
    pub fn address(&self) -> Result<SocketAddr, SdpError> {
        let ip = self.address?;
        let is_broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
        if ip.is_multicast() || is_broadcast {
            return Err(SdpError::UnusableAddress);
        }
        Ok(SocketAddr::new(ip, self.port))
    }

    /// The payload type of its telephone events.
    pub fn event(&self) -> Option<u8> {
        self.encodings
            .iter()
            .find(|(_, e)| *e == Encoding::Event)
            .map(|(payload_type, _)| *payload_type)
    }

    /// Its codecs by payload type, in its order of preference.
    pub fn codecs(&self) -> impl Iterator<Item = (u8, Codec)> + '_ {
        self.encodings.iter().filter_map(|(p, e)| match e {
            Encoding::Speech(codec) => Some((*p, *codec)),
            Encoding::Event => None,
        })
    }
}

/// The lines that matter, put right where equipment is known to get them wrong.
fn lines_that_matter(sdp: &[u8]) -> Result<String, SdpError> {
    let end = memchr::memchr(0, sdp).unwrap_or(sdp.len());
    let text = String::from_utf8_lossy(sdp.get(..end).unwrap_or_default());
    let mut out = String::with_capacity(text.len() + 8);
    let mut media = 0;
    let mut has_connection = false;
    let mut has_origin = false;
    let mut rest: &str = &text;
    while !rest.is_empty() {
        let end = memchr::memchr2(b'\n', b'\r', rest.as_bytes()).unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default().trim_ascii();
        rest = rest.get(end + 1..).unwrap_or_default();
        let Some((key, value)) = line.split_at_checked(2) else {
            continue;
        };
        let value = value.trim_ascii_start();
        match key {
            // The version has to come first: what is no SDP is not read as if it were.
            "v=" if out.is_empty() => out.push_str("v=0"),
            _ if out.is_empty() && key.ends_with('=') => return Err(SdpError::Malformed),
            "o=" if media == 0 && !has_origin && is_origin(value) => {
                has_origin = true;
                out.push_str("o=");
                push_words(&mut out, value, 6);
            }
            "c=" if media > 0 || !has_connection => {
                has_connection = true;
                out.push_str("c=");
                push_words(&mut out, value, 3);
            }
            "m=" => {
                media += 1;
                if media > MAX_MEDIA {
                    return Err(SdpError::TooManyMedia);
                }
                out.push_str("m=");
                // A refused stream is sometimes left without a format.
                if push_words(&mut out, value, 3 + MAX_FORMATS) == 3 {
                    out.push_str(" 0");
                }
            }
            "a=" => {
                let colon = memchr::memchr(b':', value.as_bytes());
                let (name, value) = value.split_at(colon.unwrap_or(value.len()));
                let name = name.trim_ascii_end();
                if !ATTRIBUTES.iter().any(|a| a.eq_ignore_ascii_case(name)) {
                    continue;
                }
                out.push_str("a=");
                out.push_str(name);
                if let Some(value) = value.strip_prefix(':') {
                    out.push(':');
                    out.push_str(value.trim_ascii());
                }
            }
            _ => continue,
        }
        out.push('\n');
    }
    if out.is_empty() {
        return Err(SdpError::Malformed);
    }
    Ok(out)
}

/// Appends the first words with one space between each, and counts them.
fn push_words(out: &mut String, value: &str, most: usize) -> usize {
    let mut words = 0;
    for word in value.split_ascii_whitespace().take(most) {
        if words > 0 {
            out.push(' ');
        }
        out.push_str(word);
        words += 1;
    }
    words
}

fn is_origin(value: &str) -> bool {
    let mut words = value.split_ascii_whitespace();
    let version = words.nth(2).is_some_and(|v| v.parse::<u64>().is_ok());
    let plain =
        |word: Option<&str>| word.is_some_and(|w| w.bytes().all(|b| b.is_ascii_alphanumeric()));
    version && plain(words.next()) && plain(words.next()) && words.next().is_some()
}

fn direction(attribute: &sdp_types::Attribute) -> Option<Direction> {
    Direction::parse(&attribute.attribute)
}

/// The address of a `c=`, its TTL or count cut off.
fn address(connection: &sdp_types::Connection) -> Result<IpAddr, SdpError> {
    let text = &connection.connection_address;
    let host = text.split('/').next().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(ip) => Ok(ip.to_canonical()),
        Err(_) if host.contains(':') || host.is_empty() => Err(SdpError::Malformed),
        Err(_) if host.bytes().all(|b| b.is_ascii_digit() || b == b'.') => Err(SdpError::Malformed),
        Err(_) => Err(SdpError::HostName),
    }
}

/// Reads `payload-type name[/rate[/channels]]`; `None` for an encoding that is none of ours.
fn rtpmap(value: &str) -> Option<(u8, Option<Encoding>)> {
    let mut words = value.split_ascii_whitespace();
    let payload_type = words.next()?.parse().ok()?;
    let encoding = words.next().unwrap_or_default();
    let mut parts = encoding.split('/');
    let name = parts.next().unwrap_or_default();
    let at_8000 = parts.next().is_none_or(|rate| rate == "8000");
    let mono = parts.next().is_none_or(|channels| channels == "1");
    let known = if name.eq_ignore_ascii_case("PCMU") {
        Some(Encoding::Speech(Codec::Pcmu))
    } else if name.eq_ignore_ascii_case("PCMA") {
        Some(Encoding::Speech(Codec::Pcma))
    } else if name.eq_ignore_ascii_case("telephone-event") {
        Some(Encoding::Event)
    } else {
        None
    };
    Some((payload_type, known.filter(|_| at_8000 && mono)))
}

/// What a payload type without `rtpmap` stands for (RFC 3551 6).
fn static_encoding(payload_type: u8) -> Option<Encoding> {
    [Codec::Pcmu, Codec::Pcma]
        .into_iter()
        .find(|c| c.payload_type() == payload_type)
        .map(Encoding::Speech)
}

fn milliseconds(value: &str) -> Option<u16> {
    let whole = value.split('.').next().unwrap_or_default().trim();
    whole
        .parse()
        .ok()
        .filter(|ms| (1..=LONGEST_PTIME).contains(ms))
}
