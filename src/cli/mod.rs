//! The command line.

pub mod prompts;
