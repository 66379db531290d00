//! The second step: two sinusoids fitted by least squares to a 32 ms window.
//!
//! The window is as long as a key must last, so that length needs no measure of its own: a burst
//! that fills a share `f` of the window leaves `f (1 - f)` of its power unexplained by steady
//! tones, 4 dB below the tones at 23 ms, and none at 32 ms.

// Matrix code reads by its indices.
#![allow(clippy::needless_range_loop)]

use std::sync::LazyLock;

use super::measures::{Measures, Refusal};
pub use super::tones::BLOCK;
use super::tones::{BLOCKS, RATE, TONES, TONES_HZ, WINDOW};
use super::{amplitude, dbm0};

/// The limits within which a fit is a key.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Weakest level of a tone in dBm0.
    pub weakest_dbm0: f32,
    /// Greatest level of the high tone over the low one in dB.
    pub high_stronger_db: f32,
    /// Greatest level of the low tone over the high one in dB.
    pub high_weaker_db: f32,
    /// Frequency tolerance as a share of the nominal frequency.
    pub tolerance: f32,
    /// Frequency tolerance in hertz, added to the share.
    pub tolerance_hz: f32,
    /// Least power of both tones over the rest, in dB.
    pub snr_db: f32,
    /// How far beyond the tolerance a rough frequency may lie to be worth a fit, in hertz.
    pub rough_hz: f32,
}

impl Limits {
    fn tolerance_at(&self, nominal: f32) -> f32 {
        nominal * self.tolerance + self.tolerance_hz
    }
}

/// Most sinusoids fitted at once: two of the key, two of a dial tone beneath it.
const MOST_TONES: usize = 4;
const MOST_UNKNOWNS: usize = MOST_TONES * 2;

/// Sum of products, in eight lanes so that it vectorises with one fixed order of additions.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5]))
        + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]))
}

/// Fills eight lanes of a sinusoid from the first of them.
#[inline(always)]
pub fn lanes(step: f32, s: &mut [f32; 8], c: &mut [f32; 8]) {
    let (step_s, step_c) = step.sin_cos();
    for lane in 1..8 {
        c[lane] = c[lane - 1] * step_c - s[lane - 1] * step_s;
        s[lane] = s[lane - 1] * step_c + c[lane - 1] * step_s;
    }
}

/// A sinusoid over the window, phase 0 at its middle.
struct Wave {
    cos: [f32; WINDOW],
    sin: [f32; WINDOW],
}

impl Wave {
    const ZERO: Wave = Wave {
        cos: [0.0; WINDOW],
        sin: [0.0; WINDOW],
    };

    /// Makes it the sinusoid of this step in radians a sample.
    #[inline(always)]
    fn tune(&mut self, step: f32) {
        let mut c = [0f32; 8];
        let mut s = [0f32; 8];
        (s[0], c[0]) = (step * -(WINDOW as f32 - 1.0) / 2.0).sin_cos();
        lanes(step, &mut s, &mut c);
        let (turn_s, turn_c) = (step * 8.0).sin_cos();
        for (cos, sin) in self
            .cos
            .chunks_exact_mut(8)
            .zip(self.sin.chunks_exact_mut(8))
        {
            cos.copy_from_slice(&c);
            sin.copy_from_slice(&s);
            for lane in 0..8 {
                let turned = c[lane] * turn_c - s[lane] * turn_s;
                s[lane] = s[lane] * turn_c + c[lane] * turn_s;
                c[lane] = turned;
            }
        }
    }
}

/// What a least-squares fit found.
#[derive(Debug, Clone, Copy)]
struct Fit {
    hz: [f32; MOST_TONES],
    amplitude: [f32; MOST_TONES],
    /// Mean power of the two key tones.
    signal: f32,
    /// Mean power of what the tones leave unexplained.
    rest: f32,
}

impl Fit {
    fn snr_db(&self) -> f32 {
        (10.0 * (self.signal / self.rest.max(self.signal * 1e-6).max(1e-9)).log10()).min(60.0)
    }
}

