//! So many at once, and one more in each period.

use std::time::{Duration, Instant};

const BURST: u32 = 10;
const PERIOD: Duration = Duration::from_secs(30);

/// Bounds renewals that the clock did not cause: 10 at once, then one in 30 seconds. It counts in
/// one instant (GCRA).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket {
    /// When it is full again. It is empty if that takes the whole burst.
    full_at: Option<Instant>,
}

// === impl Bucket ===

impl Bucket {
    /// Takes one, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        if full_at.saturating_duration_since(now) > PERIOD * (BURST - 1) {
            return false;
        }
        self.full_at = Some(full_at + PERIOD);
        true
    }
}
