//! Frames of 20 ms out of samples that come in pieces of any length.

use std::borrow::Cow;

use super::tones::FRAME;

/// Collects samples until there are enough for a frame. One that comes in one piece, as they do in
/// packets of 20 ms, is not copied.
#[derive(Debug, Clone)]
pub struct Framer {
    frame: [i16; FRAME],
    filled: usize,
}

impl Framer {
    /// Nothing was collected yet.
    pub const EMPTY: Framer = Framer {
        frame: [0; FRAME],
        filled: 0,
    };

    /// So many samples of silence are there, less than a frame.
    pub fn begun_with_silence(samples: usize) -> Framer {
        Framer {
            filled: samples.min(FRAME - 1),
            ..Framer::EMPTY
        }
    }

    /// How many samples wait for the rest of their frame.
    #[inline]
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// The next whole frame, taking from `samples` what it needs; `None` once all are taken.
    #[inline]
    pub fn next<'s>(&mut self, samples: &mut &'s [i16]) -> Option<Cow<'s, [i16; FRAME]>> {
        if self.filled == 0
            && let Some((frame, later)) = samples.split_first_chunk()
        {
            *samples = later;
            return Some(Cow::Borrowed(frame));
        }
        let (now, later) = samples.split_at(samples.len().min(FRAME - self.filled));
        self.frame[self.filled..self.filled + now.len()].copy_from_slice(now);
        self.filled += now.len();
        *samples = later;
        if self.filled < FRAME {
            return None;
        }
        self.filled = 0;
        Some(Cow::Owned(self.frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_same_however_the_samples_come() {
        let all: Vec<i16> = (0..1_000).collect();
        for piece in [1, 7, 159, 160, 161, 320, 999, 1_000] {
            let mut framer = Framer::EMPTY;
            let mut frames = Vec::new();
            for mut samples in all.chunks(piece) {
                while let Some(frame) = framer.next(&mut samples) {
                    frames.extend_from_slice(&*frame);
                }
                assert!(samples.is_empty());
            }
            assert_eq!(frames, all[..960], "{piece}");
            assert_eq!(framer.filled(), 40, "{piece}");
        }
    }

    #[test]
    fn silence_goes_before() {
        let mut framer = Framer::begun_with_silence(150);
        assert_eq!(framer.next(&mut &[1; 9][..]), None);
        let frame = framer.next(&mut &[1; 1][..]).expect("whole");
        assert_eq!(
            (&frame[..150], &frame[150..]),
            (&[0; 150][..], &[1; 10][..])
        );
        assert_eq!(framer.filled(), 0);
    }
}
