//! The one timer queue of an endpoint: a four-way heap in which every entry knows its place, so a
//! timer that is set again moves and one that is cleared is gone. Nothing stale stays behind.

use std::time::Instant;

/// One timer of the queue; its owner sets, clears and frees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerId(u32);

#[derive(Debug, Clone, Copy)]
struct Entry {
    at: Instant,
    timer: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot<K> {
    key: K,
    /// Place in the heap, or [`IDLE`].
    place: u32,
}

const IDLE: u32 = u32::MAX;
const WAYS: usize = 4;
/// Below this many timers no memory is given back.
const KEEP: usize = 256;

/// The queue, over keys that say whose timer it is.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    heap: Vec<Entry>,
    slots: Vec<Slot<K>>,
    free: Vec<u32>,
}

impl<K: Copy> Timers<K> {
    pub(crate) fn new() -> Timers<K> {
        Timers {
            heap: Vec::new(),
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    /// How many timers exist, set or not.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many timers there is memory for.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// A timer for `key`, not set.
    pub(crate) fn allot(&mut self, key: K) -> TimerId {
        let slot = Slot { key, place: IDLE };
        if let Some(id) = self.free.pop()
            && let Some(place) = self.slots.get_mut(id as usize)
        {
            *place = slot;
            return TimerId(id);
        }
        let id = self.slots.len() as u32;
        self.slots.push(slot);
        TimerId(id)
    }

    /// Sets a timer, or clears it with `None`.
    pub(crate) fn set(&mut self, timer: TimerId, at: Option<Instant>) {
        let Some(slot) = self.slots.get(timer.0 as usize) else {
            return;
        };
        let place = slot.place;
        match (at, place) {
            (None, IDLE) => {}
            (None, place) => self.take_out(place as usize),
            (Some(at), IDLE) => {
                self.heap.push(Entry { at, timer: timer.0 });
                self.rise(self.heap.len() - 1);
            }
            (Some(at), place) => {
                let place = place as usize;
                let before = std::mem::replace(&mut self.heap[place].at, at);
                if at < before {
                    self.rise(place);
                } else if at > before {
                    self.sink(place);
                }
            }
        }
    }

    /// Gives a timer up.
    pub(crate) fn release(&mut self, timer: TimerId) {
        self.set(timer, None);
        self.free.push(timer.0);
        if self.free.len() == self.slots.len() && self.slots.len() > KEEP {
            self.heap = Vec::new();
            self.slots = Vec::new();
            self.free = Vec::new();
        }
    }

    /// The earliest instant set.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|entry| entry.at)
    }

    /// Clears the earliest timer if it is due, and says whose it was.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let first = self.heap.first().filter(|entry| entry.at <= now)?;
        let key = self.slots.get(first.timer as usize)?.key;
        self.take_out(0);
        Some(key)
    }

    fn take_out(&mut self, place: usize) {
        let gone = self.heap.swap_remove(place);
        self.slots[gone.timer as usize].place = IDLE;
        if place < self.heap.len() {
            self.rise(place);
            let moved = self.heap[place].timer;
            if self.slots[moved as usize].place == place as u32 {
                self.sink(place);
            }
        }
    }

    fn rise(&mut self, mut place: usize) {
        let entry = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / WAYS;
            if self.heap[parent].at <= entry.at {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, entry);
    }

    fn sink(&mut self, mut place: usize) {
        let entry = self.heap[place];
        loop {
            let first = place * WAYS + 1;
            let last = (first + WAYS).min(self.heap.len());
            let Some(least) = (first..last).min_by_key(|child| self.heap[*child].at) else {
                break;
            };
            if self.heap[least].at >= entry.at {
                break;
            }
            self.put(place, self.heap[least]);
            place = least;
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: Entry) {
        self.heap[place] = entry;
        self.slots[entry.timer as usize].place = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn due_timers_come_in_order_and_once() {
        let start = Instant::now();
        let after = |n| Some(start + Duration::from_millis(n));
        let mut timers = Timers::new();
        let a = timers.allot('a');
        let b = timers.allot('b');
        let c = timers.allot('c');
        timers.set(a, after(30));
        timers.set(b, after(10));
        timers.set(c, after(20));
        timers.set(a, after(5));
        timers.set(c, None);
        assert_eq!(timers.next(), after(5));
        let now = start + Duration::from_millis(15);
        assert_eq!(timers.pop_due(now), Some('a'));
        assert_eq!(timers.pop_due(now), Some('b'));
        assert_eq!(timers.pop_due(now), None);
        assert_eq!(timers.next(), None);
        for timer in [a, b, c] {
            timers.release(timer);
        }
        assert_eq!(timers.len(), 0);
    }

    proptest! {
        /// Against a model: a map from key to instant.
        #[test]
        fn it_behaves_as_a_map_ordered_by_time(
            steps in prop::collection::vec((0u8..40, 0u64..100, 0u8..8), 1..400)
        ) {
            let start = Instant::now();
            let at = |n: u64| start + Duration::from_millis(n);
            let mut timers = Timers::new();
            let mut ids: BTreeMap<u8, TimerId> = BTreeMap::new();
            let mut model: BTreeMap<u8, u64> = BTreeMap::new();
            for (key, time, what) in steps {
                match what {
                    0 => {
                        if let Some(id) = ids.remove(&key) {
                            timers.release(id);
                            model.remove(&key);
                        }
                    }
                    1 => {
                        if let Some(id) = ids.get(&key) {
                            timers.set(*id, None);
                            model.remove(&key);
                        }
                    }
                    2 => {
                        while let Some(key) = timers.pop_due(at(time)) {
                            let least = model.values().min().copied();
                            let was = model.remove(&key);
                            prop_assert_eq!(was, least);
                            prop_assert!(was.is_some_and(|was| was <= time));
                        }
                        prop_assert!(model.values().all(|left| *left > time));
                    }
                    _ => {
                        let id = *ids.entry(key).or_insert_with(|| timers.allot(key));
                        timers.set(id, Some(at(time)));
                        model.insert(key, time);
                    }
                }
                prop_assert_eq!(timers.next(), model.values().min().map(|n| at(*n)));
                prop_assert_eq!(timers.len(), ids.len());
            }
        }
    }
}
