//! What a challenge asks: of whom, for whom, by which channel, until when.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What was asked; never changes once the challenge has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// The challenge's name: a UUID of version 7.
    pub id: Uuid,
    /// The identity provider that asks.
    pub tenant: Tenant,
    /// The identity provider's own name for the person.
    pub subject: Option<Subject>,
    /// What the person is asked to confirm.
    pub purpose: Purpose,
    /// How the person is reached.
    pub channel: Channel,
    /// The masked number; `None` once the number was erased.
    pub to: Option<Arc<str>>,
    /// The locale of what the person hears or reads, `en-GB`.
    pub locale: Arc<str>,
    /// When it began.
    pub created: Timestamp,
    /// When it ends if nothing else ended it; an event at this very time comes too late.
    pub expires: Timestamp,
    /// How many wrong codes end it; a call has none.
    pub attempts: Attempts,
}

/// How many wrong codes end a challenge: 1 to 10, 5 if nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempts(u8);

impl Attempts {
    /// The most that may be.
    pub const MOST: u8 = 10;

    /// So many, if that many may be.
    pub fn new(attempts: u64) -> Option<Attempts> {
        let attempts = u8::try_from(attempts).ok()?;
        (1..=Self::MOST)
            .contains(&attempts)
            .then_some(Attempts(attempts))
    }

    /// How many.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Attempts(5)
    }
}

/// How a person is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A phone call that plays a prompt and hears a key.
    Voice,
    /// A text that carries a one-time code.
    Sms,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Channel; 2] = [Channel::Voice, Channel::Sms];

    /// Its name in the API and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Channel::Voice => "voice",
            Channel::Sms => "sms",
        }
    }

    /// The channel of that name.
    pub fn from_name(name: &str) -> Option<Channel> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }
}

/// What a person is asked to confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A sign-in that is waiting.
    SignIn,
    /// That a phone is theirs, to sign in with it later.
    Enrolment,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Purpose; 2] = [Purpose::SignIn, Purpose::Enrolment];

    /// Its name in the API and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Purpose::SignIn => "sign_in",
            Purpose::Enrolment => "enrolment",
        }
    }

    /// The purpose of that name.
    pub fn from_name(name: &str) -> Option<Purpose> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }
}

/// An identity provider with its keys, policy and limits: 1 to 64 characters of `a-z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(Arc<str>);

/// A name that cannot be a tenant's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tenant's name is 1 to 64 characters of a-z, 0-9, '.', '_' and '-'")]
pub struct InvalidTenant;

impl Tenant {
    /// The tenant of that name.
    ///
    /// # Errors
    /// If the name is empty, longer than 64 characters, or has a character outside the set.
    pub fn new(name: &str) -> Result<Tenant, InvalidTenant> {
        let fits = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'));
        if fits {
            Ok(Tenant(name.into()))
        } else {
            Err(InvalidTenant)
        }
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The tenant of an installation that serves one identity provider: `default`.
impl Default for Tenant {
    fn default() -> Self {
        Tenant("default".into())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identity provider's opaque name for a person, 1 to 256 bytes; `Debug` hides it, since it
/// may be a name or an e-mail address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Subject(Arc<str>);

/// A subject that is empty or longer than [`Subject::MAX_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subject is 1 to 256 bytes of UTF-8; this one has {0}")]
pub struct SubjectLength(pub usize);

impl Subject {
    /// The longest subject.
    pub const MAX_BYTES: usize = 256;

    /// The subject of that name.
    ///
    /// # Errors
    /// If it is empty or too long.
    pub fn new(name: &str) -> Result<Subject, SubjectLength> {
        if (1..=Self::MAX_BYTES).contains(&name.len()) {
            Ok(Subject(name.into()))
        } else {
            Err(SubjectLength(name.len()))
        }
    }

    /// The name as the identity provider gave it. Never log this.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_are_short_and_plain() {
        for good in ["default", "a", "idp-1.example_eu", &"x".repeat(64)] {
            assert_eq!(Tenant::new(good).map(|t| t.to_string()), Ok(good.into()));
        }
        for bad in ["", "A", "a b", "é", "a/b", "a\n", &"x".repeat(65)] {
            assert_eq!(Tenant::new(bad), Err(InvalidTenant), "{bad:?}");
        }
    }

    #[test]
    fn subjects_are_bounded_in_bytes_and_hidden_from_debug() {
        assert!(Subject::new("").is_err());
        assert!(Subject::new(&"s".repeat(256)).is_ok());
        assert_eq!(Subject::new(&"é".repeat(129)), Err(SubjectLength(258)));
        let shown = format!("{:?}", Subject::new("jane@example.org"));
        assert!(!shown.contains("jane"), "{shown}");
    }

    #[test]
    fn names_lead_back_to_what_they_name() {
        for channel in Channel::ALL {
            assert_eq!(Channel::from_name(channel.name()), Some(channel));
            assert_eq!(
                serde_json::json!(channel),
                serde_json::json!(channel.name())
            );
        }
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::from_name(purpose.name()), Some(purpose));
            assert_eq!(
                serde_json::json!(purpose),
                serde_json::json!(purpose.name())
            );
        }
        assert_eq!(Channel::from_name("carrier_pigeon"), None);
    }

    #[test]
    fn attempts_are_one_to_ten() {
        assert_eq!(Attempts::default().get(), 5);
        for attempts in 0..300 {
            let fits = (1..=10).contains(&attempts);
            assert_eq!(Attempts::new(attempts).is_some(), fits, "{attempts}");
        }
    }
}
