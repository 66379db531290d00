//! `[media]`: where the audio of calls goes in and out.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::show::Shown;
use crate::document::Section;

/// Where the audio of calls goes in and out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// The local address.
    pub bind: IpAddr,
    /// What SDP says, where carriers reach us at another address than we bind, behind NAT. Without
    /// it the address of `[sip] advertise`, or the bound one.
    pub advertise: Option<IpAddr>,
    /// The UDP ports of calls.
    pub ports: PortRange,
    /// Threads that carry audio; `None` is one for each core.
    pub shards: Option<usize>,
}

impl Default for Media {
    fn default() -> Self {
        Media {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            advertise: None,
            ports: PortRange {
                first: 20_000,
                last: 29_999,
            },
            shards: None,
        }
    }
}

/// UDP ports, of which the even ones are for RTP (RFC 3550 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// From a port, at least 1024, to a higher one.
    pub fn new(first: u16, last: u16) -> Option<PortRange> {
        let fits = first >= 1024 && first < last;
        fits.then_some(PortRange { first, last })
    }

    /// From `20000-29999`.
    pub fn parse(text: &str) -> Option<PortRange> {
        let (first, last) = text.split_once('-')?;
        let port = |text: &str| -> Option<u16> {
            let text = text.trim_matches(' ');
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|_| digits)
        };
        PortRange::new(port(first)?, port(last)?)
    }

    /// The first port.
    pub fn first(self) -> u16 {
        self.first
    }

    /// The last port.
    pub fn last(self) -> u16 {
        self.last
    }

    /// How many calls at once there are ports for.
    pub fn calls(self) -> usize {
        usize::from(self.last / 2) + 1 - usize::from(self.first.div_ceil(2))
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

pub(super) fn read(section: &Section<'_>) -> Media {
    let default = Media::default();
    let bind: IpAddr = section
        .read(
            "bind",
            "an address without a port in quotes, as in \"192.0.2.1\"",
            |text| text.parse().ok(),
        )
        .map_or(default.bind, |at| at.value);
    let advertise = section.read(
        "advertise",
        "the address that carriers reach, without a port, as in \"203.0.113.7\"",
        |text| text.parse().ok(),
    );
    Media {
        bind,
        advertise: advertise.map(|at| at.value),
        ports: section
            .read(
                "ports",
                "a port of at least 1024 and a higher one, as in \"20000-29999\"",
                PortRange::parse,
            )
            .map_or(default.ports, |at| at.value),
        shards: section
            .integer("shards", 0..=256)
            .map(|at| at.value as usize)
            .filter(|shards| *shards > 0),
    }
}

pub(super) fn show(media: &Media) -> Shown {
    Shown::new("media")
        .with("bind", media.bind.to_string())
        .with("advertise", media.advertise.map(|a| a.to_string()))
        .with("ports", media.ports.to_string())
        .with("shards", media.shards.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_take_the_even_ports() {
        let range = PortRange::parse("20000-29999").unwrap();
        assert_eq!(
            (range.first(), range.last(), range.calls()),
            (20_000, 29_999, 5_000)
        );
        assert_eq!(
            PortRange::parse("1024 - 65535").map(PortRange::calls),
            Some(32_256)
        );
        for (text, calls) in [
            ("2000-2001", 1),
            ("2001-2002", 1),
            ("2001-2003", 1),
            ("2000-2002", 2),
        ] {
            assert_eq!(PortRange::parse(text).map(PortRange::calls), Some(calls));
        }
        for text in [
            "",
            "20000",
            "30000-20001",
            "1000-1999",
            "20000-65536",
            "+2000-2001",
            "a-b",
            "2000-2001-2003",
        ] {
            assert_eq!(PortRange::parse(text), None, "{text}");
        }
    }
}
