//! The decision: facts in, [`Decision`] out. No clock, no random source, no I/O.
//!
//! [`Backoff`](crate::Backoff) gathers the facts and keeps the decision; whoever has a transport of
//! their own can do the same with [`decide`].

use std::time::Duration;

use http::{Method, StatusCode};

use crate::Class;

/// What may be waited for, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Attempts in all, the first one included. Default: 3.
    pub attempts: u32,
    /// The longest delay before the first retry; it doubles with each further one. Default: 250 ms.
    pub base: Duration,
    /// The longest delay of our own choice. Default: 8 s.
    pub cap: Duration,
    /// The longest wait that a server may ask for; a longer one ends the retries. Default: 60 s.
    pub hint_cap: Duration,
    /// The time for all attempts and delays; a delay that would outlast it is not begun.
    /// Default: 2 min.
    pub deadline: Duration,
}

/// What is known when an attempt has ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Facts<'a> {
    /// The method.
    pub method: &'a Method,
    /// Whether the request carries an idempotency key.
    pub has_key: bool,
    /// How the attempt ended.
    pub outcome: Outcome,
    /// How many attempts were made, this one included: 1 after the first.
    pub attempt: u32,
    /// Time since the first attempt began.
    pub elapsed: Duration,
    /// Time until the caller stops waiting, if there is such a time.
    pub remaining: Option<Duration>,
    /// A random number, uniform over all of `u64`.
    pub random: u64,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a response.
    Answered {
        /// Its status.
        status: StatusCode,
        /// How long the server asked to wait.
        asked: Option<Duration>,
        /// Whether the server said that it would answer the same again: in as many words, or by
        /// marking the answer as a replay of an earlier one.
        vetoed: bool,
        /// Whether it answers another request than the one that was sent, because the client
        /// followed a redirect. Its status proves nothing about that one.
        redirected: bool,
    },
    /// Without one.
    Failed(Class),
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send it again, after this delay.
    Retry {
        /// The delay.
        after: Duration,
    },
    /// Hand on what came.
    Stop(Stop),
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// It is no failure.
    Success,
    /// The server said that it would answer the same again.
    Vetoed,
    /// The same request would fail the same way.
    Lasting,
    /// It may have been executed, and sending it again may execute it twice.
    Unsafe,
    /// All attempts are used up.
    Attempts,
    /// The server asks for a longer wait than is allowed.
    HintTooLong {
        /// The wait that it asks for.
        asked: Duration,
    },
    /// There is no time left.
    Deadline,
}

/// Decides whether an attempt is followed by another one.
#[must_use]
pub fn decide(policy: &Policy, facts: &Facts<'_>) -> Decision {
    match stop(policy, facts) {
        Some(stop) => Decision::Stop(stop),
        None => wait(policy, facts),
    }
}

// === impl Policy ===

impl Policy {
    /// Whether an attempt may be followed by another one, however it ends: if not, there is no
    /// need to keep a copy of the request.
    #[must_use]
    pub fn may_retry(&self, attempt: u32, elapsed: Duration, remaining: Option<Duration>) -> bool {
        attempt < self.attempts && !self.time_left(elapsed, remaining).is_zero()
    }

    /// Whether there is time for a first attempt. One whose caller has stopped waiting would have an
    /// effect that nobody learns of.
    #[must_use]
    pub fn may_begin(&self, remaining: Option<Duration>) -> bool {
        !self.time_left(Duration::ZERO, remaining).is_zero()
    }

    fn time_left(&self, elapsed: Duration, remaining: Option<Duration>) -> Duration {
        let own = self.deadline.saturating_sub(elapsed);
        remaining.map_or(own, |remaining| remaining.min(own))
    }

    /// The longest delay of our own choice after so many attempts.
    fn ceiling(&self, attempt: u32) -> Duration {
        let doubled = 1_u32.checked_shl(attempt.saturating_sub(1));
        self.base
            .saturating_mul(doubled.unwrap_or(u32::MAX))
            .min(self.cap)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts: 3,
            base: Duration::from_millis(250),
            cap: Duration::from_secs(8),
            hint_cap: Duration::from_secs(60),
            deadline: Duration::from_secs(120),
        }
    }
}

// === impl Facts ===

impl<'a> Facts<'a> {
    /// What is known after a first attempt that took no time, without a deadline. The random
    /// number is 0.
    #[must_use]
    pub fn new(method: &'a Method, has_key: bool, outcome: Outcome) -> Self {
        Self {
            method,
            has_key,
            outcome,
            attempt: 1,
            elapsed: Duration::ZERO,
            remaining: None,
            random: 0,
        }
    }

    /// Whether sending the request twice has the effect of sending it once.
    fn replay_is_safe(&self) -> bool {
        //= RFC 9110 §9.2.2: the PUT, DELETE, and safe request methods are idempotent. […] A client
        //= SHOULD NOT automatically retry a request with a non-idempotent method unless it has some
        //= means to know that the request semantics are actually idempotent, regardless of the
        //= method, or some means to detect that the original request was never applied.
        self.method.is_idempotent() || self.has_key
    }
}

