//! `[store]`: what is kept, where and how long.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::show::{self, Shown};
use crate::document::Section;

/// What is kept, where and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The SQLite database.
    pub path: PathBuf,
    /// The key that numbers are sealed with; made if it is not there.
    pub key_file: PathBuf,
    /// How long full numbers are kept, sealed; the masked number stays.
    pub keep_numbers: Duration,
    /// How long challenges are kept.
    pub keep_challenges: Duration,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Default for Store {
    fn default() -> Self {
        Store {
            path: "data/ringtrue.db".into(),
            key_file: "data/ringtrue.key".into(),
            keep_numbers: DAY * 30,
            keep_challenges: DAY * 400,
        }
    }
}

pub(super) fn read(section: &Section<'_>, folder: &Path) -> Store {
    let default = Store::default();
    let path = |key, default: PathBuf| {
        let at = section.text(key, "the path of a file, in quotes");
        folder.join(at.map_or(default, |at| at.value.into()))
    };
    let kept = Duration::ZERO..=DAY * 36_525;
    let keep_challenges = section.duration("keep_challenges", kept.clone());
    let keep_numbers = section.duration("keep_numbers", kept);
    let store = Store {
        path: path("path", default.path),
        key_file: path("key_file", default.key_file),
        keep_challenges: keep_challenges.map_or(default.keep_challenges, |at| at.value),
        keep_numbers: keep_numbers.map_or(default.keep_numbers, |at| at.value),
    };
    if store.path == store.key_file {
        let place = section.place_of("key_file");
        let fault = crate::document::Fault::new(place, "`key_file` is the database itself");
        section.fault(fault.help("name another file"));
    }
    store
}

pub(super) fn show(store: &Store) -> Shown {
    Shown::new("store")
        .with("path", show::path(&store.path))
        .with("key_file", show::path(&store.key_file))
        .with("keep_numbers", show::duration(store.keep_numbers))
        .with("keep_challenges", show::duration(store.keep_challenges))
}
