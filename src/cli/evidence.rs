//! The evidence of keys at rest: sealed with the store's key, and opened by
//! `ringtrue dtmf evidence`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use uuid::Uuid;

use crate::config::{Config, Store};
use crate::store::{Vault, VaultError};
use crate::voice::evidence::{ENDING, Evidence, Keeper, Keeping, Seal};

/// The store's vault, for those who know of no store.
struct Sealing(Vault);

impl Seal for Sealing {
    fn seal(&self, challenge: Uuid, evidence: &[u8]) -> io::Result<Vec<u8>> {
        self.0
            .seal_evidence(challenge, evidence)
            .map_err(io::Error::other)
    }
}

/// Starts to keep evidence as the configuration says, if it says so.
///
/// # Errors
/// If the folder cannot be made or the store's key not be used.
pub fn keeper(config: &Config) -> anyhow::Result<Option<Keeper>> {
    let Some(keeping) = &config.call.evidence else {
        return Ok(None);
    };
    let seal = Arc::new(Sealing(vault(&config.store)?));
    Ok(Some(Keeper::start(keeping.clone(), seal)?))
}

/// The store's vault. Its key is made where there is neither key nor store yet; a store whose key
/// is missing must not get another.
fn vault(store: &Store) -> Result<Vault, VaultError> {
    match Vault::open(&store.key_file) {
        Err(VaultError::File { source, .. })
            if source.kind() == io::ErrorKind::NotFound && !store.path.exists() =>
        {
            Vault::create(&store.key_file)
        }
        opened => opened,
    }
}

/// Open the sealed evidence of a key: its sound as a WAV file, its measures as JSON.
#[derive(Debug, clap::Args)]
pub struct OpenEvidence {
    /// The challenge's id, or a .sealed file.
    #[arg(value_name = "CHALLENGE")]
    challenge: String,
    /// The folder to write both files to, readable by you alone.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
}

/// A sealed file is no larger than this: 300 ms of sound are 5 kB.
const LARGEST: u64 = 1 << 20;

/// Carries the command out, with the key of the configuration's store.
///
/// # Errors
/// If there is no such evidence, it does not open, or the files cannot be written; files that are
/// there are left as they are.
pub fn open(
    arguments: &OpenEvidence,
    file: Option<&Path>,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let config = Config::find(file)?;
    let (challenge, path) = find(&arguments.challenge, config.call.evidence.as_ref())?;
    let sealed =
        read(&path).with_context(|| format!("cannot read the evidence {}", path.display()))?;
    let vault = Vault::open(&config.store.key_file)?;
    let opened = vault.unseal_evidence(challenge, &sealed).map_err(|_| {
        anyhow::anyhow!(
            "{} does not open with the key {}: it was changed, belongs to another challenge than \
             its name says, or was sealed with another key",
            path.display(),
            config.store.key_file.display()
        )
    })?;
    let Some(evidence) = Evidence::unpack(&opened) else {
        bail!("{} was sealed by another version", path.display());
    };
    fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot make the folder {}", arguments.out.display()))?;
    for (ending, content) in [("wav", &evidence.sound), ("json", &evidence.facts)] {
        let path = arguments.out.join(format!("{challenge}.{ending}"));
        put(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(out, "{}", path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Which challenge is meant, and where its evidence lies.
fn find(asked: &str, keeping: Option<&Keeping>) -> anyhow::Result<(Uuid, PathBuf)> {
    if let Ok(challenge) = Uuid::try_parse(asked) {
        let Some(keeping) = keeping else {
            bail!("keep_evidence is off in [call]: name the .sealed file, not the challenge");
        };
        let path = keeping.folder.join(format!("{challenge}.{ENDING}"));
        if !path.exists() {
            bail!(
                "there is no evidence of {challenge} in {}: its key was not heard as tones, or it \
                 is older than keep_evidence",
                keeping.folder.display()
            );
        }
        return Ok((challenge, path));
    }
    let path = PathBuf::from(asked);
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let Some(challenge) = stem.and_then(|stem| Uuid::try_parse(stem).ok()) else {
        bail!("{asked} is neither a challenge's id nor a file that is named after one");
    };
    Ok((challenge, path))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut sealed = Vec::new();
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut sealed)?;
    if sealed.len() as u64 > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(sealed)
}

/// Writes a new file for the owner alone.
fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
