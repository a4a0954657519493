//! The workers of an inbox: settings, start and stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower_service::Service;

use crate::worker::{Phase, Worker};
use crate::{BoxError, Event, RetryPolicy, Store};

const MAX_CONCURRENCY: usize = 1024;
const MAX_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// Workers that take events from a [`Store`] and hand them to a `tower` service.
///
/// Dropping this stops the claiming of further events; what is being handled is finished in the
/// background. [`shutdown`](Self::shutdown) waits for it.
#[derive(Debug)]
#[must_use = "dropping the workers stops them"]
pub struct Workers {
    phase: watch::Sender<Phase>,
    tasks: Vec<JoinHandle<usize>>,
}

/// Gathers the settings of [`Workers`]; start with [`Workers::builder`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct WorkersBuilder {
    concurrency: usize,
    retry: RetryPolicy,
    handler_timeout: Duration,
    lease: Duration,
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// How many events were still being handled when the time was over. They were stopped and
    /// given back to the store, to be handled again.
    pub abandoned: usize,
}

/// Why an inbox was not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The number of workers is 0 or over 1024.
    #[error("{seen} workers were asked for, it must be 1 to 1024")]
    Concurrency {
        /// What was given.
        seen: usize,
    },
    /// The handler is given no time.
    #[error("the handler timeout is zero, so that no event could ever be handled")]
    HandlerTimeout,
    /// The lease of an event is zero or over a day.
    #[error("the lease is {seen:?}, it must be above zero and at most a day")]
    Lease {
        /// What was given.
        seen: Duration,
    },
    /// The retry policy cannot work.
    #[error("a retry policy needs a base above zero, a cap of at least the base, and an attempt")]
    Retry,
    /// A bound of the store is zero or beyond reason.
    #[error("a bound of the store is zero, or its memory is longer than ten years")]
    Bound,
}

// === impl Workers ===

impl Workers {
    /// Starts a builder: 8 workers, the default [`RetryPolicy`], 5 minutes for a handler, leases
    /// of 30 seconds.
    pub fn builder() -> WorkersBuilder {
        WorkersBuilder {
            concurrency: 8,
            retry: RetryPolicy::default(),
            handler_timeout: Duration::from_secs(5 * 60),
            lease: Duration::from_secs(30),
        }
    }

    /// Claims no further event and waits until those in hand are handled, at most for `grace`.
    /// What is still running then is stopped and given back to the store.
    pub async fn shutdown(self, grace: Duration) -> Drained {
        let until = Instant::now().checked_add(grace);
        self.phase.send_replace(Phase::Drain { until });
        let mut abandoned = 0;
        for task in self.tasks {
            abandoned += task.await.unwrap_or(0);
        }
        Drained { abandoned }
    }
}

// === impl WorkersBuilder ===

impl WorkersBuilder {
    /// How many events are handled at once. Default: 8, at most 1024.
    pub fn concurrency(mut self, workers: usize) -> Self {
        self.concurrency = workers;
        self
    }

    /// When a failed event is tried again.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// How long a handler may take before it is stopped and the attempt counts as failed.
    /// Default: 5 minutes.
    pub fn handler_timeout(mut self, timeout: Duration) -> Self {
        self.handler_timeout = timeout;
        self
    }

    /// For how long a worker takes an event. It renews the lease in every third of this while the
    /// handler runs, so this bounds no handler: it is how long the events of a process that died
    /// wait until another one takes them over. Default: 30 seconds, at most a day.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Starts the workers on the current tokio runtime.
    ///
    /// The service's error means that the event was not handled: it is tried again, and at last
    /// put among the dead letters; [`Permanent`](crate::Permanent) goes there at once. A panic and
    /// a timeout count as errors.
    ///
    /// # Errors
    /// - [`ConfigError::Concurrency`] unless there are 1 to 1024 workers;
    /// - [`ConfigError::HandlerTimeout`] if the timeout is zero;
    /// - [`ConfigError::Lease`] if the lease is zero or longer than a day.
    ///
    /// # Panics
    /// Outside a tokio runtime, as [`tokio::spawn`] does.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "the workers share ownership, as the signature should say"
    )]
    pub fn spawn<St, S>(self, store: Arc<St>, service: S) -> Result<Workers, ConfigError>
    where
        St: Store,
        S: Service<Event> + Clone + Send + 'static,
        S::Future: Send,
        S::Response: Send,
        S::Error: Into<BoxError> + Send,
    {
        let seen = self.concurrency;
        if !(1..=MAX_CONCURRENCY).contains(&seen) {
            return Err(ConfigError::Concurrency { seen });
        }
        if self.handler_timeout.is_zero() {
            return Err(ConfigError::HandlerTimeout);
        }
        let seen = self.lease;
        if seen.is_zero() || seen > MAX_LEASE {
            return Err(ConfigError::Lease { seen });
        }
        let (sender, phase) = watch::channel(Phase::Serve);
        let worker = |_| Worker {
            store: Arc::clone(&store),
            service: service.clone(),
            retry: self.retry,
            handler_timeout: self.handler_timeout,
            lease: self.lease,
            phase: phase.clone(),
        };
        let tasks = (0..self.concurrency)
            .map(|n| tokio::spawn(worker(n).run()))
            .collect();
        Ok(Workers {
            phase: sender,
            tasks,
        })
    }
}