// === impl Outcome ===

impl Outcome {
    /// Whether there is nothing to retry.
    #[must_use]
    pub fn is_success(&self) -> bool {
        match self {
            Self::Answered { status, .. } => status.as_u16() < 400,
            Self::Failed(_) => false,
        }
    }

    /// Whether another attempt may fare better.
    fn is_passing(&self) -> bool {
        match self {
            Self::Answered { status, .. } => matches!(
                *status,
                StatusCode::REQUEST_TIMEOUT
                    | StatusCode::TOO_EARLY
                    | StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::INTERNAL_SERVER_ERROR
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            ),
            Self::Failed(class) => *class != Class::Fatal,
        }
    }

    /// Whether the request was provably not executed, though it failed in a passing way.
    fn is_unexecuted(&self) -> bool {
        match self {
            Self::Answered {
                redirected: true, ..
            } => false,
            //= RFC 8470 §5.2: […] the server is unwilling to risk processing a request that might
            //= be replayed.
            //= RFC 6585 §4: […] the user has sent too many requests in a given amount of time
            Self::Answered { status, .. } => matches!(
                *status,
                StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
            ),
            Self::Failed(class) => class.is_unexecuted(),
        }
    }
}

/// What ends the retries, whatever the delay would be.
fn stop(policy: &Policy, facts: &Facts<'_>) -> Option<Stop> {
    let outcome = &facts.outcome;
    if outcome.is_success() {
        return Some(Stop::Success);
    }
    if matches!(outcome, Outcome::Answered { vetoed: true, .. }) {
        return Some(Stop::Vetoed);
    }
    if !outcome.is_passing() {
        return Some(Stop::Lasting);
    }
    if !outcome.is_unexecuted() && !facts.replay_is_safe() {
        return Some(Stop::Unsafe);
    }
    (facts.attempt >= policy.attempts).then_some(Stop::Attempts)
}

/// The delay, if there is time for it.
fn wait(policy: &Policy, facts: &Facts<'_>) -> Decision {
    // Full jitter: of all the ways to spread clients that failed together it needs the fewest
    // attempts (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    let jitter = part(policy.ceiling(facts.attempt), facts.random);
    let after = match facts.outcome {
        //= RFC 9110 §10.2.3: […] how long the user agent ought to wait before making a follow-up
        //= request.
        Outcome::Answered {
            asked: Some(asked), ..
        } => {
            // Cutting it short would only be refused again, and cost the server a request more.
            if asked > policy.hint_cap {
                return Decision::Stop(Stop::HintTooLong { asked });
            }
            // Above it, or all who were told the same second would come in it.
            asked.saturating_add(jitter)
        }
        _ => jitter,
    };
    // A delay that ends with the deadline leaves no time for the attempt after it.
    if after >= policy.time_left(facts.elapsed, facts.remaining) {
        return Decision::Stop(Stop::Deadline);
    }
    Decision::Retry { after }
}

/// The part of `whole` that `random` is of `u64::MAX + 1`.
fn part(whole: Duration, random: u64) -> Duration {
    let nanos = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
    let part = (u128::from(nanos) * u128::from(random)) >> 64;
    // Less than `nanos`, so it fits.
    Duration::from_nanos(part as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let policy = Policy::default();
        let ceilings: Vec<_> = (1..=8).map(|n| policy.ceiling(n).as_millis()).collect();
        assert_eq!(ceilings, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(policy.ceiling(u32::MAX), policy.cap);
    }

    #[test]
    fn jitter_covers_the_whole_range() {
        let whole = Duration::from_millis(250);
        assert_eq!(part(whole, 0), Duration::ZERO);
        assert_eq!(part(whole, u64::MAX / 2 + 1), whole / 2);
        assert!(whole - part(whole, u64::MAX) <= Duration::from_nanos(1));
        assert!(part(Duration::MAX, u64::MAX) > Duration::from_secs(1 << 30));
    }

    #[test]
    fn a_first_attempt_needs_time_that_is_left() {
        let policy = Policy::default();
        assert!(policy.may_begin(None));
        assert!(policy.may_begin(Some(Duration::from_nanos(1))));
        assert!(!policy.may_begin(Some(Duration::ZERO)));
    }

    #[test]
    fn a_request_that_cannot_be_retried_needs_no_copy() {
        let policy = Policy::default();
        assert!(policy.may_retry(2, Duration::ZERO, None));
        assert!(!policy.may_retry(3, Duration::ZERO, None));
        assert!(!policy.may_retry(1, policy.deadline, None));
        assert!(!policy.may_retry(1, Duration::ZERO, Some(Duration::ZERO)));
    }
}
