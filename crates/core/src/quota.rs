//! What a server says about its limits: `Retry-After` and the `X-RateLimit-*` that most providers
//! send.
//!
//! Shared by who waits (backoff) and who watches (telemetry), so that both read the same number.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, header};

/// As names and not as text, which would be parsed for each look.
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// A reset at or above this is a Unix time, below it a number of seconds from now: no quota window
/// is thirty years long.
const EPOCH_FROM: f64 = 1e9;

/// A Unix time at or above this is in milliseconds, as some servers send it: in seconds it would be
/// the year 5138, in milliseconds it is 1973.
const MILLIS_FROM: f64 = 1e11;

/// What a longer wait counts as: a century and a half. Longer than anybody waits, and far from where
/// adding it to a time overflows.
const LONGEST: Duration = Duration::from_secs(u32::MAX as u64);

/// The limits that a response reports in `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Quota {
    /// Requests that a window allows.
    pub limit: Option<u64>,
    /// Requests left in this window.
    pub remaining: Option<u64>,
    /// Time until the window ends. Whether the server gave a Unix time (in seconds or milliseconds)
    /// or a number of seconds, and whatever our clock says: a Unix time is measured against the
    /// server's own `Date`.
    pub reset: Option<Duration>,
}

/// How long the server asks to wait before the next attempt, if it does.
///
/// In this order:
/// 1. `Retry-After`, as seconds or as an HTTP-date (RFC 9110 §10.2.3). A date is measured against
///    the server's own `Date`, or `now` if it sent none.
/// 2. The reset of an exhausted quota: `X-RateLimit-Remaining: 0`, or a 429 whatever it says of
///    what remains, with `X-RateLimit-Reset`.
///
/// A date that has passed means "now", and a number or a date that is out of all reason a century
/// and a half (2³² - 1 seconds): it was asked to stay away. A value that cannot be read says nothing.
#[must_use]
pub fn asked_wait(
    status: http::StatusCode,
    headers: &HeaderMap,
    now: SystemTime,
) -> Option<Duration> {
    if let Some(wait) = retry_after(headers, now) {
        return Some(wait);
    }
    let quota = Quota::read(headers, now);
    let exhausted = quota.remaining == Some(0) || status == http::StatusCode::TOO_MANY_REQUESTS;
    quota.reset.filter(|_| exhausted)
}

impl Quota {
    /// Reads the headers of a response; what is missing or cannot be read is `None`.
    #[must_use]
    pub fn read(headers: &HeaderMap, now: SystemTime) -> Self {
        Self {
            limit: integer(headers, &LIMIT),
            remaining: integer(headers, &REMAINING),
            reset: reset(headers, now),
        }
    }
}

fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    //= RFC 9110 §10.2.3: Retry-After = HTTP-date / delay-seconds
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match seconds(value) {
        Some(seconds) => Some(duration(seconds)),
        None => {
            let date = httpdate::parse_http_date(value).ok()?;
            Some(until(date, headers, now))
        }
    }
}

fn reset(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(&RESET)?.to_str().ok()?;
    let value = seconds(value)?;
    let epoch = if value >= MILLIS_FROM {
        value / 1e3
    } else {
        value
    };
    if value < EPOCH_FROM {
        return Some(duration(epoch));
    }
    Some(until(UNIX_EPOCH + duration(epoch), headers, now))
}

/// Time until `when` by the clock of the server that named it.
fn until(when: SystemTime, headers: &HeaderMap, now: SystemTime) -> Duration {
    let servers_now = headers
        .get(header::DATE)
        .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok())
        .unwrap_or(now);
    when.duration_since(servers_now)
        .map_or(Duration::ZERO, |wait| wait.min(LONGEST))
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).map_or(LONGEST, |d| d.min(LONGEST))
}

/// Digits, with a fraction as some servers send; no sign, no exponent, no `inf`.
fn seconds(value: &str) -> Option<f64> {
    let value = value.trim();
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    if value.is_empty() || !value.chars().all(digits) {
        return None;
    }
    value.parse().ok()
}

