//! A server that allows so many requests in so much time, and refuses the others.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, sleep};

use crate::{Answer, Arrivals, Fate, Spelling, spelling::Standing};

/// So many requests in so much time.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// How many.
    pub limit: u32,
    /// In how much time.
    pub window: Duration,
    /// How it is counted.
    pub counting: Counting,
}

/// How a server counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// In windows that follow one another from the beginning. The reset is the end of the window.
    Windows,
    /// In a bucket of as many tokens as the limit, which is filled evenly. The reset is when it is
    /// full: so `OpenAI` says.
    Bucket,
}

/// The server.
pub struct Throttled {
    quota: Quota,
    spelling: Spelling,
    begun: Instant,
    state: Mutex<State>,
}

struct State {
    counter: Counter,
    random: fastrand::Rng,
    arrivals: Arrivals,
}

/// Counts requests.
#[derive(Debug, Default)]
struct Counter {
    window: u128,
    used: u32,
    /// When the bucket is full.
    full: Duration,
}

/// How long a request is under way in each direction, in milliseconds: 20 to 50 there and back.
const ONE_WAY: std::ops::RangeInclusive<u64> = 10..=25;

// === impl Throttled ===

impl Throttled {
    /// A server that begins now, with the latencies of this seed.
    #[must_use]
    pub fn new(quota: Quota, spelling: Spelling, seed: u64) -> Self {
        Self {
            quota,
            spelling,
            begun: Instant::now(),
            state: Mutex::new(State {
                counter: Counter::default(),
                random: fastrand::Rng::with_seed(seed),
                arrivals: Arrivals::default(),
            }),
        }
    }

    pub(crate) async fn answer(&self) -> Answer {
        let one_way = Duration::from_millis(self.state().random.u64(ONE_WAY));
        sleep(one_way).await;
        let (status, headers) = self.arrive(self.begun.elapsed());
        sleep(one_way).await;
        Answer::Response(status, headers)
    }

    pub(crate) fn arrivals(&self) -> Arrivals {
        self.state().arrivals.clone()
    }

    fn arrive(&self, at: Duration) -> (StatusCode, HeaderMap) {
        let state = &mut *self.state();
        let standing = state.counter.count(self.quota, at);
        let (status, fate) = if standing.allowed {
            (StatusCode::OK, Fate::Served)
        } else {
            (StatusCode::TOO_MANY_REQUESTS, Fate::Throttled)
        };
        state.arrivals.note(at, fate);
        (status, self.spelling.headers(self.quota, &standing))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Only ever changed in one piece.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttled")
            .field("quota", &self.quota)
            .field("spelling", &self.spelling)
            .finish_non_exhaustive()
    }
}

// === impl Counter ===

impl Counter {
    fn count(&mut self, quota: Quota, at: Duration) -> Standing {
        match quota.counting {
            Counting::Windows => self.in_windows(quota, at),
            Counting::Bucket => self.in_a_bucket(quota, at),
        }
    }

    fn in_windows(&mut self, quota: Quota, at: Duration) -> Standing {
        let length = quota.window.as_nanos().max(1);
        let window = at.as_nanos() / length;
        if window != self.window {
            (self.window, self.used) = (window, 0);
        }
        let allowed = self.used < quota.limit;
        self.used += u32::from(allowed);
        let left = length - at.as_nanos() % length;
        Standing {
            allowed,
            remaining: quota.limit - self.used,
            reset: Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX)),
        }
    }

    fn in_a_bucket(&mut self, quota: Quota, at: Duration) -> Standing {
        let token = quota.window / quota.limit;
        let full = self.full.max(at) + token;
        let allowed = full - at <= quota.window;
        if allowed {
            self.full = full;
        }
        let reset = self.full.saturating_sub(at);
        let left = (quota.window - reset).as_nanos() / token.as_nanos().max(1);
        Standing {
            allowed,
            remaining: u32::try_from(left).unwrap_or(u32::MAX),
            reset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota {
        limit: 2,
        window: Duration::from_secs(1),
        counting: Counting::Windows,
    };

    #[test]
    fn each_window_allows_its_quota_and_refuses_what_is_more() {
        let mut counter = Counter::default();
        let mut count = |ms| counter.count(QUOTA, Duration::from_millis(ms));
        let seen = [0, 400, 999, 1000, 5001].map(|ms| {
            let standing = count(ms);
            let reset = standing.reset.as_millis();
            (standing.allowed, standing.remaining, reset)
        });
        let expected = [
            (true, 1, 1000),
            (true, 0, 600),
            (false, 0, 1),
            (true, 1, 1000),
            (true, 1, 999),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_bucket_allows_a_burst_and_then_what_flows_in() {
        let quota = Quota {
            counting: Counting::Bucket,
            ..QUOTA
        };
        let mut counter = Counter::default();
        let seen = [0, 0, 100, 500, 501, 2000].map(|ms| {
            let standing = counter.count(quota, Duration::from_millis(ms));
            let reset = standing.reset.as_millis();
            (standing.allowed, standing.remaining, reset)
        });
        let expected = [
            (true, 1, 500),
            (true, 0, 1000),
            (false, 0, 900),
            (true, 0, 1000),
            (false, 0, 999),
            (true, 1, 500),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_request_counts_when_it_arrives_and_is_answered_as_long_after_that() {
        crate::virtually(async {
            let server = Throttled::new(QUOTA, Spelling::OpenAi, 7);
            let begun = Instant::now();
            for expected in [200, 200, 429] {
                let Answer::Response(status, headers) = server.answer().await else {
                    panic!("it listens");
                };
                assert_eq!(status, expected);
                assert_eq!(headers["x-ratelimit-limit-requests"], "2");
            }
            let arrivals = server.arrivals();
            let times: Vec<_> = arrivals.within(Duration::ZERO..Duration::MAX).collect();
            assert_eq!(times[2].fate, Fate::Throttled);
            assert!(times[0].at >= Duration::from_millis(10));
            assert!(begun.elapsed() > times[2].at, "the way back takes time too");
            assert!(begun.elapsed() <= Duration::from_millis(150));
        });
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        let run = |seed| {
            crate::virtually(async {
                let server = Throttled::new(QUOTA, Spelling::RetryAfter, seed);
                for _ in 0..20 {
                    server.answer().await;
                }
                format!("{:?}", server.arrivals())
            })
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }
}
