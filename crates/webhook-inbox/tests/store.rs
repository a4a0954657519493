//! What a store promises, on the store in memory.

use std::time::Duration;

use golive_webhook_inbox::conformance::{Bounds, Subject};
use golive_webhook_inbox::{ConfigError, MemoryStore};

struct Memory;

impl Subject for Memory {
    type Store = MemoryStore;

    #[allow(clippy::unwrap_used, reason = "the bounds are above zero")]
    async fn open(&self, bounds: Bounds) -> MemoryStore {
        MemoryStore::builder()
            .max_events(bounds.max_events)
            .max_bytes(bounds.max_bytes)
            .max_keys(bounds.max_keys)
            .build()
            .unwrap()
    }

    async fn advance(&self, by: Duration) {
        tokio::time::advance(by).await;
    }
}

golive_webhook_inbox::conformance!(Memory, (start_paused = true));

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
