//! The newest frames of a stream.

use super::tones::{FRAME, SPAN};

/// Frames kept: a window that ends in the newest, and what lies before it.
pub const FRAMES_KEPT: usize = 4;
/// Samples kept.
pub const KEPT: usize = FRAMES_KEPT * FRAME;

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

    /// The frame that begins at this position, one of the newest; `None` if it is silence.
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

    /// All that is kept before `position` in one piece.
    pub fn recall<'a>(&self, position: u64, buffer: &'a mut [i16; KEPT]) -> Heard<'a> {
        let (frames, oldest) = self.newest::<FRAMES_KEPT>(position);
        for (into, frame) in buffer.chunks_exact_mut(FRAME).zip(frames) {
            match frame {
                Some(frame) => into.copy_from_slice(frame),
                None => into.fill(0),
            }
        }
        Heard {
            oldest,
            audio: &buffer[..((position - oldest) as usize).min(KEPT)],
        }
    }
}

#[inline]
fn slot(position: u64) -> usize {
    (position / FRAME as u64) as usize % FRAMES_KEPT
}

/// The newest audio in one piece.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    /// Where it begins.
    oldest: u64,
    audio: &'a [i16],
}

impl<'a> Heard<'a> {
    /// The `N` samples from this position on.
    pub fn from<const N: usize>(self, position: u64) -> Option<&'a [i16; N]> {
        let at = position.checked_sub(self.oldest)?;
        self.audio.get(usize::try_from(at).ok()?..)?.first_chunk()
    }

    /// The 10 ms about this position.
    pub fn span_at(self, centre: u64) -> Option<&'a [i16; SPAN]> {
        self.from(centre.checked_sub(SPAN as u64 / 2)?)
    }
}
