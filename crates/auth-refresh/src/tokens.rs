use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use tokio::time::timeout;

use crate::{
    AuthError, TokensBuilder,
    config::TokensConfig,
    flight::{Landing, Renewals, Waiting},
    policy::{self, State, Windows},
    source::TokenSource,
};

/// A token, cached and kept fresh; its copies share it.
///
/// Reading it is wait-free as long as the token is fresh. A renewal runs on a task of its own, once
/// for all that wait for it, and goes on if they leave.
#[derive(Clone)]
pub struct Tokens(Arc<Shared>);

/// One token in use. A newer one has a higher generation.
pub(crate) struct Snapshot {
    pub(crate) generation: u64,
    /// That of the source, noted before the fetch began. If it changes meanwhile, one fetch more is
    /// the price for never missing a change.
    pub(crate) version: u64,
    /// Ready to be attached: a clone is a handle on the same bytes.
    pub(crate) header: HeaderValue,
    pub(crate) windows: Option<Windows>,
    pub(crate) received_at: Instant,
    /// The server said that it is over.
    pub(crate) rejected: AtomicBool,
    /// The server has accepted it at least once.
    pub(crate) proven: AtomicBool,
}

/// What comes of a token that was refused as expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// There is a newer one, or there will be.
    Replaced,
    /// It may not be renewed now.
    Kept,
}

pub(crate) struct Shared {
    pub(crate) current: ArcSwapOption<Snapshot>,
    pub(crate) source: Box<dyn TokenSource>,
    pub(crate) config: TokensConfig,
    renewals: Mutex<Renewals>,
}

/// What a caller that needs a newer token finds behind the lock.
enum Joined {
    Token(Arc<Snapshot>),
    Flight(Waiting),
    Paused(AuthError),
}

// === impl Tokens ===

impl Tokens {
    /// Caches the tokens of `source`, with the defaults of [`TokensBuilder`].
    #[must_use]
    pub fn new(source: impl TokenSource) -> Self {
        Self::from_parts(Box::new(source), TokensConfig::default())
    }

    /// Caches the tokens of `source`, as the builder is told.
    pub fn builder(source: impl TokenSource) -> TokensBuilder {
        TokensBuilder::new(Box::new(source))
    }

    /// The value of `Authorization` to be sent now, marked sensitive; for connections that no
    /// middleware sees, such as a WebSocket. Fetches a token if there is none.
    ///
    /// Must be called inside a tokio runtime with time enabled. May be dropped at any time.
    ///
    /// # Errors
    /// There is no usable token and none could be fetched.
    pub async fn authorization(&self) -> Result<HeaderValue, AuthError> {
        Ok(self.usable(None).await?.header.clone())
    }

    pub(crate) fn from_parts(source: Box<dyn TokenSource>, config: TokensConfig) -> Self {
        Self(Arc::new(Shared {
            current: ArcSwapOption::empty(),
            source,
            config,
            renewals: Mutex::default(),
        }))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }

    /// A token to be sent now. Nobody waits for one beyond `deadline`.
    pub(crate) async fn usable(
        &self,
        deadline: Option<Instant>,
    ) -> Result<Arc<Snapshot>, AuthError> {
        let now = now();
        let version = self.0.source.version();
        let held = self.0.current.load_full();
        match held {
            Some(held) if held.state(version, now) == State::Fresh => Ok(held),
            Some(held) if held.state(version, now) == State::Advisory => {
                self.renew_in_background(version, now);
                Ok(held)
            }
            // Boxed: the fast path does not carry the future of the slow one.
            held => Box::pin(self.renewed(held, version, now, deadline)).await,
        }
    }

    /// The server refused `sent` as expired: it is not sent again, and a newer one is fetched, if
    /// there is none yet. A newer one than `sent` stays.
    pub(crate) fn reject(&self, sent: &Snapshot) -> Rejected {
        let now = now();
        let version = self.0.source.version();
        let mut renewals = self.0.lock();
        let current = self.0.current.load();
        let current = match &*current {
            Some(current) if current.generation == sent.generation => current,
            _ => return Rejected::Replaced,
        };
        let mut launch = None;
        if renewals.waiting(now).is_none() {
            if renewals.paused(version, now).is_some() {
                return Rejected::Kept;
            }
            // Only the first of many late refusals comes here: the others find it renewed, or on
            // the way.
            let proven = current.proven.load(Ordering::Relaxed);
            if !renewals
                .rejections
                .may_renew(proven, current.received_at, now)
            {
                return Rejected::Kept;
            }
            match renewals.start(self, version, now) {
                Ok(ready) => launch = Some(ready),
                Err(_) => return Rejected::Kept,
            }
        }
        current.rejected.store(true, Ordering::Release);
        drop(renewals);
        if let Some(launch) = launch {
            launch.go();
        }
        Rejected::Replaced
    }

