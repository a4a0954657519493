//! The decisions: they take the time, the facts and the dice, and do nothing.

use std::time::{Duration, Instant};

use golive_problem::Problem;
use http::{HeaderMap, StatusCode, header};

use crate::source::TokenError;

/// The windows are never a larger part of the lifetime than this, so that tokens of 60 or 300
/// seconds work: one in five is the 80 % at which providers advise to renew.
const ADVISORY_SHARE: f64 = 0.2;
const MANDATORY_SHARE: f64 = 0.05;
/// How much of a window is left to chance. With a mandatory window of at most half the advisory
/// one, the two never cross.
const WINDOW_JITTER: f64 = 0.25;
/// A token serves at least this long, even if it came late or claims to live shorter: otherwise a
/// lifetime shorter than the way to the server would cost a token request for each call. It is the
/// least time between two renewals that the clock causes; what a 401 causes, `Rejections` bounds.
const MIN_USE: Duration = Duration::from_secs(1);

/// Between two attempts of one renewal.
const RETRY_BASE: Duration = Duration::from_millis(250);
const RETRY_CAP: Duration = Duration::from_secs(8);
/// After a renewal that failed: what may pass by itself, and what waits for the operator.
const PAUSE_TEMPORARY: Duration = Duration::from_secs(1);
const PAUSE_PERMANENT: Duration = Duration::from_secs(5);
const PAUSE_CAP: Duration = Duration::from_secs(60);
/// A server that asks for a longer pause is asked again after this one.
const PAUSE_HINT_CAP: Duration = Duration::from_secs(300);

/// How long before the end a token is renewed, at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leads {
    pub(crate) advisory: Duration,
    pub(crate) mandatory: Duration,
}

/// When a token enters its windows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    pub(crate) advisory_at: Instant,
    pub(crate) mandatory_at: Instant,
    pub(crate) expires_at: Instant,
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Serve it.
    Fresh,
    /// Serve it, and renew it in the background.
    Advisory,
    /// Renew it first; serve it if that fails.
    Mandatory,
    /// Renew it first.
    Expired,
}

/// The windows of a token, each shortened by up to a quarter; `None` if it has no known end.
pub(crate) fn windows(
    sent_at: Instant,
    received_at: Instant,
    lifetime: Option<Duration>,
    leads: Leads,
    random: [f64; 2],
) -> Option<Windows> {
    let lifetime = lifetime?;
    let expires_at = sent_at.checked_add(lifetime)?;
    let floor = received_at + MIN_USE;
    let start = |window: Duration, share: f64, random: f64| {
        let lead = window.min(lifetime.mul_f64(share));
        let lead = lead.mul_f64(1.0 - WINDOW_JITTER * fraction(random));
        expires_at.checked_sub(lead).unwrap_or(sent_at).max(floor)
    };
    Some(Windows {
        advisory_at: start(leads.advisory, ADVISORY_SHARE, random[0]),
        mandatory_at: start(leads.mandatory, MANDATORY_SHARE, random[1]),
        expires_at: expires_at.max(floor),
    })
}

/// What a token with these windows is good for now.
pub(crate) fn state(windows: Option<&Windows>, now: Instant) -> State {
    match windows {
        None => State::Fresh,
        Some(w) if now < w.advisory_at => State::Fresh,
        Some(w) if now < w.mandatory_at => State::Advisory,
        Some(w) if now < w.expires_at => State::Mandatory,
        Some(_) => State::Expired,
    }
}

/// How long to wait before the token endpoint is asked again in the same renewal; `None` if it is
/// not. `made` attempts were made, `left` is left of the renewal's time.
pub(crate) fn next_attempt(
    error: &TokenError,
    made: u32,
    attempts: u32,
    left: Duration,
    random: f64,
) -> Option<Duration> {
    if made >= attempts || !error.is_temporary() {
        return None;
    }
    let wait = doubled(RETRY_BASE, made, RETRY_CAP);
    let wait = match error.retry_after() {
        // Above what the server asks for, never below.
        Some(hint) => hint.saturating_add(wait.mul_f64(fraction(random))),
        None => half_jitter(wait, random),
    };
    (wait < left).then_some(wait)
}

