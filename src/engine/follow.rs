//! Following a challenge: its log from a line on, until it ends.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, watch};
use uuid::Uuid;

use crate::challenge::{Challenge, Entry, What};
use crate::store::{Store, StoreError};

/// The log of one challenge, as it grows. What is new is always read back from the store, so that
/// one who joins late, or again, sees the very same lines.
pub struct Follow {
    store: Arc<dyn Store>,
    id: Uuid,
    after: u32,
    /// The challenge's states while it is open, and the place among those who wait.
    open: Option<(watch::Receiver<Challenge>, OwnedSemaphorePermit)>,
    over: bool,
}

impl Follow {
    pub(super) fn open(
        store: Arc<dyn Store>,
        id: Uuid,
        after: u32,
        states: watch::Receiver<Challenge>,
        place: OwnedSemaphorePermit,
    ) -> Follow {
        // Nobody can have seen what is not yet written.
        let after = after.min(states.borrow().life().seq());
        Follow {
            store,
            id,
            after,
            open: Some((states, place)),
            over: false,
        }
    }

    pub(super) fn ended(store: Arc<dyn Store>, id: Uuid, after: u32) -> Follow {
        Follow {
            store,
            id,
            after,
            open: None,
            over: false,
        }
    }

    /// Whether the challenge has ended and there are no lines after those that were seen.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn is_over(&self) -> Result<bool, StoreError> {
        if self.open.is_some() {
            return Ok(false);
        }
        Ok(self.over || self.store.log(self.id, self.after).await?.is_empty())
    }

    /// The next lines, at least one; `None` after the last. May be dropped and asked again.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<Entry>>, StoreError> {
        while !self.over {
            if let Some((states, _)) = &mut self.open {
                let known = states.borrow_and_update().life().seq();
                if known <= self.after {
                    if states.changed().await.is_err() {
                        // The engine has let go of it; what was written last is in the store.
                        self.open = None;
                    }
                    continue;
                }
            }
            let entries = self.store.log(self.id, self.after).await?;
            match entries.last() {
                Some(last) => {
                    self.after = last.seq;
                    self.over = matches!(last.what, What::Ended(_));
                    return Ok(Some(entries));
                }
                None => self.over = true,
            }
        }
        Ok(None)
    }
}
