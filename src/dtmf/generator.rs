//! Makes the audio of keys.

use std::f64::consts::TAU;

use super::tones::RATE;
use super::{Digit, amplitude};

/// How keys sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyShape {
    /// Level of the low tone in dBm0.
    pub level_dbm0: f32,
    /// Level of the high tone over the low one in dB; negative makes it weaker.
    pub twist_db: f32,
    /// The low tone's frequency as a share of the nominal one: 1.015 is 1.5 % high.
    pub low_scale: f64,
    /// Hertz added to the low tone.
    pub low_offset_hz: f64,
    /// The high tone's frequency as a share of the nominal one.
    pub high_scale: f64,
    /// Hertz added to the high tone.
    pub high_offset_hz: f64,
    /// How long a key sounds, in samples at 8 kHz.
    pub tone_samples: u32,
    /// The silence after each key, in samples at 8 kHz.
    pub pause_samples: u32,
    /// Phase of the low tone at the start of a key, in turns.
    pub low_phase: f64,
    /// Phase of the high tone at the start of a key, in turns.
    pub high_phase: f64,
    /// Leaves the low tone out.
    pub low_off: bool,
    /// Leaves the high tone out.
    pub high_off: bool,
}

impl Default for KeyShape {
    /// 100 ms at -10 dBm0 a tone, 100 ms apart, exactly as Q.23 has it.
    fn default() -> Self {
        KeyShape {
            level_dbm0: -10.0,
            twist_db: 0.0,
            low_scale: 1.0,
            low_offset_hz: 0.0,
            high_scale: 1.0,
            high_offset_hz: 0.0,
            tone_samples: 800,
            pause_samples: 800,
            low_phase: 0.0,
            high_phase: 0.0,
            low_off: false,
            high_off: false,
        }
    }
}

/// Makes the audio of a row of keys, a piece at a time; silence follows when they are done.
#[derive(Debug, Clone)]
pub struct Generator {
    digits: Vec<Digit>,
    shape: KeyShape,
    at: u64,
}

impl Generator {
    /// A generator at the start of the first key.
    pub fn new(digits: &[Digit], shape: KeyShape) -> Generator {
        Generator {
            digits: digits.to_vec(),
            shape,
            at: 0,
        }
    }

    fn period(&self) -> u64 {
        (u64::from(self.shape.tone_samples) + u64::from(self.shape.pause_samples)).max(1)
    }

    /// How many samples all keys and their pauses last.
    pub fn total_samples(&self) -> u64 {
        self.period() * self.digits.len() as u64
    }

    /// Whether every key and pause has been made.
    pub fn is_done(&self) -> bool {
        self.at >= self.total_samples()
    }

    /// Fills `out` with the next samples.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = self.value().round().clamp(-32_768.0, 32_767.0) as i16;
            self.at += 1;
        }
    }

    /// All that is left, before it is rounded or clipped to 16 bits.
    pub fn render_exact(&mut self) -> Vec<f64> {
        let mut out = Vec::new();
        while !self.is_done() {
            out.push(self.value());
            self.at += 1;
        }
        out
    }

    /// All that is left.
    pub fn render(&mut self) -> Vec<i16> {
        let left = self.total_samples().saturating_sub(self.at);
        let mut out = vec![0; usize::try_from(left).unwrap_or(usize::MAX)];
        self.fill(&mut out);
        out
    }

    fn value(&self) -> f64 {
        let shape = &self.shape;
        let (key, within) = (self.at / self.period(), self.at % self.period());
        let Some(digit) = self.digits.get(key as usize) else {
            return 0.0;
        };
        if within >= u64::from(shape.tone_samples) {
            return 0.0;
        }
        let (low, high) = digit.frequencies();
        let low = low * shape.low_scale + shape.low_offset_hz;
        let high = high * shape.high_scale + shape.high_offset_hz;
        let t = within as f64 / RATE;
        let tone = |silent: bool, level: f32, hz: f64, phase: f64| {
            if silent {
                0.0
            } else {
                f64::from(amplitude(level)) * (TAU * (hz * t + phase)).sin()
            }
        };
        tone(shape.low_off, shape.level_dbm0, low, shape.low_phase)
            + tone(
                shape.high_off,
                shape.level_dbm0 + shape.twist_db,
                high,
                shape.high_phase,
            )
    }
}
