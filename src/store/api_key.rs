//! API keys: a random token that is shown once, of which only a hash is kept.
//!
//! A token reads `rt_<id>_<secret>`: 16 hexadecimal digits by which the key is found, and 64 that
//! only its holder knows. The secret has 256 random bits, so a plain SHA-256 of it cannot be
//! searched for; a slow password hash would protect nothing more.

use std::fmt;

use jiff::Timestamp;
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::challenge::Tenant;

/// By what an API key is found: 64 random bits, not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 8]);

impl KeyId {
    /// The id that reads as this text, or that begins this token.
    pub fn parse(text: &str) -> Option<KeyId> {
        let mut id = [0; 8];
        hex::decode_to_slice(text, &mut id).ok()?;
        Some(KeyId(id))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A token: what a client sends to prove that it holds a key. Never shown but by
/// [`Token::reveal`].
pub struct Token {
    id: KeyId,
    secret: Zeroizing<[u8; 32]>,
}

impl Token {
    /// What every token begins with, so that scanners for leaked secrets can tell one.
    pub const PREFIX: &'static str = "rt_";

    /// A new token.
    ///
    /// # Errors
    /// If the system's random source fails.
    pub fn generate() -> Result<Token, rand::rngs::SysError> {
        let mut id = [0; 8];
        let mut secret = Zeroizing::new([0; 32]);
        SysRng.try_fill_bytes(&mut id)?;
        SysRng.try_fill_bytes(secret.as_mut_slice())?;
        Ok(Token {
            id: KeyId(id),
            secret,
        })
    }

    /// The token that reads as this text; `None` if it is none.
    pub fn parse(text: &str) -> Option<Token> {
        let (id, digits) = text.strip_prefix(Self::PREFIX)?.split_once('_')?;
        let id = KeyId::parse(id)?;
        let mut secret = Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits, secret.as_mut_slice()).ok()?;
        Some(Token { id, secret })
    }

    /// The id of the key that this token is for.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The token in full, to be shown to its holder once.
    pub fn reveal(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(hex::encode(self.secret.as_slice()));
        Zeroizing::new(format!("{}{}_{}", Self::PREFIX, self.id, *secret))
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_slice()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.id)
    }
}

/// An API key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// By what it is found.
    pub id: KeyId,
    /// What its creator calls it.
    pub name: String,
    /// Whose challenges it may begin and see.
    pub tenant: Tenant,
    /// SHA-256 of the token's secret.
    pub hash: [u8; 32],
    /// When it was made.
    pub created: Timestamp,
    /// When it was revoked, if it was.
    pub revoked: Option<Timestamp>,
}

impl ApiKey {
    /// The key of a token.
    pub fn of(token: &Token, name: String, tenant: Tenant, created: Timestamp) -> ApiKey {
        ApiKey {
            id: token.id,
            name,
            tenant,
            hash: token.hash(),
            created,
            revoked: None,
        }
    }

    /// Whether a token is this key's and the key is not revoked. Takes as long whatever the
    /// token's secret is.
    pub fn accepts(&self, token: &Token) -> bool {
        let same = self.hash.ct_eq(&token.hash());
        bool::from(same) && self.id == token.id && self.revoked.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(token: &Token) -> ApiKey {
        ApiKey::of(
            token,
            "test".into(),
            Tenant::default(),
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn a_key_accepts_its_own_token_alone_until_revoked() {
        let token = Token::generate().expect("random");
        let other = Token::generate().expect("random");
        let mut key = key(&token);
        let read = Token::parse(&token.reveal()).expect("reads back");
        assert!(key.accepts(&read));
        assert!(!key.accepts(&other));
        let grafted = Token {
            id: token.id,
            secret: other.secret.clone(),
        };
        assert!(!key.accepts(&grafted));
        key.revoked = Some(Timestamp::UNIX_EPOCH);
        assert!(!key.accepts(&read));
    }

    #[test]
    fn what_is_no_token_is_told() {
        let text = Token::generate().expect("random").reveal();
        assert_eq!(text.len(), 3 + 16 + 1 + 64);
        for bad in [
            "",
            "rt_",
            "rt__",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{}0", *text),
            &text.replace("rt_", "RT_"),
            &text.replace('_', "-"),
            &format!(" {}", *text),
        ] {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn neither_token_nor_key_shows_the_secret() {
        let token = Token::generate().expect("random");
        let secret = hex::encode(token.secret.as_slice());
        assert!(!format!("{token:?} {:?}", key(&token)).contains(&secret[..8]));
    }
}
