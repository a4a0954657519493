use std::{fmt, sync::Arc, time::Duration};

use golive_core::{Call, Exchange, Middleware, Own, Request, Response};
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use crate::{
    AttemptTimeout, Builder, DeadlineExceeded, Event,
    body::Seen,
    limits::{Limits, Scope, Token, WouldWait},
    policy::{Decision, Drawn, Outcome, Stop},
    progress::{End, Progress},
    timed::{Elapsed, timed},
};

/// Sends a request again while that is safe and of use; see the [crate] documentation.
///
/// Cheap to clone: the clones share their configuration, and with it the budget, the pauses and the
/// pace of each origin.
///
/// # Panics
/// A call that is not answered at once needs tokio's timer, and panics outside a runtime that has
/// one.
#[derive(Clone)]
pub struct Backoff(Arc<Builder>);

golive_core::faces!(Backoff);

// === impl Backoff ===

impl Backoff {
    /// Three attempts, full jitter from 250 ms up to 8 s: the [builder](Self::builder)'s defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::from_builder(Self::builder())
    }

    /// Sets up something else than the defaults.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// One that shares everything with this one, but waits no longer than this for a turn: see
    /// [`Builder::max_wait`]. For a handler that may not block, beside a worker that may.
    #[must_use]
    pub fn with_max_wait(&self, max_wait: Duration) -> Self {
        Self::from_builder(Builder::clone(&self.0).max_wait(max_wait))
    }

    /// The budget, the pauses and the pace of each origin, to be looked at or shared.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    #[cfg(feature = "reqwest-retry")]
    pub(crate) fn rules(&self) -> &Builder {
        &self.0
    }

    // NOTE: the builder was validated, or is the default.
    pub(crate) fn from_builder(builder: Builder) -> Self {
        Self(Arc::new(builder))
    }
}

