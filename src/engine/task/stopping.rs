//! Stopping: nothing new is taken, what is open comes to its outcome or is interrupted.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Task;
use crate::engine::open::Open;

/// How long a shutdown waits for a store that does not answer.
pub(super) const LAST_WRITES: Duration = Duration::from_secs(10);

/// A request to stop.
pub(super) struct Shutdown {
    pub deadline: Instant,
    pub replies: Vec<oneshot::Sender<()>>,
    /// Whether what was open at the deadline has been interrupted.
    pub interrupted: bool,
}

impl Task {
    pub(super) fn shut_down(&mut self, deadline: Instant, reply: Option<oneshot::Sender<()>>) {
        self.health.send_modify(|health| health.draining = true);
        let shutdown = self.shutdown.get_or_insert(Shutdown {
            deadline,
            replies: Vec::new(),
            interrupted: false,
        });
        if !shutdown.interrupted {
            shutdown.deadline = shutdown.deadline.min(deadline);
        }
        shutdown.replies.extend(reply);
    }

    pub(super) fn is_over(&self) -> bool {
        let Some(shutdown) = &self.shutdown else {
            return false;
        };
        // A challenge whose text has left goes on in the next process.
        let nothing_left = self.beginning == 0 && self.open.values().all(Open::is_at_rest);
        nothing_left || (shutdown.interrupted && shutdown.deadline <= Instant::now())
    }
}
