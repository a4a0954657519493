//! What is kept, for how long, and what is refused.

use bytes::Bytes;

use super::{Bounds, DAY, SECOND, Subject, accept, bury, claim, complete, finish, is_full, key};
use crate::{Accepted, Admin, Event, EventKey, Fenced, Store};

/// A key is new once, whatever became of its event; and a handled event keeps no bytes.
pub async fn an_event_is_new_once_while_it_waits_runs_and_after_it_is_done(subject: &impl Subject) {
    let store = subject.open(Bounds::default()).await;
    assert_eq!(accept(&store, "a", "x").await.unwrap(), Accepted::New);
    assert_eq!(accept(&store, "a", "x").await.unwrap(), Accepted::Duplicate);
    let (event, owner) = claim(&store).await.unwrap();
    assert_eq!((event.attempt(), &event.body()[..]), (1, &b"x"[..]));
    assert_eq!(accept(&store, "a", "x").await.unwrap(), Accepted::Duplicate);
    assert!(claim(&store).await.is_none());
    assert_eq!(complete(&store, &event, owner).await, Fenced::Applied);
    assert_eq!(accept(&store, "a", "x").await.unwrap(), Accepted::Duplicate);
    assert!(claim(&store).await.is_none());
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.done, stats.kept(), stats.bytes), (1, 0, 0));
}

/// To the second.
pub async fn a_handled_event_is_remembered_for_seven_days(subject: &impl Subject) {
    let store = subject.open(Bounds::default()).await;
    accept(&store, "a", "x").await.unwrap();
    finish(&store).await;
    subject.advance(7 * DAY - SECOND).await;
    assert_eq!(accept(&store, "a", "x").await.unwrap(), Accepted::Duplicate);
    subject.advance(SECOND).await;
    assert_eq!(accept(&store, "a", "x").await.unwrap(), Accepted::New);
    assert_eq!(store.stats().await.unwrap().done, 0);
}

/// A store may take its time to clear them away, but not over any single one.
pub async fn a_key_is_new_again_when_it_is_forgotten_however_many_are(subject: &impl Subject) {
    let store = subject.open(Bounds::default()).await;
    for n in 0..50 {
        accept(&store, &n.to_string(), "x").await.unwrap();
        finish(&store).await;
    }
    subject.advance(7 * DAY).await;
    for n in (0..50).rev() {
        let again = accept(&store, &n.to_string(), "y").await.unwrap();
        assert_eq!(again, Accepted::New, "{n}");
    }
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.done), (50, 0));
}

/// Only what was handled is forgotten.
pub async fn what_waits_or_is_dead_is_never_forgotten(subject: &impl Subject) {
    let store = subject.open(Bounds::default()).await;
    accept(&store, "dead", "x").await.unwrap();
    bury(&store).await;
    accept(&store, "waits", "x").await.unwrap();
    subject.advance(100 * DAY).await;
    for id in ["dead", "waits"] {
        assert_eq!(accept(&store, id, "x").await.unwrap(), Accepted::Duplicate);
    }
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.dead, stats.waiting), (1, 1));
}

/// It is kept once, for someone to look at, and never handled.
pub async fn other_content_under_the_same_key_is_parked_and_the_first_is_handled(
    subject: &impl Subject,
) {
    let store = subject.open(Bounds::default()).await;
    accept(&store, "a", "first").await.unwrap();
    for _ in 0..3 {
        let again = accept(&store, "a", "other").await.unwrap();
        assert_eq!(again, Accepted::Conflict);
    }
    let parked = store.parked(None, 10).await.unwrap();
    assert_eq!((parked.len(), &parked[0].body()[..]), (1, &b"other"[..]));
    assert_eq!(parked[0].key(), &key("a"));
    assert_eq!(&claim(&store).await.unwrap().0.body()[..], b"first");
    assert!(claim(&store).await.is_none());
    assert!(store.discard(&key("a")).await.unwrap());
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.parked, stats.running, stats.bytes), (0, 1, 5));
}

