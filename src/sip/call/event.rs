//! What an endpoint tells of its calls.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::failure::{CallFailure, Cause};
use super::forwarding::Forwarding;
use crate::sip::dialog::DialogId;
use crate::sip::transaction::Handle;

/// Names a call of one endpoint. Never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub(crate) Handle);

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}.{}", self.0.index, self.0.generation)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Which side did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// We.
    Local,
    /// The peer.
    Remote,
}

/// How a call ended that was not a failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// An answered call was hung up.
    HungUp,
    /// An outgoing or incoming call was given up before it was answered.
    Cancelled,
    /// An incoming call was refused by us.
    Rejected,
    /// An incoming call was neither answered nor refused in the time configured.
    Unanswered,
    /// Our answer was never acknowledged (RFC 3261 13.3.1.4).
    Unacknowledged,
    /// The peer no longer knows the call or no longer answers: 481, 408 or silence to a request
    /// within it (RFC 3261 12.2.1.2).
    Lost,
}

/// The two bodies of INFO that carry keys, by media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InfoContent {
    /// `application/dtmf-relay`: lines of `Signal=` and `Duration=`.
    DtmfRelay,
    /// `application/dtmf`: the key alone.
    Dtmf,
}

impl InfoContent {
    /// The media type.
    pub const fn as_str(self) -> &'static str {
        match self {
            InfoContent::DtmfRelay => "application/dtmf-relay",
            InfoContent::Dtmf => "application/dtmf",
        }
    }

    /// From a media type without its parameters.
    pub(crate) fn parse(media_type: &str) -> Option<InfoContent> {
        [InfoContent::DtmfRelay, InfoContent::Dtmf]
            .into_iter()
            .find(|content| media_type.eq_ignore_ascii_case(content.as_str()))
    }
}

/// An INVITE from a peer.
#[derive(Clone, PartialEq, Eq)]
pub struct IncomingInvite {
    /// Where it came from.
    pub source: SocketAddr,
    /// The Request-URI.
    pub request_uri: Box<str>,
    /// The From field.
    pub from: Box<str>,
    /// The To field.
    pub to: Box<str>,
    /// The Call-ID field; the same in the INVITE that answers a challenge.
    pub call_id: Box<str>,
    /// The offer; empty if there is none.
    pub sdp: Box<[u8]>,
    /// The Authorization field, the answer to a challenge by
    /// [`reject`](crate::sip::endpoint::Endpoint::reject) with 401.
    pub authorization: Option<Box<str>>,
    /// The Proxy-Authorization field, likewise for 407.
    pub proxy_authorization: Option<Box<str>>,
}

/// Only what names nobody.
impl fmt::Debug for IncomingInvite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingInvite")
            .field("source", &self.source)
            .field("call_id", &self.call_id)
            .field("sdp_octets", &self.sdp.len())
            .finish_non_exhaustive()
    }
}

