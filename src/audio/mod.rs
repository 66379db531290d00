//! Audio: G.711, WAV, resampling, level, and prompts encoded into frames ahead of time.

mod codec;
pub mod prompt;

pub use codec::Codec;
pub use prompt::Prompt;

/// Samples a second of everything on a call.
pub const SAMPLE_RATE: u32 = 8_000;
/// Samples of one 20 ms frame at [`SAMPLE_RATE`].
pub const FRAME_SAMPLES: usize = 160;
