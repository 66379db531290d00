//! DTMF: the sixteen digits, the detector that hears them and the generator that makes them.

mod digit;

pub use digit::Digit;
