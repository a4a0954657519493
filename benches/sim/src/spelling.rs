//! How a server says what it allows.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::Quota;

/// In which headers, and on which responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// `x-ratelimit-*-requests` on every response, the reset in milliseconds: as `OpenAI` does.
    OpenAi,
    /// `X-RateLimit-*` on every response, the reset in whole seconds from now, rounded up.
    XRateLimit,
    /// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10) on every
    /// response, the reset in whole seconds from now, rounded up.
    Ietf,
    /// `Retry-After` on a 429, in whole seconds, rounded up; nothing else.
    RetryAfter,
}

/// What the server knows when a request has arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) allowed: bool,
    pub(crate) remaining: u32,
    pub(crate) reset: Duration,
}

// === impl Spelling ===

impl Spelling {
    pub(crate) fn headers(self, quota: Quota, standing: &Standing) -> HeaderMap {
        let Quota { limit, window, .. } = quota;
        let Standing {
            allowed,
            remaining,
            reset,
        } = *standing;
        let mut headers = HeaderMap::new();
        let mut insert = |name: &'static str, value: String| {
            // What is made of numbers is visible ASCII.
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        };
        let seconds = up(reset, Duration::from_secs(1));
        match self {
            Self::OpenAi => {
                insert("x-ratelimit-limit-requests", limit.to_string());
                insert("x-ratelimit-remaining-requests", remaining.to_string());
                insert("x-ratelimit-reset-requests", as_go_writes(reset));
            }
            Self::XRateLimit => {
                insert("x-ratelimit-limit", limit.to_string());
                insert("x-ratelimit-remaining", remaining.to_string());
                insert("x-ratelimit-reset", seconds.to_string());
            }
            Self::Ietf => {
                let length = window.as_secs();
                insert(
                    "ratelimit-policy",
                    format!(r#""default";q={limit};w={length}"#),
                );
                insert(
                    "ratelimit",
                    format!(r#""default";r={remaining};t={seconds}"#),
                );
            }
            Self::RetryAfter if !allowed => insert("retry-after", seconds.to_string()),
            Self::RetryAfter => {}
        }
        headers
    }
}

/// `412ms`, `1s`, `1.5s`.
fn as_go_writes(time: Duration) -> String {
    let ms = up(time, Duration::from_millis(1));
    match (ms / 1000, ms % 1000) {
        (0, ms) => format!("{ms}ms"),
        (seconds, 0) => format!("{seconds}s"),
        (seconds, ms) => {
            let written = format!("{seconds}.{ms:03}");
            format!("{}s", written.trim_end_matches('0'))
        }
    }
}

/// In so many of these, the last begun one counted.
fn up(time: Duration, unit: Duration) -> u128 {
    time.as_nanos().div_ceil(unit.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Counting;

    fn said(spelling: Spelling, allowed: bool, ms: u64) -> Vec<String> {
        let quota = Quota {
            limit: 50,
            window: Duration::from_secs(1),
            counting: Counting::Windows,
        };
        let standing = Standing {
            allowed,
            remaining: 7,
            reset: Duration::from_millis(ms),
        };
        let headers = spelling.headers(quota, &standing);
        let mut lines: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn each_spelling_is_what_its_servers_send() {
        assert_eq!(
            said(Spelling::OpenAi, true, 412),
            [
                "x-ratelimit-limit-requests: 50",
                "x-ratelimit-remaining-requests: 7",
                "x-ratelimit-reset-requests: 412ms"
            ]
        );
        assert_eq!(
            said(Spelling::XRateLimit, true, 412),
            [
                "x-ratelimit-limit: 50",
                "x-ratelimit-remaining: 7",
                "x-ratelimit-reset: 1"
            ]
        );
        assert_eq!(
            said(Spelling::Ietf, true, 1001),
            [
                r#"ratelimit-policy: "default";q=50;w=1"#,
                r#"ratelimit: "default";r=7;t=2"#
            ]
        );
        assert!(said(Spelling::RetryAfter, true, 412).is_empty());
        assert_eq!(said(Spelling::RetryAfter, false, 412), ["retry-after: 1"]);
    }

    #[test]
    fn a_duration_is_written_without_needless_zeros() {
        let written = [1, 999, 1000, 1500, 1250, 1001, 60_000];
        let written = written.map(|ms| as_go_writes(Duration::from_millis(ms)));
        assert_eq!(
            written,
            ["1ms", "999ms", "1s", "1.5s", "1.25s", "1.001s", "60s"]
        );
    }
}
