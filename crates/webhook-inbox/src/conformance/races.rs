//! Many tasks at once, on several threads.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{Bounds, LEASE, Subject, claim, complete, event, finish, key, release, retry};
use crate::{Accepted, Admin, Event, Fenced, Owner, Release, Store, StoreError};

/// One of them is new, and the others know it.
pub async fn copies_at_once_are_one_event(subject: &impl Subject) {
    let store = Arc::new(subject.open(Bounds::default()).await);
    for round in 0..10 {
        let id = round.to_string();
        let answers = at_once(64, |_| {
            let (store, event) = (Arc::clone(&store), event(&id, "x"));
            async move { store.accept(event).await.unwrap() }
        })
        .await;
        let new = answers.iter().filter(|answer| **answer == Accepted::New);
        assert_eq!(new.count(), 1);
        assert!(!answers.contains(&Accepted::Conflict));
        finish(&*store).await;
        assert!(claim(&*store).await.is_none());
    }
}

/// Each event is claimed once, and none is left over.
pub async fn workers_at_once_never_share_an_event(subject: &impl Subject) {
    const EVENTS: usize = 300;
    let store = Arc::new(subject.open(Bounds::default()).await);
    for n in 0..EVENTS {
        store.accept(event(&n.to_string(), "x")).await.unwrap();
    }
    let taken = at_once(16, |_| {
        let store = Arc::clone(&store);
        async move {
            let mut taken = Vec::new();
            while let Some((event, owner)) = claim(&*store).await {
                assert_eq!(event.attempt(), 1);
                assert_eq!(complete(&*store, &event, owner).await, Fenced::Applied);
                taken.push(event.key().clone());
            }
            taken
        }
    })
    .await;
    let mut taken = taken.concat();
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), EVENTS);
    assert_eq!(store.stats().await.unwrap().done, EVENTS);
}

/// A bound is a bound under load too.
pub async fn senders_at_once_never_exceed_the_bound(subject: &impl Subject) {
    let bounds = Bounds {
        max_events: 20,
        ..Bounds::default()
    };
    let store = Arc::new(subject.open(bounds).await);
    let answers = at_once(64, |n| {
        let (store, event) = (Arc::clone(&store), event(&n.to_string(), "x"));
        async move { store.accept(event).await }
    })
    .await;
    let kept = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(kept, 20);
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Ok(Accepted::New) | Err(StoreError::Full)))
    );
    assert_eq!(store.stats().await.unwrap().waiting, 20);
}

/// Whoever comes first; the others are told that they were not.
pub async fn of_all_outcomes_at_once_one_is_applied(subject: &impl Subject) {
    let store = Arc::new(subject.open(Bounds::default()).await);
    for round in 0..20 {
        let id = round.to_string();
        store.accept(event(&id, "x")).await.unwrap();
        let (_, owner) = claim(&*store).await.unwrap();
        let outcomes = at_once(8, |n| {
            let (store, key) = (Arc::clone(&store), key(&id));
            async move {
                if n % 2 == 0 {
                    return store.complete(&key, owner).await.unwrap();
                }
                let how = super::dead();
                store.release(&key, owner, how).await.unwrap()
            }
        })
        .await;
        let applied = outcomes.iter().filter(|one| **one == Fenced::Applied);
        assert_eq!(applied.count(), 1);
    }
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.done + stats.dead, stats.running), (20, 0));
    assert_eq!(stats.bytes, stats.dead);
}

/// Senders that repeat themselves, workers that fail, time out and give back, and at the end the
/// books are right: every event was handled to one outcome, by one worker at a time.
pub async fn nothing_is_lost_or_counted_twice_while_everything_happens_at_once(
    subject: &impl Subject,
) {
    const EVENTS: usize = 400;
    const BODY: &[u8] = b"0123456789";
    let store = Arc::new(subject.open(Bounds::default()).await);
    let (new, settled) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (store, new) = (Arc::clone(&store), Arc::clone(&new));
        tasks.spawn(async move {
            for n in 0..EVENTS {
                let event = Event::new(key(&n.to_string()), Bytes::from_static(BODY));
                let accepted = store.accept(event).await.unwrap();
                new.fetch_add(usize::from(accepted == Accepted::New), Ordering::SeqCst);
            }
            HashMap::new()
        });
    }
    for _ in 0..16 {
        let (store, settled) = (Arc::clone(&store), Arc::clone(&settled));
        tasks.spawn(async move {
            let mut seen = HashMap::new();
            while settled.load(Ordering::SeqCst) < EVENTS {
                let owner = Owner::random();
                let Some(claim) = store.claim(owner, LEASE).await.unwrap() else {
                    tokio::task::yield_now().await;
                    continue;
                };
                let event = claim.event;
                *seen.entry(event.key().clone()).or_insert(0) += 1;
                let how = match (event.key().id().parse::<u32>().unwrap() + event.attempt()) % 5 {
                    0 => None,
                    1 => Some(super::dead()),
                    2 => {
                        let renewed = store.renew(event.key(), owner, LEASE).await.unwrap();
                        assert_eq!(renewed, Fenced::Applied);
                        Some(retry(Duration::ZERO))
                    }
                    _ => Some(retry(Duration::ZERO)),
                };
                let ends = !matches!(how, Some(Release::Retry { .. }));
                let outcome = match how {
                    None => complete(&*store, &event, owner).await,
                    Some(how) => release(&*store, &event, owner, how).await,
                };
                assert_eq!(outcome, Fenced::Applied);
                settled.fetch_add(usize::from(ends), Ordering::SeqCst);
            }
            seen
        });
    }
    let mut runs: HashMap<_, u32> = HashMap::new();
    while let Some(seen) = tasks.join_next().await {
        for (key, count) in seen.unwrap() {
            *runs.entry(key).or_default() += count;
        }
    }
    assert_eq!(new.load(Ordering::SeqCst), EVENTS);
    // From `(n + attempt) % 5`: the first attempt that is 0 or 1 ends it.
    for n in 0..EVENTS as u32 {
        let last = (1..).find(|attempt| (n + attempt) % 5 < 2).unwrap();
        assert_eq!(runs.get(&key(&n.to_string())), Some(&last), "{n}");
    }
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.running, stats.parked), (0, 0, 0));
    assert_eq!(stats.done + stats.dead, EVENTS);
    assert_eq!(stats.bytes, stats.dead * BODY.len());
}

/// Runs this many tasks and gathers what they return.
async fn at_once<F, T>(tasks: usize, mut make: impl FnMut(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut set = JoinSet::new();
    for n in 0..tasks {
        set.spawn(make(n));
    }
    set.join_all().await
}
