//! The text of a file, and which line and column an offset is.

use std::sync::Arc;

use super::Place;

/// A file's name and where its lines begin.
pub(super) struct Source<'t> {
    name: Arc<str>,
    text: &'t str,
    /// The offset of each line's first octet.
    lines: Vec<usize>,
}

impl<'t> Source<'t> {
    pub(super) fn new(name: &str, text: &'t str) -> Source<'t> {
        let mut lines = vec![0];
        lines.extend(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1));
        Source {
            name: name.into(),
            text,
            lines,
        }
    }

    pub(super) fn place(&self, offset: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = line
            .checked_sub(1)
            .and_then(|l| self.lines.get(l))
            .copied()
            .unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or("");
        Place {
            file: Arc::clone(&self.name),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_lines_and_characters() {
        let source = Source::new("a.toml", "é = 1\r\n\nxy");
        let at = |offset| {
            let place = source.place(offset);
            (place.line, place.column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(2), (1, 2));
        assert_eq!(at(8), (2, 1));
        assert_eq!(at(9), (3, 1));
        assert_eq!(at(10), (3, 2));
        // Past the end, and within a character: some place, no panic.
        assert_eq!(at(1000), (3, 1));
        assert_eq!(at(1), (1, 1));
        assert_eq!(source.place(9).to_string(), "a.toml:3:1");
    }
}
