//! A map that cannot grow.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// A map that holds so many entries, each for so long; beyond that it forgets the oldest.
#[derive(Debug)]
pub struct Bounded<K, V> {
    map: HashMap<K, (u64, V)>,
    order: VecDeque<(u64, Instant, K)>,
    next: u64,
    most: usize,
    patience: Duration,
}

impl<K: Clone + Eq + Hash, V> Bounded<K, V> {
    /// Holds at most `most` entries, one at least, for `patience` each.
    pub fn new(most: usize, patience: Duration) -> Bounded<K, V> {
        Bounded {
            map: HashMap::new(),
            order: VecDeque::new(),
            next: 0,
            most: most.max(1),
            patience,
        }
    }

    /// Puts an entry in place of one with the same key.
    pub fn put(&mut self, now: Instant, key: K, value: V) {
        self.forget(now);
        self.next += 1;
        self.order.push_back((self.next, now, key.clone()));
        self.map.insert(key, (self.next, value));
        while self.map.len() > self.most {
            self.drop_oldest();
        }
        // Entries whose key was taken or replaced stand in the order without meaning.
        if self.order.len() > 2 * self.most + 16 {
            let map = &self.map;
            self.order
                .retain(|(number, _, key)| map.get(key).is_some_and(|held| held.0 == *number));
        }
    }

    /// An entry.
    pub fn get(&mut self, now: Instant, key: &K) -> Option<&mut V> {
        self.forget(now);
        self.map.get_mut(key).map(|held| &mut held.1)
    }

    /// An entry, taken out.
    pub fn take(&mut self, now: Instant, key: &K) -> Option<V> {
        self.forget(now);
        self.map.remove(key).map(|held| held.1)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    fn forget(&mut self, now: Instant) {
        while self
            .order
            .front()
            .is_some_and(|(_, since, _)| now.saturating_duration_since(*since) >= self.patience)
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((number, _, key)) = self.order.pop_front()
            && self.map.get(&key).is_some_and(|held| held.0 == number)
        {
            self.map.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_map_nor_order_grows() {
        let now = Instant::now();
        let mut bounded = Bounded::new(10, Duration::from_secs(60));
        for key in 0..1000 {
            bounded.put(now, key % 25, key);
            bounded.take(now, &(key % 7));
            assert!(bounded.len() <= 10 && bounded.order.len() <= 36);
        }
        assert_eq!(bounded.get(now, &24), Some(&mut 999));
        assert_eq!(bounded.get(now + Duration::from_secs(60), &24), None);
        assert!(bounded.is_empty());
    }
}
