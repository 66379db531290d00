use super::*;
use crate::dtmf::{Generator, KeyShape};
use proptest::prelude::*;

fn keys_in(samples: &[i16]) -> String {
    let mut keys = String::new();
    let mut detector = Detector::new(DetectorConfig::default());
    let mut sink = |detection| {
        if let Detection::Began { digit, .. } = detection {
            keys.push(digit.as_char());
        }
    };
    detector.feed(samples, &mut sink);
    detector.finish(&mut sink);
    keys
}

#[test]
fn every_key_is_heard_once() {
    let digits: Vec<Digit> = Digit::all().collect();
    let expected: String = digits.iter().map(|d| d.as_char()).collect();
    for (tone, pause) in [(320, 320), (800, 800), (400, 4000), (8000, 480)] {
        let shape = KeyShape {
            tone_samples: tone,
            pause_samples: pause,
            ..KeyShape::default()
        };
        let samples = Generator::new(&digits, shape).render();
        for offset in [0, 33, 80, 100, 159] {
            let mut shifted = vec![0; offset];
            shifted.extend_from_slice(&samples);
            assert_eq!(keys_in(&shifted), expected, "{tone} {pause} {offset}");
        }
    }
}

fn began_and_ended(feed: impl FnOnce(&mut Detector, &mut Vec<Detection>)) -> Vec<Detection> {
    let mut heard = Vec::new();
    let mut detector = Detector::new(DetectorConfig::default());
    feed(&mut detector, &mut heard);
    detector.finish(&mut |d| heard.push(d));
    heard
}

#[test]
fn a_lost_frame_neither_splits_a_key_nor_makes_one() {
    let samples = Generator::new(&[Digit::HASH], KeyShape::default()).render();
    for lost in 0..8 {
        let heard = began_and_ended(|detector, heard| {
            for (index, frame) in samples.chunks(160).enumerate() {
                if index == lost {
                    detector.gap(160, &mut |d| heard.push(d));
                } else {
                    detector.feed(frame, &mut |d| heard.push(d));
                }
            }
        });
        assert_eq!(heard.len(), 2, "frame {lost} lost: {heard:?}");
    }
    // 20 ms of tone on each side of 40 ms that nobody heard is no key.
    let heard = began_and_ended(|detector, heard| {
        detector.feed(&samples[..160], &mut |d| heard.push(d));
        detector.gap(320, &mut |d| heard.push(d));
        detector.feed(&samples[480..640], &mut |d| heard.push(d));
    });
    assert_eq!(heard, []);
}

#[test]
fn a_long_gap_ends_a_key_where_it_began() {
    let samples = Generator::new(&[Digit::HASH], KeyShape::default()).render();
    let heard = began_and_ended(|detector, heard| {
        detector.feed(&samples[..640], &mut |d| heard.push(d));
        detector.gap(1 << 40, &mut |d| heard.push(d));
        detector.gap(u64::MAX, &mut |d| heard.push(d));
        detector.gap(u64::MAX, &mut |d| heard.push(d));
        detector.feed(&samples[..640], &mut |d| heard.push(d));
    });
    let ends: Vec<u64> = heard
        .iter()
        .filter_map(|d| match d {
            Detection::Ended { end_sample, .. } => Some(*end_sample),
            Detection::Began { .. } => None,
        })
        .collect();
    assert_eq!(heard.len(), 4, "{heard:?}");
    assert!(ends[0] <= 640 && ends[1] > FARTHEST, "{ends:?}");
}

#[test]
fn pieces_of_any_length_are_heard_alike() {
    let digits: Vec<Digit> = Digit::all().collect();
    let samples = Generator::new(&digits, KeyShape::default()).render();
    let whole = began_and_ended(|detector, heard| {
        detector.feed(&samples, &mut |d| heard.push(d));
    });
    assert_eq!(whole.len(), 32);
    for length in [1, 7, 80, 240, 1_000] {
        let pieces = began_and_ended(|detector, heard| {
            for piece in samples.chunks(length) {
                detector.feed(piece, &mut |d| heard.push(d));
            }
        });
        assert_eq!(pieces, whole, "{length}");
    }
}

