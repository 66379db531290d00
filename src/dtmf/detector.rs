//! Hears the keys in one stream of audio.

use super::bank::{GAIN, Gate, Kernel, Likeness, SHARE, Sums};
use super::blocks::{Blocks, fills};
use super::fit::{self, Limits};
use super::framer::Framer;
use super::history::History;
use super::measures::{Measures, Refusal, Verdict};
use super::presence::{Place, Tones};
use super::tones::{BLOCK, FRAME, SPAN, WINDOW};
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

/// What a frame resembled.
#[derive(Debug, Clone, Copy)]
struct Resembling {
    likeness: Likeness,
    /// Whether its tones were seen to be steady enough; otherwise that is still to be asked.
    steady: bool,
}

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
    /// Whether the newest frame is to be looked at with the next.
    put_off: bool,
}

/// Hears the keys in one stream of 8 kHz audio; no allocation after `new`, about 2 kB.
#[derive(Debug, Clone)]
pub struct Detector {
    /// Start of the frame being filled.
    position: u64,
    framer: Framer,
    gate: Gate,
    /// A frame of less energy has no key, and its sums are not asked for.
    least_energy: u32,
    /// What the frame before resembled.
    before: Option<Resembling>,
    sounding: Option<Sounding>,
    kernel: Kernel,
    limits: Limits,
    /// No window may begin before this: the end of the last key.
    earliest: u64,
    /// The newest lost stretch.
    lost: (u64, u64),
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
            framer: Framer::EMPTY,
            history: History::SILENCE,
            position: 0,
            before: None,
            sounding: None,
            earliest: 0,
            lost: (0, 0),
        }
    }

    /// The same on a kernel of your choice.
    pub(super) fn on(mut self, kernel: Kernel) -> Detector {
        self.kernel = kernel;
        self
    }

    /// Measures also what is too far off to be a key, for [`Detector::feed_traced`]; slower, and
    /// hears the same keys.
    pub fn thorough(mut self) -> Detector {
        self.limits.rough_hz = THOROUGH_HZ;
        self
    }

    /// How many samples the stream has brought, gaps included.
    pub fn position(&self) -> u64 {
        self.position + self.framer.filled() as u64
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
        while let Some(frame) = self.framer.next(&mut samples) {
            self.take_frame(&frame, sink, trace);
        }
    }

    fn correlate(&self, frame: &[i16; FRAME]) -> Sums {
        let mut sums = [Sums::default()];
        let frame = std::slice::from_ref(frame);
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
        if self.framer.filled() == 0 {
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
            self.follow(sink);
            self.end_key(start, sink);
            self.history = History::SILENCE;
            self.before = None;
            self.position = end - end % FRAME as u64;
            self.framer = Framer::begun_with_silence((end - self.position) as usize);
            self.lost = (start, end);
            self.earliest = end;
            return;
        }
        self.lost = if self.lost.1 == start && self.lost.1 > self.lost.0 {
            (self.lost.0, end)
        } else {
            (start, end)
        };
        let silence = [0; LONGEST_GAP as usize];
        self.feed(&silence[..samples as usize], sink);
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

    /// Follows the key that sounds, then looks for a new one.
    fn take_frame(
        &mut self,
        frame: &[i16; FRAME],
        sink: &mut impl FnMut(Detection),
        trace: &mut impl FnMut(Verdict),
    ) {
        let sums = self.correlate(frame);
        self.keep(frame, &sums);
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
        let before = self.before.take();
        let likeness = if admitted {
            let gate = &self.gate;
            let likeness = self.kernel.wide(
                #[inline(always)]
                || gate.likeness(sums),
            );
            Some(likeness)
        } else {
            None
        };
        let others = likeness.is_some_and(|likeness| !self.is_sounding(likeness.place))
            || before.is_some_and(|before| !self.is_sounding(before.likeness.place));
        self.follow_soon(!others, sink);
        // A key of 40 ms holds one whole frame, and with it one of four windows: the one that
        // ends with the frame, or one of the three that end 4, 8 and 12 ms into the next.
        const STEP: u64 = BLOCK as u64;
        let after = self.position - FRAME as u64;
        let ends = [after + STEP, after + 2 * STEP, after + 3 * STEP];
        match (before, likeness) {
            (Some(before), Some(likeness)) if before.likeness.place == likeness.place => {
                self.look_on(before, likeness, ends, sink, trace);
            }
            (before, likeness) => {
                if let Some(before) = before
                    && (before.steady || self.could_be(&before.likeness, after - FRAME as u64))
                {
                    let place = before.likeness.place;
                    self.attempt(place, &self.blocks(place), &ends, sink, trace);
                }
                if let Some(likeness) = likeness {
                    self.look_anew(likeness, sink, trace);
                }
            }
        }
    }

    /// A frame that resembles another key than the frame before, or follows none that did.
    fn look_anew(
        &mut self,
        likeness: Likeness,
        sink: &mut impl FnMut(Detection),
        trace: &mut impl FnMut(Verdict),
    ) {
        let place = likeness.place;
        let newest = self.position - FRAME as u64;
        let after_silence = newest
            .checked_sub(FRAME as u64)
            .is_none_or(|before| self.history.frame(before).is_none());
        if self.is_sounding(place) {
            self.before = Some(Resembling {
                likeness,
                steady: true,
            });
        } else if after_silence {
            // No window that ends with this frame is full: whether it could be a key is asked when
            // there is one.
            self.before = Some(Resembling {
                likeness,
                steady: false,
            });
        } else if self.could_be(&likeness, newest) {
            self.before = Some(Resembling {
                likeness,
                steady: true,
            });
            self.attempt(place, &self.blocks(place), &[self.position], sink, trace);
        }
    }

    /// A frame that resembles the same key as the frame before.
    fn look_on(
        &mut self,
        before: Resembling,
        likeness: Likeness,
        [a, b, c]: [u64; 3],
        sink: &mut impl FnMut(Detection),
        trace: &mut impl FnMut(Verdict),
    ) {
        let place = likeness.place;
        if self.is_sounding(place) {
            self.before = Some(Resembling {
                likeness,
                steady: true,
            });
            return;
        }
        let blocks = self.blocks(place);
        let newest = self.position - FRAME as u64;
        let base = self.position.saturating_sub((LOOKED_AT * FRAME) as u64);
        let index = ((newest - base) / FRAME as u64) as usize;
        let (kernel, limits) = (self.kernel, &self.limits);
        let [steady_before, steady] = kernel.wide(
            #[inline(always)]
            || {
                [
                    before.steady || may_be_steady(&blocks, index.saturating_sub(1), limits),
                    may_be_steady(&blocks, index, limits),
                ]
            },
        );
        let steady_before = steady_before
            && (before.steady || self.holds_its_share(&before.likeness, newest - FRAME as u64));
        let steady = steady && self.holds_its_share(&likeness, newest);
        if steady {
            self.before = Some(Resembling { likeness, steady });
        }
        match (steady_before, steady) {
            (true, true) => self.attempt(place, &blocks, &[a, b, c, self.position], sink, trace),
            (true, false) => self.attempt(place, &blocks, &[a, b, c], sink, trace),
            (false, true) => self.attempt(place, &blocks, &[self.position], sink, trace),
            (false, false) => {}
        }
    }

    /// The blocks of the newest frames, held against the key in this place.
    fn blocks(&self, place: Place) -> [Blocks; 2] {
        let (frames, _) = self.history.newest::<LOOKED_AT>(self.position);
        let kernel = self.kernel;
        kernel.wide(
            #[inline(always)]
            || Blocks::of_key(kernel, &frames, place),
        )
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
                if before.is_none_or(|before| before.likeness.place == key.tones.place())
                    && key.away < 2 * STEP
                    && key.tones.fill(sums) =>
            {
                // As if each block but the last had been weighed and found there.
                key.next = key.next.max(position - STEP);
                key.last = key.last.max(position - STEP - STEP / 2);
                key.away = 0;
                key.put_off = false;
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

    /// Whether a likeness is worth a closer look: both tones hold their share of the energy of its
    /// frame, and could be steady over it.
    fn could_be(&self, likeness: &Likeness, position: u64) -> bool {
        let Some(frame) = self.history.frame(position) else {
            return false;
        };
        if !self.holds_its_share(likeness, position) {
            return false;
        }
        let (kernel, limits) = (self.kernel, &self.limits);
        kernel.wide(
            #[inline(always)]
            || {
                let blocks = Blocks::of_key(kernel, &[Some(frame)], likeness.place);
                may_be_steady(&blocks, 0, limits)
            },
        )
    }

    /// Whether both tones hold their share of the energy of the frame at this position, clicks left
    /// out.
    fn holds_its_share(&self, likeness: &Likeness, position: u64) -> bool {
        let frame = self.history.frame(position);
        !likeness.drowned
            || frame.is_some_and(|frame| {
                self.kernel.wide(
                    #[inline(always)]
                    || holds_its_share(frame, likeness.amplitude),
                )
            })
    }

    /// Judges the windows with these ends in their order, until one holds the key in this place.
    fn attempt(
        &mut self,
        place: Place,
        blocks: &[Blocks; 2],
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
        let base = self.position.saturating_sub((LOOKED_AT * FRAME) as u64);
        // Where the windows begin, and which of them the tones fill, a bit for each.
        let mut starts = [0u64; WINDOWS];
        let mut whole = 0u32;
        for (index, (start, end)) in starts.iter_mut().zip(ends).enumerate() {
            *start = end.saturating_sub(WINDOW as u64);
            let is_whole = (*end >= base + WINDOW as u64)
                & (*start >= self.earliest)
                & !self.is_lost(*start, *end);
            whole |= u32::from(is_whole) << index;
        }
        let (kernel, limits) = (self.kernel, self.limits);
        let filled = kernel.wide(
            #[inline(always)]
            || {
                let mut filled = 0u32;
                for (index, start) in starts.iter().enumerate() {
                    let first = (start.saturating_sub(base) / BLOCK as u64) as usize;
                    filled |= u32::from(fills(blocks, first)) << index;
                }
                filled
            },
        );
        for (index, start) in starts.iter().enumerate() {
            if whole & !filled & (1 << index) != 0 {
                trace(Verdict {
                    start_sample: *start,
                    digit,
                    measures: None,
                    refusal: Some(Refusal::NotSteady),
                });
            }
        }
        let mut left = whole & filled;
        while left != 0 {
            let start = starts[left.trailing_zeros() as usize % WINDOWS];
            left &= left - 1;
            let first = ((start - base) / BLOCK as u64) as usize;
            let rough = kernel.wide(
                #[inline(always)]
                || rough_frequencies(blocks, first, &limits),
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
            let Some(window) = self.history.piece::<WINDOW>(self.position, start) else {
                continue;
            };
            let judged = fit::judge(kernel, &window, place, rough, &limits);
            let measures = judged.measures(place, &limits);
            trace(Verdict {
                start_sample: start,
                digit,
                measures: Some(measures),
                refusal: judged.refusal,
            });
            if judged.refusal.is_none() {
                let key = Sounding {
                    digit,
                    tones: Tones::new(place, &judged.fit),
                    measures,
                    start,
                    last: start + (WINDOW - BLOCK) as u64,
                    next: start + (WINDOW - BLOCK) as u64,
                    away: 0,
                    put_off: true,
                };
                self.begin(key, blocks, first, sink);
                return;
            }
        }
    }

    /// A key has begun: it was found in the window that begins with block `first`.
    fn begin(
        &mut self,
        mut key: Sounding,
        blocks: &[Blocks; 2],
        first: usize,
        sink: &mut impl FnMut(Detection),
    ) {
        let kernel = self.kernel;
        let window = key.start;
        // Backwards from the second block of the window to the block about which the tones are
        // half there; where they were there before what was looked at, on in steps of 4 ms.
        let mut block = first + 1;
        while block > 1 && key.tones.present_in(blocks, block - 1) {
            block -= 1;
        }
        let mut rough = (window + (block * BLOCK) as u64).saturating_sub((first * BLOCK) as u64);
        let share = |centre: u64| {
            let span = self.history.span_at(self.position, centre)?;
            Some(key.tones.share(kernel, &span))
        };
        if block == 1 {
            while let Some(earlier) = rough.checked_sub(BLOCK as u64)
                && earlier >= self.earliest
                && share(earlier).is_some_and(|share| share >= 0.5)
            {
                rough = earlier;
            }
        }
        let before = share(rough).map_or(0, edge);
        key.start = rough
            .saturating_add_signed(-before)
            .clamp(self.earliest.min(self.position), self.position);
        self.end_key(key.start, sink);
        sink(Detection::Began {
            digit: key.digit,
            start_sample: key.start,
            decided_sample: self.position,
            measures: key.measures,
        });
        self.sounding = Some(key);
    }

    /// Follows the key that sounds, or puts it off to the next frame if nothing else is to be
    /// looked for: that it has ended is not told by one frame alone.
    fn follow_soon(&mut self, alone: bool, sink: &mut impl FnMut(Detection)) {
        let lately = self.position.saturating_sub(2 * FRAME as u64);
        match &mut self.sounding {
            Some(key) if alone && !key.put_off && self.lost.1 <= lately => key.put_off = true,
            Some(_) => self.follow(sink),
            None => {}
        }
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
        let (mut frames, base) = self.history.newest::<LOOKED_AT>(self.position);
        for (index, frame) in (1..).zip(&mut frames) {
            // Looked at before.
            if base + index * (FRAME as u64) + STEP <= key.next {
                *frame = None;
            }
        }
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
                // The edge lies between the middle of the last block and that of the next.
                let rough = key.last + STEP / 2;
                let beyond = self
                    .history
                    .span_at(self.position, rough)
                    .map_or(0, |span| edge(key.tones.share(self.kernel, &span)));
                key.last = rough.saturating_add_signed(beyond);
                self.sounding = Some(key);
                self.end_key(u64::MAX, sink);
                return;
            }
        }
        self.sounding = Some(key);
    }

    fn is_lost(&self, start: u64, end: u64) -> bool {
        (start < self.lost.1) & (self.lost.0 < end)
    }
}

/// Whether two tones hold their share of a frame whose peaks are cut off where the tones could not
/// reach: a click counts for no more than that. `amplitude` is the sum of the tones' amplitudes in
/// the bank, which hears a tone at the edge of its tolerance at half.
#[inline(always)]
fn holds_its_share(frame: &[i16; FRAME], amplitude: f32) -> bool {
    let most = (amplitude * 2.0).min(32_767.0) as i16;
    let mut energy = [0f32; 16];
    for chunk in frame.chunks_exact(16) {
        for lane in 0..16 {
            let x = f32::from(chunk[lane].clamp(-most, most));
            energy[lane] += x * x;
        }
    }
    let mut all = 0.0;
    for part in energy {
        all += part;
    }
    // Two tones of this sum hold at least what equal ones would.
    amplitude * amplitude / 4.0 * FRAME as f32 >= SHARE * all
}

/// Whether both tones could be steady over the frame of this index.
#[inline(always)]
fn may_be_steady([low, high]: &[Blocks; 2], index: usize, limits: &Limits) -> bool {
    low.may_be_steady(index, limits) && high.may_be_steady(index, limits)
}

/// The rough frequencies of two tones in the window that begins with block `first`, if they are
/// steady.
#[inline(always)]
fn rough_frequencies(
    blocks: &[Blocks; 2],
    first: usize,
    limits: &Limits,
) -> Result<[f32; 2], Refusal> {
    let [low, high] = blocks;
    Ok([
        low.frequency(first, limits)?,
        high.frequency(first, limits)?,
    ])
}

/// How many samples of tones reach beyond the middle of a span that they fill to this share, as its
/// Hann window weighs them: half a block either way at most.
fn edge(share: f32) -> i64 {
    const MOST: f32 = BLOCK as f32 / 2.0;
    let beyond = (share - 0.5).clamp(-0.5, 0.5);
    // The window's integral, u + sin(2 pi u) / (2 pi) in lengths of the window, turned about.
    let lengths = 0.5 * beyond + 0.41 * beyond * beyond * beyond;
    (lengths * SPAN as f32).clamp(-MOST, MOST).round() as i64
}

#[cfg(test)]
mod tests;
