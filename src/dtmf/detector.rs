//! Hears the keys in one stream of audio.

use super::bank::{GAIN, Gate, Kernel, Likeness, SHARE, Sums};
use super::blocks::{Blocks, fills};
use super::fit::{self, Limits};
use super::history::{Heard, History, KEPT};
use super::measures::{Measures, Refusal, Verdict};
use super::presence::{Place, Tones};
use super::tones::{BLOCK, FRAME, WINDOW};
use super::{Digit, amplitude};

/// What counts as a key. The defaults are the tolerances of ITU-T Q.24 with margins that keep
/// speech out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectorConfig {
    /// Weakest level of either tone, in dBm0.
    pub weakest_dbm0: f32,
    /// Greatest level of the high tone over the low one, in dB.
    pub high_stronger_db: f32,
    /// Greatest level of the low tone over the high one, in dB.
    pub high_weaker_db: f32,
    /// Least power of both tones over everything else, in dB; up to 8 dB more near the edge of
    /// the frequency tolerance.
    pub snr_db: f32,
}

impl Default for DetectorConfig {
    fn default() -> Self {
        DetectorConfig {
            weakest_dbm0: -46.0,
            high_stronger_db: 6.0,
            high_weaker_db: 10.0,
            snr_db: 7.0,
        }
    }
}

/// What a detector reports. Positions count samples from the start of the stream, gaps included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Detection {
    /// A key is pressed: decided while it still sounds.
    Began {
        /// Which key.
        digit: Digit,
        /// Where its tones began.
        start_sample: u64,
        /// Where the detector had enough to decide.
        decided_sample: u64,
        /// What was measured until then.
        measures: Measures,
    },
    /// The key was let go. Every [`Detection::Began`] is followed by exactly one of these before
    /// the next, the last by [`Detector::finish`] at the latest.
    Ended {
        /// Which key.
        digit: Digit,
        /// Where its tones began.
        start_sample: u64,
        /// Where they ended.
        end_sample: u64,
        /// What was measured.
        measures: Measures,
    },
}

/// A key has ended when its tones were away for this long, 30 ms: an interruption of 10 ms or a
/// lost packet of 20 ms filled with silence does not end it, a pause of 40 ms does.
const AWAY: u64 = 240;
/// A gap longer than this ends a key, 250 ms.
const LONGEST_GAP: u64 = 2_000;
/// How far the rough frequency may be off before the fit refines it.
const ROUGH_HZ: f32 = 8.0;
/// How far it may be off where the fit is wanted for its measures.
const THOROUGH_HZ: f32 = 40.0;
/// A gap takes the position no farther than this, 18 million years.
const FARTHEST: u64 = 1 << 62;
/// Frames whose blocks are looked at for a new key: every window of a look lies within them.
const LOOKED_AT: usize = 3;
/// Windows of one look.
const WINDOWS: usize = 4;

/// A key that sounds.
#[derive(Debug, Clone, Copy)]
struct Sounding {
    digit: Digit,
    tones: Tones,
    measures: Measures,
    start: u64,
    /// Where the tones were last there.
    last: u64,
    /// The start of the next block to look at.
    next: u64,
    /// For how long they have been away.
    away: u64,
}

/// Hears the keys in one stream of 8 kHz audio; no allocation after `new`, about 1.7 kB.
#[derive(Debug, Clone)]
pub struct Detector {
    /// Start of the frame being filled.
    position: u64,
    filled: usize,
    gate: Gate,
    /// A frame of less energy has no key, and its sums are not asked for.
    least_energy: u32,
    /// What the frame before resembled.
    before: Option<Place>,
    sounding: Option<Sounding>,
    kernel: Kernel,
    limits: Limits,
    /// No window may begin before this: the end of the last key.
    earliest: u64,
    /// The newest lost stretch.
    lost: (u64, u64),
    /// The frame being filled.
    frame: [i16; FRAME],
    history: History,
}

