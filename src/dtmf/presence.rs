//! The third step: the two tones of a key, followed to their end.

// Lanes are read by their numbers, so that the compiler sees vectors.
#![allow(clippy::needless_range_loop)]

use std::f32::consts::TAU;

use super::bank::{GAIN, Kernel, Sums};
use super::blocks::Blocks;
use super::fit::Fit;
use super::tones::{BLOCK, FRAME, RATE, SPAN, SPAN_SCALE, TONES, TONES_HZ};
use super::turns::cos_sin;

/// Where a key lies on the keypad: its row and its column, 0 to 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its row.
    pub row: usize,
    /// Its column.
    pub column: usize,
}

/// The two tones of a key as the fit found them, and what is heard of them.
#[derive(Debug, Clone, Copy)]
pub struct Tones {
    place: Place,
    /// Cosine and sine of what each tone turns by from block to block, beyond its nominal.
    turn: [[f32; 2]; 2],
    /// Least power in a frame that they fill, in units of [`Sums`] squared.
    in_frame: [f32; 2],
    /// Least power about a block.
    in_block: [f32; 2],
    /// Power in a span that they fill, in units of the kernel's sums squared.
    in_span: [f32; 2],
}

/// Whoever holds this share of what the bank would hear of them fills the frame: one block of five
/// left out would leave 0.8.
const WHOLE: f32 = 0.85;
/// Half the strength marks the edge of a key.
const EDGE: f32 = 0.5;

impl Tones {
    /// The tones of the key in this place as they were fitted.
    pub fn new(place: Place, fit: &Fit) -> Tones {
        let hz = fit.hz;
        let nominal = [
            TONES_HZ[place.row & 3] as f32,
            TONES_HZ[4 + (place.column & 3)] as f32,
        ];
        let mut tones = Tones {
            place,
            turn: [[1.0, 0.0]; 2],
            in_frame: [0.0; 2],
            in_block: [0.0; 2],
            in_span: [0.0; 2],
        };
        for k in 0..2 {
            let amplitude = fit.amplitude[k];
            let turns_in = |samples: usize| (hz[k] - nominal[k]) * (samples as f32 / RATE as f32);
            let (c, s) = cos_sin(turns_in(BLOCK));
            tones.turn[k] = [c, s];
            tones.in_block[k] = (EDGE * amplitude * BLOCK as f32).powi(2);
            // A tone that turns against the bank's is heard weaker: by sin x / x, and in the
            // span's Hann window by about 1 - 0.645 turns^2.
            let x = turns_in(FRAME) * TAU / 2.0;
            let (_, s) = cos_sin(turns_in(FRAME) / 2.0);
            let heard = if x.abs() < 1e-3 { 1.0 } else { s / x };
            tones.in_frame[k] = (WHOLE * heard * amplitude * GAIN).powi(2);
            let heard = 1.0 - 0.645 * turns_in(SPAN).powi(2);
            let full = SPAN as f32 * SPAN_SCALE as f32 / 2.0;
            tones.in_span[k] = (heard * amplitude * full).powi(2);
        }
        tones
    }

    /// The key's place.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether both tones fill a frame with these sums, and are the strongest there.
    #[inline(always)]
    pub fn fill(&self, sums: &Sums) -> bool {
        let mut power = [0f32; 8];
        for tone in 0..8 {
            let (c, s) = (sums.even[tone] as f32, sums.odd[tone] as f32);
            power[tone] = c * c + s * s;
        }
        let (low, high) = (
            power[self.place.row & 3],
            power[4 + (self.place.column & 3)],
        );
        let mut strongest = true;
        for k in 0..4 {
            strongest &= (power[k] <= low) & (power[4 + k] <= high);
        }
        strongest & (low >= self.in_frame[0]) & (high >= self.in_frame[1])
    }

    /// In which of the newest frames' blocks both tones are there, a bit for each: each block is
    /// weighed together with half of both its neighbours. The first and the last have none.
    pub fn present(&self, kernel: Kernel, frames: &[Option<&[i16; FRAME]>]) -> u32 {
        if frames.iter().all(Option::is_none) {
            return 0;
        }
        kernel.wide(
            #[inline(always)]
            || {
                let [low, high] = Blocks::of_key(kernel, frames, self.place);
                low.at_least(self.turn[0], self.in_block[0])
                    & high.at_least(self.turn[1], self.in_block[1])
            },
        )
    }

    /// The same of one block among those held against this key.
    pub fn present_in(&self, blocks: &[Blocks; 2], middle: usize) -> bool {
        let strong = |k: usize| blocks[k].power_about(middle, self.turn[k]) >= self.in_block[k];
        strong(0) && strong(1)
    }

    /// How strong the weaker of both tones is in these 10 ms, as a share of its amplitude in the
    /// fit. A Hann window keeps the tones apart; an edge of the key in its middle gives one half.
    pub fn share(&self, kernel: Kernel, span: &[i16; SPAN]) -> f32 {
        let tables = &TONES.keys[(self.place.row & 3) * 4 + (self.place.column & 3)];
        let [low_cos, low_sin, high_cos, high_sin] = kernel.span(span, &tables.span);
        let power = |c: i32, s: i32| {
            let (c, s) = (c as f32, s as f32);
            c * c + s * s
        };
        let low = power(low_cos, low_sin) / self.in_span[0].max(1e-9);
        let high = power(high_cos, high_sin) / self.in_span[1].max(1e-9);
        low.min(high).sqrt()
    }
}
