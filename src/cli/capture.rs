//! Writes datagrams to a pcap file that Wireshark, sngrep and `ringtrue dtmf decode` open.

use std::fs::File;
use std::io::{self, BufWriter};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::UNIX_EPOCH;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, PcapError};

use crate::voice::wire::Datagram;

/// A capture file being written.
pub struct Capture {
    writer: PcapWriter<BufWriter<File>>,
}

impl Capture {
    /// Creates `path`, readable by its owner alone: a capture holds phone numbers and voices.
    ///
    /// # Errors
    /// When the file cannot be created or written.
    pub fn create(path: &Path) -> io::Result<Capture> {
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
        Ok(Capture { writer })
    }

    /// Appends one datagram, wrapped in the IP and UDP headers it travelled in.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, datagram: &Datagram) -> io::Result<()> {
        let packet = ip_packet(datagram.from, datagram.to, &datagram.bytes);
        let at = datagram.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        self.writer
            .write_packet(&PcapPacket::new(at, length, &packet))
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

/// An IPv4 packet where both ends are IPv4, else IPv6 with mapped addresses.
fn ip_packet(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    // A UDP datagram is at most 65,507 octets; what would not fit is cut.
    let payload = payload.get(..65_000).unwrap_or(payload);
    let udp_length = (payload.len() + 8) as u16;
    let mut packet = Vec::with_capacity(payload.len() + 48);
    let pseudo_sum: u32;
    if let (IpAddr::V4(source), IpAddr::V4(target)) = (from.ip(), to.ip()) {
        packet.extend_from_slice(&[0x45, 0]);
        packet.extend_from_slice(&(udp_length + 20).to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0x40, 0, 64, 17, 0, 0]);
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
        packet.extend_from_slice(&udp_length.to_be_bytes());
        packet.extend_from_slice(&[17, 64]);
        packet.extend_from_slice(&as_v6(from.ip()).octets());
        packet.extend_from_slice(&as_v6(to.ip()).octets());
        pseudo_sum = words(&packet[8..40]);
    }
    let mut udp = Vec::with_capacity(payload.len() + 8);
    udp.extend_from_slice(&from.port().to_be_bytes());
    udp.extend_from_slice(&to.port().to_be_bytes());
    udp.extend_from_slice(&udp_length.to_be_bytes());
    udp.extend_from_slice(&[0, 0]);
    udp.extend_from_slice(payload);
    let sum = !fold(pseudo_sum + 17 + u32::from(udp_length) + words(&udp));
    // RFC 768: a computed zero is sent as all ones, since zero means "no checksum".
    let sum = if sum == 0 { 0xffff } else { sum };
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    packet.extend_from_slice(&udp);
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
        let packet = ip_packet(from, to, b"odd");
        assert_eq!(fold(words(&packet[..20])), 0xffff);
        let pseudo = words(&packet[12..20]) + 17 + 11;
        assert_eq!(fold(pseudo + words(&packet[20..])), 0xffff);
        assert_eq!(packet.len(), 20 + 8 + 3);

        let six: SocketAddr = "[::1]:5060".parse().expect("an address");
        let packet = ip_packet(six, to, b"even");
        assert_eq!(packet.len(), 40 + 8 + 4);
        let pseudo = words(&packet[8..40]) + 17 + 12;
        assert_eq!(fold(pseudo + words(&packet[40..])), 0xffff);
    }
}
