//! The requests that have no answer yet: found by sequence number, and by age.

use std::time::Instant;

/// No slot: the end of a list.
const NONE: u32 = u32::MAX;

/// A request that waits for its answer.
#[derive(Debug)]
pub(in crate::smpp) struct Sent<T> {
    pub(in crate::smpp) tag: T,
    pub(in crate::smpp) sequence: u32,
    pub(in crate::smpp) sent_at: Instant,
    /// The place in the stream just behind the request's last octet.
    pub(in crate::smpp) end: u64,
}

#[derive(Debug)]
struct Slot<T> {
    sent: Option<Sent<T>>,
    older: u32,
    /// The next newer slot, or the next free one.
    newer: u32,
}

/// A slab of slots, a list through them by age, and an open-addressed table from sequence number
/// to slot (linear probing, at most half full). All of it is made once; nothing is allocated while
/// texts flow.
#[derive(Debug)]
pub(in crate::smpp) struct Window<T> {
    slots: Vec<Slot<T>>,
    table: Box<[u32]>,
    free: u32,
    oldest: u32,
    newest: u32,
    count: usize,
}

impl<T> Window<T> {
    pub(in crate::smpp) fn new(limit: u16) -> Window<T> {
        let limit = usize::from(limit.max(1));
        let slots = (0..limit)
            .map(|at| Slot {
                sent: None,
                older: NONE,
                newer: if at + 1 < limit { at as u32 + 1 } else { NONE },
            })
            .collect();
        Window {
            slots,
            table: vec![NONE; (limit * 2).next_power_of_two()].into_boxed_slice(),
            free: 0,
            oldest: NONE,
            newest: NONE,
            count: 0,
        }
    }

    pub(in crate::smpp) fn len(&self) -> usize {
        self.count
    }

    pub(in crate::smpp) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(in crate::smpp) fn room(&self) -> usize {
        self.slots.len() - self.count
    }

    /// The request that has waited longest.
    pub(in crate::smpp) fn oldest(&self) -> Option<&Sent<T>> {
        self.slots.get(self.oldest as usize)?.sent.as_ref()
    }

    pub(in crate::smpp) fn contains(&self, sequence: u32) -> bool {
        self.find(sequence).is_some()
    }