/// Judges whether this window, whose tones have these rough frequencies, is the key of `row` and
/// `column`.
#[inline(always)]
pub fn judge(
    window: &[f32; WINDOW],
    row: u8,
    column: u8,
    rough: [f32; 2],
    limits: &Limits,
) -> Result<Measures, (Refusal, Option<Measures>)> {
    let picks = [usize::from(row & 3), 4 + usize::from(column & 3)];
    let mut hz = [0f32; MOST_TONES];
    hz[..2].copy_from_slice(&rough);
    let ones = [1f32; WINDOW];
    let mut rest = [0f32; WINDOW];
    let plain = solve(window, &ones, hz, 2, &mut rest);
    let measures = measured(&plain, picks, limits);
    match check(&plain, picks, limits) {
        Ok(()) => Ok(measures),
        // What two tones explain less than this share of is not worth a second look.
        Err(Refusal::NotTwoTones) if plain.snr_db() > HOPELESS_DB => {
            rescue(window, &plain, &rest, picks, limits)
                .ok_or((Refusal::NotTwoTones, Some(measures)))
        }
        Err(refusal) => Err((refusal, Some(measures))),
    }
}

/// Ratio of two tones to the rest below which nothing can rescue a window.
const HOPELESS_DB: f32 = -8.0;

/// The correlations of one tone with successive 4 ms blocks of audio, phase 0 at the first
/// block's middle: a tone at its nominal frequency does not turn from block to block.
pub struct Blocks {
    re: [f32; MOST_BLOCKS],
    im: [f32; MOST_BLOCKS],
    tone: usize,
}

/// Blocks looked at in one go: all windows of a look lie on one grid of blocks.
pub const MOST_BLOCKS: usize = 12;

impl Blocks {
    /// Correlates `audio`, whole blocks of it, with one of the eight tones.
    #[inline(always)]
    pub fn new(audio: &[f32], tone: usize) -> Blocks {
        let mut blocks = Blocks {
            re: [0.0; MOST_BLOCKS],
            im: [0.0; MOST_BLOCKS],
            tone,
        };
        let [cos, sin] = &TONES.block[tone];
        for (index, block) in audio.chunks_exact(BLOCK).take(MOST_BLOCKS).enumerate() {
            let (c, s) = (dot(block, cos), -dot(block, sin));
            let [turn_c, turn_s] = TONES.turn[tone][index];
            blocks.re[index] = c * turn_c + s * turn_s;
            blocks.im[index] = s * turn_c - c * turn_s;
        }
        blocks
    }

    /// The amplitude of a tone that turns by this much a block, over block `middle` and half of
    /// both its neighbours.
    pub fn amplitude(&self, middle: usize, [c, s]: [f32; 2]) -> f32 {
        let at = |index: usize| {
            let index = index.min(MOST_BLOCKS - 1);
            (self.re[index], self.im[index])
        };
        let (re, im) = at(middle);
        let (before_re, before_im) = at(middle.saturating_sub(1));
        let (after_re, after_im) = at(middle + 1);
        let re = re + 0.5 * (before_re * c - before_im * s + after_re * c + after_im * s);
        let im = im + 0.5 * (before_im * c + before_re * s + after_im * c - after_re * s);
        (re * re + im * im).sqrt() / BLOCK as f32
    }

    /// Whether the tone could be steady over the first `count` blocks: a rough and quick look.
    #[inline(always)]
    pub fn may_be_steady(&self, count: usize, limits: &Limits) -> bool {
        let (re, im) = (&self.re[..count], &self.im[..count]);
        let (mut c, mut s) = (0f32, 0f32);
        let mut power = re[0] * re[0] + im[0] * im[0];
        for m in 1..count {
            c += re[m] * re[m - 1] + im[m] * im[m - 1];
            s += im[m] * re[m - 1] - re[m] * im[m - 1];
            power += re[m] * re[m] + im[m] * im[m];
        }
        let share = (count - 1) as f32 / count as f32;
        if (c * c + s * s).sqrt() < STEADY_FRAME * power * share {
            return false;
        }
        let hertz = RATE as f32 / BLOCK as f32 / std::f32::consts::TAU;
        let most = limits.tolerance_at(TONES_HZ[self.tone] as f32) + COARSE_FRAME_HZ;
        (s.atan2(c) * hertz).abs() <= most
    }

