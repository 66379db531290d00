//! Hearing keys in the audio of a stream.
//!
//! The detector judges the tones; what is added here is time: a position in the audio becomes the
//! instant at which that sample was sent, and a key that goes on behind a loss, or behind a change
//! of the source, is still the same press.

use std::time::{Duration, Instant};

use crate::audio::{FRAME_SAMPLES, SAMPLE_RATE, g711};
use crate::dtmf::{Detection, Detector, DetectorConfig, Digit};
use crate::rtp::Heard;

/// So much of a pause is played to the detector, which ends any key; the rest is left out.
const PAUSE_PLAYED: usize = 480;
/// What lies between two sources is not known; to the detector it is longer than any key's gap.
const BREAK: u64 = SAMPLE_RATE as u64;
/// Between the parts of one press that a loss has split, less than this was received: 50 ms.
const RECEIVED_BETWEEN: u64 = 400;

/// What was heard of a tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// A key is down, since that instant.
    Began { digit: Digit, at: Instant },
    /// It is up.
    Ended { digit: Digit },
}

/// The ear of one stream. Allocates nothing after it is made.
#[derive(Debug)]
pub(super) struct Listening {
    detector: Detector,
    clock: Clock,
}

/// What is needed to say when a tone began, and whether it is the one before.
#[derive(Debug, Default)]
struct Clock {
    /// A position in the audio, and when it was sent.
    anchor: Option<(u64, Instant)>,
    /// The last long loss, from and to.
    loss: Option<(u64, u64)>,
    /// The last key, and where it ended.
    last: Option<(Digit, u64)>,
}

impl Listening {
    /// An ear that has heard nothing yet.
    pub(super) fn new() -> Listening {
        Listening {
            detector: Detector::new(DetectorConfig::default()),
            clock: Clock::default(),
        }
    }

    /// Listens to what was received.
    pub(super) fn hear(&mut self, heard: Heard<'_>, tell: &mut impl FnMut(Tone)) {
        match heard {
            Heard::Audio {
                codec,
                payload,
                ended,
            } => {
                let end = self.detector.position() + payload.len() as u64;
                self.clock.anchor = Some((end, ended));
                let mut buffer = [0; FRAME_SAMPLES];
                for octets in payload.chunks(FRAME_SAMPLES) {
                    let count = g711::decode_into(codec, octets, &mut buffer);
                    self.feed(buffer.get(..count).unwrap_or_default(), tell);
                }
            }
            Heard::Pause { samples } => {
                let played = (samples as usize).min(PAUSE_PLAYED);
                self.feed(&[0; PAUSE_PLAYED][..played], tell);
                self.pass_over(u64::from(samples) - played as u64, tell);
            }
            Heard::Lost { samples } => self.lose(u64::from(samples), tell),
            Heard::Break => self.lose(BREAK, tell),
        }
    }

    fn feed(&mut self, samples: &[i16], tell: &mut impl FnMut(Tone)) {
        let clock = &mut self.clock;
        self.detector
            .feed(samples, &mut |detection| clock.note(detection, tell));
    }

    fn pass_over(&mut self, samples: u64, tell: &mut impl FnMut(Tone)) {
        if samples > 0 {
            let clock = &mut self.clock;
            self.detector
                .gap(samples, &mut |detection| clock.note(detection, tell));
        }
    }

    fn lose(&mut self, samples: u64, tell: &mut impl FnMut(Tone)) {
        let from = self.detector.position();
        self.pass_over(samples, tell);
        let to = self.detector.position();
        // Losses right behind each other are one.
        let from = match self.clock.loss {
            Some((before, end)) if from.saturating_sub(end) < RECEIVED_BETWEEN => before,
            _ => from,
        };
        self.clock.loss = Some((from, to));
    }
}

impl Clock {
    fn note(&mut self, detection: Detection, tell: &mut impl FnMut(Tone)) {
        match detection {
            Detection::Began {
                digit,
                start_sample,
                ..
            } => {
                if !self.goes_on(digit, start_sample)
                    && let Some(at) = self.sent(start_sample)
                {
                    tell(Tone::Began { digit, at });
                }
            }
            Detection::Ended {
                digit, end_sample, ..
            } => {
                self.last = Some((digit, end_sample));
                tell(Tone::Ended { digit });
            }
        }
    }

    /// Whether a key that begins at `start` is the one before, split by a loss: nearly all that
    /// lies between was lost. Nobody can tell then, and the safe belief is that the key was held:
    /// a press that began before the loss must not look like one that began behind it.
    fn goes_on(&self, digit: Digit, start: u64) -> bool {
        let (Some((from, to)), Some((last, end))) = (self.loss, self.last) else {
            return false;
        };
        let received = from.saturating_sub(end) + start.saturating_sub(to);
        last == digit && end < to && received < RECEIVED_BETWEEN
    }

