//! One press, one key: what RFC 4733, SIP INFO and the audio tell of the same press, merged.
//!
//! A gateway that turns tones into telephone events lets 20 to 60 ms of tone through before it has
//! recognised it; some let all of it through, later than the event; some send an INFO besides.
//! Pure: observations and instants in, [`KeyPress`]es out.
//!
//! # Which error is the safe one
//!
//! Two reports of one press would be the dangerous error: the second seems to have begun later
//! than the person pressed, perhaps after the invitation, and would approve what the script has
//! rightly set aside. Two presses taken for one only make a person press again. So wherever it is
//! open whether an observation is of a press already known, it is; and where two observations
//! disagree about when a press began, the earlier holds.

use std::time::{Duration, Instant};

use super::order::KeySource;
use crate::dtmf::Digit;

/// Presses remembered.
const REMEMBERED: usize = 16;
/// How long a tone waits for the telephone event of the same press, where events were negotiated:
/// the longest leak, one packet interval and some jitter, beyond what the detector took to hear it.
const EVENT_FOLLOWS: Duration = Duration::from_millis(60);
/// How long before its event a leaked tone may begin.
const LONGEST_LEAK: Duration = Duration::from_millis(100);
/// How far tone and event of one press may lie apart: a gateway delays the audio by its jitter
/// buffer and its transcoding, but not the event.
const TONE_APART: Duration = Duration::from_millis(500);
/// How far an INFO may lie from the press it is of: it takes the way of the signalling, with a
/// retransmission or two, and some phones send it at the release.
const INFO_APART: Duration = Duration::from_secs(2);
/// The length of a press whose INFO names none: what `application/dtmf-relay` bodies mostly say.
const INFO_DURATION: Duration = Duration::from_millis(250);
/// The longest press an INFO is believed to be of: longer than any call, since a press taken for
/// shorter than it was would seem to have begun later.
const LONGEST_INFO: Duration = Duration::from_secs(3_600);

/// One press of one key, reported once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPress {
    /// Which key.
    pub digit: Digit,
    /// How it was heard.
    pub source: KeySource,
    /// When the press began: not when it was reported, and in doubt rather too early.
    pub began: Instant,
    /// When it was reported.
    pub heard: Instant,
}

/// A press, and who has seen it.
#[derive(Debug, Clone, Copy)]
struct Press {
    digit: Digit,
    began: Instant,
    heard: Instant,
    /// When it was last seen to end; while it is down this means nothing.
    ended: Instant,
    event: Sight,
    tone: Sight,
    info: bool,
}

/// What one way of hearing has seen of a press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    Unseen,
    Down,
    Released,
}

impl Press {
    fn is_down(&self) -> bool {
        self.event == Sight::Down || self.tone == Sight::Down
    }

    /// Whether something that began then lies no further than `apart` before or behind this press.
    fn is_near(&self, began: Instant, apart: Duration) -> bool {
        let early_enough = self.is_down() || began <= self.ended + apart;
        early_enough && began + apart >= self.began
    }
}

/// A tone that waits for its event.
#[derive(Debug, Clone, Copy)]
struct Held {
    digit: Digit,
    began: Instant,
    until: Instant,
    released: bool,
}

/// Merges what is heard of the keys of one call.
#[derive(Debug)]
pub struct Keys {
    events: bool,
    held: Option<Held>,
    /// The last tone taken for part of a press that was known already, and its beginning. It may
    /// after all be the leak of the next event of that key.
    stray: Option<(Digit, Instant)>,
    presses: [Option<Press>; REMEMBERED],
    oldest: usize,
}

impl Keys {
    /// Nothing pressed yet. `events` says whether telephone events were negotiated: then a tone
    /// waits a little for the event that may follow it.
    pub fn new(events: bool) -> Keys {
        Keys {
            events,
            held: None,
            stray: None,
            presses: [None; REMEMBERED],
            oldest: 0,
        }
    }

    /// The session was described anew.
    pub fn renegotiated(&mut self, events: bool) {
        self.events = events;
    }

