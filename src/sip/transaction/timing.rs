//! The timer values of RFC 3261 17 (table 4) and RFC 6026, all of them multiples of T1, T2 and T4.

use std::time::{Duration, Instant};

/// T1, T2 and T4. Every timer of a transaction is derived from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Estimate of the round trip; 500 ms by default.
    pub t1: Duration,
    /// Longest interval between retransmissions of a non-INVITE request or of a response to an
    /// INVITE; 4 s by default.
    pub t2: Duration,
    /// How long a message may live in the network; 5 s by default.
    pub t4: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
        }
    }
}

impl Timing {
    /// 64*T1: timers B, F, H, J, L and M, and the patience of RFC 3261 9.1 after a CANCEL.
    pub fn patience(&self) -> Duration {
        self.t1 * 64
    }

    /// Timer D: how long the ACK of a refused INVITE is repeated. At least 32 s over an unreliable
    /// transport with the default T1 (RFC 3261 17.1.1.2), and scaled with it.
    pub(crate) fn d(&self, reliable: bool) -> Duration {
        if reliable {
            Duration::ZERO
        } else {
            self.patience()
        }
    }

    /// Timers I and K: how long stragglers are absorbed after the end.
    pub(crate) fn linger(&self, reliable: bool) -> Duration {
        if reliable { Duration::ZERO } else { self.t4 }
    }

    /// Timer J: how long a non-INVITE response is repeated.
    pub(crate) fn j(&self, reliable: bool) -> Duration {
        if reliable {
            Duration::ZERO
        } else {
            self.patience()
        }
    }
}

/// A retransmission timer that doubles: A, E and G, and the TU's own for a 2xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff {
    next: Instant,
    interval: Duration,
    longest: Option<Duration>,
}

impl Backoff {
    /// First due after `first`; doubling without limit, or up to `longest`.
    pub(crate) fn new(now: Instant, first: Duration, longest: Option<Duration>) -> Backoff {
        Backoff {
            next: now + first,
            interval: first,
            longest,
        }
    }

    /// When it is due.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Waits `interval` from now on, and as long each time (timer E in Proceeding).
    pub(crate) fn hold(&mut self, interval: Duration) {
        self.interval = interval;
        self.longest = Some(interval);
    }

    /// It fired: doubles and is due again, counted from `now` so that a late caller sends once
    /// and not a burst.
    pub(crate) fn fired(&mut self, now: Instant) {
        self.interval *= 2;
        if let Some(longest) = self.longest {
            self.interval = self.interval.min(longest);
        }
        self.next = now + self.interval;
    }
}

/// What a timer of a transaction asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Not yet.
    Nothing,
    /// Send the last message once more.
    Retransmit,
    /// Nobody answered (B, F) or acknowledged (H): tell the user and free the transaction.
    TimedOut,
    /// Its time is over (D, I, J, K, L, M): free it.
    Terminated,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_limit() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut g = Backoff::new(start, ms(500), Some(ms(4000)));
        let mut at = Vec::new();
        for _ in 0..6 {
            let now = g.next();
            at.push(now - start);
            g.fired(now);
        }
        assert_eq!(at, [500, 1500, 3500, 7500, 11500, 15500].map(ms));
    }

    #[test]
    fn a_late_caller_sends_once() {
        let start = Instant::now();
        let mut a = Backoff::new(start, Duration::from_millis(500), None);
        let late = start + Duration::from_secs(10);
        a.fired(late);
        assert_eq!(a.next(), late + Duration::from_secs(1));
    }

    #[test]
    fn reliable_transports_do_not_linger() {
        let timing = Timing::default();
        assert_eq!(timing.patience(), Duration::from_secs(32));
        for (over, unreliable) in [
            (timing.d(true), timing.d(false)),
            (timing.linger(true), timing.linger(false)),
            (timing.j(true), timing.j(false)),
        ] {
            assert_eq!(over, Duration::ZERO);
            assert!(unreliable >= timing.t4);
        }
    }
}
