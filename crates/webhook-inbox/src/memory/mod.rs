//! A bounded store in memory. It is not durable: see [`MemoryStore`].

mod config;
mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

pub use self::config::MemoryStoreBuilder;
use self::state::State;
use crate::{
    Accepted, Admin, Claim, DeadLetter, Event, EventKey, Fenced, Owner, Release, Stats, Store,
    StoreError,
};

/// Keeps events in memory, within bounds.
///
/// **It is not durable.** What is accepted and not yet handled is lost with the process, and so is
/// the memory of what was handled: after a restart, a repeated delivery is handled again. For
/// tests, and where the effects are idempotent anyway and the provider can be asked to send anew.
///
/// A full store refuses ([`StoreError::Full`]); nothing is evicted to make room. Only the markers
/// of handled events are forgotten, when their time is over.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    wake: Notify,
}

impl MemoryStore {
    /// Starts a builder with the default bounds.
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder::default()
    }

    fn from_builder(config: MemoryStoreBuilder) -> Self {
        Self {
            state: Mutex::new(State::new(config)),
            wake: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No step of `State` can panic half-way; a poisoned lock still guards whole rows.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    async fn accept(&self, event: Event) -> Result<Accepted, StoreError> {
        let accepted = self.lock().accept(event, Instant::now())?;
        self.wake.notify_waiters();
        Ok(accepted)
    }

    async fn claim(&self, owner: Owner, lease: Duration) -> Result<Option<Claim>, StoreError> {
        Ok(self.lock().claim(owner, lease, Instant::now()))
    }

    async fn renew(
        &self,
        key: &EventKey,
        owner: Owner,
        lease: Duration,
    ) -> Result<Fenced, StoreError> {
        Ok(self.lock().renew(key, owner, lease, Instant::now()))
    }

    async fn ready(&self) {
        loop {
            // Made before the look, so that nothing slips in between: `notify_waiters` reaches
            // every `Notified` that exists, polled or not.
            let woken = self.wake.notified();
            let next = self.lock().next_due();
            match next {
                Some(due) if due <= Instant::now() => return,
                Some(due) => tokio::select! {
                    () = woken => {}
                    () = tokio::time::sleep_until(due) => return,
                },
                None => woken.await,
            }
        }
    }

    async fn complete(&self, key: &EventKey, owner: Owner) -> Result<Fenced, StoreError> {
        Ok(self.lock().complete(key, owner, Instant::now()))
    }

    async fn release(
        &self,
        key: &EventKey,
        owner: Owner,
        how: Release,
    ) -> Result<Fenced, StoreError> {
        let fenced = self.lock().release(key, owner, how, Instant::now());
        self.wake.notify_waiters();
        Ok(fenced)
    }
}

impl Admin for MemoryStore {
    async fn stats(&self) -> Result<Stats, StoreError> {
        Ok(self.lock().stats())
    }

    async fn dead_letters(
        &self,
        after: Option<&EventKey>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        Ok(self.lock().dead_letters(after, limit))
    }

    async fn parked(&self, after: Option<&Event>, limit: usize) -> Result<Vec<Event>, StoreError> {
        Ok(self.lock().parked(after, limit))
    }

    async fn redrive(&self, key: &EventKey) -> Result<bool, StoreError> {
        let found = self.lock().redrive(key, Instant::now());
        self.wake.notify_waiters();
        Ok(found)
    }

    async fn discard(&self, key: &EventKey) -> Result<bool, StoreError> {
        Ok(self.lock().discard(key, Instant::now()))
    }
}
