//! G.711 companding, both laws, between an octet and a 16-bit linear sample.
//!
//! The tables are those of ITU-T G.191; 14-bit mu-law and 13-bit A-law values are carried in the
//! upper bits of an `i16`, so full scale is 32,124 (mu-law) and 32,256 (A-law).

use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};

use super::Codec;

/// One linear sample to its octet.
#[inline]
pub fn encode(codec: Codec, sample: i16) -> u8 {
    match codec {
        Codec::Pcmu => encode_ulaw(sample),
        Codec::Pcma => encode_alaw(sample),
    }
}

/// One octet to its linear sample.
#[inline]
pub fn decode(codec: Codec, octet: u8) -> i16 {
    match codec {
        Codec::Pcmu => decode_ulaw(octet),
        Codec::Pcma => decode_alaw(octet),
    }
}

/// Encodes as many samples as both slices hold and returns how many that was; allocates nothing.
pub fn encode_into(codec: Codec, samples: &[i16], octets: &mut [u8]) -> usize {
    let pairs = octets.iter_mut().zip(samples);
    match codec {
        Codec::Pcmu => pairs.for_each(|(octet, sample)| *octet = encode_ulaw(*sample)),
        Codec::Pcma => pairs.for_each(|(octet, sample)| *octet = encode_alaw(*sample)),
    }
    octets.len().min(samples.len())
}

/// Decodes as many octets as both slices hold and returns how many that was; allocates nothing.
pub fn decode_into(codec: Codec, octets: &[u8], samples: &mut [i16]) -> usize {
    let pairs = samples.iter_mut().zip(octets);
    match codec {
        Codec::Pcmu => pairs.for_each(|(sample, octet)| *sample = decode_ulaw(*octet)),
        Codec::Pcma => pairs.for_each(|(sample, octet)| *sample = decode_alaw(*octet)),
    }
    octets.len().min(samples.len())
}

/// Encodes a whole recording.
pub fn encode_all(codec: Codec, samples: &[i16]) -> Vec<u8> {
    samples.iter().map(|s| encode(codec, *s)).collect()
}

/// Decodes a whole recording.
pub fn decode_all(codec: Codec, octets: &[u8]) -> Vec<i16> {
    octets.iter().map(|o| decode(codec, *o)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];

    /// G.711's own definition of the laws, worked out by arithmetic rather than by table
    /// (Tables 1a and 2a: eight segments a side, sixteen steps a segment).
    fn by_definition(codec: Codec, octet: u8) -> i16 {
        let (sign_bit, code) = match codec {
            Codec::Pcmu => (octet & 0x80 != 0, !octet & 0x7f),
            Codec::Pcma => (octet & 0x80 != 0, (octet ^ 0x55) & 0x7f),
        };
        let (segment, step) = (u32::from(code >> 4), i32::from(code & 15));
        let magnitude = match codec {
            Codec::Pcmu => ((((step << 1) + 33) << segment) - 33) << 2,
            Codec::Pcma if segment == 0 => ((step << 1) + 1) << 3,
            Codec::Pcma => (((step << 1) + 33) << (segment - 1)) << 3,
        };
        (if sign_bit { magnitude } else { -magnitude }) as i16
    }

    #[test]
    fn every_octet_decodes_as_g711_defines() {
        for codec in BOTH {
            for octet in 0..=255 {
                assert_eq!(
                    decode(codec, octet),
                    by_definition(codec, octet),
                    "{codec:?} {octet:#x}"
                );
            }
        }
    }

    #[test]
    fn every_octet_survives_a_round_trip() {
        for codec in BOTH {
            for octet in 0..=255 {
                let again = encode(codec, decode(codec, octet));
                // mu-law has two zeros; the negative one comes back as the positive one.
                let expected = match (codec, octet) {
                    (Codec::Pcmu, 0x7f) => 0xff,
                    _ => octet,
                };
                assert_eq!(again, expected, "{codec:?} {octet:#x}");
            }
        }
    }

    /// A sample lies within half a step of what it becomes, by the step of the value's segment:
    /// that, and not the nearest value, is what G.711's decision values say between segments.
    #[test]
    fn every_sample_encodes_within_half_a_step() {
        for codec in BOTH {
            let full = if codec == Codec::Pcmu { 32_636 } else { 32_767 };
            for sample in i16::MIN..=i16::MAX {
                let octet = encode(codec, sample);
                let got = i32::from(decode(codec, octet));
                let wanted = i32::from(sample).clamp(-full, full);
                let (step, grain) = match codec {
                    Codec::Pcmu => (8 << ((!octet >> 4) & 7), 4),
                    Codec::Pcma => (16 << ((((octet ^ 0x55) >> 4) & 7).max(1) - 1), 8),
                };
                // Samples are cut to 14 or 13 bits first.
                assert!(
                    (got - wanted).abs() <= step / 2 + grain,
                    "{codec:?} {sample} became {got}"
                );
            }
        }
    }

    #[test]
    fn silence_is_what_the_codec_says() {
        for codec in BOTH {
            assert_eq!(encode(codec, 0), codec.silence());
            assert!(decode(codec, codec.silence()).abs() <= 8);
        }
    }

    #[test]
    fn slices_stop_at_the_shorter() {
        let mut octets = [0u8; 3];
        assert_eq!(encode_into(Codec::Pcmu, &[0; 5], &mut octets), 3);
        assert_eq!(octets, [0xff; 3]);
        let mut samples = [1i16; 4];
        assert_eq!(decode_into(Codec::Pcmu, &[0xff, 0xff], &mut samples), 2);
        assert_eq!(samples, [0, 0, 1, 1]);
        assert_eq!(
            encode_all(Codec::Pcma, &decode_all(Codec::Pcma, &[1, 2, 3])),
            [1, 2, 3]
        );
    }
}