impl Detector {
    /// A detector at the start of a stream.
    pub fn new(config: DetectorConfig) -> Detector {
        let ratio = |db: f32| 10f32.powf(db / 10.0);
        // A tone at the edge of its tolerance loses 4 dB in the bank; noise and the other tone's
        // leakage take some more.
        let weakest = amplitude(config.weakest_dbm0 - 6.0) * GAIN;
        let gate = Gate {
            weakest: weakest * weakest,
            high_over_low: ratio(config.high_stronger_db + 3.0),
            low_over_high: ratio(config.high_weaker_db + 5.0),
        };
        Detector {
            kernel: Kernel::fastest(),
            gate,
            least_energy: gate.least_energy(),
            limits: Limits {
                weakest: amplitude(config.weakest_dbm0),
                high_over_low: ratio(config.high_stronger_db / 2.0),
                low_over_high: ratio(config.high_weaker_db / 2.0),
                tolerance: 0.015,
                tolerance_hz: 5.5,
                snr_db: config.snr_db,
                rough_hz: ROUGH_HZ,
            },
            frame: [0; FRAME],
            filled: 0,
            history: History::SILENCE,
            position: 0,
            before: None,
            sounding: None,
            earliest: 0,
            lost: (0, 0),
        }
    }

    /// Measures also what is too far off to be a key, for [`Detector::feed_traced`]; slower, and
    /// hears the same keys.
    pub fn thorough(mut self) -> Detector {
        self.limits.rough_hz = THOROUGH_HZ;
        self
    }

    /// How many samples the stream has brought, gaps included.
    pub fn position(&self) -> u64 {
        self.position + self.filled as u64
    }

    /// The key that sounds now.
    pub fn sounding(&self) -> Option<Digit> {
        self.sounding.map(|key| key.digit)
    }

    /// Takes samples at 8 kHz, any number of them. Every full 20 ms frame is judged at once.
    pub fn feed(&mut self, samples: &[i16], sink: &mut impl FnMut(Detection)) {
        self.feed_traced(samples, sink, &mut |_| ());
    }

    /// As [`Detector::feed`], and tells `trace` of every window that resembled a key.
    pub fn feed_traced(
        &mut self,
        mut samples: &[i16],
        sink: &mut impl FnMut(Detection),
        trace: &mut impl FnMut(Verdict),
    ) {
        while !samples.is_empty() {
            let take = samples.len().min(FRAME - self.filled);
            let (now, later) = samples.split_at(take);
            self.frame[self.filled..self.filled + take].copy_from_slice(now);
            self.filled += take;
            samples = later;
            if self.filled == FRAME {
                self.close_frame(sink, trace);
            }
        }
    }

    fn correlate(&self) -> Sums {
        let mut sums = [Sums::default()];
        let frame = std::slice::from_ref(&self.frame);
        self.kernel.correlate(frame, self.least_energy, &mut sums);
        sums[0]
    }

    /// What a frame must keep to be looked at closely.
    pub(super) fn gate(&self) -> Gate {
        self.gate
    }

    /// Takes one frame whose sums are known, and whether the gate admits them.
    #[inline]
    pub(super) fn feed_frame(
        &mut self,
        frame: &[i16; FRAME],
        sums: &Sums,
        admitted: bool,
        sink: &mut impl FnMut(Detection),
    ) {
        if self.filled == 0 {
            self.keep(frame, sums);
            self.judge_frame(sums, admitted, sink, &mut |_| ());
        } else {
            self.feed(frame, sink);
        }
    }

    #[inline]
    fn keep(&mut self, frame: &[i16; FRAME], sums: &Sums) {
        let silent = sums.energy < self.least_energy;
        self.history.keep(self.position, frame, silent);
        self.position += FRAME as u64;
    }

    /// Tells of samples that were lost. They make no key, end none that goes on after them, and
    /// split none; a gap of more than 250 ms ends a key where the gap began.
    pub fn gap(&mut self, samples: u64, sink: &mut impl FnMut(Detection)) {
        let start = self.position();
        let end = start.saturating_add(samples).min(FARTHEST.max(start));
        if samples > LONGEST_GAP {
            self.end_key(start, sink);
            self.history = History::SILENCE;
            self.frame = [0; FRAME];
            self.before = None;
            self.position = end - end % FRAME as u64;
            self.filled = (end - self.position) as usize;
            self.lost = (start, end);
            self.earliest = end;
            return;
        }
        self.lost = if self.lost.1 == start && self.lost.1 > self.lost.0 {
            (self.lost.0, end)
        } else {
            (start, end)
        };
        let mut left = samples as usize;
        while left > 0 {
            let take = left.min(FRAME - self.filled);
            self.frame[self.filled..self.filled + take].fill(0);
            self.filled += take;
            left -= take;
            if self.filled == FRAME {
                self.close_frame(sink, &mut |_| ());
            }
        }
    }

