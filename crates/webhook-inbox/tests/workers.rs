//! Handling behind the answer: once, again after an error, and a clean end.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails is a failed test"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use golive_webhook_inbox::{
    Accepted, Admin, BoxError, Claim, ConfigError, Drained, Event, EventKey, Fenced, MemoryStore,
    Owner, Permanent, Release, RetryPolicy, Store, StoreError, Workers,
};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tower::{Service, ServiceBuilder, service_fn};

fn store() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::builder().build().unwrap())
}

fn event(id: &str) -> Event {
    Event::new(EventKey::new("p", id).unwrap(), Bytes::from_static(b"{}"))
}

fn policy(attempts: u32) -> RetryPolicy {
    RetryPolicy::new(Duration::from_secs(1), Duration::from_secs(8), attempts).unwrap()
}

/// Waits, in virtual time, until the store is as wanted.
async fn until(store: &MemoryStore, wanted: impl Fn(golive_webhook_inbox::Stats) -> bool) {
    let looking = async {
        while !wanted(store.stats().await.unwrap()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let patience = Duration::from_secs(10 * 60);
    assert!(
        tokio::time::timeout(patience, looking).await.is_ok(),
        "never came about: {:?}",
        store.stats().await.unwrap()
    );
}

#[tokio::test(start_paused = true)]
async fn ten_copies_at_once_are_one_effect() {
    let store = store();
    let effects = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&effects);
    let handler = service_fn(move |_: Event| {
        let counted = Arc::clone(&counted);
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            counted.fetch_add(1, Ordering::SeqCst);
            Ok::<_, BoxError>(())
        }
    });
    let workers = Workers::builder()
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    let copies: Vec<_> = (0..10)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.accept(event("a")).await.unwrap() })
        })
        .collect();
    let mut new = 0;
    for copy in copies {
        new += usize::from(copy.await.unwrap() == Accepted::New);
    }
    assert_eq!(new, 1);
    until(&store, |s| s.done == 1).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(effects.load(Ordering::SeqCst), 1);
    assert_eq!(workers.shutdown(Duration::ZERO).await, drained(0));
}

fn drained(abandoned: usize) -> Drained {
    let mut drained = Drained::default();
    drained.abandoned = abandoned;
    drained
}

#[tokio::test(start_paused = true)]
async fn a_failed_event_is_tried_again_until_it_succeeds() {
    let store = store();
    let attempts = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&attempts);
    let handler = service_fn(move |event: Event| {
        seen.store(event.attempt(), Ordering::SeqCst);
        async move {
            if event.attempt() < 4 {
                Err("not yet")
            } else {
                Ok(())
            }
        }
    });
    let _workers = Workers::builder()
        .retry(policy(9))
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    let begun = Instant::now();
    store.accept(event("a")).await.unwrap();
    until(&store, |s| s.done == 1).await;
    assert_eq!(attempts.load(Ordering::SeqCst), 4);
    // 1 + 2 + 4 seconds, of which the upper halves are random.
    let took = begun.elapsed().as_millis();
    assert!((3500..=7100).contains(&took), "{took} ms");
}

#[tokio::test(start_paused = true)]
async fn after_the_last_attempt_an_event_is_a_dead_letter_with_its_reason() {
    let store = store();
    let handler = service_fn(|_: Event| async { Err::<(), _>("always") });
    let _workers = Workers::builder()
        .retry(policy(3))
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    store.accept(event("a")).await.unwrap();
    until(&store, |s| s.dead == 1).await;
    let letter = store.dead_letters(None, 1).await.unwrap().remove(0);
    assert_eq!((letter.event.attempt(), &*letter.reason), (3, "always"));
}

