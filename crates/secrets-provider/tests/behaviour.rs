//! What a handle promises, over the memory source, on a clock that stands still.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stand outside of #[test]"
)]

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use golive_secrets_provider::{
    ConfigError, Handle, HandleBuilder, SecretError, Source, Status, Value, Version, Versions,
    source::{EnvSource, Fetching, MemorySource, SourceErrorKind},
};
use golive_testkit::ManualClock;
use tokio::time::{Instant, sleep, timeout};

const NAME: &str = "partner/api";
const FRESH: Duration = Duration::from_secs(100);
const STALE: Duration = Duration::from_secs(50);
const TICK: Duration = Duration::from_millis(1);

fn version(id: &str) -> Version {
    Version::new(id, Value::new(format!("value of {id}")).unwrap())
}

fn memory() -> MemorySource {
    let source = MemorySource::new();
    source.set(NAME, Versions::new(version("1")));
    source
}

/// Refreshes after 80 s, serves for 150 s.
fn builder(source: impl Source) -> HandleBuilder {
    let builder = Handle::builder(source, NAME).random(|| 0.5);
    builder.fresh_for(FRESH).stale_for(STALE)
}

fn ids(handle: &Handle) -> (String, Option<String>) {
    let loaded = handle.load().unwrap();
    let previous = loaded.previous().map(|previous| previous.id().to_owned());
    (loaded.current().id().to_owned(), previous)
}

