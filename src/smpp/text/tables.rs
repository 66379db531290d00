//! The 7 bit tables of 3GPP TS 23.038: the default alphabet (6.2.1), its extension (6.2.1.1), the
//! national language single shift tables (Annex A.2) and locking shift tables (Annex A.3).

/// A table of 128 codes; NUL stands at the escape, which is no character.
pub(super) type Table = [char; 128];
/// A single shift table: code, as it stands behind an escape, and character.
pub(super) type Shift = [(u8, char)];

/// The escape to the single shift table.
pub(super) const ESCAPE: u8 = 0x1b;

#[rustfmt::skip]
/// The default alphabet.
pub(super) const DEFAULT: Table = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\0', 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

#[rustfmt::skip]
/// Turkish locking shift: the default alphabet with these changes.
pub(super) const TURKISH: Table = with(&DEFAULT, [
    (0x04, '€'), (0x07, 'ı'), (0x0b, 'Ğ'), (0x0c, 'ğ'), (0x1c, 'Ş'), (0x1d, 'ş'),
    (0x40, 'İ'), (0x60, 'ç'),
]);

#[rustfmt::skip]
/// Portuguese locking shift: the default alphabet with these changes.
pub(super) const PORTUGUESE: Table = with(&DEFAULT, [
    (0x04, 'ê'), (0x06, 'ú'), (0x07, 'í'), (0x08, 'ó'), (0x09, 'ç'), (0x0b, 'Ô'),
    (0x0c, 'ô'), (0x0e, 'Á'), (0x0f, 'á'), (0x12, 'ª'), (0x13, 'Ç'), (0x14, 'À'),
    (0x15, '∞'), (0x16, '^'), (0x17, '\\'), (0x18, '€'), (0x19, 'Ó'), (0x1a, '|'),
    (0x1c, 'Â'), (0x1d, 'â'), (0x1e, 'Ê'), (0x24, 'º'), (0x40, 'Í'), (0x5b, 'Ã'),
    (0x5c, 'Õ'), (0x5d, 'Ú'), (0x60, '~'), (0x7b, 'ã'), (0x7c, 'õ'), (0x7d, '`'),
]);

#[rustfmt::skip]
/// The extension of the default alphabet.
pub(super) const DEFAULT_SHIFT: &Shift = &[
    (0x0a, '\u{c}'), (0x14, '^'), (0x28, '{'), (0x29, '}'), (0x2f, '\\'), (0x3c, '['),
    (0x3d, '~'), (0x3e, ']'), (0x40, '|'), (0x65, '€'),
];

#[rustfmt::skip]
/// Turkish single shift.
pub(super) const TURKISH_SHIFT: &Shift = &[
    (0x0a, '\u{c}'), (0x14, '^'), (0x28, '{'), (0x29, '}'), (0x2f, '\\'), (0x3c, '['),
    (0x3d, '~'), (0x3e, ']'), (0x40, '|'), (0x47, 'Ğ'), (0x49, 'İ'), (0x53, 'Ş'),
    (0x63, 'ç'), (0x65, '€'), (0x67, 'ğ'), (0x69, 'ı'), (0x73, 'ş'),
];

#[rustfmt::skip]
/// Spanish single shift.
pub(super) const SPANISH_SHIFT: &Shift = &[
    (0x09, 'ç'), (0x0a, '\u{c}'), (0x14, '^'), (0x28, '{'), (0x29, '}'), (0x2f, '\\'),
    (0x3c, '['), (0x3d, '~'), (0x3e, ']'), (0x40, '|'), (0x41, 'Á'), (0x49, 'Í'),
    (0x4f, 'Ó'), (0x55, 'Ú'), (0x61, 'á'), (0x65, '€'), (0x69, 'í'), (0x6f, 'ó'),
    (0x75, 'ú'),
];

#[rustfmt::skip]
/// Portuguese single shift.
pub(super) const PORTUGUESE_SHIFT: &Shift = &[
    (0x05, 'ê'), (0x09, 'ç'), (0x0a, '\u{c}'), (0x0b, 'Ô'), (0x0c, 'ô'), (0x0e, 'Á'),
    (0x0f, 'á'), (0x12, 'Φ'), (0x13, 'Γ'), (0x14, '^'), (0x15, 'Ω'), (0x16, 'Π'),
    (0x17, 'Ψ'), (0x18, 'Σ'), (0x19, 'Θ'), (0x1f, 'Ê'), (0x28, '{'), (0x29, '}'),
    (0x2f, '\\'), (0x3c, '['), (0x3d, '~'), (0x3e, ']'), (0x40, '|'), (0x41, 'À'),
    (0x49, 'Í'), (0x4f, 'Ó'), (0x55, 'Ú'), (0x5b, 'Ã'), (0x5c, 'Õ'), (0x61, 'Â'),
    (0x65, '€'), (0x69, 'í'), (0x6f, 'ó'), (0x75, 'ú'), (0x7b, 'ã'), (0x7c, 'õ'),
    (0x7f, 'â'),
];

const fn with<const N: usize>(base: &Table, changes: [(u8, char); N]) -> Table {
    let mut table = *base;
    let mut at = 0;
    while at < N {
        table[(changes[at].0 & 0x7f) as usize] = changes[at].1;
        at += 1;
    }
    table
}
