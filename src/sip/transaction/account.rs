//! Whose name a call is made in.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::sip::digest::Credentials;

/// A user name and its password, kept for as long as a challenge may come. `Debug` shows neither.
#[derive(Clone)]
pub struct Account {
    /// The user name.
    pub username: Arc<str>,
    /// The password, wiped when dropped.
    pub password: Zeroizing<String>,
    /// The realm it is for (RFC 3261 22.1): challenges of others are not answered. `None` answers
    /// whoever asks, the phone whose challenge the carrier passes on as well, and that one could guess
    /// the password by the answer.
    pub realm: Option<Arc<str>>,
}

impl Account {
    /// As the digest takes them.
    pub(crate) fn credentials(&self) -> Credentials<'_> {
        Credentials {
            username: &self.username,
            password: &self.password,
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").finish_non_exhaustive()
    }
}
