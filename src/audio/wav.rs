//! RIFF WAVE files: reads what recording tools and telephone systems write, writes 8 kHz 16-bit
//! mono.
//!
//! The reader takes untrusted bytes: its memory is bounded by the length of its input, sizes
//! claimed by the file are never believed beyond what is there.

use thiserror::Error;

use super::{Codec, SAMPLE_RATE, g711};

/// A recording as a file holds it, mixed to one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Samples a second, never 0.
    pub rate: u32,
    /// How many channels the file had before mixing, never 0.
    pub channels: u16,
    /// How the file holds a sample.
    pub encoding: Encoding,
    /// The mean of all channels; -1.0 to 1.0, though a float file may go beyond. Finite.
    pub samples: Vec<f32>,
}

/// How a WAV file holds one sample of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Linear PCM in so many bytes, 1 to 4; one byte is unsigned, more are signed.
    Pcm {
        /// Bytes of a sample.
        bytes: u8,
    },
    /// IEEE float in so many bytes, 4 or 8.
    Float {
        /// Bytes of a sample.
        bytes: u8,
    },
    /// G.711.
    G711(Codec),
}

impl Encoding {
    /// Bytes of one sample of one channel.
    pub const fn bytes(self) -> usize {
        match self {
            Encoding::Pcm { bytes } | Encoding::Float { bytes } => bytes as usize,
            Encoding::G711(_) => 1,
        }
    }
}

impl std::fmt::Display for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Encoding::Pcm { bytes } => write!(f, "{}-bit PCM", u16::from(*bytes) * 8),
            Encoding::Float { bytes } => write!(f, "{}-bit float", u16::from(*bytes) * 8),
            Encoding::G711(Codec::Pcmu) => f.write_str("G.711 mu-law"),
            Encoding::G711(Codec::Pcma) => f.write_str("G.711 A-law"),
        }
    }
}

/// Why bytes are not a WAV file that we can read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WavError {
    /// The first twelve bytes are not those of a WAV file.
    #[error("not a WAV file: it does not begin with RIFF ... WAVE")]
    NotWav,
    /// There is no `fmt ` chunk before the audio, or it is too short.
    #[error("damaged WAV file: no complete `fmt ` chunk before the audio")]
    NoFormat,
    /// There is no `data` chunk.
    #[error("damaged WAV file: no `data` chunk")]
    NoData,
    /// The format chunk contradicts itself: no channels, no rate, or an odd block size.
    #[error(
        "damaged WAV file: {channels} channels at {rate} Hz with {block} bytes a block is \
         impossible"
    )]
    Impossible {
        /// Channels claimed.
        channels: u16,
        /// Rate claimed.
        rate: u32,
        /// Bytes of one sample of all channels, as claimed.
        block: u16,
    },
    /// A format we do not read, such as ADPCM or MP3 inside WAV.
    #[error(
        "WAV format {tag:#06x} with {bits} bits a sample is not supported: save it as 16-bit PCM"
    )]
    Unsupported {
        /// The format tag.
        tag: u16,
        /// Bits of a sample.
        bits: u16,
    },
    /// A float file with a sample that is no number.
    #[error("damaged WAV file: sample {index} is not a finite number")]
    NotFinite {
        /// Its index, counted over all channels.
        index: usize,
    },
}

const TAG_PCM: u16 = 0x0001;
const TAG_FLOAT: u16 = 0x0003;
const TAG_ALAW: u16 = 0x0006;
const TAG_MULAW: u16 = 0x0007;
const TAG_EXTENSIBLE: u16 = 0xfffe;
/// The last fourteen bytes of every sub-format GUID that stands for an old format tag.
const GUID_TAIL: [u8; 14] = [
    0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71,
];

struct Format {
    rate: u32,
    channels: u16,
    encoding: Encoding,
}

/// Reads a WAV file: PCM of 8 to 32 bits, float of 32 or 64, G.711, plain or extensible, of any
/// rate and number of channels.
///
/// # Errors
/// [`WavError`]. A `data` chunk that claims more than the file holds (a recorder that was
/// stopped, a file written to a pipe) is read as far as it goes.
pub fn read(file: &[u8]) -> Result<Recording, WavError> {
    let (format, data) = find(file)?;
    read_samples(&format, data)
}

