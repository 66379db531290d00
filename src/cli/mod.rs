//! The command line.

pub mod capture;
pub mod key;
pub mod ladder;
pub mod number;
