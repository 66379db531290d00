//! The two tones of a key in successive 4 ms blocks: whether they are steady, how fast they are,
//! how strong.

// Lanes are read by their numbers, so that the compiler sees vectors.
#![allow(clippy::needless_range_loop)]

use super::bank::Kernel;
use super::fit::Limits;
use super::measures::Refusal;
use super::presence::Place;
use super::tones::{
    BLOCK, BLOCK_SCALE, BLOCKS, FRAME, FRAME_BLOCKS, MOST_BLOCKS, RATE, TONES, TONES_HZ,
};
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
        let [low_cos, low_sin, high_cos, high_sin] = &kernel.blocks(frames, table);
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
        let mut power = [0f32; MOST_BLOCKS];
        for k in 1..MOST_BLOCKS - 1 {
            let (sum_re, sum_im) = (re[k - 1] + re[k + 1], im[k - 1] + im[k + 1]);
            let (less_re, less_im) = (re[k + 1] - re[k - 1], im[k + 1] - im[k - 1]);
            let re = re[k] + 0.5 * (sum_re * c + less_im * s);
            let im = im[k] + 0.5 * (sum_im * c - less_re * s);
            power[k] = re * re + im * im;
        }
        let mut enough = 0;
        for k in 1..MOST_BLOCKS - 1 {
            enough |= u32::from(power[k] >= least) << k;
        }
        enough
    }

    /// The power of a tone that turns by this much a block, over block `middle` and half of both its
    /// neighbours; none where there are none.
    pub fn power_about(&self, middle: usize, [c, s]: [f32; 2]) -> f32 {
        let around = |all: &[f32; MOST_BLOCKS]| -> Option<[f32; 3]> {
            all.get(middle.checked_sub(1)?..)?.first_chunk().copied()
        };
        let (Some(re), Some(im)) = (around(&self.re), around(&self.im)) else {
            return 0.0;
        };
        let whole_re = re[1] + 0.5 * ((re[0] + re[2]) * c + (im[2] - im[0]) * s);
        let whole_im = im[1] + 0.5 * ((im[0] + im[2]) * c - (re[2] - re[0]) * s);
        whole_re * whole_re + whole_im * whole_im
    }

    /// Eight blocks from `first` on.
    #[inline(always)]
    fn window(&self, first: usize) -> Option<Window> {
        Some(Window {
            re: *self.re.get(first..)?.first_chunk()?,
            im: *self.im.get(first..)?.first_chunk()?,
        })
    }

    /// Whether the tone could be steady over the blocks of the frame of this index: a rough and
    /// quick look.
    #[inline(always)]
    pub fn may_be_steady(&self, index: usize, limits: &Limits) -> bool {
        let first = index * FRAME_BLOCKS;
        let (Some(re), Some(im)) = (
            self.re.get(first..first + FRAME_BLOCKS),
            self.im.get(first..first + FRAME_BLOCKS),
        ) else {
            return false;
        };
        let mut window = Window {
            re: [0.0; BLOCKS],
            im: [0.0; BLOCKS],
        };
        window.re[..FRAME_BLOCKS].copy_from_slice(re);
        window.im[..FRAME_BLOCKS].copy_from_slice(im);
        let (c, s) = window.lag::<1>();
        if !agree(c, s, window.power(), FRAME_BLOCKS, STEADY_FRAME) {
            return false;
        }
        let most = limits.tolerance_at(TONES_HZ[self.tone & 7] as f32) + COARSE_FRAME_HZ;
        (angle(s, c) * HERTZ).abs() <= most
    }

    /// The frequency of the tone in the window that begins with block `first`, from the turning
    /// of its phase; refuses what is not steady or far off.
    #[inline(always)]
    pub fn frequency(&self, first: usize, limits: &Limits) -> Result<f32, Refusal> {
        const TURN: f32 = 1.0 / std::f32::consts::TAU;
        let Some(window) = self.window(first) else {
            return Err(Refusal::NotSteady);
        };
        let power = window.power();
        let (c, s) = window.lag::<1>();
        // A steady tone keeps its power from block to block.
        if !agree(c, s, power, BLOCKS, STEADY_BLOCKS) {
            return Err(Refusal::NotSteady);
        }
        let coarse = angle(s, c);
        let nominal = TONES_HZ[self.tone & 7] as f32;
        let most = limits.tolerance_at(nominal) + limits.rough_hz;
        if (coarse * HERTZ).abs() > most + COARSE_HZ {
            return Err(Refusal::OffFrequency);
        }
        // The longer lag turns three times as far: its angle is taken near three times the
        // coarse one, by multiplication of what has the length 1.
        let over = 1.0 / (c * c + s * s).sqrt();
        let (c, s) = (c * over, s * over);
        let (c2, s2) = (c * c - s * s, 2.0 * c * s);
        let (cos3, sin3) = (c2 * c - s2 * s, c2 * s + s2 * c);
        let (c3, s3) = window.lag::<3>();
        let turn = coarse + angle(s3 * cos3 - c3 * sin3, c3 * cos3 + s3 * sin3) / 3.0;
        if window.along(turn * TURN) < STEADY * BLOCKS as f32 * power {
            return Err(Refusal::NotSteady);
        }
        if (turn * HERTZ).abs() > most {
            return Err(Refusal::OffFrequency);
        }
        Ok(nominal + turn * HERTZ)
    }
}

