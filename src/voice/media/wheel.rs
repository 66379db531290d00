//! The wheel that paces the streams of a shard: 20 slots of 1 ms, each stream served in its own.
//!
//! Deadlines are absolute, counted from when the wheel was made, so that nothing drifts. Streams
//! are packed into few slots as long as these stay small, since every slot that has a stream costs
//! the shard a wake-up, and a wake-up costs more than a packet.

use std::time::{Duration, Instant};

/// Slots of the wheel.
pub(super) const SLOTS: usize = 20;
/// So many streams in a slot before the next is used: a millisecond's work.
const PACKED: usize = 128;
/// How late a slot may be served: three frames. After a longer stall time is left out.
const LONGEST_LAG: u64 = 3 * SLOTS as u64;
/// The order in which slots come into use: spread over the wheel.
const ORDER: [usize; SLOTS] = [
    0, 10, 5, 15, 2, 12, 7, 17, 3, 13, 8, 18, 1, 11, 6, 16, 4, 14, 9, 19,
];

/// The number of a slot since the wheel was made, one every millisecond.
pub(super) type Tick = u64;

/// The wheel. Streams are known by their index in the shard.
#[derive(Debug)]
pub(super) struct Wheel {
    start: Instant,
    /// The first tick that has not been served.
    next: Tick,
    slots: [Vec<usize>; SLOTS],
    /// Bit n: slot n has a stream.
    occupied: u32,
}

impl Wheel {
    /// An empty wheel that turns from `start` on.
    pub(super) fn new(start: Instant) -> Wheel {
        Wheel {
            start,
            next: 0,
            slots: Default::default(),
            occupied: 0,
        }
    }

    /// Whether no stream is seated.
    pub(super) fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// The tick that is running at `now`.
    pub(super) fn tick_at(&self, now: Instant) -> Tick {
        let passed = now.saturating_duration_since(self.start);
        u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
    }

    /// Seats a stream and returns its slot; in an empty wheel its first tick is not before `now`.
    pub(super) fn seat(&mut self, stream: usize, now: Instant) -> usize {
        let running = self.tick_at(now);
        let empty = self.is_empty();
        if empty {
            self.next = running;
        }
        let load = |slot: &&usize| self.slots.get(**slot).map_or(usize::MAX, Vec::len);
        let fullest = ORDER
            .iter()
            .filter(|slot| (1..PACKED).contains(&load(slot)))
            .max_by_key(load);
        let slot = fullest.or_else(|| ORDER.iter().min_by_key(load));
        // The first stream need not wait.
        let slot = slot.filter(|_| !empty).copied();
        let slot = slot.unwrap_or((running % SLOTS as u64) as usize);
        if let Some(streams) = self.slots.get_mut(slot) {
            streams.push(stream);
            self.occupied |= 1 << slot;
        }
        slot
    }

    /// Takes a stream from its slot.
    pub(super) fn unseat(&mut self, slot: usize, stream: usize) {
        if let Some(streams) = self.slots.get_mut(slot) {
            streams.retain(|seated| *seated != stream);
            if streams.is_empty() {
                self.occupied &= !(1 << slot);
            }
        }
    }

    /// The next tick with a stream, from `from` on.
    fn occupied(&self, from: Tick) -> Option<Tick> {
        let slot = (from % SLOTS as u64) as u32;
        // The slots from this one on, then those before it.
        let turned = self.occupied >> slot | self.occupied << (SLOTS as u32 - slot);
        (turned != 0).then(|| from + u64::from(turned.trailing_zeros()))
    }

    /// The streams of a tick.
    pub(super) fn at(&self, tick: Tick) -> &[usize] {
        let slot = (tick % SLOTS as u64) as usize;
        self.slots.get(slot).map_or(&[], Vec::as_slice)
    }

    /// When the next stream is due; `None` without streams.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let tick = self.occupied(self.next)?;
        self.start.checked_add(Duration::from_millis(tick))
    }

    /// The next tick that is due and has streams; call until `None`.
    pub(super) fn due(&mut self, now: Instant) -> Option<Tick> {
        let running = self.tick_at(now);
        if running.saturating_sub(self.next) > LONGEST_LAG {
            self.next = running - LONGEST_LAG;
        }
        let tick = self.occupied(self.next)?;
        if tick > running {
            return None;
        }
        self.next = tick + 1;
        Some(tick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_stream_is_due_every_20_ms_and_never_drifts() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let slot = wheel.seat(7, start) as u64;
        let mut now = start;
        for n in 0..1_000 {
            let deadline = wheel.deadline().unwrap();
            assert_eq!(deadline, start + ms(slot + 20 * n));
            // Woken late, by a different amount each time.
            now = now.max(deadline) + Duration::from_micros(100 * (n % 7));
            let tick = wheel.due(now).unwrap();
            assert_eq!(wheel.at(tick), [7]);
            assert_eq!(wheel.due(now), None);
        }
    }

    #[test]
    fn few_streams_share_few_slots() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let slots: Vec<usize> = (0..3_200).map(|stream| wheel.seat(stream, start)).collect();
        let used = |count: usize| {
            let mut used = slots[..count].to_vec();
            used.sort_unstable();
            used.dedup();
            used.len()
        };
        assert_eq!(
            (used(128), used(129), used(640), used(2_560)),
            (1, 2, 5, 20)
        );
        let loads = wheel.slots.iter().map(Vec::len);
        assert_eq!((loads.clone().min(), loads.max()), (Some(160), Some(160)));
        for (stream, slot) in slots.iter().enumerate() {
            wheel.unseat(*slot, stream);
        }
        assert!(wheel.is_empty());
        assert_eq!(wheel.deadline(), None);
        assert_eq!(wheel.due(Instant::now()), None);
    }

    #[test]
    fn any_slot_is_found_from_any_other() {
        let start = Instant::now();
        for slot in 0..SLOTS as u64 {
            let mut wheel = Wheel::new(start);
            wheel.seat(3, start + ms(slot));
            for from in 0..100 {
                let tick = wheel.occupied(from).unwrap();
                assert!((from..from + SLOTS as u64).contains(&tick));
                assert_eq!(wheel.at(tick), [3]);
            }
        }
    }

    #[test]
    fn the_wheel_turns_for_years() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let years = Duration::from_secs(10 * 365 * 24 * 3_600);
        wheel.seat(1, start + years);
        assert_eq!(wheel.deadline(), Some(start + years));
        assert!(wheel.due(start + years).is_some());
        assert_eq!(wheel.deadline(), Some(start + years + ms(20)));
    }

    #[test]
    fn the_order_names_every_slot() {
        let mut order = ORDER;
        order.sort_unstable();
        assert!(order.iter().enumerate().all(|(n, slot)| n == *slot));
    }

    #[test]
    fn after_a_short_stall_frames_are_made_up_and_after_a_long_one_left_out() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        wheel.seat(1, start);
        let mut due = |at: u64| {
            let mut ticks = Vec::new();
            while let Some(tick) = wheel.due(start + ms(at)) {
                ticks.push(tick);
            }
            ticks
        };
        assert_eq!(due(0), [0]);
        assert_eq!(due(45), [20, 40]);
        assert_eq!(due(10_045), [10_000, 10_020, 10_040]);
        assert_eq!(due(10_059), [0u64; 0]);
    }

    #[test]
    fn an_idle_wheel_starts_with_the_present() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        assert_eq!(wheel.due(start + ms(60_000)), None);
        wheel.seat(1, start + ms(60_000));
        assert_eq!(wheel.due(start + ms(60_000)), Some(60_000));
        assert_eq!(wheel.due(start + ms(60_000)), None);
    }
}
