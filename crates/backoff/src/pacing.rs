use std::{fmt, sync::Arc, time::Duration};

use golive_core::{
    Call, Clock, Disposition, Exchange, Middleware, Own, Request, Response, SystemClock,
    quota::Hints,
};
use http::StatusCode;
use tokio::time::Instant;

use crate::{
    disposition::together,
    limits::{Answer, Limits, Turn},
};

/// Longer than anybody waits; far from where adding it to a time overflows.
const LONGEST: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// Sends each request in its turn: not while the server has asked to stay away, and not faster than
/// its quota lasts. It retries nothing, so that it goes with a retry that is not ours.
///
/// Put it below the retry: then a repeated request waits for its turn too. A
/// [`Backoff`](crate::Backoff) does all this itself, and needs none. If there is one below it
/// nevertheless, give it [`Limits`] of its own: with the same ones each call would take two turns,
/// and the second would wait for the answer to the first.
///
/// A call that would have to wait for longer than [`max_wait`](PacingBuilder::max_wait), or than
/// its deadline allows, is not sent: [`WouldWait`](crate::limits::WouldWait). All other errors, and
/// all responses, are handed on as they came.
///
/// Cheap to clone: the clones share their limits.
///
/// # Panics
/// A call that has to wait needs tokio's timer, and panics outside a runtime that has one.
#[derive(Clone)]
pub struct Pacing(Arc<PacingBuilder>);

/// Sets up a [`Pacing`]; start with [`Pacing::builder`].
#[derive(Clone)]
#[must_use]
pub struct PacingBuilder {
    limits: Limits,
    max_wait: Duration,
    hints: Hints,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Fn() -> u64 + Send + Sync>,
}

golive_core::faces!(Pacing);

// === impl Pacing ===

impl Pacing {
    /// With these limits, and the defaults of the [builder](Self::builder).
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self::builder(limits).build()
    }

    /// Sets up something else than the defaults.
    pub fn builder(limits: Limits) -> PacingBuilder {
        PacingBuilder {
            limits,
            max_wait: Duration::from_secs(30),
            hints: Hints::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(|| fastrand::u64(..)),
        }
    }

    /// The limits that it keeps.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Tells the others what this one was told.
    fn answered<R: Response>(&self, turn: Turn<'_>, response: &R) {
        let PacingBuilder { hints, clock, .. } = &*self.0;
        let (status, headers) = (response.status(), response.headers());
        let failed = status.as_u16() >= 400;
        // Most responses say nothing, and neither clock is read for them.
        if !failed && !hints.mentions_quota(headers) {
            return turn.answered_plainly(status);
        }
        let now = clock.now();
        let quotas = hints.quotas(headers, now);
        let asked = failed.then(|| hints.asked(status, headers, now)).flatten();
        let answer = Answer::new(status)
            .asked(asked.map(|asked| asked.wait))
            .quotas(quotas.as_slice());
        turn.answered(Instant::now(), &answer);
    }

    /// Until when a call waits for its turn.
    fn latest(&self, call: &Call, now: Instant) -> Instant {
        let latest = now + self.0.max_wait.min(LONGEST);
        let deadline = call.deadline().map(Instant::from_std);
        deadline.map_or(latest, |deadline| deadline.min(latest))
    }
}

impl Middleware for Pacing {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        let PacingBuilder { limits, random, .. } = &*self.0;
        let now = Instant::now();
        let scope = limits.scope(&req, now);
        let turn = match scope.try_turn(now) {
            Some(turn) => turn,
            None => {
                let turn = scope.turn(now, self.latest(call, now), random());
                match turn.await {
                    Ok(turn) => turn,
                    Err(would_wait) => {
                        never_sent(call);
                        return Err(Own::new(would_wait).into());
                    }
                }
            }
        };
        let response = below.send(call, req).await?;
        // What another place says after a redirect is not about this one, which has let it through.
        if call.was_redirected() {
            turn.answered_plainly(StatusCode::OK);
        } else {
            self.answered(turn, &response);
        }
        Ok(response)
    }
}

/// Notes that the attempt under way is not sent, so that no retry further out takes it for one; what
/// is known of those before it stays.
fn never_sent(call: &mut Call) {
    let before = call.attempts().iter().map(|attempt| attempt.disposition);
    call.set_disposition(before.fold(Disposition::NotExecuted, together));
    call.set_unsent();
}

impl fmt::Debug for Pacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pacing")
            .field("limits", &self.0.limits)
            .field("max_wait", &self.0.max_wait)
            .finish_non_exhaustive()
    }
}

// === impl PacingBuilder ===

impl PacingBuilder {
    /// The longest wait for a turn. Zero: a call that has to wait fails at once, as a handler needs
    /// it that may not block. A deadline of the call
    /// ([`Call::deadline`](golive_core::Call::deadline)) holds too. Default: 30 s.
    pub fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// The headers in which the server speaks of its limits. Default: [`Hints::default`].
    pub fn hints(mut self, hints: Hints) -> Self {
        self.hints = hints;
        self
    }

    /// The wall clock by which a date in a response is measured if the response has no `Date`.
    /// Default: the machine's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where the random part of a pause comes from: numbers uniform over all of `u64`. Default: a
    /// generator per thread, each with a seed of its own.
    pub fn random(mut self, random: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.random = Arc::new(random);
        self
    }

    /// Builds the middleware.
    #[must_use]
    pub fn build(self) -> Pacing {
        Pacing(Arc::new(self))
    }
}

impl fmt::Debug for PacingBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacingBuilder")
            .field("limits", &self.limits)
            .field("max_wait", &self.max_wait)
            .finish_non_exhaustive()
    }
}
