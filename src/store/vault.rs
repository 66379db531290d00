//! The vault: phone numbers and people's words sealed at rest, and the keyed hashes by which
//! numbers are found and codes checked.
//!
//! One 256-bit key in a file that only its owner can read. From it are derived a sealing key
//! (XChaCha20-Poly1305, the challenge's id as associated data, so that a sealed number moved to
//! another challenge does not open) and a hashing key (HMAC-SHA-256: a plain hash of a phone
//! number is undone by trying them all).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::Sha256;
use smallvec::SmallVec;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::CodeHash;
use crate::challenge::OneTimeCode;
use crate::phone::PhoneNumber;

/// The key of the vault.
type Key = Zeroizing<[u8; 32]>;

/// E.164's longest number with its plus sign; every number is padded to it, so that a sealed one
/// does not tell its length.
const PADDED: usize = 16;
const NONCE: usize = 24;
/// Version octet, nonce, padded number, tag.
#[cfg(test)]
const SEALED: usize = 1 + NONCE + PADDED + 16;
const VERSION: u8 = 1;

/// Seals and hashes what is nobody else's business.
pub struct Vault {
    sealing: XChaCha20Poly1305,
    hashing: Hmac<Sha256>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

/// Why the key could not be had, or a sealed number not opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key file could not be read or made.
    #[error("the key file {} cannot be used: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others than its owner could read the key file.
    #[error(
        "the key file {} can be read by others (mode {mode:o}): run `chmod 600 {}`, and consider the key known to them",
        path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file is not a key.
    #[error("the key file {} must hold 64 hexadecimal digits and nothing else", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The system's random source failed.
    #[error("the system's random source failed")]
    NoRandomness,
    /// What was sealed is not whole, or was sealed for another challenge or with another key.
    #[error("what was sealed does not open: it was changed, moved, or sealed with another key")]
    DoesNotOpen,
}

impl Vault {
    /// The vault of a key.
    pub fn new(key: &[u8; 32]) -> Vault {
        let sealing = subkey(key, b"ringtrue sealing v1");
        let hashing = subkey(key, b"ringtrue hashing v1");
        Vault {
            sealing: XChaCha20Poly1305::new(&(*sealing).into()),
            hashing: keyed(&hashing),
        }
    }

