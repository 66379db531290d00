//! Hearing keys in the audio of a stream.
//!
//! The detector judges the tones; what is added here is time: a position in the audio becomes the
//! instant at which that sample was sent, and a key that goes on behind a loss, or behind a change
//! of the source, is still the same press.

use std::time::{Duration, Instant};

use super::memory::{KeySound, Memory};
use crate::answer::{Alongside, AnsweredBy, Classifier};
use crate::audio::{FRAME_SAMPLES, Outline, SAMPLE_RATE, g711};
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
    classifier: Classifier,
    /// The newest word of the classifier that nobody has asked for yet.
    answered_by: Option<AnsweredBy>,
    /// What is being sent.
    sending: Outline,
    echo: Echo,
    /// Only where the sound of keys is wanted.
    memory: Option<Memory>,
}

/// The key whose tones we have sent ourselves, in a recording that holds some, and for how many
/// frames its echo may come back.
#[derive(Debug, Default)]
struct Echo {
    key: Option<Digit>,
    left: u32,
}

/// An echo of a far gateway is heard within 800 ms.
const ECHO_FRAMES: u32 = 40;

impl Echo {
    fn send(&mut self, key: Option<Digit>) {
        if key.is_some() {
            self.key = key;
            self.left = ECHO_FRAMES;
        } else if self.left > 0 {
            self.left -= 1;
        } else {
            self.key = None;
        }
    }

