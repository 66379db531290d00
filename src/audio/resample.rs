//! Rate conversion by a Kaiser-windowed sinc, meant for recordings read before a call.
//!
//! Flat to 85 % of the lower rate's half (3.4 kHz of 4 kHz: the telephone band) and 90 dB down
//! from that half on, so nothing folds back into the band. The kernel is tabulated once a
//! conversion and interpolated, so any pair of rates works, coprime ones too.

use thiserror::Error;

use super::SAMPLE_RATE;

/// The lowest rate converted from or to, in hertz.
pub const MIN_RATE: u32 = 4_000;
/// The highest rate converted from or to, in hertz.
pub const MAX_RATE: u32 = 384_000;

/// Pass band's end and stop band's begin, as parts of the lower rate.
const PASS: f64 = 0.425;
const STOP: f64 = 0.5;
/// Stop-band attenuation in decibels.
const ATTENUATION: f64 = 90.0;
/// Points of the kernel's table for each sample of the lower rate; linear interpolation between
/// them errs by less than -110 dB.
const OVERSAMPLING: usize = 1_024;

/// A rate outside [`MIN_RATE`] to [`MAX_RATE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a sample rate of {0} Hz is outside {MIN_RATE} to {MAX_RATE} Hz: save the recording at 8000, \
     16000 or 48000 Hz"
)]
pub struct RateError(pub u32);

/// Converts to [`SAMPLE_RATE`].
///
/// # Errors
/// [`RateError`] if `rate` is out of range.
pub fn to_8k(samples: &[f32], rate: u32) -> Result<Vec<f32>, RateError> {
    resample(samples, rate, SAMPLE_RATE)
}