#[tokio::test(start_paused = true)]
async fn a_thousand_tasks_on_a_cold_secret_cause_one_fetch() {
    let source = memory();
    let handle = builder(source.clone()).build().unwrap();
    let tasks: Vec<_> = (0..1000)
        .map(|_| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.ready().await.unwrap().generation() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 1);
    }
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_refreshed_ahead_of_time_and_its_pair_stays_together() {
    let source = memory();
    let handle = builder(source.clone()).build().unwrap();
    handle.ready().await.unwrap();
    source.rotate(NAME, version("2"));
    sleep(Duration::from_secs(79)).await;
    assert_eq!(ids(&handle), ("1".into(), None));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(ids(&handle), ("2".into(), Some("1".into())));
    assert_eq!(source.fetches(), 2);
    assert_eq!(handle.generation(), 2);
    // Nothing changes: no new generation, and the same snapshot.
    let before = handle.ready().await.unwrap();
    sleep(Duration::from_secs(80)).await;
    assert_eq!((source.fetches(), handle.generation()), (3, 2));
    assert!(Arc::ptr_eq(&before, &handle.ready().await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn refreshes_are_spread_between_70_and_90_percent() {
    for (random, seconds) in [(0.0, 70), (1.0, 90)] {
        let source = memory();
        let handle = builder(source.clone())
            .random(move || random)
            .build()
            .unwrap();
        handle.ready().await.unwrap();
        sleep(Duration::from_secs(seconds) - TICK).await;
        assert_eq!(source.fetches(), 1);
        sleep(2 * TICK).await;
        assert_eq!(source.fetches(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_wakes_who_waits_and_none_is_missed() {
    let source = memory();
    let handle = builder(source.clone()).build().unwrap();
    let first = handle.changed().await.unwrap();
    assert_eq!(first.generation(), 1);

    let waits = tokio::spawn({
        let handle = handle.clone();
        async move { handle.changed().await.unwrap() }
    });
    sleep(TICK).await;
    source.rotate(NAME, version("2"));
    handle.refresh().await.unwrap();
    let woken = waits.await.unwrap();
    assert_eq!((woken.generation(), woken.current().id()), (2, "2"));
    // Who asks later, with what it knows, gets it at once.
    let late = timeout(TICK, handle.changed_since(first.generation()));
    assert_eq!(late.await.unwrap().unwrap().generation(), 2);
    // A snapshot stays what it was.
    assert_eq!(first.current().id(), "1");
}

#[tokio::test(start_paused = true)]
async fn a_roll_back_is_a_change_too() {
    let source = memory();
    let handle = builder(source.clone()).build().unwrap();
    source.rotate(NAME, version("2"));
    handle.refresh().await.unwrap();
    source.rotate(NAME, version("1"));
    let back = handle.refresh().await.unwrap();
    assert_eq!(back.current().id(), "1");
    assert_eq!(back.previous().unwrap().id(), "2");
}

#[tokio::test(start_paused = true)]
async fn a_failing_source_leaves_the_secret_in_service_up_to_the_bound_and_no_longer() {
    let source = memory();
    let handle = builder(source.clone()).build().unwrap();
    handle.ready().await.unwrap();
    source.fail(SourceErrorKind::Unavailable);

    sleep(FRESH - TICK).await;
    assert_eq!(handle.health().status, Status::Fresh);
    sleep(2 * TICK).await;
    let health = handle.health();
    assert_eq!(health.status, Status::Stale);
    assert!(
        health.failures >= 3 && health.last_error.is_some(),
        "{health:?}"
    );
    assert_eq!(ids(&handle).0, "1");

    sleep(STALE - 3 * TICK).await;
    assert_eq!(ids(&handle).0, "1");
    sleep(3 * TICK).await;
    assert_eq!(handle.health().status, Status::Expired);
    let error = handle.load().unwrap_err();
    assert!(matches!(error, SecretError::TooOld { .. }), "{error}");
    assert!(matches!(
        handle.ready().await,
        Err(SecretError::TooOld { .. })
    ));

    // It comes back by itself, as a new state.
    source.fail(None);
    let back = handle.changed_since(1).await.unwrap();
    assert_eq!((back.generation(), back.current().id()), (2, "1"));
    assert_eq!(handle.health().status, Status::Fresh);
    assert_eq!(handle.health().failures, 0);
}

#[tokio::test(start_paused = true)]
async fn the_bound_holds_while_a_fetch_hangs() {
    /// Answers once, then never again.
    struct Hangs(AtomicU64);
    impl Source for Hangs {
        fn fetch<'a>(&'a self, _: &'a str) -> Fetching<'a> {
            let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
            Box::pin(async move {
                if first {
                    return Ok(Versions::new(version("1")));
                }
                pending().await
            })
        }
    }
    let builder = builder(Hangs(AtomicU64::new(0)));
    let handle = builder
        .fetch_timeout(Duration::from_secs(300))
        .build()
        .unwrap();
    handle.ready().await.unwrap();
    sleep(FRESH + STALE - 2 * TICK).await;
    assert!(handle.load().is_ok());
    sleep(4 * TICK).await;
    assert_eq!(handle.health().status, Status::Expired);
    assert!(handle.load().is_err());
}

#[tokio::test(start_paused = true)]
async fn failures_are_paused_ever_longer_and_a_refresh_does_not_wait_for_the_pause() {
    let source = MemorySource::new();
    let handle = builder(source.clone()).random(|| 1.0).build().unwrap();
    let error = handle.ready().await.unwrap_err();
    assert!(matches!(error, SecretError::Fetch { .. }) && !error.is_transient());
    // At 0, 1, 3, 7, 15, 31, 63, 123 s.
    sleep(Duration::from_secs(64)).await;
    assert_eq!(source.fetches(), 7);
    source.set(NAME, Versions::new(version("1")));
    let start = Instant::now();
    handle.refresh().await.unwrap();
    assert!(start.elapsed() <= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_refusals_at_once_cost_one_fetch_and_a_second_wave_one_more() {
    let source = memory();
    let handle = builder(source.clone()).build().unwrap();
    handle.ready().await.unwrap();
    let start = Instant::now();
    for (wave, fetches) in [(1, 2), (2, 3)] {
        source.rotate(NAME, version(&format!("wave {wave}")));
        let tasks: Vec<_> = (0..1000)
            .map(|_| {
                let handle = handle.clone();
                tokio::spawn(async move { handle.refresh().await.unwrap() })
            })
            .collect();
        for task in tasks {
            // What was asked for after the call, never what was under way before.
            assert_eq!(task.await.unwrap().current().id(), format!("wave {wave}"));
        }
        assert_eq!(source.fetches(), fetches);
    }
    // Each a second after the fetch before.
    assert_eq!(start.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_takes_nothing_along() {
    let source = Slow(memory(), Duration::from_secs(5));
    let handle = builder(source).build().unwrap();
    assert!(timeout(TICK, handle.ready()).await.is_err());
    assert!(timeout(TICK, handle.refresh()).await.is_err());
    assert!(timeout(TICK, handle.changed()).await.is_err());
    assert!(matches!(handle.load(), Err(SecretError::NotYet { .. })));
    assert_eq!(handle.ready().await.unwrap().generation(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_takes_too_long_is_given_up() {
    let handle = builder(Slow(memory(), Duration::from_secs(11)))
        .build()
        .unwrap();
    let start = Instant::now();
    let error = handle.ready().await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 10);
    let SecretError::Fetch { cause, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(cause.kind(), SourceErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_fails_one_fetch_and_not_the_handle() {
    struct Panics(AtomicU64);
    impl Source for Panics {
        fn fetch<'a>(&'a self, _: &'a str) -> Fetching<'a> {
            let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
            Box::pin(async move {
                assert!(!first, "on purpose");
                Ok(Versions::new(version("1")))
            })
        }
    }
    let handle = builder(Panics(AtomicU64::new(0))).build().unwrap();
    assert!(handle.ready().await.unwrap_err().is_transient());
    assert_eq!(handle.changed_since(0).await.unwrap().current().id(), "1");
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_last_copy() {
    let source = memory();
    let handle = builder(source.clone()).build().unwrap();
    handle.ready().await.unwrap();
    let copy = handle.clone();
    drop(handle);
    sleep(Duration::from_secs(81)).await;
    assert_eq!(source.fetches(), 2);
    drop(copy);
    sleep(Duration::from_secs(1000)).await;
    assert_eq!(source.fetches(), 2);
}

#[test]
fn a_handle_without_its_runtime_serves_nothing_and_says_why() {
    let source = memory();
    let none = builder(source.clone()).build();
    assert_eq!(none.unwrap_err(), ConfigError::NoRuntime);

    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    let handle = runtime.block_on(async {
        let handle = builder(source).build().unwrap();
        handle.ready().await.unwrap();
        handle
    });
    assert!(handle.load().is_ok());
    drop(runtime);
    assert!(matches!(handle.load(), Err(SecretError::Stopped { .. })));
    assert_eq!(handle.health().status, Status::Stopped);
    let after = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let waits = after.block_on(handle.changed());
    assert!(matches!(waits, Err(SecretError::Stopped { .. })));
}

#[tokio::test(start_paused = true)]
async fn health_is_dated_by_the_clock_it_was_given() {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let clock = Arc::new(ManualClock::at(1_800_000_000));
    let source = memory();
    let handle = builder(source.clone())
        .clock(Arc::clone(&clock))
        .build()
        .unwrap();
    assert_eq!(handle.health().status, Status::Starting);
    handle.ready().await.unwrap();
    clock.advance(Duration::from_secs(81));
    source.fail(SourceErrorKind::Denied);
    sleep(Duration::from_secs(80) + TICK).await;
    let health = handle.health();
    assert_eq!(health.last_success, Some(start));
    assert_eq!(health.last_change, Some(start));
    assert_eq!(health.last_attempt, Some(start + Duration::from_secs(81)));
    assert_eq!(health.generation, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_out_of_its_bounds_is_refused() {
    let second = Duration::from_secs(1);
    let refused = [
        Handle::builder(memory(), ""),
        Handle::builder(memory(), &"n".repeat(2049)),
        builder(memory()).fresh_for(second - TICK),
        builder(memory()).fresh_for(24 * 3600 * second + TICK),
        builder(memory()).stale_for(7 * 24 * 3600 * second + TICK),
        builder(memory()).fetch_timeout(Duration::ZERO),
        builder(memory()).fetch_timeout(301 * second),
    ];
    for builder in refused {
        let shown = format!("{builder:?}");
        assert!(builder.build().is_err(), "{shown}");
    }
    assert!(builder(memory()).stale_for(Duration::ZERO).build().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_source_for_development_says_so_through_its_handle() {
    let env = EnvSource::for_development(|_| Some("x".into()));
    assert!(builder(Arc::new(env)).build().unwrap().is_for_development());
    assert!(!builder(memory()).build().unwrap().is_for_development());
}

struct Slow(MemorySource, Duration);

impl Source for Slow {
    fn fetch<'a>(&'a self, name: &'a str) -> Fetching<'a> {
        Box::pin(async move {
            sleep(self.1).await;
            self.0.fetch(name).await
        })
    }
}
