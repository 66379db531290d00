//! The sums by `pmaddwd`: sixteen products of 16 bits and eight additions in one instruction.
//!
//! This is the one module of the room that is unsafe, for two reasons and no other:
//!
//! - A function compiled for AVX2 or AVX-512 may be called only where the processor has it.
//!   `Set::Avx2`, `Set::Avx512` and `Set::Vnni` are private to the bank and made in one place, behind
//!   `is_x86_feature_detected!`.
//! - Vector loads and stores take pointers. Every pointer here comes from a reference to an array
//!   of a length known at compile time, at an offset below that length, and is used unaligned.
#![allow(unsafe_code)]
#![cfg(target_arch = "x86_64")]

use std::arch::x86_64::*;

use super::super::tones::{
    BLOCK, FRAME, FRAME_BLOCKS, HALF, MOST_BLOCKS, Octet, Pair, ROWS, SPAN, Tones,
};
use super::kernel::{Fold, Sums};

/// Pairs of samples in a fold.
const PAIRS: usize = HALF / 2;

/// SSE2, which every x86-64 processor has.
pub fn correlate_sse2(tones: &Tones, frames: &[[i16; FRAME]], least: u32, sums: &mut [Sums]) {
    for (frame, sums) in frames.iter().zip(sums) {
        *sums = Sums {
            energy: energy_sse2(frame),
            ..Sums::default()
        };
        if sums.energy >= least {
            let fold = fold_sse2(frame);
            sums.even = project_sse2(&tones.even, &fold.even);
            sums.odd = project_sse2(&tones.odd, &fold.odd);
        }
    }
}

fn energy_sse2(frame: &[i16; FRAME]) -> u32 {
    let mut lanes = [0u32; 4];
    // SAFETY: eight words at k <= 152 of 160; the output is one vector of four.
    unsafe {
        let mut sum = _mm_setzero_si128();
        for k in (0..FRAME).step_by(8) {
            let x = _mm_loadu_si128(frame.as_ptr().add(k).cast());
            sum = _mm_add_epi32(sum, _mm_srli_epi32::<6>(_mm_madd_epi16(x, x)));
        }
        _mm_storeu_si128(lanes.as_mut_ptr().cast(), sum);
    }
    lanes.iter().sum()
}

fn fold_sse2(frame: &[i16; FRAME]) -> Fold {
    let mut fold = Fold::SILENCE;
    for k in (0..HALF).step_by(8) {
        // SAFETY: k <= 72, so 80 + k + 8 <= 160, 72 - k >= 0 and k + 8 <= 80.
        unsafe {
            let after = _mm_loadu_si128(frame.as_ptr().add(HALF + k).cast());
            let before = _mm_loadu_si128(frame.as_ptr().add(HALF - 8 - k).cast());
            // Eight words reversed: within each half, then the halves.
            let before = _mm_shufflehi_epi16::<0b00_01_10_11>(before);
            let before = _mm_shufflelo_epi16::<0b00_01_10_11>(before);
            let before = _mm_shuffle_epi32::<0b01_00_11_10>(before);
            let after = _mm_srai_epi16::<1>(after);
            let before = _mm_srai_epi16::<1>(before);
            let even = _mm_add_epi16(after, before);
            let odd = _mm_sub_epi16(after, before);
            _mm_storeu_si128(fold.even.as_mut_ptr().add(k).cast(), even);
            _mm_storeu_si128(fold.odd.as_mut_ptr().add(k).cast(), odd);
        }
    }
    fold
}

