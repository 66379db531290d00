//! The one writer: a thread that owns the writing connection and commits in groups.
//!
//! A durable commit costs one sync to disk however much it carries. So whatever queues up while
//! one group is being committed becomes the next group: alone, an operation waits for nobody; in
//! a crowd, hundreds share a sync. What nobody waits for is held back a moment, to share the sync
//! of what somebody does.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout_at;

use crate::store::{Haste, Metrics, Pending, StoreError};

/// Most operations of one group.
const GROUP: usize = 256;
/// Operations that may wait for the writer; those who bring more wait to hand them over.
const QUEUE: usize = 1024;
/// How long those that can wait for company wait at most.
const PATIENCE: Duration = Duration::from_millis(100);

/// How an operation wants to be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// In the next transaction.
    Now,
    /// In a transaction that others are in too, if one comes soon.
    InCompany,
    /// Between two groups, outside of any transaction.
    Alone,
}

/// One operation, and who asked for it.
trait Operation: Send {
    /// How it wants to be carried out.
    fn manner(&self) -> Manner;
    /// Carries it out, within the group's transaction unless it is to be alone. May be done over
    /// when a transaction was rolled back.
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError>;
    /// Tells the one who asked, once it is known whether the group is durable.
    fn settle(self: Box<Self>, durable: Result<(), StoreError>);
}

/// An operation that answers with a `T`.
struct Asked<F, T> {
    manner: Manner,
    operation: F,
    value: Option<T>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Operation for Asked<F, T>
where
    F: Fn(&Connection) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn manner(&self) -> Manner {
        self.manner
    }

    fn run(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.value = Some((self.operation)(connection)?);
        Ok(())
    }

    fn settle(self: Box<Self>, durable: Result<(), StoreError>) {
        let Asked { value, answer, .. } = *self;
        let result = durable.and_then(|()| value.ok_or(StoreError::Closed));
        // The one who asked may have gone away; the operation stands all the same.
        let _ = answer.send(result);
    }
}

/// Nothing but an end to the waiting of others.
struct Hurry;

impl Operation for Hurry {
    fn manner(&self) -> Manner {
        Manner::Alone
    }

    fn run(&mut self, _: &Connection) -> Result<(), StoreError> {
        Ok(())
    }

    fn settle(self: Box<Self>, _: Result<(), StoreError>) {}
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
        let (built, started) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                // Made here, since it must not be dropped by a thread that runs others' futures.
                let clock = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build();
                match clock {
                    Ok(clock) => {
                        let _ = built.send(Ok(()));
                        clock.block_on(run(&connection, asked, &metrics));
                    }
                    Err(error) => drop(built.send(Err(error))),
                }
            })?;
        started.recv().map_err(std::io::Error::other)??;
        Ok((Writer { queue }, thread))
    }

    /// Has an operation carried out; its result comes when it is durable. The operation is whole
    /// or it has not happened.
    pub fn write<T: Send + 'static>(
        &self,
        operation: impl Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        self.ask(Manner::Now, operation)
    }

    /// Has an operation carried out, at once or in company.
    pub fn write_in<T: Send + 'static>(
        &self,
        haste: Haste,
        operation: impl Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        let manner = match haste {
            Haste::Now => Manner::Now,
            Haste::InCompany => Manner::InCompany,
        };
        self.ask(manner, operation)
    }

    /// Ends the waiting for company of what is queued.
    pub fn hurry(&self) {
        // Behind a full queue nothing waits for company.
        let _ = self.queue.try_send(Box::new(Hurry));
    }

    /// Has an operation carried out between two groups, outside of any transaction.
    pub fn write_alone<T: Send + 'static>(
        &self,
        operation: impl Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        self.ask(Manner::Alone, operation)
    }

    fn ask<T: Send + 'static>(
        &self,
        manner: Manner,
        operation: impl Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        let (answer, answered) = oneshot::channel();
        let asked: Box<dyn Operation> = Box::new(Asked {
            manner,
            operation,
            value: None,
            answer,
        });
        // At once where there is room, so that nothing that is asked for later overtakes it.
        let refused = self.queue.try_send(asked).err();
        let queue = refused.is_some().then(|| self.queue.clone());
        Box::pin(async move {
            if let (Some(TrySendError::Full(asked)), Some(queue)) = (refused, queue) {
                let closed = |_| StoreError::Closed;
                queue.send(asked).await.map_err(closed)?;
            }
            answered.await.map_err(|_| StoreError::Closed)?
        })
    }
}

