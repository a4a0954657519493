//! How far a call has come: the facts for the policy, and the history for the caller.

use std::time::Duration;

use golive_core::{Attempt, Call, Disposition, Own, Request};
use http::Method;
use tokio::time::Instant;

use crate::{
    Builder, DeadlineExceeded, KeyForgotten,
    disposition::{of_attempt, together},
    policy::{Decision, Drawn, Facts, Outcome, Policy, Stop, decide},
};

pub(crate) struct Progress {
    method: Method,
    has_key: bool,
    /// Whether another retry further out works on this call.
    nested: bool,
    started: Instant,
    /// Attempts begun, the one under way included.
    attempt: u32,
    /// What the attempts before the one under way say together.
    before: Disposition,
    /// How long the history was when the attempt under way began.
    recorded: usize,
    /// Whether it has failed.
    failed: bool,
}

/// Why an attempt is not made any more.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Late {
    Deadline,
    Key,
}

/// What matters of the end of an attempt, besides the outcome.
pub(crate) struct End {
    pub(crate) at: Instant,
    pub(crate) outcome: Outcome,
    pub(crate) turn: Duration,
    pub(crate) kept: bool,
    pub(crate) drawn: Drawn,
    pub(crate) random: u64,
}

// === impl Progress ===

impl Progress {
    /// Begins with the first attempt.
    pub(crate) fn begin<R: Request>(
        req: &R,
        rules: &Builder,
        now: Instant,
        call: &mut Call,
    ) -> Self {
        // NOTE: read before the first attempt, and once. A key that is minted further down is
        // another one with each attempt, so it makes nothing safe.
        let has_key = call.has_idempotency_key() || rules.has_key(req.headers());
        // Of an earlier conversation over the same call, by somebody further out.
        call.set_stopped(None);
        let before = call.attempts().iter().map(|attempt| attempt.disposition);
        let before = before.fold(Disposition::NotExecuted, together);
        // One that sends everything once leaves the retrying to those further in.
        let nested = call.is_retried();
        call.set_retried(nested || rules.policy.attempts > 1);
        if !nested {
            // Should the caller leave while the first attempt is under way, nobody knows.
            call.set_disposition(Disposition::Unknown);
        }
        Self {
            method: req.method().clone(),
            has_key,
            nested,
            started: now,
            attempt: 1,
            before,
            recorded: call.attempts().len(),
            failed: false,
        }
    }

