//! `[text]`: codes by text, their words and their limits.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::challenge::Challenges;
use super::show::{self, Shown};
use crate::challenge::{Attempts, CodeLength};
use crate::document::{Faults, Section};
use crate::wording::Wording;

/// Codes by text: their words and their limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// The file of words; `None` is what comes with the program.
    pub wording: Option<PathBuf>,
    /// Most messages that one text may take.
    pub most_messages: u8,
    /// How many digits a code has if the request does not say.
    pub code_length: CodeLength,
    /// How many wrong codes end a challenge.
    pub attempts: Attempts,
    /// The life of a challenge by text whose request names none.
    pub time_to_live: Duration,
    /// How long after a text the next of the same challenge may be.
    pub resend_after: Duration,
    /// How often the text of a challenge may be sent again.
    pub resends: u8,
    /// Whether a challenge ends when the carrier says that its text will not arrive.
    pub end_undeliverable: bool,
    /// How long a text waits for a way to a carrier.
    pub patience: Duration,
    /// Texts that may wait for a way at once.
    pub most_waiting: usize,
    /// How long the receipts of a text are awaited.
    pub await_receipts: Duration,
    /// Messages of one account with a carrier whose receipts are awaited in memory.
    pub most_receipts: usize,
}

impl Texts {
    /// Reads the words.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn words(&self) -> Result<Wording, Faults> {
        let Some(file) = &self.wording else {
            return Wording::built_in_within(self.most_messages);
        };
        let advice = "name a file that can be read under [text] wording, or none";
        let text = super::text(file, advice)?;
        Wording::parse(&file.display().to_string(), &text, self.most_messages)
    }
}

impl Default for Texts {
    fn default() -> Self {
        Texts {
            wording: None,
            most_messages: 1,
            code_length: CodeLength::default(),
            attempts: Attempts::default(),
            time_to_live: Duration::from_secs(300),
            resend_after: Duration::from_secs(30),
            resends: 3,
            end_undeliverable: false,
            patience: Duration::from_secs(20),
            most_waiting: 10_000,
            await_receipts: Duration::from_secs(24 * 3600),
            most_receipts: 100_000,
        }
    }
}

pub(super) fn read(section: &Section<'_>, folder: &Path) -> Texts {
    let default = Texts::default();
    let seconds = Duration::from_secs;
    let count = |key, range| {
        let value = section.integer(key, range).map(|at| at.value);
        value.and_then(|value| usize::try_from(value).ok())
    };
    let small = |key, range| {
        let value = section.integer(key, range).map(|at| at.value);
        value.and_then(|value| u8::try_from(value).ok())
    };
    Texts {
        wording: section
            .text("wording", "the path of a file, in quotes")
            .map(|at| folder.join(at.value)),
        most_messages: small("most_messages", 1..=10).unwrap_or(default.most_messages),
        code_length: section
            .integer("code_length", 4..=10)
            .and_then(|at| CodeLength::new(at.value))
            .unwrap_or(default.code_length),
        attempts: section
            .integer("attempts", 1..=u64::from(Attempts::MOST))
            .and_then(|at| Attempts::new(at.value))
            .unwrap_or(default.attempts),
        time_to_live: section
            .duration("time_to_live", Challenges::SHORTEST..=Challenges::LONGEST)
            .map_or(default.time_to_live, |at| at.value),
        resend_after: section
            .duration("resend_after", Duration::from_secs(1)..=Challenges::LONGEST)
            .map_or(default.resend_after, |at| at.value),
        resends: small("resends", 0..=10).unwrap_or(default.resends),
        end_undeliverable: section
            .flag("end_undeliverable")
            .map_or(default.end_undeliverable, |at| at.value),
        patience: section
            .duration("patience", seconds(1)..=seconds(300))
            .map_or(default.patience, |at| at.value),
        most_waiting: count("most_waiting", 1..=1_000_000).unwrap_or(default.most_waiting),
        await_receipts: section
            .duration("await_receipts", seconds(60)..=seconds(7 * 86_400))
            .map_or(default.await_receipts, |at| at.value),
        most_receipts: count("most_receipts", 100..=10_000_000).unwrap_or(default.most_receipts),
    }
}

pub(super) fn show(texts: &Texts) -> Shown {
    Shown::new("text")
        .with("wording", texts.wording.as_deref().map(show::path))
        .with("most_messages", texts.most_messages)
        .with("code_length", texts.code_length.digits())
        .with("attempts", texts.attempts.get())
        .with("time_to_live", show::duration(texts.time_to_live))
        .with("resend_after", show::duration(texts.resend_after))
        .with("resends", texts.resends)
        .with("end_undeliverable", texts.end_undeliverable)
        .with("patience", show::duration(texts.patience))
        .with("most_waiting", texts.most_waiting)
        .with("await_receipts", show::duration(texts.await_receipts))
        .with("most_receipts", texts.most_receipts)
}
