//! Seconds since 1970, the unit of `webhook-timestamp`.

use core::fmt;
#[cfg(feature = "std")]
use std::time::{SystemTime, UNIX_EPOCH};

/// A moment in whole seconds since 1970-01-01T00:00:00Z, as `webhook-timestamp` carries it.
///
/// With the feature `std` a `SystemTime` converts into it, cut down to the second. A clock that stands before 1970
/// becomes 0, so that every delivery looks as if it came from the future and is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The moment that lies `secs` seconds after 1970-01-01T00:00:00Z.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub const fn as_secs(self) -> u64 {
        self.0
    }
}

impl From<u64> for UnixTime {
    fn from(secs: u64) -> Self {
        Self(secs)
    }
}

#[cfg(feature = "std")]
#[cfg_attr(docsrs, doc(cfg(feature = "std")))]
impl From<SystemTime> for UnixTime {
    fn from(at: SystemTime) -> Self {
        Self(at.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_before_1970_reads_as_zero() {
        assert_eq!(
            UnixTime::from(UNIX_EPOCH - Duration::from_secs(9)).as_secs(),
            0
        );
        assert_eq!(
            UnixTime::from(UNIX_EPOCH + Duration::from_millis(1999)).as_secs(),
            1
        );
    }
}
