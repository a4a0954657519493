//! What an operator asks of a store.

use crate::{Event, EventKey, StoreError};

/// Looking into a store, and deciding about what its workers gave up.
pub trait Admin: Send + Sync + 'static {
    /// How much of what is in the store now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn stats(&self) -> impl Future<Output = Result<Stats, StoreError>> + Send;

    /// Events that were given up, in the order of their keys: at most `limit` of them, from the
    /// first key after `after` on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn dead_letters(
        &self,
        after: Option<&EventKey>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<DeadLetter>, StoreError>> + Send;

    /// Events whose key came before with other content, in the order of their keys and
    /// fingerprints: at most `limit` of them, from the first one after `after` on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn parked(
        &self,
        after: Option<&Event>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Event>, StoreError>> + Send;

    /// Puts a dead letter back into the queue, its attempts counted anew. `false` if there is no
    /// such dead letter.
    ///
    /// Whatever the handler deduplicates by must still be remembered where it was sent: a provider
    /// that forgets idempotency keys after a day would execute a loan of last week again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn redrive(&self, key: &EventKey) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Drops a dead letter, and all that is parked under this key. The key is still remembered for
    /// deduplication. `false` if there is neither.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn discard(&self, key: &EventKey) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// How much of what is in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Events that wait for a worker, or for the time of their next attempt.
    pub waiting: usize,
    /// Events that a worker has, or had when it died and whose lease has not been taken over.
    pub running: usize,
    /// Events that were given up.
    pub dead: usize,
    /// Events whose key came before with other content.
    pub parked: usize,
    /// Handled and discarded events that are remembered for deduplication.
    pub done: usize,
    /// Bytes of all bodies kept.
    pub bytes: usize,
}

/// An event that was given up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The event; [`Event::attempt`] is the number of the last attempt.
    pub event: Event,
    /// Why it was given up.
    pub reason: Box<str>,
}

// === impl Stats ===

impl Stats {
    /// Events kept with their bodies: what the bound on events counts.
    pub fn kept(&self) -> usize {
        self.waiting + self.running + self.dead + self.parked
    }
}

// === impl DeadLetter ===

impl DeadLetter {
    /// For stores.
    pub fn new(event: Event, reason: Box<str>) -> Self {
        Self { event, reason }
    }
}
