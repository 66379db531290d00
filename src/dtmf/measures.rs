//! What was measured of a key, and why something that resembled one was refused.

use serde::Serialize;

use super::Digit;

/// What the detector measured over the best 32 ms of a key.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measures {
    /// Frequency of the low tone in hertz.
    pub low_hz: f32,
    /// Frequency of the high tone in hertz.
    pub high_hz: f32,
    /// Level of the low tone in dBm0.
    pub low_dbm0: f32,
    /// Level of the high tone in dBm0.
    pub high_dbm0: f32,
    /// Power of both tones over all that they leave unexplained, in dB; capped at 60.
    pub snr_db: f32,
    /// 0 to 1: how far inside its limits the worst of the measures lies.
    pub confidence: f32,
}

impl Measures {
    /// Level of the high tone over the low one in dB.
    pub fn twist_db(&self) -> f32 {
        self.high_dbm0 - self.low_dbm0
    }
}

/// Why a stretch of audio that resembled a key is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// One of the tones is below the weakest level.
    TooWeak,
    /// The tones are not steady for as long as a key must last.
    NotSteady,
    /// A tone lies outside the tolerance of its nominal frequency.
    OffFrequency,
    /// The levels of the tones are too far apart.
    Twist,
    /// Too much is left unexplained by two tones: speech, music or noise.
    NotTwoTones,
}

/// A judgement on one 32 ms window that resembled a key; for analysis, not for calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Sample position of the window's start.
    pub start_sample: u64,
    /// Which key it resembled.
    pub digit: Digit,
    /// What was measured, as far as the judgement went.
    pub measures: Option<Measures>,
    /// `None` if it is a key.
    pub refusal: Option<Refusal>,
}
