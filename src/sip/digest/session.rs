//! A nonce used more than once: its count, and when to give up.

use std::fmt;
use std::sync::Arc;

use super::challenge::{Challenge, strongest_of};
use super::{Credentials, DigestError, Request};

/// Most challenges answered for one request: the first, and nonces that went stale on the way.
const MAX_ANSWERS: u8 = 3;

/// What a client remembers of one server's challenges (RFC 7616 3.3, RFC 3261 22.2).
///
/// For each request: [`begin`](Session::begin); if [`authorization`](Session::authorization) gives
/// a value, send it along; on a 401 or 407 [`challenged`](Session::challenged), and if that is
/// `Ok` send the request again with a new authorization.
#[derive(Clone, Default)]
pub struct Session {
    /// Challenges of another realm are not answered, if one is named.
    realm: Option<Arc<str>>,
    challenge: Option<Challenge<'static>>,
    /// Requests sent with the nonce.
    count: u32,
    /// Challenges answered for the request under way.
    answers: u8,
}

impl Session {
    /// One that knows no challenge yet.
    pub fn new() -> Session {
        Session::default()
    }

    /// One that answers for a realm alone, if one is named: the password of an account is not for
    /// whoever asks.
    pub fn within(realm: Option<Arc<str>>) -> Session {
        Session {
            realm,
            ..Session::default()
        }
    }

    /// Another request begins; what was tried for the last does not count any more.
    pub fn begin(&mut self) {
        self.answers = 0;
    }

    /// Takes the challenges of a 401 or 407. [`DigestError::OtherRealm`] if none is of the realm that is
    /// answered for; [`DigestError::Refused`] if the credentials were
    /// tried with this realm for this request already, unless the server says that only the nonce
    /// was stale, a few times at most.
    pub fn challenged<'a>(
        &mut self,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), DigestError> {
        let challenge = strongest_of(values, self.realm.as_deref())?;
        let tried = self.answers > 0
            && self
                .challenge
                .as_ref()
                .is_some_and(|c| c.realm() == challenge.realm());
        if (tried && !challenge.is_stale()) || self.answers >= MAX_ANSWERS {
            return Err(DigestError::Refused);
        }
        self.answers += 1;
        if self
            .challenge
            .as_ref()
            .is_none_or(|c| c.nonce() != challenge.nonce())
        {
            self.count = 0;
        }
        self.challenge = Some(challenge.into_owned());
        Ok(())
    }

    /// Whether there is a challenge to answer.
    pub const fn is_challenged(&self) -> bool {
        self.challenge.is_some()
    }

    /// The Authorization for a request by the last challenge, its nonce counted on; `None` where
    /// there was none.
    pub fn authorization(
        &mut self,
        credentials: &Credentials<'_>,
        request: &Request<'_>,
        cnonce: &str,
    ) -> Result<Option<String>, DigestError> {
        let Some(challenge) = &self.challenge else {
            return Ok(None);
        };
        let count = self.count.saturating_add(1);
        let value = challenge.answer(credentials, request, cnonce, count)?;
        self.count = count;
        Ok(Some(value))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("challenge", &self.challenge)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}
