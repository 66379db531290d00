//! The non-INVITE server transaction: RFC 3261 17.2.2. Our user answers every such request as it
//! comes, so Trying lasts no time and Proceeding is never entered (RFC 4320 4.1 forbids it anyway).

use std::time::Instant;

use super::timing::{Due, Timing};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// No response yet.
    Trying,
    /// The final response was sent (timer J).
    Completed,
}

#[derive(Debug, Clone)]
pub(crate) struct ServerNonInvite {
    state: State,
    /// Timer J.
    end: Option<Instant>,
}

impl ServerNonInvite {
    /// The request has just arrived.
    pub(crate) fn new() -> ServerNonInvite {
        ServerNonInvite {
            state: State::Trying,
            end: None,
        }
    }

    /// The request came again: whether the response is sent again.
    pub(crate) fn on_request(&self) -> bool {
        self.state == State::Completed
    }

    /// The user sends its final response. False if there was one already.
    pub(crate) fn on_respond(&mut self, now: Instant, timing: &Timing, reliable: bool) -> bool {
        match self.state {
            State::Trying => {
                self.state = State::Completed;
                self.end = Some(now + timing.j(reliable));
                true
            }
            State::Completed => false,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.end
    }

    pub(crate) fn on_timer(&mut self, now: Instant) -> Due {
        match self.end {
            Some(end) if end <= now => Due::Terminated,
            _ => Due::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_response_is_repeated_on_request_until_timer_j() {
        let start = Instant::now();
        let timing = Timing::default();
        for (reliable, j) in [(false, 32), (true, 0)] {
            let mut bye = ServerNonInvite::new();
            assert!(!bye.on_request());
            assert_eq!(bye.on_timer(start), Due::Nothing);
            assert!(bye.on_respond(start, &timing, reliable));
            assert!(!bye.on_respond(start, &timing, reliable));
            assert!(bye.on_request());
            let end = start + Duration::from_secs(j);
            assert_eq!(bye.deadline(), Some(end));
            assert_eq!(bye.on_timer(end), Due::Terminated);
        }
    }
}