    /// The frequency of the tone in the window that begins with block `first`, from the turning
    /// of its phase; refuses what is not steady or far off.
    #[inline(always)]
    pub fn frequency(&self, first: usize, limits: &Limits) -> Result<f32, Refusal> {
        let (Some(re), Some(im)) = (
            self.re.get(first..first + BLOCKS),
            self.im.get(first..first + BLOCKS),
        ) else {
            return Err(Refusal::NotSteady);
        };
        let lag = |lag: usize| {
            let (mut c, mut s) = (0f32, 0f32);
            for m in lag..BLOCKS {
                c += re[m] * re[m - lag] + im[m] * im[m - lag];
                s += im[m] * re[m - lag] - re[m] * im[m - lag];
            }
            (c, s)
        };
        let mut power = 1e-9f32;
        for m in 0..BLOCKS {
            power += re[m] * re[m] + im[m] * im[m];
        }
        let (c, s) = lag(1);
        // A steady tone keeps its power from block to block.
        if (c * c + s * s).sqrt() < STEADY_BLOCKS * power * ((BLOCKS - 1) as f32 / BLOCKS as f32) {
            return Err(Refusal::NotSteady);
        }
        let coarse = s.atan2(c);
        let nominal = TONES_HZ[self.tone] as f32;
        let hertz = RATE as f32 / BLOCK as f32 / std::f32::consts::TAU;
        let most = limits.tolerance_at(nominal) + limits.rough_hz;
        if (coarse * hertz).abs() > most + COARSE_HZ {
            return Err(Refusal::OffFrequency);
        }
        // The longer lag turns three times as far: its angle is taken near three times the
        // coarse one.
        let (c3, s3) = lag(3);
        let (sin3, cos3) = (coarse * 3.0).sin_cos();
        let turn = coarse + (s3 * cos3 - c3 * sin3).atan2(c3 * cos3 + s3 * sin3) / 3.0;
        let (turn_s, turn_c) = turn.sin_cos();
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
        if (turn * hertz).abs() > most {
            return Err(Refusal::OffFrequency);
        }
        Ok(nominal + turn * hertz)
    }
}

/// Whether two tones are there in the first and the last block of the window that begins with
/// block `first`. Where they are not, a window beside it holds more of the key, or the key is too
/// short; half a block has a quarter of the power.
pub fn fills(low: &Blocks, high: &Blocks, first: usize) -> bool {
    let power = |m: usize| {
        low.re[m] * low.re[m]
            + low.im[m] * low.im[m]
            + high.re[m] * high.re[m]
            + high.im[m] * high.im[m]
    };
    if first + BLOCKS > MOST_BLOCKS {
        return false;
    }
    let all: f32 = (first..first + BLOCKS).map(power).sum();
    let ends = power(first).min(power(first + BLOCKS - 1));
    ends * BLOCKS as f32 >= LEAST_END * all
}

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

/// Fits `count` sinusoids, refining their frequencies, over the samples whose weight is 1.
#[inline(always)]
fn solve(
    window: &[f32; WINDOW],
    weight: &[f32; WINDOW],
    mut hz: [f32; MOST_TONES],
    count: usize,
    rest: &mut [f32; WINDOW],
) -> Fit {
    let kept = weight.iter().sum::<f32>().max(1.0);
    let mut angles = [[0f32; 2]; MOST_TONES];
    let mut waves = [const { Wave::ZERO }; MOST_TONES];
    const REFINEMENTS: usize = 2;
    for round in 0..=REFINEMENTS {
        for (wave, hz) in waves.iter_mut().zip(hz).take(count) {
            wave.tune(hz * (std::f32::consts::TAU / RATE as f32));
        }
        angles = amplitudes(window, weight, &waves, count);
        rest.copy_from_slice(window);
        for (wave, [a, b]) in waves.iter().zip(angles).take(count) {
            for n in 0..WINDOW {
                rest[n] -= a * wave.cos[n] + b * wave.sin[n];
            }
        }
        if round == REFINEMENTS || (round == 0 && hopeless(&angles, weight, rest, kept)) {
            break;
        }
        // One Gauss-Newton step for each frequency: d/dw (a cos wt + b sin wt) = t (b cos wt - a sin wt).
        for (k, wave) in waves.iter().enumerate().take(count) {
            let [a, b] = angles[k];
            let (mut num, mut den) = ([0f32; 8], [1e-6f32; 8]);
            for at in (0..WINDOW).step_by(8) {
                for lane in 0..8 {
                    let n = at + lane;
                    let t = n as f32 - (WINDOW as f32 - 1.0) / 2.0;
                    let slope = t * (b * wave.cos[n] - a * wave.sin[n]) * weight[n];
                    num[lane] += slope * rest[n];
                    den[lane] += slope * slope;
                }
            }
            let step = num.iter().sum::<f32>() / den.iter().sum::<f32>();
            let most = 10.0;
            hz[k] += (step * (RATE as f32 / std::f32::consts::TAU)).clamp(-most, most);
        }
    }
    let mut fit = Fit {
        hz,
        amplitude: [0.0; MOST_TONES],
        signal: 0.0,
        rest: 0.0,
    };
    for (k, [a, b]) in angles.into_iter().enumerate().take(count) {
        let power = a * a + b * b;
        fit.amplitude[k] = power.sqrt();
        if k < 2 {
            fit.signal += power / 2.0;
        }
    }
    let mut masked = *rest;
    for n in 0..WINDOW {
        masked[n] *= weight[n];
    }
    fit.rest = dot(&masked, &masked) / kept;
    fit
}

