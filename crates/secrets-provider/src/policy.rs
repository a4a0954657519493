//! When to fetch, and how long to trust what was fetched. Pure: facts and randomness come in.

use std::time::Duration;

use crate::Status;

/// A refresh starts in this part of the time that a value counts as fresh. The spread keeps a fleet
/// that was started at once from asking at once.
const AHEAD: std::ops::Range<f64> = 0.7..0.9;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long a value may be served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    pub(crate) fresh_for: Duration,
    pub(crate) stale_for: Duration,
}

impl Lifetimes {
    /// After this, counted from when it was asked for, a value is no longer served.
    pub(crate) fn whole(&self) -> Duration {
        self.fresh_for.saturating_add(self.stale_for)
    }

    /// The state of a value that was asked for `age` ago.
    pub(crate) fn status(&self, age: Duration) -> Status {
        if age < self.fresh_for {
            Status::Fresh
        } else if age < self.whole() {
            Status::Stale
        } else {
            Status::Expired
        }
    }

    /// How long after the last fetch was asked for the next one begins. `random` lies in 0..1.
    pub(crate) fn refresh_after(&self, random: f64) -> Duration {
        let share = AHEAD.start + (AHEAD.end - AHEAD.start) * random.clamp(0.0, 1.0);
        self.fresh_for.mul_f64(share)
    }
}

/// How long to wait after the `failures`th failure in a row: 1 s · 2ⁿ up to 60 s, the upper half of
/// it at random. `random` lies in 0..1.
pub(crate) fn pause(failures: u32, random: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let whole = doubled.min(LONGEST_PAUSE);
    whole.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIVES: Lifetimes = Lifetimes {
        fresh_for: Duration::from_secs(100),
        stale_for: Duration::from_secs(50),
    };

    #[test]
    fn a_value_is_fresh_then_stale_then_gone() {
        let at = |secs| LIVES.status(Duration::from_secs(secs));
        assert_eq!([at(0), at(99)], [Status::Fresh; 2]);
        assert_eq!([at(100), at(149)], [Status::Stale; 2]);
        assert_eq!([at(150), at(u64::MAX)], [Status::Expired; 2]);
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        let longest = |failures| pause(failures, 1.0).as_secs();
        assert_eq!([1, 2, 3, 6, 7, 8].map(longest), [1, 2, 4, 32, 60, 60]);
        assert_eq!(pause(1, 0.0), Duration::from_millis(500));
    }

    proptest! {
        #[test]
        fn a_refresh_begins_before_the_value_is_stale(fresh in 1_u64..86_400, random in 0.0..1.0) {
            let lives = Lifetimes { fresh_for: Duration::from_secs(fresh), ..LIVES };
            let after = lives.refresh_after(random);
            prop_assert!(after >= lives.fresh_for.mul_f64(0.69));
            prop_assert!(after <= lives.fresh_for.mul_f64(0.91));
        }

        #[test]
        fn a_pause_is_bounded(failures: u32, random: f64) {
            let pause = pause(failures, if random.is_nan() { 0.0 } else { random });
            prop_assert!(pause >= FIRST_PAUSE / 2 && pause <= LONGEST_PAUSE);
        }
    }
}
