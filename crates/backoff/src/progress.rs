//! How far a call has come: the facts for the policy, and the history for the caller.

use std::time::Duration;

use golive_core::{Attempt, Call, Disposition};
use http::Method;
use tokio::time::Instant;

use crate::{
    disposition::{of_attempt, together},
    policy::{Decision, Facts, Outcome, Policy, decide},
};

pub(crate) struct Progress {
    method: Method,
    has_key: bool,
    started: Instant,
    /// Attempts begun, the one under way included.
    attempt: u32,
    /// What the attempts before the one under way say together.
    before: Disposition,
    /// How long the history was when the attempt under way began.
    recorded: usize,
}

// === impl Progress ===

impl Progress {
    /// Begins with the first attempt.
    pub(crate) fn begin(method: Method, has_key: bool, call: &Call) -> Self {
        Self {
            method,
            has_key,
            started: Instant::now(),
            attempt: 1,
            before: Disposition::NotExecuted,
            recorded: call.attempts().len(),
        }
    }

    /// Whether there is time for the first attempt.
    pub(crate) fn may_begin(&self, policy: &Policy, call: &Call) -> bool {
        policy.may_begin(remaining(call, self.started))
    }

    /// Notes that nothing was sent.
    pub(crate) fn never_began(&self, call: &mut Call) {
        // What lies further out may have sent it before.
        let before = call.attempts().iter().map(|attempt| attempt.disposition);
        let disposition = before.fold(self.before, together);
        call.set_disposition(disposition);
    }

    /// Whether the attempt that is about to begin may be followed by another one.
    pub(crate) fn may_retry(&self, policy: &Policy, call: &Call) -> bool {
        // The clock is read once for a call that succeeds at once: there was time to begin.
        if self.attempt == 1 {
            return policy.attempts > 1;
        }
        let now = Instant::now();
        policy.may_retry(self.attempt, now - self.started, remaining(call, now))
    }

    /// How long to wait before the next attempt, if there is to be one.
    pub(crate) fn delay(
        &self,
        policy: &Policy,
        call: &Call,
        outcome: Outcome,
        random: u64,
    ) -> Option<Duration> {
        let now = Instant::now();
        let facts = Facts {
            attempt: self.attempt,
            elapsed: now - self.started,
            remaining: remaining(call, now),
            random,
            ..Facts::new(&self.method, self.has_key, outcome)
        };
        match decide(policy, &facts) {
            Decision::Retry { after } => Some(after),
            Decision::Stop(_) => None,
        }
    }

    /// Notes an attempt that failed, and the wait that follows it.
    pub(crate) fn fail(&mut self, call: &mut Call, outcome: &Outcome, delay: Option<Duration>) {
        let disposition = of_attempt(outcome, self.has_key);
        let ended = match outcome {
            Outcome::Answered { status, .. } => golive_core::Outcome::Answered(*status),
            Outcome::Failed(class) => golive_core::Outcome::Failed(class.as_str()),
        };
        let mut attempt = Attempt::new(ended, disposition);
        attempt.delay = delay;
        call.record(attempt);
        // This one, and what somebody further in has made of it: several attempts, perhaps.
        let new = call.attempts().iter().skip(self.recorded);
        self.before = new
            .map(|attempt| attempt.disposition)
            .fold(self.before, together);
        call.set_disposition(self.before);
    }

    /// Begins the next attempt.
    pub(crate) fn resend(&mut self, call: &mut Call) {
        self.attempt += 1;
        self.recorded = call.attempts().len();
        call.next_attempt();
        // Should the caller leave while it is under way, nobody knows.
        call.set_disposition(Disposition::Unknown);
    }

    /// Notes that the last attempt succeeded.
    pub(crate) fn succeed(&self, call: &mut Call, outcome: &Outcome) {
        // A plain call that nobody has written to stays so: writing to it would allocate.
        let resent = self.attempt > 1 || call.attempts().len() > self.recorded;
        if resent || self.has_key {
            let last = of_attempt(outcome, self.has_key);
            call.set_disposition(together(self.before, last));
        }
    }
}

/// Time until the caller stops waiting.
fn remaining(call: &Call, now: Instant) -> Option<Duration> {
    let deadline = Instant::from_std(call.deadline()?);
    Some(deadline.saturating_duration_since(now))
}
