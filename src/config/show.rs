//! The configuration as it is in force, secrets masked.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Config;
use crate::document::duration::Written;

/// One section as it is in force. Displayed, it is TOML.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    name: String,
    entries: Vec<(&'static str, Value)>,
}

impl Shown {
    pub(super) fn new(name: impl Into<String>) -> Shown {
        Shown {
            name: name.into(),
            entries: Vec::new(),
        }
    }

    /// `null` stands for a key that is not set and has no default.
    pub(super) fn with(mut self, key: &'static str, value: impl Into<Value>) -> Shown {
        self.entries.push((key, value.into()));
        self
    }

    /// The section's name, `trunk.sandbox`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Every key with its value; `null` is not set.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.entries.iter().map(|(key, value)| (*key, value))
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[{}]", self.name)?;
        for (key, value) in &self.entries {
            match value {
                Value::Null => writeln!(f, "# {key} is not set")?,
                // Text, numbers, truth and lists of text are written in JSON as in TOML.
                value => writeln!(f, "{key} = {value}")?,
            }
        }
        Ok(())
    }
}

impl Config {
    /// Every section as it is in force, in the order of the annotated file; secrets masked.
    pub fn shown(&self) -> Vec<Shown> {
        let mut all = vec![
            super::server::show(&self.server),
            super::store::show(&self.store),
            super::sip::show(&self.sip),
            super::media::show(&self.media),
        ];
        all.extend(self.trunks.values().map(super::trunk::show));
        all.extend(self.binds.values().map(super::bind::show));
        all.extend(self.text_gateways.values().map(super::text_gateway::show));
        all.extend([
            super::call::show(&self.call),
            super::challenge::show(&self.challenge),
            super::text::show(&self.text),
            super::guard::show(&self.guard),
            super::prompts::show(&self.prompts),
            super::dialplan::show(&self.dialplan),
            super::log::show(&self.log),
        ]);
        all
    }

    /// The same as one JSON object of sections; trunks are within `trunk`, and so on.
    pub fn shown_json(&self) -> Value {
        let mut all = Map::new();
        for section in self.shown() {
            let entries = section.entries.into_iter();
            let entries = entries
                .map(|(key, value)| (key.to_owned(), value))
                .collect();
            let Some((kind, name)) = section.name.split_once('.') else {
                all.insert(section.name, Value::Object(entries));
                continue;
            };
            let kind = all.entry(kind).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(kind) = kind {
                kind.insert(name.to_owned(), Value::Object(entries));
            }
        }
        Value::Object(all)
    }
}

pub(super) fn duration(duration: Duration) -> String {
    Written(duration).to_string()
}

pub(super) fn path(path: &Path) -> String {
    path.display().to_string()
}
