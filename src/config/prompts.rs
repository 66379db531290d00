//! `[prompts]`: the recordings that calls play.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::show::{self, Shown};
use crate::audio::{Locale, builtin, folder};
use crate::dialplan::words::is_locale;
use crate::document::Section;

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
    pub fn locales(&self) -> io::Result<Vec<Locale>> {
        match &self.dir {
            Some(dir) => {
                let listing = folder::list(dir)?;
                Ok(listing.locales.into_iter().map(|l| l.locale).collect())
            }
            None => {
                let tags = builtin::LOCALES.iter();
                Ok(tags.filter_map(|(tag, _)| tag.parse().ok()).collect())
            }
        }
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
