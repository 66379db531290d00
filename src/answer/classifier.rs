//! The decision: from silences, tones and other sounds to who has answered.

use super::AnsweredBy;
use super::frame::{self, FRAME, Frame};
use super::tone::{Run, Runs, Special};
use crate::dtmf::Framer;

/// What else is known while a piece of audio is heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alongside {
    /// The level of what is sent meanwhile, in dBm0: its echo is nobody's voice.
    pub sent_dbm0: f32,
    /// Whether a key sounds, which is nobody's voice either.
    pub key: bool,
}

impl Alongside {
    /// Nothing is sent and no key sounds.
    pub const NOTHING: Alongside = Alongside {
        sent_dbm0: SILENT_DBM0,
        key: false,
    };
}

const SILENT_DBM0: f32 = -90.0;
/// Below this nothing is heard, whatever the line's noise, in dBm0.
const FAINT_DBM0: f32 = -45.0;
/// Speech is this far above the line's noise.
const ABOVE_NOISE_DB: f32 = 9.0;
/// The estimate of the noise rises by this much a frame, 10 dB a second, and no higher than that.
const NOISE_RISE_DB: f32 = 0.2;
const NOISE_HIGHEST_DBM0: f32 = -30.0;
/// An echo is at least this far below what was sent: the loss of a hybrid, ITU-T G.122 asks for
/// more.
const ECHO_LOSS_DB: f32 = 12.0;
/// What was sent may come back for this many frames, 800 ms.
const ECHO_FRAMES: usize = 40;

/// Frames, 20 ms each.
mod frames {
    /// Without a sound for so long: silence, 4 s.
    pub const SILENCE: u32 = 200;
    /// A pause in which a speaker waits for an answer, 0.8 s.
    pub const WAIT: u32 = 40;
    /// The shortest word, 120 ms.
    pub const WORD: u32 = 6;
    /// A person's greeting, pauses within included, is no longer than 3 s.
    pub const GREETING: u32 = 150;
    /// After a first short word and a pause, speech of 4 s is a recording after all.
    pub const SPEECH: u32 = 200;
    /// A beep follows at least so much speech, 0.8 s.
    pub const BEFORE_BEEP: u32 = 40;
    /// And lasts 80 ms to 3 s.
    pub const BEEP: std::ops::RangeInclusive<u32> = 4..=150;
    /// And is followed by silence, 300 ms.
    pub const AFTER_BEEP: u32 = 15;
    /// A fax that calls: 0.5 s +- 15 % (T.30), give or take a frame.
    pub const CNG: std::ops::RangeInclusive<u32> = 20..=30;
    /// From the end of one to the end of the next: 3.5 s +- 15 %, and some for lost frames. One
    /// alone may be any beep, and the call of a person must not end by it.
    pub const CNG_AGAIN: std::ops::RangeInclusive<u32> = 140..=210;
    /// A fax that answers: 2.6 s and more; 1 s of it is enough.
    pub const CED: u32 = 50;
    /// A ringing tone's shortest burst, 0.36 s, of which two are needed, or one of 0.9 s.
    pub const RING: u32 = 18;
    pub const LONG_RING: u32 = 45;
}

/// Hears who or what has answered. Allocates nothing; about 500 octets.
#[derive(Debug, Clone)]
pub struct Classifier {
    framer: Framer,
    noise_dbm0: f32,
    /// Levels of what was sent last in whole dBm0, a ring, and where in it the next goes.
    sent_dbm0: [i8; ECHO_FRAMES],
    sent_next: usize,
    runs: Runs,
    special: Special,
    /// Frames that carried speech, in all.
    spoken: u32,
    /// The stretch of speech that goes on, its pauses included.
    stretch: u32,
    /// Frames of it that carried sound.
    sounding: u32,
    /// Frames without a sound, newest in a row.
    quiet: u32,
    /// Bursts of a ringing tone.
    rings: u32,
    /// Frames since what may have been the tone of a calling fax ended.
    calling: Option<u32>,
    /// Frames since a beep ended.
    beep: Option<u32>,
    answered_by: Option<AnsweredBy>,
}

impl Default for Classifier {
    fn default() -> Self {
        Classifier::new()
    }
}

impl Classifier {
    /// A classifier at the instant of the answer.
    pub fn new() -> Classifier {
        Classifier {
            framer: Framer::EMPTY,
            noise_dbm0: -60.0,
            sent_dbm0: [SILENT_DBM0 as i8; ECHO_FRAMES],
            sent_next: 0,
            runs: Runs::default(),
            special: Special::default(),
            spoken: 0,
            stretch: 0,
            sounding: 0,
            quiet: 0,
            rings: 0,
            calling: None,
            beep: None,
            answered_by: None,
        }
    }

    /// What it believes now.
    pub fn answered_by(&self) -> Option<AnsweredBy> {
        self.answered_by
    }

    /// Takes 8 kHz samples, any number of them. Says so whenever the belief has changed; the last
    /// word counts.
    pub fn feed(&mut self, mut samples: &[i16], alongside: Alongside) -> Option<AnsweredBy> {
        let before = self.answered_by;
        while let Some(frame) = self.framer.next(&mut samples) {
            self.take(frame::look(&frame, FAINT_DBM0), alongside);
        }
        self.changed_since(before)
    }

    /// So many samples of silence: the sender has nothing to send.
    pub fn pause(&mut self, samples: u64) -> Option<AnsweredBy> {
        let before = self.answered_by;
        let silent = Frame {
            dbm0: SILENT_DBM0,
            tone_hz: None,
        };
        // What lies beyond changes nothing any more.
        let most = u64::from(frames::SILENCE + frames::WAIT);
        for _ in 0..(samples / FRAME as u64).min(most) {
            self.take(silent, Alongside::NOTHING);
        }
        self.changed_since(before)
    }

