//! How long to wait when the server does not say.

use std::time::Duration;

/// The delays of our own choice: how they grow, and how they are spread.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delays {
    /// The longest delay before the first retry. Default: 250 ms.
    pub base: Duration,
    /// The longest delay of all. Default: 8 s.
    pub cap: Duration,
    /// How the longest delay grows from one retry to the next. Default: [`Curve::Exponential`].
    pub curve: Curve,
    /// Where below it the delay lies. Default: [`Jitter::Full`].
    pub jitter: Jitter,
}

/// How the longest delay grows from one retry to the next, up to the cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Curve {
    /// Not at all: base, base, base, …
    Constant,
    /// By the base each time: 1, 2, 3, 4 … times the base.
    Linear,
    /// Twofold each time: 1, 2, 4, 8 … times the base.
    #[default]
    Exponential,
}

/// How delays are spread, so that those who failed together do not come back together.
///
/// The names and formulas are those of M. Brooker, "Exponential Backoff And Jitter" (AWS
/// Architecture Blog, 2015). There is no choice without any: clients in step are what a server that
/// recovers can bear least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Jitter {
    /// Evenly between zero and the longest delay. Of all the ways it needs the fewest attempts.
    #[default]
    Full,
    /// Half of the longest delay, and evenly up to as much on top: never at once.
    Equal,
    /// Evenly between the base and three times the delay before, up to the cap. The curve plays no
    /// part.
    Decorrelated,
}

// === impl Delays ===

impl Delays {
    /// The longest delay after so many attempts, 1 after the first.
    #[must_use]
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let retries = attempt.max(1);
        let times = match self.curve {
            Curve::Constant => 1,
            Curve::Linear => retries,
            Curve::Exponential => 1_u32.checked_shl(retries - 1).unwrap_or(u32::MAX),
        };
        self.base.saturating_mul(times).min(self.cap)
    }

    /// The delay after so many attempts. `previous` is the one before it, zero if there was none;
    /// `random` a number uniform over all of `u64`.
    #[must_use]
    pub fn draw(&self, attempt: u32, previous: Duration, random: u64) -> Duration {
        let ceiling = self.ceiling(attempt);
        match self.jitter {
            Jitter::Full => part(ceiling, random),
            Jitter::Equal => {
                let half = ceiling / 2;
                half + part(ceiling - half, random)
            }
            Jitter::Decorrelated => {
                let base = self.base.min(self.cap);
                let top = previous.max(base).saturating_mul(3).min(self.cap);
                base + part(top - base, random)
            }
        }
    }

    /// What is added to a wait that the server asks for, whatever the jitter of our own delays: those
    /// who were told the same second would all come in it.
    pub(crate) fn above_hint(&self, attempt: u32, random: u64) -> Duration {
        part(self.ceiling(attempt), random)
    }
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(250),
            cap: Duration::from_secs(8),
            curve: Curve::default(),
            jitter: Jitter::default(),
        }
    }
}

/// The part of `whole` that `random` is of `u64::MAX + 1`.
fn part(whole: Duration, random: u64) -> Duration {
    let nanos = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
    let part = (u128::from(nanos) * u128::from(random)) >> 64;
    // Less than `nanos`, so it fits.
    Duration::from_nanos(part as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: u64 = u64::MAX;

    fn ceilings(curve: Curve) -> Vec<u128> {
        let delays = Delays {
            curve,
            ..Delays::default()
        };
        let ceilings = (1..=8).map(|n| delays.ceiling(n).as_millis());
        ceilings.collect()
    }

    #[test]
    fn the_ceiling_follows_its_curve_up_to_the_cap() {
        let exponential = [250, 500, 1000, 2000, 4000, 8000, 8000, 8000];
        assert_eq!(ceilings(Curve::Exponential), exponential);
        let linear = [250, 500, 750, 1000, 1250, 1500, 1750, 2000];
        assert_eq!(ceilings(Curve::Linear), linear);
        assert_eq!(ceilings(Curve::Constant), [250; 8]);
        for curve in [Curve::Linear, Curve::Exponential] {
            let delays = Delays {
                curve,
                ..Delays::default()
            };
            assert_eq!(delays.ceiling(u32::MAX), delays.cap);
        }
    }

    #[test]
    fn full_jitter_covers_the_whole_range() {
        let whole = Duration::from_millis(250);
        assert_eq!(part(whole, 0), Duration::ZERO);
        assert_eq!(part(whole, MAX / 2 + 1), whole / 2);
        assert!(whole - part(whole, MAX) <= Duration::from_nanos(1));
        assert!(part(Duration::MAX, MAX) > Duration::from_secs(1 << 30));
    }

    #[test]
    fn equal_jitter_keeps_half() {
        let delays = Delays {
            jitter: Jitter::Equal,
            ..Delays::default()
        };
        let draw = |random| delays.draw(2, Duration::ZERO, random);
        assert_eq!(draw(0), Duration::from_millis(250));
        assert_eq!(draw(MAX / 2 + 1), Duration::from_millis(375));
        assert!(draw(MAX) < Duration::from_millis(500));
    }

    #[test]
    fn decorrelated_jitter_grows_from_the_delay_before() {
        let delays = Delays {
            jitter: Jitter::Decorrelated,
            ..Delays::default()
        };
        let millis = |previous, random| {
            let delay = delays.draw(1, Duration::from_millis(previous), random);
            delay.as_millis()
        };
        assert_eq!(millis(0, 0), 250, "never below the base");
        assert_eq!(millis(0, MAX / 2 + 1), 500);
        assert_eq!(millis(1000, MAX / 2 + 1), (250 + 3000) / 2);
        assert_eq!(millis(7000, MAX), 7999, "nor above the cap");
    }

    proptest! {
        #[test]
        fn no_delay_is_above_the_cap(
            attempt in 1_u32..,
            previous in 0_u64..100_000,
            random: u64,
            curve in prop_oneof![Just(Curve::Constant), Just(Curve::Linear), Just(Curve::Exponential)],
            jitter in prop_oneof![Just(Jitter::Full), Just(Jitter::Equal), Just(Jitter::Decorrelated)],
        ) {
            let delays = Delays { curve, jitter, ..Delays::default() };
            let delay = delays.draw(attempt, Duration::from_millis(previous), random);
            prop_assert!(delay <= delays.cap);
        }
    }
}
