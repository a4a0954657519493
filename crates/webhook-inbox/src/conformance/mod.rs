//! What every store promises, as tests that run over any implementation.
//!
//! [`conformance!`](crate::conformance!) makes one test of each clause. Say how your store is opened and how its
//! clock is moved, and name the arguments of `tokio::test` for the clauses that move the clock:
//!
//! ```
//! use std::time::Duration;
//!
//! use golive_webhook_inbox::MemoryStore;
//! use golive_webhook_inbox::conformance::{Bounds, Subject};
//!
//! struct Memory;
//!
//! impl Subject for Memory {
//!     type Store = MemoryStore;
//!
//!     async fn open(&self, bounds: Bounds) -> MemoryStore {
//!         let builder = MemoryStore::builder().max_events(bounds.max_events);
//!         let builder = builder.max_bytes(bounds.max_bytes).max_keys(bounds.max_keys);
//!         builder.build().expect("the bounds are above zero")
//!     }
//!
//!     async fn advance(&self, by: Duration) {
//!         tokio::time::advance(by).await;
//!     }
//! }
//!
//! golive_webhook_inbox::conformance!(Memory, (start_paused = true));
//! # fn main() {}
//! ```
//!
//! The calling crate needs `tokio` with `macros` and `rt-multi-thread` among its dev-dependencies.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a clause that fails is a test that fails"
)]

mod claims;
mod keeping;
mod operating;
mod races;

use std::time::Duration;

use bytes::Bytes;

pub use self::claims::*;
pub use self::keeping::*;
pub use self::operating::*;
pub use self::races::*;
use crate::{Accepted, Admin, Event, EventKey, Fenced, Owner, Release, Store, StoreError};

/// A kind of store that is put to the test.
pub trait Subject: Send + Sync {
    /// The store.
    type Store: Store + Admin;

    /// An empty store with these bounds, which remembers handled events for seven days.
    fn open(&self, bounds: Bounds) -> impl Future<Output = Self::Store> + Send;

    /// Moves the clock of the store that was opened last.
    fn advance(&self, by: Duration) -> impl Future<Output = ()> + Send;
}

/// How much a store may hold.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Bounds {
    /// Events with their bodies.
    pub max_events: usize,
    /// Bytes of bodies.
    pub max_bytes: usize,
    /// Keys, those of handled events included.
    pub max_keys: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            max_events: 10_000,
            max_bytes: 1024 * 1024,
            max_keys: 10_000,
        }
    }
}

/// Makes a test of every clause that a store has to keep.
///
/// Takes an expression for a [`Subject`](crate::conformance::Subject), evaluated anew for each
/// test, and in parentheses the arguments of `tokio::test` for the clauses that move the clock.
/// The races run on four threads and do not move it.
#[macro_export]
macro_rules! conformance {
    ($subject:expr, $arguments:tt) => {
        $crate::conformance!(@tests $subject, $arguments,
            an_event_is_new_once_while_it_waits_runs_and_after_it_is_done
            a_handled_event_is_remembered_for_seven_days
            a_key_is_new_again_when_it_is_forgotten_however_many_are
            what_waits_or_is_dead_is_never_forgotten
            other_content_under_the_same_key_is_parked_and_the_first_is_handled
            other_content_after_it_was_handled_is_parked_too
            a_store_at_any_of_its_bounds_refuses_and_evicts_nothing
            room_comes_back_when_an_event_is_done_and_for_keys_when_it_is_forgotten
            a_conflict_needs_room_too
            keys_and_bodies_of_any_bytes_come_back_as_they_were
            events_come_in_the_order_of_arrival
            a_late_owner_cannot_undo_what_its_successor_did
            a_failure_that_comes_after_the_lease_does_not_undo_what_the_successor_completed
            an_event_whose_lease_ended_is_taken_over_and_the_attempt_counts
            a_renewed_lease_is_not_taken_over
            an_owner_whose_lease_ended_may_still_complete_what_nobody_took_over
            a_repeated_claim_gets_the_same_event_and_a_new_lease
            a_retry_is_due_after_its_wait_and_not_before
            ready_returns_for_what_is_accepted_and_for_what_falls_due
            an_undone_attempt_does_not_count_and_is_due_at_once
            a_dead_letter_can_be_driven_again_or_discarded
            lists_are_in_order_and_come_in_pages
        );
        $crate::conformance!(@tests $subject, (flavor = "multi_thread", worker_threads = 4),
            copies_at_once_are_one_event
            workers_at_once_never_share_an_event
            senders_at_once_never_exceed_the_bound
            of_all_outcomes_at_once_one_is_applied
            nothing_is_lost_or_counted_twice_while_everything_happens_at_once
        );
    };
    (@tests $subject:expr, $arguments:tt, $($clause:ident)*) => {
        $(
            #[tokio::test $arguments]
            async fn $clause() {
                $crate::conformance::$clause(&$subject).await;
            }
        )*
    };
}

const LEASE: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn key(id: &str) -> EventKey {
    EventKey::new("p", id).unwrap()
}

fn event(id: &str, body: &'static str) -> Event {
    Event::new(key(id), Bytes::from_static(body.as_bytes()))
}

fn retry(after: Duration) -> Release {
    Release::Retry { after }
}

fn dead() -> Release {
    Release::Dead {
        reason: "broken".into(),
    }
}

async fn accept(store: &impl Store, id: &str, body: &'static str) -> Result<Accepted, StoreError> {
    store.accept(event(id, body)).await
}

/// Claims for a new owner.
async fn claim(store: &impl Store) -> Option<(Event, Owner)> {
    let claim = store.claim(Owner::random(), LEASE).await.unwrap()?;
    Some((claim.event, claim.owner))
}

async fn complete(store: &impl Store, event: &Event, owner: Owner) -> Fenced {
    store.complete(event.key(), owner).await.unwrap()
}

async fn release(store: &impl Store, event: &Event, owner: Owner, how: Release) -> Fenced {
    store.release(event.key(), owner, how).await.unwrap()
}

/// Claims the next event and handles it.
async fn finish(store: &impl Store) {
    let (event, owner) = claim(store).await.unwrap();
    assert_eq!(complete(store, &event, owner).await, Fenced::Applied);
}

/// Claims the next event and gives it up.
async fn bury(store: &impl Store) {
    let (event, owner) = claim(store).await.unwrap();
    assert_eq!(release(store, &event, owner, dead()).await, Fenced::Applied);
}

fn is_full(result: &Result<Accepted, StoreError>) -> bool {
    matches!(result, Err(StoreError::Full))
}