fn project_sse2(table: &[Pair; PAIRS], fold: &[i16; HALF]) -> [i32; 8] {
    let mut out = [0i32; 8];
    // SAFETY: a `Pair` is sixteen words, of which two vectors of eight are read; two words of the
    // fold at 2 k <= 78; the output is two vectors of four.
    unsafe {
        let mut low = _mm_setzero_si128();
        let mut high = _mm_setzero_si128();
        for (k, pair) in table.iter().enumerate() {
            let both = _mm_set1_epi32(fold.as_ptr().add(k * 2).cast::<i32>().read_unaligned());
            let coefficients = pair.0.as_ptr();
            let first = _mm_loadu_si128(coefficients.cast());
            let second = _mm_loadu_si128(coefficients.add(8).cast());
            low = _mm_add_epi32(low, _mm_madd_epi16(both, first));
            high = _mm_add_epi32(high, _mm_madd_epi16(both, second));
        }
        _mm_storeu_si128(out.as_mut_ptr().cast(), low);
        _mm_storeu_si128(out.as_mut_ptr().add(4).cast(), high);
    }
    out
}

/// Runs plain Rust compiled for AVX2. To be called only where the processor has it.
#[inline]
pub fn wide_avx2<R>(work: impl FnOnce() -> R) -> R {
    debug_assert!(is_x86_feature_detected!("avx2"));
    // SAFETY: `Set::Avx2` exists only where AVX2 was detected.
    unsafe { run_avx2(work) }
}

#[target_feature(enable = "avx2")]
fn run_avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// AVX2. To be called only where the processor has it.
pub fn correlate_avx2(tones: &Tones, frames: &[[i16; FRAME]], least: u32, sums: &mut [Sums]) {
    debug_assert!(is_x86_feature_detected!("avx2"));
    // SAFETY: `Set::Avx2` exists only where AVX2 was detected.
    unsafe { batch_avx2(tones, frames, least, sums) }
}

