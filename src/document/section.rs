//! A TOML document and its tables, asked key by key.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::duration::Written;
use super::source::Source;
use super::{Fault, Faults, Place, read_duration};

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where.
    pub place: Place,
}

/// A TOML file as parsed. Ask its [`root`](Document::root), then [`close`](Document::close) it.
pub struct Document<'t> {
    source: Source<'t>,
    root: Spanned<DeTable<'t>>,
    heard: RefCell<Heard>,
}

/// What readers asked and what was wrong, gathered until the document is closed.
#[derive(Default)]
struct Heard {
    faults: Faults,
    /// Keys that were asked for, by the kind of section: what the file may hold.
    known: BTreeMap<Arc<str>, BTreeSet<&'static str>>,
    /// Keys that are there and were not asked for: place, kind of section, key.
    unknown: Vec<(Place, Arc<str>, String)>,
}

impl<'t> Document<'t> {
    /// Parses a file; `name` is what faults call it.
    ///
    /// # Errors
    /// Every place where it is not TOML. The file's text is not repeated: it may be a secret.
    pub fn parse(name: &str, text: &'t str) -> Result<Document<'t>, Faults> {
        let source = Source::new(name, text);
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut faults = Faults::new();
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start);
            let fault = Fault::new(source.place(offset), syntax(error.message()));
            faults.push(fault.help(help(error.message())));
        }
        faults.check()?;
        Ok(Document {
            source,
            root,
            heard: RefCell::default(),
        })
    }

    /// The table of the whole file.
    pub fn root(&self) -> Section<'_> {
        Section {
            document: self,
            kind: "".into(),
            name: String::new(),
            table: Some(self.root.get_ref()),
            start: 0,
        }
    }

    /// Ends reading.
    ///
    /// # Errors
    /// All faults: those that readers found, and every key that none of them asked for.
    pub fn close(self) -> Result<(), Faults> {
        let Heard {
            mut faults,
            known,
            unknown,
        } = self.heard.into_inner();
        for (place, kind, key) in unknown {
            if known.get(&kind).is_some_and(|keys| keys.contains(&*key)) {
                continue;
            }
            faults.push(unknown_key(place, &kind, &key, &known));
        }
        faults.check()
    }
}

/// What the TOML parser says, for people.
fn syntax(message: &str) -> String {
    format!("this is not TOML: {message}")
}

/// What mends it most likely.
fn help(message: &str) -> &'static str {
    if message.starts_with("duplicate key") {
        return "keep one of the two";
    }
    "write name = value, one on a line, below the [section] it belongs to; texts stand in quotes"
}

fn unknown_key(
    place: Place,
    kind: &str,
    key: &str,
    known: &BTreeMap<Arc<str>, BTreeSet<&'static str>>,
) -> Fault {
    let text = match kind {
        "" => format!("unknown key `{}`", shown(key)),
        kind => format!("unknown key `{}` in [{kind}]", shown(key)),
    };
    let here = known.get(kind);
    let near = here.and_then(|keys| resembling(key, keys.iter().copied()));
    let elsewhere = || {
        let mut sections = known
            .iter()
            .filter(|(other, keys)| &***other != kind && keys.contains(key))
            .map(|(other, _)| other);
        // In more than one section it tells nothing.
        sections.next().filter(|_| sections.next().is_none())
    };
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => match elsewhere().map(|s| &**s) {
            Some("") => format!("`{key}` belongs at the top of the file, outside any section"),
            Some(section) => format!("`{key}` belongs in [{section}]"),
            None => {
                let keys: Vec<&str> = here.into_iter().flatten().copied().collect();
                format!("remove it; the keys here are {}", keys.join(", "))
            }
        },
    };
    Fault::new(place, text).help(help)
}

/// The one of `known` that somebody who wrote `word` most likely meant.
pub fn resembling<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    // Distances take time in the product of lengths, and no key is this long.
    let word: String = plain(word).chars().take(64).collect();
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&word, &plain(k)), k))
        .filter(|(distance, k)| {
            let allowed = (k.len().min(word.len()) / 3).max(1);
            let begun = word.len() >= 3 && (k.starts_with(&word) || word.starts_with(k));
            *distance <= allowed || begun
        })
        .min()
        .map(|(_, k)| k)
}

/// A table of a document. Keys that are not asked for by the time it is dropped are faults.
pub struct Section<'d> {
    document: &'d Document<'d>,
    /// What it is called in advice, the same for tables of one kind: `trunk.NAME`.
    kind: Arc<str>,
    /// Its own name, where it stands among others of its kind.
    name: String,
    table: Option<&'d DeTable<'d>>,
    start: usize,
}

/// One of a list that holds texts and tables.
pub enum TextOrTable<'d> {
    /// A text, 1 to 4096 octets without control characters.
    Text(At<&'d str>),
    /// A table.
    Table(Section<'d>),
}

type Entry<'d> = (
    &'d Spanned<std::borrow::Cow<'d, str>>,
    &'d Spanned<DeValue<'d>>,
);

