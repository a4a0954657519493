//! The one place where the sandbox reads a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// One reading: everything that is decided is decided with this.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Since the sandbox started; monotonic, stands still under a paused tokio clock.
    pub(crate) mono: Duration,
    /// Since the Unix epoch; only for what goes on the wire as a date.
    pub(crate) unix: Duration,
}

impl Now {
    pub(crate) fn unix_secs(self) -> i64 {
        i64::try_from(self.unix.as_secs()).unwrap_or(i64::MAX)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    pub(crate) fn now(self) -> Now {
        Now {
            mono: self.started.elapsed(),
            unix: wall().duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "dates on the wire (X-RateLimit-Reset, webhook-timestamp, created_at) are wall time, and this is the only read"
)]
fn wall() -> SystemTime {
    SystemTime::now()
}
