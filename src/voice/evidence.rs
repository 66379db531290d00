//! The evidence of the key that approved: 300 ms of sound and what was measured of it, sealed in
//! one file named after the challenge, so that a dispute can be answered: `ringtrue dtmf evidence`
//! opens it, and `ringtrue dtmf decode` and `plot` can judge it again.
//!
//! Only keys heard as tones in the audio leave any. One thread seals, writes and purges, behind a
//! bounded queue: a slow disk delays no call. Files are for the owner alone (mode 0600). Who seals
//! them is not known here: see [`Seal`].

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use tracing::warn;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::media::KeySound;
use super::order::CallRef;
use crate::audio::{SAMPLE_RATE, wav};
use crate::dtmf::{Digit, Measures};

/// Pieces that wait for the disk.
const WAITING: usize = 256;
/// How often what is too old is looked for.
const PURGE_EVERY: Duration = Duration::from_secs(3_600);

/// Where evidence is kept, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// The folder; made if it is not there.
    pub folder: PathBuf,
    /// After this it is deleted.
    pub keep_for: Duration,
}

/// Seals evidence, so that it opens with the operator's key and for its challenge alone.
pub trait Seal: Send + Sync {
    /// What is written in place of `evidence`.
    ///
    /// # Errors
    /// If it cannot be sealed; then nothing is kept.
    fn seal(&self, challenge: Uuid, evidence: &[u8]) -> io::Result<Vec<u8>>;
}

/// The ending of a file of sealed evidence; its name is the challenge's id.
pub const ENDING: &str = "sealed";

/// Evidence as it is before it is sealed and after it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What was measured, as a JSON object.
    pub facts: Vec<u8>,
    /// The sound, as a WAV file.
    pub sound: Vec<u8>,
}

impl Evidence {
    /// Both in one: the length of the facts in four octets, the most significant first, the facts,
    /// the sound.
    pub fn pack(&self) -> Zeroizing<Vec<u8>> {
        let mut all = Vec::with_capacity(4 + self.facts.len() + self.sound.len());
        // A few hundred octets of facts.
        all.extend((self.facts.len() as u32).to_be_bytes());
        all.extend(&self.facts);
        all.extend(&self.sound);
        Zeroizing::new(all)
    }

    /// What [`Evidence::pack`] has packed; `None` for anything else.
    pub fn unpack(packed: &[u8]) -> Option<Evidence> {
        let (length, rest) = packed.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (facts, sound) = rest.split_at_checked(length)?;
        Some(Evidence {
            facts: facts.into(),
            sound: sound.into(),
        })
    }
}

/// A piece of evidence on its way to the disk.
struct Piece {
    call: CallRef,
    at: SystemTime,
    sound: Box<KeySound>,
}

/// What stands beside the sound.
#[derive(Serialize)]
struct Facts {
    challenge: Uuid,
    recorded_at: String,
    key: Digit,
    /// Seconds from the start of the file to the start of the key.
    key_start: f64,
    #[serde(flatten)]
    measures: Measures,
    twist_db: f32,
}

/// Keeps evidence; the thread ends with it, after what waits is written.
#[derive(Debug, Clone)]
pub struct Keeper {
    pieces: SyncSender<Piece>,
}

impl Keeper {
    /// Makes the folder, deletes what is too old, and waits for more.
    ///
    /// # Errors
    /// If the folder cannot be made or the thread not be started.
    pub fn start(keeping: Keeping, seal: Arc<dyn Seal>) -> io::Result<Keeper> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&keeping.folder)
            .map_err(|error| {
                let folder = keeping.folder.display();
                io::Error::new(
                    error.kind(),
                    format!("cannot make the folder {folder} for evidence of keys: {error}"),
                )
            })?;
        let (pieces, waiting) = sync_channel::<Piece>(WAITING);
        thread::Builder::new()
            .name("evidence".into())
            .spawn(move || {
                let mut purge_at = Instant::now();
                loop {
                    // Whatever comes meanwhile: a busy service keeps nothing longer than an idle one.
                    if Instant::now() >= purge_at {
                        purge(&keeping, SystemTime::now());
                        purge_at = Instant::now() + PURGE_EVERY;
                    }
                    match waiting.recv_timeout(purge_at.saturating_duration_since(Instant::now())) {
                        Ok(piece) => {
                            if let Err(error) = write(&keeping.folder, &*seal, &piece) {
                                warn!(call = %piece.call.0, %error, "the evidence of a key was not kept");
                            }
                        }
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => return,
                    }
                }
            })?;
        Ok(Keeper { pieces })
    }

    /// Keeps the sound of the key that approved this call.
    pub fn keep(&self, call: CallRef, at: SystemTime, sound: Box<KeySound>) {
        match self.pieces.try_send(Piece { call, at, sound }) {
            Ok(()) => {}
            Err(TrySendError::Full(piece) | TrySendError::Disconnected(piece)) => {
                warn!(call = %piece.call.0, "the evidence of a key was not kept: the disk is too slow");
            }
        }
    }
}

