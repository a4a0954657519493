//! What goes wrong with a file, and what outlives a process.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails is a failed test"
)]

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use golive_store_sqlite::{ErrorKind, SqliteError, SqliteStore, SqliteStoreBuilder};
use golive_testkit::ManualClock;
use golive_webhook_inbox::tower::{Accept, AcceptBody};
use golive_webhook_inbox::{
    Accepted, Admin, BoxError, Event, EventKey, Fenced, Owner, Release, Store, StoreError, Workers,
};
use rusqlite::Connection;
use tempfile::TempDir;
use tower::ServiceExt as _;

const LEASE: Duration = Duration::from_secs(30);
const CANARY: &str = "canary-4111111111111111";

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inbox.db");
    (folder, path)
}

async fn open(path: &Path) -> SqliteStore {
    SqliteStore::builder(path).open().await.unwrap()
}

async fn refused(builder: SqliteStoreBuilder) -> ErrorKind {
    builder.open().await.unwrap_err().kind()
}

fn key(id: &str) -> EventKey {
    EventKey::new("p", id).unwrap()
}

fn event(id: &str) -> Event {
    Event::new(key(id), Bytes::from_static(CANARY.as_bytes()))
}

fn kind(error: &StoreError) -> ErrorKind {
    let source = error.source().unwrap_or_else(|| panic!("{error:?}"));
    source.downcast_ref::<SqliteError>().unwrap().kind()
}

async fn claim(store: &SqliteStore) -> Option<(Event, Owner)> {
    let claim = store.claim(Owner::random(), LEASE).await.unwrap()?;
    Some((claim.event, claim.owner))
}

/// What a sender is told.
async fn send(store: &Arc<SqliteStore>, id: &str) -> u16 {
    let delivery = http::Request::post("/")
        .header("webhook-id", id)
        .body(AcceptBody::default())
        .unwrap();
    let accept = Accept::new(Arc::clone(store));
    let response = accept.oneshot(delivery).await.unwrap();
    assert!(!format!("{response:?}").contains("inbox.db"));
    response.status().as_u16()
}

