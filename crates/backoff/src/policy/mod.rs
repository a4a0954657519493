//! The decision: facts in, [`Decision`] out. No clock, no random source, no I/O.
//!
//! [`Backoff`](crate::Backoff) gathers the facts and keeps the decision; whoever has a transport of
//! their own can do the same with [`decide`]:
//!
//! ```
//! use std::time::Duration;
//!
//! use golive_backoff::Class;
//! use golive_backoff::policy::{Decision, Facts, Outcome, Policy, Stop, decide};
//! use http::Method;
//!
//! let policy = Policy::default();
//! // A POST without a key, whose answer did not come in time.
//! let mut facts = Facts::new(&Method::POST, None, Outcome::Failed(Class::Timeout));
//! assert_eq!(decide(&policy, &facts), Decision::Stop(Stop::Unsafe));
//!
//! // The same with a key that the server remembers for another hour.
//! facts.key = Some(Duration::from_secs(3600));
//! facts.random = u64::MAX / 2;
//! let Decision::Retry { after } = decide(&policy, &facts) else {
//!     unreachable!("it is safe, and there is time for it")
//! };
//! assert_eq!(after.as_millis(), 124); // half of 250 ms, a nanosecond less
//! ```

mod facts;
mod stop;

use std::time::Duration;

pub use self::{
    facts::{Answer, Drawn, Facts, Outcome},
    stop::Stop,
};
pub use crate::delays::{Curve, Delays, Jitter};

/// What may be waited for, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Attempts in all, the first one included. Default: 3.
    pub attempts: u32,
    /// The delays of our own choice. Default: full jitter, from 250 ms up to 8 s.
    pub delays: Delays,
    /// The longest wait that a server may ask for; a longer one ends the retries. Default: 60 s.
    pub hint_cap: Duration,
    /// The time for all attempts and delays; a delay that would outlast it is not begun.
    /// Default: 2 min.
    pub deadline: Duration,
    /// The time for one attempt, until its response begins. Default: none but the time that is left.
    pub attempt_timeout: Option<Duration>,
    /// Whether the last attempt has all the time that is left instead. Default: false.
    pub patient_last_attempt: bool,
    /// The least time in which an attempt can end: with less than this left, none is made again.
    /// Default: 10 ms.
    pub least_attempt: Duration,
    /// The longest wait for a turn, on top of the delay. Default: none but the deadline.
    pub max_wait: Option<Duration>,
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
        attempt < self.attempts && self.time_left(elapsed, remaining) > self.least_attempt
    }

    /// Whether there is time for a first attempt. One whose caller has stopped waiting would have an
    /// effect that nobody learns of.
    #[must_use]
    pub fn may_begin(&self, remaining: Option<Duration>) -> bool {
        !self.time_left(Duration::ZERO, remaining).is_zero()
    }

    /// How long an attempt may take, which has not begun yet.
    #[must_use]
    pub fn attempt_time(
        &self,
        attempt: u32,
        elapsed: Duration,
        remaining: Option<Duration>,
    ) -> Duration {
        let left = self.time_left(elapsed, remaining);
        let patient = self.patient_last_attempt && attempt >= self.attempts;
        match self.attempt_timeout {
            Some(own) if !patient => own.min(left),
            _ => left,
        }
    }

    /// The time that is left for everything.
    #[must_use]
    pub fn time_left(&self, elapsed: Duration, remaining: Option<Duration>) -> Duration {
        let own = self.deadline.saturating_sub(elapsed);
        remaining.map_or(own, |remaining| remaining.min(own))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts: 3,
            delays: Delays::default(),
            hint_cap: Duration::from_secs(60),
            deadline: Duration::from_secs(120),
            attempt_timeout: None,
            patient_last_attempt: false,
            least_attempt: Duration::from_millis(10),
            max_wait: None,
        }
    }
}

