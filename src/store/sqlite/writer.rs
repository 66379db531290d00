//! The one writer: a thread that owns the writing connection and commits in groups.
//!
//! A durable commit costs one sync to disk however much it carries. So whatever queues up while
//! one group is being committed becomes the next group: alone, an operation waits for nobody; in
//! a crowd, hundreds share a sync.

use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::store::{Metrics, Pending, StoreError};

/// Most operations of one group.
const GROUP: usize = 256;
/// Operations that may wait for the writer; those who bring more wait to hand them over.
const QUEUE: usize = 1024;

/// One operation, and who asked for it.
trait Operation: Send {
    /// Whether it cannot be part of a transaction.
    fn alone(&self) -> bool;
    /// Carries it out, within the group's transaction unless it is to be alone.
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError>;
    /// Tells the one who asked, once it is known whether the group is durable.
    fn settle(self: Box<Self>, durable: Result<(), StoreError>);
}

/// An operation that answers with a `T`.
struct Asked<F, T> {
    alone: bool,
    operation: Option<F>,
    value: Option<T>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Operation for Asked<F, T>
where
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn alone(&self) -> bool {
        self.alone
    }

    fn run(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let operation = self.operation.take().ok_or(StoreError::Closed)?;
        self.value = Some(operation(connection)?);
        Ok(())
    }

    fn settle(self: Box<Self>, durable: Result<(), StoreError>) {
        let Asked { value, answer, .. } = *self;
        let result = durable.and_then(|()| value.ok_or(StoreError::Closed));
        // The one who asked may have gone away; the operation stands all the same.
        let _ = answer.send(result);
    }
}

/// A hand on the writer; the thread ends when the last is dropped.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Operation>>,
}

impl Writer {
    /// Starts the thread.
    pub fn start(
        connection: Connection,
        metrics: Metrics,
    ) -> std::io::Result<(Writer, JoinHandle<()>)> {
        let (queue, asked) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || run(&connection, asked, &metrics))?;
        Ok((Writer { queue }, thread))
    }

    /// Has an operation carried out; its result comes when it is durable. The operation is whole
    /// or it has not happened.
    pub fn write<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        self.ask(false, operation)
    }

    /// Has an operation carried out between two groups, outside of any transaction.
    pub fn write_alone<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        self.ask(true, operation)
    }

    fn ask<T: Send + 'static>(
        &self,
        alone: bool,
        operation: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        let queue = self.queue.clone();
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let asked = Asked {
                alone,
                operation: Some(operation),
                value: None,
                answer,
            };
            let closed = |_| StoreError::Closed;
            queue.send(Box::new(asked)).await.map_err(closed)?;
            answered.await.map_err(|_| StoreError::Closed)?
        })
    }
}

fn run(connection: &Connection, mut asked: mpsc::Receiver<Box<dyn Operation>>, metrics: &Metrics) {
    let mut group = Vec::with_capacity(GROUP);
    let mut failed = Vec::new();
    while asked.blocking_recv_many(&mut group, GROUP) > 0 {
        let apart: Vec<_> = group
            .extract_if(.., |operation| operation.alone())
            .collect();
        for mut operation in apart {
            let done = operation.run(connection);
            operation.settle(done);
        }
        if group.is_empty() {
            continue;
        }
        let began = Instant::now();
        metrics.batch.observe(group.len() as f64);
        let committed = commit(connection, &mut group, &mut failed);
        metrics.commit.observe(began.elapsed().as_secs_f64());
        if let Err(error) = &committed {
            metrics.failures.inc();
            tracing::error!(%error, operations = group.len(), "the store could not commit");
            if !connection.is_autocommit() {
                let _ = connection.execute_batch("ROLLBACK");
            }
        }
        for (operation, error) in failed.drain(..) {
            operation.settle(Err(error));
        }
        for operation in group.drain(..) {
            operation.settle(committed.clone());
        }
    }
}