/// Whether the first, rough fit explains too little for a better one to matter.
#[inline(always)]
fn hopeless(
    angles: &[[f32; 2]; MOST_TONES],
    weight: &[f32; WINDOW],
    rest: &[f32; WINDOW],
    kept: f32,
) -> bool {
    let signal: f32 = angles.iter().map(|[a, b]| (a * a + b * b) / 2.0).sum();
    let mut masked = *rest;
    for n in 0..WINDOW {
        masked[n] *= weight[n];
    }
    signal * 10.0 < dot(&masked, &masked) / kept
}

/// The cosine and sine amplitudes of every wave: weighted normal equations, solved by Cholesky.
#[inline(always)]
fn amplitudes(
    window: &[f32; WINDOW],
    weight: &[f32; WINDOW],
    waves: &[Wave; MOST_TONES],
    count: usize,
) -> [[f32; 2]; MOST_TONES] {
    let size = count * 2;
    let mut columns: [&[f32; WINDOW]; MOST_UNKNOWNS] = [window; MOST_UNKNOWNS];
    for (k, wave) in waves.iter().enumerate().take(count) {
        columns[k * 2] = &wave.cos;
        columns[k * 2 + 1] = &wave.sin;
    }
    let mut gram = [[0f64; MOST_UNKNOWNS]; MOST_UNKNOWNS];
    let mut right = [0f64; MOST_UNKNOWNS];
    let mut weighted = [0f32; WINDOW];
    for i in 0..size {
        for n in 0..WINDOW {
            weighted[n] = columns[i][n] * weight[n];
        }
        right[i] = f64::from(dot(&weighted, window));
        for j in 0..=i {
            gram[i][j] = f64::from(dot(&weighted, columns[j]));
        }
        // Two tones that coincide would make the system singular.
        gram[i][i] += 1e-3;
    }
    for i in 0..size {
        for j in 0..=i {
            let mut sum = gram[i][j];
            for k in 0..j {
                sum -= gram[i][k] * gram[j][k];
            }
            gram[i][j] = if i == j {
                sum.max(1e-9).sqrt()
            } else {
                sum / gram[j][j]
            };
        }
    }
    for i in 0..size {
        for k in 0..i {
            right[i] -= gram[i][k] * right[k];
        }
        right[i] /= gram[i][i];
    }
    for i in (0..size).rev() {
        for k in i + 1..size {
            right[i] -= gram[k][i] * right[k];
        }
        right[i] /= gram[i][i];
    }
    let mut angles = [[0f32; 2]; MOST_TONES];
    for k in 0..count {
        angles[k] = [right[k * 2] as f32, right[k * 2 + 1] as f32];
    }
    angles
}

/// Holds a fit against the limits.
fn check(fit: &Fit, picks: [usize; 2], limits: &Limits) -> Result<(), Refusal> {
    let off = off(fit, picks, limits);
    if off > 1.0 {
        return Err(Refusal::OffFrequency);
    }
    let [low, high] = [fit.amplitude[0], fit.amplitude[1]];
    if low.min(high) < amplitude(limits.weakest_dbm0) {
        return Err(Refusal::TooWeak);
    }
    let twist = dbm0(high) - dbm0(low);
    if twist > limits.high_stronger_db || -twist > limits.high_weaker_db {
        return Err(Refusal::Twist);
    }
    if fit.snr_db() < least_snr_db(off, limits) {
        return Err(Refusal::NotTwoTones);
    }
    Ok(())
}