impl<'d> Section<'d> {
    /// Its own name: `carrier` of `[trunk.carrier]`; empty for others.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it begins.
    pub fn place(&self) -> Place {
        self.document.source.place(self.start)
    }

    /// Notes a fault.
    pub fn fault(&self, fault: Fault) {
        self.document.heard.borrow_mut().faults.push(fault);
    }

    /// Where `key` is written, or the section if it is not.
    pub fn place_of(&self, key: &'static str) -> Place {
        match self.table.and_then(|t| t.get_key_value(key)) {
            Some((written, _)) => self.document.source.place(written.span().start),
            None => self.place(),
        }
    }

    /// Whether `key` is written, whatever its value.
    pub fn has(&self, key: &'static str) -> bool {
        self.entry(key).is_some()
    }

    fn entry(&self, key: &'static str) -> Option<Entry<'d>> {
        let mut heard = self.document.heard.borrow_mut();
        if let Some(keys) = heard.known.get_mut(&self.kind) {
            keys.insert(key);
        } else {
            heard
                .known
                .insert(Arc::clone(&self.kind), BTreeSet::from([key]));
        }
        self.table?.get_key_value(key)
    }

    fn at<T>(&self, value: &Spanned<DeValue<'d>>, it: T) -> At<T> {
        At {
            value: it,
            place: self.document.source.place(value.span().start),
        }
    }

    fn wanted(&self, key: &str, value: &Spanned<DeValue<'d>>, wanted: &str) {
        let place = self.document.source.place(value.span().start);
        let kind = match value.get_ref() {
            DeValue::String(_) => "this text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.fault(
            Fault::new(place, format!("`{key}` cannot be {kind}")).help(format!("write {wanted}")),
        );
    }

    /// The text of `key` as `read` understands it; `wanted` completes *write ...*.
    pub fn read<T>(
        &self,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<At<T>> {
        let (_, value) = self.entry(key)?;
        let it = match value.get_ref() {
            DeValue::String(text) => read(text),
            _ => None,
        };
        if it.is_none() {
            self.wanted(key, value, wanted);
        }
        it.map(|it| self.at(value, it))
    }

    /// The text of `key`, 1 to 4096 octets without control characters.
    pub fn text(&self, key: &'static str, wanted: &str) -> Option<At<&'d str>> {
        let (_, value) = self.entry(key)?;
        match value.get_ref() {
            DeValue::String(text) if is_plain(text) => Some(self.at(value, text)),
            _ => {
                self.wanted(key, value, wanted);
                None
            }
        }
    }

    /// The text of `key`, or the texts of a list, which may not be empty.
    pub fn texts(&self, key: &'static str, wanted: &str) -> Option<Vec<At<&'d str>>> {
        let (_, value) = self.entry(key)?;
        let mut texts = Vec::new();
        match value.get_ref() {
            DeValue::String(text) if is_plain(text) => texts.push(self.at(value, &**text)),
            DeValue::Array(list) => {
                for each in list.iter() {
                    match each.get_ref() {
                        DeValue::String(text) if is_plain(text) => texts.push(self.at(each, text)),
                        _ => {
                            self.wanted(key, each, wanted);
                            return None;
                        }
                    }
                }
            }
            _ => {}
        }
        if texts.is_empty() {
            self.wanted(key, value, wanted);
            return None;
        }
        Some(texts)
    }

    /// As [`texts`](Section::texts), and a list may be empty.
    pub fn any_texts(&self, key: &'static str, wanted: &str) -> Option<Vec<At<&'d str>>> {
        match self.entry(key)?.1.get_ref() {
            DeValue::Array(list) if list.is_empty() => Some(Vec::new()),
            _ => self.texts(key, wanted),
        }
    }

    /// The texts and tables of the list `key`, or the one text or table that stands for a list; it
    /// may not be empty. `kind` is what the tables are called in advice.
    pub fn texts_or_tables(
        &self,
        key: &'static str,
        kind: &str,
        wanted: &str,
    ) -> Option<Vec<TextOrTable<'d>>> {
        let (_, value) = self.entry(key)?;
        let listed: Vec<&'d Spanned<DeValue<'d>>> = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![value],
        };
        let kind: Arc<str> = kind.into();
        let mut all = Vec::new();
        for each in listed {
            all.push(match each.get_ref() {
                DeValue::String(text) if is_plain(text) => TextOrTable::Text(self.at(each, text)),
                DeValue::Table(table) => TextOrTable::Table(Section {
                    document: self.document,
                    kind: Arc::clone(&kind),
                    name: String::new(),
                    table: Some(table),
                    start: each.span().start,
                }),
                _ => {
                    self.wanted(key, each, wanted);
                    return None;
                }
            });
        }
        if all.is_empty() {
            self.wanted(key, value, wanted);
            return None;
        }
        Some(all)
    }

    /// Whether `key` is `true` or `false`.
    pub fn flag(&self, key: &'static str) -> Option<At<bool>> {
        let (_, value) = self.entry(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(self.at(value, *flag)),
            _ => {
                self.wanted(key, value, "true or false, without quotes");
                None
            }
        }
    }

    /// Whether `key` is written as `false`, for keys that are text or off; other values are left
    /// to the next question.
    pub fn is_off(&self, key: &'static str) -> bool {
        matches!(self.entry(key), Some((_, value)) if matches!(value.get_ref(), DeValue::Boolean(false)))
    }

    /// The whole number of `key`, within `range`.
    pub fn integer(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<At<u64>> {
        let (_, value) = self.entry(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(i) => u64::from_str_radix(i.as_str(), i.radix()).ok(),
            _ => None,
        };
        match number.filter(|n| range.contains(n)) {
            Some(number) => Some(self.at(value, number)),
            None => {
                let wanted = format!(
                    "a whole number from {} to {}, without quotes",
                    range.start(),
                    range.end()
                );
                self.out_of_range(key, value, number.is_some(), &wanted);
                None
            }
        }
    }

    /// The duration of `key`, within `range`.
    pub fn duration(
        &self,
        key: &'static str,
        range: RangeInclusive<Duration>,
    ) -> Option<At<Duration>> {
        let (_, value) = self.entry(key)?;
        let duration = match value.get_ref() {
            DeValue::String(text) => read_duration(text),
            _ => None,
        };
        match duration.filter(|d| range.contains(d)) {
            Some(duration) => Some(self.at(value, duration)),
            None => {
                let wanted = format!(
                    "a duration from \"{}\" to \"{}\", with units: \"30s\", \"1m30s\", \"250ms\"",
                    Written(*range.start()),
                    Written(*range.end())
                );
                self.out_of_range(key, value, duration.is_some(), &wanted);
                None
            }
        }
    }

    fn out_of_range(&self, key: &str, value: &Spanned<DeValue<'d>>, read: bool, wanted: &str) {
        if read {
            let place = self.document.source.place(value.span().start);
            let fault = Fault::new(place, format!("`{key}` is out of range"));
            self.fault(fault.help(format!("write {wanted}")));
        } else {
            self.wanted(key, value, wanted);
        }
    }

    fn inner(
        &self,
        key: &str,
        kind: Arc<str>,
        name: String,
        start: usize,
        value: &'d Spanned<DeValue<'d>>,
    ) -> Option<Section<'d>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Section {
                document: self.document,
                kind,
                name,
                table: Some(table),
                start,
            }),
            _ => {
                self.wanted(
                    key,
                    value,
                    &format!("[{kind}] on a line of its own, and its keys below"),
                );
                None
            }
        }
    }