    /// The stream is over: judges what is left and ends the key that sounds.
    pub fn finish(&mut self, sink: &mut impl FnMut(Detection)) {
        let end = self.position();
        let silence = [0i16; 2 * FRAME];
        self.feed(&silence, sink);
        self.end_key(end, sink);
    }

    fn end_key(&mut self, at_most: u64, sink: &mut impl FnMut(Detection)) {
        if let Some(key) = self.sounding.take() {
            let end_sample = key.last.min(at_most).max(key.start);
            self.earliest = end_sample;
            sink(Detection::Ended {
                digit: key.digit,
                start_sample: key.start,
                end_sample,
                measures: key.measures,
            });
        }
    }

    /// The frame is full: follows the key that sounds, then looks for a new one.
    fn close_frame(&mut self, sink: &mut impl FnMut(Detection), trace: &mut impl FnMut(Verdict)) {
        let sums = self.correlate();
        let frame = self.frame;
        self.keep(&frame, &sums);
        self.filled = 0;
        let admitted = self.gate.admits(&sums);
        self.judge_frame(&sums, admitted, sink, trace);
    }

    #[inline]
    fn judge_frame(
        &mut self,
        sums: &Sums,
        admitted: bool,
        sink: &mut impl FnMut(Detection),
        trace: &mut impl FnMut(Verdict),
    ) {
        if admitted || self.before.is_some() || self.sounding.is_some() {
            self.look(sums, admitted, sink, trace);
        }
    }

    /// A frame that resembles a key, or follows one that did, or in which a key may sound.
    #[cold]
    fn look(
        &mut self,
        sums: &Sums,
        admitted: bool,
        sink: &mut impl FnMut(Detection),
        trace: &mut impl FnMut(Verdict),
    ) {
        if self.goes_on(sums) {
            return;
        }
        let likeness = Some(sums)
            .filter(|_| admitted)
            .and_then(|sums| self.gate.likeness(sums))
            .filter(|likeness| self.is_sounding(likeness.place) || self.could_be(likeness))
            .map(|likeness| likeness.place);
        let before = std::mem::replace(&mut self.before, likeness);
        self.follow(sink);
        // A key of 40 ms holds one whole frame, and with it one of four windows: the one that
        // ends with the frame, or one of the three that end 4, 8 and 12 ms into the next.
        const STEP: u64 = BLOCK as u64;
        let after = self.position - FRAME as u64;
        let ends = [after + STEP, after + 2 * STEP, after + 3 * STEP];
        match (before, likeness) {
            (Some(before), Some(likeness)) if before == likeness => {
                let [a, b, c] = ends;
                self.attempt(before, &[a, b, c, self.position], sink, trace);
            }
            _ => {
                if let Some(before) = before {
                    self.attempt(before, &ends, sink, trace);
                }
                if let Some(likeness) = likeness {
                    self.attempt(likeness, &[self.position], sink, trace);
                }
            }
        }
    }

    /// Follows the key that sounds through a frame that its tones fill, where nothing else is to be
    /// looked for.
    #[inline]
    fn goes_on(&mut self, sums: &Sums) -> bool {
        const STEP: u64 = BLOCK as u64;
        let position = self.position;
        let before = self.before;
        match &mut self.sounding {
            Some(key)
                if before.is_none_or(|before| before == key.tones.place())
                    && key.away < 2 * STEP
                    && key.tones.fill(sums) =>
            {
                // As if each block but the last had been weighed and found there.
                key.next = key.next.max(position - STEP);
                key.last = key.last.max(position - STEP - STEP / 2);
                key.away = 0;
                self.before = None;
                true
            }
            _ => false,
        }
    }

