//! Measures what sharing a transaction is worth: durable accepts a second by 64 callers and by
//! one, with group commit and with a transaction for each, interleaved in one run.
//!
//! `cargo run --release -p golive-store-sqlite --example group_commit [folder]`; the folder says
//! which disk is measured, the current one by default.
#![allow(clippy::print_stdout, reason = "this is a program")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use golive_store_sqlite::SqliteStore;
use golive_webhook_inbox::{Event, EventKey, Store};
use tokio::task::JoinSet;
use tokio::time::Instant;

const ROUNDS: usize = 7;
const TIME: Duration = Duration::from_millis(500);
const BODY: &[u8] = &[b'x'; 512];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    for callers in [64, 1] {
        let (mut grouped, mut alone) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            alone.push(accepts_per_second(folder.as_ref(), callers, 1).await?);
            grouped.push(accepts_per_second(folder.as_ref(), callers, 256).await?);
        }
        let (grouped, alone) = (median(grouped), median(alone));
        println!(
            "{callers:>2} callers: {grouped:>6.0}/s in groups, {alone:>6.0}/s one by one: {:.2} times",
            grouped / alone
        );
    }
    Ok(())
}

async fn accepts_per_second(
    folder: &Path,
    callers: usize,
    max_batch: usize,
) -> Result<f64, Box<dyn Error + Send + Sync>> {
    let folder = tempfile::tempdir_in(folder)?;
    let store = SqliteStore::builder(folder.path().join("inbox.db")).max_batch(max_batch);
    let store = Arc::new(store.open().await?);
    let begun = Instant::now();
    let mut senders = JoinSet::new();
    for caller in 0..callers {
        let store = Arc::clone(&store);
        senders.spawn(async move {
            let mut accepted = 0u32;
            while begun.elapsed() < TIME {
                let key = EventKey::new("bench", &format!("msg_{caller}_{accepted}"))?;
                let event = Event::new(key, Bytes::from_static(BODY));
                store.accept(event).await?;
                accepted += 1;
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(accepted)
        });
    }
    let mut accepted = 0;
    while let Some(sender) = senders.join_next().await {
        accepted += sender??;
    }
    Ok(f64::from(accepted) / begun.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
