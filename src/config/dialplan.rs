//! `[dialplan]`: where the rules are that lead numbers to trunks.

use std::path::{Path, PathBuf};

use super::show::{self, Shown};
use crate::dialplan::Dialplan;
use crate::document::{Faults, Section};

/// Where the rules are that lead numbers to trunks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DialplanFolder {
    /// The folder of `*.toml`; `None` is what comes with the program.
    pub dir: Option<PathBuf>,
}

impl DialplanFolder {
    /// Reads the rules.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn load(&self) -> Result<Dialplan, Faults> {
        match &self.dir {
            Some(dir) => Dialplan::load(dir),
            None => Dialplan::built_in(),
        }
    }
}

pub(super) fn read(section: &Section<'_>, folder: &Path) -> DialplanFolder {
    DialplanFolder {
        dir: section
            .text("dir", "the path of a folder, in quotes")
            .map(|at| folder.join(at.value)),
    }
}

pub(super) fn show(dialplan: &DialplanFolder) -> Shown {
    Shown::new("dialplan").with("dir", dialplan.dir.as_deref().map(show::path))
}
