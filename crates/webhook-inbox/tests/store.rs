//! What a store promises, on the store in memory.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use std::time::Duration;

use bytes::Bytes;
use golive_webhook_inbox::{
    Accepted, ConfigError, Event, EventKey, Fenced, MemoryStore, MemoryStoreBuilder, Owner,
    Release, Store, StoreError,
};
use tokio::time::{Instant, advance};

fn key(id: &str) -> EventKey {
    EventKey::new("p", id).unwrap()
}

fn event(id: &str, body: &'static str) -> Event {
    Event::new(key(id), Bytes::from_static(body.as_bytes()))
}

fn store(with: impl Fn(MemoryStoreBuilder) -> MemoryStoreBuilder) -> MemoryStore {
    with(MemoryStore::builder()).build().unwrap()
}

async fn accept(store: &MemoryStore, id: &str, body: &'static str) -> Result<Accepted, StoreError> {
    store.accept(event(id, body)).await
}

fn is_full(result: &Result<Accepted, StoreError>) -> bool {
    matches!(result, Err(StoreError::Full))
}

async fn claim(store: &MemoryStore) -> Option<(Event, Owner)> {
    let owner = Owner::random();
    store
        .claim(owner)
        .await
        .unwrap()
        .map(|claim| (claim.event, claim.owner))
}

