//! The fields of a receipt's text form.

/// The fields of the text form, where they stand.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) id: Option<&'a [u8]>,
    pub(super) stat: Option<&'a [u8]>,
    pub(super) err: Option<&'a [u8]>,
    pub(super) submitted: Option<&'a [u8]>,
    pub(super) done: Option<&'a [u8]>,
}

/// The names of the fields. Those whose names others end with come later.
#[derive(Clone, Copy, PartialEq)]
enum Field {
    Id,
    Stat,
    Err,
    Submitted,
    Done,
    Count,
    Text,
}

const NAMES: [(&str, Field); 17] = [
    ("message id", Field::Id),
    ("messageid", Field::Id),
    ("msgid", Field::Id),
    ("id", Field::Id),
    ("status", Field::Stat),
    ("stat", Field::Stat),
    ("error", Field::Err),
    ("err", Field::Err),
    ("submit date", Field::Submitted),
    ("submit_date", Field::Submitted),
    ("submitdate", Field::Submitted),
    ("done date", Field::Done),
    ("done_date", Field::Done),
    ("donedate", Field::Done),
    ("sub", Field::Count),
    ("dlvrd", Field::Count),
    ("text", Field::Text),
];

impl<'a> Fields<'a> {
    /// Each field is a name at the start or behind a separator, a colon, and a value up to the
    /// next separator. `text:` ends it all: what follows are the sender's words.
    pub(super) fn parse(message: &'a [u8]) -> Fields<'a> {
        let mut fields = Fields::default();
        let mut at = 0;
        while at < message.len() {
            let rest = message.get(at..).unwrap_or_default();
            let Some((field, length)) = named(rest) else {
                // On to the next word.
                at += rest
                    .iter()
                    .position(|octet| separates(*octet))
                    .map_or(rest.len(), |word| word + 1);
                continue;
            };
            if field == Field::Text {
                break;
            }
            let value = rest.get(length..).unwrap_or_default();
            let blank = value.iter().take_while(|octet| **octet == b' ').count();
            let unblanked = value.get(blank..).unwrap_or_default();
            // An empty value, and the next field: `err: text:...`.
            let (value, skipped) = if named(unblanked).is_some() {
                (&b""[..], blank)
            } else {
                let end = unblanked
                    .iter()
                    .position(|octet| separates(*octet))
                    .unwrap_or(unblanked.len());
                (unblanked.get(..end).unwrap_or_default(), blank + end)
            };
            at += length + skipped;
            let place = match field {
                Field::Id => &mut fields.id,
                Field::Stat => &mut fields.stat,
                Field::Err => &mut fields.err,
                Field::Submitted => &mut fields.submitted,
                Field::Done => &mut fields.done,
                Field::Count | Field::Text => continue,
            };
            // The first of two is the message centre's.
            if place.is_none() && !value.is_empty() {
                *place = Some(value);
            }
            while message.get(at).is_some_and(|octet| separates(*octet)) {
                at += 1;
            }
        }
        fields
    }
}

const fn separates(octet: u8) -> bool {
    matches!(octet, b' ' | b',' | b';' | b'|' | b'\t' | b'\r' | b'\n' | 0)
}

/// A field's name, its colon included, at the front of `rest`.
fn named(rest: &[u8]) -> Option<(Field, usize)> {
    NAMES.iter().find_map(|(name, field)| {
        let front = rest.get(..name.len())?;
        let colon = matches!(rest.get(name.len()), Some(b':' | b'='));
        (colon && front.eq_ignore_ascii_case(name.as_bytes())).then_some((*field, name.len() + 1))
    })
}
