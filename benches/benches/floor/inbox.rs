//! What sharing a transaction is worth: durable accepts a second by 64 callers, in groups and one
//! by one. The example `group_commit` of the store measures the same on a disk of your choice.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use golive_gates::{Gate, Spread, in_turns};
use golive_store_sqlite::SqliteStore;
use golive_webhook_inbox::{Event, EventKey, Store};
use tokio::{task::JoinSet, time::Instant};

const CALLERS: usize = 64;
const ROUNDS: usize = 9;
const TIME: Duration = Duration::from_millis(400);
const BODY: &[u8] = &[b'x'; 512];

pub(crate) fn gates() -> Vec<Gate> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let [grouped, alone] = in_turns(ROUNDS, |contestant| {
        let max_batch = [256, 1][contestant];
        runtime.block_on(accepts_per_second(max_batch))
    });
    let (all, one) = (
        Spread::of(grouped.iter().copied()),
        Spread::of(alone.iter().copied()),
    );
    println!("  accepts a second: {all} in groups, {one} one by one");
    let times = grouped.iter().zip(&alone);
    vec![Gate::at_least(
        3.0,
        "times",
        "SQLite accepts by 64 callers over one transaction each",
        Spread::of(times.map(|(grouped, alone)| grouped / alone)),
    )]
}

async fn accepts_per_second(max_batch: usize) -> f64 {
    // On the disk of the build: /tmp may be memory, where a commit costs nothing.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let store = SqliteStore::builder(folder.path().join("inbox.db")).max_batch(max_batch);
    let store = Arc::new(store.open().await.expect("a store"));
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let store = Arc::clone(&store);
        callers.spawn(async move {
            let mut accepted = 0;
            while begun.elapsed() < TIME {
                let key = EventKey::new("bench", &format!("msg_{caller}_{accepted}"));
                let event = Event::new(key.expect("a key"), Bytes::from_static(BODY));
                store.accept(event).await.expect("it is accepted");
                accepted += 1u32;
            }
            accepted
        });
    }
    let accepted: u32 = callers.join_all().await.into_iter().sum();
    f64::from(accepted) / begun.elapsed().as_secs_f64()
}