fn integer(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, StatusCode};
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn wait(status: u16, pairs: &[(&'static str, String)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let status = StatusCode::from_u16(status).unwrap();
        asked_wait(status, &headers, at(NOW))
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn date(seconds: u64) -> String {
        httpdate::fmt_http_date(at(seconds))
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let three = Some(Duration::from_secs(3));
        assert_eq!(wait(429, &[("retry-after", "3".into())]), three);
        assert_eq!(wait(503, &[("retry-after", date(NOW + 3))]), three);
        assert_eq!(
            wait(
                429,
                &[("retry-after", "Tuesday, 14-Nov-23 22:13:23 GMT".into())]
            ),
            three,
            "RFC 850"
        );
        assert_eq!(
            wait(429, &[("retry-after", "Tue Nov 14 22:13:23 2023".into())]),
            three,
            "asctime"
        );
    }

    #[test]
    fn dates_are_measured_by_the_clock_of_the_server() {
        let skewed = NOW + 3600;
        let headers = [("retry-after", date(skewed + 3)), ("date", date(skewed))];
        assert_eq!(wait(429, &headers), Some(Duration::from_secs(3)));
        let headers = [
            ("x-ratelimit-reset", (skewed + 7).to_string()),
            ("date", date(skewed)),
        ];
        assert_eq!(wait(429, &headers), Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_reset_is_a_unix_time_or_a_number_of_seconds() {
        let reset = |v: String| wait(429, &[("x-ratelimit-reset", v)]);
        assert_eq!(reset((NOW + 5).to_string()), Some(Duration::from_secs(5)));
        assert_eq!(reset("5".into()), Some(Duration::from_secs(5)));
        assert_eq!(
            reset(((NOW + 5) * 1000).to_string()),
            Some(Duration::from_secs(5)),
            "milliseconds"
        );
    }

    #[test]
    fn a_reset_counts_only_once_the_quota_is_exhausted() {
        let headers = |left: u32| {
            [
                ("x-ratelimit-remaining", left.to_string()),
                ("x-ratelimit-reset", "5".to_owned()),
            ]
        };
        assert_eq!(wait(500, &headers(3)), None);
        assert_eq!(wait(500, &headers(0)), Some(Duration::from_secs(5)));
        assert_eq!(wait(429, &headers(3)), Some(Duration::from_secs(5)));
    }

    #[test]
    fn retry_after_goes_before_the_reset() {
        let headers = [
            ("retry-after", "2".into()),
            ("x-ratelimit-reset", "9".into()),
        ];
        assert_eq!(wait(429, &headers), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_number_out_of_all_reason_is_a_long_wait_and_not_none() {
        let long = |name, value: &str| wait(429, &[(name, value.into())]);
        for digits in ["4294967296", "99999999999999999999999", &"9".repeat(400)] {
            assert_eq!(long("retry-after", digits), Some(LONGEST), "{digits}");
        }
        assert!(long("x-ratelimit-reset", &"9".repeat(400)).is_some_and(|w| w > LONGEST / 2));
        assert!(at(NOW).checked_add(LONGEST * 2).is_some());
    }

    #[test]
    fn a_date_out_of_all_reason_is_no_longer_than_such_a_number() {
        let in_9999 = || ("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT".to_owned());
        assert_eq!(wait(503, &[in_9999()]), Some(LONGEST));
        let of_1970 = ("date", "Thu, 01 Jan 1970 00:00:00 GMT".to_owned());
        assert_eq!(wait(503, &[in_9999(), of_1970]), Some(LONGEST));
    }

    #[test]
    fn what_has_passed_means_now_and_what_cannot_be_read_means_nothing() {
        assert_eq!(
            wait(429, &[("retry-after", date(NOW - 9))]),
            Some(Duration::ZERO)
        );
        for nonsense in ["-1", "soon", "", "1e9", "inf", "NaN"] {
            assert_eq!(
                wait(429, &[("retry-after", nonsense.into())]),
                None,
                "{nonsense}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(
            status in 100u16..600,
            values in proptest::collection::vec((0usize..5, "[ -~]{0,40}"), 0..6),
        ) {
            const NAMES: [&str; 5] = [
                "retry-after", "date", "x-ratelimit-reset", "x-ratelimit-remaining", "x-ratelimit-limit",
            ];
            let pairs: Vec<_> = values.into_iter().map(|(i, v)| (NAMES[i], v)).collect();
            let _ = wait(status, &pairs);
        }
    }
}
