//! The bounds and settings of a [`SqliteStore`].

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use golive_core::{Clock, SystemClock};

use crate::error::{ErrorKind, SqliteError};
use crate::store::SqliteStore;
use crate::writer::MAX_WAITING;

/// Gathers the settings of a [`SqliteStore`]; start with [`SqliteStore::builder`].
#[must_use]
pub struct SqliteStoreBuilder {
    pub(crate) path: PathBuf,
    pub(crate) bounds: Bounds,
    pub(crate) busy_timeout: Duration,
    pub(crate) max_batch: usize,
    pub(crate) poll: Duration,
    pub(crate) clock: Arc<dyn Clock>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) max_events: usize,
    pub(crate) max_bytes: usize,
    pub(crate) max_keys: usize,
    pub(crate) remember: Duration,
}

impl SqliteStoreBuilder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            bounds: Bounds {
                max_events: 100_000,
                max_bytes: 1024 * 1024 * 1024,
                max_keys: 1_000_000,
                // The schedule of Standard Webhooks spans 75 hours; a week leaves room for a
                // sender that is asked to send again by hand.
                remember: Duration::from_secs(7 * 24 * 60 * 60),
            },
            // A provider waits five seconds for its answer: a 503 must come before that.
            busy_timeout: Duration::from_secs(2),
            max_batch: 256,
            poll: Duration::from_secs(1),
            clock: Arc::new(SystemClock),
        }
    }

    /// The most events kept with their bodies: waiting, running, dead and parked. Default:
    /// 100,000.
    pub fn max_events(mut self, events: usize) -> Self {
        self.bounds.max_events = events;
        self
    }

    /// The most bytes of bodies kept. The file is somewhat larger, and does not shrink. Default:
    /// 1 GiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.bounds.max_bytes = bytes;
        self
    }

    /// The most keys remembered, handled events included; a key takes some 200 bytes of the file.
    /// Default: 1,000,000.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.bounds.max_keys = keys;
        self
    }

    /// How long a handled event is remembered for deduplication. Default: 7 days.
    pub fn remember(mut self, time: Duration) -> Self {
        self.bounds.remember = time;
        self
    }

    /// How long to wait for another process that holds the write lock. Default: 2 seconds.
    pub fn busy_timeout(mut self, time: Duration) -> Self {
        self.busy_timeout = time;
        self
    }

    /// How many calls share one transaction at most. 1 gives each call a transaction of its own,
    /// which is several times slower under load and no faster without. Default: 256, at most 1,024.
    pub fn max_batch(mut self, calls: usize) -> Self {
        self.max_batch = calls;
        self
    }

    /// How often an idle worker looks for events that another process wrote into the same file.
    /// Those of this process wake it at once. Default: 1 second.
    pub fn poll(mut self, interval: Duration) -> Self {
        self.poll = interval;
        self
    }

    /// What tells the time. Default: the clock of the machine.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Opens the database and starts the thread that writes. A file that does not exist is made,
    /// for its owner's eyes only; an older schema is brought up to date.
    ///
    /// # Errors
    /// [`SqliteError`], among others of kind
    /// - [`ErrorKind::Setting`] if a bound or a time but the busy timeout is zero, a time longer
    ///   than ten years, or the batch not 1 to 1,024 calls;
    /// - [`ErrorKind::Newer`], [`ErrorKind::Foreign`], [`ErrorKind::Corrupt`] if the file is not
    ///   for us: it is left as it is;
    /// - [`ErrorKind::NoWal`] if the place is not fit;
    /// - [`ErrorKind::Denied`], [`ErrorKind::DiskFull`], [`ErrorKind::Busy`], [`ErrorKind::Io`].
    pub async fn open(self) -> Result<SqliteStore, SqliteError> {
        let most = Duration::from_secs(10 * 366 * 24 * 60 * 60);
        let Bounds {
            max_events,
            max_bytes,
            max_keys,
            remember,
        } = self.bounds;
        let zero = max_events.min(max_bytes).min(max_keys) == 0;
        let zero = zero || remember.min(self.poll).is_zero();
        let long = remember.max(self.poll).max(self.busy_timeout) > most;
        if zero || long || !(1..=MAX_WAITING).contains(&self.max_batch) {
            return Err(SqliteError::new(ErrorKind::Setting));
        }
        SqliteStore::open(self).await
    }
}

impl fmt::Debug for SqliteStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStoreBuilder")
            .field("path", &self.path)
            .field("bounds", &self.bounds)
            .field("busy_timeout", &self.busy_timeout)
            .field("max_batch", &self.max_batch)
            .field("poll", &self.poll)
            .finish_non_exhaustive()
    }
}
