//! The challenge: one question, "does this person hold this phone now?", with one outcome.

mod outcome;

pub use outcome::{Outcome, Reason};
