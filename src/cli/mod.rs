//! The command line.

pub mod key;
pub mod number;
