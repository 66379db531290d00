//! `[challenge]`: how long and how many.

use std::time::Duration;

use super::show::{self, Shown};
use crate::document::Section;

/// How long challenges live, and how many there may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenges {
    /// The life of a challenge whose request names none.
    pub time_to_live: Duration,
    /// Most challenges open at once.
    pub max_open: usize,
    /// Most requests that wait for outcomes at once.
    pub max_waiting: usize,
}

impl Challenges {
    /// The shortest life of a challenge.
    pub const SHORTEST: Duration = Duration::from_secs(30);
    /// The longest life of a challenge.
    pub const LONGEST: Duration = Duration::from_secs(600);
}

impl Default for Challenges {
    fn default() -> Self {
        Challenges {
            time_to_live: Duration::from_secs(120),
            max_open: 10_000,
            max_waiting: 20_000,
        }
    }
}

pub(super) fn read(section: &Section<'_>) -> Challenges {
    let default = Challenges::default();
    Challenges {
        time_to_live: section
            .duration("time_to_live", Challenges::SHORTEST..=Challenges::LONGEST)
            .map_or(default.time_to_live, |at| at.value),
        max_open: section
            .integer("max_open", 1..=1_000_000)
            .map_or(default.max_open, |at| at.value as usize),
        max_waiting: section
            .integer("max_waiting", 1..=1_000_000)
            .map_or(default.max_waiting, |at| at.value as usize),
    }
}

pub(super) fn show(challenges: &Challenges) -> Shown {
    Shown::new("challenge")
        .with("time_to_live", show::duration(challenges.time_to_live))
        .with("max_open", challenges.max_open)
        .with("max_waiting", challenges.max_waiting)
}
