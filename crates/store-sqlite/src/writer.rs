//! One thread that writes: calls that come while a commit is under way share the next one.

use std::sync::Arc;

use golive_core::Clock;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::config::Bounds;
use crate::error::{ErrorKind, SqliteError};
use crate::rows::{Rows, millis};

/// How many calls may wait for the writer; the next ones wait for a place. Each caller holds its
/// own event meanwhile, so this bounds no memory but that of the queue.
pub(crate) const MAX_WAITING: usize = 1024;

/// The way to the writer.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    jobs: mpsc::Sender<Box<dyn Job>>,
}

/// What workers wait for.
#[derive(Debug)]
pub(crate) struct Signal {
    /// One permit for each event that became due by a write of ours.
    pub(crate) wake: Notify,
    /// When the next event is due, in Unix milliseconds, as of the last transaction.
    pub(crate) due: watch::Sender<Option<i64>>,
}

/// The thread's own.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) bounds: Bounds,
    pub(crate) max_batch: usize,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) signal: Arc<Signal>,
}

/// One call, without its type.
pub(crate) trait Job: Send {
    /// Does it, within a transaction that may yet fail, and then do it again.
    fn run(&mut self, rows: &mut Rows<'_>) -> Result<(), SqliteError>;

    /// The transaction was committed, or it failed.
    fn answer(self: Box<Self>, failed: Option<&SqliteError>);
}

struct Call<T, F> {
    run: F,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, SqliteError>>,
}

// === impl Handle ===

impl Handle {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Box<dyn Job>>) {
        let (jobs, waiting) = mpsc::channel(MAX_WAITING);
        (Self { jobs }, waiting)
    }

    /// Runs this in a transaction, and returns when that is committed.
    pub(crate) async fn call<T, F>(&self, run: F) -> Result<T, SqliteError>
    where
        T: Send + 'static,
        F: FnMut(&mut Rows<'_>) -> Result<T, SqliteError> + Send + 'static,
    {
        let (job, answer) = job(run);
        let closed = || SqliteError::new(ErrorKind::Closed);
        self.jobs.send(job).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Runs this some time, if there is a place in the queue, and tells nobody.
    pub(crate) fn post<F>(&self, run: F)
    where
        F: FnMut(&mut Rows<'_>) -> Result<(), SqliteError> + Send + 'static,
    {
        let _ = self.jobs.try_send(job(run).0);
    }
}

fn job<T, F>(run: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, SqliteError>>)
where
    T: Send + 'static,
    F: FnMut(&mut Rows<'_>) -> Result<T, SqliteError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let call = Call {
        run,
        result: None,
        reply,
    };
    (Box::new(call), answer)
}

// === impl Signal ===

impl Signal {
    pub(crate) fn new() -> Self {
        Self {
            wake: Notify::new(),
            due: watch::Sender::new(None),
        }
    }
}

// === impl Writer ===

impl Writer {
    /// Writes until nobody is left who could call, and everything that was called is done.
    pub(crate) fn run(mut self, mut waiting: mpsc::Receiver<Box<dyn Job>>) {
        // What an earlier process left is known before the first call.
        let _ = self.transact(&mut []);
        let mut batch = Vec::with_capacity(self.max_batch);
        while waiting.blocking_recv_many(&mut batch, self.max_batch) > 0 {
            self.commit(&mut batch);
        }
    }

    /// Runs a batch as one transaction, and answers each call when that is over.
    fn commit(&mut self, batch: &mut Vec<Box<dyn Job>>) {
        let outcome = self.transact(batch);
        match outcome {
            // One of them cannot be done, or not with the others: the rest must not suffer. Nobody
            // can do anything while another process has the lock.
            Err(error) if batch.len() > 1 && error.kind() != ErrorKind::Busy => {
                for mut job in batch.drain(..) {
                    let outcome = self.transact(std::slice::from_mut(&mut job));
                    job.answer(outcome.err().as_ref());
                }
            }
            outcome => {
                let failed = outcome.err();
                for job in batch.drain(..) {
                    job.answer(failed.as_ref());
                }
            }
        }
    }

    fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), SqliteError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let now = millis(self.clock.now());
        let mut rows = Rows::begin(&transaction, self.bounds, now)?;
        for job in jobs {
            job.run(&mut rows)?;
        }
        let (due, woken) = rows.end()?;
        transaction.commit()?;
        self.signal.due.send_if_modified(|known| {
            let differs = *known != due;
            *known = due;
            differs
        });
        for _ in 0..woken {
            self.signal.wake.notify_one();
        }
        Ok(())
    }
}

// === impl Call ===

