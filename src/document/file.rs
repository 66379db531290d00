//! The text of a file that is not too large.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads a file of at most `largest` octets, whole MiB, into `text`: the caller's, since what it
/// holds may have to be wiped.
///
/// # Errors
/// A file that cannot be read, is no UTF-8, or is larger.
pub fn read_text(file: &Path, largest: u64, text: &mut String) -> io::Result<()> {
    let read = File::open(file)?.take(largest + 1).read_to_string(text)?;
    if read as u64 > largest {
        let error = format!("the file is larger than {} MiB", largest >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, error));
    }
    Ok(())
}
