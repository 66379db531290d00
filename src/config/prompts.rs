//! `[prompts]`: the recordings that calls play.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use super::show::{self, Shown};
use crate::dialplan::words::is_locale;
use crate::document::Section;

/// The locales of the recordings that come with the program.
const BUILT_IN: [&str; 5] = ["en-GB", "en-US", "es-ES", "fr-FR", "it-IT"];

/// The recordings that calls play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompts {
    /// The folder with a folder for each locale; `None` is what comes with the program.
    pub dir: Option<PathBuf>,
    /// The locale where no other fits.
    pub default_locale: Arc<str>,
}

impl Prompts {
    /// The locales that there are recordings for.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn locales(&self) -> io::Result<BTreeSet<String>> {
        let Some(dir) = &self.dir else {
            return Ok(BUILT_IN.map(str::to_owned).into());
        };
        let mut locales = BTreeSet::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // Links to folders are folders; other folders that stand here are named otherwise.
            if entry.path().is_dir() && is_locale(&name) {
                locales.insert(name);
            }
        }
        Ok(locales)
    }
}

impl Default for Prompts {
    fn default() -> Self {
        Prompts {
            dir: None,
            default_locale: "en-GB".into(),
        }
    }
}

pub(super) fn read(section: &Section<'_>, folder: &Path) -> Prompts {
    let default = Prompts::default();
    Prompts {
        dir: section
            .text("dir", "the path of a folder, in quotes")
            .map(|at| folder.join(at.value)),
        default_locale: section
            .read(
                "default_locale",
                "language and country, as in \"en-GB\"",
                |text| is_locale(text).then(|| text.into()),
            )
            .map_or(default.default_locale, |at| at.value),
    }
}

pub(super) fn show(prompts: &Prompts) -> Shown {
    Shown::new("prompts")
        .with("dir", prompts.dir.as_deref().map(show::path))
        .with("default_locale", &*prompts.default_locale)
}
