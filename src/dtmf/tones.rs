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

/// All tables.
pub struct Tones {
    /// Cosines for the even fold, 40 pairs of samples outwards from the middle of the frame.
    pub even: [Pair; HALF / 2],
    /// Sines for the odd fold.
    pub odd: [Pair; HALF / 2],
    /// Cosine and sine of each nominal tone over a block, phase 0 at the block's middle.
    pub block: [[[f32; BLOCK]; 2]; 8],
    /// Cosine and sine of what each nominal tone turns by in so many blocks.
    pub turn: [[[f32; 2]; 16]; 8],
    /// A Hann window over a span, of mean 1.
    pub hann: [f32; SPAN],
}

/// The tables.
pub static TONES: LazyLock<Box<Tones>> = LazyLock::new(|| {
    let mut tones = Box::new(Tones {
        even: [Pair([0; 16]); HALF / 2],
        odd: [Pair([0; 16]); HALF / 2],
        block: [[[0.0; BLOCK]; 2]; 8],
        turn: [[[0.0; 2]; 16]; 8],
        hann: std::array::from_fn(|n| (1.0 - (TAU * (n as f64 + 0.5) / SPAN as f64).cos()) as f32),
    });
    for (tone, hz) in TONES_HZ.iter().enumerate() {
        let step = TAU * hz / RATE;
        for k in 0..HALF {
            let angle = step * (k as f64 + 0.5);
            tones.even[k / 2].0[tone * 2 + k % 2] =
                (angle.cos() * COEFFICIENT_SCALE).round() as i16;
            tones.odd[k / 2].0[tone * 2 + k % 2] = (angle.sin() * COEFFICIENT_SCALE).round() as i16;
        }
        for n in 0..BLOCK {
            let angle = step * (n as f64 - (BLOCK as f64 - 1.0) / 2.0);
            tones.block[tone][0][n] = angle.cos() as f32;
            tones.block[tone][1][n] = angle.sin() as f32;
        }
        for (blocks, turn) in tones.turn[tone].iter_mut().enumerate() {
            let angle = step * (blocks * BLOCK) as f64;
            *turn = [angle.cos() as f32, angle.sin() as f32];
        }
    }
    tones
});