    /// Time since the first attempt began.
    pub(crate) fn elapsed(&self, now: Instant) -> Duration {
        now - self.started
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether the attempt has failed, so that the one that comes is another.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether it is too late for the attempt that is about to begin.
    pub(crate) fn too_late(&self, rules: &Builder, call: &Call, now: Instant) -> Option<Late> {
        let policy = &rules.policy;
        let left = policy.time_left(now - self.started, remaining(call, now));
        // A first attempt that has not waited may use what there is.
        let waited = now > self.started;
        if left.is_zero() || (waited && left < policy.least_attempt) {
            return Some(Late::Deadline);
        }
        let forgotten = self.key_expires(rules, call).is_some_and(|at| at <= now);
        forgotten.then_some(Late::Key)
    }

    /// Whether another retry further out does what this one would.
    pub(crate) fn is_nested(&self) -> bool {
        self.nested
    }

    /// Whether there is time for the first attempt.
    pub(crate) fn may_begin(&self, policy: &Policy, call: &Call) -> bool {
        policy.may_begin(remaining(call, self.started))
    }

    /// How late the attempt that comes may begin: in time to end, and while the server remembers
    /// the key.
    pub(crate) fn latest(&self, rules: &Builder, call: &Call, now: Instant) -> Instant {
        let policy = &rules.policy;
        let left = policy.time_left(now - self.started, remaining(call, now));
        let mut latest = now + left.saturating_sub(policy.least_attempt);
        if let Some(own) = policy.max_wait.and_then(|wait| now.checked_add(wait)) {
            latest = latest.min(own);
        }
        let forgets = self.key_expires(rules, call);
        forgets.map_or(latest, |at| at.min(latest))
    }

    /// When the server forgets the key, if it matters for the attempt that comes.
    fn key_expires(&self, rules: &Builder, call: &Call) -> Option<Instant> {
        // A first attempt is the first use of a key that nobody knows of.
        let used = self.attempt > 1 || self.failed || call.key_expires().is_some();
        let matters = self.has_key && used && !self.method.is_idempotent();
        matters.then(|| self.forgets(rules, call))
    }

    /// When the server forgets the key, at the latest; it may have been used before this call.
    fn forgets(&self, rules: &Builder, call: &Call) -> Instant {
        let latest = self.started + rules.key_window;
        let known = call.key_expires().map(Instant::from_std);
        known.map_or(latest, |known| known.min(latest))
    }

    /// When the attempt that begins now is given up.
    pub(crate) fn attempt_ends(&self, policy: &Policy, call: &Call, now: Instant) -> Instant {
        let (elapsed, remaining) = (now - self.started, remaining(call, now));
        now + policy.attempt_time(self.attempt, elapsed, remaining)
    }

    /// Notes that the attempt that was about to begin was not sent.
    pub(crate) fn never_sent(&self, call: &mut Call, why: &'static str) {
        call.set_disposition(self.before);
        call.set_unsent();
        self.end(call, why);
    }

    /// Whether the attempt that is about to begin may be followed by another one.
    pub(crate) fn may_retry(&self, policy: &Policy, call: &Call, now: Instant) -> bool {
        let (elapsed, remaining) = (now - self.started, remaining(call, now));
        !self.nested && policy.may_retry(self.attempt, elapsed, remaining)
    }

    /// What follows an attempt that failed.
    pub(crate) fn decide(&self, rules: &Builder, call: &Call, end: &End) -> Decision {
        let previous = call.attempts().last().and_then(|before| before.delay);
        let key = self.forgets(rules, call);
        let key = key.saturating_duration_since(end.at);
        let facts = Facts {
            attempt: self.attempt,
            elapsed: end.at - self.started,
            remaining: remaining(call, end.at),
            turn: end.turn,
            previous: previous.unwrap_or_default(),
            drawn: end.drawn,
            kept: end.kept,
            // One further in has stopped; it has seen what we see.
            nested: self.nested || call.stopped().is_some(),
            random: end.random,
            ..Facts::new(&self.method, self.has_key.then_some(key), end.outcome)
        };
        decide(&rules.policy, &facts)
    }

    /// Notes an attempt that failed, and what follows it.
    pub(crate) fn fail(&mut self, call: &mut Call, outcome: &Outcome, decision: Decision) {
        self.failed = true;
        // One further out notes it, and one further in has done so.
        if self.nested {
            return;
        }
        if call.stopped().is_none() {
            let mut attempt = Attempt::new(outcome.told(), of_attempt(outcome, self.has_key));
            if let Outcome::Answered(answer) = outcome {
                attempt.hint = answer.asked;
            }
            if let Decision::Retry { after } = decision {
                attempt.delay = Some(after);
            }
            call.record(attempt);
        }
        // This one, and what somebody further in has made of it: several attempts, perhaps.
        let new = call.attempts().iter().skip(self.recorded);
        self.before = new
            .map(|attempt| attempt.disposition)
            .fold(self.before, together);
        call.set_disposition(self.before);
        if let Decision::Stop(why) = decision {
            self.end(call, why.as_str());
        }
    }

    /// Begins the next attempt.
    pub(crate) fn resend(&mut self, call: &mut Call) {
        self.attempt += 1;
        self.failed = false;
        self.recorded = call.attempts().len();
        call.next_attempt();
        // Should the caller leave while it is under way, nobody knows.
        call.set_disposition(Disposition::Unknown);
    }

    /// Notes that the last attempt succeeded.
    pub(crate) fn succeed(&self, call: &mut Call, outcome: &Outcome) {
        if !self.nested {
            call.set_retried(false);
        }
        // A plain call that nobody has written to stays so: writing to it would allocate.
        let resent = self.attempt > 1 || !call.attempts().is_empty();
        if resent || call.is_watched() || call.has_idempotency_key() {
            let last = of_attempt(outcome, self.has_key);
            call.set_disposition(together(self.before, last));
        }
    }

    /// Notes that this retry has nothing more to do.
    fn end(&self, call: &mut Call, why: &'static str) {
        if !self.nested {
            call.set_retried(false);
            let why = call.stopped().unwrap_or(why);
            call.set_stopped(Some(why));
        }
    }
}

// === impl Late ===

impl Late {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => Stop::Deadline.as_str(),
            Self::Key => Stop::KeyExpired.as_str(),
        }
    }

    pub(crate) fn into_own(self) -> Own {
        match self {
            Self::Deadline => Own::new(DeadlineExceeded),
            Self::Key => Own::new(KeyForgotten),
        }
    }
}

// === impl Outcome ===

impl Outcome {
    /// As it stands in the history.
    fn told(&self) -> golive_core::Outcome {
        match self {
            Self::Answered(answer) => golive_core::Outcome::Answered(answer.status),
            Self::Failed(class) => golive_core::Outcome::Failed(class.as_str()),
        }
    }
}

/// Time until the caller stops waiting.
fn remaining(call: &Call, now: Instant) -> Option<Duration> {
    let deadline = Instant::from_std(call.deadline()?);
    Some(deadline.saturating_duration_since(now))
}
