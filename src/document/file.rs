//! The text of a file that is not too large.

use std::fs::File;
use std::io::Read;
use std::mem;
use std::path::Path;

use zeroize::Zeroize as _;

use super::source::Source;
use super::{Fault, Place};

/// Reads a file of at most `largest` octets, whole MiB, into `text`: the caller's, since what it
/// holds may have to be wiped.
///
/// # Errors
/// A file that cannot be read, is no UTF-8, or is larger.
pub fn read_text(file: &Path, largest: u64, text: &mut String) -> Result<(), Fault> {
    let name = file.display().to_string();
    let whole = || Place::file(&name);
    let mut octets = mem::take(text).into_bytes();
    let read = File::open(file).and_then(|file| file.take(largest + 1).read_to_end(&mut octets));
    let fault = match read {
        Err(error) => {
            Fault::new(whole(), error.to_string()).help("make it a file that can be read")
        }
        Ok(read) if read as u64 > largest => {
            let error = format!("the file is larger than {} MiB", largest >> 20);
            Fault::new(whole(), error).help("make it smaller")
        }
        Ok(_) => match std::str::from_utf8(&octets) {
            Ok(_) => {
                *text = String::from_utf8(octets).unwrap_or_default();
                return Ok(());
            }
            Err(error) => {
                let sound = octets.get(..error.valid_up_to()).unwrap_or_default();
                let sound = std::str::from_utf8(sound).unwrap_or_default();
                let place = Source::new(&name, sound).place(sound.len());
                Fault::new(place, "this is not UTF-8").help("save the file as UTF-8")
            }
        },
    };
    octets.zeroize();
    Err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_told_with_place_and_fix() {
        let folder = tempfile::tempdir().unwrap();
        let told = |octets: &[u8]| {
            let file = folder.path().join("a.toml");
            std::fs::write(&file, octets).unwrap();
            let mut text = String::new();
            let fault = read_text(&file, 1 << 20, &mut text).err();
            (
                fault.map(|f| (f.place.line, f.place.column, f.text, f.help)),
                text,
            )
        };
        assert_eq!(told("é = 1\n".as_bytes()), (None, "é = 1\n".to_owned()));
        let latin = |line, column| {
            let help = Some("save the file as UTF-8".to_owned());
            let fault = Some((line, column, "this is not UTF-8".to_owned(), help));
            (fault, String::new())
        };
        assert_eq!(told(b"a = 1\n# caf\xe9\nb = 2\n"), latin(2, 6));
        assert_eq!(told(b"\xff\xfea"), latin(1, 1));
        assert_eq!(told(b"a\n\xe9"), latin(2, 1));
        let (large, text) = told(&vec![b' '; (1 << 20) + 1]);
        assert_eq!(large.unwrap().2, "the file is larger than 1 MiB");
        assert_eq!(text, "");
    }
}