/// The file whole, or none under its name.
fn write(folder: &Path, seal: &dyn Seal, piece: &Piece) -> io::Result<()> {
    let sound = &piece.sound;
    let facts = Facts {
        challenge: piece.call.0,
        recorded_at: jiff::Timestamp::try_from(piece.at)
            .map_err(io::Error::other)?
            .to_string(),
        key: sound.digit,
        key_start: sound.key_start as f64 / f64::from(SAMPLE_RATE),
        measures: sound.measures,
        twist_db: sound.measures.twist_db(),
    };
    let evidence = Evidence {
        facts: serde_json::to_vec_pretty(&facts).map_err(io::Error::other)?,
        sound: wav::write(&sound.samples),
    };
    let sealed = seal.seal(piece.call.0, &evidence.pack())?;
    put(&folder.join(format!("{}.{ENDING}", piece.call.0)), &sealed)
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("part");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

/// Deletes what is too old, and of our own files only: a challenge's id with one of our endings,
/// those among them that were opened into the folder.
fn purge(keeping: &Keeping, now: SystemTime) {
    let Ok(entries) = fs::read_dir(&keeping.folder) else {
        warn!(folder = %keeping.folder.display(), "the evidence of keys cannot be listed");
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let ours = path.extension().is_some_and(|e| {
            [ENDING, "part", "wav", "json"]
                .iter()
                .any(|ours| e == *ours)
        }) && path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .is_some_and(|stem| Uuid::try_parse(stem).is_ok());
        let old = || {
            let written = fs::metadata(&path).and_then(|m| m.modified()).ok()?;
            Some(now.duration_since(written).ok()? > keeping.keep_for)
        };
        if ours
            && old() == Some(true)
            && let Err(error) = fs::remove_file(&path)
        {
            warn!(file = %path.display(), %error, "old evidence of a key cannot be deleted");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::dtmf::analysis::analyse;
    use crate::dtmf::{DetectorConfig, Generator, KeyShape};

    fn piece() -> Piece {
        let mut samples = vec![0; 800];
        samples.extend(Generator::new(&[Digit::HASH], KeyShape::default()).render());
        let key = analyse(&samples, DetectorConfig::default()).keys[0];
        Piece {
            call: CallRef(uuid::Uuid::now_v7()),
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            sound: Box::new(KeySound {
                digit: key.digit,
                key_start: 800,
                measures: key.measures,
                samples,
            }),
        }
    }

    /// Turns every bit about and puts the id before it.
    struct Reversed;

    impl Seal for Reversed {
        fn seal(&self, challenge: Uuid, evidence: &[u8]) -> io::Result<Vec<u8>> {
            let mut sealed = challenge.as_bytes().to_vec();
            sealed.extend(evidence.iter().map(|octet| !octet));
            Ok(sealed)
        }
    }

    /// Has lost its key.
    struct Broken;

    impl Seal for Broken {
        fn seal(&self, _: Uuid, _: &[u8]) -> io::Result<Vec<u8>> {
            Err(io::Error::other("no key"))
        }
    }

    #[test]
    fn what_is_kept_is_sealed_can_be_judged_again_and_is_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let piece = piece();
        write(folder.path(), &Reversed, &piece).unwrap();
        let path = folder.path().join(format!("{}.sealed", piece.call.0));
        let sealed = fs::read(&path).unwrap();
        let (id, reversed) = sealed.split_first_chunk::<16>().unwrap();
        assert_eq!(id, piece.call.0.as_bytes());
        let packed: Vec<u8> = reversed.iter().map(|octet| !octet).collect();
        let evidence = Evidence::unpack(&packed).unwrap();
        assert_eq!(Evidence::unpack(&evidence.pack()).unwrap(), evidence);
        let recording = wav::read(&evidence.sound).unwrap();
        let samples = crate::audio::pcm::to_i16(&recording.samples);
        let keys = analyse(&samples, DetectorConfig::default()).keys;
        assert_eq!(keys.len(), 1);
        let facts: serde_json::Value = serde_json::from_slice(&evidence.facts).unwrap();
        assert_eq!(facts["key"], "#");
        assert_eq!(facts["key_start"], 0.1);
        assert_eq!(facts["recorded_at"], "2023-11-14T22:13:20Z");
        assert_eq!(facts["challenge"], piece.call.0.to_string());
        assert!((facts["high_hz"].as_f64().unwrap() - 1_477.0).abs() < 1.0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_cannot_be_sealed_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(folder.path(), &Broken, &piece()).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_not_packed_is_not_unpacked() {
        for packed in [&b""[..], b"\0\0\0", b"\0\0\0\x01", b"\xff\xff\xff\xff{}"] {
            assert_eq!(Evidence::unpack(packed), None);
        }
    }

    #[test]
    fn what_is_too_old_goes_and_what_is_not_ours_stays() {
        let folder = tempfile::tempdir().unwrap();
        let keeping = Keeping {
            folder: folder.path().into(),
            keep_for: Duration::from_secs(60),
        };
        write(folder.path(), &Reversed, &piece()).unwrap();
        let opened = format!("{}.wav", Uuid::now_v7());
        fs::write(folder.path().join(opened), b"opened").unwrap();
        fs::write(folder.path().join("notes.sealed"), b"mine").unwrap();
        let count = || fs::read_dir(folder.path()).unwrap().count();
        purge(&keeping, SystemTime::now());
        assert_eq!(count(), 3);
        purge(&keeping, SystemTime::now() + Duration::from_secs(120));
        assert_eq!(count(), 1);
    }

    #[test]
    fn the_keeper_writes_what_waits_before_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("evidence");
        let keeping = Keeping {
            folder: inner.clone(),
            keep_for: Duration::from_secs(60),
        };
        let keeper = Keeper::start(keeping, Arc::new(Reversed)).unwrap();
        let Piece { call, at, sound } = piece();
        keeper.keep(call, at, sound);
        drop(keeper);
        let path = inner.join(format!("{}.sealed", call.0));
        let patience = std::time::Instant::now() + Duration::from_secs(20);
        while !path.exists() && std::time::Instant::now() < patience {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(path.exists());
    }
}
