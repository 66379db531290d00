//! When something happened lately, as far back as its rates look.

use std::collections::VecDeque;

use super::{Rate, milliseconds};

/// Times in milliseconds, the oldest first; no more than the highest count of its rates.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<u64>);

impl Recent {
    /// How long until once more is within every rate, in milliseconds; 0 if it is now.
    pub fn wait(&self, now: u64, rates: &[Rate]) -> u64 {
        let wait = |rate: &Rate| {
            // Once more is too much while the one `count` back is within the window.
            let back = self.0.len().checked_sub(rate.count as usize)?;
            let free = self.0.get(back)?.saturating_add(milliseconds(rate.window));
            Some(free.saturating_sub(now))
        };
        rates.iter().filter_map(wait).max().unwrap_or(0)
    }

    /// It happened.
    pub fn note(&mut self, now: u64, rates: &[Rate]) {
        let most = rates.iter().map(|r| r.count as usize).max().unwrap_or(0);
        self.0.push_back(now);
        while self.0.len() > most {
            self.0.pop_front();
        }
    }

    /// It did not happen after all.
    pub fn forget(&mut self, at: u64) {
        if let Some(index) = self.0.iter().rposition(|time| *time == at) {
            self.0.remove(index);
        }
    }
}
