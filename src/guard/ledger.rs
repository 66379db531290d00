//! A bounded table that forgets what was not touched the longest.

use std::collections::{BTreeMap, HashMap};

/// What an entry is kept under: a keyed hash.
pub(super) type Name = [u8; 16];

struct Entry<V> {
    value: V,
    touched: u64,
    /// Its key in the order of touching.
    turn: u64,
}

pub(super) struct Ledger<V> {
    entries: HashMap<Name, Entry<V>>,
    order: BTreeMap<u64, Name>,
    turns: u64,
    most: usize,
    /// Entries untouched for this long, in milliseconds, mean nothing any more.
    horizon: u64,
}

impl<V: Default> Ledger<V> {
    pub fn new(most: usize, horizon: u64) -> Ledger<V> {
        Ledger {
            entries: HashMap::new(),
            order: BTreeMap::new(),
            turns: 0,
            most,
            horizon,
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn get(&self, name: &Name) -> Option<&V> {
        self.entries.get(name).map(|e| &e.value)
    }

    /// Without touching it.
    pub fn get_mut(&mut self, name: &Name) -> Option<&mut V> {
        self.entries.get_mut(name).map(|e| &mut e.value)
    }

    /// The entry, made if it is not there, with what has become of no use forgotten first.
    pub fn touch(&mut self, name: Name, now: u64) -> &mut V {
        self.forget(&name, now);
        let turn = self.turns;
        self.turns += 1;
        let entry = self.entries.entry(name).or_insert_with(|| Entry {
            value: V::default(),
            touched: now,
            turn,
        });
        self.order.remove(&entry.turn);
        self.order.insert(turn, name);
        entry.touched = now;
        entry.turn = turn;
        &mut entry.value
    }

    /// Drops what is past the horizon, and room for `coming` if it is new.
    fn forget(&mut self, coming: &Name, now: u64) {
        let full = self.entries.len() >= self.most && !self.entries.contains_key(coming);
        let mut needed = usize::from(full);
        while let Some((turn, name)) = self.order.first_key_value() {
            let old = self
                .entries
                .get(name)
                .is_none_or(|e| now.saturating_sub(e.touched) > self.horizon);
            if !old && needed == 0 {
                break;
            }
            let (turn, name) = (*turn, *name);
            self.order.remove(&turn);
            self.entries.remove(&name);
            needed = needed.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u8) -> Name {
        [number; 16]
    }

    #[test]
    fn the_longest_untouched_goes_first_and_the_old_go_anyway() {
        let mut ledger: Ledger<u32> = Ledger::new(3, 100);
        for number in 0..3 {
            *ledger.touch(name(number), u64::from(number)) += 1;
        }
        *ledger.touch(name(0), 10) += 1;
        assert_eq!(*ledger.touch(name(3), 11), 0);
        assert_eq!(ledger.len(), 3);
        assert_eq!(ledger.get(&name(0)), Some(&2));
        assert_eq!(ledger.get(&name(1)), None);
        ledger.touch(name(3), 112);
        assert_eq!((ledger.len(), ledger.order.len()), (1, 1));
        assert!(ledger.get_mut(&name(2)).is_none());
    }

    #[test]
    fn an_old_entry_that_is_touched_begins_anew() {
        let mut ledger: Ledger<u32> = Ledger::new(3, 100);
        *ledger.touch(name(0), 0) += 1;
        assert_eq!(*ledger.touch(name(0), 101), 0);
        assert_eq!(ledger.order.len(), 1);
    }
}
