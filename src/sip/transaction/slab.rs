//! A table whose entries keep their place, so that a handle finds its entry without hashing; a
//! handle of an entry that was taken out finds nothing, even when its place is used again.

/// Names an entry of a [`Slab`]: its place, and which of the entries that had the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Handle {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    entry: Option<T>,
}

/// The table. It grows to its limit at most, and gives its memory back when it empties.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
    limit: usize,
    /// The generation of places not yet made, above that of any place given back.
    floor: u32,
}

/// Below this many places nothing is given back.
const KEEP: usize = 256;

impl<T> Slab<T> {
    /// Room for at most `limit` entries; nothing is reserved.
    pub(crate) fn new(limit: usize) -> Slab<T> {
        Slab {
            places: Vec::new(),
            free: Vec::new(),
            limit: limit.min(u32::MAX as usize - 1),
            floor: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.limit
    }

    /// How many entries there is memory for.
    pub(crate) fn capacity(&self) -> usize {
        self.places.capacity()
    }

    /// Puts an entry in, made with knowledge of its own handle; `None` when full.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(Handle) -> T) -> Option<Handle> {
        if self.is_full() {
            return None;
        }
        match self.free.pop() {
            Some(index) => {
                let place = self.places.get_mut(index as usize)?;
                let handle = Handle {
                    index,
                    generation: place.generation,
                };
                place.entry = Some(make(handle));
                Some(handle)
            }
            None => {
                let handle = Handle {
                    index: u32::try_from(self.places.len()).ok()?,
                    generation: self.floor,
                };
                self.places.push(Place {
                    generation: self.floor,
                    entry: Some(make(handle)),
                });
                Some(handle)
            }
        }
    }

    pub(crate) fn get(&self, handle: Handle) -> Option<&T> {
        let place = self.places.get(handle.index as usize)?;
        (place.generation == handle.generation)
            .then_some(place.entry.as_ref())
            .flatten()
    }

    pub(crate) fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let place = self.places.get_mut(handle.index as usize)?;
        (place.generation == handle.generation)
            .then_some(place.entry.as_mut())
            .flatten()
    }

    pub(crate) fn remove(&mut self, handle: Handle) -> Option<T> {
        let place = self.places.get_mut(handle.index as usize)?;
        if place.generation != handle.generation {
            return None;
        }
        let entry = place.entry.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.floor = self.floor.max(place.generation);
        self.free.push(handle.index);
        if self.free.len() == self.places.len() && self.places.len() > KEEP {
            self.places = Vec::new();
            self.free = Vec::new();
        }
        Some(entry)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Handle, &T)> {
        self.places.iter().enumerate().filter_map(|(index, place)| {
            let handle = Handle {
                index: u32::try_from(index).ok()?,
                generation: place.generation,
            };
            Some((handle, place.entry.as_ref()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_handle_finds_nothing() {
        let mut slab = Slab::new(2);
        let a = slab.insert_with(|_| "a").unwrap();
        let b = slab.insert_with(|_| "b").unwrap();
        assert_eq!(slab.insert_with(|_| "c"), None);
        assert_eq!(slab.remove(a), Some("a"));
        assert_eq!(slab.remove(a), None);
        let c = slab.insert_with(|_| "c").unwrap();
        assert_eq!(c.index, a.index);
        assert_eq!(slab.get(a), None);
        assert_eq!(slab.get_mut(c), Some(&mut "c"));
        assert_eq!(slab.get(b), Some(&"b"));
        assert_eq!(slab.len(), 2);
    }

    #[test]
    fn memory_goes_back_when_empty_and_stale_handles_stay_stale() {
        let mut slab = Slab::new(100_000);
        let handles: Vec<Handle> = (0..1000)
            .map(|n| slab.insert_with(|_| n).unwrap())
            .collect();
        assert!(slab.capacity() >= 1000);
        for handle in &handles {
            assert!(slab.remove(*handle).is_some());
        }
        assert_eq!((slab.len(), slab.capacity()), (0, 0));
        let again: Vec<Handle> = (0..1000)
            .map(|n| slab.insert_with(|_| n).unwrap())
            .collect();
        assert!(handles.iter().all(|handle| slab.get(*handle).is_none()));
        assert_eq!(slab.iter().count(), again.len());
    }
}