/// Converts from one rate to another, both in hertz. The result lasts as long as the input,
/// rounded up to a sample, and is not delayed.
///
/// # Errors
/// [`RateError`] if either rate is out of range.
pub fn resample(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>, RateError> {
    for rate in [from, to] {
        if !(MIN_RATE..=MAX_RATE).contains(&rate) {
            return Err(RateError(rate));
        }
    }
    if from == to {
        return Ok(samples.to_vec());
    }
    let kernel = Kernel::new();
    // Samples of the lower rate in one of the input: 1 when going up.
    let scale = f64::from(to.min(from)) / f64::from(from);
    let reach = kernel.reach / scale;
    let (from, to) = (u64::from(from), u64::from(to));
    let length = (samples.len() as u64 * to).div_ceil(from);
    let output = (0..length).map(|n| {
        // Position in the input: whole part exactly, fraction without drift.
        let (whole, left) = ((n * from / to) as i64, n * from % to);
        let fraction = left as f64 / to as f64;
        let first = whole - (reach - fraction).floor() as i64;
        let last = whole + (reach + fraction).floor() as i64;
        let first = first.max(0);
        let last = last.min(samples.len() as i64 - 1);
        let mut sum = 0.0;
        for at in first..=last {
            let distance = (at - whole) as f64 - fraction;
            sum += f64::from(samples[at as usize]) * kernel.at(distance * scale);
        }
        (sum * scale) as f32
    });
    Ok(output.collect())
}

/// Half of the symmetric kernel, tabulated over distance in samples of the lower rate.
struct Kernel {
    table: Vec<f64>,
    reach: f64,
}

impl Kernel {
    fn new() -> Kernel {
        // Kaiser's formulas for the length and the shape of the window.
        let taps = (ATTENUATION - 7.95) / (14.36 * (STOP - PASS));
        let reach = (taps / 2.0).ceil();
        let beta = 0.1102 * (ATTENUATION - 8.7);
        let cutoff = PASS + STOP;
        let points = reach as usize * OVERSAMPLING;
        let table = (0..=points)
            .map(|i| {
                let distance = i as f64 / OVERSAMPLING as f64;
                let edge = distance / reach;
                let window =
                    bessel_i0(beta * (1.0 - edge * edge).max(0.0).sqrt()) / bessel_i0(beta);
                cutoff * sinc(cutoff * distance) * window
            })
            // One more point, so that the last interval has an end.
            .chain([0.0])
            .collect();
        Kernel { table, reach }
    }

    fn at(&self, distance: f64) -> f64 {
        let place = distance.abs() * OVERSAMPLING as f64;
        let index = place as usize;
        match self.table.get(index..index + 2) {
            Some([low, high]) => low + (high - low) * (place - index as f64),
            _ => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let angle = std::f64::consts::PI * x;
    angle.sin() / angle
}

/// The modified Bessel function of the first kind, order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let mut sum = 1.0;
    let mut term = 1.0;
    for k in 1..64 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tone(hertz: f64, rate: u32, seconds: f64) -> Vec<f32> {
        (0..(f64::from(rate) * seconds) as usize)
            .map(|n| (std::f64::consts::TAU * hertz * n as f64 / f64::from(rate)).sin() as f32)
            .collect()
    }

    /// Decibels of `samples` against a full-scale sine, leaving the ends out.
    fn decibels(samples: &[f32]) -> f64 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let mean = middle.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / middle.len() as f64;
        10.0 * (2.0 * mean).max(1e-30).log10()
    }

    const RATES: [u32; 6] = [11_025, 16_000, 22_050, 24_000, 44_100, 48_000];

    #[test]
    fn the_telephone_band_passes_unchanged() {
        for rate in RATES {
            for hertz in [50.0, 300.0, 1_000.0, 2_000.0, 3_000.0, 3_400.0] {
                let got = to_8k(&tone(hertz, rate, 0.2), rate).unwrap();
                let wanted = tone(hertz, 8_000, 0.2);
                assert_eq!(got.len(), wanted.len());
                let error: Vec<f32> = got.iter().zip(&wanted).map(|(g, w)| g - w).collect();
                assert!(
                    decibels(&error) < -80.0,
                    "{hertz} Hz at {rate}: error {:.1} dB",
                    decibels(&error)
                );
            }
        }
    }

    #[test]
    fn nothing_folds_back_into_the_band() {
        for rate in RATES {
            for hertz in [4_000.0, 4_100.0, 4_600.0, 5_000.0] {
                let folded = to_8k(&tone(hertz, rate, 0.2), rate).unwrap();
                assert!(
                    decibels(&folded) < -85.0,
                    "{hertz} Hz at {rate}: {:.1} dB",
                    decibels(&folded)
                );
            }
        }
    }

    #[test]
    fn goes_up_too() {
        for hertz in [300.0, 1_000.0, 2_500.0] {
            let got = resample(&tone(hertz, 6_000, 0.5), 6_000, 16_000).unwrap();
            let wanted = tone(hertz, 16_000, 0.5);
            let error: Vec<f32> = got.iter().zip(&wanted).map(|(g, w)| g - w).collect();
            assert!(decibels(&error) < -80.0, "{hertz}: {}", decibels(&error));
        }
    }

    #[test]
    fn a_constant_stays_constant() {
        let got = to_8k(&[0.5; 44_100], 44_100).unwrap();
        assert!(got[1_000..7_000].iter().all(|s| (s - 0.5).abs() < 1e-4));
    }

    #[test]
    fn the_same_rate_is_left_alone() {
        assert_eq!(to_8k(&[0.1, 0.2], 8_000).unwrap(), [0.1, 0.2]);
        assert!(to_8k(&[], 44_100).unwrap().is_empty());
    }

    #[test]
    fn odd_rates_are_refused() {
        assert_eq!(to_8k(&[0.0], 0), Err(RateError(0)));
        assert_eq!(to_8k(&[0.0], u32::MAX), Err(RateError(u32::MAX)));
        assert_eq!(resample(&[0.0], 8_000, 100), Err(RateError(100)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_rates_keep_the_duration(
            samples in proptest::collection::vec(-1.0f32..1.0, 0..600),
            from in MIN_RATE..=MAX_RATE,
            to in MIN_RATE..=48_000u32,
        ) {
            let got = resample(&samples, from, to).unwrap();
            let length = (samples.len() as u64 * u64::from(to)).div_ceil(u64::from(from));
            prop_assert_eq!(got.len() as u64, length);
            prop_assert!(got.iter().all(|s| s.is_finite() && s.abs() < 6.0));
        }
    }
}
