//! The INVITE client transaction: RFC 3261 17.1.1, with the Accepted state of RFC 6026 7.2.

use std::time::Instant;

use super::timing::{Backoff, Due, Timing};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The request is out (timers A and B).
    Calling,
    /// A provisional response came; the user bounds the wait, not the transaction.
    Proceeding,
    /// A 300-699 came and was acknowledged (timer D).
    Completed,
    /// A 2xx came; more of them may, from this or another fork (timer M).
    Accepted,
}

/// What is to be done with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// For the user: a provisional response, or a 2xx, which the user acknowledges.
    Pass,
    /// The first 300-699: acknowledge it, then pass it.
    AcknowledgeAndPass,
    /// A repeated 300-699: send the same ACK again.
    Acknowledge,
    /// Of no interest in this state.
    Drop,
}

#[derive(Debug, Clone)]
pub(crate) struct ClientInvite {
    state: State,
    /// Timer A.
    retransmit: Option<Backoff>,
    /// Timer B, D or M, whichever the state has.
    end: Option<Instant>,
}

impl ClientInvite {
    /// The INVITE has just been sent.
    pub(crate) fn new(now: Instant, timing: &Timing, reliable: bool) -> ClientInvite {
        ClientInvite {
            state: State::Calling,
            retransmit: (!reliable).then(|| Backoff::new(now, timing.t1, None)),
            end: Some(now + timing.patience()),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn on_response(
        &mut self,
        now: Instant,
        timing: &Timing,
        reliable: bool,
        code: u16,
    ) -> Step {
        match (self.state, code) {
            (State::Calling | State::Proceeding, ..200) => {
                self.enter(State::Proceeding, None);
                Step::Pass
            }
            (State::Calling | State::Proceeding, 200..300) => {
                self.enter(State::Accepted, Some(now + timing.patience()));
                Step::Pass
            }
            (State::Calling | State::Proceeding, 300..) => {
                self.enter(State::Completed, Some(now + timing.d(reliable)));
                Step::AcknowledgeAndPass
            }
            (State::Completed, 300..) => Step::Acknowledge,
            // RFC 6026 8.4 lets it drop. It is passed all the same, so that the user acknowledges
            // and ends what a fork set up after the refusal: no phone stays off the hook.
            (State::Completed, 200..300) => Step::Pass,
            (State::Accepted, 200..300) => Step::Pass,
            (State::Completed | State::Accepted, _) => Step::Drop,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match (self.retransmit, self.end) {
            (Some(a), Some(end)) => Some(a.next().min(end)),
            (Some(a), None) => Some(a.next()),
            (None, end) => end,
        }
    }

    pub(crate) fn on_timer(&mut self, now: Instant) -> Due {
        if self.end.is_some_and(|end| end <= now) {
            return match self.state {
                State::Calling | State::Proceeding => Due::TimedOut,
                State::Completed | State::Accepted => Due::Terminated,
            };
        }
        match &mut self.retransmit {
            Some(a) if a.next() <= now => {
                a.fired(now);
                Due::Retransmit
            }
            _ => Due::Nothing,
        }
    }

    fn enter(&mut self, state: State, end: Option<Instant>) {
        self.state = state;
        self.retransmit = None;
        self.end = end;
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

    fn run(machine: &mut ClientInvite, start: Instant) -> (Vec<u128>, Due) {
        let mut sent = Vec::new();
        while let Some(now) = machine.deadline() {
            match machine.on_timer(now) {
                Due::Retransmit => sent.push((now - start).as_millis()),
                Due::Nothing => panic!("a deadline with nothing due"),
                end => return (sent, end),
            }
        }
        (sent, Due::Nothing)
    }

    #[test]
    fn timer_a_doubles_until_timer_b() {
        let start = Instant::now();
        let mut invite = ClientInvite::new(start, &T, false);
        let (sent, end) = run(&mut invite, start);
        assert_eq!(sent, [500, 1500, 3500, 7500, 15500, 31500]);
        assert_eq!(end, Due::TimedOut);
        assert_eq!(invite.deadline(), Some(start + Duration::from_secs(32)));
    }

    #[test]
    fn a_reliable_transport_only_waits() {
        let start = Instant::now();
        let mut invite = ClientInvite::new(start, &T, true);
        assert_eq!(run(&mut invite, start), (vec![], Due::TimedOut));
    }

    #[test]
    fn a_provisional_response_stops_both_timers() {
        let start = Instant::now();
        let mut invite = ClientInvite::new(start, &T, false);
        assert_eq!(invite.on_response(start, &T, false, 100), Step::Pass);
        assert_eq!(invite.state(), State::Proceeding);
        assert_eq!(invite.deadline(), None);
        assert_eq!(invite.on_response(start, &T, false, 180), Step::Pass);
        assert_eq!(
            invite.on_timer(start + Duration::from_secs(999)),
            Due::Nothing
        );
    }

    #[test]
    fn a_refusal_is_acknowledged_each_time_until_timer_d() {
        let start = Instant::now();
        let mut invite = ClientInvite::new(start, &T, false);
        assert_eq!(
            invite.on_response(start, &T, false, 486),
            Step::AcknowledgeAndPass
        );
        assert_eq!(invite.on_response(start, &T, false, 486), Step::Acknowledge);
        assert_eq!(invite.on_response(start, &T, false, 180), Step::Drop);
        assert_eq!(invite.on_response(start, &T, false, 200), Step::Pass);
        assert_eq!(invite.state(), State::Completed);
        assert_eq!(invite.deadline(), Some(start + Duration::from_secs(32)));
        assert_eq!(run(&mut invite, start), (vec![], Due::Terminated));

        let mut reliable = ClientInvite::new(start, &T, true);
        reliable.on_response(start, &T, true, 603);
        assert_eq!(reliable.deadline(), Some(start));
        assert_eq!(reliable.on_timer(start), Due::Terminated);
    }

    #[test]
    fn an_accepted_invite_hears_further_2xx_until_timer_m() {
        let start = Instant::now();
        for reliable in [false, true] {
            let mut invite = ClientInvite::new(start, &T, reliable);
            invite.on_response(start, &T, reliable, 180);
            assert_eq!(invite.on_response(start, &T, reliable, 200), Step::Pass);
            assert_eq!(invite.on_response(start, &T, reliable, 200), Step::Pass);
            assert_eq!(invite.on_response(start, &T, reliable, 486), Step::Drop);
            assert_eq!(invite.on_response(start, &T, reliable, 183), Step::Drop);
            assert_eq!(invite.state(), State::Accepted);
            assert_eq!(invite.deadline(), Some(start + Duration::from_secs(32)));
            assert_eq!(run(&mut invite, start), (vec![], Due::Terminated));
        }
    }
}
