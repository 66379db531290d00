//! The companding laws of G.711, and what else a line does to a key.

use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};

pub use ringtrue::dtmf::line::{Fill, add_clicks, add_noise, add_tones, lose};

/// A companding law of G.711.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    A,
    Mu,
}

/// Rounds, clips and sends samples through a companding law.
pub fn compand(samples: &[f64], law: Law) -> Vec<i16> {
    samples
        .iter()
        .map(|x| {
            let x = x.round().clamp(-32_768.0, 32_767.0) as i16;
            match law {
                Law::A => decode_alaw(encode_alaw(x)),
                Law::Mu => decode_ulaw(encode_ulaw(x)),
            }
        })
        .collect()
}
