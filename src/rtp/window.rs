//! A small window that puts packets back in order before they are heard.
//!
//! What comes in order passes straight through, without a copy and without delay. A hole makes
//! later packets wait, until it is filled, or too many wait, or they have waited too long.

use std::time::{Duration, Instant};

use super::MAX_PAYLOAD;
use super::receiver::Arrival;
use crate::audio::Codec;

/// Places in the window; packets further apart than this are never held together.
const PLACES: usize = 8;
/// So many waiting packets mean that the missing one is lost.
const MOST_WAITING: usize = 4;
/// The longest a packet waits for one before it.
const LONGEST_WAIT: Duration = Duration::from_millis(80);

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// G.711 of an agreed payload type.
    Audio {
        codec: Codec,
        timestamp: u32,
        payload: &'a [u8],
    },
    /// A telephone event, or a payload type nobody negotiated: it only fills its place.
    Other,
}

/// What leaves the window, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// The next packet.
    Packet(Content<'a>, Arrival),
    /// So many packets are given up.
    Missing(u64),
}

#[derive(Debug, Clone)]
struct Place {
    number: u64,
    arrival: Arrival,
    timestamp: u32,
    /// Its codec and its octets; `None` for other content.
    audio: Option<(Codec, usize)>,
    octets: [u8; MAX_PAYLOAD],
}

/// The window of one source.
#[derive(Debug)]
pub(super) struct Window {
    /// The number that is due.
    next: u64,
    waiting: usize,
    places: Box<[Option<Place>; PLACES]>,
}

impl Window {
    /// An empty window that waits for the packet with this number.
    pub(super) fn new(next: u64) -> Window {
        Window {
            next,
            waiting: 0,
            places: Box::new([const { None }; PLACES]),
        }
    }

    /// Forgets everything and waits for the packet with this number.
    pub(super) fn restart(&mut self, next: u64) {
        self.next = next;
        self.waiting = 0;
        self.places.iter_mut().for_each(|place| *place = None);
    }

