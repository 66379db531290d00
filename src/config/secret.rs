//! Secrets: in the file itself, or better in files of their own.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::document::{At, Fault, Section};

/// The largest file of a secret, in octets.
const LARGEST: u64 = 4096;

/// What a section says of a secret.
pub(super) enum Secret {
    /// This.
    Given(Zeroizing<String>),
    /// Something that is faulty, which was noted.
    Faulty,
    /// Nothing.
    Absent,
}

/// The secret of `key`, or of the file that `file_key` names.
pub(super) fn read(
    section: &Section<'_>,
    key: &'static str,
    file_key: &'static str,
    folder: &Path,
    fits: fn(&str) -> bool,
) -> Secret {
    let wanted = format!("the {key} in quotes");
    let given = section.read(key, &wanted, |text| {
        fits(text).then(|| Zeroizing::new(text.to_owned()))
    });
    let file = section.text(file_key, "the path of a file, in quotes");
    match (given, file) {
        (Some(_), Some(file)) => {
            let text = format!("`{file_key}` and `{key}` are both given");
            let fault = Fault::new(file.place, text);
            section.fault(fault.help("keep one of them; a file keeps the secret out of this one"));
            Secret::Faulty
        }
        (Some(given), None) => Secret::Given(given.value),
        (None, Some(file)) => match line(section, key, &file, folder, fits) {
            Some(line) => Secret::Given(line),
            None => Secret::Faulty,
        },
        (None, None) => {
            let absent = |key| section.place_of(key) == section.place();
            if absent(key) && absent(file_key) {
                Secret::Absent
            } else {
                Secret::Faulty
            }
        }
    }
}

/// The first line of a file, which must be all of it.
fn line(
    section: &Section<'_>,
    key: &str,
    file: &At<&str>,
    folder: &Path,
    fits: fn(&str) -> bool,
) -> Option<Zeroizing<String>> {
    let path = folder.join(file.value);
    let read = || -> io::Result<Zeroizing<String>> {
        let mut text = Zeroizing::new(String::with_capacity(LARGEST as usize + 1));
        File::open(&path)?
            .take(LARGEST + 1)
            .read_to_string(&mut text)?;
        Ok(text)
    };
    let fault = match read() {
        Ok(text) => {
            let line = text.strip_suffix('\n').unwrap_or(&text);
            let line = line.strip_suffix('\r').unwrap_or(line);
            if fits(line) {
                return Some(Zeroizing::new(line.to_owned()));
            }
            format!("it must hold one line with the {key} and nothing else")
        }
        Err(error) => error.to_string(),
    };
    let text = format!("{} cannot be used: {fault}", path.display());
    section.fault(Fault::new(file.place.clone(), text));
    None
}

/// What can stand in a header or a digest answer: printable, on one line.
pub(super) fn fits_line(text: &str) -> bool {
    (1..=256).contains(&text.len()) && !text.chars().any(char::is_control)
}
