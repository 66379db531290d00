//! Whether a frame resembles a key closely enough to be worth a fit.

use super::Sums;
use crate::dtmf::tones::FRAME;

/// Which key a frame resembles: row and column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// Row of the keypad, 0 to 3.
    pub row: u8,
    /// Column of the keypad, 0 to 3.
    pub column: u8,
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

    /// The key that these sums resemble, if any.
    #[inline(always)]
    pub fn admit(&self, sums: &Sums) -> Option<Likeness> {
        let mut power = [0f32; 8];
        for (tone, p) in power.iter_mut().enumerate() {
            let (c, s) = (sums.even[tone] as f32, sums.odd[tone] as f32);
            *p = c * c + s * s;
        }
        let (low, low_second) = best_two(power[0], power[1], power[2], power[3]);
        let (high, high_second) = best_two(power[4], power[5], power[6], power[7]);
        let loud = (low >= self.weakest) & (high >= self.weakest);
        let level = (high <= low * self.high_over_low) & (low <= high * self.low_over_high);
        let clear = (low_second <= low * RUNNER_UP) & (high_second <= high * RUNNER_UP);
        if !(loud & level & clear) {
            return None;
        }
        let place = |group: &[f32], best: f32| group.iter().position(|p| *p == best);
        let held = (low + high) * (SINE_ENERGY / (GAIN * GAIN));
        Some(Likeness {
            row: place(&power[..4], low)? as u8,
            column: place(&power[4..], high)? as u8,
            drowned: held < SHARE * sums.energy as f32,
            amplitude: (low.sqrt() + high.sqrt()) / GAIN,
        })
    }
}

/// The greatest and the second greatest of four.
#[inline(always)]
fn best_two(a: f32, b: f32, c: f32, d: f32) -> (f32, f32) {
    let more = |x: f32, y: f32| if x > y { x } else { y };
    let less = |x: f32, y: f32| if x > y { y } else { x };
    let (ab, cd) = (more(a, b), more(c, d));
    let second = more(less(ab, cd), if ab > cd { less(a, b) } else { less(c, d) });
    (more(ab, cd), second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_best_two_are_the_first_of_the_sorted(four in prop::array::uniform4(0f32..1e9)) {
            let mut sorted = four;
            sorted.sort_by(f32::total_cmp);
            prop_assert_eq!(best_two(four[0], four[1], four[2], four[3]), (sorted[3], sorted[2]));
        }
    }
}
