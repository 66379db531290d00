//! A trunk: a SIP carrier that calls go through.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::audio::Codec;

/// A SIP carrier, as configured under `[trunk.NAME]`. `Debug` shows no password.
#[derive(Debug, Clone)]
pub struct Trunk {
    /// Its name in the configuration and in dialplans.
    pub name: Arc<str>,
    /// Host or address, and port, of the carrier's proxy: where requests are sent.
    pub proxy: Arc<str>,
    /// The domain in request, From and To URIs; the proxy's host if the carrier names no other.
    pub domain: Arc<str>,
    /// Digest credentials, if the carrier asks for them.
    pub credentials: Option<Credentials>,
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

/// Digest credentials (RFC 8760). `Debug` shows the user name alone.
#[derive(Clone)]
pub struct Credentials {
    /// The user name.
    pub username: Arc<str>,
    /// The password.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
