//! Calls as they are answered: synthetic tones of the network, and the recorded prompts for speech.

use std::f32::consts::TAU;

use super::*;
use crate::audio::{Codec, g711, pcm, resample, wav};
use crate::dtmf::{Digit, Generator, KeyShape, amplitude, line};
use proptest::prelude::*;
use rand::SeedableRng;

fn ms(ms: usize) -> usize {
    ms * 8
}

fn silence(length_ms: usize) -> Vec<i16> {
    vec![0; ms(length_ms)]
}

fn tones(hz: &[f32], dbm0: f32, length_ms: usize) -> Vec<i16> {
    (0..ms(length_ms))
        .map(|n| {
            let t = n as f32 / 8_000.0;
            let sum: f32 = hz.iter().map(|hz| (TAU * hz * t).sin()).sum();
            (sum * amplitude(dbm0)) as i16
        })
        .collect()
}

/// One of the recorded prompts, from the first sound of it.
fn speech(name: &str) -> Vec<i16> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("prompts/{name}.wav"));
    let recording = wav::read(&std::fs::read(path).unwrap()).unwrap();
    pcm::to_i16(&resample::to_8k(&recording.samples, recording.rate).unwrap())
}

fn joined(parts: &[Vec<i16>]) -> Vec<i16> {
    parts.concat()
}

/// What the classifier believes in the end, at several levels, in both laws, over a noisy line.
#[track_caller]
fn assert_class(samples: &[i16], expected: Option<AnsweredBy>) {
    for (law, gain, noise) in [
        (Codec::Pcma, 1.0, 0.0),
        (Codec::Pcmu, 0.5, 0.0),
        (Codec::Pcmu, 1.0, 60.0),
    ] {
        let mut loud: Vec<f64> = samples.iter().map(|x| f64::from(*x) * gain).collect();
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        line::add_noise(&mut loud, noise * noise, &mut rng);
        let loud: Vec<i16> = loud.iter().map(|x| x.round() as i16).collect();
        let heard = g711::decode_all(law, &g711::encode_all(law, &loud));
        let mut classifier = Classifier::new();
        for piece in heard.chunks(160) {
            classifier.feed(piece, Alongside::NOTHING);
        }
        assert_eq!(
            classifier.answered_by(),
            expected,
            "{law:?} gain {gain} noise {noise}"
        );
    }
}

#[test]
fn somebody_says_a_word_and_waits() {
    for locale in ["en-GB", "es-ES", "fr-FR", "it-IT"] {
        for digit in 0..=9 {
            let word = speech(&format!("{locale}/digit-{digit}"));
            let call = joined(&[silence(700), word, silence(2_000)]);
            assert_class(&call, Some(AnsweredBy::Person));
        }
        let greeting = speech(&format!("{locale}/wrong-key"));
        assert_class(
            &joined(&[silence(300), greeting, silence(1_500)]),
            Some(AnsweredBy::Person),
        );
    }
}

#[test]
fn a_recorded_greeting_goes_on() {
    for locale in ["en-GB", "en-US", "es-ES", "fr-FR", "it-IT"] {
        let long = speech(&format!("{locale}/press-hash"));
        assert_class(
            &joined(&[silence(500), long.clone(), long, silence(1_500)]),
            Some(AnsweredBy::Recording),
        );
    }
}

#[test]
fn a_beep_after_speech_is_a_voicemail_whatever_its_pitch() {
    let long = speech("en-GB/press-hash");
    for hz in [440.0, 620.0, 800.0, 1_000.0, 1_400.0, 2_000.0] {
        for length in [120, 300, 1_000] {
            let call = joined(&[
                silence(400),
                long.clone(),
                silence(300),
                tones(&[hz], -14.0, length),
                silence(1_000),
            ]);
            assert_class(&call, Some(AnsweredBy::Voicemail));
        }
    }
    // Speech after a beep is none that records.
    let call = joined(&[
        long.clone(),
        tones(&[1_000.0], -14.0, 200),
        long,
        silence(1_000),
    ]);
    assert_class(&call, Some(AnsweredBy::Recording));
}

