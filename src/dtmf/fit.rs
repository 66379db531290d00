//! The second step: two sinusoids fitted by least squares to a 32 ms window.
//!
//! The window is as long as a key must last, so that length needs no measure of its own: a burst
//! that fills a share `f` of the window leaves `f (1 - f)` of its power unexplained by steady
//! tones, 4 dB below the tones at 23 ms, and none at 32 ms.
//!
//! About the middle of the window cosines are even and sines odd, so that the normal equations
//! fall into two of two unknowns, whose coefficients are known in closed form (Dirichlet's kernel
//! and its derivative). Of the audio it takes four sums a tone.

// Lanes are read by their numbers, so that the compiler sees vectors.
#![allow(clippy::needless_range_loop)]

use super::bank::Kernel;
use super::dbm0;
use super::measures::{Measures, Refusal};
use super::presence::Place;
use super::rescue::{RESCUE_DB, rescue};
use super::tones::{RATE, TONES_HZ, WINDOW};
use super::turns::cos_sin;

/// The limits within which a fit is a key.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Least amplitude of a tone in sample units.
    pub weakest: f32,
    /// Greatest amplitude of the high tone over the low one's.
    pub high_over_low: f32,
    /// Greatest amplitude of the low tone over the high one's.
    pub low_over_high: f32,
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
    /// The tolerance in hertz at this nominal frequency.
    pub fn tolerance_at(&self, nominal: f32) -> f32 {
        nominal * self.tolerance + self.tolerance_hz
    }
}

/// What a least-squares fit found.
#[derive(Debug, Clone, Copy)]
pub struct Fit {
    /// Frequencies of both tones in hertz.
    pub hz: [f32; 2],
    /// Their amplitudes.
    pub amplitude: [f32; 2],
    /// Mean power of the two tones.
    pub signal: f32,
    /// Mean power of what the tones leave unexplained.
    pub rest: f32,
    /// Frequencies in hertz of the last sums that were taken of the audio, and the amplitudes of
    /// cosine and sine, phase 0 in the middle of the window, found with them.
    pub waves: [(f32, [f32; 2]); 2],
}

impl Fit {
    /// Power of the tones over the rest in dB, 60 at most.
    pub fn snr_db(&self) -> f32 {
        (10.0 * (self.signal / self.rest.max(self.signal * 1e-6).max(1e-9)).log10()).min(60.0)
    }
}

/// What became of a window.
#[derive(Debug, Clone, Copy)]
pub struct Judged {
    /// What was found in it.
    pub fit: Fit,
    /// Least ratio of tones to rest that was asked for away from the edge of the frequencies, in dB.
    asked_db: f32,
    /// `None` if it is a key.
    pub refusal: Option<Refusal>,
}

impl Judged {
    /// What was measured, of the key in this place.
    #[inline]
    pub fn measures(&self, place: Place, limits: &Limits) -> Measures {
        let fit = &self.fit;
        let off = off(fit, place, limits);
        // 10 dB above the least ratio of tones to rest leaves no doubt.
        let over = fit.snr_db() - self.asked_db - edge_db(off);
        let inside = (1.0 - off).min(over / 10.0);
        Measures {
            low_hz: fit.hz[0],
            high_hz: fit.hz[1],
            low_dbm0: dbm0(fit.amplitude[0]),
            high_dbm0: dbm0(fit.amplitude[1]),
            snr_db: fit.snr_db(),
            confidence: (0.5 + inside / 2.0).clamp(0.0, 1.0),
        }
    }
}

/// Judges whether this window, whose tones have these rough frequencies, is the key in this place.
pub fn judge(
    kernel: Kernel,
    window: &[i16; WINDOW],
    place: Place,
    rough: [f32; 2],
    limits: &Limits,
) -> Judged {
    let plain = kernel.wide(
        #[inline(always)]
        || two_tones(&Folded::of(window), rough),
    );
    let mut judged = Judged {
        fit: plain,
        asked_db: limits.snr_db,
        refusal: check(&plain, place, limits, limits.snr_db).err(),
    };
    // What two tones explain less than this share of is not worth a second look.
    if judged.refusal == Some(Refusal::NotTwoTones) && plain.signal > HOPELESS * plain.rest {
        let rescued = kernel.wide(
            #[inline(always)]
            || rescue(window, &plain, place, limits),
        );
        if let Some(fit) = rescued {
            judged = Judged {
                fit,
                asked_db: limits.snr_db + RESCUE_DB,
                refusal: None,
            };
        }
    }
    judged
}

