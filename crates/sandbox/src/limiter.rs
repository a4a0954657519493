//! The rate limit: a fixed window for the one partner that the sandbox serves.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How many requests are served in how long a window; the default is 1000 in 60 seconds.
///
/// The window begins with the first request after the last one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Requests in a window, at least 1.
    pub limit: u64,
    /// Length of a window, more than zero.
    pub window: Duration,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            limit: 1000,
            window: Duration::from_secs(60),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Limiter {
    limit: RateLimit,
    ends: Duration,
    used: u64,
}

/// What one request is told about its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// When its window ends, since the start of the sandbox.
    pub(crate) ends: Duration,
    pub(crate) refused: bool,
}

impl Limiter {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            ends: Duration::ZERO,
            used: 0,
        }
    }

    /// Counts one request at `now` (since the start of the sandbox).
    pub(crate) fn take(&mut self, now: Duration) -> Quota {
        if now >= self.ends {
            self.ends = now + self.limit.window;
            self.used = 0;
        }
        let refused = self.used >= self.limit.limit;
        if !refused {
            self.used += 1;
        }
        Quota {
            limit: self.limit.limit,
            remaining: self.limit.limit - self.used,
            ends: self.ends,
            refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_inside_a_window_and_is_forgotten_after_it() {
        let secs = Duration::from_secs;
        let mut limiter = Limiter::new(RateLimit {
            limit: 2,
            window: secs(10),
        });
        assert_eq!(
            limiter.take(secs(5)),
            Quota {
                limit: 2,
                remaining: 1,
                ends: secs(15),
                refused: false
            }
        );
        assert_eq!(
            limiter.take(secs(6)),
            Quota {
                limit: 2,
                remaining: 0,
                ends: secs(15),
                refused: false
            }
        );
        assert_eq!(
            limiter.take(secs(14)),
            Quota {
                limit: 2,
                remaining: 0,
                ends: secs(15),
                refused: true
            }
        );
        assert_eq!(
            limiter.take(secs(15)),
            Quota {
                limit: 2,
                remaining: 1,
                ends: secs(25),
                refused: false
            }
        );
    }
}
