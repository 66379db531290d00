//! The UDP ports of the streams: even ones of a range (RFC 3550 11), each with its own socket.

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand::{Rng, RngExt};
use socket2::SockRef;

/// How long a port rests after use, so that late packets of one call never reach the next.
const REST: Duration = Duration::from_secs(5);
/// Expedited forwarding (RFC 3246), as the octet of the IP header.
const EXPEDITED: u32 = 0xb8;

#[derive(Debug, Clone, Copy)]
enum State {
    Free,
    Taken,
    Resting { until: Instant },
}

/// The range of ports, and which are in use by us.
#[derive(Debug)]
pub(super) struct Ports {
    bind: IpAddr,
    first: u16,
    states: Mutex<Vec<State>>,
}

/// A port that is ours until this is dropped.
#[derive(Debug)]
pub(super) struct Port {
    ports: Arc<Ports>,
    index: usize,
}

impl Ports {
    /// The even ports of `range` on `bind`. An error if there is none.
    pub(super) fn new(bind: IpAddr, range: &RangeInclusive<u16>) -> io::Result<Ports> {
        let first = range.start().checked_add(range.start() % 2);
        let first = first.filter(|first| *first > 0 && first <= range.end());
        let Some(first) = first else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "no even port in the media range {}-{}",
                    range.start(),
                    range.end()
                ),
            ));
        };
        let count = usize::from((range.end() - first) / 2) + 1;
        Ok(Ports {
            bind,
            first,
            states: Mutex::new(vec![State::Free; count]),
        })
    }

    fn states(&self) -> MutexGuard<'_, Vec<State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many ports there are.
    pub(super) fn count(&self) -> usize {
        self.states().len()
    }

    /// Opens a socket on a free port, looking from a random one on; ports that others use are
    /// passed over. `None` when no port is left.
    pub(super) fn open(
        self: &Arc<Self>,
        random: &mut impl Rng,
        now: Instant,
    ) -> io::Result<Option<(UdpSocket, Port)>> {
        let count = self.count();
        let start = random.random_range(0..count);
        // A resting port is better than none.
        for rested_by in [Some(now), None] {
            for step in 0..count {
                let index = (start + step) % count;
                if !self.take(index, rested_by) {
                    continue;
                }
                match self.bind(index) {
                    Ok(socket) => {
                        let ports = Arc::clone(self);
                        return Ok(Some((socket, Port { ports, index })));
                    }
                    Err(error) => {
                        self.put(index, State::Free);
                        if error.kind() != io::ErrorKind::AddrInUse {
                            return Err(error);
                        }
                    }
                }
            }
        }
        Ok(None)
    }

    /// Takes a port that is free, rested by then, or resting if no instant is given.
    fn take(&self, index: usize, rested_by: Option<Instant>) -> bool {
        let mut states = self.states();
        let Some(state) = states.get_mut(index) else {
            return false;
        };
        match (*state, rested_by) {
            (State::Taken, _) => return false,
            (State::Resting { until }, Some(now)) if now < until => return false,
            _ => *state = State::Taken,
        }
        true
    }

    fn put(&self, index: usize, state: State) {
        if let Some(place) = self.states().get_mut(index) {
            *place = state;
        }
    }

    fn bind(&self, index: usize) -> io::Result<UdpSocket> {
        let port = self.first + (2 * index) as u16;
        let socket = UdpSocket::bind((self.bind, port))?;
        socket.set_nonblocking(true)?;
        // A host or container that does not let us mark packets still carries calls.
        let marked = match self.bind {
            IpAddr::V4(_) => SockRef::from(&socket).set_tos_v4(EXPEDITED),
            IpAddr::V6(_) => SockRef::from(&socket).set_tclass_v6(EXPEDITED),
        };
        if let Err(error) = marked {
            tracing::debug!(%error, "media packets go out unmarked");
        }
        Ok(socket)
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let until = Instant::now() + REST;
        self.ports.put(self.index, State::Resting { until });
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn ports(range: RangeInclusive<u16>) -> Arc<Ports> {
        Arc::new(Ports::new(LOCAL, &range).unwrap())
    }

    #[test]
    fn a_range_without_an_even_port_is_an_error() {
        for (from, to) in [(5_001, 5_001), (5_002, 5_001), (0, 0), (65_535, 65_535)] {
            let error = Ports::new(LOCAL, &RangeInclusive::new(from, to)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
        assert_eq!(ports(65_534..=65_535).count(), 1);
        assert_eq!(ports(20_000..=29_999).count(), 5_000);
    }

    #[test]
    fn ports_are_even_and_not_given_twice_until_all_are_gone() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let ports = ports(31_801..=31_812);
        let mut held = Vec::new();
        while let Some((socket, port)) = ports.open(&mut random, Instant::now()).unwrap() {
            let number = socket.local_addr().unwrap().port();
            assert!(number % 2 == 0 && (31_802..=31_812).contains(&number));
            held.push((number, socket, port));
        }
        let mut numbers: Vec<u16> = held.iter().map(|(number, ..)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 6);

        // A returned port rests, and is given out again when there is no other.
        let (number, ..) = held.pop().unwrap();
        let state = ports.states()[usize::from((number - 31_802) / 2)];
        assert!(matches!(state, State::Resting { .. }));
        let (socket, _port) = ports.open(&mut random, Instant::now()).unwrap().unwrap();
        assert_eq!(socket.local_addr().unwrap().port(), number);
    }

    #[test]
    fn a_rested_port_is_as_good_as_any_and_others_sockets_are_passed_over() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let ports = ports(31_820..=31_823);
        let stranger = UdpSocket::bind((LOCAL, 31_820)).unwrap();
        for _ in 0..8 {
            let now = Instant::now() + REST;
            let (socket, _port) = ports.open(&mut random, now).unwrap().unwrap();
            assert_eq!(socket.local_addr().unwrap().port(), 31_822);
        }
        drop(stranger);
    }
}
