//! What a response says about limits: waits, quotas and verdicts, in every dialect of the table.
//!
//! Numbers: the status, our own clock.

use std::time::Duration;

use golive_core::quota::{Family, Hints, Unit, Verdict, asked_wait};
use http::{HeaderMap, HeaderName, StatusCode, header};

use crate::message::Message;

/// What is read of a response: a header of each kind, and of each dialect that is read differently.
pub(crate) const HEADERS: &[&str] = &[
    "retry-after",
    "date",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "retry-after-ms",
    "grpc-retry-pushback-ms",
    "x-should-retry",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-reset-after",
    "x-ratelimit-bucket",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
    "x-hubspot-ratelimit-remaining",
    "x-hubspot-ratelimit-interval-milliseconds",
];

/// "A number or a date that is out of all reason a century and a half (2³² - 1 seconds)."
pub(crate) const LONGEST: Duration = Duration::from_secs(u32::MAX as u64);

/// Reads the headers of one response, now and later.
pub fn one(data: &[u8]) {
    let message = Message::read(data, HEADERS);
    let status = message.status_or(StatusCode::OK);
    let headers = message.headers(&[]);
    let now = message.time(1);
    let hints = Hints::default();
    let asked = hints.asked(status, &headers, now);
    let wait = asked.as_ref().map(|asked| asked.wait);
    let quotas = hints.quotas(&headers, now);

    assert_eq!(wait, asked_wait(status, &headers, now));
    assert!(quotas.len() <= 4 && quotas.is_empty() == quotas.tightest().is_none());
    assert!(quotas.is_empty() || hints.mentions_quota(&headers));
    let times = quotas.iter().flat_map(|quota| [quota.reset, quota.window]);
    for read in times.flatten().chain(wait) {
        assert!(read <= LONGEST, "{read:?} is longer than the bound");
    }
    for quota in &quotas {
        assert!(quota.limit.is_some() || quota.remaining.is_some());
    }
    if let Some(asked) = &asked {
        assert!(headers.contains_key(&asked.source), "{asked:?}");
        // What is taken out is not read.
        let without = hints.clone().without(&asked.source);
        let other = without.asked(status, &headers, now);
        assert!(other.is_none_or(|other| other.source != asked.source));
    }
    // A pushback is a wait or a veto, and never both.
    let pushback = HeaderName::from_static("grpc-retry-pushback-ms");
    let alone = Hints::none().pushback(pushback.clone());
    let waits = alone.asked(status, &headers, now).is_some();
    let never = alone.verdict(&headers) == Some(Verdict::Never);
    assert_eq!(
        u8::from(waits) + u8::from(never),
        u8::from(headers.contains_key(pushback))
    );
    // Digits are what they are.
    let alone = Hints::none().wait(header::RETRY_AFTER, Unit::Seconds);
    if let Some(seconds) = digits(&headers, "retry-after") {
        let asked = alone.asked(status, &headers, now).unwrap();
        assert_eq!(asked.wait, Duration::from_secs(seconds).min(LONGEST));
    }
    let name = HeaderName::from_static;
    let alone = Hints::none().quota(Family::new().remaining(name("x-ratelimit-remaining")));
    if let Some(left) = digits(&headers, "x-ratelimit-remaining").filter(|left| *left < u64::MAX) {
        let read = alone.quotas(&headers, now);
        assert_eq!(read.tightest().unwrap().remaining, Some(left));
    }
    assert_eq!(Hints::none().asked(status, &headers, now), None);

    let Some(later) = now.checked_add(Duration::from_secs(3600)) else {
        return;
    };
    let then = hints.quotas(&headers, later);
    assert_eq!(quotas.len(), then.len(), "time makes nothing legible");
    for (quota, then) in quotas.iter().zip(&then) {
        let mut aged = *quota;
        aged.reset = then.reset;
        assert_eq!(aged, *then, "and changes nothing else");
        assert_eq!(quota.reset.is_some(), then.reset.is_some());
        assert!(then.reset <= quota.reset, "{quota:?} grows to {then:?}");
    }
    let later = asked_wait(status, &headers, later);
    assert_eq!(
        wait.is_some(),
        later.is_some(),
        "time makes nothing legible"
    );
    assert!(later <= wait, "the wait grows from {wait:?} to {later:?}");
}

/// The number of a header that has one line, of digits alone; `u64::MAX` if it is longer.
fn digits(headers: &HeaderMap, name: &str) -> Option<u64> {
    let mut lines = headers.get_all(name).iter();
    let text = lines.next()?.to_str().ok()?;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let one = lines.next().is_none() && digits;
    one.then(|| text.parse().unwrap_or(u64::MAX))
}
