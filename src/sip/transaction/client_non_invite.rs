//! The non-INVITE client transaction: RFC 3261 17.1.2.

use std::time::Instant;

use super::timing::{Backoff, Due, Timing};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The request is out (timers E and F).
    Trying,
    /// A provisional response came; E waits T2.
    Proceeding,
    /// The final response came (timer K).
    Completed,
}

#[derive(Debug, Clone)]
pub(crate) struct ClientNonInvite {
    state: State,
    /// Timer E.
    retransmit: Option<Backoff>,
    /// Timer F or K.
    end: Instant,
}

impl ClientNonInvite {
    /// The request has just been sent.
    pub(crate) fn new(now: Instant, timing: &Timing, reliable: bool) -> ClientNonInvite {
        ClientNonInvite {
            state: State::Trying,
            retransmit: (!reliable).then(|| Backoff::new(now, timing.t1, Some(timing.t2))),
            end: now + timing.patience(),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Whether the response is for the user; a repeated final one is not.
    pub(crate) fn on_response(
        &mut self,
        now: Instant,
        timing: &Timing,
        reliable: bool,
        code: u16,
    ) -> bool {
        match (self.state, code) {
            (State::Trying | State::Proceeding, ..200) => {
                self.state = State::Proceeding;
                if let Some(e) = &mut self.retransmit {
                    e.hold(timing.t2);
                }
                true
            }
            (State::Trying | State::Proceeding, 200..) => {
                self.state = State::Completed;
                self.retransmit = None;
                self.end = now + timing.linger(reliable);
                true
            }
            (State::Completed, _) => false,
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        match self.retransmit {
            Some(e) => e.next().min(self.end),
            None => self.end,
        }
    }

    pub(crate) fn on_timer(&mut self, now: Instant) -> Due {
        if self.end <= now {
            return match self.state {
                State::Trying | State::Proceeding => Due::TimedOut,
                State::Completed => Due::Terminated,
            };
        }
        match &mut self.retransmit {
            Some(e) if e.next() <= now => {
                e.fired(now);
                Due::Retransmit
            }
            _ => Due::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const T: Timing = Timing {
        t1: Duration::from_millis(500),
        t2: Duration::from_secs(4),
        t4: Duration::from_secs(5),
    };

    fn run(machine: &mut ClientNonInvite, start: Instant) -> (Vec<u128>, Due) {
        let mut sent = Vec::new();
        loop {
            let now = machine.deadline();
            match machine.on_timer(now) {
                Due::Retransmit => sent.push((now - start).as_millis()),
                Due::Nothing => panic!("a deadline with nothing due"),
                end => return (sent, end),
            }
        }
    }

    #[test]
    fn timer_e_doubles_up_to_t2_until_timer_f() {
        let start = Instant::now();
        let mut bye = ClientNonInvite::new(start, &T, false);
        let (sent, end) = run(&mut bye, start);
        assert_eq!(
            sent,
            [
                500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500
            ]
        );
        assert_eq!(end, Due::TimedOut);
        let mut reliable = ClientNonInvite::new(start, &T, true);
        assert_eq!(run(&mut reliable, start), (vec![], Due::TimedOut));
        assert_eq!(reliable.deadline(), start + Duration::from_secs(32));
    }

    #[test]
    fn a_provisional_response_slows_the_retransmissions() {
        let start = Instant::now();
        let mut bye = ClientNonInvite::new(start, &T, false);
        assert!(bye.on_response(start, &T, false, 100));
        let (sent, end) = run(&mut bye, start);
        assert_eq!(sent, [500, 4500, 8500, 12500, 16500, 20500, 24500, 28500]);
        assert_eq!(end, Due::TimedOut);
    }

    #[test]
    fn the_final_response_passes_once_and_timer_k_frees() {
        let start = Instant::now();
        for (reliable, linger) in [(false, 5), (true, 0)] {
            let mut bye = ClientNonInvite::new(start, &T, reliable);
            assert!(bye.on_response(start, &T, reliable, 200));
            assert!(!bye.on_response(start, &T, reliable, 200));
            assert!(!bye.on_response(start, &T, reliable, 100));
            assert_eq!(bye.state(), State::Completed);
            assert_eq!(bye.deadline(), start + Duration::from_secs(linger));
            assert_eq!(run(&mut bye, start), (vec![], Due::Terminated));
        }
    }
}