type Queued = mpsc::Receiver<Box<dyn Operation>>;

/// Takes the next group from the queue; whether there is one.
async fn gather(asked: &mut Queued, group: &mut Vec<Box<dyn Operation>>) -> bool {
    if asked.recv_many(group, GROUP).await == 0 {
        return false;
    }
    let until = tokio::time::Instant::now() + PATIENCE;
    let can_wait = |group: &[Box<dyn Operation>]| {
        let mut all = group.iter();
        group.len() < GROUP && all.all(|operation| operation.manner() == Manner::InCompany)
    };
    while can_wait(group) {
        let more = asked.recv_many(group, GROUP - group.len());
        if !matches!(timeout_at(until, more).await, Ok(1..)) {
            break;
        }
    }
    true
}

async fn run(connection: &Connection, mut asked: Queued, metrics: &Metrics) {
    let mut group = Vec::with_capacity(GROUP);
    let mut failed = Vec::new();
    while gather(&mut asked, &mut group).await {
        let apart: Vec<_> = group
            .extract_if(.., |operation| operation.manner() == Manner::Alone)
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
    statement(connection, "BEGIN IMMEDIATE")?;
    let all = group
        .iter_mut()
        .try_for_each(|operation| operation.run(connection));
    if all.is_err() {
        // Rare, so that the groups in which all goes well do not pay for the savepoints by which
        // one that fails is undone alone.
        if !connection.is_autocommit() {
            statement(connection, "ROLLBACK")?;
        }
        one_by_one(connection, group, failed)?;
    }
    statement(connection, "COMMIT")
}

/// Carries out a group again, each operation so that it can be undone by itself.
fn one_by_one(
    connection: &Connection,
    group: &mut Vec<Box<dyn Operation>>,
    failed: &mut Vec<(Box<dyn Operation>, StoreError)>,
) -> Result<(), StoreError> {
    statement(connection, "BEGIN IMMEDIATE")?;
    let mut next = 0;
    while let Some(operation) = group.get_mut(next) {
        statement(connection, "SAVEPOINT operation")?;
        match operation.run(connection) {
            Ok(()) => next += 1,
            // SQLite itself rolls the whole transaction back on a full disk, an input or output
            // error or a lack of memory.
            Err(error) if connection.is_autocommit() => return Err(error),
            Err(error) => {
                statement(connection, "ROLLBACK TO operation")?;
                failed.push((group.remove(next), error));
            }
        }
        statement(connection, "RELEASE operation")?;
    }
    Ok(())
}

fn statement(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
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

    fn count(writer: &Writer, haste: Haste) -> Pending<i64> {
        writer.write_in(haste, |connection| {
            connection.execute("INSERT INTO t DEFAULT VALUES", [])?;
            Ok(connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?)
        })
    }

    #[tokio::test]
    async fn what_can_wait_is_committed_with_what_cannot() {
        let (_directory, writer, _thread) = start();
        let began = Instant::now();
        let mut waits = count(&writer, Haste::InCompany);
        assert!(futures_util::poll!(&mut waits).is_pending());
        tokio::time::sleep(PATIENCE / 10).await;
        assert!(futures_util::poll!(&mut waits).is_pending());
        assert_eq!(count(&writer, Haste::Now).await, Ok(2), "in their order");
        assert_eq!(waits.await, Ok(1));
        assert_eq!(
            count(&writer, Haste::InCompany).await,
            Ok(3),
            "and alone in the end"
        );
        assert!(began.elapsed() >= PATIENCE);
    }

    #[tokio::test]
    async fn hurry_ends_the_waiting_and_so_does_the_end() {
        let (directory, writer, thread) = start();
        let began = Instant::now();
        let waits = count(&writer, Haste::InCompany);
        writer.hurry();
        assert_eq!(waits.await, Ok(1));
        assert!(began.elapsed() < PATIENCE, "not overtaken by the hurry");
        let mut waits = count(&writer, Haste::InCompany);
        assert!(futures_util::poll!(&mut waits).is_pending());
        drop(waits);
        drop(writer);
        thread.join().expect("ends when nobody holds it");
        let connection = Connection::open(directory.path().join("db")).expect("opens");
        let kept = connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0));
        assert_eq!(kept, Ok(2), "what was asked is done");
    }
}
