//! The hash by which a one-time code is checked: all that is ever kept of it.

use std::fmt;

use subtle::ConstantTimeEq;

/// The keyed hash of a challenge's one-time code, made by [`super::Store::hash_code`]. It says
/// nothing to one who lacks the vault's key, and nothing about another challenge's code.
#[derive(Clone, Copy)]
pub struct CodeHash([u8; 32]);

impl CodeHash {
    pub(super) fn new(hash: [u8; 32]) -> CodeHash {
        CodeHash(hash)
    }

    pub(super) fn octets(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are of the same code and challenge, in a time that does not depend on where
    /// they differ.
    pub fn matches(&self, other: &CodeHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeHash").finish_non_exhaustive()
    }
}
