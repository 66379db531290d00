//! The INVITE server transaction: RFC 3261 17.2.1, with the Accepted state of RFC 6026 7.1.

use std::time::Instant;

use super::timing::{Backoff, Due, Timing};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// No final response yet; the user bounds the wait.
    Proceeding,
    /// A 300-699 was sent (timers G and H).
    Completed,
    /// Its ACK came (timer I).
    Confirmed,
    /// A 2xx was sent, which the user repeats (timer L).
    Accepted,
}

/// What an ACK means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ack {
    /// It ends the retransmissions of a 300-699.
    Absorbed,
    /// It belongs to a 2xx: for the user.
    Pass,
    /// Of no interest in this state.
    Drop,
}

#[derive(Debug, Clone)]
pub(crate) struct ServerInvite {
    state: State,
    /// Timer G.
    retransmit: Option<Backoff>,
    /// Timer H, I or L.
    end: Option<Instant>,
}

impl ServerInvite {
    /// The INVITE has just arrived. The caller sends 100 at once: no timer for it is needed.
    pub(crate) fn new() -> ServerInvite {
        ServerInvite {
            state: State::Proceeding,
            retransmit: None,
            end: None,
        }
    }

    /// The INVITE came again: whether the last response is sent again. In Accepted that is the
    /// user's affair (RFC 6026 7.1).
    pub(crate) fn on_request(&self) -> bool {
        matches!(self.state, State::Proceeding | State::Completed)
    }

    /// The user sends a response. False if the transaction has no room for it any more.
    pub(crate) fn on_respond(
        &mut self,
        now: Instant,
        timing: &Timing,
        reliable: bool,
        code: u16,
    ) -> bool {
        match (self.state, code) {
            (State::Proceeding, ..200) => true,
            (State::Proceeding, 200..300) => {
                self.state = State::Accepted;
                self.end = Some(now + timing.patience());
                true
            }
            (State::Proceeding, 300..) => {
                self.state = State::Completed;
                self.retransmit =
                    (!reliable).then(|| Backoff::new(now, timing.t1, Some(timing.t2)));
                self.end = Some(now + timing.patience());
                true
            }
            (State::Accepted, 200..300) => true,
            _ => false,
        }
    }

    pub(crate) fn on_ack(&mut self, now: Instant, timing: &Timing, reliable: bool) -> Ack {
        match self.state {
            State::Completed => {
                self.state = State::Confirmed;
                self.retransmit = None;
                self.end = Some(now + timing.linger(reliable));
                Ack::Absorbed
            }
            State::Accepted => Ack::Pass,
            State::Proceeding | State::Confirmed => Ack::Drop,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match (self.retransmit, self.end) {
            (Some(g), Some(end)) => Some(g.next().min(end)),
            (Some(g), None) => Some(g.next()),
            (None, end) => end,
        }
    }

    pub(crate) fn on_timer(&mut self, now: Instant) -> Due {
        if self.end.is_some_and(|end| end <= now) {
            return match self.state {
                State::Completed => Due::TimedOut,
                State::Proceeding | State::Confirmed | State::Accepted => Due::Terminated,
            };
        }
        match &mut self.retransmit {
            Some(g) if g.next() <= now => {
                g.fired(now);
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

    #[test]
    fn a_refusal_is_repeated_by_timer_g_until_timer_h() {
        let start = Instant::now();
        let mut invite = ServerInvite::new();
        assert_eq!(invite.deadline(), None);
        assert!(invite.on_request());
        assert!(invite.on_respond(start, &T, false, 180));
        assert!(invite.on_respond(start, &T, false, 486));
        assert!(!invite.on_respond(start, &T, false, 200));
        let mut sent = Vec::new();
        let end = loop {
            let now = invite.deadline().expect("timers run");
            match invite.on_timer(now) {
                Due::Retransmit => sent.push((now - start).as_millis()),
                due => break due,
            }
        };
        assert_eq!(
            sent,
            [
                500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500
            ]
        );
        assert_eq!(end, Due::TimedOut);
    }

    #[test]
    fn its_ack_stops_them_and_timer_i_frees() {
        let start = Instant::now();
        for (reliable, linger) in [(false, 5), (true, 0)] {
            let mut invite = ServerInvite::new();
            assert_eq!(invite.on_ack(start, &T, reliable), Ack::Drop);
            invite.on_respond(start, &T, reliable, 404);
            assert_eq!(invite.on_ack(start, &T, reliable), Ack::Absorbed);
            assert_eq!(invite.on_ack(start, &T, reliable), Ack::Drop);
            assert!(!invite.on_request());
            let end = start + Duration::from_secs(linger);
            assert_eq!(invite.deadline(), Some(end));
            assert_eq!(invite.on_timer(end), Due::Terminated);
        }
    }

    #[test]
    fn an_accepted_invite_absorbs_the_request_and_passes_every_ack() {
        let start = Instant::now();
        let mut invite = ServerInvite::new();
        assert!(invite.on_respond(start, &T, false, 200));
        assert!(!invite.on_request());
        assert_eq!(invite.on_ack(start, &T, false), Ack::Pass);
        assert_eq!(invite.on_ack(start, &T, false), Ack::Pass);
        assert!(invite.on_respond(start, &T, false, 200), "the user repeats");
        assert!(!invite.on_respond(start, &T, false, 487));
        let end = start + Duration::from_secs(32);
        assert_eq!(invite.deadline(), Some(end));
        assert_eq!(invite.on_timer(end), Due::Terminated);
    }
}