/// How far the worse of both tones is off, as a share of its tolerance.
fn off(fit: &Fit, picks: [usize; 2], limits: &Limits) -> f32 {
    let share = |k: usize| {
        let nominal = TONES_HZ[picks[k]] as f32;
        (fit.hz[k] - nominal).abs() / limits.tolerance_at(nominal)
    };
    share(0).max(share(1))
}

/// A tone near the edge of its tolerance must stand out more: a keypad is off or its line is
/// noisy, and what is both is mostly speech. Q.24's 1.5 % lies at 0.8 of the tolerance.
fn least_snr_db(off: f32, limits: &Limits) -> f32 {
    limits.snr_db + EDGE_DB * ((off - EDGE_FROM) / (1.0 - EDGE_FROM)).max(0.0)
}

/// How much more is asked for at the very edge.
const EDGE_DB: f32 = 8.0;
/// The share of the tolerance from which on more is asked for.
const EDGE_FROM: f32 = 0.6;

fn measured(fit: &Fit, picks: [usize; 2], limits: &Limits) -> Measures {
    let off = off(fit, picks, limits);
    // 10 dB above the least ratio of tones to rest leaves no doubt.
    let inside = (1.0 - off).min((fit.snr_db() - least_snr_db(off, limits)) / 10.0);
    Measures {
        low_hz: fit.hz[0],
        high_hz: fit.hz[1],
        low_dbm0: dbm0(fit.amplitude[0]),
        high_dbm0: dbm0(fit.amplitude[1]),
        snr_db: fit.snr_db(),
        confidence: (0.5 + inside / 2.0).clamp(0.0, 1.0),
    }
}

/// A second look at a window that two tones alone do not explain: samples that were clipped or
/// struck by an impulse are left out, and a dial tone beneath is fitted along. Each asks for more
/// than the plain fit, since each explains more with more unknowns.
#[inline(always)]
fn rescue(
    window: &[f32; WINDOW],
    plain: &Fit,
    rest: &[f32; WINDOW],
    picks: [usize; 2],
    limits: &Limits,
) -> Option<Measures> {
    let strict = Limits {
        snr_db: limits.snr_db + RESCUE_DB,
        ..*limits
    };
    let fit = unclipped(window, plain)
        .filter(|fit| check(fit, picks, &strict).is_ok())
        .or_else(|| {
            without_impulses(window, plain, rest).filter(|fit| check(fit, picks, &strict).is_ok())
        })
        .or_else(|| over_dial_tone(window, plain, rest, picks, &strict))?;
    Some(measured(&fit, picks, &strict))
}

/// How much more a second look asks for.
const RESCUE_DB: f32 = 2.0;
/// Samples this close to the largest lie at the rail.
const RAIL: f32 = 0.965;

/// The fit without the samples at the rail, if enough lie there and the tones would pass it.
#[inline(always)]
fn unclipped(window: &[f32; WINDOW], plain: &Fit) -> Option<Fit> {
    let largest = window.iter().fold(0f32, |most, x| most.max(x.abs()));
    let rail = largest * RAIL;
    let mut weight = [1f32; WINDOW];
    let mut railed = 0;
    for (weight, x) in weight.iter_mut().zip(window) {
        if x.abs() >= rail {
            *weight = 0.0;
            railed += 1;
        }
    }
    // Two unclipped tones of one level are this close to their peak 3 % of the time at most.
    if !(WINDOW / 16..=WINDOW * 5 / 8).contains(&railed) {
        return None;
    }
    let mut rest = [0f32; WINDOW];
    let fit = solve(window, &weight, plain.hz, 2, &mut rest);
    // What was cut off must lie beyond the rail: the model there is sample minus rest.
    let beyond = (0..WINDOW)
        .filter(|n| {
            let model = window[*n] - rest[*n];
            weight[*n] == 0.0 && model * window[*n] > 0.0 && model.abs() > rail * 0.9
        })
        .count();
    (beyond * 10 >= railed * 9).then_some(fit)
}

/// Least gain in the ratio of tones to rest by leaving clicks out.
const CLICK_GAIN_DB: f32 = 3.0;