    /// Hands the request back where there is no room or the number is taken.
    pub(in crate::smpp) fn insert(&mut self, sent: Sent<T>) -> Result<(), Sent<T>> {
        let sequence = sent.sequence;
        let at = self.free;
        if self.contains(sequence) {
            return Err(sent);
        }
        let Some(slot) = self.slots.get_mut(at as usize) else {
            return Err(sent);
        };
        self.free = slot.newer;
        *slot = Slot {
            sent: Some(sent),
            older: self.newest,
            newer: NONE,
        };
        match self.slots.get_mut(self.newest as usize) {
            Some(before) => before.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
        self.count += 1;
        let mask = self.table.len() - 1;
        let mut place = self.home(sequence);
        while self.table[place] != NONE {
            place = (place + 1) & mask;
        }
        self.table[place] = at;
        Ok(())
    }

    pub(in crate::smpp) fn remove(&mut self, sequence: u32) -> Option<Sent<T>> {
        let place = self.find(sequence)?;
        let at = self.table[place];
        self.vacate(place);
        let slot = self.slots.get_mut(at as usize)?;
        let sent = slot.sent.take();
        let (older, newer) = (slot.older, slot.newer);
        slot.newer = self.free;
        self.free = at;
        self.count -= 1;
        match self.slots.get_mut(older as usize) {
            Some(before) => before.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer as usize) {
            Some(after) => after.older = older,
            None => self.newest = older,
        }
        sent
    }

    /// Takes the request that has waited longest.
    pub(in crate::smpp) fn pop_oldest(&mut self) -> Option<Sent<T>> {
        let sequence = self.oldest()?.sequence;
        self.remove(sequence)
    }

    /// Where a number belongs. Neighbouring numbers are spread evenly (the golden ratio's
    /// multiplicative hash): side by side, they would make one long run that each removal has to
    /// walk to its end.
    fn home(&self, sequence: u32) -> usize {
        let spread = sequence.wrapping_mul(0x9e37_79b1);
        // The top bits are the well spread ones; the table has between 2 and 2^17 places.
        (spread >> (u32::BITS - self.table.len().trailing_zeros())) as usize
    }

    /// The place in the table; the table always has empty places, so the search ends.
    fn find(&self, sequence: u32) -> Option<usize> {
        let mask = self.table.len() - 1;
        let mut place = self.home(sequence);
        loop {
            let slot = self.slots.get(self.table[place] as usize)?;
            if slot.sent.as_ref().is_some_and(|s| s.sequence == sequence) {
                return Some(place);
            }
            place = (place + 1) & mask;
        }
    }

    /// Empties a place and moves up those that had to go past it.
    fn vacate(&mut self, mut hole: usize) {
        let mask = self.table.len() - 1;
        let mut place = hole;
        loop {
            place = (place + 1) & mask;
            let Some(sent) = self
                .slots
                .get(self.table[place] as usize)
                .and_then(|slot| slot.sent.as_ref())
            else {
                break;
            };
            let home = self.home(sent.sequence);
            // It may move into the hole unless its home lies between the hole and where it is.
            if place.wrapping_sub(home) & mask >= place.wrapping_sub(hole) & mask {
                self.table[hole] = self.table[place];
                hole = place;
            }
        }
        self.table[hole] = NONE;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn sent(sequence: u32, now: Instant) -> Sent<u32> {
        Sent {
            tag: sequence ^ 0xffff,
            sequence,
            sent_at: now,
            end: 0,
        }
    }

    #[test]
    fn full_is_full_and_a_number_is_taken_once() {
        let now = Instant::now();
        let mut window = Window::new(2);
        assert!(window.is_empty());
        window.insert(sent(1, now)).unwrap();
        assert_eq!(window.insert(sent(1, now)).unwrap_err().sequence, 1);
        window.insert(sent(5, now)).unwrap();
        assert_eq!(window.room(), 0);
        assert_eq!(window.insert(sent(9, now)).unwrap_err().sequence, 9);
        assert_eq!(window.remove(1).map(|s| s.tag), Some(1 ^ 0xffff));
        assert!(window.remove(1).is_none());
        assert_eq!(window.oldest().map(|s| s.sequence), Some(5));
    }

    proptest! {
        /// Against a plain map and list: lookups, order by age, and reuse.
        #[test]
        fn behaves_as_a_map_in_order_of_age(
            limit in 1u16..20,
            steps in proptest::collection::vec((any::<bool>(), 0u32..64), 0..300),
        ) {
            let now = Instant::now();
            let mut window = Window::new(limit);
            let mut model: BTreeMap<u32, u32> = BTreeMap::new();
            let mut order: Vec<u32> = Vec::new();
            for (add, key) in steps {
                // Spread and cluster, so that homes collide.
                let sequence = key.wrapping_mul(0x2000_0001);
                if add {
                    let fits = model.len() < usize::from(limit) && !model.contains_key(&sequence);
                    prop_assert_eq!(window.insert(sent(sequence, now)).is_ok(), fits);
                    if fits {
                        model.insert(sequence, sequence ^ 0xffff);
                        order.push(sequence);
                    }
                } else {
                    prop_assert_eq!(window.remove(sequence).map(|s| s.tag), model.remove(&sequence));
                    order.retain(|s| *s != sequence);
                }
                prop_assert_eq!(window.len(), model.len());
                prop_assert_eq!(window.oldest().map(|s| s.sequence), order.first().copied());
                for sequence in &order {
                    prop_assert!(window.contains(*sequence));
                }
            }
            let mut popped = Vec::new();
            while let Some(sent) = window.pop_oldest() {
                popped.push(sent.sequence);
            }
            prop_assert_eq!(popped, order);
        }
    }
}
