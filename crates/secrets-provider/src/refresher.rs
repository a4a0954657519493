//! The task that fetches: one at a time, ahead of need, for all copies of a handle.

use std::{future::pending, sync::Arc, time::Duration};

use tokio::{
    runtime,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    Handle, Snapshot, Versions,
    config::Config,
    handle::Shared,
    policy,
    source::{SourceError, SourceErrorKind},
};

/// Fetches that somebody asks for start at least this far apart.
const BETWEEN: Duration = Duration::from_secs(1);

/// The task. Whatever ends it, dropping it stops the service, so that a secret that nobody
/// refreshes is not served for ever.
struct Refresher {
    shared: Arc<Shared>,
}

/// A fetch on a task of its own: a source that panics or blocks does not take the refresher along.
/// It ends when it is dropped.
struct Flight(JoinHandle<Result<Versions, SourceError>>);

/// Starts the task, and with it the first fetch.
pub(crate) fn start(config: Config, runtime: &runtime::Handle) -> Handle {
    let shared = Arc::new(Shared::new(config));
    let refresher = Refresher {
        shared: Arc::clone(&shared),
    };
    let task = runtime.spawn(refresher.run());
    Handle::new(shared, task.abort_handle())
}

// === impl Refresher ===

impl Refresher {
    async fn run(self) {
        loop {
            let asked_at = Instant::now();
            self.shared
                .progress
                .send_modify(|progress| progress.started += 1);
            let result = self.fetch(asked_at).await;
            let random = (self.shared.config.random)();
            let next = self.land(result, asked_at, random);
            self.rest(asked_at, next).await;
        }
    }

    async fn fetch(&self, asked_at: Instant) -> Result<Versions, SourceError> {
        let config = &self.shared.config;
        let (source, name) = (Arc::clone(&config.source), Arc::clone(&config.name));
        let mut flight = Flight(tokio::spawn(async move { source.fetch(&name).await }));
        let landed = timeout_at(asked_at + config.fetch_timeout, &mut flight.0);
        match self.unless_too_old(landed).await {
            Ok(Ok(result)) => result,
            // The panic itself stays where the runtime put it: its words may hold anything.
            Ok(Err(_)) => Err(SourceError::new(
                SourceErrorKind::Unavailable,
                "the source panicked",
            )),
            Err(_) => Err(SourceError::new(
                SourceErrorKind::Timeout,
                "no answer in time",
            )),
        }
    }

    /// Publishes a result, and says when the next fetch is due.
    fn land(
        &self,
        result: Result<Versions, SourceError>,
        asked_at: Instant,
        random: f64,
    ) -> Instant {
        let shared = &*self.shared;
        let now = shared.config.clock.now();
        let (failures, generation) = {
            let progress = shared.progress.borrow();
            (progress.health.failures, progress.health.generation)
        };
        match result {
            Ok(versions) => {
                let served = shared.served.load_full();
                let changed = served.is_none_or(|served| !served.versions().same_as(&versions));
                // NOTE: after an expiry it counts as changed even if it is the same: whoever kept
                // something by the generation dropped it, or should have.
                let generation = generation + u64::from(changed);
                if changed {
                    let snapshot = Snapshot::new(versions, generation);
                    shared.served.store(Some(Arc::new(snapshot)));
                }
                shared.progress.send_modify(|progress| {
                    progress.landed = progress.started;
                    progress.asked_at = Some(asked_at);
                    progress.expired = false;
                    let health = &mut progress.health;
                    health.generation = generation;
                    health.last_success = Some(now);
                    health.last_attempt = Some(now);
                    health.failures = 0;
                    health.last_error = None;
                    if changed {
                        health.last_change = Some(now);
                    }
                });
                asked_at + shared.config.lifetimes.refresh_after(random)
            }
            // A failure leaves what is served alone, until it is too old.
            Err(error) => {
                let failures = failures.saturating_add(1);
                shared.progress.send_modify(|progress| {
                    progress.landed = progress.started;
                    let health = &mut progress.health;
                    health.last_attempt = Some(now);
                    health.failures = failures;
                    health.last_error = Some(Arc::new(error));
                });
                let pause = policy::pause(failures, random);
                Instant::now() + pause.min(shared.config.lifetimes.fresh_for)
            }
        }
    }

    /// Waits until the next fetch is due, or somebody asks for one.
    async fn rest(&self, asked_at: Instant, next: Instant) {
        let asked_for = async {
            loop {
                let told = self.shared.wanted.notified();
                {
                    let progress = self.shared.progress.borrow();
                    if progress.wanted > progress.started {
                        break;
                    }
                }
                told.await;
            }
            sleep_until(asked_at + BETWEEN).await;
        };
        let rested = async {
            tokio::select! {
                () = sleep_until(next) => {}
                () = asked_for => {}
            }
        };
        self.unless_too_old(rested).await;
    }

    /// Runs `future`, and ends the service meanwhile if what is served becomes too old.
    async fn unless_too_old<T>(&self, future: impl Future<Output = T>) -> T {
        let too_old = async {
            let serving = self.shared.served.load().is_some();
            let asked_at = self.shared.progress.borrow().asked_at;
            if let Some(asked_at) = asked_at.filter(|_| serving) {
                sleep_until(asked_at + self.shared.config.lifetimes.whole()).await;
                self.shared.served.store(None);
                self.shared
                    .progress
                    .send_modify(|progress| progress.expired = true);
            }
            pending::<()>().await;
        };
        tokio::select! {
            biased;
            result = future => result,
            () = too_old => unreachable!("it is pending for ever"),
        }
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.shared.served.store(None);
        self.shared
            .progress
            .send_modify(|progress| progress.stopped = true);
    }
}

// === impl Flight ===

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.abort();
    }
}
