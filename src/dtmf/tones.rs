//! The tables of the eight tones, computed once and shared by every stream.

use std::f64::consts::TAU;
use std::sync::LazyLock;

use super::digit::{HIGH_HZ, LOW_HZ};

/// Samples a second.
pub const RATE: f64 = 8_000.0;
/// Samples of one frame of the bank, 20 ms.
pub const FRAME: usize = 160;
/// Half a frame: the bank folds it about its middle.
pub const HALF: usize = FRAME / 2;
/// Samples of the window in which the edge of a tone is looked for, 10 ms.
pub const SPAN: usize = 80;
/// Samples of one window of the fit, 32 ms.
pub const WINDOW: usize = 256;
/// Samples of one of the short blocks of a window, 4 ms.
pub const BLOCK: usize = 32;
/// Blocks of a window.
pub const BLOCKS: usize = WINDOW / BLOCK;
/// Blocks of a frame.
pub const FRAME_BLOCKS: usize = FRAME / BLOCK;
/// Blocks looked at in one go: those of three frames, and one for a round number.
pub const MOST_BLOCKS: usize = 16;
/// The bank's coefficients are integers of this scale: sums of 80 products with 16-bit samples
/// stay below 2^31 whatever the samples are.
pub const COEFFICIENT_SCALE: f64 = 1_024.0;

/// The eight tones, low group first.
pub const TONES_HZ: [f64; 8] = [
    LOW_HZ[0], LOW_HZ[1], LOW_HZ[2], LOW_HZ[3], HIGH_HZ[0], HIGH_HZ[1], HIGH_HZ[2], HIGH_HZ[3],
];

/// Coefficients for two neighbouring samples of the eight tones, interleaved as `pmaddwd` wants
/// them: tone 0 of the first, tone 0 of the second, tone 1 of the first and so on.
#[repr(C, align(32))]
#[derive(Clone, Copy)]
pub struct Pair(pub [i16; 16]);

/// The same for four neighbouring samples: tone 0 of the first two, tone 0 of the last two and so
/// on.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct Four(pub [i16; 32]);

/// The rows of an [`Octet`]: cosine and sine of the low tone, cosine and sine of the high one.
pub const ROWS: usize = 4;

/// Coefficients for eight neighbouring samples and the two tones of one key, row by row.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct Octet(pub [i16; ROWS * 8]);

impl Octet {
    const ZERO: Octet = Octet([0; ROWS * 8]);
}

/// The scale of the coefficients of a block and of a span under its Hann window, whose top is 2:
/// sums of their products with 16-bit samples stay below 2^31.
pub const BLOCK_SCALE: f64 = 1_024.0;
/// See [`BLOCK_SCALE`].
pub const SPAN_SCALE: f64 = 512.0;

/// The tables of one key.
pub struct KeyTables {
    /// Both tones over a block, phase 0 at its middle.
    pub block: [Octet; BLOCK / 8],
    /// Both tones over a span, phase 0 at its middle, under a Hann window of mean 1.
    pub span: [Octet; SPAN / 8],
}

/// All tables.
pub struct Tones {
    /// Cosines for the even fold, 40 pairs of samples outwards from the middle of the frame.
    pub even: [Pair; HALF / 2],
    /// Sines for the odd fold.
    pub odd: [Pair; HALF / 2],
    /// The cosines again, by four samples.
    pub even_by_four: [Four; HALF / 4],
    /// The sines again, by four samples.
    pub odd_by_four: [Four; HALF / 4],
    /// Those of the sixteen keys, row by row of the keypad.
    pub keys: [KeyTables; 16],
    /// Cosines and sines of what each nominal tone turns by in so many blocks.
    pub turn: [[[f32; MOST_BLOCKS]; 2]; 8],
}

/// The tables.
pub static TONES: LazyLock<Box<Tones>> = LazyLock::new(|| {
    let mut tones = Box::new(Tones {
        even: [Pair([0; 16]); HALF / 2],
        odd: [Pair([0; 16]); HALF / 2],
        even_by_four: [Four([0; 32]); HALF / 4],
        odd_by_four: [Four([0; 32]); HALF / 4],
        keys: [const {
            KeyTables {
                block: [Octet::ZERO; BLOCK / 8],
                span: [Octet::ZERO; SPAN / 8],
            }
        }; 16],
        turn: [[[0.0; MOST_BLOCKS]; 2]; 8],
    });
    for (tone, hz) in TONES_HZ.iter().enumerate() {
        let step = TAU * hz / RATE;
        for k in 0..HALF {
            let angle = step * (k as f64 + 0.5);
            tones.even[k / 2].0[tone * 2 + k % 2] =
                (angle.cos() * COEFFICIENT_SCALE).round() as i16;
            tones.odd[k / 2].0[tone * 2 + k % 2] = (angle.sin() * COEFFICIENT_SCALE).round() as i16;
        }
        for blocks in 0..MOST_BLOCKS {
            let angle = step * (blocks * BLOCK) as f64;
            tones.turn[tone][0][blocks] = angle.cos() as f32;
            tones.turn[tone][1][blocks] = angle.sin() as f32;
        }
    }
    for (fours, pairs) in [
        (&mut tones.even_by_four, &tones.even),
        (&mut tones.odd_by_four, &tones.odd),
    ] {
        for (k, pair) in pairs.iter().enumerate() {
            for (place, coefficient) in pair.0.iter().enumerate() {
                fours[k / 2].0[place / 2 * 4 + k % 2 * 2 + place % 2] = *coefficient;
            }
        }
    }
    for (key, tables) in tones.keys.iter_mut().enumerate() {
        let hz = [TONES_HZ[key / 4], TONES_HZ[4 + key % 4]];
        fill(&mut tables.block, hz, |_| BLOCK_SCALE);
        fill(&mut tables.span, hz, |n| {
            SPAN_SCALE * (1.0 - (TAU * (n as f64 + 0.5) / SPAN as f64).cos())
        });
    }
    tones
});

/// Fills the table of two tones, each sample's scale given by its place.
fn fill(table: &mut [Octet], hz: [f64; 2], scale: impl Fn(usize) -> f64) {
    let length = (table.len() * 8) as f64;
    for n in 0..table.len() * 8 {
        for (tone, hz) in hz.iter().enumerate() {
            let angle = TAU * hz / RATE * (n as f64 - (length - 1.0) / 2.0);
            let place = tone * 16 + n % 8;
            table[n / 8].0[place] = (angle.cos() * scale(n)).round() as i16;
            table[n / 8].0[place + 8] = (angle.sin() * scale(n)).round() as i16;
        }
    }
}
