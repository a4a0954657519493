//! For those who stay on reqwest-retry: our judgement in its loop, and its delays in ours.

use std::{cell::RefCell, fmt, future::poll_fn, pin::pin, sync::Arc, time::Duration};

use golive_core::{
    Call, Clock, Exchange, Middleware, SystemClock, caused_by,
    reqwest::{self as face, Handled},
};
use http::{Extensions, Method};
use reqwest::{Request, Response, Url};
use reqwest_middleware::{Error, Next};
use reqwest_retry::{RetryDecision, RetryPolicy, Retryable, RetryableStrategy};
use tokio::time::Instant;

use crate::{
    Backoff, Builder, Class, DeadlineExceeded,
    limits::WouldWait,
    policy::{Answer, Decision, Facts, Outcome, Stop, decide},
};

/// Tells a [`ReplayStrategy`] which request it judges. reqwest-retry shows its strategy the outcome
/// alone, so that a POST looks like a GET.
///
/// Goes further out than reqwest-retry, in the same client:
///
/// ```
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use golive_backoff::{Backoff, ReplayGuard};
/// use reqwest_middleware::ClientBuilder;
/// use reqwest_retry::{RetryTransientMiddleware, policies::ExponentialBackoff};
///
/// let guard = ReplayGuard::new(&Backoff::new());
/// let policy = ExponentialBackoff::builder().build_with_max_retries(2);
/// let retry =
///     RetryTransientMiddleware::new_with_policy_and_strategy(policy, guard.strategy());
/// let client = ClientBuilder::new(reqwest::Client::new())
///     .with(guard)
///     .with(retry)
///     .build();
/// # Ok(())
/// # }
/// ```
///
/// While its future is polled, and not a moment longer, it notes on the thread what the request is.
/// Only strategies of its own read that. Whatever else is polled meanwhile, a renewal of a token by
/// another client for instance, is judged by what its own guard notes, or as a POST without a key.
#[derive(Clone)]
pub struct ReplayGuard(Arc<Rules>);

/// The judgement of a [`Backoff`] for reqwest-retry: what to send again by method, key, class of
/// error, status and veto. Without its [`ReplayGuard`] in the same client, every request counts as
/// a POST without a key.
///
/// Of the `Backoff` it takes the key headers and their window, the classifiers of errors, the
/// table of hints, the longest wait that is granted, and the deadline. How often and after which
/// delay is the affair of reqwest-retry's own policy.
#[derive(Clone)]
pub struct ReplayStrategy(Arc<Rules>);

/// NOTE: its address is what guard and strategy know each other by.
struct Rules(Builder);

/// What a request is.
struct Marked {
    /// Whose request.
    rules: Arc<Rules>,
    method: Method,
    url: Url,
    has_key: bool,
    /// When the server forgets the key, if it was used before this call.
    key_expires: Option<Instant>,
    since: Instant,
}

thread_local! {
    /// That of the call which is being polled, if a guard has one.
    static MARKED: RefCell<Option<Arc<Marked>>> = const { RefCell::new(None) };
}

/// Puts back what was marked before, in a panic too.
struct Restore(Option<Arc<Marked>>);

/// The delays of a policy of retry-policies, for [`Builder::delays`]: any that reqwest-retry takes.
///
/// Such a policy reads the machine's wall clock by itself, and one that ends after a total duration
/// is told how much time has passed by tokio's.
///
/// ```
/// use golive_backoff::{Backoff, delays_from};
/// use reqwest_retry::policies::ExponentialBackoff;
///
/// let policy = ExponentialBackoff::builder().build_with_max_retries(5);
/// let backoff = Backoff::builder()
///     .attempts(6)
///     .delays(delays_from(policy))
///     .build()?;
/// # Ok::<_, golive_backoff::ConfigError>(())
/// ```
pub fn delays_from(
    policy: impl RetryPolicy + Send + Sync + 'static,
) -> impl Fn(u32, Duration) -> Option<Duration> + Send + Sync + 'static {
    move |retries, elapsed| {
        let now = SystemClock.now();
        let started = now.checked_sub(elapsed).unwrap_or(now);
        match policy.should_retry(started, retries) {
            RetryDecision::Retry { execute_after } => {
                Some(execute_after.duration_since(now).unwrap_or_default())
            }
            RetryDecision::DoNotRetry => None,
        }
    }
}

// === impl ReplayGuard ===