    /// Whether the key in this place sounds.
    fn is_sounding(&self, place: Place) -> bool {
        self.sounding
            .as_ref()
            .is_some_and(|key| key.tones.place() == place)
    }

    /// Whether a likeness is worth a closer look: both tones hold their share of the newest
    /// frame's energy, clicks left out, and could be steady over it.
    fn could_be(&self, likeness: &Likeness) -> bool {
        let Some(frame) = self.history.frame(self.position - FRAME as u64) else {
            return false;
        };
        if likeness.drowned && !holds_its_share(frame, likeness.amplitude) {
            return false;
        }
        let (kernel, limits) = (self.kernel, &self.limits);
        kernel.wide(
            #[inline(always)]
            || {
                let [low, high] = Blocks::of_key(kernel, &[Some(frame)], likeness.place);
                low.may_be_steady(limits) && high.may_be_steady(limits)
            },
        )
    }

    /// Judges the windows with these ends in their order, until one holds the key in this place.
    fn attempt(
        &mut self,
        place: Place,
        ends: &[u64],
        sink: &mut impl FnMut(Detection),
        trace: &mut impl FnMut(Verdict),
    ) {
        if self.is_sounding(place) {
            return;
        }
        let Some(digit) = Digit::from_row_column(place.row, place.column) else {
            return;
        };
        let (frames, base) = self.history.newest::<LOOKED_AT>(self.position);
        let starts = ends.iter().map(|end| {
            end.checked_sub(WINDOW as u64).filter(|start| {
                *start >= base && *start >= self.earliest && !self.is_lost(*start, *end)
            })
        });
        let mut windows = [None; WINDOWS];
        for (window, start) in windows.iter_mut().zip(starts) {
            *window = start;
        }
        let (kernel, limits) = (self.kernel, self.limits);
        let blocks = kernel.wide(
            #[inline(always)]
            || Blocks::of_key(kernel, &frames, place),
        );
        let mut buffer = [0; KEPT];
        let mut recalled = None;
        for start in windows.into_iter().flatten() {
            let first = ((start - base) / BLOCK as u64) as usize;
            let rough = kernel.wide(
                #[inline(always)]
                || rough_frequencies(&blocks, first, &limits),
            );
            let rough = match rough {
                Ok(rough) => rough,
                Err(refusal) => {
                    trace(Verdict {
                        start_sample: start,
                        digit,
                        measures: None,
                        refusal: Some(refusal),
                    });
                    continue;
                }
            };
            let heard = match recalled {
                Some(heard) => heard,
                None => self.history.recall(self.position, &mut buffer),
            };
            recalled = Some(heard);
            let Some(window) = heard.from::<WINDOW>(start) else {
                continue;
            };
            let judged = fit::judge(kernel, window, place, rough, &limits);
            let measures = judged.measures(place, &limits);
            trace(Verdict {
                start_sample: start,
                digit,
                measures: Some(measures),
                refusal: judged.refusal,
            });
            if judged.refusal.is_none() {
                let tones = Tones::new(place, &judged.fit);
                self.begin(heard, digit, tones, start, measures, sink);
                return;
            }
        }
    }

    fn begin(
        &mut self,
        heard: Heard<'_>,
        digit: Digit,
        tones: Tones,
        window_start: u64,
        measures: Measures,
        sink: &mut impl FnMut(Detection),
    ) {
        // Backwards from the first quarter of the window, which the key fills, to where its tones
        // began: first in steps of 4 ms, then to the nearest millisecond.
        let there = |centre: u64| {
            centre >= self.earliest
                && heard
                    .span_at(centre)
                    .is_some_and(|span| tones.there(self.kernel, span))
        };
        let mut start = window_start + WINDOW as u64 / 4;
        while let Some(earlier) = start.checked_sub(BLOCK as u64).filter(|at| there(*at)) {
            start = earlier;
        }
        for step in [BLOCK as u64 / 2, BLOCK as u64 / 4] {
            if let Some(earlier) = start.checked_sub(step).filter(|at| there(*at)) {
                start = earlier;
            }
        }
        self.end_key(start, sink);
        self.sounding = Some(Sounding {
            digit,
            tones,
            measures,
            start,
            last: window_start + (WINDOW - BLOCK) as u64,
            next: window_start + (WINDOW - BLOCK) as u64,
            away: 0,
        });
        sink(Detection::Began {
            digit,
            start_sample: start,
            decided_sample: self.position,
            measures,
        });
        self.follow(sink);
    }