/// As [`read`], and leaves the channels apart: the two sides of a call, mostly.
///
/// # Errors
/// As [`read`].
pub fn read_channels(file: &[u8]) -> Result<Vec<Recording>, WavError> {
    let (format, data) = find(file)?;
    let bytes = format.encoding.bytes();
    let block = bytes * usize::from(format.channels);
    let mut channels: Vec<Recording> = (0..format.channels)
        .map(|_| Recording {
            rate: format.rate,
            channels: format.channels,
            encoding: format.encoding,
            samples: Vec::with_capacity(data.len() / block),
        })
        .collect();
    for (index, sample) in data
        .chunks_exact(block)
        .flat_map(|block| block.chunks_exact(bytes))
        .enumerate()
    {
        let value = read_sample(format.encoding, sample);
        if !value.is_finite() {
            return Err(WavError::NotFinite { index });
        }
        let channel = index % usize::from(format.channels);
        if let Some(channel) = channels.get_mut(channel) {
            channel.samples.push(value.clamp(-1e6, 1e6) as f32);
        }
    }
    Ok(channels)
}

/// The format and the audio of a file.
fn find(file: &[u8]) -> Result<(Format, &[u8]), WavError> {
    let riff = file.get(..4).ok_or(WavError::NotWav)?;
    if !matches!(riff, b"RIFF" | b"RF64" | b"BW64") || file.get(8..12) != Some(b"WAVE") {
        return Err(WavError::NotWav);
    }
    let mut format = None;
    let mut rest = file.get(12..).unwrap_or_default();
    while let Some((head, body)) = rest.split_at_checked(8) {
        let claimed = u32_at(head, 4).unwrap_or(0) as usize;
        let held = claimed.min(body.len());
        let chunk = &body[..held];
        match &head[..4] {
            b"fmt " => format = Some(read_format(chunk)?),
            b"data" => {
                let format = format.ok_or(WavError::NoFormat)?;
                return Ok((format, chunk));
            }
            _ => {}
        }
        // Chunks are padded to an even length.
        rest = body.get(held + (held & 1)..).unwrap_or_default();
    }
    Err(if format.is_some() {
        WavError::NoData
    } else {
        WavError::NoFormat
    })
}

fn read_format(chunk: &[u8]) -> Result<Format, WavError> {
    let short = WavError::NoFormat;
    let tag = u16_at(chunk, 0).ok_or(short.clone())?;
    let channels = u16_at(chunk, 2).ok_or(short.clone())?;
    let rate = u32_at(chunk, 4).ok_or(short.clone())?;
    let block = u16_at(chunk, 12).ok_or(short.clone())?;
    let bits = u16_at(chunk, 14).ok_or(short)?;
    if channels == 0 || rate == 0 || block == 0 || block % channels != 0 {
        return Err(WavError::Impossible {
            channels,
            rate,
            block,
        });
    }
    let unsupported = WavError::Unsupported { tag, bits };
    let plain = if tag == TAG_EXTENSIBLE {
        if chunk.get(26..40) != Some(&GUID_TAIL) {
            return Err(unsupported);
        }
        u16_at(chunk, 24).ok_or(unsupported.clone())?
    } else {
        tag
    };
    // A sample lies left-justified in its container, so the container's size decides.
    let bytes = block / channels;
    let encoding = match (plain, bytes) {
        (TAG_PCM, 1..=4) if bits <= bytes * 8 => Encoding::Pcm { bytes: bytes as u8 },
        (TAG_FLOAT, 4 | 8) if bits == bytes * 8 => Encoding::Float { bytes: bytes as u8 },
        (TAG_MULAW, 1) => Encoding::G711(Codec::Pcmu),
        (TAG_ALAW, 1) => Encoding::G711(Codec::Pcma),
        _ => return Err(unsupported),
    };
    Ok(Format {
        rate,
        channels,
        encoding,
    })
}

fn read_samples(format: &Format, data: &[u8]) -> Result<Recording, WavError> {
    let channels = usize::from(format.channels);
    let bytes = format.encoding.bytes();
    let mut samples = Vec::with_capacity(data.len() / (bytes * channels));
    let mut index = 0;
    for block in data.chunks_exact(bytes * channels) {
        let mut sum = 0.0;
        for sample in block.chunks_exact(bytes) {
            let value = read_sample(format.encoding, sample);
            if !value.is_finite() {
                return Err(WavError::NotFinite { index });
            }
            sum += value;
            index += 1;
        }
        // A 64-bit float may be finite and still too large for 32 bits.
        samples.push((sum / channels as f64).clamp(-1e6, 1e6) as f32);
    }
    Ok(Recording {
        rate: format.rate,
        channels: format.channels,
        encoding: format.encoding,
        samples,
    })
}