    /// Takes a packet; `false` if its place has been given up. Numbers must not come twice.
    pub(super) fn insert(
        &mut self,
        number: u64,
        content: Content<'_>,
        arrival: Arrival,
        out: &mut impl FnMut(Item<'_>),
    ) -> bool {
        if number < self.next {
            return false;
        }
        while self.waiting > 0 && number - self.next >= PLACES as u64 {
            self.give_up(out);
        }
        if number - self.next >= PLACES as u64 {
            let due = number - (PLACES as u64 - 1);
            out(Item::Missing(due - self.next));
            self.next = due;
        }
        if number == self.next {
            self.next += 1;
            out(Item::Packet(content, arrival));
            self.release(out);
            return true;
        }
        let place = &mut self.places[(number % PLACES as u64) as usize];
        let place = place.insert(Place {
            number,
            arrival,
            timestamp: 0,
            audio: None,
            octets: [0; MAX_PAYLOAD],
        });
        if let Content::Audio {
            codec,
            timestamp,
            payload,
        } = content
        {
            let length = payload.len().min(MAX_PAYLOAD);
            place.octets[..length].copy_from_slice(&payload[..length]);
            place.audio = Some((codec, length));
            place.timestamp = timestamp;
        }
        self.waiting += 1;
        if self.waiting >= MOST_WAITING {
            self.give_up(out);
        }
        true
    }

    /// Gives up holes that packets have waited behind for too long.
    pub(super) fn expire(&mut self, now: Instant, out: &mut impl FnMut(Item<'_>)) {
        while self.waiting > 0 {
            let waiting = self.places.iter().flatten();
            let Some(oldest) = waiting.map(|place| place.arrival.by).min() else {
                return;
            };
            if now.saturating_duration_since(oldest) < LONGEST_WAIT {
                return;
            }
            self.give_up(out);
        }
    }

    /// Gives up the hole before the first waiting packet.
    fn give_up(&mut self, out: &mut impl FnMut(Item<'_>)) {
        let waiting = self.places.iter().flatten();
        let Some(first) = waiting.map(|place| place.number).min() else {
            return;
        };
        out(Item::Missing(first - self.next));
        self.next = first;
        self.release(out);
    }

    /// Hands on what waits in order.
    fn release(&mut self, out: &mut impl FnMut(Item<'_>)) {
        while self.waiting > 0 {
            let place = &mut self.places[(self.next % PLACES as u64) as usize];
            let Some(held) = place.take_if(|place| place.number == self.next) else {
                return;
            };
            self.waiting -= 1;
            self.next += 1;
            let content = match held.audio {
                Some((codec, length)) => Content::Audio {
                    codec,
                    timestamp: held.timestamp,
                    payload: &held.octets[..length],
                },
                None => Content::Other,
            };
            out(Item::Packet(content, held.arrival));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arrival(at: Instant) -> Arrival {
        Arrival { after: at, by: at }
    }

    /// Feeds numbers and tells what came out: numbers as they were written into the timestamp,
    /// and minus the count for missing ones.
    fn fed(numbers: &[u64], next: u64) -> (Vec<i64>, Vec<bool>) {
        let now = Instant::now();
        let mut window = Window::new(next);
        let mut heard = Vec::new();
        let mut taken = Vec::new();
        for number in numbers {
            let payload = [*number as u8; 3];
            let content = Content::Audio {
                codec: Codec::Pcmu,
                timestamp: *number as u32,
                payload: &payload,
            };
            taken.push(
                window.insert(*number, content, arrival(now), &mut |item| match item {
                    Item::Packet(
                        Content::Audio {
                            timestamp, payload, ..
                        },
                        _,
                    ) => {
                        assert_eq!(payload, [timestamp as u8; 3]);
                        heard.push(i64::from(timestamp));
                    }
                    Item::Packet(Content::Other, _) => panic!("nothing else was put in"),
                    Item::Missing(count) => heard.push(-(count as i64)),
                }),
            );
        }
        (heard, taken)
    }

    #[test]
    fn order_is_restored() {
        assert_eq!(fed(&[5, 6, 7], 5).0, [5, 6, 7]);
        assert_eq!(fed(&[5, 7, 6, 8], 5).0, [5, 6, 7, 8]);
        assert_eq!(fed(&[5, 9, 8, 7, 6, 10], 5).0, [5, 6, 7, 8, 9, 10]);
    }

    #[test]
    fn a_hole_is_given_up_when_enough_packets_wait() {
        let (heard, taken) = fed(&[5, 7, 8, 9, 10, 6, 11], 5);
        assert_eq!(heard, [5, -1, 7, 8, 9, 10, 11]);
        assert_eq!(taken, [true, true, true, true, true, false, true]);
    }

    #[test]
    fn a_wide_gap_is_missing_at_once() {
        let (heard, _) = fed(&[5, 1_000, 1_001, 1_002, 1_003], 5);
        assert_eq!(heard[..2], [5, -(1_000 - 6 - 7)]);
        assert_eq!(heard[2..], [-7, 1_000, 1_001, 1_002, 1_003]);
    }

    #[test]
    fn a_hole_is_given_up_after_a_while() {
        let start = Instant::now();
        let mut window = Window::new(1);
        let mut heard = Vec::new();
        let mut note = |item: Item<'_>| heard.push(format!("{item:?}"));
        assert!(window.insert(2, Content::Other, arrival(start), &mut note));
        window.expire(start + LONGEST_WAIT / 2, &mut note);
        window.expire(start + LONGEST_WAIT, &mut note);
        assert_eq!(heard.len(), 2);
        assert_eq!(heard[0], "Missing(1)");
        assert!(heard[1].starts_with("Packet(Other"));
    }

    proptest! {
        #[test]
        fn what_comes_out_is_in_order_and_adds_up(
            shuffle in prop::collection::vec((0u64..12, any::<bool>()), 1..300),
        ) {
            // Packets displaced by up to 12 places, some lost.
            let mut order: Vec<(u64, u64)> = shuffle
                .iter()
                .enumerate()
                .filter(|(_, (_, lost))| !lost)
                .map(|(n, (late, _))| (n as u64 + late, n as u64))
                .collect();
            order.sort();
            let numbers: Vec<u64> = order.iter().map(|(_, n)| n + 100).collect();
            let (heard, taken) = fed(&numbers, 100);
            let mut next = 100;
            let mut packets = 0;
            for item in heard {
                if item < 0 {
                    next -= item;
                } else {
                    prop_assert_eq!(item, next);
                    next += 1;
                    packets += 1;
                }
            }
            let accepted = taken.iter().filter(|taken| **taken).count();
            // What is not out yet is still waiting, and that is bounded.
            prop_assert!(accepted - packets < MOST_WAITING);
        }
    }
}
