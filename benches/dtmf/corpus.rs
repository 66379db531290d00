//! Recorded speech and music from Debian's packages.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The packages whose recordings are heard, and where they put them.
pub const PACKAGES: [(&str, &str); 6] = [
    (
        "asterisk-core-sounds-en-wav",
        "/usr/share/asterisk/sounds/en_US_f_Allison",
    ),
    (
        "asterisk-core-sounds-es-wav",
        "/usr/share/asterisk/sounds/es_MX_f_Allison",
    ),
    (
        "asterisk-core-sounds-fr-wav",
        "/usr/share/asterisk/sounds/fr_CA_f_June",
    ),
    (
        "asterisk-core-sounds-it-wav",
        "/usr/share/asterisk/sounds/it_IT_m_Carlo",
    ),
    (
        "asterisk-core-sounds-ru-wav",
        "/usr/share/asterisk/sounds/ru_RU_f_IvrvoiceRU",
    ),
    ("asterisk-moh-opsound-wav", "/usr/share/asterisk/moh"),
];

/// Every recording of the packages, and the prompts, sorted by path.
pub fn files() -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for (package, folder) in PACKAGES {
        if !Path::new(folder).is_dir() {
            bail!("{folder} is missing: apt-get install {package}");
        }
        walk(Path::new(folder), &mut files)?;
    }
    // Synthetic voices: the prompts that come with the program.
    let prompts = concat!(env!("CARGO_MANIFEST_DIR"), "/prompts");
    walk(Path::new(prompts), &mut files)?;
    files.sort();
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "wav") {
            files.push(path);
        }
    }
    Ok(())
}

/// The samples of an 8 kHz recording.
pub fn read(path: &Path) -> anyhow::Result<Vec<i16>> {
    let mut reader = hound::WavReader::open(path).with_context(|| path.display().to_string())?;
    Ok(reader.samples::<i16>().collect::<Result<_, _>>()?)
}

/// Some minutes of English speech, one recording after the other.
pub fn speech_sample() -> anyhow::Result<Vec<i16>> {
    let mut all = Vec::new();
    for path in files()? {
        if path.starts_with(PACKAGES[0].1) {
            all.extend(read(&path)?);
            if all.len() > 8_000 * 240 {
                break;
            }
        }
    }
    Ok(all)
}