    fn changed_since(&self, before: Option<AnsweredBy>) -> Option<AnsweredBy> {
        self.answered_by.filter(|now| Some(*now) != before)
    }

    fn take(&mut self, frame: Frame, alongside: Alongside) {
        self.sent_dbm0[self.sent_next] = alongside.sent_dbm0.round() as i8;
        self.sent_next = (self.sent_next + 1) % ECHO_FRAMES;
        if alongside.key {
            return;
        }
        let loudest = self.sent_dbm0.iter().fold(i8::MIN, |most, x| most.max(*x));
        let echo = frame.dbm0 < f32::from(loudest) - ECHO_LOSS_DB;
        // Without an echo the line's own noise is heard.
        if !echo || frame.dbm0 < self.noise_dbm0 {
            self.noise_dbm0 = if frame.dbm0 < self.noise_dbm0 {
                frame.dbm0.max(-70.0)
            } else {
                (self.noise_dbm0 + NOISE_RISE_DB).min(NOISE_HIGHEST_DBM0)
            };
        }
        let faint = FAINT_DBM0.max(self.noise_dbm0 + ABOVE_NOISE_DB);
        let tone = frame.tone_hz.filter(|_| !echo && frame.dbm0 > FAINT_DBM0);
        self.special.pass();
        if let Some(since) = &mut self.calling {
            *since = since.saturating_add(1);
        }
        if let Some(run) = self.runs.take(tone, frame.dbm0) {
            self.tone_ended(&run);
        }
        if let Some(run) = self.runs.now() {
            self.tone_goes_on(&run);
        }
        if tone.is_some() {
            // Neither speech nor silence, until the tone is known.
            self.quiet = 0;
        } else if !echo && frame.dbm0 > faint {
            self.speech();
        } else {
            self.silence();
        }
    }

    fn tone_goes_on(&mut self, run: &Run) {
        if run.frames >= frames::CED && run.is(2_100.0, 30.0) {
            self.conclude(AnsweredBy::Fax);
        }
        if run.frames >= frames::LONG_RING && rings(run) && self.unspoken() {
            self.conclude(AnsweredBy::Ringback);
        }
    }

    fn tone_ended(&mut self, run: &Run) {
        if self.special.take(run) {
            self.conclude(AnsweredBy::Announcement);
            return;
        }
        if frames::CNG.contains(&run.frames) && run.is(1_100.0, 40.0) {
            let before = self.calling.replace(0);
            if before.is_some_and(|since| frames::CNG_AGAIN.contains(&since)) {
                self.conclude(AnsweredBy::Fax);
                return;
            }
        }
        if run.frames >= frames::RING && rings(run) && self.unspoken() {
            self.rings += 1;
            if self.rings > 1 {
                self.conclude(AnsweredBy::Ringback);
            }
            return;
        }
        if frames::BEEP.contains(&run.frames)
            && (350.0..2_600.0).contains(&run.hz)
            && self.spoken >= frames::BEFORE_BEEP
        {
            self.beep = Some(0);
        } else if run.frames < *frames::BEEP.start() {
            // Too short for a tone of any kind: a vowel.
            self.sounding += run.frames;
            self.spoken += run.frames;
        }
    }

    fn unspoken(&self) -> bool {
        self.spoken < frames::WORD
    }

    fn speech(&mut self) {
        self.quiet = 0;
        self.beep = None;
        self.spoken = self.spoken.saturating_add(1);
        self.sounding += 1;
        self.stretch += 1;
        let most = if self.answered_by == Some(AnsweredBy::Person) {
            frames::SPEECH
        } else {
            frames::GREETING
        };
        // Half of it sound: clicks on a quiet line are no speech.
        if self.stretch > most && self.sounding * 2 > self.stretch {
            self.conclude(AnsweredBy::Recording);
        }
    }

    fn silence(&mut self) {
        self.quiet = self.quiet.saturating_add(1);
        if let Some(since) = &mut self.beep {
            *since += 1;
            if *since >= frames::AFTER_BEEP {
                self.beep = None;
                self.conclude(AnsweredBy::Voicemail);
            }
        }
        if self.stretch > 0 {
            self.stretch += 1;
            if self.quiet >= frames::WAIT {
                if self.sounding >= frames::WORD {
                    self.conclude(AnsweredBy::Person);
                }
                (self.stretch, self.sounding) = (0, 0);
            }
        } else if self.quiet >= frames::SILENCE {
            self.conclude(AnsweredBy::Silence);
        }
    }

    /// A belief gives way to a more certain one only: a tone to none, a recording to a tone, a
    /// person to a recording, silence to anything.
    fn conclude(&mut self, class: AnsweredBy) {
        let certainty = |class| match class {
            AnsweredBy::Silence => 0,
            AnsweredBy::Ringback => 1,
            AnsweredBy::Person => 2,
            AnsweredBy::Recording => 3,
            AnsweredBy::Voicemail => 4,
            AnsweredBy::Fax | AnsweredBy::Announcement => 5,
        };
        if self
            .answered_by
            .is_none_or(|now| certainty(class) > certainty(now))
        {
            self.answered_by = Some(class);
        }
    }
}

/// Whether a tone lies where ringing tones do, and the busy tones of Europe: 400 to 480 Hz.
fn rings(run: &Run) -> bool {
    (380.0..500.0).contains(&run.hz)
}

#[cfg(test)]
mod tests;
