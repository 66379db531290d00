//! The sums by `pmaddwd`: sixteen products of 16 bits and eight additions in one instruction.
//!
//! This is the one module of the room that is unsafe, for two reasons and no other:
//!
//! - A function compiled for AVX2 may be called only where the processor has it. `Set::Avx2` is
//!   private to the bank and made in one place, behind `is_x86_feature_detected!("avx2")`.
//! - Vector loads and stores take pointers. Every pointer here comes from a reference to an array
//!   of a length known at compile time, at an offset below that length, and is used unaligned.
#![allow(unsafe_code)]
#![cfg(target_arch = "x86_64")]

use std::arch::x86_64::*;

use super::super::tones::{FRAME, HALF, Pair, Tones};
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
    let mut fold = Fold {
        even: [0; HALF],
        odd: [0; HALF],
    };
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
    let mut fold = Fold {
        even: [0; HALF],
        odd: [0; HALF],
    };
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
