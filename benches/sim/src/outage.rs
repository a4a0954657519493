//! A server that fails for a while, and then is there again.

use std::{
    fmt,
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{Answer, Arrivals, Fate};

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// What stands before it answers 503 at once, without a hint: to what is under way when the
    /// outage begins, too.
    Unavailable,
    /// Nobody listens any more. What was under way is still answered.
    Refused,
}

/// The server.
pub struct Failing {
    outage: Outage,
    down: Range<Duration>,
    begun: Instant,
    state: Mutex<State>,
}

struct State {
    random: fastrand::Rng,
    arrivals: Arrivals,
}

/// How long it works on a request, in milliseconds: one second on average, so that as many
/// operations are under way as come in a second.
const WORK: std::ops::RangeInclusive<u64> = 500..=1500;

/// How long a failure takes: as good as nothing.
const AT_ONCE: Duration = Duration::from_millis(1);

// === impl Failing ===

impl Failing {
    /// A server that begins now, fails this way during `down`, and takes the times of this seed.
    #[must_use]
    pub fn new(outage: Outage, down: Range<Duration>, seed: u64) -> Self {
        Self {
            outage,
            down,
            begun: Instant::now(),
            state: Mutex::new(State {
                random: fastrand::Rng::with_seed(seed),
                arrivals: Arrivals::default(),
            }),
        }
    }

    pub(crate) async fn answer(&self) -> Answer {
        let at = self.begun.elapsed();
        let is_down = self.down.contains(&at);
        let work = {
            let state = &mut *self.state();
            let fate = if is_down { Fate::Down } else { Fate::Served };
            state.arrivals.note(at, fate);
            Duration::from_millis(state.random.u64(WORK))
        };
        if is_down {
            return self.fail().await;
        }
        let breaks = self.begun + self.down.start;
        let is_cut_short = at < self.down.start && at + work > self.down.start;
        if is_cut_short && self.outage == Outage::Unavailable {
            sleep_until(breaks).await;
            return self.fail().await;
        }
        sleep(work).await;
        Answer::Response(StatusCode::OK, HeaderMap::new())
    }

    pub(crate) fn arrivals(&self) -> Arrivals {
        self.state().arrivals.clone()
    }

    async fn fail(&self) -> Answer {
        sleep(AT_ONCE).await;
        match self.outage {
            Outage::Unavailable => {
                Answer::Response(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new())
            }
            Outage::Refused => Answer::Refused,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Only ever changed in one piece.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failing")
            .field("outage", &self.outage)
            .field("down", &self.down)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: Range<Duration> = Duration::from_secs(10)..Duration::from_secs(20);

    /// The status of a request that arrives then, 0 if there is none, and when it was there.
    fn ask(outage: Outage, at: u64) -> (u16, Duration) {
        crate::virtually(async {
            let server = Failing::new(outage, DOWN, 3);
            let begun = Instant::now();
            sleep(Duration::from_millis(at)).await;
            let status = match server.answer().await {
                Answer::Response(status, _) => status.as_u16(),
                Answer::Refused => 0,
            };
            (status, begun.elapsed())
        })
    }

    #[test]
    fn it_fails_during_the_outage_and_at_no_other_time() {
        for (at, unavailable, refused) in [
            (8_000, 200, 200),
            (10_000, 503, 0),
            (19_999, 503, 0),
            (20_000, 200, 200),
        ] {
            assert_eq!(ask(Outage::Unavailable, at).0, unavailable, "{at}");
            assert_eq!(ask(Outage::Refused, at).0, refused, "{at}");
        }
        let (_, answered) = ask(Outage::Unavailable, 12_000);
        assert_eq!(answered, Duration::from_millis(12_001));
    }

    #[test]
    fn what_is_under_way_fails_with_it_or_is_still_answered() {
        let (status, answered) = ask(Outage::Unavailable, 9_900);
        assert_eq!((status, answered.as_millis()), (503, 10_001));
        let (status, answered) = ask(Outage::Refused, 9_900);
        assert_eq!(status, 200);
        assert!(answered >= Duration::from_millis(10_400));
    }
}
