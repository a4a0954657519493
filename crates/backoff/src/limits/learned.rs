//! The pace of a server that tells no limit, measured between two refusals.

use std::time::Duration;

use tokio::time::Instant;

/// After so many cycles without a refusal the pace has more than grown twentyfold, and is dropped.
const MOST_GROWTH: u32 = 48;

/// A cycle is at least this long: with less there is nothing to measure.
const SHORTEST: Duration = Duration::from_millis(100);

/// In a longer one, it says more of how much there was to send than of what is allowed.
const LONGEST: Duration = Duration::from_secs(60);

/// The pace grows at least this often.
const GROWTH: Duration = Duration::from_secs(10);

/// What was let through from one release to the end of the next pause: that many, in that time, is
/// what the server allows, whether it counts in windows or in a bucket.
#[derive(Clone, Debug, Default)]
pub(super) struct Learned {
    /// When the count began; `None` before the first refusal.
    began: Option<Instant>,
    accepted: u64,
    spacing: Duration,
    cycle: Duration,
    grown: u32,
}

// === impl Learned ===

impl Learned {
    /// Counts a call that was sent at `sent` and let through.
    pub(super) fn accept(&mut self, sent: Instant) {
        if self.began.is_some_and(|began| sent >= began) {
            self.accepted += 1;
        }
    }

    /// Takes the measure at a refusal that pauses until `until`.
    pub(super) fn strike(&mut self, until: Instant) {
        if let Some(began) = self.began {
            let cycle = until.saturating_duration_since(began);
            if (SHORTEST..=LONGEST).contains(&cycle) && self.accepted > 1 {
                let accepted = u32::try_from(self.accepted).unwrap_or(u32::MAX);
                self.spacing = cycle / accepted;
                self.cycle = cycle.min(GROWTH);
            }
        }
        self.grown = 0;
        self.began = Some(until);
        self.accepted = 0;
    }

    /// The time between two sends; zero if nothing is known. A sixteenth faster with each cycle
    /// that passes without a refusal: a limit that was raised is found again.
    pub(super) fn spacing(&mut self, now: Instant) -> Duration {
        let Some(began) = self.began else {
            return Duration::ZERO;
        };
        let passed = now.saturating_duration_since(began);
        if self.spacing.is_zero() {
            // Nothing was measured, and what began so long ago will not be.
            if passed > LONGEST {
                *self = Self::default();
            }
            return Duration::ZERO;
        }
        let cycles = passed.as_nanos() / self.cycle.as_nanos().max(1);
        let cycles = u32::try_from(cycles).unwrap_or(u32::MAX);
        if cycles > MOST_GROWTH {
            *self = Self::default();
            return Duration::ZERO;
        }
        while self.grown < cycles {
            self.spacing = self.spacing / 16 * 15;
            self.grown += 1;
        }
        self.spacing
    }

    /// Whether it slows anything down.
    pub(super) fn is_active(&self) -> bool {
        self.began.is_some()
    }
}
