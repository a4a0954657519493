//! When a secret is due for rotation, as plain functions of its metadata and the time.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use golive_secrets_provider::rotation::{Due, RotationPolicy};
//!
//! let days = |n: u64| Duration::from_secs(n * 24 * 3600);
//! let created_at = SystemTime::UNIX_EPOCH + days(20_000);
//! let policy = RotationPolicy::default(); // 90 days, warned 14 days before
//! let due_at = created_at + days(90);
//!
//! assert_eq!(policy.due(Some(created_at), created_at + days(75)), Due::Later { due_at });
//! assert_eq!(policy.due(Some(created_at), created_at + days(76)), Due::Soon { due_at });
//! assert_eq!(policy.due(Some(created_at), created_at + days(90)), Due::Overdue { due_at });
//! assert_eq!(policy.due(None, created_at), Due::Unknown);
//! ```

use std::time::{Duration, SystemTime};

use crate::Version;

const DAY: Duration = Duration::from_secs(24 * 3600);
const MAX_AGE: Duration = Duration::from_secs(90 * 24 * 3600);
const WARN_BEFORE: Duration = Duration::from_secs(14 * 24 * 3600);

/// How old a secret may become. Default: 90 days, warned 14 days before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationPolicy {
    max_age: Duration,
    warn_before: Duration,
}

/// What is to be done about the age of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Due {
    /// Nothing yet.
    Later {
        /// When it must have been rotated.
        due_at: SystemTime,
    },
    /// Plan the rotation: the warning has begun.
    Soon {
        /// When it must have been rotated.
        due_at: SystemTime,
    },
    /// It should have been rotated already.
    Overdue {
        /// When it should have been.
        due_at: SystemTime,
    },
    /// The source does not say when it was created. Nobody will be warned by its age: keep the date
    /// elsewhere.
    Unknown,
}

/// Why a policy makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RotationError {
    /// The age is less than a day.
    #[error("a secret cannot be rotated more often than once a day: max_age is {0:?}")]
    MaxAge(Duration),
    /// The warning would begin before the secret exists.
    #[error("the warning, {0:?} before the date, is not shorter than the whole age")]
    WarnBefore(Duration),
}

/// How old a version is. One that was created later than `now`, by another machine's clock, is new.
#[must_use]
pub fn age(version: &Version, now: SystemTime) -> Option<Duration> {
    let created_at = version.created_at()?;
    Some(now.duration_since(created_at).unwrap_or_default())
}

// === impl RotationPolicy ===

impl RotationPolicy {
    /// An age of at least a day, and how long before its end the warning begins.
    ///
    /// # Errors
    /// [`RotationError::MaxAge`] under a day, [`RotationError::WarnBefore`] unless it is shorter
    /// than the age.
    pub fn new(max_age: Duration, warn_before: Duration) -> Result<Self, RotationError> {
        if max_age < DAY {
            return Err(RotationError::MaxAge(max_age));
        }
        if warn_before >= max_age {
            return Err(RotationError::WarnBefore(warn_before));
        }
        Ok(Self {
            max_age,
            warn_before,
        })
    }

    /// When a version that was created then must have been rotated. Nothing for a date beyond what
    /// the machine can count.
    #[must_use]
    pub fn due_at(&self, created_at: SystemTime) -> Option<SystemTime> {
        created_at.checked_add(self.max_age)
    }

    /// What is to be done at `now` about a version that was created then.
    #[must_use]
    pub fn due(&self, created_at: Option<SystemTime>, now: SystemTime) -> Due {
        let Some(due_at) = created_at.and_then(|created_at| self.due_at(created_at)) else {
            return Due::Unknown;
        };
        match due_at.duration_since(now) {
            Ok(left) if left > self.warn_before => Due::Later { due_at },
            Ok(left) if !left.is_zero() => Due::Soon { due_at },
            _ => Due::Overdue { due_at },
        }
    }
}

impl Default for RotationPolicy {
    fn default() -> Self {
        Self {
            max_age: MAX_AGE,
            warn_before: WARN_BEFORE,
        }
    }
}

// === impl Due ===

impl Due {
    /// When it must have been rotated, for a gauge.
    #[must_use]
    pub fn due_at(&self) -> Option<SystemTime> {
        match self {
            Self::Later { due_at } | Self::Soon { due_at } | Self::Overdue { due_at } => {
                Some(*due_at)
            }
            Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Value;

    fn at(secs: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(secs)
    }

    #[test]
    fn a_policy_that_makes_no_sense_is_refused() {
        let short = RotationPolicy::new(Duration::from_secs(3600), Duration::ZERO);
        assert!(matches!(short, Err(RotationError::MaxAge(_))));
        let early = RotationPolicy::new(DAY, DAY);
        assert_eq!(early, Err(RotationError::WarnBefore(DAY)));
        assert_eq!(
            RotationPolicy::new(MAX_AGE, WARN_BEFORE),
            Ok(RotationPolicy::default())
        );
    }

    #[test]
    fn a_version_from_the_future_is_new_and_one_without_a_date_has_no_age() {
        let version = Version::new("1", Value::new("x").unwrap());
        assert_eq!(age(&version, at(5)), None);
        let version = version.with_created_at(at(10));
        assert_eq!(age(&version, at(5)), Some(Duration::ZERO));
        assert_eq!(age(&version, at(25)), Some(Duration::from_secs(15)));
    }

    proptest! {
        #[test]
        fn it_only_ever_becomes_more_due(created in 0_u64..1 << 40, a in 0_u64..1 << 40, b in 0_u64..1 << 40) {
            let rank = |now| match RotationPolicy::default().due(Some(at(created)), at(now)) {
                Due::Later { .. } => 0,
                Due::Soon { .. } => 1,
                Due::Overdue { .. } => 2,
                Due::Unknown => 3,
            };
            prop_assert!(rank(a.min(b)) <= rank(a.max(b)));
            prop_assert!(rank(a) < 3);
        }
    }
}