    /// The vault of the key in a file.
    ///
    /// # Errors
    /// If the file is missing, can be read by others than its owner, or is no key.
    pub fn open(path: &Path) -> Result<Vault, VaultError> {
        let file = |source| VaultError::File {
            path: path.into(),
            source,
        };
        let opened = File::open(path).map_err(file)?;
        let mode = opened.metadata().map_err(file)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(VaultError::Exposed {
                path: path.into(),
                mode,
            });
        }
        let mut text = Zeroizing::new(Vec::with_capacity(128));
        opened.take(128).read_to_end(&mut text).map_err(file)?;
        let mut key = Key::default();
        hex::decode_to_slice(text.trim_ascii(), key.as_mut_slice())
            .map_err(|_| VaultError::NotAKey { path: path.into() })?;
        Ok(Vault::new(&key))
    }

    /// Makes a key file, readable by its owner alone, and opens it. One that is there by then is
    /// left as it is and opened.
    ///
    /// # Errors
    /// As [`Vault::open`], or if the file cannot be made.
    pub fn create(path: &Path) -> Result<Vault, VaultError> {
        let file = |source| VaultError::File {
            path: path.into(),
            source,
        };
        let mut key = Key::default();
        let mut suffix = [0; 8];
        SysRng
            .try_fill_bytes(key.as_mut_slice())
            .and_then(|()| SysRng.try_fill_bytes(&mut suffix))
            .map_err(|_| VaultError::NoRandomness)?;
        let directory = parent(path);
        make_directory(directory).map_err(file)?;
        // Written beside and then linked into place, so that nobody ever reads half a key and an
        // existing key is never replaced.
        let draft = directory.join(format!(".key-{}", hex::encode(suffix)));
        let written = write_key(&draft, &key).and_then(|()| fs::hard_link(&draft, path));
        let _ = fs::remove_file(&draft);
        match written {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(file(e)),
            _ => {}
        }
        File::open(directory)
            .and_then(|d| d.sync_all())
            .map_err(file)?;
        Vault::open(path)
    }

    /// Seals the number of a challenge.
    ///
    /// # Errors
    /// If the number is longer than E.164 allows.
    pub fn seal(&self, challenge: Uuid, number: &PhoneNumber) -> Result<Vec<u8>, VaultError> {
        let mut padded = Zeroizing::new([0; PADDED]);
        let e164 = number.e164().as_bytes();
        padded
            .get_mut(..e164.len())
            .ok_or(VaultError::DoesNotOpen)?
            .copy_from_slice(e164);
        self.seal_octets(challenge.as_bytes(), padded.as_slice())
    }

    /// Opens the sealed number of a challenge.
    ///
    /// # Errors
    /// If it was changed, sealed for another challenge, or sealed with another key.
    pub fn unseal(&self, challenge: Uuid, sealed: &[u8]) -> Result<PhoneNumber, VaultError> {
        let padded = self.open_octets(challenge.as_bytes(), sealed)?;
        let end = padded.iter().position(|b| *b == 0).unwrap_or(padded.len());
        let number = padded
            .get(..end)
            .and_then(|e164| std::str::from_utf8(e164).ok())
            .and_then(|e164| PhoneNumber::parse(e164).ok());
        number.ok_or(VaultError::DoesNotOpen)
    }

    /// Seals the words of a message that a person sent.
    ///
    /// # Errors
    /// None for words that fit in memory.
    pub fn seal_words(&self, message: Uuid, words: &str) -> Result<Vec<u8>, VaultError> {
        self.seal_octets(&words_of(message), words.as_bytes())
    }

    /// Opens the sealed words of a message.
    ///
    /// # Errors
    /// If they were changed, sealed for another message, or sealed with another key.
    pub fn unseal_words(
        &self,
        message: Uuid,
        sealed: &[u8],
    ) -> Result<Zeroizing<String>, VaultError> {
        let words = self.open_octets(&words_of(message), sealed)?;
        let words = std::str::from_utf8(&words).map_err(|_| VaultError::DoesNotOpen)?;
        Ok(Zeroizing::new(words.to_owned()))
    }

    /// Seals what is kept of the key that approved a challenge.
    ///
    /// # Errors
    /// None for evidence that fits in memory.
    pub fn seal_evidence(&self, challenge: Uuid, evidence: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.seal_octets(&evidence_of(challenge), evidence)
    }

    /// Opens what is kept of the key that approved a challenge.
    ///
    /// # Errors
    /// If it was changed, sealed for another challenge, or sealed with another key.
    pub fn unseal_evidence(
        &self,
        challenge: Uuid,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.open_octets(&evidence_of(challenge), sealed)
    }

    fn seal_octets(&self, of: &[u8], octets: &[u8]) -> Result<Vec<u8>, VaultError> {
        // 192 random bits a nonce: no two of them meet.
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload {
            msg: octets,
            aad: of,
        };
        let sealed = self
            .sealing
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| VaultError::DoesNotOpen)?;
        let mut out = Vec::with_capacity(1 + NONCE + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    fn open_octets(&self, of: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let opened = (|| {
            let (version, rest) = sealed.split_first()?;
            let (nonce, text) = rest.split_at_checked(NONCE)?;
            let nonce: [u8; NONCE] = nonce.try_into().ok()?;
            if *version != VERSION {
                return None;
            }
            let payload = Payload { msg: text, aad: of };
            self.sealing.decrypt(&XNonce::from(nonce), payload).ok()
        })();
        opened.map(Zeroizing::new).ok_or(VaultError::DoesNotOpen)
    }

    /// The keyed hash by which the code of a challenge is checked. Bound to the challenge, so that
    /// equal codes of two challenges hash apart.
    pub fn hash_code(&self, challenge: Uuid, code: &OneTimeCode) -> CodeHash {
        let parts = [challenge.as_bytes().as_slice(), code.reveal().as_bytes()];
        CodeHash::new(self.hash(b"one-time code", &parts))
    }

    /// The keyed hash by which a number's challenges are found.
    pub fn hash_number(&self, number: &PhoneNumber) -> [u8; 32] {
        self.hash(b"number", &[number.e164().as_bytes()])
    }

    /// The keyed hashes of a phone's number, first as it is written and then as others write it.
    pub fn hash_phone(&self, number: &PhoneNumber) -> SmallVec<[[u8; 32]; 1]> {
        let twin = number.twin();
        let both = std::iter::once(number).chain(&twin);
        both.map(|number| self.hash_number(number)).collect()
    }

    /// The keyed hash of parts, apart from every other purpose's: each part is preceded by its
    /// length, so that no two lists of parts hash alike.
    pub fn hash(&self, purpose: &'static [u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = self.hashing.clone();
        for part in std::iter::once(&purpose).chain(parts) {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into_bytes().into()
    }
}

/// What the words of a message are bound to: no challenge's number can take their place.
fn words_of(message: Uuid) -> [u8; 24] {
    let mut of = *b"words of                ";
    if let Some(id) = of.get_mut(8..) {
        id.copy_from_slice(message.as_bytes());
    }
    of
}

/// What the evidence of a key is bound to.
fn evidence_of(challenge: Uuid) -> [u8; 28] {
    let mut of = *b"evidence of                 ";
    if let Some(id) = of.get_mut(12..) {
        id.copy_from_slice(challenge.as_bytes());
    }
    of
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // RFC 2104 2: a key as long as the hash is neither padded nor hashed. `KeyInit::new` takes
    // one of the block's length, 64 octets, so it is padded here as HMAC itself would.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    Hmac::new(&(*block).into())
}

fn subkey(key: &[u8; 32], label: &[u8]) -> Key {
    let mut hash = keyed(key);
    hash.update(label);
    Zeroizing::new(hash.finalize().into_bytes().into())
}

fn write_key(path: &Path, key: &Key) -> io::Result<()> {
    let text = Zeroizing::new(format!(
        "{}\n",
        *Zeroizing::new(hex::encode(key.as_slice()))
    ));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The directory that a file is in.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a directory that only its owner can enter, unless it is there.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text).expect("a valid number")
    }

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    #[test]
    fn a_sealed_number_opens_for_its_challenge_and_key_alone() {
        let vault = Vault::new(&[7; 32]);
        for text in ["+442079460123", "+4930901820", "+12025550123"] {
            let number = number(text);
            let sealed = vault.seal(id(1), &number).expect("seals");
            assert_eq!(sealed.len(), SEALED);
            assert_eq!(vault.unseal(id(1), &sealed).expect("opens"), number);
            assert!(vault.unseal(id(2), &sealed).is_err());
            assert!(Vault::new(&[8; 32]).unseal(id(1), &sealed).is_err());
            for at in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert!(vault.unseal(id(1), &changed).is_err(), "octet {at}");
                assert!(vault.unseal(id(1), &sealed[..at]).is_err(), "cut at {at}");
            }
            assert_ne!(vault.seal(id(1), &number).expect("seals"), sealed);
        }
    }

    #[test]
    fn hashes_depend_on_key_purpose_and_where_parts_end() {
        let vault = Vault::new(&[7; 32]);
        let hash = vault.hash(b"a", &[b"bc", b"d"]);
        assert_eq!(hash, vault.hash(b"a", &[b"bc", b"d"]));
        assert_ne!(hash, vault.hash(b"a", &[b"b", b"cd"]));
        assert_ne!(hash, vault.hash(b"ab", &[b"c", b"d"]));
        assert_ne!(hash, Vault::new(&[8; 32]).hash(b"a", &[b"bc", b"d"]));
    }

    #[test]
    fn words_open_for_their_message_alone() {
        let vault = Vault::new(&[7; 32]);
        for words in ["", "STOP", "\u{1f600} no more, please"] {
            let sealed = vault.seal_words(id(1), words).expect("seals");
            assert!(words.is_empty() || !sealed.windows(4).any(|w| w == b"STOP"));
            let opened = vault.unseal_words(id(1), &sealed).expect("opens");
            assert_eq!(opened.as_str(), words);
            assert!(vault.unseal_words(id(2), &sealed).is_err());
            assert!(vault.unseal(id(1), &sealed).is_err(), "no number");
        }
    }

    #[test]
    fn evidence_opens_for_its_challenge_alone_and_as_nothing_else() {
        let vault = Vault::new(&[7; 32]);
        let sealed = vault.seal_evidence(id(1), b"sound").expect("seals");
        let opened = vault.unseal_evidence(id(1), &sealed).expect("opens");
        assert_eq!(opened.as_slice(), b"sound");
        assert!(vault.unseal_evidence(id(2), &sealed).is_err());
        assert!(vault.unseal_words(id(1), &sealed).is_err());
        assert!(vault.unseal(id(1), &sealed).is_err());
        assert!(
            Vault::new(&[8; 32])
                .unseal_evidence(id(1), &sealed)
                .is_err()
        );
    }

    #[test]
    fn the_hash_of_a_code_is_its_challenges_and_keys_alone() {
        let vault = Vault::new(&[7; 32]);
        let code = |text| OneTimeCode::parse(text).expect("a code");
        let hash = vault.hash_code(id(1), &code("123456"));
        assert!(hash.matches(&vault.hash_code(id(1), &code("123 456"))));
        assert!(!hash.matches(&vault.hash_code(id(1), &code("123457"))));
        assert!(!hash.matches(&vault.hash_code(id(1), &code("1234567"))));
        assert!(!hash.matches(&vault.hash_code(id(2), &code("123456"))));
        let other = Vault::new(&[8; 32]);
        assert!(!hash.matches(&other.hash_code(id(1), &code("123456"))));
        assert_eq!(format!("{hash:?}"), "CodeHash { .. }");
    }

    /// RFC 4231 4.2, whose 20-octet key is padded with zeros as any short key is.
    #[test]
    fn the_keyed_hash_is_hmac_sha_256() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let mut hash = keyed(&key);
        hash.update(b"Hi There");
        assert_eq!(
            hex::encode(hash.finalize().into_bytes()),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }

    #[test]
    fn a_key_file_is_made_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("made/for/it/key");
        assert!(matches!(Vault::open(&path), Err(VaultError::File { .. })));
        let first = Vault::create(&path).expect("made");
        let again = Vault::create(&path).expect("left as it is");
        assert_eq!(first.hash(b"x", &[]), again.hash(b"x", &[]));
        let mode = fs::metadata(&path).expect("is there").mode() & 0o777;
        assert_eq!(mode, 0o600);
        let files = fs::read_dir(parent(&path)).expect("lists").count();
        assert_eq!(files, 1, "no draft is left behind");
    }

    #[test]
    fn an_exposed_or_broken_key_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("key");
        Vault::create(&path).expect("made");
        for mode in [0o644, 0o640, 0o606] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
            let error = Vault::open(&path).expect_err("exposed").to_string();
            assert!(error.contains("chmod 600"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        for text in ["", "abc", &"0".repeat(63), &"g".repeat(64), &"0".repeat(66)] {
            fs::write(&path, text).expect("written");
            let error = Vault::open(&path).expect_err("no key");
            assert!(matches!(error, VaultError::NotAKey { .. }), "{error}");
        }
        fs::write(&path, format!("{}\n", "0".repeat(64))).expect("written");
        assert!(Vault::open(&path).is_ok());
    }
}