#[target_feature(enable = "avx2")]
fn batch_avx2(tones: &Tones, frames: &[[i16; FRAME]], least: u32, sums: &mut [Sums]) {
    // Two frames at a time share each load of coefficients; the first of two waits here.
    let mut waiting: Option<(&[i16; FRAME], &mut Sums)> = None;
    for (frame, sums) in frames.iter().zip(sums) {
        *sums = Sums {
            energy: energy_avx2(frame),
            ..Sums::default()
        };
        if sums.energy < least {
            continue;
        }
        match waiting.take() {
            None => waiting = Some((frame, sums)),
            Some((first, first_sums)) => {
                let folds = [fold_avx2(first), fold_avx2(frame)];
                let even = project_avx2(&tones.even, [&folds[0].even, &folds[1].even]);
                let odd = project_avx2(&tones.odd, [&folds[0].odd, &folds[1].odd]);
                [first_sums.even, sums.even] = even;
                [first_sums.odd, sums.odd] = odd;
            }
        }
    }
    if let Some((frame, sums)) = waiting {
        let fold = fold_avx2(frame);
        [sums.even, _] = project_avx2(&tones.even, [&fold.even, &fold.even]);
        [sums.odd, _] = project_avx2(&tones.odd, [&fold.odd, &fold.odd]);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn energy_avx2(frame: &[i16; FRAME]) -> u32 {
    let mut lanes = [0u32; 8];
    // SAFETY: sixteen words at k <= 144 of 160; the output is one vector of eight.
    unsafe {
        let mut sum = _mm256_setzero_si256();
        for k in (0..FRAME).step_by(16) {
            let x = _mm256_loadu_si256(frame.as_ptr().add(k).cast());
            sum = _mm256_add_epi32(sum, _mm256_srli_epi32::<6>(_mm256_madd_epi16(x, x)));
        }
        _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum);
    }
    lanes.iter().sum()
}

#[inline]
#[target_feature(enable = "avx2")]
fn fold_avx2(frame: &[i16; FRAME]) -> Fold {
    let mut fold = Fold::SILENCE;
    let reversed = _mm256_setr_epi8(
        14, 15, 12, 13, 10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1, 14, 15, 12, 13, 10, 11, 8, 9, 6, 7,
        4, 5, 2, 3, 0, 1,
    );
    for k in (0..HALF).step_by(16) {
        // SAFETY: k <= 64, so 80 + k + 16 <= 160, 64 - k >= 0 and k + 16 <= 80.
        unsafe {
            let after = _mm256_loadu_si256(frame.as_ptr().add(HALF + k).cast());
            let before = _mm256_loadu_si256(frame.as_ptr().add(HALF - 16 - k).cast());
            let before = _mm256_shuffle_epi8(before, reversed);
            let before = _mm256_permute4x64_epi64::<0b01_00_11_10>(before);
            let after = _mm256_srai_epi16::<1>(after);
            let before = _mm256_srai_epi16::<1>(before);
            let even = _mm256_add_epi16(after, before);
            let odd = _mm256_sub_epi16(after, before);
            _mm256_storeu_si256(fold.even.as_mut_ptr().add(k).cast(), even);
            _mm256_storeu_si256(fold.odd.as_mut_ptr().add(k).cast(), odd);
        }
    }
    fold
}

#[inline]
#[target_feature(enable = "avx2")]
fn project_avx2(table: &[Pair; PAIRS], folds: [&[i16; HALF]; 2]) -> [[i32; 8]; 2] {
    let mut out = [[0i32; 8]; 2];
    // SAFETY: a `Pair` is sixteen words, one vector; two words of each fold at 2 k <= 78; each
    // output is one vector of eight.
    unsafe {
        let mut sums = [_mm256_setzero_si256(); 2];
        for (k, pair) in table.iter().enumerate() {
            let coefficients = _mm256_loadu_si256(pair.0.as_ptr().cast());
            for (sum, fold) in sums.iter_mut().zip(folds) {
                let both =
                    _mm256_set1_epi32(fold.as_ptr().add(k * 2).cast::<i32>().read_unaligned());
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(both, coefficients));
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            _mm256_storeu_si256(out.as_mut_ptr().cast(), sum);
        }
    }
    out
}

/// Runs plain Rust compiled for AVX-512. To be called only where the processor has it.
#[inline]
pub fn wide_avx512<R>(work: impl FnOnce() -> R) -> R {
    debug_assert!(has_avx512());
    // SAFETY: `Set::Avx512` and `Set::Vnni` exist only where AVX-512 was detected.
    unsafe { run_avx512(work) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn run_avx512<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Whether this processor has what the functions for AVX-512 are compiled for.
pub fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// Whether it has also the one instruction that multiplies and adds up.
pub fn has_vnni() -> bool {
    has_avx512() && is_x86_feature_detected!("avx512vnni")
}

/// AVX-512. To be called only where the processor has it.
pub fn correlate_avx512(tones: &Tones, frames: &[[i16; FRAME]], least: u32, sums: &mut [Sums]) {
    debug_assert!(has_avx512());
    // SAFETY: `Set::Avx512` exists only where AVX-512 was detected.
    unsafe { batch_avx512(tones, frames, least, sums) }
}

/// AVX-512 with VNNI. To be called only where the processor has both.
pub fn correlate_vnni(tones: &Tones, frames: &[[i16; FRAME]], least: u32, sums: &mut [Sums]) {
    debug_assert!(has_vnni());
    // SAFETY: `Set::Vnni` exists only where VNNI was detected.
    unsafe { batch_vnni(tones, frames, least, sums) }
}

/// Frames that share each load of coefficients in AVX-512.
const TOGETHER: usize = 4;

/// The batch for AVX-512; `$more` adds the products of two vectors to a third.
macro_rules! in_512_bits {
    ($feature:literal, $batch:ident, $energy:ident, $project:ident, $more:expr) => {
        #[target_feature(enable = $feature)]
        fn $batch(tones: &Tones, frames: &[[i16; FRAME]], least: u32, sums: &mut [Sums]) {
            // Frames loud enough wait here for others: together they share each load of
            // coefficients.
            let mut waiting = [0usize; TOGETHER];
            let mut folds = [const { Fold::SILENCE }; TOGETHER];
            let mut count = 0;
            for (index, frame) in frames.iter().enumerate().take(sums.len()) {
                let energy = $energy(frame);
                sums[index] = Sums {
                    energy,
                    ..Sums::default()
                };
                if energy < least {
                    continue;
                }
                waiting[count] = index;
                fold_avx512(frame, &mut folds[count]);
                count += 1;
                if count == TOGETHER {
                    $project(tones, &folds, &waiting, sums);
                    count = 0;
                }
            }
            if count > 0 {
                // What is left of the last batch is done again in vain, into the same place.
                for k in count..TOGETHER {
                    folds[k] = folds[0];
                    waiting[k] = waiting[0];
                }
                $project(tones, &folds, &waiting, sums);
            }
        }

        #[inline]
        #[target_feature(enable = $feature)]
        fn $energy(frame: &[i16; FRAME]) -> u32 {
            // SAFETY: thirty-two words at k <= 128 of 160.
            unsafe {
                let mut sum = _mm512_setzero_si512();
                for k in (0..FRAME).step_by(32) {
                    let x = _mm512_loadu_si512(frame.as_ptr().add(k).cast());
                    let squares = _mm512_srli_epi32::<6>(_mm512_madd_epi16(x, x));
                    sum = _mm512_add_epi32(sum, squares);
                }
                _mm512_reduce_add_epi32(sum) as u32
            }
        }

        #[inline]
        #[target_feature(enable = $feature)]
        fn $project(
            tones: &Tones,
            folds: &[Fold; TOGETHER],
            places: &[usize; TOGETHER],
            sums: &mut [Sums],
        ) {
            let mut even = [_mm512_setzero_si512(); TOGETHER];
            let mut odd = [_mm512_setzero_si512(); TOGETHER];
            for k in 0..HALF / 4 {
                // SAFETY: a `Four` is thirty-two words, one vector; four words of each fold at
                // 4 k <= 76.
                unsafe {
                    let cosines = _mm512_loadu_si512(tones.even_by_four[k].0.as_ptr().cast());
                    let sines = _mm512_loadu_si512(tones.odd_by_four[k].0.as_ptr().cast());
                    for (at, fold) in folds.iter().enumerate() {
                        let four = |half: &[i16; HALF]| {
                            let at = half.as_ptr().add(k * 4).cast::<i64>();
                            _mm512_set1_epi64(at.read_unaligned())
                        };
                        even[at] = $more(even[at], four(&fold.even), cosines);
                        odd[at] = $more(odd[at], four(&fold.odd), sines);
                    }
                }
            }
            for (at, place) in places.iter().enumerate() {
                let Some(sums) = sums.get_mut(*place) else {
                    continue;
                };
                for (out, both) in [(&mut sums.even, even[at]), (&mut sums.odd, odd[at])] {
                    // Each tone's two halves lie next to each other.
                    let both = _mm512_add_epi32(both, _mm512_srli_epi64::<32>(both));
                    // SAFETY: the output is one vector of eight.
                    unsafe {
                        _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm512_cvtepi64_epi32(both));
                    }
                }
            }
        }
    };
}

in_512_bits!(
    "avx512f,avx512bw,avx512vl",
    batch_avx512,
    energy_avx512,
    project_avx512,
    |sum, a, b| _mm512_add_epi32(sum, _mm512_madd_epi16(a, b))
);
in_512_bits!(
    "avx512f,avx512bw,avx512vl,avx512vnni",
    batch_vnni,
    energy_vnni,
    project_vnni,
    |sum, a, b| _mm512_dpwssd_epi32(sum, a, b)
);

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn fold_avx512(frame: &[i16; FRAME], fold: &mut Fold) {
    let reversed = _mm256_setr_epi16(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    for k in (0..HALF).step_by(16) {
        // SAFETY: k <= 64, so 80 + k + 16 <= 160, 64 - k >= 0 and k + 16 <= 80.
        unsafe {
            let after = _mm256_loadu_si256(frame.as_ptr().add(HALF + k).cast());
            let before = _mm256_loadu_si256(frame.as_ptr().add(HALF - 16 - k).cast());
            let before = _mm256_permutexvar_epi16(reversed, before);
            let after = _mm256_srai_epi16::<1>(after);
            let before = _mm256_srai_epi16::<1>(before);
            let even = _mm256_add_epi16(after, before);
            let odd = _mm256_sub_epi16(after, before);
            _mm256_storeu_si256(fold.even.as_mut_ptr().add(k).cast(), even);
            _mm256_storeu_si256(fold.odd.as_mut_ptr().add(k).cast(), odd);
        }
    }
}

/// The blocks of frames against the tables of one key, by SSE2.
#[inline]
pub fn blocks_sse2(
    frames: &[Option<&[i16; FRAME]>],
    table: &[Octet; BLOCK / 8],
    rows: &mut [[i32; MOST_BLOCKS]; ROWS],
) {
    // SAFETY: every x86-64 processor has SSE2.
    unsafe { blocks_with_sse2(frames, table, rows) };
}

/// By AVX2. To be called only where the processor has it.
#[inline]
pub fn blocks_avx2(
    frames: &[Option<&[i16; FRAME]>],
    table: &[Octet; BLOCK / 8],
    rows: &mut [[i32; MOST_BLOCKS]; ROWS],
) {
    debug_assert!(is_x86_feature_detected!("avx2"));
    // SAFETY: `Set::Avx2` exists only where AVX2 was detected.
    unsafe { blocks_with_avx2(frames, table, rows) };
}

/// By AVX-512. To be called only where the processor has it.
#[inline]
pub fn blocks_avx512(
    frames: &[Option<&[i16; FRAME]>],
    table: &[Octet; BLOCK / 8],
    rows: &mut [[i32; MOST_BLOCKS]; ROWS],
) {
    debug_assert!(has_avx512());
    // SAFETY: `Set::Avx512` and `Set::Vnni` exist only where AVX-512 was detected.
    unsafe { blocks_with_avx512(frames, table, rows) };
}

/// One span against the tables of one key, by SSE2.
#[inline]
pub fn span_sse2(audio: &[i16; SPAN], table: &[Octet; SPAN / 8]) -> [i32; ROWS] {
    // SAFETY: every x86-64 processor has SSE2.
    unsafe { span_with_sse2(audio, table) }
}

/// By AVX2. To be called only where the processor has it.
#[inline]
pub fn span_avx2(audio: &[i16; SPAN], table: &[Octet; SPAN / 8]) -> [i32; ROWS] {
    debug_assert!(is_x86_feature_detected!("avx2"));
    // SAFETY: `Set::Avx2` exists only where AVX2 was detected.
    unsafe { span_with_avx2(audio, table) }
}

/// By AVX-512. To be called only where the processor has it.
#[inline]
pub fn span_avx512(audio: &[i16; SPAN], table: &[Octet; SPAN / 8]) -> [i32; ROWS] {
    debug_assert!(has_avx512());
    // SAFETY: `Set::Avx512` and `Set::Vnni` exist only where AVX-512 was detected.
    unsafe { span_with_avx512(audio, table) }
}

/// The two functions that hold samples against the tables of one key, for one instruction set:
/// `blocks` takes frames, `span` one span. A register holds `$held` of the four rows of an octet;
/// each lane of 128 bits belongs to one row.
macro_rules! of_one_key {
    (
        $feature:literal, $held:literal, $blocks:ident, $span:ident, $load:expr,
        $repeat:expr, $store:expr, $madd:ident, $add:ident, $low32:ident, $high32:ident,
        $low64:ident, $high64:ident
    ) => {
        #[target_feature(enable = $feature)]
        fn $blocks(
            frames: &[Option<&[i16; FRAME]>],
            table: &[Octet; BLOCK / 8],
            rows: &mut [[i32; MOST_BLOCKS]; ROWS],
        ) {
            for (index, frame) in frames.iter().enumerate().take(MOST_BLOCKS / FRAME_BLOCKS) {
                let Some(frame) = frame else {
                    continue;
                };
                for first in (0..ROWS).step_by($held) {
                    let mut four = [[0i32; 4]; ROWS];
                    let mut fifth = [[0i32; 4]; ROWS];
                    // SAFETY: an `Octet` is 32 words, of which `$held` rows of eight are read from
                    // row `first` on; eight samples at no more than 128 + 24 of 160; `$held` rows
                    // of four are written.
                    unsafe {
                        let sum = |block: usize| {
                            let part = |k: usize| {
                                let coefficients = $load(table[k].0.as_ptr().add(first * 8));
                                let samples = $repeat(frame.as_ptr().add(block * BLOCK + k * 8));
                                $madd(samples, coefficients)
                            };
                            $add($add(part(0), part(1)), $add(part(2), part(3)))
                        };
                        let (a, b, c, d, e) = (sum(0), sum(1), sum(2), sum(3), sum(4));
                        let ab = $add($low32(a, b), $high32(a, b));
                        let cd = $add($low32(c, d), $high32(c, d));
                        let all = $add($low64(ab, cd), $high64(ab, cd));
                        let ee = $add($low32(e, e), $high32(e, e));
                        let ee = $add($low64(ee, ee), $high64(ee, ee));
                        $store(four.as_mut_ptr().cast::<i32>(), all);
                        $store(fifth.as_mut_ptr().cast::<i32>(), ee);
                    }
                    let at = index * FRAME_BLOCKS;
                    for k in 0..$held {
                        let row = &mut rows[first + k];
                        row[at..at + 4].copy_from_slice(&four[k]);
                        row[at + 4] = fifth[k][0];
                    }
                }
            }
        }

        #[inline]
        #[target_feature(enable = $feature)]
        fn $span(audio: &[i16; SPAN], table: &[Octet; SPAN / 8]) -> [i32; ROWS] {
            let mut parts = [[0i32; 4]; ROWS];
            for first in (0..ROWS).step_by($held) {
                // SAFETY: as above; eight samples at no more than 72 of 80.
                unsafe {
                    let mut sum = None;
                    for (k, octet) in table.iter().enumerate() {
                        let coefficients = $load(octet.0.as_ptr().add(first * 8));
                        let samples = $repeat(audio.as_ptr().add(k * 8));
                        let product = $madd(samples, coefficients);
                        sum = Some(match sum {
                            None => product,
                            Some(sum) => $add(sum, product),
                        });
                    }
                    if let Some(sum) = sum {
                        $store(parts.as_mut_ptr().add(first).cast::<i32>(), sum);
                    }
                }
            }
            parts.map(|row| (row[0] + row[2]) + (row[1] + row[3]))
        }
    };
}

of_one_key!(
    "sse2",
    1,
    blocks_with_sse2,
    span_with_sse2,
    |at: *const i16| _mm_loadu_si128(at.cast()),
    |at: *const i16| _mm_loadu_si128(at.cast()),
    |at: *mut i32, x| _mm_storeu_si128(at.cast(), x),
    _mm_madd_epi16,
    _mm_add_epi32,
    _mm_unpacklo_epi32,
    _mm_unpackhi_epi32,
    _mm_unpacklo_epi64,
    _mm_unpackhi_epi64
);
of_one_key!(
    "avx2",
    2,
    blocks_with_avx2,
    span_with_avx2,
    |at: *const i16| _mm256_loadu_si256(at.cast()),
    |at: *const i16| _mm256_broadcastsi128_si256(_mm_loadu_si128(at.cast())),
    |at: *mut i32, x| _mm256_storeu_si256(at.cast(), x),
    _mm256_madd_epi16,
    _mm256_add_epi32,
    _mm256_unpacklo_epi32,
    _mm256_unpackhi_epi32,
    _mm256_unpacklo_epi64,
    _mm256_unpackhi_epi64
);
of_one_key!(
    "avx512f,avx512bw,avx512vl",
    4,
    blocks_with_avx512,
    span_with_avx512,
    |at: *const i16| _mm512_loadu_si512(at.cast()),
    |at: *const i16| _mm512_broadcast_i32x4(_mm_loadu_si128(at.cast())),
    |at: *mut i32, x| _mm512_storeu_si512(at.cast(), x),
    _mm512_madd_epi16,
    _mm512_add_epi32,
    _mm512_unpacklo_epi32,
    _mm512_unpackhi_epi32,
    _mm512_unpacklo_epi64,
    _mm512_unpackhi_epi64
);
