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
        if text.contains(':') {
            return text
                .parse::<Ipv6Addr>()
                .map(|ip| Host::Ip(ip.into()))
                .map_err(|_| Malformed("host"));
        }
        if text.ends_with(|c: char| c.is_ascii_digit())
            && let Ok(ip) = text.parse::<Ipv4Addr>()
        {
            return Ok(Host::Ip(ip.into()));
        }
        // Underscores are no hostname, yet stand in private networks' names.
        let sound = !text.is_empty()
            && text.len() <= 255
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
            && !text.starts_with('.');
        if sound {
            Ok(Host::Name(text))
        } else {
            Err(Malformed("host"))
        }
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
pub(super) fn host_port(text: &[u8]) -> Result<(Host<'_>, Option<u16>, &[u8]), Malformed> {
    let bad = Malformed("host");
    let length = if text.first() == Some(&b'[') {
        text.iter().position(|b| *b == b']').ok_or(bad)? + 1
    } else {
        text.iter()
            .position(|b| matches!(b, b':' | b';' | b'?' | b',') || is_lws(*b))
            .unwrap_or(text.len())
    };
    let (host, rest) = text.split_at(length);
    let host = Host::parse(std::str::from_utf8(host).map_err(|_| bad)?)?;
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
        let read = |text: &'static str| {
            host_port(text.as_bytes()).map(|(_, port, rest)| (port, rest.len()))
        };
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