fn read_sample(encoding: Encoding, bytes: &[u8]) -> f64 {
    match (encoding, bytes) {
        (Encoding::G711(codec), [octet]) => f64::from(g711::decode(codec, *octet)) / 32_768.0,
        (Encoding::Pcm { .. }, [a]) => (f64::from(*a) - 128.0) / 128.0,
        (Encoding::Pcm { .. }, [a, b]) => f64::from(i16::from_le_bytes([*a, *b])) / 32_768.0,
        (Encoding::Pcm { .. }, [a, b, c]) => {
            f64::from(i32::from_le_bytes([0, *a, *b, *c])) / 2_147_483_648.0
        }
        (Encoding::Pcm { .. }, [a, b, c, d]) => {
            f64::from(i32::from_le_bytes([*a, *b, *c, *d])) / 2_147_483_648.0
        }
        (Encoding::Float { .. }, [a, b, c, d]) => f64::from(f32::from_le_bytes([*a, *b, *c, *d])),
        (Encoding::Float { .. }, [a, b, c, d, e, f, g, h]) => {
            f64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h])
        }
        // The encoding's size and the slice's length come from one number in `read_samples`.
        _ => 0.0,
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at + 2)?;
    Some(u16::from_le_bytes([two[0], two[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

/// Writes 8 kHz 16-bit mono; at most the 2^31 samples that the format can hold.
pub fn write(samples: &[i16]) -> Vec<u8> {
    const HEADER: usize = 44;
    let samples = &samples[..samples.len().min((u32::MAX as usize - HEADER) / 2)];
    let size = samples.len() as u32 * 2;
    let mut file = Vec::with_capacity(HEADER + samples.len() * 2);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(size + HEADER as u32 - 8).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16u32.to_le_bytes());
    file.extend_from_slice(&TAG_PCM.to_le_bytes());
    file.extend_from_slice(&1u16.to_le_bytes());
    file.extend_from_slice(&SAMPLE_RATE.to_le_bytes());
    file.extend_from_slice(&(SAMPLE_RATE * 2).to_le_bytes());
    file.extend_from_slice(&2u16.to_le_bytes());
    file.extend_from_slice(&16u16.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&size.to_le_bytes());
    for sample in samples {
        file.extend_from_slice(&sample.to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::pcm;
    use proptest::prelude::*;

    /// A WAV file built by hand; `extra` follows the sixteen bytes of a plain format chunk.
    fn file(tag: u16, channels: u16, rate: u32, bits: u16, extra: &[u8], data: &[u8]) -> Vec<u8> {
        let block = channels * bits.div_ceil(8);
        let mut fmt = Vec::new();
        fmt.extend_from_slice(&tag.to_le_bytes());
        fmt.extend_from_slice(&channels.to_le_bytes());
        fmt.extend_from_slice(&rate.to_le_bytes());
        fmt.extend_from_slice(&(rate.wrapping_mul(u32::from(block))).to_le_bytes());
        fmt.extend_from_slice(&block.to_le_bytes());
        fmt.extend_from_slice(&bits.to_le_bytes());
        fmt.extend_from_slice(extra);
        let mut file = b"RIFF\0\0\0\0WAVE".to_vec();
        for (name, body) in [(b"LIST", &b"odd"[..]), (b"fmt ", &fmt), (b"data", data)] {
            file.extend_from_slice(name);
            file.extend_from_slice(&(body.len() as u32).to_le_bytes());
            file.extend_from_slice(body);
            if body.len() % 2 == 1 {
                file.push(0);
            }
        }
        file
    }

    #[test]
    fn what_is_written_is_read() {
        let samples: Vec<i16> = (i16::MIN..=i16::MAX).step_by(7).collect();
        let read = read(&write(&samples)).unwrap();
        assert_eq!((read.rate, read.channels), (8_000, 1));
        assert_eq!(read.encoding, Encoding::Pcm { bytes: 2 });
        assert_eq!(pcm::to_i16(&read.samples), samples);
    }

    #[test]
    fn reads_every_sample_format() {
        let half: [(u16, u16, &[u8]); 9] = [
            (TAG_PCM, 8, &[0xc0]),
            (TAG_PCM, 16, &[0x00, 0x40]),
            (TAG_PCM, 12, &[0x00, 0x40]),
            (TAG_PCM, 24, &[0x00, 0x00, 0x40]),
            (TAG_PCM, 20, &[0x00, 0x00, 0x40]),
            (TAG_PCM, 32, &[0x00, 0x00, 0x00, 0x40]),
            (TAG_FLOAT, 32, &0.5f32.to_le_bytes()),
            (TAG_FLOAT, 64, &0.5f64.to_le_bytes()),
            (TAG_MULAW, 8, &[0x8f]),
        ];
        for (tag, bits, bytes) in half {
            let recording = read(&file(tag, 1, 44_100, bits, &[], bytes)).unwrap();
            let wanted = if tag == TAG_MULAW {
                16_764.0 / 32_768.0
            } else {
                0.5
            };
            assert_eq!(recording.samples, [wanted], "tag {tag} with {bits} bits");
            assert_eq!(recording.rate, 44_100);
        }
        let alaw = read(&file(TAG_ALAW, 1, 8_000, 8, &[0, 0], &[0xd5, 0x55])).unwrap();
        assert_eq!(alaw.samples, [8.0 / 32_768.0, -8.0 / 32_768.0]);
        assert_eq!(alaw.encoding.to_string(), "G.711 A-law");
    }

    #[test]
    fn reads_extensible() {
        let mut extra = vec![22, 0, 16, 0, 4, 0, 0, 0, 1, 0];
        extra.extend_from_slice(&GUID_TAIL);
        let recording = read(&file(TAG_EXTENSIBLE, 1, 48_000, 16, &extra, &[0, 0x40])).unwrap();
        assert_eq!(recording.samples, [0.5]);
        extra[20] ^= 1;
        assert_eq!(
            read(&file(TAG_EXTENSIBLE, 1, 48_000, 16, &extra, &[0, 0x40])),
            Err(WavError::Unsupported {
                tag: TAG_EXTENSIBLE,
                bits: 16
            })
        );
    }

    #[test]
    fn mixes_all_channels() {
        let data = [
            0x00, 0x40, 0x00, 0xc0, 0x00, 0x60, 0x00, 0x20, 0x00, 0x20, 0x00, 0x20,
        ];
        let recording = read(&file(TAG_PCM, 3, 16_000, 16, &[], &data)).unwrap();
        assert_eq!(recording.samples, [0.25, 0.25]);
        assert_eq!(recording.channels, 3);
        let one_block = [0x80; 300];
        let recording = read(&file(TAG_PCM, 300, 16_000, 8, &[], &one_block)).unwrap();
        assert_eq!(recording.samples, [0.0]);
    }

    #[test]
    fn a_cut_file_is_read_as_far_as_it_goes() {
        let whole = write(&[5; 100]);
        let recording = read(&whole[..44 + 21]).unwrap();
        assert_eq!(pcm::to_i16(&recording.samples), [5; 10]);
        let mut piped = whole;
        piped[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(read(&piped).unwrap().samples.len(), 100);
    }

    #[test]
    fn refuses_what_is_no_wav() {
        assert_eq!(read(b""), Err(WavError::NotWav));
        assert_eq!(read(b"ID3\x04 an mp3 file"), Err(WavError::NotWav));
        assert_eq!(read(b"RIFF\0\0\0\0AVI LIST"), Err(WavError::NotWav));
        assert_eq!(read(b"RIFF\0\0\0\0WAVE"), Err(WavError::NoFormat));
        assert_eq!(
            read(b"RIFF\0\0\0\0WAVEdata\x02\0\0\0\0\0"),
            Err(WavError::NoFormat)
        );
        assert_eq!(
            read(b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0\x01\0"),
            Err(WavError::NoFormat)
        );
        assert_eq!(read(&write(&[])[..36]), Err(WavError::NoData));
        assert_eq!(
            read(&file(0x0055, 1, 44_100, 16, &[], &[])),
            Err(WavError::Unsupported {
                tag: 0x55,
                bits: 16
            })
        );
        assert!(matches!(
            read(&file(TAG_PCM, 0, 8_000, 16, &[], &[])),
            Err(WavError::Impossible { .. })
        ));
        assert!(matches!(
            read(&file(TAG_PCM, 1, 0, 16, &[], &[])),
            Err(WavError::Impossible { .. })
        ));
        assert_eq!(
            read(&file(TAG_FLOAT, 1, 8_000, 32, &[], &f32::NAN.to_le_bytes())),
            Err(WavError::NotFinite { index: 0 })
        );
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes);
        }

        #[test]
        fn hostile_fields_never_panic(
            tag in prop_oneof![Just(1u16), Just(3), Just(6), Just(7), Just(0xfffe), any::<u16>()],
            channels in any::<u16>(),
            rate in any::<u32>(),
            bits in any::<u16>(),
            data in proptest::collection::vec(any::<u8>(), 0..300),
            flip in any::<(usize, u8)>(),
        ) {
            let mut bytes = file(tag, channels % 40, rate, bits % 72, &[], &data);
            let at = flip.0 % bytes.len();
            bytes[at] = flip.1;
            if let Ok(recording) = read(&bytes) {
                prop_assert!(recording.samples.len() <= bytes.len());
                prop_assert!(recording.samples.iter().all(|s| s.is_finite()));
                prop_assert!(recording.rate > 0 && recording.channels > 0);
            }
        }
    }
}
