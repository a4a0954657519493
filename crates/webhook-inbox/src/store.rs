//! What the inbox asks of the place where events are kept.

use std::time::Duration;

use crate::{BoxError, Event, EventKey};

/// Where events are kept: deduplication and queue in one row for each event.
///
/// Accepting must be one step (persist and deduplicate together), and every write after a claim is
/// fenced by its [`Owner`]: a worker that was given up on cannot undo the work of its successor.
/// The time is the store's: a lease ends, and an event is due, by its clock alone.
///
/// The module `conformance` (a feature) holds what every store promises, as tests.
pub trait Store: Send + Sync + 'static {
    /// Keeps an event, once. When this returns, the event is as durable as the store is.
    ///
    /// # Errors
    /// [`StoreError`]: the event was not kept, and the sender must send it again.
    fn accept(&self, event: Event) -> impl Future<Output = Result<Accepted, StoreError>> + Send;

    /// Takes the next event that is due, if there is one, for this owner and this long. An event
    /// whose lease has ended is due again, with that attempt counted.
    ///
    /// An owner that has an event already gets the same one, at the same attempt and with a new
    /// lease: so a claim whose answer was lost can be repeated.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: it is unknown whether an event was taken; ask again with the
    /// same owner.
    fn claim(
        &self,
        owner: Owner,
        lease: Duration,
    ) -> impl Future<Output = Result<Option<Claim>, StoreError>> + Send;

    /// The event is still being handled: its lease now ends this long from now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: it is unknown whether it was written; ask again.
    fn renew(
        &self,
        key: &EventKey,
        owner: Owner,
        lease: Duration,
    ) -> impl Future<Output = Result<Fenced, StoreError>> + Send;

    /// Waits until a claim may find something. It may wake for nothing, but it never sleeps
    /// through an event that is due. Dropping it loses nothing.
    fn ready(&self) -> impl Future<Output = ()> + Send;

    /// The event was handled: drops its body, keeps its key for deduplication.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: it is unknown whether it was written; ask again.
    fn complete(
        &self,
        key: &EventKey,
        owner: Owner,
    ) -> impl Future<Output = Result<Fenced, StoreError>> + Send;

    /// The event was not handled: gives it back, to be tried later or never again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: it is unknown whether it was written; ask again.
    fn release(
        &self,
        key: &EventKey,
        owner: Owner,
        how: Release,
    ) -> impl Future<Output = Result<Fenced, StoreError>> + Send;
}

/// What became of an event that was offered to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Accepted {
    /// It is new, and will be handled.
    New,
    /// It was accepted before; nothing changed.
    Duplicate,
    /// Its key was seen before with other content. It is parked for someone to look at, and will
    /// not be handled; the first one is not affected.
    Conflict,
}

/// Whether a fenced write took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum Fenced {
    /// It did.
    Applied,
    /// It did not: the event is not, or no longer, this owner's.
    Lost,
}

/// One claim of one event: a random number made by the claimer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner(u64);

/// An event that was taken to be handled, with its attempt counted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Claim {
    /// The event.
    pub event: Event,
    /// Whose it is until it is completed or released.
    pub owner: Owner,
}

/// How an event is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Release {
    /// Try again after this time.
    Retry {
        /// From now.
        after: Duration,
    },
    /// Nobody got to finish it, and it was not the event's fault: try again at once, and do not
    /// count the attempt.
    Undo,
    /// Never again: keep it among the dead letters.
    Dead {
        /// Why, in words for an operator.
        reason: Box<str>,
    },
}

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store is at its bound and refuses; nothing is evicted to make room.
    #[error(
        "the inbox is full: make its workers faster, clear its dead letters, or raise its bounds"
    )]
    Full,
    /// The store cannot be reached or failed; its source says how.
    #[error("the inbox's store failed; its operator must see to it")]
    Unavailable(#[source] BoxError),
}

// === impl Owner ===

impl Owner {
    /// A new owner, different from all others as far as 64 random bits go.
    pub fn random() -> Self {
        Self(fastrand::u64(..))
    }

    /// The number, for a store to keep.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

// === impl Claim ===

impl Claim {
    /// For stores.
    pub fn new(event: Event, owner: Owner) -> Self {
        Self { event, owner }
    }
}
