//! Via: which way a message came (RFC 3261 20.42, RFC 3581).

use std::net::{IpAddr, SocketAddr};

use super::fault::Malformed;
use super::host::{Host, host_port};
use super::params::Params;
use super::text::{is_token, is_token_byte, number, trim, trim_start};

/// One Via element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Via<'a> {
    transport: &'a str,
    host: Host<'a>,
    port: Option<u16>,
    params: Params<'a>,
}

/// What a branch of RFC 3261 begins with (8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

impl<'a> Via<'a> {
    /// From text: one element of a Via field.
    pub fn parse(text: &'a str) -> Result<Via<'a>, Malformed> {
        Via::from_bytes(text.as_bytes())
    }

    /// `SIP "/" 2.0 "/" transport LWS sent-by *( ";" param )`, white space around each mark.
    pub(super) fn from_bytes(text: &'a [u8]) -> Result<Via<'a>, Malformed> {
        let bad = Malformed("Via");
        let (name, rest) = token(trim(text)).ok_or(bad)?;
        let rest = slash(rest).ok_or(bad)?;
        let (version, rest) = token(rest).ok_or(bad)?;
        let rest = slash(rest).ok_or(bad)?;
        let (transport, rest) = token(rest).ok_or(bad)?;
        if !name.eq_ignore_ascii_case("SIP") || version != "2.0" {
            return Err(bad);
        }
        let sent_by = trim_start(rest);
        if sent_by.len() == rest.len() {
            return Err(bad);
        }
        let (host, port, params) = host_port(sent_by).map_err(|_| bad)?;
        Ok(Via {
            transport,
            host,
            port,
            params: Params::parse(params).map_err(|_| bad)?,
        })
    }

    /// The transport as written, `UDP`.
    pub const fn transport(&self) -> &'a str {
        self.transport
    }

    /// The host of sent-by.
    pub const fn host(&self) -> Host<'a> {
        self.host
    }

    /// The port of sent-by, if written.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// The branch; `None` where there is none or it is empty.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.value("branch").filter(|b| !b.is_empty())
    }

    /// Whether the branch names a transaction by itself: the magic cookie with something behind
    /// it (RFC 3261 17.2.3).
    pub fn has_unique_branch(&self) -> bool {
        self.branch()
            .and_then(|b| b.split_at_checked(MAGIC_COOKIE.len()))
            .is_some_and(|(cookie, rest)| {
                cookie.eq_ignore_ascii_case(MAGIC_COOKIE) && !rest.is_empty()
            })
    }

    /// The address the message was received from, as a server noted it.
    pub fn received(&self) -> Option<IpAddr> {
        Host::parse(self.params.value("received")?).ok()?.ip()
    }

    /// Whether the sender asks for the port to be noted (RFC 3581): `rport` in any form.
    pub fn wants_rport(&self) -> bool {
        self.params.has("rport")
    }

    /// The source port, as a server noted it.
    pub fn rport(&self) -> Option<u16> {
        let value = self.params.value("rport")?;
        number(value.as_bytes(), u64::from(u16::MAX))
            .filter(|p| *p > 0)
            .map(|p| p as u16)
    }

    /// The multicast or other address that answers go to instead.
    pub fn maddr(&self) -> Option<Host<'a>> {
        Host::parse(self.params.value("maddr")?).ok()
    }

    /// Where an answer goes that came from `source` by UDP (RFC 3261 18.2.2, RFC 3581 4):
    /// the port of sent-by unless `rport` asks for the source's.
    pub fn reply_to(&self, source: SocketAddr) -> SocketAddr {
        if self.wants_rport() {
            return source;
        }
        SocketAddr::new(source.ip(), self.port.unwrap_or(5060))
    }
}

fn token(text: &[u8]) -> Option<(&str, &[u8])> {
    let length = text
        .iter()
        .position(|b| !is_token_byte(*b))
        .unwrap_or(text.len());
    let (token, rest) = text.split_at(length);
    if !is_token(token) {
        return None;
    }
    Some((std::str::from_utf8(token).ok()?, rest))
}

fn slash(text: &[u8]) -> Option<&[u8]> {
    trim_start(text).strip_prefix(b"/").map(trim_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_and_odd_forms() {
        for (text, transport, host, port, branch) in [
            (
                "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport",
                "UDP",
                "192.0.2.1",
                Some(5060),
                Some("z9hG4bKa"),
            ),
            (
                "SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8",
                "TCP",
                "spindle.example.com",
                None,
                Some("z9hG4bK9ikj8"),
            ),
            (
                "SIP/2.0/TLS [2001:db8::9:1]:5061;branch=z9hG4bKb",
                "TLS",
                "[2001:db8::9:1]",
                Some(5061),
                Some("z9hG4bKb"),
            ),
            ("sip/2.0/udp a : 5070", "udp", "a", Some(5070), None),
            (
                "SIP/2.0/UNKNOWN t5.example.com;branch=z9hG4bK;",
                "UNKNOWN",
                "t5.example.com",
                None,
                Some("z9hG4bK"),
            ),
            (
                "SIP/2.0/UDP\r\n 192.0.2.2;branch=390skdjuw",
                "UDP",
                "192.0.2.2",
                None,
                Some("390skdjuw"),
            ),
        ] {
            let via = Via::parse(text).expect(text);
            assert_eq!(via.transport(), transport);
            assert_eq!(via.host().to_string(), host);
            assert_eq!(via.port(), port);
            assert_eq!(via.branch(), branch);
        }
    }

    #[test]
    fn received_and_rport() {
        let via = Via::parse("SIP/2.0/UDP a;received=2001:db8::1;rport=1234").expect("sound");
        assert_eq!(via.received(), "2001:db8::1".parse().ok());
        assert_eq!(via.rport(), Some(1234));
        let source = "192.0.2.9:4000".parse().expect("an address");
        let asking = Via::parse("SIP/2.0/UDP a;rport").expect("sound");
        assert!(asking.wants_rport() && asking.rport().is_none());
        assert_eq!(asking.reply_to(source), source);
        let plain = Via::parse("SIP/2.0/UDP a:5099").expect("sound");
        assert_eq!(plain.reply_to(source).port(), 5099);
    }

    #[test]
    fn branches() {
        let unique = |text| Via::parse(text).expect("sound").has_unique_branch();
        assert!(unique("SIP/2.0/UDP a;branch=z9hG4bKx"));
        assert!(!unique("SIP/2.0/UDP a;branch=z9hG4bK"));
        assert!(!unique("SIP/2.0/UDP a;branch=1"));
        assert!(!unique("SIP/2.0/UDP a"));
    }

    #[test]
    fn what_is_no_via() {
        for bad in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0 a",
            "HTTP/2.0/UDP a",
            "SIP/3.0/UDP a",
            "SIP/2.0/UDP a;;",
            "SIP/2.0/UDP a:b",
            "SIP/2.0/UDP a b",
            ";",
        ] {
            assert!(Via::parse(bad).is_err(), "{bad}");
        }
    }
}
