//! What calls share: the retry budget, the pause after a refusal, and the pace of the quota.

mod budget;
mod config;
mod learned;
mod pacer;
mod pause;
mod scope;
mod scopes;
mod state;
#[cfg(test)]
mod tests;
mod turn;
mod window;

use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

use golive_core::{Origin, Request, quota::Quota};
use http::{HeaderMap, Method};
use tokio::time::Instant;

use self::scopes::Scopes;
pub use self::{
    budget::{Budget, Token},
    config::LimitsBuilder,
    scope::Scope,
    state::{ScopeState, WindowState},
    turn::{Answer, Turn, WouldWait},
};

/// What all calls to one origin share, for any number of origins: a retry [`Budget`], a pause after
/// a refusal, and the pace of the server's quota.
///
/// Cheap to clone, and the clones are one: give the same to every client that uses the same
/// account.
#[derive(Clone)]
pub struct Limits(Arc<Shared>);

/// What a scope can be told by: see [`LimitsBuilder::scope_by`].
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Target<'a> {
    /// The method.
    pub method: &'a Method,
    /// Where the request goes; `None` if it does not say so itself.
    pub origin: Option<Origin<'a>>,
    /// The path, percent-encoded, without the query.
    pub path: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
}

impl fmt::Debug for Target<'_> {
    // Never the headers: there is a credential among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("method", &self.method)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

struct Shared {
    scopes: Scopes,
    hasher: RandomState,
    scope_by: Option<config::ScopeBy>,
    budget: Budget,
    rules: Arc<Rules>,
}

/// What was configured of pause and pace.
#[derive(Clone, Debug)]
struct Rules {
    hint_cap: Duration,
    pause_base: Duration,
    pause_cap: Duration,
    spread: Duration,
    probe_wait: Duration,
    first_at_once: Option<u32>,
    pacing: bool,
    /// In percent of the limit.
    slow_below: u8,
}

// === impl Limits ===

impl Limits {
    /// The defaults of the [builder](Self::builder).
    #[must_use]
    pub fn new() -> Self {
        Self::from_builder(LimitsBuilder::new())
    }

    /// Sets up something else than the defaults.
    pub fn builder() -> LimitsBuilder {
        LimitsBuilder::new()
    }

    /// The scope of a request: the one of its origin and of what
    /// [`scope_by`](LimitsBuilder::scope_by) adds. Requests that do not say where they go have one
    /// together. Allocates only when it is seen for the first time.
    ///
    /// For a dashboard, any request to the origin will do, of reqwest's users too:
    ///
    /// ```
    /// use golive_backoff::Backoff;
    /// use tokio::time::Instant;
    ///
    /// let backoff = Backoff::new();
    /// let request = http::Request::get("https://api.example.com/").body(String::new())?;
    /// let now = Instant::now();
    /// let state = backoff.limits().scope(&request, now).state(now);
    /// assert_eq!(state.retries_left, Some(100.0));
    /// assert!(state.paused_for.is_zero() && state.windows.is_empty());
    /// # Ok::<_, http::Error>(())
    /// ```
    #[must_use]
    pub fn scope<R: Request>(&self, request: &R, now: Instant) -> Arc<Scope> {
        self.scope_of(
            &Target {
                method: request.method(),
                origin: request.origin(),
                path: request.path(),
                headers: request.headers(),
            },
            now,
        )
    }

    /// How many scopes are known.
    #[must_use]
    pub fn scopes(&self) -> usize {
        self.0.scopes.len()
    }

    // NOTE: the builder was validated, or is the default.
    fn from_builder(builder: LimitsBuilder) -> Self {
        let LimitsBuilder {
            budget,
            rules,
            max_scopes,
            scope_by,
        } = builder;
        let rules = Arc::new(rules);
        // Of strangers who share it, one must not pause the others.
        let overflow = Scope::new(&budget, &rules, false);
        Self(Arc::new(Shared {
            scopes: Scopes::new(max_scopes, overflow),
            hasher: RandomState::new(),
            scope_by,
            budget,
            rules,
        }))
    }

    fn scope_of(&self, target: &Target<'_>, now: Instant) -> Arc<Scope> {
        let Shared {
            scopes,
            hasher,
            scope_by,
            budget,
            rules,
        } = &*self.0;
        let mut state = hasher.build_hasher();
        if let Some(origin) = &target.origin {
            origin.hash(&mut state);
        }
        if let Some(scope_by) = scope_by {
            scope_by(target, &mut state);
        }
        scopes.find_or_add(state.finish(), now, || Scope::new(budget, rules, true))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("budget", &self.0.budget)
            .field("rules", &self.0.rules)
            .field("scopes", &self.scopes())
            .finish_non_exhaustive()
    }
}

/// A century after, at the most: no time that overflows.
fn later(now: Instant, by: Duration) -> Instant {
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    now + by.min(LONGEST)
}