impl<T, F> Job for Call<T, F>
where
    T: Send,
    F: FnMut(&mut Rows<'_>) -> Result<T, SqliteError> + Send,
{
    fn run(&mut self, rows: &mut Rows<'_>) -> Result<(), SqliteError> {
        self.result = Some((self.run)(rows)?);
        Ok(())
    }

    fn answer(self: Box<Self>, failed: Option<&SqliteError>) {
        let answer = match (failed, self.result) {
            (None, Some(result)) => Ok(result),
            (Some(error), _) => Err(error.clone()),
            (None, None) => Err(SqliteError::new(ErrorKind::Other)),
        };
        // Whoever asked may be gone.
        let _ = self.reply.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use bytes::Bytes;
    use golive_core::SystemClock;
    use golive_webhook_inbox::{Accepted, Event, EventKey};

    use super::*;
    use crate::schema;

    fn writer(path: &Path) -> Writer {
        Writer {
            connection: schema::open(path, Duration::ZERO).unwrap(),
            bounds: Bounds {
                max_events: 1000,
                max_bytes: 1 << 30,
                max_keys: 1000,
                remember: Duration::from_secs(60),
            },
            max_batch: 256,
            clock: Arc::new(SystemClock),
            signal: Arc::new(Signal::new()),
        }
    }

    type Answer = oneshot::Receiver<Result<Option<Accepted>, SqliteError>>;

    fn accept(id: &str, bytes: usize) -> (Box<dyn Job>, Answer) {
        let key = EventKey::new("p", id).unwrap();
        let event = Event::new(key, Bytes::from(vec![0; bytes]));
        job(move |rows| rows.accept(&event))
    }

    fn kind(answer: &mut Answer) -> Result<Option<Accepted>, ErrorKind> {
        answer.try_recv().unwrap().map_err(|error| error.kind())
    }

    #[test]
    fn nobody_is_answered_before_the_commit_and_all_are_after_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inbox.db");
        let mut writer = writer(&path);
        let (first, mut answer) = accept("first", 1);
        let reader = Connection::open(&path).unwrap();
        let count = move || {
            let count = "select count(*) from events";
            reader.query_row(count, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count(), 0);
        let early = std::sync::Mutex::new(Vec::new());
        let early = Arc::new(early);
        let seen = Arc::clone(&early);
        let (last, _) = job(move |_| {
            // The first call has run, but not for anyone to see.
            seen.lock()
                .unwrap()
                .push((answer.try_recv().is_ok(), count()));
            Ok(())
        });
        let (second, mut later) = accept("second", 1);
        writer.commit(&mut vec![first, second, last]);
        assert_eq!(*early.lock().unwrap(), [(false, 0)]);
        assert_eq!(kind(&mut later), Ok(Some(Accepted::New)));
        let commits = "select count(*) from events";
        let events: i64 = writer
            .connection
            .query_row(commits, [], |row| row.get(0))
            .unwrap();
        assert_eq!(events, 2);
    }

    #[test]
    fn a_call_that_fails_undoes_nothing_of_the_others_and_leaves_nothing_itself() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(&folder.path().join("inbox.db"));
        let (good, mut kept) = accept("good", 1);
        let (bad, mut lost) = job(|rows| {
            let event = Event::new(EventKey::new("p", "bad").unwrap(), Bytes::new());
            rows.accept(&event)?;
            Err::<Option<Accepted>, _>(SqliteError::new(ErrorKind::Corrupt))
        });
        let (again, mut twice) = accept("good", 1);
        writer.commit(&mut vec![good, bad, again]);
        assert_eq!(kind(&mut kept), Ok(Some(Accepted::New)));
        assert_eq!(kind(&mut lost), Err(ErrorKind::Corrupt));
        assert_eq!(kind(&mut twice), Ok(Some(Accepted::Duplicate)));
        let (late, mut answer) = accept("bad", 1);
        writer.commit(&mut vec![late]);
        assert_eq!(kind(&mut answer), Ok(Some(Accepted::New)));
    }

    #[test]
    fn each_event_of_one_commit_wakes_a_worker_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(&folder.path().join("inbox.db"));
        let signal = Arc::clone(&writer.signal);
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(signal.wake.notified())).collect();
        for waiter in &mut waiting {
            assert!(!waiter.as_mut().enable());
        }
        let ids = ["a", "b", "b", "c"];
        let (mut batch, _answers): (Vec<_>, Vec<_>) =
            ids.map(|id| accept(id, 1)).into_iter().unzip();
        writer.commit(&mut batch);
        let woken = waiting.iter_mut().map(|waiter| waiter.as_mut().enable());
        assert_eq!(woken.collect::<Vec<_>>(), [true, true, true, false]);
    }

    #[test]
    fn a_full_disk_is_told_and_what_still_fits_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(&folder.path().join("inbox.db"));
        let pages: i64 = writer
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        writer
            .connection
            .pragma_update_and_check(None, "max_page_count", pages + 2, |_| Ok(()))
            .unwrap();
        let (large, mut refused) = accept("large", 100_000);
        let (small, mut kept) = accept("small", 10);
        writer.commit(&mut vec![large, small]);
        assert_eq!(kind(&mut refused), Err(ErrorKind::DiskFull));
        assert_eq!(kind(&mut kept), Ok(Some(Accepted::New)));
        // There is room again, and the sender comes back.
        writer
            .connection
            .pragma_update_and_check(None, "max_page_count", pages + 1000, |_| Ok(()))
            .unwrap();
        let (large, mut answer) = accept("large", 100_000);
        writer.commit(&mut vec![large]);
        assert_eq!(kind(&mut answer), Ok(Some(Accepted::New)));
    }
}