/// What happened to a call.
///
/// Of every call that [`invite`](crate::sip::endpoint::Endpoint::invite) returned or
/// [`Incoming`](Event::Incoming) announced, exactly one of [`Failed`](Event::Failed) and
/// [`Ended`](Event::Ended) is told, at the moment its outcome is certain, and after it exactly one
/// [`Released`](Event::Released), once nothing of it is left to be signalled; between the two
/// nothing else. A call hung up by us is `Ended` at once, whatever the peer still sends.
#[derive(Clone, PartialEq, Eq)]
pub enum Event {
    /// A proxy has the INVITE (100).
    Trying {
        /// Which call.
        call: CallId,
    },
    /// The phone rings (180). Told once a call.
    Ringing {
        /// Which call.
        call: CallId,
    },
    /// A provisional response with a body: early media, which never counts as an answer. Told
    /// eight times a call at most.
    Progress {
        /// Which call.
        call: CallId,
        /// Its status, 101 to 199.
        status: u16,
        /// The body.
        sdp: Box<[u8]>,
    },
    /// A response tells of a forwarding. Each kind is told once; before [`Answered`](Event::Answered)
    /// where it is the 2xx that tells.
    Forwarded {
        /// Which call.
        call: CallId,
        /// By which sign.
        how: Forwarding,
    },
    /// The call was answered with a 2xx. It has been acknowledged.
    Answered {
        /// Which call.
        call: CallId,
        /// The body of the 2xx, or where it has no description the answer in a reliable provisional
        /// response of the same dialog (RFC 3262 5), 4096 octets of it at most; empty if there is
        /// neither.
        sdp: Box<[u8]>,
        /// The dialog it set up.
        dialog: DialogId,
        /// Where the 2xx came from.
        source: SocketAddr,
    },
    /// An INFO with a key arrived and was answered 200. Possible before the call is answered.
    Info {
        /// Which call.
        call: CallId,
        /// The type of its body.
        content: InfoContent,
        /// The body, 1 to 1024 octets.
        body: Box<[u8]>,
    },
    /// An INFO of ours was answered.
    InfoAnswered {
        /// Which call.
        call: CallId,
        /// The final status.
        status: u16,
    },
    /// An outgoing call was not answered. Nothing but [`Released`](Event::Released) follows.
    Failed {
        /// Which call.
        call: CallId,
        /// Why.
        failure: CallFailure,
        /// The status, where a response was the reason.
        status: Option<u16>,
        /// What its Reason fields say.
        cause: Cause,
        /// Its Retry-After.
        retry_after: Option<Duration>,
    },
    /// The call is over. Nothing but [`Released`](Event::Released) follows.
    Ended {
        /// Which call.
        call: CallId,
        /// Who ended it.
        by: Party,
        /// How.
        how: Ending,
        /// What the Reason fields of the BYE or CANCEL say.
        cause: Cause,
    },
    /// Nothing of the call is left; its name means nothing any more.
    Released {
        /// Which call.
        call: CallId,
    },
    /// A peer calls. It has been answered 100.
    Incoming {
        /// Which call.
        call: CallId,
        /// The INVITE.
        invite: Box<IncomingInvite>,
    },
    /// Our answer to an incoming call was acknowledged.
    Acknowledged {
        /// Which call.
        call: CallId,
        /// The body of the ACK: the answer where the offer was ours.
        sdp: Box<[u8]>,
    },
}

impl Event {
    /// Which call it is about.
    pub const fn call(&self) -> CallId {
        match self {
            Event::Trying { call }
            | Event::Ringing { call }
            | Event::Progress { call, .. }
            | Event::Forwarded { call, .. }
            | Event::Answered { call, .. }
            | Event::Info { call, .. }
            | Event::InfoAnswered { call, .. }
            | Event::Failed { call, .. }
            | Event::Ended { call, .. }
            | Event::Released { call }
            | Event::Incoming { call, .. }
            | Event::Acknowledged { call, .. } => *call,
        }
    }

    /// Whether it is the one that tells the outcome.
    pub const fn is_terminal(&self) -> bool {
        matches!(self, Event::Failed { .. } | Event::Ended { .. })
    }
}

/// Bodies are left out: that of an INFO is a pressed key.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Event::Trying { .. } => "Trying",
            Event::Ringing { .. } => "Ringing",
            Event::Progress { .. } => "Progress",
            Event::Forwarded { .. } => "Forwarded",
            Event::Answered { .. } => "Answered",
            Event::Info { .. } => "Info",
            Event::InfoAnswered { .. } => "InfoAnswered",
            Event::Failed { .. } => "Failed",
            Event::Ended { .. } => "Ended",
            Event::Released { .. } => "Released",
            Event::Incoming { .. } => "Incoming",
            Event::Acknowledged { .. } => "Acknowledged",
        };
        let mut shown = f.debug_struct(name);
        shown.field("call", &self.call());
        match self {
            Event::Progress { status, .. } | Event::InfoAnswered { status, .. } => {
                shown.field("status", status);
            }
            Event::Forwarded { how, .. } => {
                shown.field("how", how);
            }
            Event::Answered { dialog, source, .. } => {
                shown.field("dialog", dialog).field("source", source);
            }
            Event::Info { content, .. } => {
                shown.field("content", content);
            }
            Event::Failed {
                failure,
                status,
                cause,
                retry_after,
                ..
            } => {
                shown
                    .field("failure", failure)
                    .field("status", status)
                    .field("cause", cause)
                    .field("retry_after", retry_after);
            }
            Event::Ended { by, how, cause, .. } => {
                shown
                    .field("by", by)
                    .field("how", how)
                    .field("cause", cause);
            }
            Event::Incoming { invite, .. } => {
                shown.field("invite", invite);
            }
            Event::Trying { .. }
            | Event::Ringing { .. }
            | Event::Released { .. }
            | Event::Acknowledged { .. } => {}
        }
        shown.finish_non_exhaustive()
    }
}
