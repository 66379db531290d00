//! The spectrogram, and the level of each of the eight tones over time.

use std::f32::consts::TAU;

use super::canvas::{Colour, Raster};
use crate::audio::SAMPLE_RATE;
use crate::dtmf::{HIGH_HZ, LOW_HZ, dbm0};

/// Samples of a window of the spectrogram, 32 ms: what the detector's fit looks at.
const WINDOW: usize = 256;
/// Samples of a window in which a tone's level is measured, 20 ms.
const TONE_WINDOW: usize = 160;
/// The highest frequency shown.
pub const TOP_HZ: f32 = 2_000.0;
/// What is as weak as this is black, in dBm0, and what is as strong as that yellow.
pub const FLOOR_DBM0: f32 = -70.0;
pub const CEILING_DBM0: f32 = 0.0;

/// The eight tones, low group first.
pub fn tones() -> [f32; 8] {
    let mut all = [0.0; 8];
    for (into, hz) in all.iter_mut().zip(LOW_HZ.iter().chain(&HIGH_HZ)) {
        *into = *hz as f32;
    }
    all
}

/// The amplitude of a sine of this frequency about `middle`, through a Hann window.
fn amplitude(samples: &[i16], middle: usize, window: usize, hz: f32) -> f32 {
    let step = TAU * hz / SAMPLE_RATE as f32;
    let (turn_s, turn_c) = step.sin_cos();
    let (mut c, mut s) = (1f32, 0f32);
    let (mut re, mut im) = (0f32, 0f32);
    for n in 0..window {
        let at = (middle + n).checked_sub(window / 2);
        let x = at.and_then(|at| samples.get(at)).copied().unwrap_or(0);
        let hann = 1.0 - (TAU * (n as f32 + 0.5) / window as f32).cos();
        let x = f32::from(x) * hann;
        re += x * c;
        im += x * s;
        (c, s) = (c * turn_c - s * turn_s, s * turn_c + c * turn_s);
    }
    (re * re + im * im).sqrt() * 2.0 / window as f32
}

/// Levels in dBm0 of the eight tones, one row for each 5 ms.
pub fn tone_levels(samples: &[i16], step: usize) -> Vec<[f32; 8]> {
    let hz = tones();
    (0..samples.len())
        .step_by(step.max(1))
        .map(|middle| hz.map(|hz| dbm0(amplitude(samples, middle, TONE_WINDOW, hz))))
        .collect()
}

/// The spectrogram from 0 to [`TOP_HZ`], the highest frequency in the top row.
pub fn spectrogram(samples: &[i16], width: usize, height: usize) -> Raster {
    let mut pixels = vec![Colour(0, 0, 0); width * height];
    for x in 0..width {
        let middle = (x * samples.len() + samples.len() / 2) / width.max(1);
        for y in 0..height {
            let hz = TOP_HZ * (height - y) as f32 / height as f32;
            let level = dbm0(amplitude(samples, middle, WINDOW, hz));
            if let Some(pixel) = pixels.get_mut(y * width + x) {
                *pixel = heat((level - FLOOR_DBM0) / (CEILING_DBM0 - FLOOR_DBM0));
            }
        }
    }
    Raster {
        width,
        height,
        pixels,
    }
}

/// From black through violet and orange to pale yellow; equal steps look equal.
pub fn heat(share: f32) -> Colour {
    const STOPS: [(f32, [f32; 3]); 7] = [
        (0.0, [0.0, 0.0, 4.0]),
        (0.17, [30.0, 12.0, 69.0]),
        (0.33, [97.0, 19.0, 109.0]),
        (0.5, [166.0, 44.0, 96.0]),
        (0.67, [224.0, 83.0, 54.0]),
        (0.83, [251.0, 155.0, 6.0]),
        (1.0, [252.0, 255.0, 164.0]),
    ];
    let share = share.clamp(0.0, 1.0);
    for pair in STOPS.windows(2) {
        let [(from, a), (to, b)] = [pair[0], pair[1]];
        if share <= to {
            let t = (share - from) / (to - from);
            let mix = |k: usize| (a[k] + (b[k] - a[k]) * t).round() as u8;
            return Colour(mix(0), mix(1), mix(2));
        }
    }
    Colour(252, 255, 164)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::{Digit, Generator, KeyShape};

    #[test]
    fn the_tones_of_a_key_have_its_level_and_others_are_far_below() {
        let samples = Generator::new(&[Digit::HASH], KeyShape::default()).render();
        let levels = tone_levels(&samples, 40);
        assert_eq!(levels.len(), 40);
        // The middle of the key: 941 and 1477 Hz.
        for (tone, level) in levels[10].iter().enumerate() {
            if tone == 3 || tone == 6 {
                assert!((level + 10.0).abs() < 0.5, "{tone}: {level}");
            } else {
                assert!(*level < -18.0, "{tone}: {level}");
            }
        }
        assert!(levels[30].iter().all(|level| *level < -60.0));
    }
}
