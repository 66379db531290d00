//! The instruction sets that can do the sums, and the choice between them.

use super::super::tones::{
    BLOCK, FRAME, FRAME_BLOCKS, HALF, MOST_BLOCKS, Octet, Pair, ROWS, SPAN, TONES, Tones,
};
use super::simd;

/// The correlations of one frame with the eight tones, low group first.
#[repr(C, align(32))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// With the cosines.
    pub even: [i32; 8],
    /// With the sines.
    pub odd: [i32; 8],
    /// The frame's own energy: each pair of samples squared and added, over 64, rounded down.
    pub energy: u32,
}

/// A way of doing the sums. All give the same sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel(pub(super) Set);

/// The instruction sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// Whatever the compiler makes of plain Rust: NEON on 64-bit ARM.
    Portable,
    /// The baseline of x86-64.
    #[cfg(target_arch = "x86_64")]
    Sse2,
    /// Intel since 2013, AMD since 2015. Made only where the processor has it.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL: servers since 2017. Made only where the processor has it.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// The same with VNNI: since 2019. Made only where the processor has it.
    #[cfg(target_arch = "x86_64")]
    Vnni,
}

impl Kernel {
    /// Plain Rust, on every processor.
    pub const PORTABLE: Kernel = Kernel(Set::Portable);

    /// The fastest kernel that this processor can run.
    pub fn fastest() -> Kernel {
        #[cfg(target_arch = "x86_64")]
        {
            if simd::has_vnni() {
                return Kernel(Set::Vnni);
            }
            if simd::has_avx512() {
                return Kernel(Set::Avx512);
            }
            if is_x86_feature_detected!("avx2") {
                return Kernel(Set::Avx2);
            }
            return Kernel(Set::Sse2);
        }
        #[allow(unreachable_code)]
        Kernel::PORTABLE
    }

