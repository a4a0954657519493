//! The store: opening it, and waiting for what is due in it.

use std::fmt;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use golive_core::Clock;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::config::SqliteStoreBuilder;
use crate::error::{ErrorKind, SqliteError};
use crate::rows::millis;
use crate::schema;
use crate::writer::{Handle, Signal, Writer};

/// An inbox in one SQLite file. See the crate's documentation.
///
/// It is shared by `Arc`. When the last one is dropped, the thread that writes does what it was
/// already asked to do, and ends.
pub struct SqliteStore {
    pub(crate) writer: Handle,
    signal: Arc<Signal>,
    clock: Arc<dyn Clock>,
    poll: Duration,
}

impl SqliteStore {
    /// Starts a builder for the database in this file.
    pub fn builder(path: impl Into<PathBuf>) -> SqliteStoreBuilder {
        SqliteStoreBuilder::new(path.into())
    }

    pub(crate) async fn open(config: SqliteStoreBuilder) -> Result<Self, SqliteError> {
        let (writer, waiting) = Handle::new();
        let signal = Arc::new(Signal::new());
        let store = Self {
            writer,
            signal: Arc::clone(&signal),
            clock: Arc::clone(&config.clock),
            poll: config.poll,
        };
        let (tell, opened) = oneshot::channel();
        // A thread of its own, for it blocks on the disk all its life.
        let thread = std::thread::Builder::new().name("golive-store-sqlite".into());
        let run = move || match schema::open(&config.path, config.busy_timeout) {
            Err(error) => drop(tell.send(Err(error))),
            Ok(connection) => {
                // Whoever opens may have given up; then nobody calls, and the writer ends.
                let _ = tell.send(Ok(()));
                let writer = Writer {
                    connection,
                    bounds: config.bounds,
                    max_batch: config.max_batch,
                    clock: config.clock,
                    signal,
                };
                writer.run(waiting);
            }
        };
        thread
            .spawn(run)
            .map_err(|error| SqliteError::caused(ErrorKind::Other, error))?;
        let closed = |_| SqliteError::new(ErrorKind::Closed);
        opened.await.map_err(closed)??;
        Ok(store)
    }

    /// Waits for an event that is due. An event that a write of ours made due wakes one waiter, or
    /// the next one to come; what falls due with time wakes all.
    pub(crate) async fn wait(&self) {
        let look = Instant::now() + self.poll;
        // Made before the look, so that nothing slips in between.
        let mut woken = pin!(self.signal.wake.notified());
        if woken.as_mut().enable() {
            return;
        }
        let mut due = self.signal.due.subscribe();
        let is_due = |at: i64| at <= millis(self.clock.now());
        if due.borrow_and_update().is_some_and(is_due) {
            return;
        }
        loop {
            let next = *due.borrow_and_update();
            let until = match next {
                // Whoever was woken for it is on the way.
                Some(at) if is_due(at) => look,
                Some(at) => {
                    let wait = at.saturating_sub(millis(self.clock.now()));
                    let wait = Duration::from_millis(u64::try_from(wait).unwrap_or(0));
                    Instant::now()
                        .checked_add(wait)
                        .map_or(look, |at| at.min(look))
                }
                None => look,
            };
            tokio::select! {
                () = &mut woken => return,
                () = tokio::time::sleep_until(until) => return,
                changed = due.changed() => {
                    // The writer is gone: a claim will say so, but not in a hurry.
                    if changed.is_err() {
                        return tokio::time::sleep_until(look).await;
                    }
                }
            }
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}