/// Ratio of two tones to the rest below which nothing can rescue a window, -8 dB.
const HOPELESS: f32 = 0.158_489_32;

/// Half a window: samples outwards from its middle.
const HALF: usize = WINDOW / 2;
/// Samples side by side.
const LANES: usize = 16;

/// A window folded about its middle.
struct Folded {
    even: [f32; HALF],
    odd: [f32; HALF],
    /// The sum of all squares.
    energy: f32,
}

impl Folded {
    #[inline(always)]
    fn of(window: &[i16; WINDOW]) -> Folded {
        let mut folded = Folded {
            even: [0.0; HALF],
            odd: [0.0; HALF],
            energy: 0.0,
        };
        for k in 0..HALF {
            let after = i32::from(window[HALF + k]);
            let before = i32::from(window[HALF - 1 - k]);
            folded.even[k] = (after + before) as f32;
            folded.odd[k] = (after - before) as f32;
        }
        let mut energy = [0f32; LANES];
        for at in (0..HALF).step_by(LANES) {
            for lane in 0..LANES {
                let (even, odd) = (folded.even[at + lane], folded.odd[at + lane]);
                energy[lane] += even * even + odd * odd;
            }
        }
        folded.energy = sum(energy) / 2.0;
        folded
    }
}

/// The sum of all lanes in a fixed order.
#[inline(always)]
fn sum(lanes: [f32; LANES]) -> f32 {
    let mut eight = [0f32; 8];
    for k in 0..8 {
        eight[k] = lanes[k] + lanes[k + 8];
    }
    let mut four = [0f32; 4];
    for k in 0..4 {
        four[k] = eight[k] + eight[k + 4];
    }
    (four[0] + four[2]) + (four[1] + four[3])
}

/// The window held against a sinusoid, and the sinusoid itself at half a sample and at half a
/// window from the middle.
#[derive(Clone, Copy)]
struct Held {
    /// Audio times cosine.
    cos: f32,
    /// Audio times sine.
    sin: f32,
    /// Audio times cosine times distance.
    far_cos: f32,
    /// Audio times sine times distance.
    far_sin: f32,
    /// Cosine and sine of half a step.
    step: (f32, f32),
    /// Cosine and sine of half a window.
    reach: (f32, f32),
}

/// A sinusoid on its way outwards from the middle, and the audio held against it so far.
struct Wave {
    c: [f32; LANES],
    s: [f32; LANES],
    step: (f32, f32),
    turn: (f32, f32),
    cos: [f32; LANES],
    sin: [f32; LANES],
    far_cos: [f32; LANES],
    far_sin: [f32; LANES],
}

impl Wave {
    #[inline(always)]
    fn new(hz: f32) -> Wave {
        let turns = hz * (1.0 / RATE as f32);
        let (mut c, mut s) = ([0f32; LANES], [0f32; LANES]);
        for lane in 0..LANES {
            (c[lane], s[lane]) = cos_sin(turns * (lane as f32 + 0.5));
        }
        let step = (c[0], s[0]);
        Wave {
            turn: plus((c[LANES - 1], s[LANES - 1]), step),
            step,
            c,
            s,
            cos: [0.0; LANES],
            sin: [0.0; LANES],
            far_cos: [0.0; LANES],
            far_sin: [0.0; LANES],
        }
    }

    #[inline(always)]
    fn take(
        &mut self,
        even: &[f32; LANES],
        odd: &[f32; LANES],
        even_far: &[f32; LANES],
        odd_far: &[f32; LANES],
    ) {
        let (turn_c, turn_s) = self.turn;
        for lane in 0..LANES {
            let (c, s) = (self.c[lane], self.s[lane]);
            self.cos[lane] += even[lane] * c;
            self.sin[lane] += odd[lane] * s;
            self.far_cos[lane] += odd_far[lane] * c;
            self.far_sin[lane] += even_far[lane] * s;
            self.c[lane] = c * turn_c - s * turn_s;
            self.s[lane] = s * turn_c + c * turn_s;
        }
    }

