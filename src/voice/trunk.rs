//! A trunk: a SIP carrier that calls go through.

use std::sync::Arc;

use crate::audio::Codec;
use crate::sip::transaction::Account;

/// A SIP carrier, as configured under `[trunk.NAME]`.
#[derive(Clone)]
pub struct Trunk {
    /// Its name in the configuration and in dialplans.
    pub name: Arc<str>,
    /// Host or address, and port, of the carrier's proxy: where requests are sent.
    pub proxy: Arc<str>,
    /// The domain in request, From and To URIs; the proxy's host if the carrier names no other.
    pub domain: Arc<str>,
    /// Digest credentials, if the carrier asks for them.
    pub credentials: Option<Arc<Account>>,
    /// The user part of From where the dialplan names none.
    pub caller_id: Option<Arc<str>>,
    /// Codecs to offer, in order of preference.
    pub codecs: Vec<Codec>,
    /// Whether media is accepted from an address other than the answer's, taking the first source
    /// that sends (a carrier behind NAT); off by default, since it weakens the address check.
    pub latch: bool,
    /// Most calls at once through this trunk.
    pub max_calls: usize,
    /// Whether the leading plus of E.164 is kept in the request URI.
    pub plus: bool,
}
