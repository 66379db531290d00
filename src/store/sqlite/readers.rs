//! The readers: threads with a read-only connection each, beside the writer and never in its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::store::{Pending, StoreError};

/// Questions that may wait for one reader; those who bring more wait to hand them over.
const QUEUE: usize = 256;

/// One question, which tells its asker the answer.
type Question = Box<dyn FnOnce(&Connection) + Send>;

/// A hand on the readers; the threads end when the last is dropped.
#[derive(Clone)]
pub(super) struct Readers {
    queues: Arc<[mpsc::Sender<Question>]>,
    turn: Arc<AtomicUsize>,
}

impl Readers {
    /// Starts a thread for each connection, of which there is at least one.
    pub fn start(connections: Vec<Connection>) -> std::io::Result<(Readers, Vec<JoinHandle<()>>)> {
        let mut queues = Vec::new();
        let mut threads = Vec::new();
        for connection in connections {
            let (queue, mut questions) = mpsc::channel::<Question>(QUEUE);
            let thread = std::thread::Builder::new()
                .name("store-reader".into())
                .spawn(move || {
                    while let Some(question) = questions.blocking_recv() {
                        question(&connection);
                    }
                })?;
            queues.push(queue);
            threads.push(thread);
        }
        let readers = Readers {
            queues: queues.into(),
            turn: Arc::default(),
        };
        Ok((readers, threads))
    }

    /// Has a question answered from what is durable.
    pub fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let queue = self.queues.get(turn % self.queues.len().max(1)).cloned();
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let asked: Question = Box::new(move |connection| {
                if !answer.is_closed() {
                    let _ = answer.send(question(connection));
                }
            });
            let queue = queue.ok_or(StoreError::Closed)?;
            queue.send(asked).await.map_err(|_| StoreError::Closed)?;
            answered.await.map_err(|_| StoreError::Closed)?
        })
    }
}
