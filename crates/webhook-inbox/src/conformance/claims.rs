//! Whose an event is, until when, and what becomes of it then.

use std::time::Duration;

use super::{Bounds, LEASE, SECOND, Subject, accept, claim, complete, finish, key, release, retry};
use crate::{Admin, Fenced, Owner, Release, Store};

/// Given back, taken by another, and then the first one speaks again.
pub async fn a_late_owner_cannot_undo_what_its_successor_did(subject: &impl Subject) {
    let store = subject.open(Bounds::default()).await;
    accept(&store, "a", "x").await.unwrap();
    let (event, first) = claim(&store).await.unwrap();
    let now = || retry(Duration::ZERO);
    let gave = release(&store, &event, first, now()).await;
    assert_eq!(gave, Fenced::Applied);
    let (again, second) = claim(&store).await.unwrap();
    assert_eq!(again.attempt(), 2);
    assert_eq!(complete(&store, &event, first).await, Fenced::Lost);
    assert_eq!(complete(&store, &event, second).await, Fenced::Applied);
    for owner in [first, second] {
        assert_eq!(release(&store, &event, owner, now()).await, Fenced::Lost);
        assert_eq!(complete(&store, &event, owner).await, Fenced::Lost);
    }
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.done, stats.waiting), (1, 0));
}

/// A claims and its lease ends; B claims and completes; A fails late. A store without a fence
/// deletes B's record here, and the event is handled a third time.
pub async fn a_failure_that_comes_after_the_lease_does_not_undo_what_the_successor_completed(
    subject: &impl Subject,
) {
    for late in [Release::Undo, retry(Duration::ZERO), super::dead()] {
        let store = subject.open(Bounds::default()).await;
        accept(&store, "a", "x").await.unwrap();
        let (event, a) = claim(&store).await.unwrap();
        subject.advance(LEASE).await;
        let (_, b) = claim(&store).await.unwrap();
        // While B handles it, A can do nothing about it any more.
        let renewed = store.renew(event.key(), a, LEASE).await.unwrap();
        assert_eq!(renewed, Fenced::Lost);
        assert_eq!(release(&store, &event, a, late.clone()).await, Fenced::Lost);
        assert_eq!(complete(&store, &event, b).await, Fenced::Applied);
        assert_eq!(release(&store, &event, a, late).await, Fenced::Lost);

        subject.advance(LEASE).await;
        assert!(claim(&store).await.is_none());
        let again = accept(&store, "a", "x").await.unwrap();
        assert_eq!(again, crate::Accepted::Duplicate);
        let stats = store.stats().await.unwrap();
        assert_eq!((stats.done, stats.kept(), stats.bytes), (1, 0, 0));
    }
}

/// What its worker left behind is handled by another one.
pub async fn an_event_whose_lease_ended_is_taken_over_and_the_attempt_counts(
    subject: &impl Subject,
) {
    let store = subject.open(Bounds::default()).await;
    accept(&store, "a", "x").await.unwrap();
    assert_eq!(claim(&store).await.unwrap().0.attempt(), 1);
    subject.advance(LEASE - SECOND).await;
    assert!(claim(&store).await.is_none());
    subject.advance(SECOND).await;
    store.ready().await;
    let (event, owner) = claim(&store).await.unwrap();
    assert_eq!((event.attempt(), &event.body()[..]), (2, &b"x"[..]));
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.running, stats.waiting), (1, 0));
    assert_eq!(complete(&store, &event, owner).await, Fenced::Applied);
}

/// As long as its handler runs.
pub async fn a_renewed_lease_is_not_taken_over(subject: &impl Subject) {
    let store = subject.open(Bounds::default()).await;
    accept(&store, "a", "x").await.unwrap();
    let (event, owner) = claim(&store).await.unwrap();
    for _ in 0..5 {
        subject.advance(LEASE - SECOND).await;
        let renewed = store.renew(event.key(), owner, LEASE).await.unwrap();
        assert_eq!(renewed, Fenced::Applied);
        assert!(claim(&store).await.is_none());
    }
    subject.advance(LEASE).await;
    assert_eq!(claim(&store).await.unwrap().0.attempt(), 2);
}

/// It is the truth, and nobody else has claimed otherwise.
pub async fn an_owner_whose_lease_ended_may_still_complete_what_nobody_took_over(
    subject: &impl Subject,
) {
    let store = subject.open(Bounds::default()).await;
    accept(&store, "a", "x").await.unwrap();
    let (event, owner) = claim(&store).await.unwrap();
    subject.advance(10 * LEASE).await;
    assert_eq!(complete(&store, &event, owner).await, Fenced::Applied);
    assert!(claim(&store).await.is_none());
}

/// A claim whose answer was lost on its way.
pub async fn a_repeated_claim_gets_the_same_event_and_a_new_lease(subject: &impl Subject) {
    let store = subject.open(Bounds::default()).await;
    accept(&store, "a", "x").await.unwrap();
    accept(&store, "b", "x").await.unwrap();
    let owner = Owner::random();
    for _ in 0..3 {
        let claim = store.claim(owner, LEASE).await.unwrap().unwrap();
        assert_eq!((claim.event.key(), claim.event.attempt()), (&key("a"), 1));
        assert_eq!(claim.owner, owner);
        subject.advance(LEASE - SECOND).await;
    }
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.running, stats.waiting), (1, 1));
    let done = store.complete(&key("a"), owner).await.unwrap();
    assert_eq!(done, Fenced::Applied);
    // The owner is free again, and gets the next one.
    let next = store.claim(owner, LEASE).await.unwrap().unwrap();
    assert_eq!(next.event.key(), &key("b"));
}

/// The wait is stored, not slept.
pub async fn a_retry_is_due_after_its_wait_and_not_before(subject: &impl Subject) {
    let store = subject.open(Bounds::default()).await;
    accept(&store, "a", "x").await.unwrap();
    let (event, owner) = claim(&store).await.unwrap();
    let gave = release(&store, &event, owner, retry(60 * SECOND)).await;
    assert_eq!(gave, Fenced::Applied);
    subject.advance(59 * SECOND).await;
    assert!(claim(&store).await.is_none());
    accept(&store, "b", "x").await.unwrap();
    finish(&store).await;
    subject.advance(SECOND).await;
    let (event, _) = claim(&store).await.unwrap();
    assert_eq!((event.key(), event.attempt()), (&key("a"), 2));
}

/// Whether the event comes before or after one begins to wait.
pub async fn ready_returns_for_what_is_accepted_and_for_what_falls_due(subject: &impl Subject) {
    let store = subject.open(Bounds::default()).await;
    let (event, owner) = tokio::join!(
        async {
            loop {
                store.ready().await;
                if let Some(claimed) = claim(&store).await {
                    return claimed;
                }
            }
        },
        async {
            tokio::task::yield_now().await;
            accept(&store, "a", "x").await.unwrap();
        }
    )
    .0;
    let gave = release(&store, &event, owner, retry(60 * SECOND)).await;
    assert_eq!(gave, Fenced::Applied);
    subject.advance(60 * SECOND).await;
    store.ready().await;
    assert!(claim(&store).await.is_some());
}

/// The event had no part in it.
pub async fn an_undone_attempt_does_not_count_and_is_due_at_once(subject: &impl Subject) {
    let store = subject.open(Bounds::default()).await;
    accept(&store, "a", "x").await.unwrap();
    let (event, owner) = claim(&store).await.unwrap();
    let gave = release(&store, &event, owner, Release::Undo).await;
    assert_eq!(gave, Fenced::Applied);
    assert_eq!(claim(&store).await.unwrap().0.attempt(), 1);
}
