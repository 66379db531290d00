//! What we say of ourselves in every message.

use std::net::SocketAddr;
use std::sync::Arc;

use super::cookie::Cookie;
use super::transport::Transport;
use crate::sip::message::{MAGIC_COOKIE, Name, Writer};

/// The address we are reached at, the transport, and our name.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// A Via up to what is random in its branch.
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
            via: format!("SIP/2.0/{name} {address};branch={MAGIC_COOKIE}"),
            contact: format!("{address}{parameter}>"),
            user_agent,
        }
    }

    /// The cookie of a Via that came back as we wrote it, whatever was added to it.
    pub(crate) fn own_branch(&self, via: &str) -> Option<Cookie> {
        let rest = via.strip_prefix(&self.via)?;
        let (cookie, rest) = rest.split_at_checked(Cookie::LENGTH)?;
        (rest.is_empty() || rest.starts_with(';'))
            .then(|| Cookie::parse(cookie))
            .flatten()
    }

    /// Writes our Via with this branch; `rport` asks for our port as others see it (RFC 3581).
    pub(crate) fn write_via(&self, writer: &mut Writer<'_>, cookie: Cookie) {
        let branch = cookie.text();
        writer.header_parts(Name::Via, &[&self.via, branch.as_str(), ";rport"]);
    }

    /// Writes our Contact with this user part.
    pub(crate) fn write_contact(&self, writer: &mut Writer<'_>, user: &str) {
        let at = if user.is_empty() { "" } else { "@" };
        writer.header_parts(Name::Contact, &["<sip:", user, at, &self.contact]);
    }

    /// Our Contact without a user part.
    pub(crate) fn contact(&self) -> String {
        format!("<sip:{}", self.contact)
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
        let written = |identity: &Identity, user: &str| {
            let mut buffer = Vec::new();
            let mut writer = Writer::response(&mut buffer, 200, "OK");
            identity.write_via(&mut writer, cookie);
            identity.write_contact(&mut writer, user);
            writer.finish().expect("written");
            String::from_utf8(buffer).expect("text")
        };
        let text = written(&identity, "a");
        let via =
            "SIP/2.0/TLS [2001:db8::1]:5060;branch=z9hG4bK00000001000000020000000000000003;rport";
        assert!(text.contains(&format!("Via: {via}\r\n")), "{text}");
        assert!(text.contains("Contact: <sip:a@[2001:db8::1]:5060;transport=tls>\r\n"));
        assert_eq!(identity.own_branch(via), Some(cookie));
        assert_eq!(identity.own_branch(&via.replace(";rport", "x")), None);
        let identity = Identity::new(address, Transport::Udp, Arc::from("x"));
        assert!(written(&identity, "").contains("Contact: <sip:[2001:db8::1]:5060>\r\n"));
        assert_eq!(identity.contact(), "<sip:[2001:db8::1]:5060>");
    }
}