    #[inline(always)]
    fn held(&self) -> Held {
        Held {
            cos: sum(self.cos),
            sin: sum(self.sin),
            far_cos: sum(self.far_cos),
            far_sin: sum(self.far_sin),
            step: self.step,
            // Sixteen samples, doubled three times.
            reach: double(double(double(self.turn))),
        }
    }
}

#[inline(always)]
fn hold(folded: &Folded, hz: [f32; 2]) -> (Held, Held) {
    let (mut low, mut high) = (Wave::new(hz[0]), Wave::new(hz[1]));
    for at in (0..HALF).step_by(LANES) {
        let (mut even, mut odd) = ([0f32; LANES], [0f32; LANES]);
        even.copy_from_slice(&folded.even[at..at + LANES]);
        odd.copy_from_slice(&folded.odd[at..at + LANES]);
        let (mut even_far, mut odd_far) = ([0f32; LANES], [0f32; LANES]);
        for lane in 0..LANES {
            let far = at as f32 + (lane as f32 + 0.5);
            even_far[lane] = even[lane] * far;
            odd_far[lane] = odd[lane] * far;
        }
        low.take(&even, &odd, &even_far, &odd_far);
        high.take(&even, &odd, &even_far, &odd_far);
    }
    (low.held(), high.held())
}

/// Twice the angle.
#[inline(always)]
fn double((c, s): (f32, f32)) -> (f32, f32) {
    (c * c - s * s, 2.0 * c * s)
}

/// The cosines of an angle at all samples of a window, summed, and the sines, each times its
/// distance from the middle: Dirichlet's kernel, and its derivative the other way round. Of the
/// angle are given cosine and sine of its half and of its 128-fold.
#[inline(always)]
fn dirichlet(half: (f32, f32), reach: (f32, f32)) -> (f32, f32) {
    let sum = reach.1 / half.1;
    (sum, (0.5 * sum * half.0 - HALF as f32 * reach.0) / half.1)
}

/// Cosine and sine of a sum of two angles.
#[inline(always)]
fn plus(a: (f32, f32), b: (f32, f32)) -> (f32, f32) {
    (a.0 * b.0 - a.1 * b.1, a.1 * b.0 + a.0 * b.1)
}

/// Cosine and sine of an angle less another.
#[inline(always)]
fn minus(a: (f32, f32), b: (f32, f32)) -> (f32, f32) {
    (a.0 * b.0 + a.1 * b.1, a.1 * b.0 - a.0 * b.1)
}

