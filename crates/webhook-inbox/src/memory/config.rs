//! The bounds of a [`MemoryStore`].

use std::time::Duration;

use super::MemoryStore;
use crate::ConfigError;

/// Gathers the bounds of a [`MemoryStore`]; start with [`MemoryStore::builder`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct MemoryStoreBuilder {
    pub(super) max_events: usize,
    pub(super) max_bytes: usize,
    pub(super) max_keys: usize,
    pub(super) remember: Duration,
}

impl Default for MemoryStoreBuilder {
    fn default() -> Self {
        Self {
            max_events: 10_000,
            max_bytes: 64 * 1024 * 1024,
            max_keys: 250_000,
            // The schedule of Standard Webhooks spans 75 hours; a week leaves room for a sender
            // that is asked to send again by hand.
            remember: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }
}

impl MemoryStoreBuilder {
    /// The most events kept with their bodies: waiting, running, dead and parked. Default: 10,000.
    pub fn max_events(mut self, events: usize) -> Self {
        self.max_events = events;
        self
    }

    /// The most bytes of bodies kept. Default: 64 MiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The most keys remembered, handled events included; a key takes some 200 bytes. Default:
    /// 250,000.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// How long a handled event is remembered for deduplication. Default: 7 days.
    pub fn remember(mut self, time: Duration) -> Self {
        self.remember = time;
        self
    }

    /// Builds the store.
    ///
    /// # Errors
    /// [`ConfigError::Bound`] if any bound is zero, or a time is longer than ten years.
    pub fn build(self) -> Result<MemoryStore, ConfigError> {
        let most = Duration::from_secs(10 * 366 * 24 * 60 * 60);
        let zero = self.max_events.min(self.max_bytes).min(self.max_keys) == 0;
        if zero || self.remember.is_zero() || self.remember > most {
            return Err(ConfigError::Bound);
        }
        Ok(MemoryStore::from_builder(self))
    }
}
