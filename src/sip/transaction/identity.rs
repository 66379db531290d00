//! What we say of ourselves in every message.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::cookie::Cookie;
use super::transport::Transport;
use crate::sip::message::MAGIC_COOKIE;

/// The address we are reached at, the transport, and our name.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// A Via up to what is random in its branch; `rport` asks for our port as others see it
    /// (RFC 3581).
    via: String,
    /// A Contact from its host on.
    contact: String,
    pub(crate) user_agent: Arc<str>,
}

impl Identity {
    pub(crate) fn new(address: SocketAddr, transport: Transport, user_agent: Arc<str>) -> Identity {
        let parameter = match transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
        };
        let name = transport.as_str();
        Identity {
            via: format!("SIP/2.0/{name} {address};rport;branch={MAGIC_COOKIE}"),
            contact: format!("{address}{parameter}>"),
            user_agent,
        }
    }

    /// A Via with this branch.
    pub(crate) fn via(&self, cookie: Cookie) -> OwnVia<'_> {
        OwnVia(&self.via, cookie)
    }

    /// A Contact with this user part.
    pub(crate) fn contact<'a>(&'a self, user: &'a str) -> OwnContact<'a> {
        OwnContact {
            user,
            rest: &self.contact,
        }
    }
}

/// The value of our Via.
pub(crate) struct OwnVia<'a>(&'a str, Cookie);

impl fmt::Display for OwnVia<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        self.1.fmt(f)
    }
}

/// The value of our Contact.
pub(crate) struct OwnContact<'a> {
    user: &'a str,
    rest: &'a str,
}

impl fmt::Display for OwnContact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<sip:")?;
        if !self.user.is_empty() {
            f.write_str(self.user)?;
            f.write_str("@")?;
        }
        f.write_str(self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::super::slab::Handle;
    use super::*;

    #[test]
    fn via_and_contact() {
        let address = "[2001:db8::1]:5060".parse().expect("an address");
        let identity = Identity::new(address, Transport::Tls, Arc::from("x"));
        let cookie = Cookie {
            handle: Handle {
                index: 1,
                generation: 2,
            },
            secret: 3,
        };
        assert_eq!(
            identity.via(cookie).to_string(),
            "SIP/2.0/TLS [2001:db8::1]:5060;rport;branch=z9hG4bK00000001000000020000000000000003"
        );
        assert_eq!(
            identity.contact("a").to_string(),
            "<sip:a@[2001:db8::1]:5060;transport=tls>"
        );
        let identity = Identity::new(address, Transport::Udp, Arc::from("x"));
        assert_eq!(identity.contact("").to_string(), "<sip:[2001:db8::1]:5060>");
    }
}