    /// A telephone event has begun.
    pub fn event_began(&mut self, digit: Digit, began: Instant, now: Instant) -> Option<KeyPress> {
        // Whatever tone is waiting is the leak of this event, if heard as another key then wrongly.
        let leaked = self.held.take();
        let known = self.find(digit, |press| {
            let apart = if press.tone == Sight::Unseen {
                INFO_APART
            } else {
                TONE_APART
            };
            press.event == Sight::Unseen && press.is_near(began, apart)
        });
        if let Some(press) = known {
            press.event = Sight::Down;
            return None;
        }
        let leaked = leaked.filter(|tone| tone.digit == digit);
        let tone = leaked.map_or(Sight::Unseen, |tone| match tone.released {
            true => Sight::Released,
            false => Sight::Down,
        });
        let leak = leaked.map(|tone| (tone.digit, tone.began)).or(self.stray);
        let began = match leak {
            Some((of, leak)) if of == digit && leak + LONGEST_LEAK >= began => leak.min(began),
            _ => began,
        };
        Some(self.report(
            KeySource::Rfc4733,
            Press {
                digit,
                began,
                heard: now,
                ended: now,
                event: Sight::Down,
                tone,
                info: false,
            },
        ))
    }

    /// A telephone event has ended, or is taken to have ended.
    pub fn event_ended(&mut self, digit: Digit, now: Instant) {
        if let Some(press) = self.find(digit, |press| press.event == Sight::Down) {
            press.event = Sight::Released;
            press.ended = now;
        }
    }

    /// A tone has been recognised in the audio; `began` is where it begins. May report the tone
    /// before it.
    pub fn tone_began(&mut self, digit: Digit, began: Instant, now: Instant) -> Option<KeyPress> {
        let other_event = self.presses.iter().flatten().any(|press| {
            press.digit != digit && press.event == Sight::Down && press.is_near(began, TONE_APART)
        });
        if other_event {
            // A phone has one key down at a time, and the event says which.
            return None;
        }
        let known = self.find(digit, |press| match (press.event, press.tone) {
            (Sight::Unseen, Sight::Unseen) => press.is_near(began, INFO_APART),
            (Sight::Unseen, _) => false,
            _ => press.is_near(began, TONE_APART),
        });
        if let Some(press) = known {
            press.tone = Sight::Down;
            self.stray = Some((digit, began));
            return None;
        }
        let tone = Held {
            digit,
            began,
            until: now + EVENT_FOLLOWS,
            released: false,
        };
        if self.events {
            let before = self.held.replace(tone);
            before.map(|before| self.report_tone(before, now))
        } else {
            Some(self.report_tone(tone, now))
        }
    }

    /// A tone has ended.
    pub fn tone_ended(&mut self, digit: Digit, now: Instant) {
        if let Some(held) = self.held.as_mut().filter(|held| held.digit == digit) {
            held.released = true;
            return;
        }
        if let Some(press) = self.find(digit, |press| press.tone == Sight::Down) {
            press.tone = Sight::Released;
            press.ended = now;
        }
    }

    /// A SIP INFO named a key, and perhaps how long it was or is to be pressed.
    pub fn info(
        &mut self,
        digit: Digit,
        duration: Option<Duration>,
        now: Instant,
    ) -> Option<KeyPress> {
        let duration = duration.unwrap_or(INFO_DURATION).min(LONGEST_INFO);
        let mut began = now.checked_sub(duration).unwrap_or(now);
        let known = self.find(digit, |press| match (press.event, press.tone) {
            // Where there are events INFO repeats them, however often.
            (Sight::Down | Sight::Released, _) => press.is_near(began, INFO_APART),
            (Sight::Unseen, Sight::Down | Sight::Released) => {
                !press.info && press.is_near(began, INFO_APART)
            }
            (Sight::Unseen, Sight::Unseen) => false,
        });
        if let Some(press) = known {
            press.info = true;
            return None;
        }
        let held = self.held.take_if(|held| held.digit == digit);
        let tone = held.map_or(Sight::Unseen, |tone| match tone.released {
            true => Sight::Released,
            false => Sight::Down,
        });
        began = held.map_or(began, |tone| tone.began.min(began));
        Some(self.report(
            KeySource::SipInfo,
            Press {
                digit,
                began,
                heard: now,
                ended: now,
                event: Sight::Unseen,
                tone,
                info: true,
            },
        ))
    }

    /// Reports the tone that has waited long enough; call it every 20 ms or so.
    pub fn poll(&mut self, now: Instant) -> Option<KeyPress> {
        let held = self.held.take_if(|held| now >= held.until)?;
        Some(self.report_tone(held, now))
    }