    /// Follows the key that sounds through the newest audio, block by block.
    fn follow(&mut self, sink: &mut impl FnMut(Detection)) {
        const STEP: u64 = BLOCK as u64;
        let Some(mut key) = self.sounding else {
            return;
        };
        if key.next + 2 * STEP > self.position {
            return;
        }
        let (frames, base) = self.history.newest::<2>(self.position);
        let present = key.tones.present(self.kernel, &frames);
        // What lies farther back was not heard: a gap.
        key.next = key.next.max(base + STEP);
        while key.next + 2 * STEP <= self.position {
            if !self.is_lost(key.next - STEP, key.next + 2 * STEP) {
                if present & (1 << ((key.next - base) / STEP)) != 0 {
                    key.last = key.next + STEP / 2;
                    key.away = 0;
                } else {
                    key.away += STEP;
                }
            }
            key.next += STEP;
            if key.away >= AWAY {
                let mut buffer = [0; KEPT];
                let heard = self.history.recall(self.position, &mut buffer);
                key.last = edge_after(heard, key.last, &key.tones, self.kernel);
                self.sounding = Some(key);
                self.end_key(u64::MAX, sink);
                return;
            }
        }
        self.sounding = Some(key);
    }

    fn is_lost(&self, start: u64, end: u64) -> bool {
        start < self.lost.1 && self.lost.0 < end
    }
}

/// Whether two tones hold their share of a frame whose peaks are cut off where the tones could not
/// reach: a click counts for no more than that. `amplitude` is the sum of the tones' amplitudes in
/// the bank, which hears a tone at the edge of its tolerance at half.
fn holds_its_share(frame: &[i16; FRAME], amplitude: f32) -> bool {
    let most = (amplitude * 2.0).min(32_767.0) as i16;
    let mut energy = 0u64;
    for chunk in frame.chunks_exact(8) {
        let mut sum = 0u64;
        for x in chunk {
            let x = i32::from((*x).clamp(-most, most));
            sum += (x * x) as u64;
        }
        energy += sum;
    }
    // Two tones of this sum hold at least what equal ones would.
    let held = amplitude * amplitude / 4.0 * FRAME as f32;
    held >= SHARE * energy as f32
}

/// The rough frequencies of two tones in the window that begins with block `first`, if they are
/// steady and there from its first block to its last.
#[inline(always)]
fn rough_frequencies(
    blocks: &[Blocks; 2],
    first: usize,
    limits: &Limits,
) -> Result<[f32; 2], Refusal> {
    if !fills(blocks, first) {
        return Err(Refusal::NotSteady);
    }
    let [low, high] = blocks;
    Ok([
        low.frequency(first, limits)?,
        high.frequency(first, limits)?,
    ])
}

