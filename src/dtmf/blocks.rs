//! The two tones of a key in successive 4 ms blocks: whether they are steady, how fast they are,
//! how strong.

use super::bank::Kernel;
use super::fit::Limits;
use super::measures::Refusal;
use super::presence::Place;
use super::tones::{BLOCK, BLOCK_SCALE, BLOCKS, FRAME, MOST_BLOCKS, RATE, ROWS, TONES, TONES_HZ};
use super::turns::{angle, cos_sin};

/// The correlations of one tone with successive blocks of audio, phase 0 at the first block's
/// middle: a tone at its nominal frequency does not turn from block to block.
#[derive(Debug, Clone, Copy)]
pub struct Blocks {
    re: [f32; MOST_BLOCKS],
    im: [f32; MOST_BLOCKS],
    tone: usize,
}

impl Blocks {
    /// Correlates frames, three of them at most, with the tones of the key in this place. A frame
    /// that is missing is silence.
    #[inline(always)]
    pub fn of_key(kernel: Kernel, frames: &[Option<&[i16; FRAME]>], place: Place) -> [Blocks; 2] {
        let (row, column) = (place.row & 3, place.column & 3);
        let table = &TONES.keys[row * 4 + column].block;
        let mut rows = [[0i32; MOST_BLOCKS]; ROWS];
        for (index, frame) in frames.iter().enumerate().take(MOST_BLOCKS / FRAME_BLOCKS) {
            let Some(frame) = frame else {
                continue;
            };
            // Five blocks are four and the last four again.
            let (Some(first), Some(last)) = (frame.first_chunk(), frame.last_chunk()) else {
                continue;
            };
            let (first, last) = (kernel.quad(first, table), kernel.quad(last, table));
            let at = index * FRAME_BLOCKS;
            for k in 0..ROWS {
                rows[k][at..at + 4].copy_from_slice(&first[k]);
                rows[k][at + 4] = last[k][3];
            }
        }
        let [low_cos, low_sin, high_cos, high_sin] = &rows;
        [
            Blocks::turned(low_cos, low_sin, row),
            Blocks::turned(high_cos, high_sin, 4 + column),
        ]
    }

    #[inline(always)]
    fn turned(cos: &[i32; MOST_BLOCKS], sin: &[i32; MOST_BLOCKS], tone: usize) -> Blocks {
        let [turn_c, turn_s] = &TONES.turn[tone];
        let mut blocks = Blocks {
            re: [0.0; MOST_BLOCKS],
            im: [0.0; MOST_BLOCKS],
            tone,
        };
        const UNIT: f32 = 1.0 / BLOCK_SCALE as f32;
        for k in 0..MOST_BLOCKS {
            let (c, s) = (cos[k] as f32 * UNIT, -(sin[k] as f32 * UNIT));
            blocks.re[k] = c * turn_c[k] + s * turn_s[k];
            blocks.im[k] = s * turn_c[k] - c * turn_s[k];
        }
        blocks
    }

    /// In which blocks a tone that turns by this much a block has at least this power, a bit for
    /// each: the block and half of both its neighbours. The first and the last have none.
    #[inline(always)]
    pub fn at_least(&self, [c, s]: [f32; 2], least: f32) -> u32 {
        let (re, im) = (&self.re, &self.im);
        let mut enough = [0u32; MOST_BLOCKS];
        for k in 1..MOST_BLOCKS - 1 {
            let (sum_re, sum_im) = (re[k - 1] + re[k + 1], im[k - 1] + im[k + 1]);
            let (less_re, less_im) = (re[k + 1] - re[k - 1], im[k + 1] - im[k - 1]);
            let re = re[k] + 0.5 * (sum_re * c + less_im * s);
            let im = im[k] + 0.5 * (sum_im * c - less_re * s);
            enough[k] = u32::from(re * re + im * im >= least) << k;
        }
        let mut all = 0;
        for bit in enough {
            all |= bit;
        }
        all
    }