/// The fit without a few samples that stand out of the rest.
#[inline(always)]
fn without_impulses(window: &[f32; WINDOW], plain: &Fit, rest: &[f32; WINDOW]) -> Option<Fit> {
    let mut rest = *rest;
    let mut fit = None;
    for _ in 0..3 {
        let mut sizes = [0f32; WINDOW];
        for (size, x) in sizes.iter_mut().zip(&rest) {
            *size = x.abs();
        }
        let (_, typical, _) = sizes.select_nth_unstable_by(WINDOW * 7 / 8, f32::total_cmp);
        let most = *typical * 2.0;
        let mut weight = [1f32; WINDOW];
        let mut struck = 0;
        for (weight, x) in weight.iter_mut().zip(&rest) {
            if x.abs() > most {
                *weight = 0.0;
                struck += 1;
            }
        }
        if struck == 0 || struck > WINDOW / 16 {
            return fit;
        }
        let next = solve(window, &weight, plain.hz, 2, &mut rest);
        if !reaches_both_ends(window, &weight, &rest) {
            return None;
        }
        // A few clicks hold most of the rest; where taking them out gains little, it is speech.
        if next.snr_db() < plain.snr_db() + CLICK_GAIN_DB {
            return None;
        }
        fit = Some(next);
    }
    fit
}

/// Whether the tones are there at both ends of the window: without the loudest samples of a
/// silent end, a burst that is too short would look like a longer one.
fn reaches_both_ends(window: &[f32; WINDOW], weight: &[f32; WINDOW], rest: &[f32; WINDOW]) -> bool {
    const END: usize = 48;
    [0..END, WINDOW - END..WINDOW].into_iter().all(|end| {
        let (mut model, mut left) = (0f32, 0f32);
        for n in end {
            let tones = window[n] - rest[n];
            model += weight[n] * tones * tones;
            left += weight[n] * rest[n] * rest[n];
        }
        left <= 0.4 * model
    })
}

/// The band in which dial tones lie: 350 to 450 Hz the world over.
const DIAL_TONE_HZ: std::ops::RangeInclusive<i32> = 330..=470;

/// Where a dial tone is looked for: a window tells tones 31 Hz apart, and the fit finds the rest
/// of the way.
static DIAL_WAVES: LazyLock<Vec<(f32, Wave)>> = LazyLock::new(|| {
    DIAL_TONE_HZ
        .step_by(20)
        .map(|hz| {
            let mut wave = Wave::ZERO;
            wave.tune(hz as f32 * (std::f32::consts::TAU / RATE as f32));
            (hz as f32, wave)
        })
        .collect()
});

/// How much of the rest a dial tone can be, in terms of what a first look finds of it: two tones,
/// between two candidates each.
const DIAL_PAIR: f32 = 2.4;
/// The key's tones are not told apart well from a dial tone's before both are fitted: 3 dB.
const DIAL_GRACE: f32 = 0.5;

/// The fit with one or two tones of a dial tone beneath.
#[inline(always)]
fn over_dial_tone(
    window: &[f32; WINDOW],
    plain: &Fit,
    rest: &[f32; WINDOW],
    picks: [usize; 2],
    limits: &Limits,
) -> Option<Fit> {
    let mut rest = *rest;
    let mut hz = plain.hz;
    for count in 3..=MOST_TONES {
        let (mut best, mut power) = (0f32, 0f32);
        for (candidate, wave) in DIAL_WAVES.iter() {
            let (c, s) = (dot(&rest, &wave.cos), dot(&rest, &wave.sin));
            if c * c + s * s > power {
                power = c * c + s * s;
                best = *candidate;
            }
        }
        // Half the power of the rest, and the other half is the next tone's; or it is no dial tone.
        let whole = dot(&rest, &rest);
        let share = power * 2.0 / (WINDOW as f32 * whole.max(1e-9));
        if share <= 0.25 {
            return None;
        }
        // What two such tones would leave must be little enough beside the key, or nothing is won.
        let left = whole / WINDOW as f32 * (1.0 - share * DIAL_PAIR).max(0.0);
        if plain.signal < left * 10f32.powf(limits.snr_db / 10.0) * DIAL_GRACE {
            return None;
        }
        hz[count - 1] = best;
        let fit = solve(window, &[1f32; WINDOW], hz, count, &mut rest);
        let dial = fit.hz.get(2..count)?;
        if dial
            .iter()
            .any(|f| !DIAL_TONE_HZ.contains(&(f.round() as i32)))
        {
            return None;
        }
        if check(&fit, picks, limits).is_ok() {
            return Some(fit);
        }
        hz = fit.hz;
    }
    None
}
