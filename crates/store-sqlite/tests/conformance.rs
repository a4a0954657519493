//! What every store promises, on SQLite.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use std::sync::Mutex;
use std::time::Duration;

use golive_store_sqlite::SqliteStore;
use golive_testkit::ManualClock;
use golive_webhook_inbox::conformance::{Bounds, Subject};
use tempfile::TempDir;

struct Sqlite {
    clock: ManualClock,
    folders: Mutex<Vec<TempDir>>,
}

fn sqlite() -> Sqlite {
    Sqlite {
        clock: ManualClock::at(1_700_000_000),
        folders: Mutex::default(),
    }
}

impl Subject for Sqlite {
    type Store = SqliteStore;

    async fn open(&self, bounds: Bounds) -> SqliteStore {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inbox.db");
        self.folders.lock().unwrap().push(folder);
        SqliteStore::builder(path)
            .max_events(bounds.max_events)
            .max_bytes(bounds.max_bytes)
            .max_keys(bounds.max_keys)
            .clock(self.clock.clone())
            .open()
            .await
            .unwrap()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

golive_webhook_inbox::conformance!(sqlite(), ());
