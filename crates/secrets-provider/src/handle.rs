//! What the application holds.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwapOption;
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::Instant,
};

use crate::{
    HandleBuilder, Health, Loaded, SecretError, Snapshot, Source, Status, config::Config,
    source::SourceError,
};

/// A secret, cached, watched and kept fresh; its copies share it.
///
/// [`load`](Self::load) is wait-free and allocates nothing. One task fetches, for all copies and
/// whoever waits for them; it ends with the last copy.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use golive_secrets_provider::{Handle, Value, Version, Versions, source::MemorySource};
///
/// let source = MemorySource::new();
/// source.set("partner/secret", Versions::new(Version::new("v1", Value::new("s3cr3t")?)));
///
/// let secret = Handle::builder(source.clone(), "partner/secret").build()?;
/// secret.ready().await?;
/// assert_eq!(secret.load()?.current().id(), "v1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    // Ends the task when the last copy goes. The task itself holds `shared` alone.
    _task: Arc<Task>,
}

/// What handles and their task share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    /// What is served: nothing before the first fetch, and after the last was too long ago.
    pub(crate) served: ArcSwapOption<Snapshot>,
    /// NOTE: always written after `served`, so that whoever sees progress finds its result.
    pub(crate) progress: watch::Sender<Progress>,
    /// Somebody wants a refresh: `progress` says which.
    pub(crate) wanted: Notify,
}

/// What is known of the fetches. Health is made from it.
#[derive(Clone)]
pub(crate) struct Progress {
    /// Fetches that were started, that ended, and that somebody waits for, all counted from 1.
    pub(crate) started: u64,
    pub(crate) landed: u64,
    pub(crate) wanted: u64,
    /// When the fetch was asked for whose answer is served, or was last.
    pub(crate) asked_at: Option<Instant>,
    pub(crate) expired: bool,
    pub(crate) stopped: bool,
    /// `status` in it is made anew for whoever asks.
    pub(crate) health: Health,
}

struct Task(AbortHandle);

// === impl Handle ===

impl Handle {
    /// Takes a source and the name that the source knows the secret by. An `Arc` of a source is one
    /// too, so that several handles can share it.
    pub fn builder(source: impl Source, name: &str) -> HandleBuilder {
        HandleBuilder::new(Arc::new(source), name)
    }

    pub(crate) fn new(shared: Arc<Shared>, task: AbortHandle) -> Self {
        Self {
            shared,
            _task: Arc::new(Task(task)),
        }
    }

    /// What is served now: current and previous as one state. Wait-free, and allocates nothing but
    /// a record of a thread on its first call.
    ///
    /// # Errors
    /// - [`SecretError::NotYet`] and [`SecretError::Fetch`] before the first fetch that succeeded;
    /// - [`SecretError::TooOld`] when refreshes have failed for too long;
    /// - [`SecretError::Stopped`] when the runtime is gone.
    #[inline]
    pub fn load(&self) -> Result<Loaded, SecretError> {
        match Loaded::new(self.shared.served.load()) {
            Some(loaded) => Ok(loaded),
            None => Err(self.shared.why_nothing()),
        }
    }

    /// What is served, once the first fetch has ended. Afterwards it never waits.
    ///
    /// Any number of tasks may wait: they wait for the same fetch. It may be dropped at any time.
    ///
    /// # Errors
    /// As [`load`](Self::load), but never [`SecretError::NotYet`]. After a failure it answers with
    /// that failure at once, until the next fetch succeeds; to wait longer, await
    /// [`changed_since(0)`](Self::changed_since).
    pub async fn ready(&self) -> Result<Arc<Snapshot>, SecretError> {
        if let Some(snapshot) = self.shared.served.load_full() {
            return Ok(snapshot);
        }
        self.shared
            .wait_until(|progress| progress.landed > 0 || progress.stopped)
            .await;
        self.shared.result()
    }

    /// Fetches now, and answers with what was asked for after this call. For a caller whose secret
    /// was refused.
    ///
    /// Callers share one fetch, and fetches start at least a second apart, so that many refusals
    /// at once cost one or two. It may be dropped at any time.
    ///
    /// # Errors
    /// The fetch failed; what was served before still is, until it is too old.
    pub async fn refresh(&self) -> Result<Arc<Snapshot>, SecretError> {
        let mut target = 0;
        self.shared.progress.send_if_modified(|progress| {
            target = progress.started + 1;
            progress.wanted = progress.wanted.max(target);
            false // Nobody waits for a wish.
        });
        self.shared.wanted.notify_one();
        self.shared
            .wait_until(|progress| progress.landed >= target || progress.stopped)
            .await;
        let failed = self.shared.progress.borrow().health.last_error.clone();
        match failed {
            Some(cause) => Err(self.shared.not_fetched(cause)),
            None => self.shared.result(),
        }
    }

