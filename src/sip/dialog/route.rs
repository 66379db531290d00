//! Route sets: the proxies that want to stay on the path (RFC 3261 12.1, 12.2.1.1).

use crate::sip::message::{Message, Name, Uri, Writer};
use crate::sip::transaction::Flow;

/// The URIs of the proxies, in the order in which our requests pass them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RouteSet {
    uris: Box<[Box<str>]>,
    /// Whether the first is a loose router.
    loose: bool,
}

impl RouteSet {
    /// The callee's: Record-Route as it stands.
    pub(super) fn of_request(request: &Message<'_>) -> RouteSet {
        RouteSet::new(uris(request).collect())
    }

    /// The caller's: Record-Route from its end.
    pub(super) fn of_response(response: &Message<'_>) -> RouteSet {
        let mut routes: Vec<Box<str>> = uris(response).collect();
        routes.reverse();
        RouteSet::new(routes)
    }

    fn new(uris: Vec<Box<str>>) -> RouteSet {
        let loose = uris
            .first()
            .and_then(|first| Uri::parse(first).ok())
            .is_some_and(|first| first.is_loose_route());
        RouteSet {
            uris: uris.into(),
            loose,
        }
    }

    pub(super) fn first(&self) -> Option<&str> {
        self.uris.first().map(AsRef::as_ref)
    }

    pub(super) fn is_loose(&self) -> bool {
        self.loose
    }

    /// The Route fields of a request to `target`. A strict router is in the Request-URI, and the
    /// target waits behind all others.
    pub(super) fn write(&self, writer: &mut Writer<'_>, target: &str) {
        let (skipped, last) = match (self.uris.is_empty(), self.loose) {
            (true, _) => return,
            (false, true) => (0, None),
            (false, false) => (1, Some(target)),
        };
        let routes = self.uris.iter().skip(skipped).map(AsRef::as_ref);
        for uri in routes.chain(last) {
            writer.header_fmt(Name::Route, format_args!("<{uri}>"));
        }
    }
}

/// One that does not parse is left out: a route that cannot be read cannot be taken.
fn uris(message: &Message<'_>) -> impl Iterator<Item = Box<str>> {
    message
        .addresses(Name::RecordRoute)
        .flatten()
        .map(|address| Box::from(address.uri().as_str()))
}

/// Where a URI is: the address it holds, or else where the peer was heard from. So too where the
/// address is none that one could send to, or of the family that this path does not speak.
pub(super) fn resolve(uri: &str, heard_from: Flow) -> Flow {
    match Uri::parse(uri).ok().and_then(|uri| uri.socket_addr()) {
        Some(address)
            if !address.ip().is_unspecified()
                && !address.ip().is_multicast()
                && address.is_ipv4() == heard_from.remote.is_ipv4() =>
        {
            heard_from.to(address)
        }
        _ => heard_from,
    }
}