#[test]
fn a_fax_answers_or_calls() {
    for hz in [2_085.0, 2_100.0, 2_115.0] {
        let call = joined(&[silence(1_000), tones(&[hz], -12.0, 3_000), silence(500)]);
        assert_class(&call, Some(AnsweredBy::Fax));
    }
    for hz in [1_062.0, 1_100.0, 1_138.0] {
        for (tone, pause) in [(500, 3_000), (430, 2_560), (570, 3_440)] {
            let tone = tones(&[hz], -14.0, tone);
            let once = joined(&[silence(1_000), tone.clone(), silence(pause)]);
            assert_class(&once, None);
            let twice = joined(&[once, tone, silence(100)]);
            assert_class(&twice, Some(AnsweredBy::Fax));
        }
    }
    // V.8 turns the phase of its answer tone every 450 ms.
    let mut modem = tones(&[2_100.0], -12.0, 3_000);
    for (index, x) in modem.iter_mut().enumerate() {
        if index / ms(450) % 2 == 1 {
            *x = -*x;
        }
    }
    assert_class(
        &joined(&[silence(200), modem, silence(500)]),
        Some(AnsweredBy::Fax),
    );
    // A single short tone of that pitch after speech is a voicemail's.
    let call = joined(&[
        speech("en-GB/press-hash"),
        tones(&[1_100.0], -14.0, 500),
        silence(800),
    ]);
    assert_class(&call, Some(AnsweredBy::Voicemail));
}

/// What a fax sends every 3.5 s, others send once, or at other times.
#[test]
fn a_beep_that_a_calling_fax_would_repeat_is_no_fax() {
    let beep = tones(&[1_100.0], -14.0, 500);
    let word = speech("en-GB/digit-1");
    let before = joined(&[silence(400), beep.clone(), word.clone(), silence(1_000)]);
    assert_class(&before, Some(AnsweredBy::Person));
    for apart in [300, 1_500, 8_000] {
        let call = joined(&[
            silence(400),
            word.clone(),
            silence(1_000),
            beep.clone(),
            silence(apart),
            beep.clone(),
            word.clone(),
            silence(1_000),
        ]);
        assert_class(&call, Some(AnsweredBy::Person));
    }
}

#[test]
fn special_information_tones_announce_that_the_call_failed() {
    for [a, b] in [
        [985.2, 1_428.5],
        [913.8, 1_370.6],
        [985.2, 1_370.6],
        [913.8, 1_428.5],
    ] {
        for [first, second] in [[380, 276], [276, 380], [276, 276], [330, 330]] {
            let call = joined(&[
                silence(300),
                tones(&[a], -20.0, first),
                tones(&[b], -20.0, second),
                tones(&[1_776.7], -20.0, 380),
                speech("en-GB/goodbye-failed"),
                silence(1_000),
            ]);
            assert_class(&call, Some(AnsweredBy::Announcement));
        }
    }
    // With 30 ms between them, as E.180 allows.
    let call = joined(&[
        tones(&[950.0], -20.0, 330),
        silence(30),
        tones(&[1_400.0], -20.0, 330),
        silence(30),
        tones(&[1_800.0], -20.0, 330),
        silence(500),
    ]);
    assert_class(&call, Some(AnsweredBy::Announcement));
}

#[test]
fn the_network_rings_on_after_the_answer() {
    let american = joined(&[
        silence(200),
        tones(&[440.0, 480.0], -19.0, 2_000),
        silence(1_000),
    ]);
    let british = joined(&[
        tones(&[400.0, 450.0], -19.0, 400),
        silence(200),
        tones(&[400.0, 450.0], -19.0, 400),
        silence(1_000),
    ]);
    let european = joined(&[silence(100), tones(&[425.0], -12.0, 1_000), silence(1_000)]);
    let busy = tones(&[425.0], -12.0, 500);
    let busy = joined(&[busy.clone(), silence(500), busy, silence(500)]);
    for call in [american, british, european, busy] {
        assert_class(&call, Some(AnsweredBy::Ringback));
    }
}

