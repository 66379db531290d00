//! The server's side: a challenge posed, its answer verified.

use std::fmt::{self, Write};

use subtle::ConstantTimeEq;

use super::fields::{Fields, push_quoted, schemes};
use super::hash::{Algorithm, Terms};
use super::{Credentials, DigestError, Qop, Request};
use crate::sip::message::Uri;

/// A challenge as a server poses it. `Debug` leaves the nonce out.
#[derive(Clone, PartialEq, Eq)]
pub struct Demand {
    /// Whose credentials are asked for.
    pub realm: String,
    /// Random text of the caller's, new for each challenge.
    pub nonce: String,
    /// Text that the answer must bring back.
    pub opaque: Option<String>,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The quality of protection that is accepted; `None` for clients of before RFC 2617.
    pub qop: Option<Qop>,
    /// Whether the client's credentials were right and only its nonce too old.
    pub stale: bool,
}

/// An answer that was found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The nonce count; `None` without qop. The next answer to the same nonce must have a
    /// greater one.
    pub nonce_count: Option<u32>,
}

impl Demand {
    /// The value of the WWW-Authenticate or Proxy-Authenticate.
    pub fn header(&self) -> Result<String, DigestError> {
        let texts = [Some(&self.realm), Some(&self.nonce), self.opaque.as_ref()];
        if texts
            .into_iter()
            .flatten()
            .any(|t| t.chars().any(char::is_control))
        {
            return Err(DigestError::Unwritable);
        }
        let mut out = String::with_capacity(160);
        out.push_str("Digest ");
        push_quoted(&mut out, "realm", &self.realm);
        out.push_str(", ");
        push_quoted(&mut out, "nonce", &self.nonce);
        // Writing to a String does not fail.
        let _ = write!(out, ", algorithm={}", self.algorithm.as_str());
        if let Some(qop) = self.qop {
            out.push_str(", ");
            push_quoted(&mut out, "qop", qop.as_str());
        }
        if let Some(opaque) = &self.opaque {
            out.push_str(", ");
            push_quoted(&mut out, "opaque", opaque);
        }
        if self.stale {
            out.push_str(", stale=true");
        }
        Ok(out)
    }

    /// Verifies the Authorization or Proxy-Authorization of a request. `last_count` is the
    /// greatest nonce count accepted for this nonce, 0 at first. User name and response are
    /// compared in constant time, and both always.
    pub fn verify(
        &self,
        authorization: &str,
        credentials: &Credentials<'_>,
        request: &Request<'_>,
        last_count: u32,
    ) -> Result<Verified, DigestError> {
        let answers = schemes(authorization)?;
        let answer = answers
            .iter()
            .find(|fields| {
                fields.is_digest() && fields.get("realm").is_some_and(|r| *r == self.realm)
            })
            .ok_or(if answers.iter().any(Fields::is_digest) {
                DigestError::OtherChallenge
            } else {
                DigestError::NoDigest
            })?;
        let username = answer.need("username")?;
        let response = answer.need("response")?;
        let uri = answer.need("uri")?;
        self.check_terms(answer)?;
        if **uri != *request.uri && !is_same_uri(uri, request.uri) {
            return Err(DigestError::OtherUri);
        }
        let counted = match self.qop {
            None => None,
            Some(qop) => Some((qop, answer.need("nc")?)),
        };
        let cnonce = if self.qop.is_some() || self.algorithm.is_session() {
            answer.need("cnonce")?
        } else {
            ""
        };
        let nonce_count = match counted {
            None => None,
            Some((_, nc)) => Some(
                u32::from_str_radix(nc, 16)
                    .ok()
                    .filter(|_| nc.len() == 8 && !nc.starts_with('+'))
                    .ok_or(DigestError::Malformed)?,
            ),
        };
        let expected = Terms {
            algorithm: self.algorithm,
            realm: &self.realm,
            nonce: &self.nonce,
            cnonce,
            qop: counted.map(|(qop, nc)| (qop, nc.as_ref())),
        }
        .response(credentials, &Request { uri, ..*request });
        let right_user = username.as_bytes().ct_eq(credentials.username.as_bytes());
        let right_response = response
            .to_ascii_lowercase()
            .as_bytes()
            .ct_eq(expected.as_bytes());
        if !bool::from(right_user & right_response) {
            return Err(DigestError::Wrong);
        }
        if nonce_count.is_some_and(|count| count <= last_count) {
            return Err(DigestError::Replayed);
        }
        Ok(Verified { nonce_count })
    }

    /// Whether the answer repeats what was demanded.
    fn check_terms(&self, answer: &Fields<'_>) -> Result<(), DigestError> {
        let algorithm = match answer.get("algorithm") {
            None => Some(Algorithm::MD5),
            Some(name) => Algorithm::parse(name),
        };
        let qop = answer.get("qop").map(AsRef::as_ref);
        let same_qop = match (self.qop, qop) {
            (None, None) => true,
            (Some(wanted), Some(given)) => wanted.as_str().eq_ignore_ascii_case(given),
            _ => false,
        };
        let same = algorithm == Some(self.algorithm)
            && same_qop
            && *answer.need("nonce")? == self.nonce
            && answer.get("opaque").map(AsRef::as_ref) == self.opaque.as_deref();
        if same {
            Ok(())
        } else {
            Err(DigestError::OtherChallenge)
        }
    }
}

fn is_same_uri(a: &str, b: &str) -> bool {
    match (Uri::parse(a), Uri::parse(b)) {
        (Ok(a), Ok(b)) => a.is_equivalent(&b),
        _ => false,
    }
}

impl fmt::Debug for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Demand")
            .field("realm", &self.realm)
            .field("algorithm", &self.algorithm.as_str())
            .field("qop", &self.qop)
            .field("stale", &self.stale)
            .finish_non_exhaustive()
    }
}
