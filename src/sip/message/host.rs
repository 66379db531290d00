//! Hosts: a name, an IPv4 or an IPv6 address (RFC 3261 25.1 `host`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::fault::Malformed;
use super::text::{is_lws, number, trim_start};

/// A host as a URI or Via names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Host<'a> {
    /// A domain name, not resolved here.
    Name(&'a str),
    /// An address.
    Ip(IpAddr),
}

impl<'a> Host<'a> {
    /// From text; an IPv6 address may stand with or without its brackets.
    pub fn parse(text: &'a str) -> Result<Host<'a>, Malformed> {
        if let Some(inside) = text.strip_prefix('[') {
            let inside = inside.strip_suffix(']').ok_or(Malformed("host"))?;
            return inside
                .parse::<Ipv6Addr>()
                .map(|ip| Host::Ip(ip.into()))
                .map_err(|_| Malformed("host"));
        }
        let (length, seen) = plain(text.as_bytes());
        if length == text.len() {
            return Host::from_plain(text, seen);
        }
        text.parse::<Ipv6Addr>()
            .map(|ip| Host::Ip(ip.into()))
            .map_err(|_| Malformed("host"))
    }

    /// From text of plain host characters: an IPv4 address or a name.
    fn from_plain(text: &'a str, seen: u8) -> Result<Host<'a>, Malformed> {
        if seen & NAME == 0
            && let Ok(ip) = text.parse::<Ipv4Addr>()
        {
            return Ok(Host::Ip(ip.into()));
        }
        if text.is_empty() || text.len() > 255 || text.starts_with('.') {
            return Err(Malformed("host"));
        }
        Ok(Host::Name(text))
    }

    /// The address, if it is one.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Ip(ip) => Some(*ip),
            Host::Name(_) => None,
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// Reads `host [":" port]` from the start of a text, white space around the colon allowed as in a
/// Via; gives what follows, too.
pub(super) fn host_port(text: &str) -> Result<(Host<'_>, Option<u16>, &[u8]), Malformed> {
    let bad = Malformed("host");
    let (host, rest) = if text.starts_with('[') {
        let close = memchr::memchr(b']', text.as_bytes()).ok_or(bad)?;
        let (host, rest) = text.split_at_checked(close + 1).ok_or(bad)?;
        (Host::parse(host)?, rest)
    } else {
        let (length, seen) = plain(text.as_bytes());
        let (host, rest) = text.split_at_checked(length).ok_or(bad)?;
        (Host::from_plain(host, seen)?, rest)
    };
    let rest = rest.as_bytes();
    match rest.first() {
        None | Some(b':' | b';' | b'?' | b',') => {}
        Some(blank) if is_lws(*blank) => {}
        _ => return Err(bad),
    }
    let Some((b':', port)) = trim_start(rest).split_first() else {
        return Ok((host, None, rest));
    };
    let port = trim_start(port);
    let length = port
        .iter()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(port.len());
    let (port, rest) = port.split_at(length);
    match number(port, u64::from(u16::MAX)) {
        Some(port) if port > 0 => Ok((host, Some(port as u16), rest)),
        _ => Err(Malformed("port")),
    }
}

/// Set for what stands in names but not in IPv4 addresses.
const NAME: u8 = 2;

/// 0 for what ends a host, 1 for digits and dots, [`NAME`] for the rest of names. Underscores are
/// no hostname's, yet stand in private networks' names.
static PLAIN: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' | b'.' => 1,
            b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' => NAME,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// How many octets from the start are a host's, and what was among them.
fn plain(text: &[u8]) -> (usize, u8) {
    let mut seen = 0;
    for (at, byte) in text.iter().enumerate() {
        match PLAIN[usize::from(*byte)] {
            0 => return (at, seen),
            kind => seen |= kind,
        }
    }
    (text.len(), seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses() {
        assert_eq!(Host::parse("a-b.example."), Ok(Host::Name("a-b.example.")));
        assert_eq!(
            Host::parse("192.0.2.1").map(|h| h.to_string()),
            Ok("192.0.2.1".into())
        );
        let six: IpAddr = "2001:db8::1".parse().expect("an address");
        assert_eq!(Host::parse("[2001:db8::1]"), Ok(Host::Ip(six)));
        assert_eq!(Host::parse("2001:db8::1"), Ok(Host::Ip(six)));
        assert_eq!(Host::Ip(six).to_string(), "[2001:db8::1]");
        for bad in [
            "",
            "a b",
            "[::1",
            "a:b",
            "ex@mple",
            ".a",
            "\u{e9}.fr",
            "[1.2.3.4]",
        ] {
            assert!(Host::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ports() {
        let read = |text: &'static str| host_port(text).map(|(_, port, rest)| (port, rest.len()));
        assert_eq!(read("a:5060;x"), Ok((Some(5060), 2)));
        assert_eq!(read("a : 5060 ;x"), Ok((Some(5060), 3)));
        assert_eq!(read("[::1]:7"), Ok((Some(7), 0)));
        assert_eq!(read("a ;x"), Ok((None, 3)));
        assert!(read("a:").is_err());
        assert!(read("a:0").is_err());
        assert!(read("a:65536").is_err());
        assert!(read(":5060").is_err());
    }
}
