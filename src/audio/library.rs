//! Every locale's recordings, read and encoded before the first call and shared by all of them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::folder::{self, FileError};
use super::wav::Recording;
use super::{Locale, Prompt, PromptName, builtin, pcm, resample};

/// The most locales a library holds.
pub const MAX_LOCALES: usize = 64;

/// The whole set of one locale: every [`PromptName`] has its recording.
#[derive(Debug, Clone)]
pub struct PromptSet {
    locale: Locale,
    prompts: [Prompt; PromptName::COUNT],
}

impl PromptSet {
    /// The locale it is spoken in.
    pub fn locale(&self) -> &Locale {
        &self.locale
    }

    /// The recording of that name.
    pub fn get(&self, name: PromptName) -> &Prompt {
        &self.prompts[name as usize]
    }

    /// The recording of a digit; `None` above 9.
    pub fn digit(&self, value: u8) -> Option<&Prompt> {
        PromptName::digit(value).map(|name| self.get(name))
    }
}

/// The sets of all locales; cheap to clone.
#[derive(Debug, Clone)]
pub struct PromptLibrary {
    sets: Arc<BTreeMap<Locale, Arc<PromptSet>>>,
    default: Arc<PromptSet>,
}

/// Why there is no library. Each says what to do about it.
#[derive(Debug, Error)]
pub enum LibraryError {
    /// The folder cannot be listed.
    #[error("the prompts in {dir} cannot be listed: {source}")]
    Folder {
        /// Which folder.
        dir: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// There is no locale in it.
    #[error("no recordings in {dir}: it needs a folder for each locale, as in {dir}/en-GB")]
    NoLocale {
        /// Which folder.
        dir: PathBuf,
    },
    /// There are more than [`MAX_LOCALES`].
    #[error("{count} locales in {dir}, and {MAX_LOCALES} is the most: remove those not needed")]
    TooManyLocales {
        /// Which folder.
        dir: PathBuf,
        /// How many.
        count: usize,
    },
    /// The default locale is not among them.
    #[error(
        "no recordings for the default locale {locale}: record it, or choose one of {available}"
    )]
    NoDefault {
        /// The default locale.
        locale: Locale,
        /// Those that there are.
        available: String,
    },
    /// Recordings are missing or damaged.
    #[error("{}", list_faults(.0))]
    Faults(Vec<PromptFault>),
}

/// One recording that is missing or damaged.
#[derive(Debug, Error)]
pub struct PromptFault {
    /// The file, `en-GB/greeting.wav` under the folder of the library.
    pub path: PathBuf,
    /// What is wrong with it.
    pub source: FileError,
}

impl fmt::Display for PromptFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.source {
            FileError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                write!(f, "{path} is missing: every locale needs it")
            }
            error => write!(f, "{path}: {error}"),
        }
    }
}

fn list_faults(faults: &[PromptFault]) -> String {
    const SHOWN: usize = 10;
    let mut lines: Vec<String> = faults.iter().take(SHOWN).map(|f| f.to_string()).collect();
    if faults.len() > SHOWN {
        lines.push(format!("and {} more", faults.len() - SHOWN));
    }
    lines.join("\n")
}

impl PromptLibrary {
    /// The locale that stands in where no other fits, unless the configuration names one.
    pub const DEFAULT_LOCALE: &str = "en-GB";

    /// Reads `dir/LOCALE/NAME.wav` for every locale, at any rate. Reads files: call it before
    /// serving, or from a thread that may block.
    ///
    /// # Errors
    /// [`LibraryError`], with every missing or damaged recording at once.
    pub fn load(dir: &Path, default: &Locale) -> Result<PromptLibrary, LibraryError> {
        let listing = folder::list(dir).map_err(|source| LibraryError::Folder {
            dir: dir.to_owned(),
            source,
        })?;
        if listing.locales.is_empty() {
            return Err(LibraryError::NoLocale {
                dir: dir.to_owned(),
            });
        }
        if listing.locales.len() > MAX_LOCALES {
            return Err(LibraryError::TooManyLocales {
                dir: dir.to_owned(),
                count: listing.locales.len(),
            });
        }
        let sets = listing.locales.into_iter().map(|locale| {
            let read = |name: PromptName| {
                let path = locale.path.join(format!("{name}.wav"));
                let recording = folder::read(&path);
                (path, recording)
            };
            (locale.locale.clone(), PromptName::ALL.map(read))
        });
        PromptLibrary::assemble(sets, default)
    }

