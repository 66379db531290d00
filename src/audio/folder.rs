//! A folder of recordings on disk: `DIR/LOCALE/NAME.wav`. Lists and reads it, within bounds.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::wav::{self, Recording, WavError};
use super::{Locale, resample};

/// The largest file read, in bytes: over a minute of studio quality.
pub const MAX_FILE_BYTES: u64 = 32 * 1024 * 1024;
/// The longest recording, in seconds.
pub const MAX_SECONDS: u32 = 60;
/// The most files and folders looked at in one folder.
pub const MAX_ENTRIES: usize = 512;

/// Why a file gives no recording. Each says what to do about it.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system would not read it.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is a folder, a pipe or a device.
    #[error("is not a regular file: put the recording itself here")]
    NotAFile,
    /// It is larger than [`MAX_FILE_BYTES`].
    #[error("is larger than {} MiB: save it as 8 kHz 16-bit mono", MAX_FILE_BYTES / 1024 / 1024)]
    TooLarge,
    /// It is not a WAV file that we read.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// Its rate is out of range.
    #[error(transparent)]
    Rate(#[from] resample::RateError),
    /// It lasts longer than [`MAX_SECONDS`].
    #[error("lasts {seconds:.0} s, and {MAX_SECONDS} s is the most: shorten it")]
    TooLong {
        /// How long it lasts.
        seconds: f64,
    },
    /// It has no samples.
    #[error("holds no audio: record it again")]
    Empty,
}

/// One locale's folder.
#[derive(Debug, Clone)]
pub struct LocaleFolder {
    /// The locale, from the folder's name.
    pub locale: Locale,
    /// Where it is.
    pub path: PathBuf,
}

/// What a folder of locales holds.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Its locales, by name.
    pub locales: Vec<LocaleFolder>,
    /// Folders that hold `.wav` files and whose names are no locales.
    pub misnamed: Vec<PathBuf>,
}

/// Lists the locales of a folder. Folders that hold no recordings and files are passed over.
///
/// # Errors
/// The system's, and [`io::ErrorKind::InvalidData`] for more than [`MAX_ENTRIES`] entries or two
/// folders of one locale (`en-gb` beside `en-GB`).
pub fn list(dir: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for path in entries(dir)? {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        if !path.is_dir() || name.starts_with('.') {
            continue;
        }
        match name.parse::<Locale>() {
            Ok(locale) => {
                if listing.locales.iter().any(|other| other.locale == locale) {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("two folders for {locale}: keep one of them"),
                    ));
                }
                listing.locales.push(LocaleFolder { locale, path });
            }
            Err(_) if holds_wav(&path) => listing.misnamed.push(path),
            Err(_) => {}
        }
    }
    listing.locales.sort_by(|a, b| a.locale.cmp(&b.locale));
    Ok(listing)
}

fn holds_wav(dir: &Path) -> bool {
    entries(dir).is_ok_and(|paths| paths.iter().any(|p| has_wav_extension(p)))
}

/// Whether a path ends in `.wav`, in any case.
pub fn has_wav_extension(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("wav"))
}

/// The paths in a folder, sorted.
///
/// # Errors
/// The system's, and [`io::ErrorKind::InvalidData`] for more than [`MAX_ENTRIES`].
pub fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        if paths.len() == MAX_ENTRIES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("more than {MAX_ENTRIES} entries: this is no folder of recordings"),
            ));
        }
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Reads a recording from a file; never blocks on a pipe, never takes more than
/// [`MAX_FILE_BYTES`].
///
/// # Errors
/// [`FileError`].
pub fn read(path: &Path) -> Result<Recording, FileError> {
    if !fs::metadata(path)?.is_file() {
        return Err(FileError::NotAFile);
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(FileError::TooLarge);
    }
    decode(&bytes)
}

/// Reads a recording from the bytes of a WAV file, and holds it to the bounds of a prompt.
///
/// # Errors
/// [`FileError`], all but those of reading.
pub fn decode(file: &[u8]) -> Result<Recording, FileError> {
    let recording = wav::read(file)?;
    if !(resample::MIN_RATE..=resample::MAX_RATE).contains(&recording.rate) {
        return Err(resample::RateError(recording.rate).into());
    }
    if recording.samples.is_empty() {
        return Err(FileError::Empty);
    }
    let seconds = recording.samples.len() as f64 / f64::from(recording.rate);
    if seconds > f64::from(MAX_SECONDS) {
        return Err(FileError::TooLong { seconds });
    }
    Ok(recording)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_locales_and_what_is_misnamed() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["fr-FR", "en-GB", "make", "en_US", ".git"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("en_US/greeting.WAV"), b"").unwrap();
        fs::write(dir.path().join("make/make.py"), b"").unwrap();
        fs::write(dir.path().join("de-DE"), b"a file").unwrap();
        let listing = list(dir.path()).unwrap();
        let locales: Vec<&str> = listing.locales.iter().map(|l| l.locale.as_str()).collect();
        assert_eq!(locales, ["en-GB", "fr-FR"]);
        assert_eq!(listing.misnamed, [dir.path().join("en_US")]);
        fs::create_dir(dir.path().join("EN-gb")).unwrap();
        let error = list(dir.path()).unwrap_err();
        assert!(error.to_string().contains("two folders for en-GB"));
    }

    #[test]
    fn files_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("greeting.wav");
        assert!(matches!(read(&path), Err(FileError::Io(_))));
        assert!(matches!(read(dir.path()), Err(FileError::NotAFile)));
        File::create(&path)
            .unwrap()
            .set_len(MAX_FILE_BYTES + 1)
            .unwrap();
        assert!(matches!(read(&path), Err(FileError::TooLarge)));
        fs::write(&path, wav::write(&[])).unwrap();
        assert!(matches!(read(&path), Err(FileError::Empty)));
        fs::write(&path, wav::write(&vec![0; 8_000 * 61])).unwrap();
        assert!(matches!(read(&path), Err(FileError::TooLong { seconds }) if seconds == 61.0));
        let mut slow = wav::write(&[0; 100]);
        slow[24..28].copy_from_slice(&10u32.to_le_bytes());
        assert!(matches!(decode(&slow), Err(FileError::Rate(_))));
        fs::write(&path, wav::write(&[1; 80])).unwrap();
        assert_eq!(read(&path).unwrap().samples.len(), 80);
    }

    #[test]
    fn crowded_folders_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..=MAX_ENTRIES {
            fs::write(dir.path().join(n.to_string()), b"").unwrap();
        }
        assert!(entries(dir.path()).is_err());
    }
}