    /// How far each block's phase turns to the next, summed, and the power of all, over `N` blocks
    /// from `first` on.
    #[inline(always)]
    fn lag<const N: usize>(&self, first: usize) -> Option<Lag<'_, N>> {
        let re: &[f32; N] = self.re.get(first..)?.first_chunk()?;
        let im: &[f32; N] = self.im.get(first..)?.first_chunk()?;
        let (mut c, mut s, mut power) = (0f32, 0f32, 1e-9f32);
        for m in 0..N {
            power += re[m] * re[m] + im[m] * im[m];
        }
        for m in 1..N {
            c += re[m] * re[m - 1] + im[m] * im[m - 1];
            s += im[m] * re[m - 1] - re[m] * im[m - 1];
        }
        Some(Lag {
            re,
            im,
            c,
            s,
            power,
        })
    }

    /// Whether the tone could be steady over the first five blocks, those of a frame: a rough and
    /// quick look.
    #[inline(always)]
    pub fn may_be_steady(&self, limits: &Limits) -> bool {
        let Some(lag) = self.lag::<FRAME_BLOCKS>(0) else {
            return false;
        };
        let most = limits.tolerance_at(TONES_HZ[self.tone] as f32) + COARSE_FRAME_HZ;
        lag.agrees(STEADY_FRAME) && (angle(lag.s, lag.c) * HERTZ).abs() <= most
    }

    /// The frequency of the tone in the window that begins with block `first`, from the turning
    /// of its phase; refuses what is not steady or far off.
    #[inline(always)]
    pub fn frequency(&self, first: usize, limits: &Limits) -> Result<f32, Refusal> {
        let Some(lag) = self.lag::<BLOCKS>(first) else {
            return Err(Refusal::NotSteady);
        };
        // A steady tone keeps its power from block to block.
        if !lag.agrees(STEADY_BLOCKS) {
            return Err(Refusal::NotSteady);
        }
        let Lag {
            re,
            im,
            c,
            s,
            power,
        } = lag;
        let coarse = angle(s, c);
        let nominal = TONES_HZ[self.tone] as f32;
        let most = limits.tolerance_at(nominal) + limits.rough_hz;
        if (coarse * HERTZ).abs() > most + COARSE_HZ {
            return Err(Refusal::OffFrequency);
        }
        // The longer lag turns three times as far: its angle is taken near three times the
        // coarse one.
        let (mut c3, mut s3) = (0f32, 0f32);
        for m in 3..BLOCKS {
            c3 += re[m] * re[m - 3] + im[m] * im[m - 3];
            s3 += im[m] * re[m - 3] - re[m] * im[m - 3];
        }
        let (cos3, sin3) = cos_sin(coarse * (3.0 / std::f32::consts::TAU));
        let turn = coarse + angle(s3 * cos3 - c3 * sin3, c3 * cos3 + s3 * sin3) / 3.0;
        let (turn_c, turn_s) = cos_sin(turn / std::f32::consts::TAU);
        let (mut c, mut s) = (1f32, 0f32);
        let (mut sum_re, mut sum_im) = (0f32, 0f32);
        for m in 0..BLOCKS {
            sum_re += re[m] * c + im[m] * s;
            sum_im += im[m] * c - re[m] * s;
            (c, s) = (c * turn_c - s * turn_s, s * turn_c + c * turn_s);
        }
        if sum_re * sum_re + sum_im * sum_im < STEADY * BLOCKS as f32 * power {
            return Err(Refusal::NotSteady);
        }
        if (turn * HERTZ).abs() > most {
            return Err(Refusal::OffFrequency);
        }
        Ok(nominal + turn * HERTZ)
    }
}

/// Neighbouring blocks held against each other.
struct Lag<'a, const N: usize> {
    re: &'a [f32; N],
    im: &'a [f32; N],
    c: f32,
    s: f32,
    power: f32,
}

impl<const N: usize> Lag<'_, N> {
    /// Whether they agree so far that they could be one steady tone.
    #[inline(always)]
    fn agrees(&self, least: f32) -> bool {
        let least = least * self.power * ((N - 1) as f32 / N as f32);
        self.c * self.c + self.s * self.s >= least * least
    }
}

/// Whether two tones are there in the first and the last block of the window that begins with
/// block `first`. Where they are not, a window beside it holds more of the key, or the key is too
/// short; half a block has a quarter of the power.
#[inline(always)]
pub fn fills([low, high]: &[Blocks; 2], first: usize) -> bool {
    if first + BLOCKS > MOST_BLOCKS {
        return false;
    }
    let mut power = [0f32; BLOCKS];
    for (m, power) in power.iter_mut().enumerate() {
        let at = first + m;
        *power = low.re[at] * low.re[at]
            + low.im[at] * low.im[at]
            + high.re[at] * high.re[at]
            + high.im[at] * high.im[at];
    }
    let all: f32 = power.iter().sum();
    let ends = power[0].min(power[BLOCKS - 1]);
    ends * BLOCKS as f32 >= LEAST_END * all
}

/// Blocks of a frame.
const FRAME_BLOCKS: usize = 5;
/// The frequency in hertz of a tone that turns one radian a block.
const HERTZ: f32 = (RATE / BLOCK as f64 / std::f64::consts::TAU) as f32;
/// Least power of an end block as a share of the mean.
const LEAST_END: f32 = 0.15;
/// Least coherence of the blocks of a tone.
const STEADY: f32 = 0.7;
/// Least agreement of neighbouring blocks, of which each alone also hears the other tone.
const STEADY_BLOCKS: f32 = 0.55;
/// The same over one frame, which the edge of a click or a strong other tone spoils sooner.
const STEADY_FRAME: f32 = 0.45;
/// How far the estimate from one frame may be off.
const COARSE_FRAME_HZ: f32 = 40.0;
/// How far the first estimate from neighbouring blocks may be off.
const COARSE_HZ: f32 = 25.0;
