//! The client's side: a challenge read, the strongest chosen, an answer written.

use std::borrow::Cow;
use std::fmt::{self, Write};

use super::fields::{Fields, push_quoted, schemes};
use super::hash::{Algorithm, Terms};
use super::{Credentials, DigestError, Qop, Request};

/// One Digest challenge. `Debug` leaves the nonce out.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge<'a> {
    realm: Cow<'a, str>,
    nonce: Cow<'a, str>,
    opaque: Option<Cow<'a, str>>,
    algorithm: Algorithm,
    names_algorithm: bool,
    qop: Option<Qop>,
    stale: bool,
}

/// The challenges of one WWW-Authenticate or Proxy-Authenticate value that can be answered, and
/// why the others cannot.
pub fn challenges(
    value: &str,
) -> Result<impl Iterator<Item = Result<Challenge<'_>, DigestError>>, DigestError> {
    Ok(schemes(value)?
        .into_iter()
        .filter(Fields::is_digest)
        .map(|fields| Challenge::read(&fields)))
}

/// The strongest of all challenges in all header field values, the topmost of equals (RFC 8760
/// 2.3 has servers put what they prefer on top). What is malformed or unknown is passed over as
/// long as there is another.
pub fn strongest<'a>(
    values: impl IntoIterator<Item = &'a str>,
) -> Result<Challenge<'a>, DigestError> {
    strongest_of(values, None)
}

/// As [`strongest`], among the challenges of this realm if one is given.
pub(super) fn strongest_of<'a>(
    values: impl IntoIterator<Item = &'a str>,
    realm: Option<&str>,
) -> Result<Challenge<'a>, DigestError> {
    let mut best: Option<Challenge<'a>> = None;
    let mut reason = DigestError::NoDigest;
    for value in values {
        match challenges(value) {
            Err(error) => reason = error,
            Ok(all) => {
                for challenge in all {
                    match challenge {
                        Err(error) => reason = error,
                        Ok(challenge) if realm.is_some_and(|realm| *realm != *challenge.realm) => {
                            reason = DigestError::OtherRealm;
                        }
                        Ok(challenge) => {
                            let is_stronger = best.as_ref().is_none_or(|b| {
                                challenge.algorithm.strength() > b.algorithm.strength()
                            });
                            if is_stronger {
                                best = Some(challenge);
                            }
                        }
                    }
                }
            }
        }
    }
    best.ok_or(reason)
}

impl<'a> Challenge<'a> {
    fn read(fields: &Fields<'a>) -> Result<Challenge<'a>, DigestError> {
        let algorithm = fields.get("algorithm");
        let qop = match fields.get("qop").map(|q| q.trim()) {
            None | Some("") => None,
            Some(list) => {
                let offers =
                    |name: &str| list.split(',').any(|q| q.trim().eq_ignore_ascii_case(name));
                // Border controllers rewrite bodies: `auth-int` only where nothing else is offered.
                if offers("auth") {
                    Some(Qop::Auth)
                } else if offers("auth-int") {
                    Some(Qop::AuthInt)
                } else {
                    return Err(DigestError::UnsupportedQop);
                }
            }
        };
        Ok(Challenge {
            realm: fields.need("realm")?.clone(),
            nonce: fields.need("nonce")?.clone(),
            opaque: fields.get("opaque").cloned(),
            algorithm: match algorithm {
                None => Algorithm::MD5,
                Some(name) => Algorithm::parse(name).ok_or(DigestError::UnsupportedAlgorithm)?,
            },
            names_algorithm: algorithm.is_some(),
            qop,
            stale: fields
                .get("stale")
                .is_some_and(|s| s.eq_ignore_ascii_case("true")),
        })
    }

    /// The realm: whose credentials are asked for.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The nonce.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The quality of protection an answer will have; `None` as before RFC 2617.
    pub const fn qop(&self) -> Option<Qop> {
        self.qop
    }

    /// Whether only the nonce of the last answer was too old: the credentials were right.
    pub const fn is_stale(&self) -> bool {
        self.stale
    }

    /// The challenge with no borrow left.
    pub fn into_owned(self) -> Challenge<'static> {
        let own = |text: Cow<'_, str>| Cow::<'static, str>::Owned(text.into_owned());
        Challenge {
            realm: own(self.realm),
            nonce: own(self.nonce),
            opaque: self.opaque.map(own),
            algorithm: self.algorithm,
            names_algorithm: self.names_algorithm,
            qop: self.qop,
            stale: self.stale,
        }
    }

    /// The value of the Authorization or Proxy-Authorization that answers it; see
    /// [`answer`](super::answer) for `cnonce` and `nc`.
    pub fn answer(
        &self,
        credentials: &Credentials<'_>,
        request: &Request<'_>,
        cnonce: &str,
        nc: u32,
    ) -> Result<String, DigestError> {
        for text in [credentials.username, request.uri, cnonce] {
            if text.chars().any(char::is_control) {
                return Err(DigestError::Unwritable);
            }
        }
        let nc = format!("{nc:08x}");
        let response = Terms {
            algorithm: self.algorithm,
            realm: &self.realm,
            nonce: &self.nonce,
            cnonce,
            qop: self.qop.map(|qop| (qop, nc.as_str())),
        }
        .response(credentials, request);
        let mut out = String::with_capacity(320);
        out.push_str("Digest ");
        push_quoted(&mut out, "username", credentials.username);
        for (name, value) in [
            ("realm", self.realm.as_ref()),
            ("nonce", self.nonce.as_ref()),
            ("uri", request.uri),
            ("response", response.as_str()),
        ] {
            out.push_str(", ");
            push_quoted(&mut out, name, value);
        }
        // Some servers of before RFC 2617 refuse what they did not offer.
        if self.names_algorithm {
            // Writing to a String does not fail.
            let _ = write!(out, ", algorithm={}", self.algorithm.as_str());
        }
        if let Some(qop) = self.qop {
            let _ = write!(out, ", qop={}, nc={nc}", qop.as_str());
        }
        if self.qop.is_some() || self.algorithm.is_session() {
            out.push_str(", ");
            push_quoted(&mut out, "cnonce", cnonce);
        }
        if let Some(opaque) = &self.opaque {
            out.push_str(", ");
            push_quoted(&mut out, "opaque", opaque);
        }
        Ok(out)
    }
}

impl fmt::Debug for Challenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge")
            .field("realm", &self.realm)
            .field("algorithm", &self.algorithm.as_str())
            .field("qop", &self.qop)
            .field("stale", &self.stale)
            .finish_non_exhaustive()
    }
}