/// The blocks of one window.
struct Window {
    re: [f32; BLOCKS],
    im: [f32; BLOCKS],
}

impl Window {
    /// How far each block turns to the one `LAG` behind it, summed.
    #[inline(always)]
    fn lag<const LAG: usize>(&self) -> (f32, f32) {
        let (mut c, mut s) = ([0f32; BLOCKS], [0f32; BLOCKS]);
        for m in LAG..BLOCKS {
            let (re, im) = (self.re[m], self.im[m]);
            let (before_re, before_im) = (self.re[m - LAG], self.im[m - LAG]);
            c[m] = re * before_re + im * before_im;
            s[m] = im * before_re - re * before_im;
        }
        (sum(c), sum(s))
    }

    /// The power of all.
    #[inline(always)]
    fn power(&self) -> f32 {
        let mut power = [0f32; BLOCKS];
        for m in 0..BLOCKS {
            power[m] = self.re[m] * self.re[m] + self.im[m] * self.im[m];
        }
        sum(power) + 1e-9
    }

    /// The power of their sum, each turned back by so many turns a block.
    #[inline(always)]
    fn along(&self, turns: f32) -> f32 {
        let (mut c, mut s) = ([0f32; BLOCKS], [0f32; BLOCKS]);
        for m in 0..BLOCKS {
            (c[m], s[m]) = cos_sin(turns * m as f32);
        }
        let (mut re, mut im) = ([0f32; BLOCKS], [0f32; BLOCKS]);
        for m in 0..BLOCKS {
            re[m] = self.re[m] * c[m] + self.im[m] * s[m];
            im[m] = self.im[m] * c[m] - self.re[m] * s[m];
        }
        let (re, im) = (sum(re), sum(im));
        re * re + im * im
    }
}

/// Whether `count` neighbouring blocks of this power agree so far that they could be one steady
/// tone.
#[inline(always)]
fn agree(c: f32, s: f32, power: f32, count: usize, least: f32) -> bool {
    let least = least * power * ((count - 1) as f32 / count as f32);
    c * c + s * s >= least * least
}

/// The sum of all lanes in a fixed order.
#[inline(always)]
fn sum(lanes: [f32; BLOCKS]) -> f32 {
    ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6]))
        + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
}

/// Whether two tones are there in the first and the last block of the window that begins with
/// block `first`. Where they are not, a window beside it holds more of the key, or the key is too
/// short; half a block has a quarter of the power.
#[inline(always)]
pub fn fills([low, high]: &[Blocks; 2], first: usize) -> bool {
    let (Some(low), Some(high)) = (low.window(first), high.window(first)) else {
        return false;
    };
    let mut power = [0f32; BLOCKS];
    for m in 0..BLOCKS {
        power[m] = (low.re[m] * low.re[m] + low.im[m] * low.im[m])
            + (high.re[m] * high.re[m] + high.im[m] * high.im[m]);
    }
    let ends = power[0].min(power[BLOCKS - 1]);
    ends * BLOCKS as f32 >= LEAST_END * sum(power)
}

/// The frequency in hertz of a tone that turns one radian a block.
const HERTZ: f32 = (RATE / BLOCK as f64 / std::f64::consts::TAU) as f32;
/// Least power of an end block as a share of the mean.
const LEAST_END: f32 = 0.15;
/// Least coherence of the blocks of a tone.
const STEADY: f32 = 0.62;
/// Least agreement of neighbouring blocks, of which each alone also hears the other tone.
const STEADY_BLOCKS: f32 = 0.48;
/// The same over one frame, which the edge of a click or a strong other tone spoils sooner.
const STEADY_FRAME: f32 = 0.38;
/// How far the estimate from one frame may be off.
const COARSE_FRAME_HZ: f32 = 40.0;
/// How far the first estimate from neighbouring blocks may be off.
const COARSE_HZ: f32 = 25.0;