/// The marker of a handled event knows its content.
pub async fn other_content_after_it_was_handled_is_parked_too(subject: &impl Subject) {
    let store = subject.open(Bounds::default()).await;
    accept(&store, "a", "first").await.unwrap();
    finish(&store).await;
    let again = accept(&store, "a", "other").await.unwrap();
    assert_eq!(again, Accepted::Conflict);
    assert!(claim(&store).await.is_none());
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.done, stats.parked, stats.bytes), (1, 1, 5));
}

/// Events, bytes and keys are bounded; duplicates of what is kept still pass.
pub async fn a_store_at_any_of_its_bounds_refuses_and_evicts_nothing(subject: &impl Subject) {
    for set in [
        (|bounds| bounds.max_events = 2) as fn(&mut Bounds),
        |bounds| bounds.max_bytes = 2,
        |bounds| bounds.max_keys = 2,
    ] {
        let mut bounds = Bounds::default();
        set(&mut bounds);
        let store = subject.open(bounds).await;
        accept(&store, "a", "x").await.unwrap();
        accept(&store, "b", "x").await.unwrap();
        assert!(is_full(&accept(&store, "c", "x").await));
        assert_eq!(accept(&store, "a", "x").await.unwrap(), Accepted::Duplicate);
        assert_eq!(store.stats().await.unwrap().waiting, 2);
    }
}

/// Refusing is not for ever.
pub async fn room_comes_back_when_an_event_is_done_and_for_keys_when_it_is_forgotten(
    subject: &impl Subject,
) {
    let bounds = Bounds {
        max_events: 1,
        ..Bounds::default()
    };
    let by_event = subject.open(bounds).await;
    accept(&by_event, "a", "x").await.unwrap();
    finish(&by_event).await;
    accept(&by_event, "b", "x").await.unwrap();

    let bounds = Bounds {
        max_keys: 1,
        ..Bounds::default()
    };
    let by_key = subject.open(bounds).await;
    accept(&by_key, "a", "x").await.unwrap();
    finish(&by_key).await;
    assert!(is_full(&accept(&by_key, "b", "x").await));
    subject.advance(7 * DAY).await;
    accept(&by_key, "b", "x").await.unwrap();
}

/// What is parked counts like everything else, or a faulty sender would fill the store.
pub async fn a_conflict_needs_room_too(subject: &impl Subject) {
    let bounds = Bounds {
        max_events: 1,
        ..Bounds::default()
    };
    let store = subject.open(bounds).await;
    accept(&store, "a", "x").await.unwrap();
    assert!(is_full(&accept(&store, "a", "other").await));
}

/// Nothing is cut, folded, joined or read as a command.
pub async fn keys_and_bodies_of_any_bytes_come_back_as_they_were(subject: &impl Subject) {
    let store = subject.open(Bounds::default()).await;
    let long = "é".repeat(128);
    let body = Bytes::from((0..=255).collect::<Vec<u8>>());
    let keys = [
        ("a", "bc"),
        ("ab", "c"),
        ("A", "bc"),
        ("a ", "bc"),
        ("a", "b\0c"),
        ("'; drop table events; --", "%_\"\n"),
        (&long, &long),
        ("1", "01"),
        ("1", "1"),
    ];
    let keys = keys.map(|(source, id)| EventKey::new(source, id).unwrap());
    for key in &keys {
        let event = Event::new(key.clone(), body.clone());
        assert_eq!(store.accept(event).await.unwrap(), Accepted::New, "{key:?}");
    }
    for key in &keys {
        let (event, owner) = claim(&store).await.unwrap();
        assert_eq!((event.key(), event.body()), (key, &body));
        assert_eq!(event.fingerprint(), crate::Fingerprint::of(&body));
        assert_eq!(complete(&store, &event, owner).await, Fenced::Applied);
    }
    accept(&store, "empty", "").await.unwrap();
    assert!(claim(&store).await.unwrap().0.body().is_empty());
}

/// Among events that are due.
pub async fn events_come_in_the_order_of_arrival(subject: &impl Subject) {
    let store = subject.open(Bounds::default()).await;
    let ids: Vec<String> = (0..20).rev().map(|n| n.to_string()).collect();
    for id in &ids {
        accept(&store, id, "x").await.unwrap();
    }
    for id in &ids {
        assert_eq!(claim(&store).await.unwrap().0.key().id(), id);
    }
}