/// Carries out a group in one transaction. Operations that fail by themselves leave the group for
/// `failed`; an error is the whole group's.
fn commit(
    connection: &Connection,
    group: &mut Vec<Box<dyn Operation>>,
    failed: &mut Vec<(Box<dyn Operation>, StoreError)>,
) -> Result<(), StoreError> {
    let statement = |sql| -> Result<(), StoreError> {
        connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    };
    statement("BEGIN IMMEDIATE")?;
    let mut next = 0;
    while let Some(operation) = group.get_mut(next) {
        statement("SAVEPOINT operation")?;
        match operation.run(connection) {
            Ok(()) => next += 1,
            // SQLite itself rolls the whole transaction back on a full disk, an input or output
            // error or a lack of memory.
            Err(error) if connection.is_autocommit() => return Err(error),
            Err(error) => {
                statement("ROLLBACK TO operation")?;
                failed.push((group.remove(next), error));
            }
        }
        statement("RELEASE operation")?;
    }
    statement("COMMIT")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> (tempfile::TempDir, Writer, JoinHandle<()>) {
        let directory = tempfile::tempdir().expect("a directory");
        let connection = Connection::open(directory.path().join("db")).expect("opens");
        connection
            .execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY)")
            .expect("creates");
        let (writer, thread) = Writer::start(connection, Metrics::default()).expect("starts");
        (directory, writer, thread)
    }

    fn insert(writer: &Writer, numbers: &'static [i64]) -> Pending<i64> {
        writer.write(move |connection| {
            for n in numbers {
                connection.execute("INSERT INTO t VALUES (?1)", [n])?;
            }
            Ok(connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?)
        })
    }

    #[tokio::test]
    async fn an_operation_that_fails_takes_nobody_with_it() {
        let (_directory, writer, thread) = start();
        let (one, broken, two) = tokio::join!(
            insert(&writer, &[1]),
            insert(&writer, &[2, 3, 1]),
            insert(&writer, &[4]),
        );
        assert_eq!((one, two), (Ok(1), Ok(2)));
        assert!(matches!(broken, Err(StoreError::Unavailable(_))));
        assert_eq!(insert(&writer, &[2, 3]).await, Ok(4), "2 and 3 never stood");
        drop(writer);
        thread.join().expect("ends when nobody holds it");
    }

    #[tokio::test]
    async fn a_full_disk_fails_the_group_and_space_heals_it() {
        let (_directory, writer, _thread) = start();
        writer
            .write(|connection| {
                let pages: i64 =
                    connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
                Ok(connection.pragma_update(None, "max_page_count", pages)?)
            })
            .await
            .expect("limits");
        let big = |writer: &Writer| {
            writer.write(|connection| {
                connection.execute_batch("CREATE TABLE big (b BLOB)")?;
                Ok(connection.execute("INSERT INTO big VALUES (zeroblob(100000))", [])?)
            })
        };
        let (small, full) = tokio::join!(insert(&writer, &[7]), big(&writer));
        assert!(matches!(full, Err(StoreError::Unavailable(_))), "{full:?}");
        let stands: i64 = writer
            .write(|c| Ok(c.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?))
            .await
            .expect("reads");
        assert_eq!(
            small.is_ok(),
            stands == 1,
            "what was answered is what stands"
        );
        writer
            .write(|c| Ok(c.pragma_update(None, "max_page_count", 1_000_000)?))
            .await
            .expect("lifts");
        assert_eq!(big(&writer).await, Ok(1));
    }

    #[tokio::test]
    async fn an_operation_is_carried_out_though_nobody_waits() {
        let (_directory, writer, _thread) = start();
        let mut asked = insert(&writer, &[1]);
        let polled = futures_util::poll!(&mut asked);
        assert!(polled.is_pending());
        drop(asked);
        assert_eq!(insert(&writer, &[2]).await, Ok(2));
    }
}