    /// The table `[key]`; one that is not there answers every question with nothing.
    pub fn section(&self, key: &'static str) -> Section<'d> {
        let there = self.entry(key).and_then(|(written, value)| {
            let start = written.span().start;
            self.inner(key, key.into(), String::new(), start, value)
        });
        there.unwrap_or_else(|| Section {
            document: self.document,
            kind: key.into(),
            name: String::new(),
            table: None,
            start: self.start,
        })
    }

    /// The tables `[key.NAME]`, by name.
    pub fn named(&self, key: &'static str) -> Vec<Section<'d>> {
        let Some((_, value)) = self.entry(key) else {
            return Vec::new();
        };
        let kind: Arc<str> = format!("{key}.NAME").into();
        let DeValue::Table(table) = value.get_ref() else {
            self.wanted(
                key,
                value,
                &format!("[{kind}] on a line of its own, and its keys below"),
            );
            return Vec::new();
        };
        table
            .iter()
            .filter_map(|(name, value)| {
                let start = name.span().start;
                let name = name.get_ref().to_string();
                let shown = format!("{key}.{}", shown(&name));
                self.inner(&shown, Arc::clone(&kind), name, start, value)
            })
            .collect()
    }

    /// The tables `[[key]]`, in order.
    pub fn list(&self, key: &'static str) -> Vec<Section<'d>> {
        let Some((_, value)) = self.entry(key) else {
            return Vec::new();
        };
        let kind: Arc<str> = key.into();
        let DeValue::Array(list) = value.get_ref() else {
            self.wanted(
                key,
                value,
                &format!("[[{key}]] in double brackets, once for each"),
            );
            return Vec::new();
        };
        list.iter()
            .filter_map(|each| {
                self.inner(
                    key,
                    Arc::clone(&kind),
                    String::new(),
                    each.span().start,
                    each,
                )
            })
            .collect()
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        let mut heard = self.document.heard.borrow_mut();
        let heard = &mut *heard;
        let known = heard.known.get(&self.kind);
        for key in self.table.into_iter().flat_map(DeTable::keys) {
            let name: &str = key.get_ref();
            // Asked again when the document is closed: another section of the kind may know it.
            if heard.unknown.len() < MOST_UNKNOWN && !known.is_some_and(|k| k.contains(name)) {
                let place = self.document.source.place(key.span().start);
                heard
                    .unknown
                    .push((place, Arc::clone(&self.kind), name.to_owned()));
            }
        }
    }
}

/// Unknown keys kept until the document is closed.
const MOST_UNKNOWN: usize = 1000;

/// Text that fits on a line and in a message.
fn is_plain(text: &str) -> bool {
    (1..=4096).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// A key as a message may show it.
fn shown(key: &str) -> String {
    key.chars().take(64).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests;
