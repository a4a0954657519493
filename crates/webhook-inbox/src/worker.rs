//! One worker: claim, handle, settle, again.

use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower_service::Service;

use crate::{
    BoxError, Claim, Event, EventKey, Fenced, Owner, Release, RetryPolicy, Store, StoreError,
};

/// How long to wait before a failing store or a service that cannot get ready is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// How often to ask a failing store to take the outcome of an event.
const SETTLE_ATTEMPTS: u32 = 5;
const MAX_REASON_CHARS: usize = 512;

/// An error that no repetition will mend: the event goes to the dead letters at once.
///
/// Return it from the handler, as its error or boxed as its error.
#[derive(Debug, thiserror::Error)]
#[error("the event can never be handled: {0}")]
pub struct Permanent(#[source] BoxError);

/// Whether to go on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase {
    Serve,
    Drain { until: Option<Instant> },
}

pub(crate) struct Worker<St, S> {
    pub(crate) store: Arc<St>,
    pub(crate) service: S,
    pub(crate) retry: RetryPolicy,
    pub(crate) handler_timeout: Duration,
    pub(crate) lease: Duration,
    pub(crate) phase: watch::Receiver<Phase>,
}

/// What became of one run of the handler.
enum Outcome {
    Handled,
    Failed {
        reason: String,
        permanent: bool,
    },
    Abandoned,
    /// The lease ended and another worker has the event: it is no longer ours to settle.
    Lost,
}

// === impl Permanent ===

impl Permanent {
    /// Marks an error as permanent.
    pub fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }
}

// === impl Worker ===

impl<St, S> Worker<St, S>
where
    St: Store,
    S: Service<Event> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send,
    S::Error: Into<BoxError> + Send,
{
    /// Serves until told to drain. Returns how many events it gave back unfinished.
    pub(crate) async fn run(mut self) -> usize {
        let mut abandoned = 0;
        while let Some((service, claim)) = self.next().await {
            let key = claim.event.key().clone();
            let (owner, attempt) = (claim.owner, claim.event.attempt());
            let outcome = if attempt > self.retry.max_attempts() {
                // More attempts than there are, so the last one had no outcome. What kills its
                // process must not be given the next one.
                failed("the last attempt had no outcome: its process died or was stopped".into())
            } else {
                self.handle(service, claim).await
            };
            let release = match outcome {
                Outcome::Handled => None,
                Outcome::Lost => continue,
                Outcome::Failed { reason, permanent } => {
                    Some(self.after(attempt, &reason, permanent))
                }
                Outcome::Abandoned => {
                    abandoned += 1;
                    Some(Release::Undo)
                }
            };
            settle(|| async {
                match release.clone() {
                    None => self.store.complete(&key, owner).await,
                    Some(how) => self.store.release(&key, owner, how).await,
                }
            })
            .await;
        }
        abandoned
    }

    /// The next event, with a service that was polled ready for it; `None` when serving is over.
    ///
    /// The stop interrupts the waiting and never a claim, whose event would be in nobody's hand.
    async fn next(&mut self) -> Option<(S, Claim)> {
        let phase = &mut self.phase;
        let mut service = self.service.clone();
        // The same one until it has an event: a claim whose answer was lost is repeated.
        let owner = Owner::random();
        loop {
            // Ready before the claim: an event is not taken while nothing can handle it.
            if unless_draining(phase, poll_fn(|cx| service.poll_ready(cx)))
                .await?
                .is_err()
            {
                unless_draining(phase, tokio::time::sleep(PAUSE)).await?;
                service = self.service.clone();
                continue;
            }
            loop {
                match self.store.claim(owner, self.lease).await {
                    Ok(Some(claim)) => return Some((service, claim)),
                    Ok(None) => unless_draining(phase, self.store.ready()).await?,
                    Err(_) => unless_draining(phase, tokio::time::sleep(PAUSE)).await?,
                }
            }
        }
    }

    /// The handler runs as a task of its own: its panic is an error like any other.
    async fn handle(&mut self, mut service: S, claim: Claim) -> Outcome {
        let Claim { event, owner, .. } = claim;
        let key = event.key().clone();
        let mut running = Running(tokio::spawn(async move {
            service.call(event).await.map(drop).map_err(Into::into)
        }));
        let lost = lost(&*self.store, &key, owner, self.lease);
        let timeout = tokio::time::sleep(self.handler_timeout);
        let outcome = tokio::select! {
            biased;
            joined = &mut running.0 => Some(joined),
            () = timeout => return failed("the handler did not finish in time".into()),
            () = lost => return Outcome::Lost,
            () = drained(&mut self.phase) => None,
        };
        match outcome {
            None => Outcome::Abandoned,
            Some(Ok(Ok(()))) => Outcome::Handled,
            Some(Ok(Err(error))) => Outcome::Failed {
                permanent: is_permanent(&*error),
                reason: error.to_string(),
            },
            // NOTE: the message of a panic may hold anything, so it is not repeated here.
            Some(Err(join)) if join.is_panic() => failed("the handler panicked".into()),
            Some(Err(_)) => Outcome::Abandoned,
        }
    }

    fn after(&self, attempt: u32, reason: &str, permanent: bool) -> Release {
        match self.retry.delay(attempt, fastrand::u32(..)) {
            Some(after) if !permanent => Release::Retry { after },
            _ => Release::Dead {
                reason: reason
                    .chars()
                    .take(MAX_REASON_CHARS)
                    .collect::<String>()
                    .into(),
            },
        }
    }
}

/// Keeps the lease up, and returns when it was lost all the same.
///
/// A store that fails is no reason to stop the handler: whoever could take the event over needs
/// that store too, and what happens in between is settled by the fence.
async fn lost<St: Store>(store: &St, key: &EventKey, owner: Owner, lease: Duration) {
    loop {
        tokio::time::sleep(lease / 3).await;
        if let Ok(Fenced::Lost) = store.renew(key, owner, lease).await {
            return;
        }
    }
}

/// Tells the store what became of the event. If it cannot be told, the event stays claimed: it
/// comes back when its lease ends, and never with a false outcome.
async fn settle<F, T>(mut tell: impl FnMut() -> F)
where
    F: Future<Output = Result<T, StoreError>>,
{
    for _ in 0..SETTLE_ATTEMPTS {
        if tell().await.is_ok() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Layers between the handler and the worker may have wrapped its error.
fn is_permanent(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source()).any(<dyn Error>::is::<Permanent>)
}

fn failed(reason: String) -> Outcome {
    Outcome::Failed {
        reason,
        permanent: false,
    }
}

/// `None` once serving is over. A dropped [`Workers`](crate::Workers) counts as that.
async fn unless_draining<T>(
    phase: &mut watch::Receiver<Phase>,
    waiting: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        _ = phase.wait_for(|phase| matches!(phase, Phase::Drain { .. })) => None,
        done = waiting => Some(done),
    }
}

/// Until the time for draining is over.
async fn drained(phase: &mut watch::Receiver<Phase>) {
    let ending = |phase: &Phase| matches!(phase, Phase::Drain { until: Some(_) });
    let until = phase.wait_for(ending).await.map(|phase| *phase);
    match until {
        Ok(Phase::Drain { until: Some(until) }) => tokio::time::sleep_until(until).await,
        _ => std::future::pending().await,
    }
}

/// Stops the handler when nobody waits for it any more.
struct Running(JoinHandle<Result<(), BoxError>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}
