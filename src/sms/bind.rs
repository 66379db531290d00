//! The handle of a bind.

use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::config::BindConfig;
use super::driver::Driver;
use super::order::{BindState, TextOrder};
use super::report::Reporter;
use super::tls::TlsError;
use crate::smpp::pdu::EncodeError;

/// One bind to a message centre, run by a task of its own. Dropped, it stops as by
/// [`Bind::stop`], without waiting.
#[derive(Debug)]
pub struct Bind {
    name: Arc<str>,
    orders: mpsc::Sender<TextOrder>,
    state: watch::Receiver<BindState>,
    /// Gone with the handle, which tells the task to stop.
    here: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// An order that the queue did not take; it is handed back.
#[derive(Debug, Error)]
pub enum NotQueued<T = TextOrder> {
    /// The queue is full.
    #[error("the bind's queue is full")]
    Full(Box<T>),
    /// The bind has stopped.
    #[error("the bind has stopped")]
    Stopped(Box<T>),
}

/// Why a bind cannot be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// A field of the bind does not fit the wire.
    #[error(transparent)]
    Unsendable(#[from] EncodeError),
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Bind {
    /// Starts a bind on the current tokio runtime. What happens goes to `reports`; a receiver that
    /// falls behind makes the bind take fewer orders, and loses nothing.
    ///
    /// # Errors
    /// A field of the bind does not fit the wire, or TLS cannot be spoken.
    pub fn start(config: BindConfig, reports: Reporter) -> Result<Bind, StartError> {
        let now = Instant::now();
        let name = config.name.clone();
        let (orders, queue) = mpsc::channel(config.queue.max(1));
        let (tell, state) = watch::channel(BindState::Down {
            since: now,
            why: None,
        });
        let (here, gone) = oneshot::channel();
        let driver = Driver::new(config, queue, reports, tell, gone, now)?;
        Ok(Bind {
            name,
            orders,
            state,
            here,
            task: tokio::spawn(driver.run()),
        })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Puts an order into the queue; its end is reported.
    ///
    /// # Errors
    /// The queue is full, or the bind has stopped.
    pub fn try_send(&self, order: TextOrder) -> Result<(), NotQueued> {
        self.orders.try_send(order).map_err(|error| match error {
            mpsc::error::TrySendError::Full(order) => NotQueued::Full(Box::new(order)),
            mpsc::error::TrySendError::Closed(order) => NotQueued::Stopped(Box::new(order)),
        })
    }

    /// Waits for a place in the queue.
    ///
    /// # Errors
    /// The bind has stopped.
    pub async fn send(&self, order: TextOrder) -> Result<(), NotQueued> {
        let place = match self.orders.try_reserve() {
            Ok(place) => Ok(place),
            Err(_) => self.orders.reserve().await,
        };
        match place {
            Ok(place) => {
                place.send(order);
                Ok(())
            }
            Err(_) => Err(NotQueued::Stopped(Box::new(order))),
        }
    }

    /// What it is doing.
    pub fn state(&self) -> BindState {
        *self.state.borrow()
    }

    /// Waits until it is bound, or has stopped; tells which.
    pub async fn bound(&self) -> bool {
        let mut state = self.state.clone();
        let settled = state
            .wait_for(|state| !matches!(state, BindState::Down { .. }))
            .await;
        settled.is_ok_and(|state| state.is_bound())
    }

    /// Follows what it is doing.
    pub fn watch(&self) -> watch::Receiver<BindState> {
        self.state.clone()
    }

    /// Takes no more orders, sends what is queued, waits for the answers, unbinds, and returns;
    /// at the latest after the configured time and the session's response timer. Each order has
    /// been reported then; the reports must be read meanwhile.
    pub async fn stop(self) {
        // Without their senders the queue ends, and the driver with it.
        drop((self.orders, self.here));
        // A panic in the driver has been reported by the runtime.
        let _ = self.task.await;
    }
}
