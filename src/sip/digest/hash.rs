//! The hash functions, and the response computed with them (RFC 7616 3.4).

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};
use zeroize::Zeroizing;

use super::{Credentials, Qop, Request};

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm {
    hash: Hash,
    session: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Md5,
    Sha256,
    Sha512256,
}

impl Algorithm {
    /// `MD5`, what a challenge without an algorithm means.
    pub const MD5: Algorithm = Algorithm::new(Hash::Md5, false);
    /// `MD5-sess`
    pub const MD5_SESS: Algorithm = Algorithm::new(Hash::Md5, true);
    /// `SHA-256`
    pub const SHA_256: Algorithm = Algorithm::new(Hash::Sha256, false);
    /// `SHA-256-sess`
    pub const SHA_256_SESS: Algorithm = Algorithm::new(Hash::Sha256, true);
    /// `SHA-512-256`
    pub const SHA_512_256: Algorithm = Algorithm::new(Hash::Sha512256, false);
    /// `SHA-512-256-sess`
    pub const SHA_512_256_SESS: Algorithm = Algorithm::new(Hash::Sha512256, true);

    /// All of them.
    pub const ALL: [Algorithm; 6] = [
        Algorithm::MD5,
        Algorithm::MD5_SESS,
        Algorithm::SHA_256,
        Algorithm::SHA_256_SESS,
        Algorithm::SHA_512_256,
        Algorithm::SHA_512_256_SESS,
    ];

    const fn new(hash: Hash, session: bool) -> Algorithm {
        Algorithm { hash, session }
    }

    /// From its name in a challenge, in any case.
    pub fn parse(name: &str) -> Option<Algorithm> {
        Algorithm::ALL
            .into_iter()
            .find(|a| a.as_str().eq_ignore_ascii_case(name))
    }

    /// Its name in a challenge.
    pub const fn as_str(self) -> &'static str {
        match (self.hash, self.session) {
            (Hash::Md5, false) => "MD5",
            (Hash::Md5, true) => "MD5-sess",
            (Hash::Sha256, false) => "SHA-256",
            (Hash::Sha256, true) => "SHA-256-sess",
            (Hash::Sha512256, false) => "SHA-512-256",
            (Hash::Sha512256, true) => "SHA-512-256-sess",
        }
    }

    /// Whether the password's hash is bound to nonce and cnonce (RFC 7616 3.4.2).
    pub const fn is_session(self) -> bool {
        self.session
    }

    /// The greater, the stronger: both SHA-2 functions are equal, MD5 is behind them.
    pub(super) const fn strength(self) -> u8 {
        match self.hash {
            Hash::Md5 => 0,
            Hash::Sha256 | Hash::Sha512256 => 1,
        }
    }

    /// The hash of the parts with a colon between each, as lower-case hexadecimal digits.
    fn hash(self, parts: &[&[u8]]) -> Zeroizing<String> {
        fn run<D: Digest>(parts: &[&[u8]]) -> Zeroizing<String> {
            let mut hasher = D::new();
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    hasher.update(b":");
                }
                hasher.update(part);
            }
            Zeroizing::new(hex::encode(hasher.finalize()))
        }
        match self.hash {
            Hash::Md5 => run::<Md5>(parts),
            Hash::Sha256 => run::<Sha256>(parts),
            Hash::Sha512256 => run::<Sha512_256>(parts),
        }
    }
}

/// What a response is computed from, besides credentials and request.
pub(super) struct Terms<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) realm: &'a str,
    pub(super) nonce: &'a str,
    pub(super) cnonce: &'a str,
    /// The quality of protection, and the nonce count as its eight hexadecimal digits.
    pub(super) qop: Option<(Qop, &'a str)>,
}

impl Terms<'_> {
    /// The response (RFC 7616 3.4.1; without qop RFC 2617 3.2.2.1).
    pub(super) fn response(
        &self,
        credentials: &Credentials<'_>,
        request: &Request<'_>,
    ) -> Zeroizing<String> {
        let hash = |parts: &[&[u8]]| self.algorithm.hash(parts);
        let (nonce, cnonce) = (self.nonce.as_bytes(), self.cnonce.as_bytes());
        let mut a1 = hash(&[
            credentials.username.as_bytes(),
            self.realm.as_bytes(),
            credentials.password.as_bytes(),
        ]);
        if self.algorithm.is_session() {
            a1 = hash(&[a1.as_bytes(), nonce, cnonce]);
        }
        let method = request.method.as_str().as_bytes();
        let uri = request.uri.as_bytes();
        let a2 = match self.qop {
            Some((Qop::AuthInt, _)) => hash(&[method, uri, hash(&[request.body]).as_bytes()]),
            _ => hash(&[method, uri]),
        };
        match self.qop {
            Some((qop, nc)) => hash(&[
                a1.as_bytes(),
                nonce,
                nc.as_bytes(),
                cnonce,
                qop.as_str().as_bytes(),
                a2.as_bytes(),
            ]),
            None => hash(&[a1.as_bytes(), nonce, a2.as_bytes()]),
        }
    }
}
