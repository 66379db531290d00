//! The newest frames of a stream.

use super::tones::{FRAME, SPAN};

/// Frames kept: a window that ends in the newest, and what lies before it.
const FRAMES_KEPT: usize = 4;
/// Samples kept.
const KEPT: usize = FRAMES_KEPT * FRAME;

/// The newest frames, a ring indexed by frame number.
#[derive(Debug, Clone)]
pub struct History {
    /// Frames too weak to hold a key, one bit each: they stand for silence, whatever is in the
    /// ring.
    silent: u8,
    frames: [[i16; FRAME]; FRAMES_KEPT],
}

impl History {
    /// Silence until now.
    pub const SILENCE: History = History {
        silent: 0,
        frames: [[0; FRAME]; FRAMES_KEPT],
    };

    /// Keeps the frame that begins at this position, or that it was silent.
    #[inline]
    pub fn keep(&mut self, position: u64, frame: &[i16; FRAME], silent: bool) {
        let slot = slot(position);
        if silent {
            self.silent |= 1 << slot;
        } else {
            self.silent &= !(1 << slot);
            self.frames[slot] = *frame;
        }
    }

    /// The frame in which this position lies, one of the newest; `None` if it is silence.
    #[inline]
    pub fn frame(&self, position: u64) -> Option<&[i16; FRAME]> {
        let slot = slot(position);
        (self.silent & (1 << slot) == 0).then_some(&self.frames[slot])
    }

    /// The newest `N` frames before `position`, the oldest first; where the stream is younger than
    /// that, those it has, and then silence. And where the first of them begins.
    #[inline]
    pub fn newest<const N: usize>(&self, position: u64) -> ([Option<&[i16; FRAME]>; N], u64) {
        let base = position.saturating_sub((N * FRAME) as u64);
        let mut frames = [None; N];
        for (index, frame) in frames.iter_mut().enumerate() {
            let start = base + (index * FRAME) as u64;
            if start < position {
                *frame = self.frame(start);
            }
        }
        (frames, base)
    }

    /// `N` samples from `start` on in one piece, before `position`; `None` if they are not kept.
    #[inline]
    pub fn piece<const N: usize>(&self, position: u64, start: u64) -> Option<[i16; N]> {
        let mut piece = [0; N];
        if start + N as u64 > position || start + (KEPT as u64) < position {
            return None;
        }
        let mut at = 0;
        while at < N {
            let from = start + at as u64;
            let within = (from % FRAME as u64) as usize;
            let length = (FRAME - within).min(N - at);
            if let Some(frame) = self.frame(from) {
                piece[at..at + length].copy_from_slice(&frame[within..within + length]);
            }
            at += length;
        }
        Some(piece)
    }

    /// The 10 ms about this position.
    pub fn span_at(&self, position: u64, centre: u64) -> Option<[i16; SPAN]> {
        self.piece(position, centre.checked_sub(SPAN as u64 / 2)?)
    }
}

#[inline]
fn slot(position: u64) -> usize {
    (position / FRAME as u64) as usize % FRAMES_KEPT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_what_was_heard_with_silence_for_what_was_too_weak() {
        let mut history = History::SILENCE;
        let mut all = Vec::new();
        for number in 0..7u64 {
            let frame = std::array::from_fn(|n| (number * 1_000 + n as u64) as i16);
            let silent = number == 5;
            history.keep(number * FRAME as u64, &frame, silent);
            all.extend(if silent { [0; FRAME] } else { frame });
        }
        let end = all.len() as u64;
        for start in end - KEPT as u64..=end - 256 {
            let piece = history.piece::<256>(end, start).unwrap();
            assert_eq!(piece[..], all[start as usize..start as usize + 256]);
        }
        assert_eq!(history.piece::<256>(end, end - 255), None);
        assert_eq!(history.piece::<256>(end, end - KEPT as u64 - 1), None);
        assert_eq!(history.span_at(end, 39), None);
    }
}