#[test]
fn nobody_says_anything() {
    assert_class(&silence(3_900), None);
    assert_class(&silence(4_100), Some(AnsweredBy::Silence));
    let mut classifier = Classifier::new();
    assert_eq!(classifier.pause(8_000), None);
    assert_eq!(classifier.pause(u64::MAX), Some(AnsweredBy::Silence));
    // Who speaks up later is a person.
    let later = joined(&[silence(5_000), speech("en-GB/digit-1"), silence(1_500)]);
    assert_class(&later, Some(AnsweredBy::Person));
}

#[test]
fn a_short_word_a_pause_and_a_long_speech_are_a_recording() {
    let call = joined(&[
        speech("en-GB/digit-1"),
        silence(900),
        speech("en-GB/press-hash"),
        speech("en-GB/press-hash"),
        silence(500),
    ]);
    assert_class(&call, Some(AnsweredBy::Recording));
}

#[test]
fn the_echo_of_a_prompt_is_nobody_and_who_speaks_over_it_is_a_person() {
    let prompt = joined(&[speech("en-GB/greeting"), speech("en-GB/press-hash")]);
    let word = joined(&[silence(500), speech("en-GB/digit-8"), silence(60_000)]);
    for delay in [0, 40, 200, 500] {
        for over in [false, true] {
            let mut classifier = Classifier::new();
            let delayed = joined(&[silence(delay), prompt.clone()]);
            for (index, sent) in prompt.chunks_exact(160).enumerate() {
                let at = index * 160;
                let heard: Vec<i16> = (at..at + 160)
                    .map(|n| delayed[n] / 6 + if over { word[n] } else { 0 })
                    .collect();
                let sent: &[i16; 160] = sent.first_chunk().unwrap();
                let alongside = Alongside {
                    sent_dbm0: frame::look(sent, 0.0).dbm0,
                    key: false,
                };
                classifier.feed(&heard, alongside);
            }
            let heard = classifier.answered_by();
            let fits = if over {
                heard == Some(AnsweredBy::Person)
            } else {
                matches!(heard, None | Some(AnsweredBy::Silence))
            };
            assert!(fits, "{heard:?}, {delay} ms late, spoken over: {over}");
        }
    }
}

#[test]
fn a_key_is_no_voice() {
    let mut classifier = Classifier::new();
    let key = Generator::new(&[Digit::HASH], KeyShape::default()).render();
    classifier.feed(&silence(500), Alongside::NOTHING);
    for (index, piece) in key.chunks(160).enumerate() {
        // The detector knows the key after some 40 ms.
        let alongside = Alongside {
            key: (2..7).contains(&index),
            ..Alongside::NOTHING
        };
        classifier.feed(piece, alongside);
    }
    assert_eq!(classifier.feed(&silence(2_000), Alongside::NOTHING), None);
}

#[test]
fn pieces_of_any_length_say_the_same() {
    let call = joined(&[silence(700), speech("en-GB/digit-5"), silence(2_000)]);
    for length in [1, 33, 160, 1_000] {
        let mut classifier = Classifier::new();
        for piece in call.chunks(length) {
            classifier.feed(piece, Alongside::NOTHING);
        }
        assert_eq!(
            classifier.answered_by(),
            Some(AnsweredBy::Person),
            "{length}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    /// Any samples in any pieces beside any level: it never panics, and says only what it then
    /// holds.
    #[test]
    fn whatever_is_heard_the_last_word_is_what_is_believed(
        pieces in prop::collection::vec(
            (prop::collection::vec(any::<i16>(), 0..700), -200f32..200.0, any::<bool>()),
            0..40,
        ),
        pause in any::<u64>(),
    ) {
        let mut classifier = Classifier::new();
        let mut told = None;
        for (samples, sent_dbm0, key) in pieces {
            let alongside = Alongside { sent_dbm0, key };
            told = classifier.feed(&samples, alongside).or(told);
        }
        told = classifier.pause(pause).or(told);
        prop_assert_eq!(told, classifier.answered_by());
    }
}
