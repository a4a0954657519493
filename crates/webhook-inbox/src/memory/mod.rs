//! A bounded store in memory. It is not durable: see [`MemoryStore`].

mod config;
mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

pub use self::config::MemoryStoreBuilder;
use self::state::State;
pub use self::state::{DeadLetter, Stats};
use crate::{Accepted, Claim, Event, EventKey, Fenced, Owner, Release, Store, StoreError};

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

    /// How much of what is in the store now.
    pub fn stats(&self) -> Stats {
        self.lock().stats()
    }

    /// The events that were given up, in no particular order.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.lock().dead_letters()
    }

    /// The events whose key came a second time with other content, in no particular order.
    pub fn parked(&self) -> Vec<Event> {
        self.lock().parked()
    }

    /// Puts a dead letter back into the queue, its attempts counted anew. `false` if there is no
    /// such dead letter.
    pub fn redrive(&self, key: &EventKey) -> bool {
        let found = self.lock().redrive(key, Instant::now());
        self.wake.notify_waiters();
        found
    }

    /// Drops a dead letter, or what is parked under this key. Its key is still remembered for
    /// deduplication. `false` if there is neither.
    pub fn discard(&self, key: &EventKey) -> bool {
        self.lock().discard(key, Instant::now())
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

    async fn claim(&self, owner: Owner) -> Result<Option<Claim>, StoreError> {
        Ok(self.lock().claim(owner, Instant::now()))
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
