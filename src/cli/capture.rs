//! Writes datagrams and the octets of connections to a pcap file that Wireshark, sngrep and `ringtrue dtmf decode` open.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, PcapError};

use crate::sms::wire::Segment;
use crate::voice::wire::Datagram;

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Octets that are put into one packet at most.
const LONGEST: usize = 65_000;

/// A capture file being written.
pub struct Capture {
    writer: PcapWriter<BufWriter<File>>,
    /// Octets of each direction of each connection so far.
    streams: HashMap<(SocketAddr, SocketAddr), u32>,
}

impl Capture {
    /// Creates `path`, readable by its owner alone: a capture holds phone numbers and voices.
    ///
    /// # Errors
    /// When the file cannot be created or written.
    pub fn create(path: &Path) -> anyhow::Result<Capture> {
        Capture::begin(path).with_context(|| format!("writing {}", path.display()))
    }

    fn begin(path: &Path) -> io::Result<Capture> {
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = options.open(path)?;
        let header = PcapHeader {
            datalink: DataLink::RAW,
            ..PcapHeader::default()
        };
        let writer = PcapWriter::with_header(BufWriter::new(file), header).map_err(as_io)?;
        Ok(Capture {
            writer,
            streams: HashMap::new(),
        })
    }

    /// Appends one datagram, wrapped in the IP and UDP headers it travelled in.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, datagram: &Datagram) -> io::Result<()> {
        let packet = udp_packet(datagram.from, datagram.to, &datagram.bytes);
        self.put(datagram.at, &packet)
    }

    /// Appends octets of a connection, as the TCP segments that they might have travelled in.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_segment(&mut self, segment: &Segment) -> io::Result<()> {
        let (from, to) = match segment.sent {
            true => (segment.local, segment.peer),
            false => (segment.peer, segment.local),
        };
        for octets in segment.octets.chunks(LONGEST) {
            let acknowledged = self.streams.get(&(to, from)).copied().unwrap_or(1);
            let sent = self.streams.entry((from, to)).or_insert(1);
            let packet = tcp_packet(from, to, *sent, acknowledged, octets);
            *sent = sent.wrapping_add(octets.len() as u32);
            self.put(segment.at, &packet)?;
        }
        Ok(())
    }

    fn put(&mut self, at: SystemTime, packet: &[u8]) -> io::Result<()> {
        let at = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        self.writer
            .write_packet(&PcapPacket::new(at, length, packet))
            .map(drop)
            .map_err(as_io)
    }
}

fn as_io(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other.to_string()),
    }
}

fn udp_packet(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    // A UDP datagram is at most 65,507 octets; what would not fit is cut.
    let payload = payload.get(..LONGEST).unwrap_or(payload);
    let mut udp = Vec::with_capacity(payload.len() + 8);
    udp.extend_from_slice(&from.port().to_be_bytes());
    udp.extend_from_slice(&to.port().to_be_bytes());
    udp.extend_from_slice(&((payload.len() + 8) as u16).to_be_bytes());
    udp.extend_from_slice(&[0, 0]);
    udp.extend_from_slice(payload);
    // RFC 768: a computed zero is sent as all ones, since zero means "no checksum".
    ip_packet(
        from,
        to,
        UDP,
        udp,
        6,
        |sum| if sum == 0 { 0xffff } else { sum },
    )
}

/// RFC 9293 3.1: a segment in the middle of a connection, with PSH and ACK.
fn tcp_packet(
    from: SocketAddr,
    to: SocketAddr,
    sequence: u32,
    acknowledged: u32,
    payload: &[u8],
) -> Vec<u8> {
    let mut tcp = Vec::with_capacity(payload.len() + 20);
    tcp.extend_from_slice(&from.port().to_be_bytes());
    tcp.extend_from_slice(&to.port().to_be_bytes());
    tcp.extend_from_slice(&sequence.to_be_bytes());
    tcp.extend_from_slice(&acknowledged.to_be_bytes());
    tcp.extend_from_slice(&[0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
    tcp.extend_from_slice(payload);
    ip_packet(from, to, TCP, tcp, 16, |sum| sum)
}

/// An IPv4 packet where both ends are IPv4, else IPv6 with mapped addresses. The checksum of what it
/// carries goes to `place` in that.
fn ip_packet(
    from: SocketAddr,
    to: SocketAddr,
    protocol: u8,
    mut carried: Vec<u8>,
    place: usize,
    settle: fn(u16) -> u16,
) -> Vec<u8> {
    let length = carried.len() as u16;
    let mut packet = Vec::with_capacity(carried.len() + 40);
    let pseudo_sum: u32;
    if let (IpAddr::V4(source), IpAddr::V4(target)) = (from.ip(), to.ip()) {
        packet.extend_from_slice(&[0x45, 0]);
        packet.extend_from_slice(&(length + 20).to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0x40, 0, 64, protocol, 0, 0]);
        packet.extend_from_slice(&source.octets());
        packet.extend_from_slice(&target.octets());
        let sum = fold(words(&packet));
        packet[10..12].copy_from_slice(&(!sum).to_be_bytes());
        pseudo_sum = words(&packet[12..20]);
    } else {
        let as_v6 = |ip: IpAddr| -> Ipv6Addr {
            match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            }
        };
        packet.extend_from_slice(&[0x60, 0, 0, 0]);
        packet.extend_from_slice(&length.to_be_bytes());
        packet.extend_from_slice(&[protocol, 64]);
        packet.extend_from_slice(&as_v6(from.ip()).octets());
        packet.extend_from_slice(&as_v6(to.ip()).octets());
        pseudo_sum = words(&packet[8..40]);
    }
    let sum = !fold(pseudo_sum + u32::from(protocol) + u32::from(length) + words(&carried));
    carried[place..place + 2].copy_from_slice(&settle(sum).to_be_bytes());
    packet.extend_from_slice(&carried);
    packet
}

/// The sum of 16-bit words, the last padded with a zero octet (RFC 1071).
fn words(bytes: &[u8]) -> u32 {
    bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)))
        .sum()
}

fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_sum_to_all_ones() {
        let from: SocketAddr = "127.0.0.1:5060".parse().expect("an address");
        let to: SocketAddr = "127.0.0.2:5062".parse().expect("an address");
        let packet = udp_packet(from, to, b"odd");
        assert_eq!(fold(words(&packet[..20])), 0xffff);
        let pseudo = words(&packet[12..20]) + 17 + 11;
        assert_eq!(fold(pseudo + words(&packet[20..])), 0xffff);
        assert_eq!(packet.len(), 20 + 8 + 3);

        let six: SocketAddr = "[::1]:5060".parse().expect("an address");
        let packet = udp_packet(six, to, b"even");
        assert_eq!(packet.len(), 40 + 8 + 4);
        let pseudo = words(&packet[8..40]) + 17 + 12;
        assert_eq!(fold(pseudo + words(&packet[40..])), 0xffff);

        let packet = tcp_packet(from, to, 7, 9, b"odd");
        assert_eq!(fold(words(&packet[..20])), 0xffff);
        let pseudo = words(&packet[12..20]) + 6 + 23;
        assert_eq!(fold(pseudo + words(&packet[20..])), 0xffff);
        assert_eq!(packet.len(), 20 + 20 + 3);
    }
}