    fn is(&self, digit: Digit) -> bool {
        self.key == Some(digit)
    }
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
            classifier: Classifier::new(),
            answered_by: None,
            sending: Outline::SILENT,
            echo: Echo::default(),
            memory: None,
        }
    }

    /// From now on the sound of keys is wanted.
    pub(super) fn remember(&mut self) {
        let position = self.detector.position();
        self.memory.get_or_insert_with(|| Memory::new(position));
    }

    /// The sound of a key, once it is whole; what there is of it if the stream is `over`.
    pub(super) fn sound(&mut self, over: bool) -> Option<Box<KeySound>> {
        self.memory.as_mut()?.take(over)
    }

    /// This frame is sent now: its echo is neither a key nor anybody's voice.
    pub(super) fn sending(&mut self, frame: Outline) {
        self.sending = frame;
        self.echo.send(frame.key);
    }

    /// Who has answered, if that was not asked since it was found.
    pub(super) fn answered_by(&mut self) -> Option<AnsweredBy> {
        self.answered_by.take()
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
                let by = self.classifier.pause(u64::from(samples) - played as u64);
                self.answered_by = by.or(self.answered_by);
                self.pass_over(u64::from(samples) - played as u64, tell);
            }
            Heard::Lost { samples } => self.lose(u64::from(samples), tell),
            Heard::Break => self.lose(BREAK, tell),
        }
    }

    fn feed(&mut self, samples: &[i16], tell: &mut impl FnMut(Tone)) {
        let (clock, echo) = (&mut self.clock, &self.echo);
        let mut memory = self.memory.as_mut();
        if let Some(memory) = &mut memory {
            memory.hear(self.detector.position(), samples);
        }
        self.detector.feed(samples, &mut |detection| {
            let told = clock.note(detection, echo, tell);
            if let (
                Some(memory),
                Detection::Began {
                    digit,
                    start_sample,
                    measures,
                    ..
                },
            ) = (&mut memory, detection)
                && told
            {
                memory.want(digit, start_sample, measures);
            }
        });
        let alongside = Alongside {
            sent_dbm0: f32::from(self.sending.dbm0),
            key: self.detector.sounding().is_some(),
        };
        let by = self.classifier.feed(samples, alongside);
        self.answered_by = by.or(self.answered_by);
    }

    fn pass_over(&mut self, samples: u64, tell: &mut impl FnMut(Tone)) {
        if samples > 0 {
            let (clock, echo) = (&mut self.clock, &self.echo);
            self.detector.gap(samples, &mut |detection| {
                clock.note(detection, echo, tell);
            });
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
    /// Tells of a detection, if it is one; whether it did.
    fn note(&mut self, detection: Detection, echo: &Echo, tell: &mut impl FnMut(Tone)) -> bool {
        match detection {
            Detection::Began {
                digit,
                start_sample,
                ..
            } => {
                if !echo.is(digit)
                    && !self.goes_on(digit, start_sample)
                    && let Some(at) = self.sent(start_sample)
                {
                    tell(Tone::Began { digit, at });
                    return true;
                }
                false
            }
            Detection::Ended {
                digit, end_sample, ..
            } => {
                self.last = Some((digit, end_sample));
                tell(Tone::Ended { digit });
                true
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

    /// Plays what the phone hears of us back to us, so much later and at this share of its level.
    fn echoes(phone: &mut Phone, sent: &[i16], delay: usize, share: f32, over: &[i16]) {
        let outline = Outline::of(sent);
        let frames = sent.len().div_ceil(160) + delay.div_ceil(160);
        for frame in 0..frames {
            let now = outline.get(frame).copied().unwrap_or(Outline::SILENT);
            phone.listening.sending(now);
            let heard: Vec<i16> = (frame * 160..frame * 160 + 160)
                .map(|n| {
                    let back = n.checked_sub(delay).and_then(|n| sent.get(n));
                    let echo = f32::from(back.copied().unwrap_or(0)) * share;
                    echo as i16 + over.get(n).copied().unwrap_or(0)
                })
                .collect();
            phone.play(&heard);
        }
    }

    /// Something like a voice: harmonics of a gliding pitch at -16 dBm0.
    fn voice(samples: usize) -> Vec<i16> {
        let mut phase = 0.0f32;
        (0..samples)
            .map(|n| {
                let t = n as f32 / 8_000.0;
                phase += std::f32::consts::TAU * (130.0 + 40.0 * (t * 5.0).sin()) / 8_000.0;
                let tones = (1..20).map(|k| (phase * k as f32).sin() / k as f32);
                (tones.sum::<f32>() * 2_600.0) as i16
            })
            .collect()
    }

    #[test]
    fn a_recording_that_holds_a_key_never_presses_it_however_late_its_echo() {
        let mut recording = voice(8_000);
        recording.extend(tone('#', 1_600));
        recording.extend(voice(8_000));
        for delay in [0, 80, 400, 1_600, 4_000] {
            for share in [1.0, 0.5, 0.1] {
                let mut phone = Phone::new(Codec::Pcmu);
                echoes(&mut phone, &recording, delay, share, &[]);
                phone.play(&[0; 1_600]);
                assert_near(&phone.began(), &[]);
                // Once the echo has gone by, the key counts again.
                phone.play(&[0; 8_000]);
                phone.play(&tone('#', 800));
                phone.play(&[0; 800]);
                assert_eq!(phone.began().len(), 1, "{delay} {share}");
            }
        }
    }

    #[test]
    fn a_key_pressed_over_the_echo_of_the_prompt_is_heard() {
        let prompt = voice(16_000);
        let level = |x: &[i16]| {
            let sum: f64 = x.iter().map(|x| f64::from(*x).powi(2)).sum();
            (sum / x.len() as f64).sqrt()
        };
        for key in ['#', '0', '5', '*'] {
            let pressed = tone(key, 640);
            // The echo lies 15 dB below the key.
            let share = level(&pressed) / level(&prompt) * 10f64.powf(-15.0 / 20.0);
            for at in (0..14_000).step_by(1_733) {
                let mut over = vec![0; at];
                over.extend(&pressed);
                let mut phone = Phone::new(Codec::Pcma);
                echoes(&mut phone, &prompt, 320, share as f32, &over);
                phone.play(&[0; 1_600]);
                assert_near(&phone.began(), &[(key, at as u128 / 8)]);
            }
        }
    }

    #[test]
    fn the_sound_of_a_key_is_kept_if_that_was_asked_for() {
        for asked in [false, true] {
            let mut phone = Phone::new(Codec::Pcmu);
            if asked {
                phone.listening.remember();
            }
            phone.play(&[0; 8_000]);
            phone.play(&tone('#', 800));
            assert_eq!(phone.listening.sound(false), None);
            phone.play(&[0; 1_600]);
            let sound = phone.listening.sound(false);
            assert_eq!(sound.is_some(), asked);
            if let Some(sound) = sound {
                assert_eq!(sound.digit, Digit::HASH);
                assert_eq!(sound.samples.len(), 2_400);
                let keys = crate::dtmf::analysis::hears_keys(&sound.samples);
                assert_eq!(keys.len(), 1);
                assert!(keys[0].start_sample.abs_diff(sound.key_start) < 64);
            }
        }
    }

    #[test]
    fn who_has_answered_is_told_once_for_each_change() {
        let mut phone = Phone::new(Codec::Pcmu);
        phone.play(&[0; 4_000]);
        phone.play(&voice(4_000));
        assert_eq!(phone.listening.answered_by(), None);
        phone.play(&[0; 8_000]);
        assert_eq!(phone.listening.answered_by(), Some(AnsweredBy::Person));
        assert_eq!(phone.listening.answered_by(), None);
        // A key, and a pause without a packet, change nothing.
        phone.play(&tone('#', 1_600));
        phone.hear(Heard::Pause { samples: 160_000 });
        assert_eq!(phone.listening.answered_by(), None);
        let mut silent = Phone::new(Codec::Pcmu);
        silent.hear(Heard::Pause { samples: 40_000 });
        assert_eq!(silent.listening.answered_by(), Some(AnsweredBy::Silence));
    }
}