    /// The recordings that come with the program, so that it speaks without a folder.
    ///
    /// # Errors
    /// [`LibraryError::NoDefault`] if `default` is not among them.
    pub fn builtin(default: &Locale) -> Result<PromptLibrary, LibraryError> {
        let sets = builtin::LOCALES.iter().filter_map(|(tag, files)| {
            let locale: Locale = tag.parse().ok()?;
            let read = |name: PromptName| {
                let path = Path::new(tag).join(format!("{name}.wav"));
                (path, folder::decode(files[name as usize]))
            };
            Some((locale, PromptName::ALL.map(read)))
        });
        PromptLibrary::assemble(sets, default)
    }

    fn assemble(
        sets: impl Iterator<Item = (Locale, [ReadPrompt; PromptName::COUNT])>,
        default: &Locale,
    ) -> Result<PromptLibrary, LibraryError> {
        let mut faults = Vec::new();
        let mut complete = BTreeMap::new();
        for (locale, files) in sets {
            let mut prompts = Vec::with_capacity(PromptName::COUNT);
            for (name, (path, recording)) in PromptName::ALL.into_iter().zip(files) {
                match recording.and_then(|r| encode(name, &r)) {
                    Ok(prompt) => prompts.push(prompt),
                    Err(source) => faults.push(PromptFault { path, source }),
                }
            }
            if let Ok(prompts) = prompts.try_into() {
                let set = PromptSet {
                    locale: locale.clone(),
                    prompts,
                };
                complete.insert(locale, Arc::new(set));
            }
        }
        if !faults.is_empty() {
            return Err(LibraryError::Faults(faults));
        }
        let Some(default) = complete.get(default).cloned() else {
            let tags: Vec<&str> = complete.keys().map(Locale::as_str).collect();
            return Err(LibraryError::NoDefault {
                locale: default.clone(),
                available: tags.join(", "),
            });
        };
        Ok(PromptLibrary {
            sets: Arc::new(complete),
            default,
        })
    }

    /// The set for a locale, or the nearest one: the locale itself; else another of the same
    /// language, the default if it is one, else the first by name (`en-AU` gets `en-GB`); else
    /// the default. [`PromptSet::locale`] says which it is.
    pub fn find(&self, locale: &str) -> &Arc<PromptSet> {
        let Ok(locale) = locale.parse::<Locale>() else {
            return &self.default;
        };
        if let Some(set) = self.sets.get(&locale) {
            return set;
        }
        let same = |set: &&Arc<PromptSet>| set.locale.language() == locale.language();
        Some(&self.default)
            .filter(same)
            .or_else(|| self.sets.values().find(same))
            .unwrap_or(&self.default)
    }

    /// The set that stands in where no other fits.
    pub fn default_set(&self) -> &Arc<PromptSet> {
        &self.default
    }

    /// All sets, by locale.
    pub fn sets(&self) -> impl Iterator<Item = &Arc<PromptSet>> {
        self.sets.values()
    }
}

type ReadPrompt = (PathBuf, Result<Recording, FileError>);

