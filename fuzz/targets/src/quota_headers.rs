//! What a response says about limits and waits: `Retry-After`, `Date` and `X-RateLimit-*`.
//!
//! Numbers: the status, our own clock.

use std::time::Duration;

use golive_core::quota::{Quota, asked_wait};
use http::{HeaderMap, StatusCode, header};

use crate::message::Message;

/// What is read of a response.
pub(crate) const HEADERS: &[&str] = &[
    "retry-after",
    "date",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

/// "A number or a date that is out of all reason a century and a half (2³² - 1 seconds)."
pub(crate) const LONGEST: Duration = Duration::from_secs(u32::MAX as u64);

/// Reads the headers of one response, now and later.
pub fn one(data: &[u8]) {
    let message = Message::read(data, HEADERS);
    let status = message.status_or(StatusCode::OK);
    let headers = message.headers(&[]);
    let now = message.time(1);
    let wait = asked_wait(status, &headers, now);
    let quota = Quota::read(&headers, now);

    for read in [wait, quota.reset].into_iter().flatten() {
        assert!(read <= LONGEST, "{read:?} is longer than the bound");
    }
    let plain = |name: &str| text(&headers, name).filter(|value| is_digits(value));
    if let Some(seconds) = plain("retry-after") {
        let seconds = seconds.parse().map_or(LONGEST, Duration::from_secs);
        assert_eq!(wait, Some(seconds.min(LONGEST)), "the seconds as they are");
    }
    for (name, read) in [
        ("x-ratelimit-limit", quota.limit),
        ("x-ratelimit-remaining", quota.remaining),
    ] {
        if let Some(value) = plain(name) {
            assert_eq!(read, value.parse().ok(), "{name} as it is");
        }
    }
    if !headers.contains_key(header::RETRY_AFTER) {
        let exhausted = quota.remaining == Some(0) || status == StatusCode::TOO_MANY_REQUESTS;
        let expected = quota.reset.filter(|_| exhausted);
        assert_eq!(wait, expected, "the reset of an exhausted quota");
    }
    if !headers.contains_key("x-ratelimit-reset") {
        assert_eq!(quota.reset, None, "nobody named a reset");
    }

    let Some(later) = now.checked_add(Duration::from_secs(3600)) else {
        return;
    };
    let then = asked_wait(status, &headers, later);
    assert_eq!(wait.is_some(), then.is_some(), "time makes nothing legible");
    assert!(then <= wait, "the wait grows from {wait:?} to {then:?}");
    assert_eq!(
        quota.reset.is_some(),
        Quota::read(&headers, later).reset.is_some()
    );
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn is_digits(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit())
}
