//! What a server says about its limits: how long to wait, how much is left, whether to try again.
//!
//! One table, [`Hints`], shared by who waits (backoff) and who watches (telemetry), so that both
//! read the same numbers. Every header of it can be taken out, and others put in.
//!
//! # What the default table knows
//!
//! | says | headers |
//! |---|---|
//! | wait | `retry-after-ms`, `x-ms-retry-after-ms`, `grpc-retry-pushback-ms`, `Retry-After`, `x-ratelimit-retry-after`, in this order |
//! | quota, by the IETF | `RateLimit` and `RateLimit-Policy` of all drafts; `RateLimit-{Limit,Remaining,Reset}` |
//! | quota, by most | `X-RateLimit-{Limit,Remaining,Reset}`, `X-RateLimit-Reset-After` (Discord), `X-RateLimit-Max` (HighLevel); `X-Rate-Limit-{Limit,Remaining,Reset}` (X, Okta), `X-Rate-Limit` (Zendesk) |
//! | quota, by some | `x-ratelimit-{limit,remaining,reset}-requests` (OpenAI, Groq), `anthropic-ratelimit-requests-*`, `x-ratelimit-requests-*` (Linear), `x-hubspot-ratelimit-*`, `x-sib-ratelimit-*` (Brevo), `x-ratelimit-{limit,remaining}-{second,minute,hour,day}` (Kong), `x-ratelimit-limit-daily` and `x-ratelimit-daily-remaining` (HighLevel) |
//! | quota of something else | `x-ratelimit-*-tokens`, `x-ratelimit-*-project-tokens` (OpenAI), `anthropic-ratelimit-{,input-,output-}tokens-*`, `x-ratelimit-complexity-*` (Linear); `RateLimit-Policy` with a `qu` that is not requests |
//! | try again or never | `x-should-retry`, `stripe-should-retry`: `true` or `false`; a negative `grpc-retry-pushback-ms` |
//!
//! Where one server has several quotas behind the same headers, `RateLimit-Name` (GitLab),
//! `X-RateLimit-Resource` (GitHub) and `X-RateLimit-Bucket` (Discord) tell them apart.
//!
//! # How values are read
//!
//! - A reset is a number of seconds, a Unix time (from 10⁹ on; in milliseconds from 10¹¹ on), a span
//!   (`6m0s`, `412ms`), an RFC 3339 date or an HTTP-date. The number in a wait is never a Unix time.
//! - Dates and Unix times are measured against the server's own `Date`; against `now` if it sent
//!   none.
//! - Of several lines or members the strictest counts: the longest wait, the least that is left.
//! - What cannot be read says nothing, and what is out of all reason is a century and a half.

mod asked;
mod date;
mod defaults;
mod family;
mod hash;
mod hints;
mod index;
mod members;
mod number;
mod quotas;
mod response;
mod structured;
mod verdict;
mod windows;

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};

pub use asked::Asked;
pub use family::Family;
pub use hints::Hints;
pub use number::Unit;
pub use quotas::{Quota, Quotas};
pub use verdict::Verdict;

/// What a longer wait counts as: a century and a half. Longer than anybody waits, and far from where
/// adding it to a time overflows.
const LONGEST: Duration = Duration::from_secs(u32::MAX as u64);

/// How long the server asks to wait before the next attempt, if it does: what
/// [`Hints::asked`] reads with the default table.
#[must_use]
pub fn asked_wait(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    Some(Hints::default().asked(status, headers, now)?.wait)
}
