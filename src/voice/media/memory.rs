//! What was heard last, so that the sound of a key can be kept.

use crate::dtmf::{Digit, Measures};

/// Samples remembered, half a second.
const REMEMBERED: usize = 4_096;
/// Of a key's sound: 100 ms before it began and 200 ms after.
const BEFORE: u64 = 800;
const AFTER: u64 = 1_600;

/// The sound of a key, and what was measured of it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeySound {
    /// Which key.
    pub digit: Digit,
    /// Samples before the key begins.
    pub key_start: u64,
    /// What the detector measured when it decided.
    pub measures: Measures,
    /// 300 ms at 8 kHz, less at the start or end of a stream.
    pub samples: Vec<i16>,
}

/// The newest samples of a stream. Positions are the detector's.
#[derive(Debug)]
pub(super) struct Memory {
    ring: Box<[i16; REMEMBERED]>,
    /// Position of the first sample remembered, and behind the last.
    from: u64,
    to: u64,
    wanted: Option<(Digit, u64, Measures)>,
}

impl Memory {
    /// Nothing yet; the stream is at this position.
    pub(super) fn new(position: u64) -> Memory {
        Memory {
            ring: Box::new([0; REMEMBERED]),
            from: position,
            to: position,
            wanted: None,
        }
    }

    /// These samples came at `position`; what was missed before them was silence.
    pub(super) fn hear(&mut self, position: u64, samples: &[i16]) {
        if position.saturating_sub(self.to) >= REMEMBERED as u64 {
            (self.from, self.to) = (position, position);
        }
        while self.to < position {
            self.push(0);
        }
        for sample in samples {
            self.push(*sample);
        }
    }

    fn push(&mut self, sample: i16) {
        self.ring[(self.to % REMEMBERED as u64) as usize] = sample;
        self.to += 1;
        self.from = self.from.max(self.to.saturating_sub(REMEMBERED as u64));
    }

    /// A key began at `start`: its sound is wanted.
    pub(super) fn want(&mut self, digit: Digit, start: u64, measures: Measures) {
        self.wanted = Some((digit, start, measures));
    }

    /// The sound that was wanted, once it is whole; at once if the stream is `over`.
    pub(super) fn take(&mut self, over: bool) -> Option<Box<KeySound>> {
        let (digit, start, measures) = self.wanted?;
        if self.to < start + AFTER && !over {
            return None;
        }
        self.wanted = None;
        let from = start.saturating_sub(BEFORE).max(self.from);
        let to = (start + AFTER).min(self.to);
        let at = |position: u64| self.ring[(position % REMEMBERED as u64) as usize];
        Some(Box::new(KeySound {
            digit,
            key_start: start.saturating_sub(from),
            measures,
            samples: (from..to).map(at).collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEASURES: Measures = Measures {
        low_hz: 941.0,
        high_hz: 1_477.0,
        low_dbm0: -10.0,
        high_dbm0: -10.0,
        snr_db: 30.0,
        confidence: 1.0,
    };

    #[test]
    fn the_sound_is_300_ms_about_the_beginning() {
        let mut memory = Memory::new(0);
        let samples: Vec<i16> = (0..12_000).collect();
        memory.hear(0, &samples[..9_000]);
        memory.want(Digit::HASH, 8_500, MEASURES);
        assert_eq!(memory.take(false), None);
        memory.hear(9_000, &samples[9_000..10_099]);
        assert_eq!(memory.take(false), None);
        memory.hear(10_099, &samples[10_099..10_200]);
        let sound = memory.take(false).unwrap();
        assert_eq!(sound.samples, samples[7_700..10_100]);
        assert_eq!(sound.key_start, 800);
        assert_eq!(memory.take(true), None);
    }

    #[test]
    fn what_was_missed_is_silence_and_an_end_cuts_it_short() {
        let mut memory = Memory::new(100);
        memory.hear(100, &[1; 200]);
        memory.hear(400, &[2; 200]);
        memory.want(Digit::STAR, 250, MEASURES);
        let sound = memory.take(true).unwrap();
        let expected = [vec![1; 200], vec![0; 100], vec![2; 200]].concat();
        assert_eq!((sound.key_start, sound.samples), (150, expected));
        // After a long gap nothing of before is left.
        memory.hear(1 << 40, &[3; 10]);
        memory.want(Digit::STAR, 1 << 40, MEASURES);
        assert_eq!(memory.take(true).unwrap().samples, [3; 10]);
    }
}