#[tokio::test(start_paused = true)]
async fn a_permanent_error_is_not_tried_again() {
    let store = store();
    let handler =
        service_fn(|_: Event| async { Err::<(), BoxError>(Permanent::new("no json").into()) });
    let _workers = Workers::builder()
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    store.accept(event("a")).await.unwrap();
    until(&store, |s| s.dead == 1).await;
    let letter = store.dead_letters(None, 1).await.unwrap().remove(0);
    assert_eq!(letter.event.attempt(), 1);
    assert_eq!(&*letter.reason, "the event can never be handled: no json");
}

#[tokio::test(start_paused = true)]
async fn a_panic_and_a_handler_that_hangs_are_errors_like_any_other() {
    let store = store();
    let handler = service_fn(|event: Event| async move {
        match event.attempt() {
            1 => panic!("canary"),
            2 => std::future::pending::<()>().await,
            _ => {}
        }
        Ok::<_, BoxError>(())
    });
    let _workers = Workers::builder()
        .concurrency(1)
        .handler_timeout(Duration::from_secs(10))
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    store.accept(event("a")).await.unwrap();
    until(&store, |s| s.done == 1).await;
    // The one worker is still alive.
    store.accept(event("b")).await.unwrap();
    until(&store, |s| s.done == 2).await;
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_set_number_run_at_once_and_all_are_handled() {
    let store = store();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, peak) = (Arc::clone(&running), Arc::clone(&most));
    let handler = service_fn(move |_: Event| {
        let (now, peak) = (Arc::clone(&now), Arc::clone(&peak));
        async move {
            peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, BoxError>(())
        }
    });
    let _workers = Workers::builder()
        .concurrency(3)
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    for n in 0..20 {
        store.accept(event(&n.to_string())).await.unwrap();
    }
    until(&store, |s| s.done == 20).await;
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_what_is_in_hand_and_claims_nothing_more() {
    let store = store();
    let gate = Arc::new(Semaphore::new(0));
    let door = Arc::clone(&gate);
    let handler = service_fn(move |_: Event| {
        let door = Arc::clone(&door);
        async move {
            door.acquire().await?.forget();
            Ok::<_, BoxError>(())
        }
    });
    let workers = Workers::builder()
        .concurrency(1)
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    store.accept(event("a")).await.unwrap();
    store.accept(event("b")).await.unwrap();
    until(&store, |s| s.running == 1).await;
    let ending = tokio::spawn(workers.shutdown(Duration::from_secs(60)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!ending.is_finished());
    gate.add_permits(2);
    assert_eq!(ending.await.unwrap(), drained(0));
    assert_eq!(
        (
            store.stats().await.unwrap().done,
            store.stats().await.unwrap().waiting
        ),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn what_does_not_finish_in_the_grace_is_given_back_uncounted() {
    let store = store();
    let handler = service_fn(|_: Event| std::future::pending::<Result<(), BoxError>>());
    let workers = Workers::builder()
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    store.accept(event("a")).await.unwrap();
    until(&store, |s| s.running == 1).await;
    assert_eq!(workers.shutdown(Duration::from_secs(5)).await, drained(1));
    assert_eq!(
        (
            store.stats().await.unwrap().running,
            store.stats().await.unwrap().waiting
        ),
        (0, 1)
    );
    let handler = service_fn(|event: Event| async move {
        if event.attempt() == 1 {
            Ok(())
        } else {
            Err("the attempt was counted")
        }
    });
    let _workers = Workers::builder()
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    until(&store, |s| s.done == 1).await;
}

#[tokio::test(start_paused = true)]
async fn dropping_the_workers_finishes_what_is_in_hand_and_claims_nothing_more() {
    let store = store();
    let go = Arc::new(Notify::new());
    let wait = Arc::clone(&go);
    let handler = service_fn(move |_: Event| {
        let wait = Arc::clone(&wait);
        async move {
            wait.notified().await;
            Ok::<_, BoxError>(())
        }
    });
    let workers = Workers::builder()
        .concurrency(1)
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    store.accept(event("a")).await.unwrap();
    store.accept(event("b")).await.unwrap();
    until(&store, |s| s.running == 1).await;
    drop(workers);
    go.notify_one();
    until(&store, |s| s.done == 1).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(
        (
            store.stats().await.unwrap().running,
            store.stats().await.unwrap().waiting
        ),
        (0, 1)
    );
}

/// Panics if it is called without having been polled ready.
#[derive(Default)]
struct Strict {
    ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Event> for Strict {
    type Response = ();
    type Error = BoxError;
    type Future = std::future::Ready<Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, event: Event) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called without being polled ready"
        );
        std::future::ready(if event.attempt() < 3 {
            Err("again".into())
        } else {
            Ok(())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn the_service_is_polled_ready_before_every_attempt() {
    let store = store();
    // A panic counts as an error, so three attempts would not be enough if one of them panicked.
    let _workers = Workers::builder()
        .retry(policy(3))
        .spawn(Arc::clone(&store), Strict::default())
        .unwrap();
    store.accept(event("a")).await.unwrap();
    until(&store, |s| s.done + s.dead == 1).await;
    assert_eq!(store.stats().await.unwrap().done, 1);
}

#[tokio::test(start_paused = true)]
async fn a_limit_inside_the_service_gets_its_permits_back() {
    let store = store();
    let handler = ServiceBuilder::new()
        .layer(tower::limit::GlobalConcurrencyLimitLayer::new(2))
        .service_fn(|event: Event| async move {
            if event.attempt() == 1 {
                std::future::pending::<()>().await;
            }
            Ok::<_, BoxError>(())
        });
    let _workers = Workers::builder()
        .handler_timeout(Duration::from_secs(1))
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    for n in 0..10 {
        store.accept(event(&n.to_string())).await.unwrap();
    }
    until(&store, |s| s.done == 10).await;
}

#[tokio::test]
async fn settings_that_could_not_work_are_refused() {
    let handler = service_fn(|_: Event| async { Ok::<_, BoxError>(()) });
    for seen in [0, 1025] {
        let error = Workers::builder()
            .concurrency(seen)
            .spawn(store(), handler)
            .unwrap_err();
        assert_eq!(error, ConfigError::Concurrency { seen });
    }
    let error = Workers::builder()
        .handler_timeout(Duration::ZERO)
        .spawn(store(), handler)
        .unwrap_err();
    assert_eq!(error, ConfigError::HandlerTimeout);
    for seen in [Duration::ZERO, Duration::from_secs(24 * 60 * 60 + 1)] {
        let error = Workers::builder()
            .lease(seen)
            .spawn(store(), handler)
            .unwrap_err();
        assert_eq!(error, ConfigError::Lease { seen });
    }
}

/// A store that fails a number of times before it takes an outcome or gives out an event.
struct Flaky {
    store: MemoryStore,
    failures: AtomicU32,
}

impl Flaky {
    fn fail(&self) -> Result<(), StoreError> {
        let left = self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        left.map_or(Ok(()), |_| {
            Err(StoreError::Unavailable("connection reset".into()))
        })
    }
}

impl Store for Flaky {
    async fn accept(&self, event: Event) -> Result<Accepted, StoreError> {
        self.store.accept(event).await
    }
    async fn claim(&self, owner: Owner, lease: Duration) -> Result<Option<Claim>, StoreError> {
        self.fail()?;
        self.store.claim(owner, lease).await
    }
    async fn renew(
        &self,
        key: &EventKey,
        owner: Owner,
        lease: Duration,
    ) -> Result<Fenced, StoreError> {
        self.fail()?;
        self.store.renew(key, owner, lease).await
    }
    async fn ready(&self) {
        self.store.ready().await;
    }
    async fn complete(&self, key: &EventKey, owner: Owner) -> Result<Fenced, StoreError> {
        self.fail()?;
        self.store.complete(key, owner).await
    }
    async fn release(
        &self,
        key: &EventKey,
        owner: Owner,
        how: Release,
    ) -> Result<Fenced, StoreError> {
        self.fail()?;
        self.store.release(key, owner, how).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_for_a_while_costs_no_event_and_no_second_run() {
    let store = Arc::new(Flaky {
        store: MemoryStore::builder().build().unwrap(),
        failures: AtomicU32::new(3),
    });
    let runs = Arc::new(AtomicU32::new(0));
    let (counted, flaky) = (Arc::clone(&runs), Arc::clone(&store));
    let handler = service_fn(move |event: Event| {
        counted.fetch_add(1, Ordering::SeqCst);
        flaky.failures.store(3, Ordering::SeqCst);
        async move {
            if event.attempt() == 1 {
                Err("once")
            } else {
                Ok(())
            }
        }
    });
    store.accept(event("a")).await.unwrap();
    let _workers = Workers::builder()
        .concurrency(1)
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    until(&store.store, |s| s.done == 1).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_outlives_its_lease_many_times_is_not_run_by_another_worker() {
    let store = store();
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let handler = service_fn(move |_: Event| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok::<_, BoxError>(())
        }
    });
    let _workers = Workers::builder()
        .lease(Duration::from_secs(3))
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    store.accept(event("a")).await.unwrap();
    until(&store, |s| s.done == 1).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_event_was_taken_over_is_stopped_and_settles_nothing() {
    // Everything about this worker fails but the claim, so its lease is not renewed in time.
    let store = Arc::new(Flaky {
        store: MemoryStore::builder().build().unwrap(),
        failures: AtomicU32::new(0),
    });
    struct Stopped(Arc<AtomicU32>);
    impl Drop for Stopped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let stopped = Arc::new(AtomicU32::new(0));
    let (counted, flaky) = (Arc::clone(&stopped), Arc::clone(&store));
    let handler = service_fn(move |_: Event| {
        flaky.failures.store(4, Ordering::SeqCst);
        let stopped = Stopped(Arc::clone(&counted));
        async move {
            let _stopped = stopped;
            std::future::pending::<Result<(), BoxError>>().await
        }
    });
    store.accept(event("a")).await.unwrap();
    let _workers = Workers::builder()
        .concurrency(1)
        .lease(Duration::from_secs(3))
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    until(&store.store, |s| s.running == 1).await;
    // Renewals at 1, 2, 3 and 4 seconds fail; at 3 the lease is over.
    tokio::time::sleep(Duration::from_millis(3500)).await;
    let lease = Duration::from_secs(60);
    let successor = store.store.claim(Owner::random(), lease).await.unwrap();
    let successor = successor.unwrap();
    assert_eq!(successor.event.attempt(), 2);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stopped.load(Ordering::SeqCst), 1);
    let done = store.store.complete(successor.event.key(), successor.owner);
    assert_eq!(done.await.unwrap(), Fenced::Applied);
    assert_eq!(store.store.stats().await.unwrap().done, 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_kills_its_process_each_time_becomes_a_dead_letter_unhandled() {
    let store = store();
    store.accept(event("a")).await.unwrap();
    let lease = Duration::from_secs(1);
    // Three processes that claimed it and never came back.
    for attempt in 1..=3 {
        let claim = store.claim(Owner::random(), lease).await.unwrap().unwrap();
        assert_eq!(claim.event.attempt(), attempt);
        tokio::time::sleep(lease).await;
    }
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let handler = service_fn(move |_: Event| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, BoxError>(()) }
    });
    let _workers = Workers::builder()
        .retry(policy(3))
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    until(&store, |s| s.dead == 1).await;
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    let letter = store.dead_letters(None, 1).await.unwrap().remove(0);
    assert!(letter.reason.contains("no outcome"), "{}", letter.reason);
    // Driven again, its attempts begin anew.
    assert!(store.redrive(letter.event.key()).await.unwrap());
    until(&store, |s| s.done == 1).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}