    /// When the sample at this position was sent.
    fn sent(&self, position: u64) -> Option<Instant> {
        let (end, instant) = self.anchor?;
        let before = Duration::from_micros(end.saturating_sub(position) * 125);
        Some(instant.checked_sub(before).unwrap_or(instant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Codec;
    use crate::dtmf::{Generator, KeyShape};

    /// A phone's audio: plays and loses tones and silence, 20 ms at a time.
    struct Phone {
        codec: Codec,
        listening: Listening,
        start: Instant,
        at: u64,
        told: Vec<(Tone, u64)>,
    }

    impl Phone {
        fn new(codec: Codec) -> Phone {
            Phone {
                codec,
                listening: Listening::new(),
                start: Instant::now(),
                at: 0,
                told: Vec::new(),
            }
        }

        fn hear(&mut self, heard: Heard<'_>) {
            let told = &mut self.told;
            let at = self.at;
            self.listening
                .hear(heard, &mut |tone| told.push((tone, at)));
        }

        fn play(&mut self, samples: &[i16]) {
            for frame in samples.chunks(160) {
                self.at += frame.len() as u64;
                let octets = g711::encode_all(self.codec, frame);
                let ended = self.start + Duration::from_micros(self.at * 125);
                self.hear(Heard::Audio {
                    codec: self.codec,
                    payload: &octets,
                    ended,
                });
            }
        }

        fn lose(&mut self, samples: u32) {
            self.at += u64::from(samples);
            self.hear(Heard::Lost { samples });
        }

        fn began(&self) -> Vec<(char, u128)> {
            let began = self.told.iter().filter_map(|(tone, _)| match tone {
                Tone::Began { digit, at } => {
                    Some((digit.as_char(), (*at - self.start).as_millis()))
                }
                Tone::Ended { .. } => None,
            });
            began.collect()
        }
    }

    fn tone(key: char, samples: u32) -> Vec<i16> {
        let shape = KeyShape {
            tone_samples: samples,
            pause_samples: 0,
            ..KeyShape::default()
        };
        Generator::new(&[Digit::from_char(key).unwrap()], shape).render()
    }

    fn assert_near(found: &[(char, u128)], expected: &[(char, u128)]) {
        let keys = |of: &[(char, u128)]| of.iter().map(|(key, _)| *key).collect::<String>();
        assert_eq!(keys(found), keys(expected), "{found:?}");
        for ((_, found), (_, expected)) in found.iter().zip(expected) {
            assert!(found.abs_diff(*expected) <= 16, "{found} for {expected}");
        }
    }

    #[test]
    fn keys_are_heard_while_down_and_dated_from_their_beginning() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let mut phone = Phone::new(codec);
            phone.play(&[0; 8_000]);
            phone.play(&tone('#', 800));
            phone.play(&[0; 800]);
            phone.play(&tone('5', 400));
            phone.play(&[0; 800]);
            assert_near(&phone.began(), &[('#', 1_000), ('5', 1_200)]);
            let first = phone.told[0].1;
            assert!(first <= 8_000 + 480, "heard within 60 ms: {first}");
            assert_eq!(phone.told.len(), 4);
        }
    }

    #[test]
    fn a_loss_makes_no_key() {
        let mut phone = Phone::new(Codec::Pcmu);
        phone.play(&[0; 1_600]);
        phone.play(&tone('#', 160));
        for lost in [160, 320, 800] {
            phone.lose(lost);
            phone.play(&[0; 1_600]);
            phone.play(&tone('#', 160));
        }
        phone.play(&[0; 1_600]);
        assert_eq!(phone.told, []);
    }

    #[test]
    fn a_loss_of_any_length_does_not_split_a_key() {
        for lost in [160, 320, 800, 1_600, 2_400, 8_000, 80_000] {
            let mut phone = Phone::new(Codec::Pcmu);
            phone.play(&[0; 1_600]);
            phone.play(&tone('#', 1_600));
            phone.lose(lost);
            phone.play(&tone('#', 1_600));
            phone.play(&[0; 1_600]);
            assert_near(&phone.began(), &[('#', 200)]);
        }
    }

    #[test]
    fn a_key_before_and_another_behind_a_loss_are_two() {
        for lost in [160, 1_600, 8_000] {
            let mut phone = Phone::new(Codec::Pcmu);
            phone.play(&[0; 1_600]);
            phone.play(&tone('#', 1_600));
            phone.play(&[0; 480]);
            phone.lose(lost);
            phone.play(&tone('#', 1_600));
            phone.play(&[0; 1_600]);
            assert_eq!(phone.began().len(), 2, "{:?}", phone.began());

            let mut phone = Phone::new(Codec::Pcmu);
            phone.play(&tone('1', 1_600));
            phone.lose(lost);
            phone.play(&tone('2', 1_600));
            phone.play(&[0; 1_600]);
            let keys: String = phone.began().iter().map(|(key, _)| *key).collect();
            assert_eq!(keys, "12");
        }
    }

    #[test]
    fn a_held_key_stays_one_press_when_the_source_changes() {
        let mut phone = Phone::new(Codec::Pcma);
        phone.play(&[0; 1_600]);
        phone.play(&tone('#', 1_600));
        phone.hear(Heard::Break);
        phone.play(&tone('#', 1_600));
        phone.play(&[0; 1_600]);
        assert_near(&phone.began(), &[('#', 200)]);
    }

    #[test]
    fn a_pause_ends_a_key_and_keeps_time() {
        for pause in [480, 1_600, 40_000] {
            let mut phone = Phone::new(Codec::Pcmu);
            phone.play(&tone('#', 800));
            phone.at += u64::from(pause);
            phone.hear(Heard::Pause { samples: pause });
            phone.play(&tone('#', 800));
            phone.play(&[0; 800]);
            let second = u128::from(pause / 8 + 100);
            assert_near(&phone.began(), &[('#', 0), ('#', second)]);
        }
    }
}
