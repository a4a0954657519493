//! A process is killed in the middle of its work, three times. What it had acknowledged is handled.
//!
//! This program is its own child: `child` as its first argument makes it the receiver that dies.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper that fails is a failed test, and this is a program"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use golive_store_sqlite::SqliteStore;
use golive_webhook_inbox::tower::{Accept, AcceptBody};
use golive_webhook_inbox::{Accepted, Admin, BoxError, Event, EventKey, Store, Workers};
use tower::{ServiceExt as _, service_fn};

const KILLS: u32 = 3;
const WORKERS: usize = 8;
/// Events that one child is sent, half of which the one before it was sent too.
const EVENTS: u32 = 800;
const LEASE: Duration = Duration::from_secs(1);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    match arguments.first().map(String::as_str) {
        Some("child") => {
            let first = arguments[2].parse().unwrap();
            runtime.block_on(child(Path::new(&arguments[1]), first));
        }
        Some("--list") => {}
        _ => {
            runtime.block_on(parent());
            println!("what_was_acknowledged_before_a_kill_is_handled_after_it ... ok");
        }
    }
}

/// Accepts events, each delivered twice, says on its output which ones it acknowledged, and
/// handles them meanwhile. Some handlers never end, so that the kill finds them at work.
async fn child(folder: &Path, first: u32) {
    let store = open(folder).await;
    let ledger = ledger(folder);
    let handler = service_fn(move |event: Event| {
        let ledger = Arc::clone(&ledger);
        async move {
            let number: u32 = event.key().id().parse()?;
            if event.attempt() == 1 && number % 100 == 7 {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
            note(&ledger, &event)
        }
    });
    let workers = Workers::builder().concurrency(WORKERS).lease(LEASE);
    let _workers = workers.spawn(Arc::clone(&store), handler).unwrap();
    let senders: Vec<_> = (0..16)
        .map(|sender| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for turn in (sender..2 * EVENTS).step_by(16) {
                    let number = first + turn / 2;
                    let accept = Accept::new(Arc::clone(&store));
                    let delivery = http::Request::post("/")
                        .header("webhook-id", number.to_string())
                        .body(AcceptBody::default())
                        .unwrap();
                    let response = accept.oneshot(delivery).await.unwrap();
                    if response.status() == 200 {
                        println!("{number}");
                    }
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    std::future::pending::<()>().await;
}

async fn parent() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for kill in 0..KILLS {
        let first = kill * EVENTS / 2;
        acknowledged.extend(live_and_die(folder.path(), first).await);
    }

    let store = open(folder.path()).await;
    let left = store.stats().await.unwrap();
    let kept = left.waiting + left.running;
    assert!(left.running > 0, "no handler was at work: {left:?}");
    assert!(left.waiting > 0, "nothing was waiting: {left:?}");
    assert_eq!((left.dead, left.parked), (0, 0));
    // Whoever was told 200 need not have: the store knows each of them.
    for number in &acknowledged {
        let key = EventKey::new("webhook", &number.to_string()).unwrap();
        let event = Event::new(key, Bytes::new());
        let again = store.accept(event).await.unwrap();
        assert_eq!(again, Accepted::Duplicate, "{number} was acknowledged");
    }
    assert_eq!(store.stats().await.unwrap(), left);

    let ledger = ledger(folder.path());
    let handler = service_fn(move |event: Event| {
        let noted = note(&ledger, &event);
        async move { noted }
    });
    let workers = Workers::builder().concurrency(WORKERS).lease(LEASE);
    let workers = workers.spawn(Arc::clone(&store), handler).unwrap();
    let emptied = async {
        while store.stats().await.unwrap().kept() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, emptied).await.unwrap();
    assert_eq!(workers.shutdown(Duration::ZERO).await.abandoned, 0);

    let handled = handled(folder.path());
    for number in &acknowledged {
        assert!(handled.contains_key(number), "{number} was lost");
    }
    let done = store.stats().await.unwrap().done;
    assert_eq!(done, handled.len());
    assert_eq!(done, left.done + kept);
    // A kill can cost a second run of what was in hand, and of nothing else.
    let runs: usize = handled.values().map(Vec::len).sum();
    let most = KILLS as usize * WORKERS;
    assert!(runs - done <= most, "{} ran twice", runs - done);
    let taken_over = handled.values().flatten().filter(|&&attempt| attempt > 1);
    assert!(taken_over.count() >= left.running);
}

/// Starts a child, kills it in the middle, and returns what it acknowledged.
async fn live_and_die(folder: &Path, first: u32) -> BTreeSet<u32> {
    let before = handled(folder).len();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", folder.to_str().unwrap(), &first.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = Arc::clone(&acknowledged);
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        // A line without its end is one that the kill cut off.
        while output.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
            seen.lock().unwrap().insert(line.trim().parse().unwrap());
            line.clear();
        }
    });
    let count = || acknowledged.lock().unwrap().len();
    let at_work = async {
        while count() < EVENTS as usize / 2 || handled(folder).len() < before + 50 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), at_work).await;
    // SIGKILL: no destructor runs, nothing is flushed.
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    in_time.unwrap();
    std::mem::take(&mut acknowledged.lock().unwrap())
}

async fn open(folder: &Path) -> Arc<SqliteStore> {
    let store = SqliteStore::builder(folder.join("inbox.db")).open().await;
    Arc::new(store.unwrap())
}

fn ledger(folder: &Path) -> Arc<File> {
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).open(ledger_path(folder));
    Arc::new(file.unwrap())
}

fn ledger_path(folder: &Path) -> PathBuf {
    folder.join("ledger")
}

/// The effect of a handler: one line, written at once.
fn note(mut ledger: &File, event: &Event) -> Result<(), BoxError> {
    let line = format!("{} {}\n", event.key().id(), event.attempt());
    Ok(ledger.write_all(line.as_bytes())?)
}

/// The attempts that took effect, by event.
fn handled(folder: &Path) -> BTreeMap<u32, Vec<u32>> {
    let mut handled = BTreeMap::<u32, Vec<u32>>::new();
    let ledger = std::fs::read_to_string(ledger_path(folder)).unwrap_or_default();
    for line in ledger.lines() {
        let (number, attempt) = line.split_once(' ').unwrap();
        let attempts = handled.entry(number.parse().unwrap()).or_default();
        attempts.push(attempt.parse().unwrap());
    }
    handled
}