/// How long nobody asks after a renewal that failed, the `failures`-th in a row.
pub(crate) fn pause(error: &TokenError, failures: u32, random: f64) -> Duration {
    let base = if error.is_temporary() {
        PAUSE_TEMPORARY
    } else {
        PAUSE_PERMANENT
    };
    let pause = half_jitter(doubled(base, failures, PAUSE_CAP), random);
    pause.max(error.retry_after().unwrap_or_default().min(PAUSE_HINT_CAP))
}

/// Whether a response says that the token is over, and a new one would be accepted.
pub(crate) fn says_expired(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    codes: &[String],
    challenge: bool,
) -> bool {
    status == StatusCode::UNAUTHORIZED
        && (challenge && challenges_token(headers)
            || Problem::from_json(status, body)
                .is_ok_and(|problem| codes.iter().any(|code| problem.has_code(code))))
}

/// Whether a response proves that its token was accepted. A 4xx or 5xx may come from something in
/// front of whoever checks it.
pub(crate) fn proves(status: StatusCode) -> bool {
    status.is_success()
}

//= RFC 6750 §3.1: invalid_token: The access token provided is expired, revoked, malformed, or
//= invalid for other reasons. [...] The client MAY request a new access token
fn challenges_token(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::WWW_AUTHENTICATE);
    values.iter().filter_map(|v| v.to_str().ok()).any(|value| {
        let mut bearer = false;
        value.split(',').map(str::trim).any(|part| {
            // A scheme is what a space and not an equals sign follows.
            let param = match part.split_once(' ') {
                Some((scheme, param)) if !scheme.contains('=') => {
                    bearer = scheme.eq_ignore_ascii_case("bearer");
                    param.trim_start()
                }
                _ => part,
            };
            bearer && matches!(param, r#"error="invalid_token""# | "error=invalid_token")
        })
    })
}

/// `base` · 2ⁿ⁻¹, at most `cap`.
pub(crate) fn doubled(base: Duration, n: u32, cap: Duration) -> Duration {
    let factor = 1u32.checked_shl(n.saturating_sub(1)).unwrap_or(u32::MAX);
    base.saturating_mul(factor).min(cap)
}

/// From half to the whole.
fn half_jitter(whole: Duration, random: f64) -> Duration {
    whole.mul_f64(0.5 + 0.5 * fraction(random))
}

