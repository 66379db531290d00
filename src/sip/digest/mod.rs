//! Digest authentication (RFC 3261 22, RFC 7616, RFC 8760): answering a challenge, and posing one.
//!
//! MD5, SHA-256 and SHA-512-256, plain and `-sess`; qop `auth`, `auth-int` and none (RFC 2069).
//! A password is hashed where it lies: no copy of it is made, none is shown by `Debug`.

mod challenge;
mod fields;
mod hash;
mod server;
mod session;

use std::fmt;

use super::message::Method;

pub use challenge::{Challenge, challenges, strongest};
pub use hash::Algorithm;
pub use server::{Demand, Verified};
pub use session::Session;

/// A user name and its password. `Debug` shows neither.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The user name.
    pub username: &'a str,
    /// The password.
    pub password: &'a str,
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// What an answer vouches for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The request's method.
    pub method: Method<'a>,
    /// Its Request-URI, as written in the request line.
    pub uri: &'a str,
    /// Its body, looked at for `auth-int` alone.
    pub body: &'a [u8],
}

/// The quality of protection of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qop {
    /// Method and URI.
    Auth,
    /// Method, URI and body.
    AuthInt,
}

impl Qop {
    const fn as_str(self) -> &'static str {
        match self {
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }
}

/// Why a challenge was not answered, or an answer not accepted. Quotes nothing of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// It breaks the grammar, repeats a parameter, or holds control characters.
    #[error("the authentication header field is malformed")]
    Malformed,
    /// There is no Digest challenge (or answer) in it.
    #[error("no Digest scheme in the authentication header field")]
    NoDigest,
    /// No challenge is of the realm that the account is for.
    #[error("no challenge is of the account's realm")]
    OtherRealm,
    /// A parameter that must be there is missing.
    #[error("the authentication header field lacks {0}")]
    Missing(&'static str),
    /// None of the algorithms is known.
    #[error("no digest algorithm offered that is known here")]
    UnsupportedAlgorithm,
    /// None of the qualities of protection is known.
    #[error("no quality of protection offered that is known here")]
    UnsupportedQop,
    /// The user name, cnonce or URI to be sent holds control characters.
    #[error("a control character in the user name, cnonce or URI")]
    Unwritable,
    /// The same credentials were refused already.
    #[error("the credentials were refused")]
    Refused,
    /// An answer is not for this challenge: realm, nonce, opaque, algorithm or qop differ.
    #[error("the answer is not for this challenge")]
    OtherChallenge,
    /// An answer is for another Request-URI.
    #[error("the answer is for another Request-URI")]
    OtherUri,
    /// A nonce count that is not greater than the last: a replay.
    #[error("the nonce count was used before")]
    Replayed,
    /// User name or response are wrong.
    #[error("wrong user name or password")]
    Wrong,
}

/// Answers a WWW-Authenticate or Proxy-Authenticate value: the value of the Authorization or
/// Proxy-Authorization to send. Of several challenges in it the strongest is answered.
///
/// `nc` counts the requests sent with this nonce, from 1. `cnonce` is random text of the caller's,
/// at least 64 bits' worth. For challenges in several header fields see [`strongest`], for a nonce
/// used more than once [`Session`].
pub fn answer(
    challenge_header: &str,
    credentials: &Credentials<'_>,
    method: Method<'_>,
    uri: &str,
    body: &[u8],
    cnonce: &str,
    nc: u32,
) -> Result<String, DigestError> {
    let request = Request { method, uri, body };
    strongest([challenge_header])?.answer(credentials, &request, cnonce, nc)
}

#[cfg(test)]
mod tests;
