//! Whether a frame resembles a key closely enough to be worth a fit.

// Lanes are read by their numbers, so that the compiler sees vectors.
#![allow(clippy::needless_range_loop)]

use super::Sums;
use crate::dtmf::presence::Place;
use crate::dtmf::tones::FRAME;

/// Which key a frame resembles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// Where the key lies.
    pub place: Place,
    /// Whether the two tones hold too little of the frame's energy, as a click would have it.
    pub drowned: bool,
    /// The sum of the amplitudes of both tones, in sample units.
    pub amplitude: f32,
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

/// The two tones of a key hold at least this share of a frame's energy: both at the edge of their
/// tolerance keep 0.4 in the bank, and a dial tone as strong as they or noise 8 dB below takes
/// some of that.
pub const SHARE: f32 = 0.22;
/// The energy of a sine of amplitude 1 in the units of [`Sums::energy`].
const SINE_ENERGY: f32 = FRAME as f32 / 2.0 / 64.0;

/// The runner-up of a group must be weaker than this share of the winner's power.
const RUNNER_UP: f32 = 0.35;

impl Gate {
    /// A frame of less energy, in the units of [`Sums::energy`], is none of a key: half of what
    /// two tones of the least power have, since a tone seen through the bank's window is not
    /// quite alone.
    pub fn least_energy(&self) -> u32 {
        (self.weakest / (GAIN * GAIN) * SINE_ENERGY) as u32
    }

    /// Whether these sums resemble a key.
    #[inline(always)]
    pub fn admits(&self, sums: &Sums) -> bool {
        let (_, best, second) = powers(sums);
        let (low, high) = (best[0], best[4]);
        let loud = (low >= self.weakest) & (high >= self.weakest);
        let level = (high <= low * self.high_over_low) & (low <= high * self.low_over_high);
        let clear = (second[0] <= low * RUNNER_UP) & (second[4] <= high * RUNNER_UP);
        loud & level & clear
    }

    /// The key that sums which are admitted resemble.
    #[inline(always)]
    pub fn likeness(&self, sums: &Sums) -> Likeness {
        let (power, best, _) = powers(sums);
        let (low, high) = (best[0], best[4]);
        // Without branches, which random keys would have mispredicted.
        let (mut rows, mut columns) = (1 << 3, 1 << 3);
        for k in 0..4 {
            rows |= usize::from(power[k] == low) << k;
            columns |= usize::from(power[4 + k] == high) << k;
        }
        let held = (low + high) * (SINE_ENERGY / (GAIN * GAIN));
        Likeness {
            place: Place {
                row: rows.trailing_zeros() as usize,
                column: columns.trailing_zeros() as usize,
            },
            drowned: held < SHARE * sums.energy as f32,
            amplitude: (low.sqrt() + high.sqrt()) / GAIN,
        }
    }
}

/// The power of each tone, and in all places of its group the greatest and the second greatest.
#[inline(always)]
fn powers(sums: &Sums) -> ([f32; 8], [f32; 8], [f32; 8]) {
    let mut power = [0f32; 8];
    for tone in 0..8 {
        let (c, s) = (sums.even[tone] as f32, sums.odd[tone] as f32);
        power[tone] = c * c + s * s;
    }
    let (best, second) = best_two(&power);
    (power, best, second)
}

/// The greatest and the second greatest of each four, in all four places.
#[inline(always)]
fn best_two(all: &[f32; 8]) -> ([f32; 8], [f32; 8]) {
    let more = |x: f32, y: f32| if x > y { x } else { y };
    let less = |x: f32, y: f32| if x > y { y } else { x };
    let (mut best, mut second) = ([0f32; 8], [0f32; 8]);
    let (mut winner, mut loser) = ([0f32; 8], [0f32; 8]);
    for k in 0..8 {
        winner[k] = more(all[k], all[k ^ 1]);
        loser[k] = less(all[k], all[k ^ 1]);
    }
    // The second is the worse of both winners or one of the losers; the worse winner's loser is no
    // more than that.
    for k in 0..8 {
        best[k] = more(winner[k], winner[k ^ 2]);
        second[k] = more(less(winner[k], winner[k ^ 2]), more(loser[k], loser[k ^ 2]));
    }
    (best, second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_best_two_are_the_first_of_the_sorted(all in prop::array::uniform8(0f32..1e9)) {
            let (best, second) = best_two(&all);
            for (group, places) in [(&all[..4], 0..4), (&all[4..], 4..8)] {
                let mut sorted = group.to_vec();
                sorted.sort_by(f32::total_cmp);
                for k in places {
                    prop_assert_eq!((best[k], second[k]), (sorted[3], sorted[2]));
                }
            }
        }
    }
}
