//! A second look at a window that two tones alone do not explain: any number of sinusoids fitted
//! by least squares to the samples that are not left out.

// Matrix code reads by its indices.
#![allow(clippy::needless_range_loop)]

use std::sync::LazyLock;

use super::fit::{Fit, Limits, check};
use super::presence::Place;
use super::tones::{RATE, WINDOW};

/// Most sinusoids fitted at once: two of the key, two of a dial tone beneath it.
const MOST_TONES: usize = 4;
const MOST_UNKNOWNS: usize = MOST_TONES * 2;

/// Sum of products, in so many lanes that no addition waits for the one before, and in one fixed
/// order.
#[inline(always)]
fn dot(a: &[f32; WINDOW], b: &[f32; WINDOW]) -> f32 {
    const LANES: usize = 64;
    let mut lanes = [0f32; LANES];
    for at in (0..WINDOW).step_by(LANES) {
        for lane in 0..LANES {
            lanes[lane] += a[at + lane] * b[at + lane];
        }
    }
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// Fills eight lanes of a sinusoid from the first of them.
#[inline(always)]
fn lanes(step: f32, s: &mut [f32; 8], c: &mut [f32; 8]) {
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

/// A second look at a window that two tones alone do not explain: samples that were clipped or
/// struck by an impulse are left out, and a dial tone beneath is fitted along. Each asks for more
/// than the plain fit, since each explains more with more unknowns.
#[inline(always)]
pub fn rescue(window: &[i16; WINDOW], plain: &Fit, place: Place, limits: &Limits) -> Option<Fit> {
    let asked_db = limits.snr_db + RESCUE_DB;
    let mut audio = [0f32; WINDOW];
    for (x, sample) in audio.iter_mut().zip(window) {
        *x = f32::from(*sample);
    }
    let rest = left(&audio, plain);
    // One after the other, and no closures: one that is not inlined is compiled for the baseline
    // of the processor.
    if let Some(fit) = unclipped(&audio, plain)
        && check(&fit, place, limits, asked_db).is_ok()
    {
        return Some(fit);
    }
    if let Some(fit) = without_impulses(&audio, plain, &rest)
        && check(&fit, place, limits, asked_db).is_ok()
    {
        return Some(fit);
    }
    over_dial_tone(&audio, plain, &rest, place, limits, asked_db)
}

/// What the two tones of a fit leave of the window.
#[inline(always)]
fn left(window: &[f32; WINDOW], fit: &Fit) -> [f32; WINDOW] {
    let mut rest = *window;
    let mut wave = Wave::ZERO;
    for k in 0..2 {
        let (hz, [a, b]) = fit.waves[k];
        wave.tune(hz * (std::f32::consts::TAU / RATE as f32));
        for n in 0..WINDOW {
            rest[n] -= a * wave.cos[n] + b * wave.sin[n];
        }
    }
    rest
}

/// The size below which seven eighths of the samples lie, and an eighth at or above: searched by
/// halves among the bits of the number, which order as it does.
#[inline(always)]
fn seven_eighths(sizes: &[f32; WINDOW]) -> f32 {
    const BELOW: i32 = (WINDOW * 7 / 8) as i32;
    let (mut low, mut high) = (0i32, f32::INFINITY.to_bits() as i32);
    while low < high {
        let middle = low + (high - low) / 2;
        let mut count = [0i32; 16];
        for chunk in sizes.chunks_exact(16) {
            for lane in 0..16 {
                count[lane] += i32::from(chunk[lane].to_bits() as i32 <= middle);
            }
        }
        let mut all = 0;
        for part in count {
            all += part;
        }
        if all > BELOW {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    f32::from_bits(low as u32)
}

/// How much more a second look asks for.
pub const RESCUE_DB: f32 = 2.0;
/// Samples this close to the largest lie at the rail.
const RAIL: f32 = 0.965;

/// The fit without the samples at the rail, if enough lie there and the tones would pass it.
#[inline(always)]
fn unclipped(window: &[f32; WINDOW], plain: &Fit) -> Option<Fit> {
    let mut largest = [0f32; 16];
    for chunk in window.chunks_exact(16) {
        for lane in 0..16 {
            let size = chunk[lane].abs();
            largest[lane] = if size > largest[lane] {
                size
            } else {
                largest[lane]
            };
        }
    }
    let mut most = 0f32;
    for size in largest {
        most = if size > most { size } else { most };
    }
    let rail = most * RAIL;
    let mut weight = [0f32; WINDOW];
    let mut railed = 0i32;
    for n in 0..WINDOW {
        let beyond = window[n].abs() >= rail;
        weight[n] = if beyond { 0.0 } else { 1.0 };
        railed += i32::from(beyond);
    }
    let railed = railed as usize;
    // Two unclipped tones of one level are this close to their peak 3 % of the time at most.
    if !(WINDOW / 16..=WINDOW * 5 / 8).contains(&railed) {
        return None;
    }
    let mut rest = [0f32; WINDOW];
    let fit = solve(window, &weight, key_and_none(plain.hz), 2, &mut rest).0;
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

/// Least gain, as a ratio, by leaving clicks out without a new fit: 1.8 dB.
const WORTH_A_FIT: f32 = 1.5;

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
        let most = seven_eighths(&sizes) * 2.0;
        let (mut weight, mut kept) = ([0f32; WINDOW], [0f32; WINDOW]);
        let mut struck = 0i32;
        for n in 0..WINDOW {
            let stays = sizes[n] <= most;
            weight[n] = if stays { 1.0 } else { 0.0 };
            kept[n] = if stays { sizes[n] } else { 0.0 };
            struck += i32::from(!stays);
        }
        if struck == 0 || struck > WINDOW as i32 / 16 {
            return fit;
        }
        // What a new fit wins beyond leaving the clicks out is what the old one had bent to them, a
        // few hundredths of their power: where leaving them out wins too little, so will it.
        if fit.is_none() && dot(&kept, &kept) * WORTH_A_FIT > dot(&sizes, &sizes) {
            return None;
        }
        let next = solve(window, &weight, key_and_none(plain.hz), 2, &mut rest).0;
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
    place: Place,
    limits: &Limits,
    asked_db: f32,
) -> Option<Fit> {
    let mut rest = *rest;
    let mut hz = key_and_none(plain.hz);
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
        if plain.signal < left * 10f32.powf(asked_db / 10.0) * DIAL_GRACE {
            return None;
        }
        hz[count - 1] = best;
        let (fit, found) = solve(window, &[1f32; WINDOW], hz, count, &mut rest);
        let dial = found.get(2..count)?;
        if dial
            .iter()
            .any(|f| !DIAL_TONE_HZ.contains(&(f.round() as i32)))
        {
            return None;
        }
        if check(&fit, place, limits, asked_db).is_ok() {
            return Some(fit);
        }
        hz = found;
    }
    None
}
/// Fits `count` sinusoids, refining their frequencies, over the samples whose weight is 1.
#[inline(always)]
fn solve(
    window: &[f32; WINDOW],
    weight: &[f32; WINDOW],
    mut hz: [f32; MOST_TONES],
    count: usize,
    rest: &mut [f32; WINDOW],
) -> (Fit, [f32; MOST_TONES]) {
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
        hz: [hz[0], hz[1]],
        amplitude: [0.0; 2],
        signal: 0.0,
        rest: 0.0,
        waves: [(hz[0], angles[0]), (hz[1], angles[1])],
    };
    for (amplitude, [a, b]) in fit.amplitude.iter_mut().zip(angles) {
        let power = a * a + b * b;
        *amplitude = power.sqrt();
        fit.signal += power / 2.0;
    }
    let mut masked = *rest;
    for n in 0..WINDOW {
        masked[n] *= weight[n];
    }
    fit.rest = dot(&masked, &masked) / kept;
    (fit, hz)
}

/// The two tones of a key, and room for a dial tone's.
fn key_and_none([low, high]: [f32; 2]) -> [f32; MOST_TONES] {
    [low, high, 0.0, 0.0]
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn seven_eighths_lie_below(sizes in prop::collection::vec(0f32..1e5, WINDOW)) {
            let sizes: [f32; WINDOW] = std::array::from_fn(|n| sizes[n]);
            let mut sorted = sizes;
            sorted.sort_by(f32::total_cmp);
            prop_assert_eq!(seven_eighths(&sizes), sorted[WINDOW * 7 / 8]);
        }
    }
}