/// The last position from `last` on, to the nearest millisecond, where the tones are still there;
/// it is searched by halves over the two blocks that follow.
fn edge_after(heard: Heard<'_>, last: u64, tones: &Tones, kernel: Kernel) -> u64 {
    let mut edge = last;
    for step in [BLOCK as u64, BLOCK as u64 / 2, BLOCK as u64 / 4] {
        if heard
            .span_at(edge + step)
            .is_some_and(|span| tones.there(kernel, span))
        {
            edge += step;
        }
    }
    edge
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::{Generator, KeyShape};
    use proptest::prelude::*;

    fn keys_in(samples: &[i16]) -> String {
        let mut keys = String::new();
        let mut detector = Detector::new(DetectorConfig::default());
        let mut sink = |detection| {
            if let Detection::Began { digit, .. } = detection {
                keys.push(digit.as_char());
            }
        };
        detector.feed(samples, &mut sink);
        detector.finish(&mut sink);
        keys
    }

    #[test]
    fn every_key_is_heard_once() {
        let digits: Vec<Digit> = Digit::all().collect();
        let expected: String = digits.iter().map(|d| d.as_char()).collect();
        for (tone, pause) in [(320, 320), (800, 800), (400, 4000), (8000, 480)] {
            let shape = KeyShape {
                tone_samples: tone,
                pause_samples: pause,
                ..KeyShape::default()
            };
            let samples = Generator::new(&digits, shape).render();
            for offset in [0, 33, 80, 100, 159] {
                let mut shifted = vec![0; offset];
                shifted.extend_from_slice(&samples);
                assert_eq!(keys_in(&shifted), expected, "{tone} {pause} {offset}");
            }
        }
    }

    fn began_and_ended(feed: impl FnOnce(&mut Detector, &mut Vec<Detection>)) -> Vec<Detection> {
        let mut heard = Vec::new();
        let mut detector = Detector::new(DetectorConfig::default());
        feed(&mut detector, &mut heard);
        detector.finish(&mut |d| heard.push(d));
        heard
    }

    #[test]
    fn a_lost_frame_neither_splits_a_key_nor_makes_one() {
        let samples = Generator::new(&[Digit::HASH], KeyShape::default()).render();
        for lost in 0..8 {
            let heard = began_and_ended(|detector, heard| {
                for (index, frame) in samples.chunks(160).enumerate() {
                    if index == lost {
                        detector.gap(160, &mut |d| heard.push(d));
                    } else {
                        detector.feed(frame, &mut |d| heard.push(d));
                    }
                }
            });
            assert_eq!(heard.len(), 2, "frame {lost} lost: {heard:?}");
        }
        // 20 ms of tone on each side of 40 ms that nobody heard is no key.
        let heard = began_and_ended(|detector, heard| {
            detector.feed(&samples[..160], &mut |d| heard.push(d));
            detector.gap(320, &mut |d| heard.push(d));
            detector.feed(&samples[480..640], &mut |d| heard.push(d));
        });
        assert_eq!(heard, []);
    }

    #[test]
    fn a_long_gap_ends_a_key_where_it_began() {
        let samples = Generator::new(&[Digit::HASH], KeyShape::default()).render();
        let heard = began_and_ended(|detector, heard| {
            detector.feed(&samples[..640], &mut |d| heard.push(d));
            detector.gap(1 << 40, &mut |d| heard.push(d));
            detector.gap(u64::MAX, &mut |d| heard.push(d));
            detector.gap(u64::MAX, &mut |d| heard.push(d));
            detector.feed(&samples[..640], &mut |d| heard.push(d));
        });
        let ends: Vec<u64> = heard
            .iter()
            .filter_map(|d| match d {
                Detection::Ended { end_sample, .. } => Some(*end_sample),
                Detection::Began { .. } => None,
            })
            .collect();
        assert_eq!(heard.len(), 4, "{heard:?}");
        assert!(ends[0] <= 640 && ends[1] > FARTHEST, "{ends:?}");
    }

    #[test]
    fn pieces_of_any_length_are_heard_alike() {
        let digits: Vec<Digit> = Digit::all().collect();
        let samples = Generator::new(&digits, KeyShape::default()).render();
        let whole = began_and_ended(|detector, heard| {
            detector.feed(&samples, &mut |d| heard.push(d));
        });
        assert_eq!(whole.len(), 32);
        for length in [1, 7, 80, 240, 1_000] {
            let pieces = began_and_ended(|detector, heard| {
                for piece in samples.chunks(length) {
                    detector.feed(piece, &mut |d| heard.push(d));
                }
            });
            assert_eq!(pieces, whole, "{length}");
        }
    }

    #[test]
    fn single_tones_and_tones_of_the_network_are_no_keys() {
        let sine = |parts: &[(f64, usize)]| -> Vec<i16> {
            let mut all = Vec::new();
            for (hz, ms) in parts {
                all.extend((0..ms * 8).map(|n| {
                    (8_000.0 * (std::f64::consts::TAU * hz * n as f64 / 8_000.0).sin()) as i16
                }));
            }
            all
        };
        let add = |a: Vec<i16>, b: Vec<i16>| -> Vec<i16> {
            a.iter().zip(&b).map(|(a, b)| a + b).collect()
        };
        let mut all = vec![
            // CNG, CED, a beep; SIT; ringing and busy tones of America and Europe.
            sine(&[(1100.0, 500)]),
            sine(&[(2100.0, 3000)]),
            sine(&[(1000.0, 300)]),
            sine(&[(985.2, 380), (1428.5, 276), (1776.7, 380)]),
            sine(&[(913.8, 274), (1370.6, 274), (1776.7, 380)]),
            sine(&[(425.0, 1000)]),
            add(sine(&[(440.0, 2000)]), sine(&[(480.0, 2000)])),
            add(sine(&[(480.0, 500)]), sine(&[(620.0, 500)])),
            add(sine(&[(400.0, 400)]), sine(&[(450.0, 400)])),
        ];
        for hz in crate::dtmf::LOW_HZ.into_iter().chain(crate::dtmf::HIGH_HZ) {
            all.push(sine(&[(hz, 400)]));
        }
        // A sweep through everything.
        let mut phase = 0.0;
        all.push(
            (0..80_000)
                .map(|n| {
                    phase += std::f64::consts::TAU * (300.0 + f64::from(n) * 0.04) / 8_000.0;
                    (12_000.0 * phase.sin()) as i16
                })
                .collect(),
        );
        for (index, samples) in all.iter().enumerate() {
            assert_eq!(keys_in(samples), "", "signal {index}");
        }
    }

    /// A stretch of a stream: a key's tones, noise, silence, or nothing that was received.
    #[derive(Debug, Clone)]
    enum Stretch {
        Tone(u8, i16),
        Noise(i16),
        Silence,
        Lost,
    }

    fn stretches() -> impl Strategy<Value = Vec<(Stretch, u16)>> {
        let stretch = prop_oneof![
            (0u8..16, 10i16..16_000).prop_map(|(code, level)| Stretch::Tone(code, level)),
            (1i16..i16::MAX).prop_map(Stretch::Noise),
            Just(Stretch::Silence),
            Just(Stretch::Lost),
        ];
        prop::collection::vec((stretch, 1u16..2_500), 1..24)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        /// Whatever comes: each key that began ends before the next begins, and time never goes
        /// back.
        #[test]
        fn each_key_ends_before_the_next_begins(stretches in stretches()) {
            let mut detector = Detector::new(DetectorConfig::default());
            let mut told = Vec::new();
            let mut state = 1u32;
            for (stretch, length) in stretches {
                let mut samples = vec![0i16; usize::from(length)];
                match stretch {
                    Stretch::Lost => {
                        detector.gap(length.into(), &mut |d| told.push(d));
                        continue;
                    }
                    Stretch::Silence => {}
                    Stretch::Noise(most) => {
                        for x in &mut samples {
                            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                            *x = ((state >> 16) as i16) % most;
                        }
                    }
                    Stretch::Tone(code, level) => {
                        let (low, high) = Digit::from_event(code).unwrap().frequencies();
                        for (n, x) in samples.iter_mut().enumerate() {
                            let turn = std::f64::consts::TAU * n as f64 / 8_000.0;
                            let both = (turn * low).sin() + (turn * high).sin();
                            *x = (both * f64::from(level)) as i16;
                        }
                    }
                }
                detector.feed(&samples, &mut |d| told.push(d));
            }
            detector.finish(&mut |d| told.push(d));
            let (mut sounding, mut last) = (None, 0);
            for detection in told {
                match detection {
                    Detection::Began { digit, start_sample, decided_sample, .. } => {
                        prop_assert_eq!(sounding.replace(digit), None);
                        prop_assert!(last <= start_sample && start_sample <= decided_sample);
                    }
                    Detection::Ended { digit, start_sample, end_sample, .. } => {
                        prop_assert_eq!(sounding.take(), Some(digit));
                        prop_assert!(start_sample <= end_sample);
                        last = end_sample;
                    }
                }
            }
            prop_assert_eq!(sounding, None);
        }
    }
}
