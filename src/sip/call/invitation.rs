//! What it takes to make a call.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::sip::message::{Address, Name, Uri, WriteError};
use crate::sip::transaction::{Account, Flow, NotBegun, Sources};

/// An outgoing call to be made.
///
/// `Debug` shows where it goes and no number.
#[derive(Clone)]
pub struct Invitation {
    /// The next hop: the carrier's proxy, and how to reach it.
    pub to: Flow,
    /// The Request-URI.
    pub request_uri: String,
    /// The From, without a tag: `sip:...`, or `"Name" <sip:...>`.
    pub from: String,
    /// The To, likewise.
    pub to_uri: String,
    /// The offer; sent as `application/sdp`, never looked into.
    pub sdp: Vec<u8>,
    /// What a challenge is answered with.
    pub credentials: Option<Arc<Account>>,
    /// How long to wait for an answer, from now.
    pub ring_time: Duration,
    /// Whose word is believed in this call.
    pub sources: Sources,
    /// Further fields of the INVITE: Route, P-Asserted-Identity, Privacy... Names that the
    /// endpoint writes itself are refused.
    pub fields: Vec<(Name, String)>,
}

impl Invitation {
    /// By UDP, with no credentials, 60 s to be answered, and only the next hop believed.
    pub fn new(
        to: SocketAddr,
        request_uri: impl Into<String>,
        from: impl Into<String>,
        to_uri: impl Into<String>,
        sdp: impl Into<Vec<u8>>,
    ) -> Invitation {
        Invitation {
            to: Flow::udp(to),
            request_uri: request_uri.into(),
            from: from.into(),
            to_uri: to_uri.into(),
            sdp: sdp.into(),
            credentials: None,
            ring_time: Duration::from_secs(60),
            sources: Sources::NextHop,
            fields: Vec::new(),
        }
    }

    /// Whether it can be sent at all.
    pub(super) fn check(&self) -> Result<(), InviteError> {
        Uri::parse(&self.request_uri).map_err(|_| InviteError::RequestUri)?;
        for (text, error) in [
            (&self.from, InviteError::From),
            (&self.to_uri, InviteError::To),
        ] {
            let address = Address::parse(text).map_err(|_| error)?;
            if address.tag().is_some() {
                return Err(error);
            }
        }
        match self.fields.iter().find(|(name, _)| is_own(*name)) {
            Some((name, _)) => Err(InviteError::OwnField(*name)),
            None => Ok(()),
        }
    }

    /// The user part of our Contact: that of From, for carriers that look for the account there.
    pub(super) fn user(&self) -> &str {
        Address::parse(&self.from)
            .ok()
            .and_then(|from| from.uri().user())
            .unwrap_or_default()
    }
}

/// The value of a From or To without parameters: in brackets, so that a tag behind it is the
/// field's and not the URI's.
pub(super) struct Bracketed<'a>(pub(super) &'a str);

impl fmt::Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.trim();
        if text.ends_with('>') || text.contains('<') {
            f.write_str(text)
        } else {
            write!(f, "<{text}>")
        }
    }
}

/// Fields that the endpoint writes.
fn is_own(name: Name) -> bool {
    matches!(
        name,
        Name::Via
            | Name::From
            | Name::To
            | Name::CallId
            | Name::CSeq
            | Name::Contact
            | Name::MaxForwards
            | Name::RecordRoute
            | Name::Allow
            | Name::Supported
            | Name::Require
            | Name::UserAgent
            | Name::Authorization
            | Name::ProxyAuthorization
            | Name::ContentType
            | Name::ContentLength
            | Name::ContentEncoding
    )
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation")
            .field("to", &self.to)
            .field("ring_time", &self.ring_time)
            .field("sources", &self.sources)
            .finish_non_exhaustive()
    }
}

/// Why a call was not made. Nothing was sent, and there is no event of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// As many calls as the configuration allows are under way.
    #[error("too many calls at once")]
    TooManyCalls,
    /// As many transactions as the configuration allows exist.
    #[error("too many SIP transactions at once")]
    TooManyTransactions,
    /// The Request-URI is no URI.
    #[error("the Request-URI is no URI")]
    RequestUri,
    /// From is no address, or has a tag.
    #[error("From is no address without a tag")]
    From,
    /// To is no address, or has a tag.
    #[error("To is no address without a tag")]
    To,
    /// A further field is one that the endpoint writes itself.
    #[error("{0} is written by the endpoint itself")]
    OwnField(Name),
    /// A value has a line break in it, or the like.
    #[error(transparent)]
    Unwritable(WriteError),
}

impl From<NotBegun> for InviteError {
    fn from(why: NotBegun) -> InviteError {
        match why {
            NotBegun::Full => InviteError::TooManyTransactions,
            NotBegun::Unwritable(error) => InviteError::Unwritable(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation() -> Invitation {
        Invitation::new(
            "192.0.2.1:5060".parse().expect("an address"),
            "sip:+442079460000@carrier.example",
            "\"Bank\" <sip:account@carrier.example>",
            "sip:+442079460000@carrier.example",
            b"v=0\r\n".as_slice(),
        )
    }

    #[test]
    fn what_cannot_be_sent_is_told_before() {
        assert_eq!(invitation().check(), Ok(()));
        assert_eq!(invitation().user(), "account");
        let mut bad = invitation();
        bad.request_uri = "nowhere at all".into();
        assert_eq!(bad.check(), Err(InviteError::RequestUri));
        let mut bad = invitation();
        bad.from = "<sip:a@b>;tag=x".into();
        assert_eq!(bad.check(), Err(InviteError::From));
        let mut bad = invitation();
        bad.to_uri = "".into();
        assert_eq!(bad.check(), Err(InviteError::To));
        let mut bad = invitation();
        bad.fields.push((Name::Via, "SIP/2.0/UDP x".into()));
        assert_eq!(bad.check(), Err(InviteError::OwnField(Name::Via)));
    }

    #[test]
    fn no_number_in_debug() {
        assert!(!format!("{:?}", invitation()).contains("44"));
        assert_eq!(Bracketed("sip:a@b;x").to_string(), "<sip:a@b;x>");
        assert_eq!(Bracketed("\"A\" <sip:a@b>").to_string(), "\"A\" <sip:a@b>");
    }
}