/// Fits two sinusoids, refining their frequencies. The last refinement is too small to be worth
/// new sums: what it explains is reckoned.
#[inline(always)]
fn two_tones(folded: &Folded, mut hz: [f32; 2]) -> Fit {
    const N: f32 = WINDOW as f32;
    /// The sum of the squares of all distances from the middle, over two.
    const SPREAD: f32 = N * (N * N - 1.0) / 24.0;
    const PER_RADIAN: f32 = (RATE / std::f64::consts::TAU) as f32;
    let mut fit = Fit {
        hz,
        amplitude: [0.0; 2],
        signal: 0.0,
        rest: 0.0,
        waves: [(0.0, [0.0; 2]); 2],
    };
    for round in 0..=MOST_REFINEMENTS {
        let (x, y) = hold(folded, hz);
        let (apart, apart_far) = dirichlet(minus(y.step, x.step), minus(y.reach, x.reach));
        let (both, both_far) = dirichlet(plus(y.step, x.step), plus(y.reach, x.reach));
        let (own_x, own_x_far) = dirichlet(double(x.step), double(x.reach));
        let (own_y, own_y_far) = dirichlet(double(y.step), double(y.reach));
        // Cosines: (a0, a1); sines: (b0, b1).
        let pair = |xx: f32, xy: f32, yy: f32, x: f32, y: f32| {
            let over = 1.0 / (xx * yy - xy * xy).max(1e-9);
            [(x * yy - y * xy) * over, (y * xx - x * xy) * over]
        };
        let a = pair(
            0.5 * (N + own_x),
            0.5 * (apart + both),
            0.5 * (N + own_y),
            x.cos,
            y.cos,
        );
        let b = pair(
            0.5 * (N - own_x),
            0.5 * (apart - both),
            0.5 * (N - own_y),
            x.sin,
            y.sin,
        );
        let power = [a[0] * a[0] + b[0] * b[0], a[1] * a[1] + b[1] * b[1]];
        let explained = a[0] * x.cos + a[1] * y.cos + b[0] * x.sin + b[1] * y.sin;
        fit.hz = hz;
        fit.waves = [(hz[0], [a[0], b[0]]), (hz[1], [a[1], b[1]])];
        fit.amplitude = [power[0].sqrt(), power[1].sqrt()];
        fit.signal = (power[0] + power[1]) / 2.0;
        fit.rest = ((folded.energy - explained) / N).max(0.0);
        // The first, rough fit explains too little for a better one to matter.
        if round == MOST_REFINEMENTS || (round == 0 && fit.signal * 10.0 < fit.rest) {
            break;
        }
        // One Gauss-Newton step for each frequency: d/dw (a cos wt + b sin wt) = t (b cos wt - a sin wt).
        let (more, less) = (0.5 * (both_far + apart_far), 0.5 * (both_far - apart_far));
        let slope = [
            b[0] * x.far_cos
                - a[0] * x.far_sin
                - (b[0] * b[1] * more - a[0] * a[1] * less)
                - 0.5 * own_x_far * (b[0] * b[0] - a[0] * a[0]),
            b[1] * y.far_cos
                - a[1] * y.far_sin
                - (b[1] * b[0] * less - a[1] * a[0] * more)
                - 0.5 * own_y_far * (b[1] * b[1] - a[1] * a[1]),
        ];
        let mut small = true;
        let mut gain = 0.0;
        for k in 0..2 {
            let curve = SPREAD * power[k] + 1e-6;
            let step = slope[k] / curve * PER_RADIAN;
            small &= step.abs() < SMALL_HZ;
            gain += slope[k] * slope[k] / curve;
            hz[k] += step.clamp(-10.0, 10.0);
        }
        if small {
            fit.hz = hz;
            fit.rest = (fit.rest - gain / N).max(0.0);
            break;
        }
    }
    fit
}

/// How often the frequencies are refined at most.
const MOST_REFINEMENTS: usize = 2;
/// A refinement smaller than this is the last. What it explains is known to a hundredth: 50 dB
/// below the tone.
const SMALL_HZ: f32 = 0.5;

/// Holds a fit against the limits, with this ratio of tones to rest asked for.
pub fn check(fit: &Fit, place: Place, limits: &Limits, asked_db: f32) -> Result<(), Refusal> {
    let off = off(fit, place, limits);
    if off > 1.0 {
        return Err(Refusal::OffFrequency);
    }
    let [low, high] = fit.amplitude;
    if low.min(high) < limits.weakest {
        return Err(Refusal::TooWeak);
    }
    if high > low * limits.high_over_low || low > high * limits.low_over_high {
        return Err(Refusal::Twist);
    }
    if fit.snr_db() < asked_db + edge_db(off) {
        return Err(Refusal::NotTwoTones);
    }
    Ok(())
}

/// How far the worse of both tones is off, as a share of its tolerance.
fn off(fit: &Fit, place: Place, limits: &Limits) -> f32 {
    let share = |hz: f32, tone: usize| {
        let nominal = TONES_HZ[tone] as f32;
        (hz - nominal).abs() / limits.tolerance_at(nominal)
    };
    share(fit.hz[0], place.row & 3).max(share(fit.hz[1], 4 + (place.column & 3)))
}

/// A tone near the edge of its tolerance must stand out more: a keypad is off or its line is
/// noisy, and what is both is mostly speech. Q.24's 1.5 % lies at 0.8 of the tolerance.
fn edge_db(off: f32) -> f32 {
    EDGE_DB * ((off - EDGE_FROM) / (1.0 - EDGE_FROM)).max(0.0)
}