impl ReplayGuard {
    /// A guard by the rules of `backoff`.
    #[must_use]
    pub fn new(backoff: &Backoff) -> Self {
        Self(Arc::new(Rules(backoff.rules().clone())))
    }

    /// The strategy that knows this guard, for
    /// `RetryTransientMiddleware::new_with_policy_and_strategy`.
    #[must_use]
    pub fn strategy(&self) -> ReplayStrategy {
        ReplayStrategy(Arc::clone(&self.0))
    }
}

impl face::Middleware for ReplayGuard {
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        req: Request,
        extensions: &'b mut Extensions,
        next: Next<'c>,
    ) -> Handled<'d>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        // What `Middleware` shows of a request has no query, and a redirect may differ by that.
        let marking = Marking {
            rules: Arc::clone(&self.0),
            url: req.url().clone(),
        };
        Box::pin(async move { face::handle(&marking, req, extensions, next).await })
    }
}

impl fmt::Debug for ReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReplayGuard").field(&self.0.0).finish()
    }
}

/// A guard with the URL of one call.
struct Marking {
    rules: Arc<Rules>,
    url: Url,
}

impl Middleware for Marking {
    async fn handle<Req: golive_core::Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        // reqwest-retry, which says nothing of it.
        call.set_retried(true);
        let marked = Arc::new(Marked {
            rules: Arc::clone(&self.rules),
            method: req.method().clone(),
            url: self.url.clone(),
            has_key: call.has_idempotency_key() || self.rules.0.has_key(req.headers()),
            key_expires: call.key_expires().map(Instant::from_std),
            since: Instant::now(),
        });
        let mut sending = pin!(below.send(call, req));
        poll_fn(|cx| {
            let _restore = marked.enter();
            sending.as_mut().poll(cx)
        })
        .await
    }
}

// === impl Marked ===

impl Marked {
    /// Marks this request until what is given is dropped.
    fn enter(self: &Arc<Self>) -> Restore {
        Restore(MARKED.replace(Some(Arc::clone(self))))
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        MARKED.set(self.0.take());
    }
}

// === impl ReplayStrategy ===

impl RetryableStrategy for ReplayStrategy {
    fn handle(&self, result: &Result<Response, Error>) -> Option<Retryable> {
        let marked = MARKED.with_borrow(Option::clone);
        let marked = marked.filter(|marked| Arc::ptr_eq(&marked.rules, &self.0));
        let rules = &self.0.0;
        let outcome = match result {
            Ok(response) => Outcome::Answered(answer(rules, response, marked.as_deref())),
            Err(Error::Reqwest(error)) => Outcome::Failed(rules.classifiers.class(error)),
            Err(error @ Error::Middleware(inner)) => {
                let unsent = caused_by::<WouldWait>(error).is_some()
                    || caused_by::<DeadlineExceeded>(error).is_some();
                Outcome::Failed(if unsent {
                    Class::Unsent
                } else {
                    rules.classifiers.class(inner.as_ref())
                })
            }
        };
        let facts = match &marked {
            Some(marked) => {
                let elapsed = marked.since.elapsed();
                // A key that the server has forgotten makes nothing safe.
                let now = Instant::now();
                let forgets = marked.since + rules.key_window;
                let forgets = marked.key_expires.map_or(forgets, |at| at.min(forgets));
                let left = forgets
                    .checked_duration_since(now)
                    .filter(|left| !left.is_zero());
                let key = left.filter(|_| marked.has_key);
                let mut facts = Facts::new(&marked.method, key, outcome);
                facts.elapsed = elapsed;
                facts
            }
            None => Facts::new(&Method::POST, None, outcome),
        };
        let mut policy = rules.policy.clone();
        // How often is not for us to say.
        policy.attempts = u32::MAX;
        match decide(&policy, &facts) {
            Decision::Retry { .. } => Some(Retryable::Transient),
            Decision::Stop(Stop::Success) => None,
            Decision::Stop(_) => Some(Retryable::Fatal),
        }
    }
}

impl fmt::Debug for ReplayStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReplayStrategy").field(&self.0.0).finish()
    }
}

fn answer(rules: &Builder, response: &Response, marked: Option<&Marked>) -> Answer {
    let (status, headers) = (response.status(), response.headers());
    let mut answer = Answer::read(&rules.hints, status, headers, rules.clock.now());
    answer.redirected = marked.is_none_or(|marked| marked.url != *response.url());
    answer
}