#[tokio::test]
async fn a_lock_of_another_process_is_a_503_that_passes_and_blocks_no_task() {
    let (_folder, path) = place();
    let builder = SqliteStore::builder(&path).busy_timeout(Duration::from_millis(300));
    let store = Arc::new(builder.open().await.unwrap());
    let other = Connection::open(&path).unwrap();
    other.execute_batch("begin immediate").unwrap();
    // On the one thread of this runtime, others still get their turn.
    let mut sending = std::pin::pin!(send(&store, "a"));
    tokio::select! {
        biased;
        status = &mut sending => panic!("answered with {status} while another task waited"),
        () = tokio::time::sleep(Duration::from_millis(20)) => {}
    }
    assert_eq!(sending.await, 503);
    let error = store.accept(event("a")).await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::Busy);
    other.execute_batch("rollback").unwrap();
    assert_eq!(send(&store, "a").await, 200);
    assert_eq!(store.stats().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_not_touched() {
    let (_folder, path) = place();
    drop(open(&path).await);
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    newer
        .pragma_update(None, "wal_checkpoint", "truncate")
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = SqliteStore::builder(&path).open().await.unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Newer {
            found: 99,
            known: 1
        }
    );
    assert!(error.to_string().contains("99"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_file_of_another_program_is_refused_and_not_touched() {
    for make in [
        "create table theirs (x)",
        "pragma application_id = 7",
        "pragma user_version = 1",
    ] {
        let (_folder, path) = place();
        Connection::open(&path)
            .unwrap()
            .execute_batch(make)
            .unwrap();
        let before = std::fs::read(&path).unwrap();
        let kind = refused(SqliteStore::builder(&path)).await;
        assert_eq!(kind, ErrorKind::Foreign, "{make}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
    let (_folder, path) = place();
    let letter = "Dear database, ".repeat(1000);
    std::fs::write(&path, &letter).unwrap();
    let kind = refused(SqliteStore::builder(&path)).await;
    assert_eq!(kind, ErrorKind::Corrupt);
    assert_eq!(std::fs::read(&path).unwrap(), letter.as_bytes());
}

#[tokio::test]
async fn a_damaged_file_is_told_as_such_and_answers_503() {
    let (_folder, path) = place();
    let store = open(&path).await;
    store.accept(event("a")).await.unwrap();
    drop(store);
    let own = Connection::open(&path).unwrap();
    let pages: i64 = own
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    own.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
        .unwrap();
    drop(own);
    // Everything behind the first page, which holds the schema.
    let mut bytes = std::fs::read(&path).unwrap();
    let page = bytes.len() / usize::try_from(pages).unwrap();
    bytes[page..].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();

    let store = Arc::new(open(&path).await);
    let error = store.accept(event("b")).await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::Corrupt);
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(CANARY), "{shown}");
    assert_eq!(send(&store, "b").await, 503);
}

#[tokio::test]
async fn places_and_settings_that_cannot_work_are_refused() {
    let (folder, path) = place();
    let nowhere = folder.path().join("none/inbox.db");
    let denied = refused(SqliteStore::builder(nowhere)).await;
    assert_eq!(denied, ErrorKind::Denied);
    let is_folder = refused(SqliteStore::builder(folder.path())).await;
    assert_eq!(is_folder, ErrorKind::Denied);
    let make = || SqliteStore::builder(&path);
    for builder in [
        make().max_events(0),
        make().max_bytes(0),
        make().max_keys(0),
        make().max_batch(0),
        make().max_batch(1025),
        make().remember(Duration::ZERO),
        make().remember(Duration::MAX),
        make().poll(Duration::ZERO),
        make().busy_timeout(Duration::MAX),
    ] {
        assert_eq!(refused(builder).await, ErrorKind::Setting);
    }
    assert!(!path.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_and_its_log_are_for_the_eyes_of_their_owner() {
    use std::os::unix::fs::PermissionsExt as _;

    let (folder, path) = place();
    let store = open(&path).await;
    store.accept(event("a")).await.unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(files.len() > 1);
    for file in files {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn everything_outlives_the_store_and_smaller_bounds_lose_nothing() {
    let (_folder, path) = place();
    let clock = ManualClock::at(1_700_000_000);
    let make = || SqliteStore::builder(&path).clock(clock.clone());
    let store = make().open().await.unwrap();
    for id in ["done", "dead", "later", "running"] {
        store.accept(event(id)).await.unwrap();
        let (event, owner) = claim(&store).await.unwrap();
        assert_eq!(event.key(), &key(id));
        let fenced = match id {
            "done" => store.complete(event.key(), owner).await,
            "running" => continue,
            _ => {
                let how = match id {
                    "dead" => Release::Dead {
                        reason: "broken".into(),
                    },
                    _ => Release::Retry { after: 2 * LEASE },
                };
                store.release(event.key(), owner, how).await
            }
        };
        assert_eq!(fenced.unwrap(), Fenced::Applied);
    }
    store.accept(event("waits")).await.unwrap();
    let other = Event::new(key("done"), Bytes::from_static(b"other"));
    assert_eq!(store.accept(other).await.unwrap(), Accepted::Conflict);
    let before = store.stats().await.unwrap();
    drop(store);

    let store = make().max_events(1).max_bytes(1).max_keys(1).open().await;
    let store = store.unwrap();
    assert_eq!(store.stats().await.unwrap(), before);
    for id in ["done", "dead", "later", "running", "waits"] {
        let again = store.accept(event(id)).await.unwrap();
        assert_eq!(again, Accepted::Duplicate, "{id}");
    }
    let refused = store.accept(event("new")).await;
    assert!(matches!(refused, Err(StoreError::Full)));
    assert_eq!(claim(&store).await.unwrap().0.key(), &key("waits"));
    assert!(claim(&store).await.is_none());
    clock.advance(LEASE);
    let (event, _) = claim(&store).await.unwrap();
    assert_eq!((event.key(), event.attempt()), (&key("running"), 2));
    let letter = store.dead_letters(None, 10).await.unwrap().remove(0);
    assert_eq!(
        (letter.event.key(), &*letter.reason),
        (&key("dead"), "broken")
    );
    assert_eq!(
        &store.parked(None, 10).await.unwrap()[0].body()[..],
        b"other"
    );
}

#[tokio::test]
async fn two_processes_on_one_file_share_the_work_and_deduplicate() {
    let (_folder, path) = place();
    let (one, two) = (open(&path).await, open(&path).await);
    assert_eq!(one.accept(event("a")).await.unwrap(), Accepted::New);
    assert_eq!(two.accept(event("a")).await.unwrap(), Accepted::Duplicate);
    let (event, owner) = claim(&two).await.unwrap();
    assert!(claim(&one).await.is_none());
    let done = one.complete(event.key(), owner).await.unwrap();
    assert_eq!(done, Fenced::Applied);
    assert_eq!(one.stats().await.unwrap(), two.stats().await.unwrap());
}

#[tokio::test]
async fn an_idle_worker_finds_what_another_process_accepted() {
    let (_folder, path) = place();
    let builder = SqliteStore::builder(&path).poll(Duration::from_millis(50));
    let worker = Arc::new(builder.open().await.unwrap());
    let handler = tower::service_fn(|_: Event| async { Ok::<_, BoxError>(()) });
    let workers = Workers::builder().spawn(Arc::clone(&worker), handler);
    let other = open(&path).await;
    other.accept(event("a")).await.unwrap();
    let done = async {
        while other.stats().await.unwrap().done == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), done)
        .await
        .unwrap();
    workers.unwrap().shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_of_ours_wakes_a_waiting_worker_and_a_release_moves_the_alarm() {
    let (_folder, path) = place();
    let builder = SqliteStore::builder(&path).poll(Duration::from_secs(3600));
    let store = Arc::new(builder.open().await.unwrap());
    let patience = Duration::from_secs(20);
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                loop {
                    store.ready().await;
                    if let Some(claimed) = claim(&store).await {
                        return claimed;
                    }
                }
            })
        })
        .collect();
    for id in ["a", "b", "c"] {
        store.accept(event(id)).await.unwrap();
    }
    let mut last = None;
    for waiter in waiters {
        let claimed = tokio::time::timeout(patience, waiter).await;
        last = Some(claimed.unwrap().unwrap());
    }
    // Someone already waits when the next alarm is set, and nothing is due before it.
    let (event, owner) = last.unwrap();
    let waiter = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.ready().await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiter.is_finished());
    let how = Release::Retry {
        after: Duration::from_millis(100),
    };
    let gave = store.release(event.key(), owner, how).await.unwrap();
    assert_eq!(gave, Fenced::Applied);
    tokio::time::timeout(patience, waiter)
        .await
        .unwrap()
        .unwrap();
    assert!(claim(&store).await.is_some());
}

#[tokio::test]
async fn a_claim_that_nobody_waited_for_is_given_back_uncounted() {
    let (_folder, path) = place();
    let store = open(&path).await;
    store.accept(event("a")).await.unwrap();
    let owner = Owner::random();
    let mut claiming = Box::pin(store.claim(owner, LEASE));
    let once = std::future::poll_fn(|cx| std::task::Poll::Ready(claiming.as_mut().poll(cx)));
    assert!(once.await.is_pending());
    drop(claiming);
    let (event, _) = claim(&store).await.unwrap();
    assert_eq!(event.attempt(), 1);
}

#[tokio::test]
async fn an_accept_that_nobody_waited_for_is_kept_or_not_but_never_half() {
    let (_folder, path) = place();
    let store = open(&path).await;
    for n in 0..50 {
        let mut accepting = Box::pin(store.accept(event(&n.to_string())));
        let once = std::future::poll_fn(|cx| std::task::Poll::Ready(accepting.as_mut().poll(cx)));
        let _ = once.await;
    }
    // The sender got no answer and comes again.
    for n in 0..50 {
        let again = store.accept(event(&n.to_string())).await.unwrap();
        assert_ne!(again, Accepted::Conflict);
    }
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.bytes), (50, 50 * CANARY.len()));
}