impl Middleware for Backoff {
    #[allow(
        clippy::manual_async_fn,
        reason = "an `async fn` keeps its arguments twice, and each call in flight has room for both"
    )]
    fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        mut req: Req,
        mut below: X,
    ) -> impl Future<Output = Result<X::Response, X::Error>> + Send {
        let rules = &*self.0;
        async move {
            let mut sent = Instant::now();
            let mut progress = Progress::begin(&req, rules, sent, call);
            if !progress.may_begin(&rules.policy, call) {
                progress.never_sent(call, Stop::Deadline.as_str());
                return Err(Own::new(DeadlineExceeded).into());
            }
            let scope = rules.limits.scope(&req, sent);
            let mut paid: Option<Token<'_>> = None;
            loop {
                let turn = if progress.is_nested() {
                    // The one further out has waited for the turn of both.
                    None
                } else if let Some(turn) = scope.try_turn(sent) {
                    Some(turn)
                } else {
                    // Boxed, as all that is rare: every call in flight has room for it otherwise.
                    let latest = progress.latest(rules, call, sent);
                    let turn = Box::pin(scope.turn(sent, latest, rules.draw())).await;
                    sent = Instant::now();
                    Some(turn.map_err(|late| rules.refused(call, &progress, late))?)
                };
                // The timer may have been late, and so may the turn.
                if let Some(late) = progress.too_late(rules, call, sent) {
                    progress.never_sent(call, late.as_str());
                    return Err(late.into_own().into());
                }
                if progress.has_failed() {
                    if let Some(token) = paid.take() {
                        token.spend();
                    }
                    progress.resend(call);
                    if let Some(name) = &rules.attempt_header {
                        let resends = HeaderValue::from(progress.attempt() - 1);
                        req.headers_mut().insert(name, resends);
                    }
                }
                let spare = match progress.may_retry(&rules.policy, call, sent) {
                    true => Spare::Kept(req.spare()),
                    false => Spare::NotNeeded,
                };
                // NOTE: a block, at the end of which the response is gone and its connection free.
                let after = {
                    let until = progress.attempt_ends(&rules.policy, call, sent);
                    let attempt = timed(until, rules.attempt(call, req, &mut below));
                    let result = match attempt.await {
                        Ok(result) => result,
                        Err(Elapsed { until }) => {
                            let after = until - sent;
                            Err(Own::new(AttemptTimeout { after }).into())
                        }
                    };
                    let outcome = rules.read(call, &result, turn);
                    match rules.next(call, &mut progress, &scope, outcome, spare) {
                        Next::Done => return result.map(|(response, _)| response),
                        Next::Again(again) => {
                            req = again.req;
                            paid = again.paid;
                            again.after
                        }
                    }
                };
                Box::pin(tokio::time::sleep(after)).await;
                sent = Instant::now();
            }
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backoff")
            .field("policy", &self.0.policy)
            .field("key_headers", &self.0.key_headers)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

/// A copy of a request.
enum Spare<Req: Request> {
    /// None was asked for, since there can be no further attempt.
    NotNeeded,
    /// None could be made, or here it is.
    Kept(Option<Req::Spare>),
}

/// What follows an attempt.
enum Next<'s, Req> {
    /// Nothing: what came is handed on.
    Done,
    Again(Again<'s, Req>),
}

/// Another attempt.
struct Again<'s, Req> {
    req: Req,
    after: Duration,
    /// From the budget; dropped, it is given back.
    paid: Option<Token<'s>>,
}

// === impl Builder ===

impl Builder {
    /// Whether the headers carry an idempotency key. An empty one names nothing.
    pub(crate) fn has_key(&self, headers: &HeaderMap) -> bool {
        //= RFC 9110 §5.5: A field value does not include leading or trailing whitespace.
        let is_key = |key: &HeaderValue| !key.as_bytes().trim_ascii().is_empty();
        let mut names = self.key_headers.iter();
        names.any(|name| headers.get(name).is_some_and(is_key))
    }

    fn drawn(&self, progress: &Progress, now: Instant) -> Drawn {
        match &self.source {
            None => Drawn::Ours,
            Some(source) => {
                let delay = source(progress.attempt() - 1, progress.elapsed(now));
                delay.map_or(Drawn::NoMore, Drawn::Delay)
            }
        }
    }

    /// What follows an attempt that ended like this.
    fn next<'s, Req: Request>(
        &self,
        call: &mut Call,
        progress: &mut Progress,
        scope: &'s Scope,
        outcome: Outcome,
        spare: Spare<Req>,
    ) -> Next<'s, Req> {
        // Not for each call: where nothing is answered, retries are of no use.
        if outcome.is_answered() && !progress.is_nested() {
            scope.called();
        }
        if outcome.is_success() {
            progress.succeed(call, &outcome);
            return Next::Done;
        }
        let at = Instant::now();
        let (kept, req) = match spare {
            Spare::Kept(spare) => {
                let req = spare.and_then(Req::restore);
                (req.is_some(), req)
            }
            // There is another reason why it is not sent again.
            Spare::NotNeeded => (true, None),
        };
        let end = End {
            at,
            outcome,
            turn: scope.next_turn_in(at),
            kept,
            drawn: self.drawn(progress, at),
            random: self.draw(),
        };
        let mut decision = progress.decide(self, call, &end);
        let mut paid = None;
        // Who was refused waits for the end of the pause, and then adds to no load. All others pay,
        // those too who only keep the pace of a quota: a server that is down tells of one as well.
        let waits = outcome.is_refusal() && !scope.paused_for(at).is_zero();
        if matches!(decision, Decision::Retry { .. }) && !waits {
            paid = scope.withdraw(at);
            if paid.is_none() {
                decision = Decision::Stop(Stop::Budget);
            }
        }
        self.failed(progress, outcome, decision);
        progress.fail(call, &outcome, decision);
        match (decision, req) {
            (Decision::Retry { after }, Some(req)) => Next::Again(Again { req, after, paid }),
            _ => Next::Done,
        }
    }

    /// Sends it once, and looks at the body of the answer if somebody asked for that.
    #[allow(clippy::manual_async_fn, reason = "see `handle`")]
    fn attempt<'a, Req: Request, X: Exchange<Req>>(
        &'a self,
        call: &'a mut Call,
        req: Req,
        below: &'a mut X,
    ) -> impl Future<Output = Result<(X::Response, Seen), X::Error>> + Send + use<'a, Req, X> {
        async move {
            // NOTE: a block, so that there is room for the response in one place alone.
            let looked = {
                let response = below.send(call, req).await?;
                if !self.look.is_wanted(response.status()) {
                    return Ok((response, Seen::default()));
                }
                Box::pin(self.look.at(response))
            };
            Ok(looked.await)
        }
    }

    fn draw(&self) -> u64 {
        (self.random)()
    }

    fn failed(&self, progress: &Progress, outcome: Outcome, decision: Decision) {
        if let Some(observer) = &self.observer {
            let attempt = progress.attempt();
            observer(&Event::Failed {
                attempt,
                outcome,
                decision,
            });
        }
    }

    fn refused(&self, call: &mut Call, progress: &Progress, late: WouldWait) -> Own {
        if let Some(observer) = &self.observer {
            let attempt = progress.attempt() + u32::from(progress.has_failed());
            let wait = late.after;
            observer(&Event::Refused { attempt, wait });
        }
        progress.never_sent(call, "throttled");
        Own::new(late)
    }
}