    /// Waits for a newer token than `held`, and makes do with `held` if there is none.
    async fn renewed(
        &self,
        held: Option<Arc<Snapshot>>,
        version: u64,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<Arc<Snapshot>, AuthError> {
        let held = held.filter(|held| held.state(version, now) == State::Mandatory);
        let waiting = match self.join(version, now) {
            Joined::Token(token) => return Ok(token),
            Joined::Paused(error) => return held.ok_or(error),
            Joined::Flight(waiting) => waiting,
        };
        let Some(held) = held else {
            return waiting.landing(deadline).await;
        };
        // A token endpoint that hangs must not hold up those who still have a token; half of what
        // is left is for the call itself.
        let ends = [held.windows.map(|w| w.expires_at), deadline];
        let left = ends
            .into_iter()
            .flatten()
            .map(|end| end.saturating_duration_since(now))
            .min()
            .unwrap_or_default();
        match timeout(left / 2, waiting.landing(None)).await {
            Ok(Ok(token)) => Ok(token),
            Ok(Err(_)) | Err(_) => Ok(held),
        }
    }

    fn join(&self, version: u64, now: Instant) -> Joined {
        let mut renewals = self.0.lock();
        // Somebody may have been faster: without this, all that waited for the lock would fetch.
        if let Some(current) = self.0.current.load_full()
            && current.state(version, now) <= State::Advisory
        {
            return Joined::Token(current);
        }
        if let Some(waiting) = renewals.waiting(now) {
            return Joined::Flight(waiting);
        }
        if let Some(error) = renewals.paused(version, now) {
            return Joined::Paused(error);
        }
        let launch = renewals.start(self, version, now);
        drop(renewals);
        match launch {
            Ok(launch) => Joined::Flight(launch.go()),
            Err(error) => Joined::Paused(error),
        }
    }

    fn renew_in_background(&self, version: u64, now: Instant) {
        // Whoever holds the lock is seeing to it.
        let mut renewals = match self.0.renewals.try_lock() {
            Ok(renewals) => renewals,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        // Another caller may have seen the end of the renewal already.
        let current = self.0.current.load();
        let due = current
            .as_ref()
            .is_none_or(|c| c.state(version, now) > State::Fresh);
        if !due || renewals.waiting(now).is_some() || renewals.paused(version, now).is_some() {
            return;
        }
        // Only the credentials are others. A source whose version never rests must not cost a
        // token request for each call.
        let by_clock = current.as_ref().is_none_or(|c| c.aged(now) > State::Fresh);
        if !by_clock && !renewals.may_follow(now) {
            return;
        }
        let launch = renewals.start(self, version, now);
        drop(renewals);
        // Without a runtime there is no renewal; the caller has a token all the same.
        if let Ok(launch) = launch {
            launch.go();
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("current", &self.0.current.load().as_deref())
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Renewals> {
        // Nothing is half-written where a panic is possible: the source is never called here.
        self.renewals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A renewal has ended: `landing` is what all that waited get.
    pub(crate) fn publish(&self, renewals: &mut Renewals, landing: &Landing) {
        let Ok(snapshot) = landing else { return };
        let before = self.current.swap(Some(Arc::clone(snapshot)));
        if before.is_some_and(|b| b.proven() && !b.rejected.load(Ordering::Acquire)) {
            renewals.rejections.forgive();
        }
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// What it is good for now that the source has this version. With other credentials it is
    /// still valid, but a renewal shows at once whether they work.
    pub(crate) fn state(&self, version: u64, now: Instant) -> State {
        let aged = self.aged(now);
        if self.version == version {
            aged
        } else {
            aged.max(State::Advisory)
        }
    }

    /// What it is good for, by the clock and the server alone.
    fn aged(&self, now: Instant) -> State {
        if self.rejected.load(Ordering::Acquire) {
            return State::Expired;
        }
        policy::state(self.windows.as_ref(), now)
    }

    /// Notes that the server has accepted it.
    pub(crate) fn prove(&self) {
        // Read first: a write would take the cache line from every other core, on every call.
        if !self.proven() {
            self.proven.store(true, Ordering::Relaxed);
        }
    }

    fn proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("generation", &self.generation)
            .field("version", &self.version)
            .field("windows", &self.windows)
            .field("rejected", &self.rejected)
            .finish_non_exhaustive()
    }
}

/// The monotonic clock, which a test can pause.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;
    use crate::source::{Fetching, Token};

    struct Counted(Arc<AtomicU32>);

    impl TokenSource for Counted {
        fn fetch(&self) -> Fetching<'_> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Token::new("t", now(), None) })
        }
    }

    // What a caller does that saw an old token, and got the lock after the renewal had landed: no
    // test from outside meets that moment for sure.
    #[tokio::test(start_paused = true)]
    async fn who_comes_to_the_lock_too_late_takes_what_the_others_fetched() {
        let fetches = Arc::default();
        let tokens = Tokens::new(Counted(Arc::clone(&fetches)));
        tokens.authorization().await.unwrap();
        assert!(matches!(tokens.join(0, now()), Joined::Token(_)));
        tokens.renew_in_background(0, now());
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }
}
