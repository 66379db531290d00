//! A recorded sentence, encoded once for every codec and shared by every call that plays it.

use std::sync::Arc;

use super::{Codec, FRAME_SAMPLES};

/// A recording in 20 ms frames of 160 octets for each codec; cheap to clone.
#[derive(Clone)]
pub struct Prompt {
    name: Arc<str>,
    pcmu: Arc<[u8]>,
    pcma: Arc<[u8]>,
}

impl Prompt {
    /// The prompt's name, as in its file name: `signin`, `goodbye`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many 20 ms frames it lasts.
    pub fn frames(&self) -> usize {
        self.pcmu.len() / FRAME_SAMPLES
    }

    /// Frame `index` in `codec`: 160 octets, or `None` past the end.
    pub fn frame(&self, codec: Codec, index: usize) -> Option<&[u8]> {
        let all = match codec {
            Codec::Pcmu => &self.pcmu,
            Codec::Pcma => &self.pcma,
        };
        let start = index.checked_mul(FRAME_SAMPLES)?;
        all.get(start..start + FRAME_SAMPLES)
    }
}
