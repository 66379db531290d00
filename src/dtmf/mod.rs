//! DTMF: the sixteen digits, the detector that hears them and the generator that makes them.
//!
//! A [`Detector`] listens to one stream of 8 kHz audio in three steps, each dearer and rarer than
//! the one before:
//!
//! 1. `bank`: every 20 ms frame is correlated with the eight tones in exact integer arithmetic.
//!    Nearly all speech and all silence ends here.
//! 2. `blocks`, `fit`: where a frame looks like a key, its tones must be steady over 4 ms blocks, and
//!    two sinusoids are fitted by least squares to 32 ms windows around it; their frequencies, levels
//!    and what they leave unexplained decide. Where that is too much, `rescue` looks for clicks,
//!    clipping and a dial tone.
//! 3. `presence`: once a key is heard, its two tones are followed to their end.

pub mod analysis;
pub mod bank;
mod blocks;
mod detector;
mod digit;
mod fit;
mod framer;
mod generator;
mod history;
pub mod line;
mod measures;
mod presence;
mod rescue;
mod tones;
mod turns;

pub use detector::{Detection, Detector, DetectorConfig};
pub use digit::{Digit, HIGH_HZ, LOW_HZ};
pub(crate) use framer::Framer;
pub use generator::{Generator, KeyShape};
pub use measures::{Measures, Refusal, Verdict};

/// The amplitude, in 16-bit sample units, of a sine at 0 dBm0: G.711 overloads at +3.14 dBm0.
pub const ZERO_DBM0_AMPLITUDE: f32 = 22_826.6;

/// The level in dBm0 of a sine of this amplitude in 16-bit sample units.
pub fn dbm0(amplitude: f32) -> f32 {
    20.0 * (amplitude.max(1e-3) / ZERO_DBM0_AMPLITUDE).log10()
}

/// The amplitude in 16-bit sample units of a sine at this level in dBm0.
pub fn amplitude(dbm0: f32) -> f32 {
    ZERO_DBM0_AMPLITUDE * 10f32.powf(dbm0 / 20.0)
}
