//! The first step: one 20 ms frame against the eight tones.
//!
//! The frame is folded about its middle, which halves the products: cosines see only the sum of
//! the two halves, sines only their difference. All of it is integer arithmetic, so that every
//! instruction set gives the same sums to the last bit.

use super::tones::{FRAME, HALF, Pair, TONES, Tones};

/// The correlations of one frame with the eight tones, low group first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// With the cosines.
    pub even: [i32; 8],
    /// With the sines.
    pub odd: [i32; 8],
}

/// The two folds of a frame, halved so that they fit 16 bits.
#[repr(C, align(32))]
struct Fold {
    even: [i16; HALF],
    odd: [i16; HALF],
}

impl Fold {
    #[inline(always)]
    fn of(frame: &[i16; FRAME]) -> Fold {
        let mut fold = Fold {
            even: [0; HALF],
            odd: [0; HALF],
        };
        for k in 0..HALF {
            let after = frame[HALF + k] >> 1;
            let before = frame[HALF - 1 - k] >> 1;
            fold.even[k] = after.wrapping_add(before);
            fold.odd[k] = after.wrapping_sub(before);
        }
        fold
    }
}

/// Correlates one frame: the portable path.
#[inline(always)]
fn correlate_portable(tones: &Tones, frame: &[i16; FRAME]) -> Sums {
    let fold = Fold::of(frame);
    Sums {
        even: project(&tones.even, &fold.even),
        odd: project(&tones.odd, &fold.odd),
    }
}

#[inline(always)]
fn project(table: &[Pair; HALF / 2], fold: &[i16; HALF]) -> [i32; 8] {
    let mut sums = [0i32; 8];
    for (pair, coefficients) in fold.chunks_exact(2).zip(table) {
        let (first, second) = (i32::from(pair[0]), i32::from(pair[1]));
        for (tone, sum) in sums.iter_mut().enumerate() {
            *sum += first * i32::from(coefficients.0[tone * 2])
                + second * i32::from(coefficients.0[tone * 2 + 1]);
        }
    }
    sums
}

/// Correlates one frame with the eight tones.
pub fn correlate(frame: &[i16; FRAME]) -> Sums {
    correlate_portable(&TONES, frame)
}

/// Which key a frame resembles: row and column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Likeness {
    /// Row of the keypad, 0 to 3.
    pub row: u8,
    /// Column of the keypad, 0 to 3.
    pub column: u8,
}

/// The limits that a frame must keep to be looked at closely; wide on purpose.
#[derive(Debug, Clone, Copy)]
pub struct Gate {
    /// Least power of a tone in units of [`Sums`] squared.
    pub weakest: f32,
    /// Greatest power of the high tone over the low one.
    pub high_over_low: f32,
    /// Greatest power of the low tone over the high one.
    pub low_over_high: f32,
}

/// What a sine's amplitude becomes in [`Sums`].
pub const GAIN: f32 = 40.0 * 1_024.0;

/// The runner-up of a group must be weaker than this share of the winner's power.
const RUNNER_UP: f32 = 0.35;

impl Gate {
    /// The key that these sums resemble, if any.
    #[inline(always)]
    pub fn admit(&self, sums: &Sums) -> Option<Likeness> {
        let mut power = [0f32; 8];
        for (tone, p) in power.iter_mut().enumerate() {
            let (c, s) = (sums.even[tone] as f32, sums.odd[tone] as f32);
            *p = c * c + s * s;
        }
        let (row, low, low_second) = winner(&power[..4]);
        let (column, high, high_second) = winner(&power[4..]);
        let loud = low >= self.weakest && high >= self.weakest;
        let level = high <= low * self.high_over_low && low <= high * self.low_over_high;
        let clear = low_second <= low * RUNNER_UP && high_second <= high * RUNNER_UP;
        (loud & level & clear).then_some(Likeness { row, column })
    }
}

#[inline(always)]
fn winner(power: &[f32]) -> (u8, f32, f32) {
    let (mut at, mut best, mut second) = (0u8, 0f32, 0f32);
    for (index, p) in power.iter().enumerate() {
        if *p > best {
            second = best;
            best = *p;
            at = index as u8;
        } else if *p > second {
            second = *p;
        }
    }
    (at, best, second)
}
