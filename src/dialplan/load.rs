//! Finds and reads the files of a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::document::{Fault, Faults, Place, read_text};

/// The largest file, in octets: a hundred thousand rules.
const LARGEST: u64 = 16 << 20;
/// The most files.
const MOST_FILES: usize = 1000;

/// Names and texts of a folder's `*.toml`, by name.
pub(super) fn files(folder: &Path) -> Result<Vec<(String, String)>, Faults> {
    let listed = list(folder).map_err(|error| {
        fault(folder, &error.to_string()).help("name a folder of *.toml files under [dialplan] dir")
    })?;
    if listed.is_empty() {
        let fault = fault(folder, "there is no *.toml in this folder");
        return Err(fault
            .help("add a file with a [[rule]], or name another folder")
            .into());
    }
    if listed.len() > MOST_FILES {
        let text = format!(
            "{} files are more than the {MOST_FILES} we take",
            listed.len()
        );
        return Err(fault(folder, &text).into());
    }
    let mut faults = Faults::new();
    let mut files = Vec::with_capacity(listed.len());
    for path in listed {
        let mut text = String::new();
        match read_text(&path, LARGEST, &mut text) {
            Ok(()) => files.push((path.display().to_string(), text)),
            Err(fault) => faults.push(fault),
        }
    }
    faults.check()?;
    Ok(files)
}

fn fault(path: &Path, text: &str) -> Fault {
    Fault::new(Place::file(&path.display().to_string()), text)
}

fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
        let toml = path.extension().is_some_and(|e| e == "toml");
        if toml && !hidden && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