/// Whatever the source of randomness says.
fn fraction(random: f64) -> f64 {
    if random.is_finite() {
        random.clamp(0.0, 1.0)
    } else {
        0.5
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const LEADS: Leads = Leads {
        advisory: Duration::from_secs(300),
        mandatory: Duration::from_secs(30),
    };

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn start() -> Instant {
        tokio::time::Instant::now().into_std() + secs(3600)
    }

    fn unavailable(retry_after: Option<Duration>) -> TokenError {
        TokenError::Unavailable {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after,
        }
    }

    #[test]
    fn an_hour_is_renewed_five_minutes_ahead_and_a_minute_twelve_seconds_ahead() {
        let t = start();
        for (lifetime, advisory, mandatory) in [(3600, 3300, 3570), (300, 240, 285), (60, 48, 57)] {
            let w = windows(t, t, Some(secs(lifetime)), LEADS, [0.0; 2]).unwrap();
            let states = [
                0,
                advisory - 1,
                advisory,
                mandatory - 1,
                mandatory,
                lifetime,
            ]
            .map(|s| state(Some(&w), t + secs(s)));
            use State::{Advisory, Expired, Fresh, Mandatory};
            let expected = [Fresh, Fresh, Advisory, Advisory, Mandatory, Expired];
            assert_eq!(states, expected, "{lifetime}");
        }
    }

    #[test]
    fn a_token_without_a_known_end_is_fresh_for_ever() {
        let t = start();
        assert!(windows(t, t, None, LEADS, [0.0; 2]).is_none());
        assert!(windows(t, t, Some(Duration::MAX), LEADS, [0.0; 2]).is_none());
        assert_eq!(state(None, t), State::Fresh);
    }

    #[test]
    fn a_token_serves_for_a_second_however_short_it_claims_to_live() {
        let t = start();
        let lifetime = Some(Duration::from_millis(50));
        let w = windows(t, t, lifetime, LEADS, [0.0; 2]).unwrap();
        let almost = MIN_USE.checked_sub(Duration::from_nanos(1)).unwrap();
        assert_eq!(state(Some(&w), t + almost), State::Fresh);
        assert_eq!(state(Some(&w), t + MIN_USE), State::Expired);
    }

    #[test]
    fn a_token_that_came_too_late_still_serves_for_a_moment() {
        let t = start();
        let w = windows(t, t + secs(9), Some(secs(2)), LEADS, [0.0; 2]).unwrap();
        assert_eq!(state(Some(&w), t + secs(9)), State::Fresh);
        assert_eq!(state(Some(&w), t + secs(10)), State::Expired);
    }

    #[test]
    fn only_what_is_temporary_is_asked_again_and_never_too_early() {
        let left = secs(30);
        let wait = |error: &TokenError, made| next_attempt(error, made, 3, left, 0.5);
        assert!(wait(&unavailable(None), 1) < wait(&unavailable(None), 2));
        assert_eq!(wait(&unavailable(None), 3), None);
        assert_eq!(
            wait(
                &TokenError::Unexpected {
                    status: StatusCode::NOT_FOUND
                },
                1
            ),
            None
        );
        assert!(wait(&unavailable(Some(secs(3))), 1).unwrap() >= secs(3));
        assert_eq!(
            wait(&unavailable(Some(secs(31))), 1),
            None,
            "beyond the timeout"
        );
    }

    #[test]
    fn a_401_means_expired_only_if_it_says_so() {
        let codes = ["token_expired".to_owned()];
        let none = HeaderMap::new();
        let says = |status, headers: &HeaderMap, body: &str, challenge| {
            says_expired(status, headers, body.as_bytes(), &codes, challenge)
        };
        let unauthorized = StatusCode::UNAUTHORIZED;
        let expired = r#"{"code":"token_expired"}"#;
        assert!(says(unauthorized, &none, expired, false));
        let slug = r#"{"type":"https://d.test/errors/token_expired"}"#;
        assert!(says(unauthorized, &none, slug, false));
        assert!(!says(StatusCode::FORBIDDEN, &none, expired, false));
        for body in [r#"{"code":"invalid_token"}"#, "", "token_expired", "[]"] {
            assert!(!says(unauthorized, &none, body, true), "{body}");
        }
        for (value, means) in [
            (r#"Bearer error="invalid_token""#, true),
            (
                r#"Basic realm="x", bearer realm="a", error=invalid_token"#,
                true,
            ),
            (r#"Bearer realm="x""#, false),
            (r#"Bearer error="insufficient_scope""#, false),
            (
                r#"Bearer error_description="a, error=invalid_token""#,
                false,
            ),
            (r#"DPoP error="invalid_token""#, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(value));
            assert_eq!(says(unauthorized, &headers, "", true), means, "{value}");
            assert!(!says(unauthorized, &headers, "", false), "off by default");
        }
    }

    proptest! {
        #[test]
        fn the_windows_follow_each_other_and_leave_most_of_the_lifetime(
            millis in 1u64..=10_000_000_000, late in 0u64..100_000, r in any::<[f64; 2]>(),
        ) {
            let (t, lifetime) = (start(), Duration::from_millis(millis));
            let received_at = t + Duration::from_millis(late);
            let w = windows(t, received_at, Some(lifetime), LEADS, r).unwrap();
            prop_assert!(w.advisory_at <= w.mandatory_at && w.mandatory_at <= w.expires_at);
            prop_assert!(w.advisory_at >= t + lifetime.mul_f64(0.799));
            prop_assert!(w.advisory_at >= received_at + MIN_USE, "never a renewal for each call");
        }

        #[test]
        fn a_state_never_gets_better(millis in 1u64..100_000, a in 0u64..200_000, b in 0u64..200_000) {
            let t = start();
            let w = windows(t, t, Some(Duration::from_millis(millis)), LEADS, [0.3; 2]);
            let at = |ms| state(w.as_ref(), t + Duration::from_millis(ms));
            prop_assert!(at(a.min(b)) <= at(a.max(b)));
        }

        #[test]
        fn waits_and_pauses_are_bounded(
            hint in proptest::option::of(0u64..u64::MAX), n in any::<u32>(), r in any::<f64>(),
        ) {
            let error = unavailable(hint.map(secs));
            let wait = next_attempt(&error, n, u32::MAX, secs(30), r);
            prop_assert!(wait.is_none_or(|w| w < secs(30)));
            prop_assert!(wait.is_none_or(|w| w >= secs(hint.unwrap_or(0))));
            let pause = pause(&error, n, r);
            prop_assert!(pause >= Duration::from_millis(500) && pause <= secs(300));
        }
    }
}