#[test]
fn single_tones_and_tones_of_the_network_are_no_keys() {
    let sine = |parts: &[(f64, usize)]| -> Vec<i16> {
        let mut all = Vec::new();
        for (hz, ms) in parts {
            all.extend((0..ms * 8).map(|n| {
                (8_000.0 * (std::f64::consts::TAU * hz * n as f64 / 8_000.0).sin()) as i16
            }));
        }
        all
    };
    let add =
        |a: Vec<i16>, b: Vec<i16>| -> Vec<i16> { a.iter().zip(&b).map(|(a, b)| a + b).collect() };
    let mut all = vec![
        // CNG, CED, a beep; SIT; ringing and busy tones of America and Europe.
        sine(&[(1100.0, 500)]),
        sine(&[(2100.0, 3000)]),
        sine(&[(1000.0, 300)]),
        sine(&[(985.2, 380), (1428.5, 276), (1776.7, 380)]),
        sine(&[(913.8, 274), (1370.6, 274), (1776.7, 380)]),
        sine(&[(425.0, 1000)]),
        add(sine(&[(440.0, 2000)]), sine(&[(480.0, 2000)])),
        add(sine(&[(480.0, 500)]), sine(&[(620.0, 500)])),
        add(sine(&[(400.0, 400)]), sine(&[(450.0, 400)])),
    ];
    for hz in crate::dtmf::LOW_HZ.into_iter().chain(crate::dtmf::HIGH_HZ) {
        all.push(sine(&[(hz, 400)]));
    }
    // A sweep through everything.
    let mut phase = 0.0;
    all.push(
        (0..80_000)
            .map(|n| {
                phase += std::f64::consts::TAU * (300.0 + f64::from(n) * 0.04) / 8_000.0;
                (12_000.0 * phase.sin()) as i16
            })
            .collect(),
    );
    for (index, samples) in all.iter().enumerate() {
        assert_eq!(keys_in(samples), "", "signal {index}");
    }
}

/// A stretch of a stream: a key's tones, noise, silence, or nothing that was received.
#[derive(Debug, Clone)]
enum Stretch {
    Tone(u8, i16),
    Noise(i16),
    Silence,
    Lost,
}

fn stretches() -> impl Strategy<Value = Vec<(Stretch, u16)>> {
    let stretch = prop_oneof![
        (0u8..16, 10i16..16_000).prop_map(|(code, level)| Stretch::Tone(code, level)),
        (1i16..i16::MAX).prop_map(Stretch::Noise),
        Just(Stretch::Silence),
        Just(Stretch::Lost),
    ];
    prop::collection::vec((stretch, 1u16..2_500), 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Whatever comes: each key that began ends before the next begins, and time never goes
    /// back.
    #[test]
    fn each_key_ends_before_the_next_begins(stretches in stretches()) {
        let mut detector = Detector::new(DetectorConfig::default());
        let mut told = Vec::new();
        let mut state = 1u32;
        for (stretch, length) in stretches {
            let mut samples = vec![0i16; usize::from(length)];
            match stretch {
                Stretch::Lost => {
                    detector.gap(length.into(), &mut |d| told.push(d));
                    continue;
                }
                Stretch::Silence => {}
                Stretch::Noise(most) => {
                    for x in &mut samples {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        *x = ((state >> 16) as i16) % most;
                    }
                }
                Stretch::Tone(code, level) => {
                    let (low, high) = Digit::from_event(code).unwrap().frequencies();
                    for (n, x) in samples.iter_mut().enumerate() {
                        let turn = std::f64::consts::TAU * n as f64 / 8_000.0;
                        let both = (turn * low).sin() + (turn * high).sin();
                        *x = (both * f64::from(level)) as i16;
                    }
                }
            }
            detector.feed(&samples, &mut |d| told.push(d));
        }
        detector.finish(&mut |d| told.push(d));
        let (mut sounding, mut last) = (None, 0);
        for detection in told {
            match detection {
                Detection::Began { digit, start_sample, decided_sample, .. } => {
                    prop_assert_eq!(sounding.replace(digit), None);
                    prop_assert!(last <= start_sample && start_sample <= decided_sample);
                }
                Detection::Ended { digit, start_sample, end_sample, .. } => {
                    prop_assert_eq!(sounding.take(), Some(digit));
                    prop_assert!(start_sample <= end_sample);
                    last = end_sample;
                }
            }
        }
        prop_assert_eq!(sounding, None);
    }
}

#[test]
fn a_detector_is_as_small_as_it_says() {
    assert!(size_of::<Detector>() <= 2_048, "{}", size_of::<Detector>());
}
