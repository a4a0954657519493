//! How a secret is doing, apart from what it is.

use std::{sync::Arc, time::SystemTime};

use crate::source::SourceError;

/// How a handle is doing. It holds no secret and may be logged and exported.
///
/// Times are wall-clock times, so that a gauge exports a timestamp and not an age.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    /// In one word.
    pub status: Status,
    /// The state that is served, or was served last; 0 before the first.
    pub generation: u64,
    /// When a fetch last succeeded.
    pub last_success: Option<SystemTime>,
    /// When the served state was first seen.
    pub last_change: Option<SystemTime>,
    /// When a fetch last ended, well or badly.
    pub last_attempt: Option<SystemTime>,
    /// How many fetches have failed since the last that succeeded.
    pub failures: u32,
    /// Why the last fetch failed; nothing if it succeeded.
    pub last_error: Option<Arc<SourceError>>,
}

/// [`Health`] in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Nothing was fetched yet.
    Starting,
    /// What is served was fetched not long ago.
    Fresh,
    /// What is served is older than it should be: refreshes fail.
    Stale,
    /// Nothing is served: refreshes have failed for too long.
    Expired,
    /// Nothing is served: the runtime is gone.
    Stopped,
}

impl Status {
    /// Whether a secret is served.
    #[must_use]
    pub fn is_serving(self) -> bool {
        matches!(self, Self::Fresh | Self::Stale)
    }
}