    /// Every kernel that this processor can run, the fastest last.
    pub fn available() -> Vec<Kernel> {
        #[allow(unused_mut)]
        let mut all = vec![Kernel::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            all.push(Kernel(Set::Sse2));
            if is_x86_feature_detected!("avx2") {
                all.push(Kernel(Set::Avx2));
            }
            if simd::has_avx512() {
                all.push(Kernel(Set::Avx512));
            }
            if simd::has_vnni() {
                all.push(Kernel(Set::Vnni));
            }
        }
        all
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Set::Sse2 => "SSE2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Set::Vnni => "AVX-512 VNNI",
        }
    }

    /// Runs `work`, plain Rust that is inlined whole, compiled for this instruction set. Floating
    /// point gives the same on all: the order of operations is fixed and nothing is fused.
    #[inline(always)]
    pub(in super::super) fn wide<R>(self, work: impl FnOnce() -> R) -> R {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => simd::wide_avx2(work),
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Vnni => simd::wide_avx512(work),
            _ => work(),
        }
    }

    /// Correlates each frame with the eight tones, as far as there is room in `sums`. A frame of
    /// less energy than `least` has its energy told and no more.
    pub fn correlate(self, frames: &[[i16; FRAME]], least: u32, sums: &mut [Sums]) {
        let tones: &Tones = &TONES;
        match self.0 {
            Set::Portable => {
                for (frame, sums) in frames.iter().zip(sums) {
                    *sums = correlate(tones, frame, least);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Set::Sse2 => simd::correlate_sse2(tones, frames, least, sums),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => simd::correlate_avx2(tones, frames, least, sums),
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => simd::correlate_avx512(tones, frames, least, sums),
            #[cfg(target_arch = "x86_64")]
            Set::Vnni => simd::correlate_vnni(tones, frames, least, sums),
        }
    }

    /// Holds the blocks of frames, three frames at most, against the table of one key. A frame that
    /// is missing is silence.
    #[inline]
    pub(in super::super) fn blocks(
        self,
        frames: &[Option<&[i16; FRAME]>],
        table: &[Octet; BLOCK / 8],
    ) -> [[i32; MOST_BLOCKS]; ROWS] {
        let mut rows = [[0; MOST_BLOCKS]; ROWS];
        match self.0 {
            Set::Portable => blocks(frames, table, &mut rows),
            #[cfg(target_arch = "x86_64")]
            Set::Sse2 => simd::blocks_sse2(frames, table, &mut rows),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => simd::blocks_avx2(frames, table, &mut rows),
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Vnni => simd::blocks_avx512(frames, table, &mut rows),
        }
        rows
    }

    /// Holds one span of audio against the table of one key.
    #[inline]
    pub(in super::super) fn span(
        self,
        audio: &[i16; SPAN],
        table: &[Octet; SPAN / 8],
    ) -> [i32; ROWS] {
        match self.0 {
            Set::Portable => rows(audio, table),
            #[cfg(target_arch = "x86_64")]
            Set::Sse2 => simd::span_sse2(audio, table),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => simd::span_avx2(audio, table),
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Vnni => simd::span_avx512(audio, table),
        }
    }
}

/// The two folds of a frame, halved so that they fit 16 bits.
#[repr(C, align(32))]
#[derive(Clone, Copy)]
pub(super) struct Fold {
    pub even: [i16; HALF],
    pub odd: [i16; HALF],
}

impl Fold {
    pub const SILENCE: Fold = Fold {
        even: [0; HALF],
        odd: [0; HALF],
    };
}

/// The portable path.
fn correlate(tones: &Tones, frame: &[i16; FRAME], least: u32) -> Sums {
    let energy = energy(frame);
    if energy < least {
        return Sums {
            energy,
            ..Sums::default()
        };
    }
    let mut fold = Fold::SILENCE;
    for k in 0..HALF {
        let after = frame[HALF + k] >> 1;
        let before = frame[HALF - 1 - k] >> 1;
        fold.even[k] = after.wrapping_add(before);
        fold.odd[k] = after.wrapping_sub(before);
    }
    Sums {
        even: project(&tones.even, &fold.even),
        odd: project(&tones.odd, &fold.odd),
        energy,
    }
}

/// 80 pairs of at most 2^31 / 64 stay below 2^32.
fn energy(frame: &[i16; FRAME]) -> u32 {
    frame
        .chunks_exact(2)
        .map(|pair| {
            let (first, second) = (i32::from(pair[0]), i32::from(pair[1]));
            ((first * first) as u32 + (second * second) as u32) >> 6
        })
        .sum()
}

fn project(table: &[Pair; HALF / 2], fold: &[i16; HALF]) -> [i32; 8] {
    let mut sums = [0i32; 8];
    for (pair, coefficients) in fold.chunks_exact(2).zip(table) {
        let (first, second) = (i32::from(pair[0]), i32::from(pair[1]));
        for (tone, sum) in sums.iter_mut().enumerate() {
            *sum += first * i32::from(coefficients.0[tone * 2])
                + second * i32::from(coefficients.0[tone * 2 + 1]);
        }
    }
    sums
}

/// Samples against the rows of as many octets.
fn rows(audio: &[i16], table: &[Octet]) -> [i32; ROWS] {
    let mut sums = [0i32; ROWS];
    for (samples, octet) in audio.chunks_exact(8).zip(table) {
        for (sum, coefficients) in sums.iter_mut().zip(octet.0.chunks_exact(8)) {
            for (x, c) in samples.iter().zip(coefficients) {
                *sum += i32::from(*x) * i32::from(*c);
            }
        }
    }
    sums
}

fn blocks(
    frames: &[Option<&[i16; FRAME]>],
    table: &[Octet; BLOCK / 8],
    out: &mut [[i32; MOST_BLOCKS]; ROWS],
) {
    for (index, frame) in frames.iter().enumerate().take(MOST_BLOCKS / FRAME_BLOCKS) {
        let blocks = frame.iter().flat_map(|frame| frame.chunks_exact(BLOCK));
        for (block, samples) in blocks.enumerate() {
            for (out, sum) in out.iter_mut().zip(rows(samples, table)) {
                out[index * FRAME_BLOCKS + block] = sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames() -> impl Strategy<Value = Vec<[i16; FRAME]>> {
        let sample = prop_oneof![any::<i16>(), Just(i16::MIN), Just(i16::MAX), -9i16..9];
        let frame =
            prop::collection::vec(sample, FRAME).prop_map(|v| std::array::from_fn(|i| v[i]));
        prop::collection::vec(frame, 1..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_kernel_gives_the_same_sums(frames in frames(), quiet in any::<bool>()) {
            let mut expected = [Sums::default(); 6];
            Kernel::PORTABLE.correlate(&frames, 0, &mut expected);
            // The energy of one of them, which leaves it and what is quieter out.
            let least = if quiet { expected[0].energy + 1 } else { 0 };
            Kernel::PORTABLE.correlate(&frames, least, &mut expected);
            for kernel in Kernel::available() {
                let mut sums = [Sums::default(); 6];
                kernel.correlate(&frames, least, &mut sums);
                prop_assert_eq!(sums, expected, "{}", kernel.name());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_kernel_holds_the_same_against_a_key(frames in frames(), key in 0usize..16) {
            let tables = &TONES.keys[key];
            for frame in &frames {
                let span = frame.last_chunk().unwrap();
                let some = [Some(frame), None, frames.first()];
                let mut expected = [[0; MOST_BLOCKS]; ROWS];
                blocks(&some, &tables.block, &mut expected);
                let expected = (expected, rows(span, &tables.span));
                for kernel in Kernel::available() {
                    let held = (
                        kernel.blocks(&some, &tables.block),
                        kernel.span(span, &tables.span),
                    );
                    prop_assert_eq!(held, expected, "{}", kernel.name());
                }
            }
        }
    }

    #[test]
    fn the_worst_samples_do_not_overflow_a_key_s_rows() {
        for tables in &TONES.keys {
            for row in 0..ROWS {
                for table in [&tables.block[..], &tables.span[..]] {
                    let coefficients = table
                        .iter()
                        .flat_map(|octet| octet.0[row * 8..row * 8 + 8].iter().copied());
                    let worst: Vec<i16> = coefficients
                        .map(|c| if c >= 0 { i16::MIN } else { i16::MAX })
                        .collect();
                    assert!(rows(&worst, table)[row] < -500_000_000);
                }
            }
        }
    }

    #[test]
    fn the_worst_samples_do_not_overflow() {
        // Samples of the sign of each coefficient, at full scale, for each tone's cosine and sine.
        for tone in 0..8 {
            for odd in [false, true] {
                let table = if odd { &TONES.odd } else { &TONES.even };
                let mut frame = [0i16; FRAME];
                for k in 0..HALF {
                    let positive = table[k / 2].0[tone * 2 + k % 2] >= 0;
                    let full = if positive { i16::MAX } else { i16::MIN };
                    frame[HALF + k] = full;
                    frame[HALF - 1 - k] = if odd { !full } else { full };
                }
                let sums = correlate(&TONES, &frame, 0);
                let sum = if odd { sums.odd[tone] } else { sums.even[tone] };
                assert!(sum > 1_000_000_000, "tone {tone}: {sum}");
            }
        }
    }
}