/// How much more is asked for at the very edge.
const EDGE_DB: f32 = 8.0;
/// The share of the tolerance from which on more is asked for.
const EDGE_FROM: f32 = 0.6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::Digit;
    use proptest::prelude::*;

    fn limits() -> Limits {
        Limits {
            weakest: 100.0,
            high_over_low: 2.0,
            low_over_high: 3.0,
            tolerance: 0.015,
            tolerance_hz: 5.5,
            snr_db: 7.0,
            rough_hz: 8.0,
        }
    }

    /// Two tones of these frequencies, amplitudes and phases in turns.
    fn window(hz: [f64; 2], amplitude: [f64; 2], phase: [f64; 2]) -> [i16; WINDOW] {
        std::array::from_fn(|n| {
            let tone = |k: usize| {
                amplitude[k] * (std::f64::consts::TAU * (hz[k] * n as f64 / RATE + phase[k])).sin()
            };
            (tone(0) + tone(1)).round() as i16
        })
    }

    proptest! {
        /// Whatever the key, how far off, however strong, and from a rough frequency as bad as
        /// blocks give: the fit finds what is there.
        #[test]
        fn two_tones_are_found_as_they_are(
            key in 0u8..16,
            off in prop::array::uniform2(-20f64..20.0),
            rough in prop::array::uniform2(-6f32..6.0),
            amplitude in prop::array::uniform2(2_000f64..8_000.0),
            phase in prop::array::uniform2(0f64..1.0),
        ) {
            let (low, high) = Digit::from_event(key).unwrap().frequencies();
            let hz = [low + off[0], high + off[1]];
            let window = window(hz, amplitude, phase);
            let rough = [hz[0] as f32 + rough[0], hz[1] as f32 + rough[1]];
            let fit = two_tones(&Folded::of(&window), rough);
            for k in 0..2 {
                prop_assert!((fit.hz[k] - hz[k] as f32).abs() < 0.2, "{fit:?}");
                let share = fit.amplitude[k] / amplitude[k] as f32;
                prop_assert!((share - 1.0).abs() < 0.01, "{fit:?}");
            }
            prop_assert!(fit.snr_db() > 36.0, "{fit:?}");
        }

        /// The closed form is the least-squares solution: no other amplitudes at these
        /// frequencies leave less.
        #[test]
        fn what_is_left_is_the_least(
            audio in prop::collection::vec(any::<i16>(), WINDOW),
            change in prop::array::uniform4(-50f64..50.0),
        ) {
            let window: [i16; WINDOW] = std::array::from_fn(|n| audio[n]);
            let fit = two_tones(&Folded::of(&window), [852.0, 1_336.0]);
            let left = |change: [f64; 4]| -> f64 {
                let sum: f64 = (0..WINDOW)
                    .map(|n| {
                        let t = n as f64 - (WINDOW as f64 - 1.0) / 2.0;
                        let mut rest = f64::from(window[n]);
                        for k in 0..2 {
                            let (hz, [a, b]) = fit.waves[k];
                            let (s, c) = (f64::from(hz) * t * std::f64::consts::TAU / RATE).sin_cos();
                            rest -= (f64::from(a) + change[k * 2]) * c;
                            rest -= (f64::from(b) + change[k * 2 + 1]) * s;
                        }
                        rest * rest
                    })
                    .sum();
                sum / WINDOW as f64
            };
            let least = left([0.0; 4]);
            prop_assert!(left(change) >= least * (1.0 - 1e-4), "{} {least}", left(change));
        }
    }

    #[test]
    fn each_limit_refuses_by_its_name() {
        let place = Place { row: 2, column: 1 };
        let judged = |hz: [f64; 2], amplitude: [f64; 2]| {
            let window = window(hz, amplitude, [0.1, 0.7]);
            let rough = hz.map(|hz| hz as f32);
            judge(Kernel::PORTABLE, &window, place, rough, &limits()).refusal
        };
        let (both, exact) = ([5_000.0; 2], [852.0, 1_336.0]);
        assert_eq!(judged(exact, both), None);
        let off = Some(Refusal::OffFrequency);
        assert_eq!(judged([852.0 * 1.015 + 6.5, 1_336.0], both), off);
        assert_eq!(judged(exact, [90.0, 90.0]), Some(Refusal::TooWeak));
        assert_eq!(judged(exact, [2_000.0, 5_000.0]), Some(Refusal::Twist));
        assert_eq!(judged(exact, [8_000.0, 2_500.0]), Some(Refusal::Twist));
        let mut third = window(exact, both, [0.1, 0.7]);
        for (n, x) in third.iter_mut().enumerate() {
            *x += (3_500.0 * (n as f64 * 1.9).sin()) as i16;
        }
        let refusal = judge(Kernel::PORTABLE, &third, place, [852.0, 1_336.0], &limits()).refusal;
        assert_eq!(refusal, Some(Refusal::NotTwoTones));
    }
}
