//! Pressing keys towards the peer, as a phone does: the sandbox phone's half of a call.

use std::collections::VecDeque;
use std::time::Duration;

use crate::audio::{Codec, FRAME_SAMPLES, g711};
use crate::dtmf::{Digit, Generator, KeyShape};
use crate::rtp::event::{EventSender, Report};

/// Presses that wait for their turn.
const MOST_WAITING: usize = 64;
/// Frames between two presses, 100 ms.
const PAUSE: u32 = 5;
/// The shortest press anyone has to hear (ITU-T Q.24).
const SHORTEST: Duration = Duration::from_millis(40);
/// The longest press.
const LONGEST: Duration = Duration::from_secs(30);

/// How a key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyWay {
    /// As telephone events; as tones if none were negotiated.
    Rfc4733,
    /// As tones in the audio.
    InBand,
}

#[derive(Debug, Clone, Copy)]
struct Press {
    digit: Digit,
    how: KeyWay,
    samples: u32,
}

#[derive(Debug)]
enum Doing {
    /// No key; frames that must pass before the next.
    Pause(u32),
    Events(EventSender),
    /// Whole frames, and how much of them is sent.
    Tone {
        octets: Vec<u8>,
        sent: usize,
    },
}

/// What goes out in a frame's place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pressed<'a> {
    /// Audio as usual.
    Nothing,
    /// This audio instead.
    Tone(&'a [u8]),
    /// This report; while the key is not `down` any more, audio as usual beside it.
    Event { report: Report, down: bool },
}

/// The keys of one stream that are being pressed.
#[derive(Debug)]
pub(super) struct Pressing {
    waiting: VecDeque<Press>,
    doing: Doing,
}

impl Pressing {
    /// No key yet.
    pub(super) fn new() -> Pressing {
        Pressing {
            waiting: VecDeque::new(),
            doing: Doing::Pause(0),
        }
    }

    /// Presses a key for so long (40 ms to 30 s), after those before it; `false` if too many wait.
    pub(super) fn press(&mut self, digit: Digit, how: KeyWay, duration: Duration) -> bool {
        if self.waiting.len() >= MOST_WAITING {
            return false;
        }
        let samples = duration.clamp(SHORTEST, LONGEST).as_micros() / 125;
        self.waiting.push_back(Press {
            digit,
            how,
            samples: samples as u32,
        });
        true
    }

    /// Takes the turn of one frame. `timestamp` is the frame's; `events` says whether telephone
    /// events were negotiated.
    pub(super) fn turn(&mut self, codec: Codec, timestamp: u32, events: bool) -> Pressed<'_> {
        loop {
            match &mut self.doing {
                Doing::Pause(0) => match self.waiting.pop_front() {
                    Some(press) => self.doing = Doing::begin(press, codec, timestamp, events),
                    None => return Pressed::Nothing,
                },
                Doing::Pause(left) => {
                    *left -= 1;
                    return Pressed::Nothing;
                }
                Doing::Events(sender) => {
                    let down = sender.is_down();
                    if let Some(report) = sender.next() {
                        return Pressed::Event { report, down };
                    }
                    self.doing = Doing::Pause(PAUSE - 2);
                }
                Doing::Tone { octets, sent } => {
                    if *sent < octets.len() {
                        *sent += FRAME_SAMPLES;
                        break;
                    }
                    self.doing = Doing::Pause(PAUSE);
                }
            }
        }
        match &self.doing {
            Doing::Tone { octets, sent } => octets
                .get(sent.saturating_sub(FRAME_SAMPLES)..*sent)
                .map_or(Pressed::Nothing, Pressed::Tone),
            Doing::Pause(_) | Doing::Events(_) => Pressed::Nothing,
        }
    }
}

impl Doing {
    fn begin(press: Press, codec: Codec, timestamp: u32, events: bool) -> Doing {
        if events && press.how == KeyWay::Rfc4733 {
            return Doing::Events(EventSender::new(press.digit, press.samples, timestamp));
        }
        let shape = KeyShape {
            tone_samples: press.samples,
            pause_samples: 0,
            ..KeyShape::default()
        };
        let samples = Generator::new(&[press.digit], shape).render();
        let mut octets = vec![codec.silence(); samples.len().next_multiple_of(FRAME_SAMPLES)];
        g711::encode_into(codec, &samples, &mut octets);
        Doing::Tone { octets, sent: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::event::Presses;

    const HUNDRED: Duration = Duration::from_millis(100);

    #[test]
    fn events_take_the_place_of_audio_until_the_key_is_up() {
        let mut pressing = Pressing::new();
        assert_eq!(pressing.turn(Codec::Pcmu, 0, true), Pressed::Nothing);
        assert!(pressing.press(Digit::HASH, KeyWay::Rfc4733, HUNDRED));
        assert!(pressing.press(Digit::HASH, KeyWay::Rfc4733, HUNDRED));
        let mut presses = Presses::new();
        let mut began = Vec::new();
        let mut downs = String::new();
        for frame in 0..24u32 {
            match pressing.turn(Codec::Pcmu, frame * 160, true) {
                Pressed::Event { report, down } => {
                    downs.push(if down { 'd' } else { 'u' });
                    let now = std::time::Instant::now();
                    let (marker, at) = (report.marker, report.timestamp);
                    let news = presses.receive(1, marker, at, &report.event, now);
                    began.extend(news.began.map(|_| (frame, at)));
                }
                Pressed::Nothing => downs.push('.'),
                Pressed::Tone(_) => panic!("events were negotiated"),
            }
        }
        assert_eq!(downs, "ddddduu...ddddduu.......");
        assert_eq!(began, [(0, 0), (10, 1_600)]);
    }

    #[test]
    fn tones_are_whole_frames() {
        let mut pressing = Pressing::new();
        let duration = Duration::from_millis(50);
        pressing.press(Digit::STAR, KeyWay::Rfc4733, duration);
        pressing.press(Digit::HASH, KeyWay::InBand, duration);
        let mut sounds = String::new();
        for frame in 0..20 {
            match pressing.turn(Codec::Pcma, frame * 160, false) {
                Pressed::Tone(octets) => {
                    assert_eq!(octets.len(), FRAME_SAMPLES);
                    let silent = octets.iter().filter(|o| **o == Codec::Pcma.silence());
                    sounds.push(if silent.count() > 79 { 'h' } else { 't' });
                }
                Pressed::Nothing => sounds.push('.'),
                Pressed::Event { .. } => panic!("no events were negotiated"),
            }
        }
        assert_eq!(sounds, "tth.....tth.........");
    }

    #[test]
    fn presses_are_bounded() {
        let mut pressing = Pressing::new();
        for _ in 0..MOST_WAITING {
            assert!(pressing.press(Digit::HASH, KeyWay::Rfc4733, Duration::MAX));
        }
        assert!(!pressing.press(Digit::HASH, KeyWay::Rfc4733, HUNDRED));
        let mut turns = 0u32;
        while !matches!(
            pressing.turn(Codec::Pcmu, 0, true),
            Pressed::Event { report, .. } if report.event.end
        ) {
            turns += 1;
        }
        // Two segments' last reports come on top.
        assert_eq!(turns, 1_500 - 1);
    }
}
