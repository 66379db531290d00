//! Audio: G.711, WAV, resampling, level, and prompts encoded into frames ahead of time.
//!
//! Two shapes of sound pass between the files here: `&[i16]`, linear PCM at 8 kHz as it goes on
//! a call, and `&[f32]` in -1.0 to 1.0 while a recording is being read, resampled or levelled.

pub(crate) mod builtin;
mod codec;
pub mod folder;
pub mod g711;
pub mod inspection;
pub mod level;
pub mod library;
mod locale;
mod name;
mod outline;
pub mod pcm;
pub mod preparation;
pub mod prompt;
pub mod resample;
pub mod wav;

pub use codec::Codec;
pub use library::{PromptLibrary, PromptSet};
pub use locale::{Locale, LocaleError};
pub use name::PromptName;
pub use outline::Outline;
pub use prompt::Prompt;

/// Samples a second of everything on a call.
pub const SAMPLE_RATE: u32 = 8_000;
/// Samples of one 20 ms frame at [`SAMPLE_RATE`].
pub const FRAME_SAMPLES: usize = 160;