    fn report_tone(&mut self, tone: Held, now: Instant) -> KeyPress {
        self.report(
            KeySource::InBand,
            Press {
                digit: tone.digit,
                began: tone.began,
                heard: now,
                ended: now,
                event: Sight::Unseen,
                tone: match tone.released {
                    true => Sight::Released,
                    false => Sight::Down,
                },
                info: false,
            },
        )
    }

    /// The oldest press of this key that `is` it.
    fn find(&mut self, digit: Digit, is: impl Fn(&Press) -> bool) -> Option<&mut Press> {
        let presses = self.presses.iter_mut().flatten();
        presses
            .filter(|press| press.digit == digit && is(press))
            .min_by_key(|press| press.heard)
    }

    fn report(&mut self, source: KeySource, press: Press) -> KeyPress {
        if let Some(place) = self.presses.get_mut(self.oldest) {
            *place = Some(press);
        }
        self.oldest = (self.oldest + 1) % REMEMBERED;
        KeyPress {
            digit: press.digit,
            source,
            began: press.began,
            heard: press.heard,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAR: Digit = Digit::STAR;
    const HASH: Digit = Digit::HASH;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn each_way_of_hearing_reports_its_press() {
        let t = Instant::now();
        let mut keys = Keys::new(true);
        let key = keys.event_began(HASH, t, t + ms(20)).unwrap();
        let expected = KeyPress {
            digit: HASH,
            source: KeySource::Rfc4733,
            began: t,
            heard: t + ms(20),
        };
        assert_eq!(key, expected);

        let key = Keys::new(false).tone_began(STAR, t, t + ms(45)).unwrap();
        assert_eq!(
            (key.source, key.began, key.heard),
            (KeySource::InBand, t, t + ms(45))
        );

        let key = Keys::new(false).info(HASH, Some(ms(160)), t + ms(500));
        let key = key.unwrap();
        assert_eq!((key.source, key.began), (KeySource::SipInfo, t + ms(340)));
        let key = Keys::new(false).info(HASH, None, t + ms(500)).unwrap();
        assert_eq!(key.began, t + ms(250));
    }

    #[test]
    fn a_leak_before_the_event_is_the_same_press_and_began_with_the_tone() {
        let t = Instant::now();
        for leak in [20, 40, 60] {
            let mut keys = Keys::new(true);
            assert_eq!(keys.tone_began(HASH, t, t + ms(45)), None);
            keys.tone_ended(HASH, t + ms(leak).max(ms(45)));
            assert_eq!(keys.poll(t + ms(60)), None);
            let key = keys.event_began(HASH, t + ms(leak), t + ms(leak + 40));
            let key = key.unwrap();
            assert_eq!((key.source, key.began), (KeySource::Rfc4733, t));
            assert_eq!(keys.poll(t + ms(500)), None);
        }
    }

    #[test]
    fn a_leak_within_and_behind_the_event_is_the_same_press() {
        let t = Instant::now();
        let mut keys = Keys::new(true);
        assert!(keys.event_began(HASH, t, t + ms(20)).is_some());
        assert_eq!(keys.tone_began(HASH, t + ms(30), t + ms(75)), None);
        keys.tone_ended(HASH, t + ms(90));
        keys.event_ended(HASH, t + ms(200));
        assert_eq!(keys.tone_began(HASH, t + ms(210), t + ms(255)), None);
        assert_eq!(keys.poll(t + ms(900)), None);
    }

    #[test]
    fn a_tone_without_an_event_is_reported_after_a_moment() {
        let t = Instant::now();
        let mut keys = Keys::new(true);
        assert_eq!(keys.tone_began(HASH, t, t + ms(45)), None);
        keys.tone_ended(HASH, t + ms(80));
        assert_eq!(keys.poll(t + ms(104)), None);
        let key = keys.poll(t + ms(105)).unwrap();
        assert_eq!((key.source, key.began), (KeySource::InBand, t));
        // An event of the same press that was held up adds nothing; the next one does.
        assert_eq!(keys.event_began(HASH, t + ms(50), t + ms(180)), None);
        keys.event_ended(HASH, t + ms(200));
        assert!(
            keys.event_began(HASH, t + ms(300), t + ms(320)).is_some(),
            "a second press of the same key"
        );
    }

    #[test]
    fn two_quick_tones_are_two_keys() {
        let t = Instant::now();
        for events in [false, true] {
            let mut keys = Keys::new(events);
            let mut heard = Vec::new();
            for n in 0..4 {
                let start = t + ms(n * 90);
                heard.extend(keys.tone_began(HASH, start, start + ms(45)));
                keys.tone_ended(HASH, start + ms(50));
            }
            heard.extend(keys.poll(t + ms(1_000)));
            let began: Vec<_> = heard.iter().map(|key| key.began).collect();
            assert_eq!(began, [0, 90, 180, 270].map(|n| t + ms(n)));
        }
    }

    #[test]
    fn a_tone_misheard_while_an_event_is_down_is_no_key() {
        let t = Instant::now();
        let mut keys = Keys::new(true);
        assert_eq!(keys.tone_began(STAR, t, t + ms(45)), None);
        let key = keys.event_began(HASH, t + ms(30), t + ms(60)).unwrap();
        assert_eq!(key.digit, HASH);
        assert_eq!(keys.tone_began(STAR, t + ms(80), t + ms(120)), None);
        assert_eq!(keys.poll(t + ms(900)), None);
    }

    #[test]
    fn an_info_beside_an_event_or_tone_is_the_same_press() {
        let t = Instant::now();
        let mut keys = Keys::new(true);
        assert!(keys.event_began(HASH, t, t + ms(20)).is_some());
        assert_eq!(keys.info(HASH, Some(ms(100)), t + ms(110)), None);
        keys.event_ended(HASH, t + ms(100));
        assert_eq!(keys.info(HASH, Some(ms(100)), t + ms(1_900)), None);
        assert!(keys.info(HASH, Some(ms(100)), t + ms(3_000)).is_some());

        let mut keys = Keys::new(false);
        assert!(keys.tone_began(HASH, t, t + ms(45)).is_some());
        keys.tone_ended(HASH, t + ms(90));
        assert_eq!(keys.info(HASH, None, t + ms(200)), None);
        // The second INFO is of a press whose tone was not heard.
        assert!(keys.info(HASH, None, t + ms(700)).is_some());
    }

    #[test]
    fn a_tone_or_event_behind_its_info_is_the_same_press() {
        let t = Instant::now();
        let mut keys = Keys::new(true);
        assert!(keys.info(HASH, Some(ms(100)), t + ms(10)).is_some());
        assert_eq!(keys.tone_began(HASH, t, t + ms(45)), None);
        assert_eq!(keys.event_began(HASH, t, t + ms(60)), None);
        keys.event_ended(HASH, t + ms(200));
        assert_eq!(keys.poll(t + ms(900)), None);
        assert!(keys.event_began(HASH, t + ms(400), t + ms(420)).is_some());
    }

    #[test]
    fn a_held_key_that_info_names_at_its_release_began_when_it_went_down() {
        let t = Instant::now();
        let mut keys = Keys::new(true);
        assert!(keys.event_began(HASH, t, t + ms(20)).is_some());
        assert_eq!(keys.info(HASH, None, t + ms(8_000)), None);
        keys.event_ended(HASH, t + ms(8_000));
        assert_eq!(keys.info(HASH, Some(ms(8_000)), t + ms(8_100)), None);
    }

    #[test]
    fn an_info_of_a_long_press_never_makes_it_look_shorter() {
        let t = Instant::now();
        for held in [9, 10, 11, 60, 3_600] {
            let mut keys = Keys::new(false);
            let released = t + Duration::from_secs(held);
            let key = keys.info(HASH, Some(Duration::from_secs(held)), released);
            assert_eq!(key.unwrap().began, t, "{held}");
        }
    }

    /// How a phone and the gateways before us make its presses heard.
    #[derive(Debug, Clone, Copy)]
    enum Way {
        Events,
        EventsBehindLeak(u64),
        EventsAndTone { tone_late: u64 },
        Tone,
        InfoAtStart { late: u64 },
        InfoAtRelease { late: u64 },
        EventsAndInfo { late: u64 },
        ToneAndInfo { late: u64 },
    }

    fn ways() -> impl Strategy<Value = Way> {
        prop_oneof![
            Just(Way::Events),
            (20u64..61).prop_map(Way::EventsBehindLeak),
            (0u64..400).prop_map(|tone_late| Way::EventsAndTone { tone_late }),
            Just(Way::Tone),
            (0u64..800).prop_map(|late| Way::InfoAtStart { late }),
            (0u64..800).prop_map(|late| Way::InfoAtRelease { late }),
            (0u64..1_500).prop_map(|late| Way::EventsAndInfo { late }),
            (0u64..800).prop_map(|late| Way::ToneAndInfo { late }),
        ]
    }

    #[derive(Debug, Clone, Copy)]
    enum Seen {
        EventBegan(u64),
        EventEnded,
        ToneBegan(u64),
        ToneEnded,
        Info(Option<u64>),
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// However the presses of a phone are made heard, each is reported exactly once, and none
        /// seems to have begun later than it did.
        #[test]
        fn each_press_is_reported_once(
            way in ways(),
            presses in prop::collection::vec((0u8..3, 60u64..900, 100u64..900), 1..10),
        ) {
            let zero = Instant::now();
            let mut seen: Vec<(u64, Digit, Seen)> = Vec::new();
            let mut expected = Vec::new();
            let mut time = 1_000;
            for (code, length, pause) in presses {
                let digit = Digit::from_event(code).unwrap();
                let (start, end) = (time, time + length);
                expected.push((digit, start));
                let mut event = |from: u64| {
                    seen.push((from + 20, digit, Seen::EventBegan(from)));
                    seen.push((end.max(from + 20) + 20, digit, Seen::EventEnded));
                };
                match way {
                    Way::Events | Way::EventsAndInfo { .. } | Way::EventsAndTone { .. } => event(start),
                    Way::EventsBehindLeak(leak) => event(start + leak),
                    _ => {}
                }
                match way {
                    Way::EventsBehindLeak(leak) if leak >= 40 => {
                        seen.push((start + 45, digit, Seen::ToneBegan(start)));
                        seen.push((start + leak + 15, digit, Seen::ToneEnded));
                    }
                    Way::EventsAndTone { tone_late } => {
                        seen.push((start + tone_late + 45, digit, Seen::ToneBegan(start + tone_late)));
                        seen.push((end + tone_late + 15, digit, Seen::ToneEnded));
                    }
                    Way::Tone | Way::ToneAndInfo { .. } => {
                        seen.push((start + 45, digit, Seen::ToneBegan(start)));
                        seen.push((end + 15, digit, Seen::ToneEnded));
                    }
                    _ => {}
                }
                match way {
                    Way::InfoAtStart { late } => seen.push((start + late, digit, Seen::Info(None))),
                    Way::InfoAtRelease { late }
                    | Way::EventsAndInfo { late }
                    | Way::ToneAndInfo { late } => {
                        seen.push((end + late, digit, Seen::Info(Some(length))));
                    }
                    _ => {}
                }
                time = end + pause;
            }
            seen.sort_by_key(|(at, ..)| *at);
            let last = seen.last().unwrap().0;
            let mut keys = Keys::new(!matches!(way, Way::Tone));
            let mut heard = Vec::new();
            let mut seen = seen.into_iter().peekable();
            for at in 0..last + 1_000 {
                let now = zero + ms(at);
                while let Some((_, digit, what)) = seen.next_if(|(when, ..)| *when <= at) {
                    heard.extend(match what {
                        Seen::EventBegan(from) => keys.event_began(digit, zero + ms(from), now),
                        Seen::EventEnded => {
                            keys.event_ended(digit, now);
                            None
                        }
                        Seen::ToneBegan(from) => keys.tone_began(digit, zero + ms(from), now),
                        Seen::ToneEnded => {
                            keys.tone_ended(digit, now);
                            None
                        }
                        Seen::Info(duration) => keys.info(digit, duration.map(ms), now),
                    });
                }
                if at % 20 == 0 {
                    heard.extend(keys.poll(now));
                }
            }
            let digits: Vec<Digit> = heard.iter().map(|key| key.digit).collect();
            let pressed: Vec<Digit> = expected.iter().map(|(digit, _)| *digit).collect();
            prop_assert_eq!(digits, pressed);
            for (key, (_, start)) in heard.iter().zip(&expected) {
                let late = match way {
                    Way::InfoAtStart { late } | Way::InfoAtRelease { late } => late,
                    // Too short to be heard.
                    Way::EventsBehindLeak(leak) if leak < 40 => leak,
                    _ => 0,
                };
                prop_assert!(key.began <= zero + ms(start + late), "{:?}", key.began - zero);
            }
        }
    }
}
