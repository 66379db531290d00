//! Answers to challenges (RFC 3261 22): which were heard, and whether another try has a point.

use std::sync::Arc;

use crate::sip::digest::{DigestError, Request, Session};
use crate::sip::message::{Message, Method, Name};
use crate::sip::transaction::{Account, Answers};

/// Most tries for one request: a proxy's challenge, the server's, and a nonce of each that grew
/// stale on the way.
const MOST_TRIES: u8 = 4;

/// What a call knows of those who challenge it.
#[derive(Clone)]
pub(crate) struct Authenticator {
    account: Option<Arc<Account>>,
    /// Made when the first challenge comes: most calls meet none.
    sessions: Option<Box<Sessions>>,
}

#[derive(Clone)]
struct Sessions {
    server: Session,
    proxy: Session,
    tries: u8,
}

impl Authenticator {
    pub(crate) fn new(account: Option<Arc<Account>>) -> Authenticator {
        Authenticator {
            account,
            sessions: None,
        }
    }

    pub(crate) fn account(&self) -> Option<Arc<Account>> {
        self.account.clone()
    }

    /// Whether anybody has challenged the call.
    pub(crate) fn is_challenged(&self) -> bool {
        self.sessions.is_some()
    }

    /// Another request begins. Nonces are used again as long as nobody objects.
    pub(crate) fn renew(&mut self) {
        if let Some(sessions) = &mut self.sessions {
            sessions.server.begin();
            sessions.proxy.begin();
            sessions.tries = 0;
        }
    }

    /// Notes the challenge of a 401 or 407. An error where another try has no point: we have no
    /// account, know nothing that is asked for, or were refused with what we have.
    pub(crate) fn hear(&mut self, code: u16, response: &Message<'_>) -> Result<(), DigestError> {
        let Some(account) = &self.account else {
            return Err(DigestError::Refused);
        };
        let session = || Session::within(account.realm.clone());
        let sessions = self.sessions.get_or_insert_with(|| {
            Box::new(Sessions {
                server: session(),
                proxy: session(),
                tries: 0,
            })
        });
        sessions.tries += 1;
        if sessions.tries > MOST_TRIES {
            return Err(DigestError::Refused);
        }
        let (session, name) = match code {
            401 => (&mut sessions.server, Name::WwwAuthenticate),
            407 => (&mut sessions.proxy, Name::ProxyAuthenticate),
            _ => return Err(DigestError::NoDigest),
        };
        let values: Vec<_> = response.headers(name).collect();
        session.challenged(values.iter().map(AsRef::as_ref))
    }

    /// The fields that authenticate a request, one for each challenger.
    pub(crate) fn answers(
        &mut self,
        method: Method<'_>,
        uri: &str,
        body: &[u8],
        mut random: impl FnMut() -> u64,
    ) -> Result<Answers, DigestError> {
        let mut fields = Answers::new();
        let (Some(account), Some(sessions)) = (&self.account, &mut self.sessions) else {
            return Ok(fields);
        };
        let request = Request { method, uri, body };
        for (session, name) in [
            (&mut sessions.server, Name::Authorization),
            (&mut sessions.proxy, Name::ProxyAuthorization),
        ] {
            if session.is_challenged() {
                let cnonce = format!("{:016x}{:016x}", random(), random());
                let answer = session.authorization(&account.credentials(), &request, &cnonce)?;
                fields.extend(answer.map(|answer| (name, answer)));
            }
        }
        Ok(fields)
    }
}