    /// The next state after the one that is served at the time of this call; before the first
    /// fetch, the first. It may be dropped at any time.
    ///
    /// To follow a secret in a loop use [`changed_since`](Self::changed_since), which misses
    /// nothing in between.
    ///
    /// # Errors
    /// [`SecretError::Stopped`].
    pub async fn changed(&self) -> Result<Arc<Snapshot>, SecretError> {
        self.changed_since(self.generation()).await
    }

    /// A state newer than that of `generation`, at once if there is one. Several changes may have
    /// become one. It may be dropped at any time.
    ///
    /// # Errors
    /// [`SecretError::Stopped`]. Failing refreshes are no change: see [`health`](Self::health).
    pub async fn changed_since(&self, generation: u64) -> Result<Arc<Snapshot>, SecretError> {
        loop {
            let snapshot = self.shared.served.load_full();
            if let Some(snapshot) = snapshot.filter(|s| s.generation() > generation) {
                return Ok(snapshot);
            }
            let newer = |progress: &Progress| {
                progress.stopped || (!progress.expired && progress.health.generation > generation)
            };
            self.shared.wait_until(newer).await;
            if self.shared.progress.borrow().stopped {
                return Err(self.shared.why_nothing());
            }
        }
    }

    /// How the secret is doing, apart from what it is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health(Instant::now())
    }

    /// The number of the state that is served, or was last; 0 before the first.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.shared.progress.borrow().health.generation
    }

    /// The name of the secret. It is not secret.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.config.name
    }

    /// Whether its source is for development alone, such as the environment. A program that runs in
    /// production should refuse it.
    #[must_use]
    pub fn is_for_development(&self) -> bool {
        self.shared.config.source.is_for_development()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("name", &self.name())
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            served: ArcSwapOption::empty(),
            progress: watch::Sender::new(Progress::new()),
            wanted: Notify::new(),
        }
    }

    pub(crate) fn health(&self, now: Instant) -> Health {
        let progress = self.progress.borrow();
        let status = match progress.asked_at {
            _ if progress.stopped => Status::Stopped,
            _ if progress.expired => Status::Expired,
            None => Status::Starting,
            Some(asked_at) => {
                let age = now.saturating_duration_since(asked_at);
                self.config.lifetimes.status(age)
            }
        };
        Health {
            status,
            ..progress.health.clone()
        }
    }

    fn result(&self) -> Result<Arc<Snapshot>, SecretError> {
        self.served.load_full().ok_or_else(|| self.why_nothing())
    }

    #[cold]
    fn why_nothing(&self) -> SecretError {
        let name = Arc::clone(&self.config.name);
        let progress = self.progress.borrow();
        match &progress.health.last_error {
            _ if progress.stopped => SecretError::Stopped { name },
            None => SecretError::NotYet { name },
            Some(cause) if progress.expired => SecretError::TooOld {
                name,
                after: self.config.lifetimes.whole(),
                cause: Arc::clone(cause),
            },
            Some(cause) => SecretError::Fetch {
                name,
                cause: Arc::clone(cause),
            },
        }
    }

    fn not_fetched(&self, cause: Arc<SourceError>) -> SecretError {
        let name = Arc::clone(&self.config.name);
        SecretError::Fetch { name, cause }
    }

    async fn wait_until(&self, done: impl FnMut(&Progress) -> bool) {
        // The sender lives in `self`, so the channel is open.
        let _ = self.progress.subscribe().wait_for(done).await;
    }
}

// === impl Progress ===

impl Progress {
    fn new() -> Self {
        Self {
            started: 0,
            landed: 0,
            wanted: 0,
            asked_at: None,
            expired: false,
            stopped: false,
            health: Health {
                status: Status::Starting,
                generation: 0,
                last_success: None,
                last_change: None,
                last_attempt: None,
                failures: 0,
                last_error: None,
            },
        }
    }
}

// === impl Task ===

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
