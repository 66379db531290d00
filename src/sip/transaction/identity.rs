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
    pub(crate) address: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) user_agent: Arc<str>,
}

impl Identity {
    /// A Via with this branch; `rport` asks for our port as others see it (RFC 3581).
    pub(crate) fn via(&self, cookie: Cookie) -> OwnVia {
        OwnVia {
            transport: self.transport,
            address: self.address,
            cookie,
        }
    }

    /// A Contact with this user part.
    pub(crate) fn contact<'a>(&self, user: &'a str) -> OwnContact<'a> {
        OwnContact {
            transport: self.transport,
            address: self.address,
            user,
        }
    }
}

/// The value of our Via.
pub(crate) struct OwnVia {
    transport: Transport,
    address: SocketAddr,
    cookie: Cookie,
}

impl fmt::Display for OwnVia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SIP/2.0/{} {};rport;branch={MAGIC_COOKIE}{}",
            self.transport.as_str(),
            self.address,
            self.cookie
        )
    }
}

/// The value of our Contact.
pub(crate) struct OwnContact<'a> {
    transport: Transport,
    address: SocketAddr,
    user: &'a str,
}

impl fmt::Display for OwnContact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<sip:")?;
        if !self.user.is_empty() {
            write!(f, "{}@", self.user)?;
        }
        write!(f, "{}", self.address)?;
        f.write_str(match self.transport {
            Transport::Udp => ">",
            Transport::Tcp => ";transport=tcp>",
            Transport::Tls => ";transport=tls>",
        })
    }
}
