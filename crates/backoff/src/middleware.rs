use std::{fmt, sync::Arc};

use golive_core::{Call, Exchange, Failure, Middleware, Own, Request, Response, quota};
use http::{HeaderMap, HeaderValue};

use crate::{Builder, DeadlineExceeded, classify::classify, policy::Outcome, progress::Progress};

/// The headers by which a server says, in as many words, not to retry.
const VETOES: [&str; 2] = ["x-should-retry", "stripe-should-retry"];

/// Sends a request again while that is safe and of use; see the [crate] documentation.
///
/// Cheap to clone: the clones share their configuration.
///
/// # Panics
/// A retry waits on tokio's timer, and panics outside a runtime that has one.
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

    // NOTE: the builder was validated, or is the default.
    pub(crate) fn from_builder(builder: Builder) -> Self {
        Self(Arc::new(builder))
    }

    /// Whether the headers carry an idempotency key. An empty one names nothing.
    fn has_key(&self, headers: &HeaderMap) -> bool {
        //= RFC 9110 §5.5: A field value does not include leading or trailing whitespace.
        let is_key = |key: &HeaderValue| !key.as_bytes().trim_ascii().is_empty();
        let mut names = self.0.key_headers.iter();
        names.any(|name| headers.get(name).is_some_and(is_key))
    }

    fn outcome<R: Response, E: Failure>(&self, call: &Call, result: &Result<R, E>) -> Outcome {
        let redirected = call.was_redirected();
        match result {
            Ok(response) if response.status().as_u16() < 400 => Outcome::Answered {
                status: response.status(),
                asked: None,
                vetoed: false,
                redirected,
            },
            Ok(response) => Outcome::Answered {
                status: response.status(),
                asked: quota::asked_wait(response.status(), response.headers(), self.0.clock.now()),
                vetoed: is_vetoed(response.headers()) || is_replayed(response.headers()),
                redirected,
            },
            Err(error) => {
                let error = error.as_error();
                let own = self.0.classifier.as_ref().and_then(|c| c(error));
                Outcome::Failed(own.unwrap_or_else(|| classify(error)))
            }
        }
    }
}

impl Middleware for Backoff {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        mut req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        let Builder { policy, random, .. } = &*self.0;
        // NOTE: read before the first attempt, and once. A key that is minted further down is
        // another one with each attempt, so it makes nothing safe.
        let has_key = call.has_idempotency_key() || self.has_key(req.headers());
        let mut progress = Progress::begin(req.method().clone(), has_key, call);
        if !progress.may_begin(policy, call) {
            progress.never_began(call);
            return Err(Own::new(DeadlineExceeded).into());
        }
        loop {
            let spare = if progress.may_retry(policy, call) {
                req.spare()
            } else {
                None
            };
            let result = below.send(call, req).await;
            let outcome = self.outcome(call, &result);
            if outcome.is_success() {
                progress.succeed(call, &outcome);
                return result;
            }
            let spare = spare.and_then(Req::restore);
            let delay = match spare {
                Some(_) => progress.delay(policy, call, outcome, random()),
                None => None,
            };
            progress.fail(call, &outcome, delay);
            let (Some(delay), Some(spare)) = (delay, spare) else {
                return result;
            };
            req = spare;
            // Its connection is free while we wait.
            drop(result);
            tokio::time::sleep(delay).await;
            progress.resend(call);
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
            .finish_non_exhaustive()
    }
}

/// Whether the server said not to retry.
fn is_vetoed(headers: &HeaderMap) -> bool {
    let mut values = VETOES.into_iter().flat_map(|name| headers.get_all(name));
    values.any(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"false"))
}

/// Whether the server answered from its memory of keys. It will give the same answer again.
fn is_replayed(headers: &HeaderMap) -> bool {
    let replayed = headers.get("idempotent-replayed");
    replayed.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"))
}