/// What ends the retries, whatever the delay would be. The first reason is the one that is named:
/// what the server said, then what is safe, then what we may.
fn stop(policy: &Policy, facts: &Facts<'_>) -> Option<Stop> {
    let outcome = &facts.outcome;
    if outcome.is_success() {
        return Some(Stop::Success);
    }
    if let Outcome::Answered(answer) = outcome {
        if answer.vetoed {
            return Some(Stop::Vetoed);
        }
        if answer.used_up {
            return Some(Stop::UsedUp);
        }
    }
    let safe = facts.replay_is_safe();
    let may_fare_better = outcome.is_passing(facts.key) || (safe && outcome.is_invited());
    if !may_fare_better {
        return Some(Stop::Lasting);
    }
    if !safe && !outcome.is_unexecuted() {
        return Some(Stop::Unsafe);
    }
    if facts.nested {
        return Some(Stop::Nested);
    }
    if facts.attempt >= policy.attempts || facts.drawn == Drawn::NoMore {
        return Some(Stop::Attempts);
    }
    if !facts.kept {
        return Some(Stop::NotKept);
    }
    None
}

/// The delay, if there is time for it.
fn wait(policy: &Policy, facts: &Facts<'_>) -> Decision {
    let Policy { delays, .. } = policy;
    let after = match &facts.outcome {
        //= RFC 9110 §10.2.3: […] how long the user agent ought to wait before making a follow-up
        //= request.
        Outcome::Answered(Answer {
            asked: Some(asked), ..
        }) => {
            // Cutting it short would only be refused again, and cost the server a request more.
            if *asked > policy.hint_cap {
                return Decision::Stop(Stop::HintTooLong { asked: *asked });
            }
            // Above it, or all who were told the same second would come in it.
            asked.saturating_add(delays.above_hint(facts.attempt, facts.random))
        }
        _ => match facts.drawn {
            Drawn::Delay(delay) => delay,
            Drawn::Ours | Drawn::NoMore => delays.draw(facts.attempt, facts.previous, facts.random),
        },
    };
    // It is not sent before its turn, however soon its own delay is over.
    let sent_in = after.max(facts.turn);
    let left = policy.time_left(facts.elapsed, facts.remaining);
    // A delay that ends with the deadline leaves no time for the attempt after it.
    if sent_in.saturating_add(policy.least_attempt) >= left {
        return Decision::Stop(Stop::Deadline);
    }
    if policy.max_wait.is_some_and(|most| sent_in - after > most) {
        return Decision::Stop(Stop::Throttled);
    }
    //= draft-ietf-httpapi-idempotency-key-header, "Idempotency Key Validity and Expiry": The
    //= resource MAY enforce time based idempotency keys, thus, be able to purge or delete a key
    //= upon its expiry.
    // From then on the same request is a second one.
    if !facts.method.is_idempotent() && facts.key.is_some_and(|left| sent_in >= left) {
        // Even if this attempt was refused: an earlier one may have been executed.
        return Decision::Stop(Stop::KeyExpired);
    }
    if !facts.funded {
        return Decision::Stop(Stop::Budget);
    }
    Decision::Retry { after }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

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
        assert!(!policy.may_retry(1, Duration::ZERO, Some(policy.least_attempt)));
    }

    #[test]
    fn an_attempt_has_its_own_time_or_what_is_left() {
        let mut policy = Policy::default();
        let time = |policy: &Policy, attempt, elapsed| policy.attempt_time(attempt, elapsed, None);
        assert_eq!(time(&policy, 1, SECOND), 119 * SECOND);
        policy.attempt_timeout = Some(5 * SECOND);
        assert_eq!(time(&policy, 1, SECOND), 5 * SECOND);
        assert_eq!(time(&policy, 3, SECOND), 5 * SECOND);
        assert_eq!(time(&policy, 1, 118 * SECOND), 2 * SECOND);
        policy.patient_last_attempt = true;
        assert_eq!(time(&policy, 2, SECOND), 5 * SECOND);
        assert_eq!(time(&policy, 3, SECOND), 119 * SECOND);
        assert_eq!(policy.attempt_time(3, SECOND, Some(SECOND)), SECOND);
    }
}
