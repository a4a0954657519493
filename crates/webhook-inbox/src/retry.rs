//! When a failed event is tried again: a pure decision.

use std::time::Duration;

use crate::ConfigError;

/// How often and how far apart a failed event is tried again.
///
/// Attempt `n` is followed by a wait of `base · 2ⁿ⁻¹`, at most `cap`, of which the upper half is
/// random. The default is 1 s, 1 h and 20 attempts: about nine hours in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    base: Duration,
    cap: Duration,
    max_attempts: u32,
}

impl RetryPolicy {
    /// A policy of one's own.
    ///
    /// # Errors
    /// [`ConfigError::Retry`] if `base` is zero, `cap` is shorter than `base`, or `max_attempts`
    /// is 0.
    pub fn new(base: Duration, cap: Duration, max_attempts: u32) -> Result<Self, ConfigError> {
        if base.is_zero() || cap < base || max_attempts == 0 {
            return Err(ConfigError::Retry);
        }
        Ok(Self {
            base,
            cap,
            max_attempts,
        })
    }

    /// How often an event is tried at most.
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// How long to wait after the failure of this attempt, counted from 1; `None` if it was the
    /// last. `random` is uniform.
    pub fn delay(&self, attempt: u32, random: u32) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        let factor = 2u32.saturating_pow(attempt.saturating_sub(1));
        let full = self.base.saturating_mul(factor).min(self.cap);
        let share = f64::from(random) / f64::from(u32::MAX);
        Some(full / 2 + (full / 2).mul_f64(share))
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60 * 60),
            max_attempts: 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_double_up_to_the_cap_and_end_with_the_last_attempt() {
        let policy = RetryPolicy::new(Duration::from_secs(1), Duration::from_secs(5), 6).unwrap();
        let longest = |n| policy.delay(n, u32::MAX).map(|d| d.as_secs());
        let seen: Vec<_> = (1..=7).map(longest).collect();
        assert_eq!(
            seen,
            [Some(1), Some(2), Some(4), Some(5), Some(5), None, None]
        );
    }

    #[test]
    fn the_default_gives_up_after_about_nine_hours() {
        let policy = RetryPolicy::default();
        let total: Duration = (1..20).map(|n| policy.delay(n, u32::MAX).unwrap()).sum();
        assert_eq!(total.as_secs() / 3600, 8);
        assert_eq!(policy.delay(20, 0), None);
    }

    #[test]
    fn a_policy_that_could_not_work_is_refused() {
        let second = Duration::from_secs(1);
        for (base, cap, attempts) in [
            (Duration::ZERO, second, 1),
            (second, second / 2, 1),
            (second, second, 0),
        ] {
            assert!(RetryPolicy::new(base, cap, attempts).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_wait_lies_between_half_and_the_whole(
            base in 1u64..100_000, cap in 1u64..1_000_000, attempt in 1u32..200, random: u32,
        ) {
            let base = Duration::from_millis(base);
            let cap = base + Duration::from_millis(cap);
            let policy = RetryPolicy::new(base, cap, u32::MAX).unwrap();
            let full = base.saturating_mul(2u32.saturating_pow(attempt - 1)).min(cap);
            let wait = policy.delay(attempt, random).unwrap();
            prop_assert!(full / 2 <= wait && wait <= full, "{wait:?} of {full:?}");
        }
    }
}