fn encode(name: PromptName, recording: &Recording) -> Result<Prompt, FileError> {
    let samples = resample::to_8k(&recording.samples, recording.rate)?;
    Ok(Prompt::from_samples(name.as_str(), &pcm::to_i16(&samples)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::audio::{Codec, wav};

    fn locale(tag: &str) -> Locale {
        tag.parse().unwrap()
    }

    /// A folder where each recording of a locale is a second of one value.
    fn folder_of(locales: &[(&str, i16)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (tag, value) in locales {
            fs::create_dir(dir.path().join(tag)).unwrap();
            for name in PromptName::ALL {
                let path = dir.path().join(tag).join(format!("{name}.wav"));
                fs::write(path, wav::write(&[*value; 8_000])).unwrap();
            }
        }
        dir
    }

    #[test]
    fn loads_every_locale_and_shares_it() {
        let dir = folder_of(&[("en-GB", 100), ("fr-FR", 200)]);
        let library = PromptLibrary::load(dir.path(), &locale("en-GB")).unwrap();
        assert_eq!(library.sets().count(), 2);
        let french = library.find("fr-FR");
        let prompt = french.get(PromptName::PressHash);
        assert_eq!((prompt.name(), prompt.frames()), ("press-hash", 50));
        let octet = crate::audio::g711::encode(Codec::Pcma, 200);
        assert_eq!(prompt.frame(Codec::Pcma, 7).unwrap(), [octet; 160]);
        assert_eq!(french.digit(7).unwrap().name(), "digit-7");
        assert!(french.digit(10).is_none());
        assert!(Arc::ptr_eq(french, library.clone().find("FR-fr")));
    }

    #[test]
    fn any_rate_is_converted() {
        let dir = folder_of(&[("en-GB", 0)]);
        let mut file = wav::write(&[5_000; 48_000]);
        file[24..28].copy_from_slice(&48_000u32.to_le_bytes());
        fs::write(dir.path().join("en-GB/greeting.wav"), file).unwrap();
        let library = PromptLibrary::load(dir.path(), &locale("en-GB")).unwrap();
        let prompt = library.default_set().get(PromptName::Greeting);
        assert_eq!(prompt.frames(), 50);
        let octet = crate::audio::g711::encode(Codec::Pcmu, 5_000);
        assert_eq!(prompt.frame(Codec::Pcmu, 25).unwrap(), [octet; 160]);
    }

    #[test]
    fn the_nearest_locale_stands_in() {
        let dir = folder_of(&[("en-GB", 1), ("en-US", 2), ("es-ES", 3), ("fr-FR", 4)]);
        let library = PromptLibrary::load(dir.path(), &locale("fr-FR")).unwrap();
        for (asked, got) in [
            ("en-US", "en-US"),
            ("en-AU", "en-GB"),
            ("en", "en-GB"),
            ("ES-mx", "es-ES"),
            ("de-DE", "fr-FR"),
            ("no locale", "fr-FR"),
            ("", "fr-FR"),
        ] {
            assert_eq!(library.find(asked).locale().as_str(), got, "{asked}");
        }
        // The default goes before others of its language.
        let library = PromptLibrary::load(dir.path(), &locale("en-US")).unwrap();
        assert_eq!(library.find("en-AU").locale().as_str(), "en-US");
        assert_eq!(library.find("de-DE").locale().as_str(), "en-US");
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let dir = folder_of(&[("en-GB", 1), ("fr-FR", 2)]);
        fs::remove_file(dir.path().join("fr-FR/wrong-key.wav")).unwrap();
        fs::write(dir.path().join("en-GB/digit-3.wav"), b"ID3 an mp3").unwrap();
        let error = PromptLibrary::load(dir.path(), &locale("en-GB")).unwrap_err();
        let LibraryError::Faults(faults) = &error else {
            panic!("{error}");
        };
        assert_eq!(faults.len(), 2);
        let text = error.to_string();
        assert!(text.contains("en-GB/digit-3.wav: not a WAV file"), "{text}");
        assert!(text.contains("fr-FR/wrong-key.wav is missing"), "{text}");
    }

    #[test]
    fn folders_without_a_use_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let default = locale("en-GB");
        assert!(matches!(
            PromptLibrary::load(dir.path(), &default),
            Err(LibraryError::NoLocale { .. })
        ));
        assert!(matches!(
            PromptLibrary::load(&dir.path().join("absent"), &default),
            Err(LibraryError::Folder { .. })
        ));
        let dir = folder_of(&[("fr-FR", 1), ("it-IT", 1)]);
        let error = PromptLibrary::load(dir.path(), &default).unwrap_err();
        assert!(error.to_string().contains("choose one of fr-FR, it-IT"));
        for n in 0..MAX_LOCALES {
            fs::create_dir(dir.path().join(format!("en-{n:03}"))).unwrap();
        }
        assert!(matches!(
            PromptLibrary::load(dir.path(), &default),
            Err(LibraryError::TooManyLocales { count: 66, .. })
        ));
    }

    #[test]
    fn the_program_brings_its_own() {
        let library = PromptLibrary::builtin(&locale(PromptLibrary::DEFAULT_LOCALE)).unwrap();
        let tags: Vec<&str> = library.sets().map(|s| s.locale().as_str()).collect();
        assert_eq!(tags, ["en-GB", "en-US", "es-ES", "fr-FR", "it-IT"]);
        for set in library.sets() {
            for name in PromptName::ALL {
                let prompt = set.get(name);
                assert_eq!(prompt.name(), name.as_str());
                assert!(prompt.frames() > 10, "{:?} {name}", set.locale());
            }
        }
        assert!(matches!(
            PromptLibrary::builtin(&locale("de-DE")),
            Err(LibraryError::NoDefault { .. })
        ));
    }
}
