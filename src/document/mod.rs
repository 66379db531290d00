//! Documents: TOML files that people write, read strictly.
//!
//! Every key of a file is either asked for by the reader or a [`Fault`] that names file, line and
//! column and suggests the key that was meant. A reader goes on after a fault, so that one run
//! tells everything that is wrong with a file.

pub mod duration;
mod fault;
mod file;
mod section;
mod source;

pub use duration::read_duration;
pub use fault::{Fault, Faults, Place};
pub use file::read_text;
pub use section::{At, Document, Section, TextOrTable, resembling};
