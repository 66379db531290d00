//! A recorded sentence, encoded once for every codec and shared by every call that plays it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Codec, FRAME_SAMPLES, Outline, SAMPLE_RATE, g711};

/// A recording in 20 ms frames of 160 octets for each codec; cheap to clone.
#[derive(Clone)]
pub struct Prompt {
    name: Arc<str>,
    pcmu: Arc<[u8]>,
    pcma: Arc<[u8]>,
    outline: Arc<[Outline]>,
}

impl Prompt {
    /// Encodes 8 kHz samples for every codec; the last frame is filled up with silence. No
    /// samples make a prompt of no frames.
    pub fn from_samples(name: &str, samples: &[i16]) -> Prompt {
        let whole = samples.len().next_multiple_of(FRAME_SAMPLES);
        let encode = |codec: Codec| -> Arc<[u8]> {
            let mut octets = vec![codec.silence(); whole];
            g711::encode_into(codec, samples, &mut octets);
            octets.into()
        };
        Prompt {
            name: name.into(),
            pcmu: encode(Codec::Pcmu),
            pcma: encode(Codec::Pcma),
            outline: Outline::of(samples).into(),
        }
    }

    /// The prompt's name, as in its file name: `greeting`, `press-hash`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many 20 ms frames it lasts.
    pub fn frames(&self) -> usize {
        self.pcmu.len() / FRAME_SAMPLES
    }

    /// How long it lasts, in whole frames.
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.pcmu.len() as u64 * 1_000_000 / u64::from(SAMPLE_RATE))
    }

    /// Frame `index` in `codec`: 160 octets, or `None` past the end.
    pub fn frame(&self, codec: Codec, index: usize) -> Option<&[u8]> {
        let all = match codec {
            Codec::Pcmu => &self.pcmu,
            Codec::Pcma => &self.pcma,
        };
        let start = index.checked_mul(FRAME_SAMPLES)?;
        all.get(start..start.checked_add(FRAME_SAMPLES)?)
    }
}

impl Prompt {
    /// Frame `index` in outline; silence past the end.
    pub fn outline(&self, index: usize) -> Outline {
        self.outline.get(index).copied().unwrap_or(Outline::SILENT)
    }
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prompt")
            .field("name", &self.name)
            .field("frames", &self.frames())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_frame_is_filled_with_silence() {
        let prompt = Prompt::from_samples("greeting", &[1_000; 161]);
        assert_eq!((prompt.name(), prompt.frames()), ("greeting", 2));
        assert_eq!(prompt.duration(), Duration::from_millis(40));
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let first = prompt.frame(codec, 0).unwrap();
            assert_eq!(first, [g711::encode(codec, 1_000); 160]);
            let last = prompt.frame(codec, 1).unwrap();
            assert_eq!(last[0], first[0]);
            assert_eq!(last[1..], [codec.silence(); 159]);
        }
    }

    #[test]
    fn nothing_past_the_end() {
        let prompt = Prompt::from_samples("x", &[0; 320]);
        assert_eq!(prompt.frames(), 2);
        assert!(prompt.frame(Codec::Pcmu, 2).is_none());
        assert!(prompt.frame(Codec::Pcma, usize::MAX).is_none());
        assert!(
            prompt
                .frame(Codec::Pcma, usize::MAX / FRAME_SAMPLES)
                .is_none()
        );
        assert_eq!(Prompt::from_samples("x", &[]).frames(), 0);
    }

    #[test]
    fn clones_share_their_octets() {
        let prompt = Prompt::from_samples("x", &[0; 160]);
        let clone = prompt.clone();
        assert!(Arc::ptr_eq(&prompt.pcmu, &clone.pcmu));
        assert_eq!(format!("{clone:?}"), "Prompt { name: \"x\", frames: 1 }");
    }
}
