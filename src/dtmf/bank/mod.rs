//! The first step: 20 ms frames against the eight tones, many channels side by side.
//!
//! A frame is folded about its middle, which halves the products: cosines see only the sum of
//! the two halves, sines only their difference. All of it is integer arithmetic, so that every
//! instruction set gives the same sums to the last bit.

mod gate;
mod kernel;
mod simd;

pub use gate::{GAIN, Gate, Likeness, SHARE};
pub use kernel::{Kernel, Sums};

use super::tones::FRAME;
use super::{Detection, Detector, DetectorConfig};

/// Frames correlated in one go.
const BATCH: usize = 32;

/// Detectors for many channels whose frames come at the same time.
///
/// It hears what as many [`Detector`]s would hear, and costs less.
#[derive(Debug, Clone)]
pub struct Bank {
    kernel: Kernel,
    detectors: Vec<Detector>,
}

impl Bank {
    /// A bank of so many channels, on the fastest kernel of this processor.
    pub fn new(channels: usize, config: DetectorConfig) -> Bank {
        Bank::with_kernel(channels, config, Kernel::fastest())
    }

    /// A bank on a kernel of your choice, for comparisons.
    pub fn with_kernel(channels: usize, config: DetectorConfig, kernel: Kernel) -> Bank {
        Bank {
            kernel,
            detectors: vec![Detector::new(config).on(kernel); channels],
        }
    }

    /// How many channels it has.
    pub fn channels(&self) -> usize {
        self.detectors.len()
    }

    /// One channel's detector, to tell it of a gap or of what is being sent.
    pub fn channel(&mut self, index: usize) -> Option<&mut Detector> {
        self.detectors.get_mut(index)
    }

    /// Takes one 20 ms frame for each channel, in order; frames beyond the last channel are
    /// left alone. `sink` is told the channel's index.
    pub fn feed(&mut self, frames: &[[i16; FRAME]], sink: &mut impl FnMut(usize, Detection)) {
        let mut sums = [Sums::default(); BATCH];
        for (batch, (detectors, frames)) in self
            .detectors
            .chunks_mut(BATCH)
            .zip(frames.chunks(BATCH))
            .enumerate()
        {
            let Some(gate) = detectors.first().map(Detector::gate) else {
                return;
            };
            self.kernel
                .correlate(frames, gate.least_energy(), &mut sums);
            let admitted = self.kernel.wide(
                #[inline(always)]
                || {
                    let mut admitted = 0u32;
                    for (at, sums) in sums.iter().enumerate().take(frames.len()) {
                        admitted |= u32::from(gate.admits(sums)) << at;
                    }
                    admitted
                },
            );
            for (at, ((detector, frame), sums)) in
                detectors.iter_mut().zip(frames).zip(&sums).enumerate()
            {
                let channel = batch * BATCH + at;
                let admitted = admitted & (1 << at) != 0;
                detector.feed_frame(frame, sums, admitted, &mut |detection| {
                    sink(channel, detection);
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::{Digit, Generator, KeyShape};

    #[test]
    fn a_bank_hears_what_its_detectors_would_hear() {
        let channels = 37;
        let streams: Vec<Vec<i16>> = (0..channels)
            .map(|channel| {
                let digits: Vec<Digit> = Digit::all().cycle().skip(channel % 16).take(3).collect();
                let shape = KeyShape {
                    tone_samples: 400 + channel as u32 * 8,
                    ..KeyShape::default()
                };
                let mut samples = vec![0; channel * 7];
                samples.extend(Generator::new(&digits, shape).render());
                samples.resize(8_000, 0);
                samples
            })
            .collect();
        let mut alone = Vec::new();
        for (channel, stream) in streams.iter().enumerate() {
            let mut detector = Detector::new(DetectorConfig::default());
            detector.feed(stream, &mut |d| alone.push((channel, d)));
        }
        assert_eq!(alone.len(), channels * 6);
        for kernel in Kernel::available() {
            let mut together = Vec::new();
            let mut bank = Bank::with_kernel(channels, DetectorConfig::default(), kernel);
            for at in (0..8_000).step_by(FRAME) {
                let frames: Vec<[i16; FRAME]> = streams
                    .iter()
                    .filter_map(|s| s[at..].first_chunk().copied())
                    .collect();
                bank.feed(&frames, &mut |channel, d| together.push((channel, d)));
            }
            together.sort_by_key(|(channel, _)| *channel);
            assert_eq!(together, alone, "{kernel:?}");
        }
    }
}
