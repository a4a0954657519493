//! A response, and the resets that it tells of.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;

use super::{
    LONGEST, date,
    index::Own,
    number::{self, Unit},
};

/// A reset at or above this is a Unix time, below it a number of seconds from now: no quota window
/// is thirty years long.
const EPOCH_FROM: u64 = 1_000_000_000;

/// A Unix time at or above this is in milliseconds, as some servers send it: in seconds it would be
/// the year 5138, in milliseconds it is 1973.
const MILLIS_FROM: u64 = 100_000_000_000;

/// A response: which headers it has, and what its dates are measured against.
#[derive(Clone, Copy)]
pub(super) struct Response<'l, 'h> {
    pub(super) own: Own<'l, 'h>,
    pub(super) headers: &'l HeaderMap,
    pub(super) now: SystemTime,
}

impl Response<'_, '_> {
    /// A reset as text: a number, a span, a date.
    pub(super) fn read_reset(&self, text: &str, unit: Unit) -> Option<Duration> {
        if let Some(number) = number::decimal(text) {
            let whole = number.whole;
            let nanos = number.of(unit).subsec_nanos();
            return Some(if whole < EPOCH_FROM {
                number.of(unit)
            } else {
                self.reset(whole, nanos, unit)
            });
        }
        number::span(text).or_else(|| Some(self.until(date::date(text)?)))
    }

    /// A reset as a number: so much from now on, or a Unix time.
    pub(super) fn reset(&self, number: u64, nanos: u32, unit: Unit) -> Duration {
        let from = match unit {
            Unit::Seconds => EPOCH_FROM,
            Unit::Millis => MILLIS_FROM,
        };
        let unit = if number >= MILLIS_FROM {
            Unit::Millis
        } else {
            unit
        };
        let span = match unit {
            Unit::Seconds => seconds(number).saturating_add(Duration::from_nanos(u64::from(nanos))),
            Unit::Millis => Duration::from_millis(number).min(LONGEST),
        };
        if number < from {
            return span.min(LONGEST);
        }
        self.until(UNIX_EPOCH + span)
    }

    fn until(&self, when: SystemTime) -> Duration {
        date::until(when, self.headers, self.now)
    }
}

pub(super) fn seconds(number: u64) -> Duration {
    Duration::from_secs(number).min(LONGEST)
}