async fn finish(store: &MemoryStore) {
    let (event, owner) = claim(store).await.unwrap();
    assert_eq!(
        store.complete(event.key(), owner).await.unwrap(),
        Fenced::Applied
    );
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test(start_paused = true)]
async fn an_event_is_new_once_while_it_waits_runs_and_after_it_is_done() {
    let store = store(|b| b);
    assert_eq!(accept(&store, "a", "x").await.unwrap(), Accepted::New);
    assert_eq!(accept(&store, "a", "x").await.unwrap(), Accepted::Duplicate);
    let (event, owner) = claim(&store).await.unwrap();
    assert_eq!((event.attempt(), &event.body()[..]), (1, &b"x"[..]));
    assert_eq!(accept(&store, "a", "x").await.unwrap(), Accepted::Duplicate);
    assert!(claim(&store).await.is_none());
    assert_eq!(
        store.complete(event.key(), owner).await.unwrap(),
        Fenced::Applied
    );
    assert_eq!(accept(&store, "a", "x").await.unwrap(), Accepted::Duplicate);
    assert!(claim(&store).await.is_none());
    assert_eq!(store.stats().bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_handled_event_is_remembered_for_seven_days() {
    let store = store(|b| b);
    accept(&store, "a", "x").await.unwrap();
    finish(&store).await;
    advance(7 * DAY - Duration::from_secs(1)).await;
    assert_eq!(accept(&store, "a", "x").await.unwrap(), Accepted::Duplicate);
    advance(Duration::from_secs(1)).await;
    assert_eq!(accept(&store, "a", "x").await.unwrap(), Accepted::New);
}

#[tokio::test(start_paused = true)]
async fn what_waits_or_is_dead_is_never_forgotten() {
    let store = store(|b| b);
    accept(&store, "dead", "x").await.unwrap();
    let (event, owner) = claim(&store).await.unwrap();
    let how = Release::Dead {
        reason: "no".into(),
    };
    assert_eq!(
        store.release(event.key(), owner, how).await.unwrap(),
        Fenced::Applied
    );
    accept(&store, "waits", "x").await.unwrap();
    advance(100 * DAY).await;
    for id in ["dead", "waits"] {
        assert_eq!(accept(&store, id, "x").await.unwrap(), Accepted::Duplicate);
    }
    assert_eq!((store.stats().dead, store.stats().waiting), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn other_content_under_the_same_key_is_parked_and_the_first_is_handled() {
    let store = store(|b| b);
    accept(&store, "a", "first").await.unwrap();
    for _ in 0..3 {
        assert_eq!(
            accept(&store, "a", "other").await.unwrap(),
            Accepted::Conflict
        );
    }
    let parked = store.parked();
    assert_eq!((parked.len(), &parked[0].body()[..]), (1, &b"other"[..]));
    assert_eq!(&claim(&store).await.unwrap().0.body()[..], b"first");
    assert!(claim(&store).await.is_none());
    assert!(store.discard(&key("a")));
    assert_eq!((store.stats().parked, store.stats().bytes), (0, 5));
}

#[tokio::test(start_paused = true)]
async fn a_store_at_any_of_its_bounds_refuses_and_evicts_nothing() {
    for bounds in [
        (|b: MemoryStoreBuilder| b.max_events(2)) as fn(MemoryStoreBuilder) -> MemoryStoreBuilder,
        |b| b.max_bytes(2),
        |b| b.max_keys(2),
    ] {
        let store = store(bounds);
        accept(&store, "a", "x").await.unwrap();
        accept(&store, "b", "x").await.unwrap();
        assert!(is_full(&accept(&store, "c", "x").await));
        assert_eq!(accept(&store, "a", "x").await.unwrap(), Accepted::Duplicate);
        assert_eq!(store.stats().waiting, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn room_comes_back_when_an_event_is_done_and_for_keys_when_it_is_forgotten() {
    let by_event = store(|b| b.max_events(1));
    accept(&by_event, "a", "x").await.unwrap();
    finish(&by_event).await;
    accept(&by_event, "b", "x").await.unwrap();

    let by_key = store(|b| b.max_keys(1));
    accept(&by_key, "a", "x").await.unwrap();
    finish(&by_key).await;
    assert!(is_full(&accept(&by_key, "b", "x").await));
    advance(7 * DAY).await;
    accept(&by_key, "b", "x").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_conflict_needs_room_too() {
    let store = store(|b| b.max_events(1));
    accept(&store, "a", "x").await.unwrap();
    assert!(is_full(&accept(&store, "a", "other").await));
}

#[tokio::test(start_paused = true)]
async fn a_late_owner_cannot_undo_what_its_successor_did() {
    let store = store(|b| b);
    accept(&store, "a", "x").await.unwrap();
    let (event, first) = claim(&store).await.unwrap();
    let retry = Release::Retry {
        after: Duration::ZERO,
    };
    assert_eq!(
        store
            .release(event.key(), first, retry.clone())
            .await
            .unwrap(),
        Fenced::Applied
    );
    let (again, second) = claim(&store).await.unwrap();
    assert_eq!(again.attempt(), 2);
    assert_eq!(
        store.complete(event.key(), first).await.unwrap(),
        Fenced::Lost
    );
    assert_eq!(
        store.complete(event.key(), second).await.unwrap(),
        Fenced::Applied
    );
    assert_eq!(
        store
            .release(event.key(), first, retry.clone())
            .await
            .unwrap(),
        Fenced::Lost
    );
    assert_eq!(
        store.release(event.key(), second, retry).await.unwrap(),
        Fenced::Lost
    );
    assert_eq!((store.stats().done, store.stats().waiting), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_due_after_its_wait_and_ready_wakes_for_it() {
    let store = store(|b| b);
    accept(&store, "a", "x").await.unwrap();
    let (event, owner) = claim(&store).await.unwrap();
    let how = Release::Retry {
        after: Duration::from_secs(60),
    };
    assert_eq!(
        store.release(event.key(), owner, how).await.unwrap(),
        Fenced::Applied
    );
    assert!(claim(&store).await.is_none());
    let before = Instant::now();
    store.ready().await;
    assert_eq!(before.elapsed().as_secs(), 60);
    assert_eq!(claim(&store).await.unwrap().0.attempt(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_undone_attempt_does_not_count() {
    let store = store(|b| b);
    accept(&store, "a", "x").await.unwrap();
    let (event, owner) = claim(&store).await.unwrap();
    assert_eq!(
        store
            .release(event.key(), owner, Release::Undo)
            .await
            .unwrap(),
        Fenced::Applied
    );
    assert_eq!(claim(&store).await.unwrap().0.attempt(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_can_be_driven_again_or_discarded() {
    let store = store(|b| b);
    for id in ["again", "never"] {
        accept(&store, id, "x").await.unwrap();
        let (event, owner) = claim(&store).await.unwrap();
        let how = Release::Dead {
            reason: "broken".into(),
        };
        assert_eq!(
            store.release(event.key(), owner, how).await.unwrap(),
            Fenced::Applied
        );
    }
    let reasons: Vec<_> = store.dead_letters().into_iter().map(|l| l.reason).collect();
    assert_eq!(reasons, ["broken".into(), "broken".into()]);
    assert!(store.redrive(&key("again")));
    assert!(!store.redrive(&key("again")));
    assert!(store.discard(&key("never")));
    assert!(!store.discard(&key("never")));
    let (event, _) = claim(&store).await.unwrap();
    assert_eq!((event.key().id(), event.attempt()), ("again", 1));
    assert_eq!(
        accept(&store, "never", "x").await.unwrap(),
        Accepted::Duplicate
    );
}

#[test]
fn bounds_of_zero_are_refused() {
    for builder in [
        MemoryStore::builder().max_events(0),
        MemoryStore::builder().max_bytes(0),
        MemoryStore::builder().max_keys(0),
        MemoryStore::builder().remember(Duration::ZERO),
        MemoryStore::builder().remember(Duration::MAX),
    ] {
        assert_eq!(builder.build().unwrap_err(), ConfigError::Bound);
    }
}
