//! The renewal: one at a time, on a task of its own.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use http::HeaderValue;
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{sleep, timeout, timeout_at},
};

use crate::{
    AuthError, Tokens,
    bucket::Bucket,
    policy,
    rejections::Rejections,
    source::{Token, TokenError},
    tokens::{Snapshot, now},
};

/// A renewal that is later than its timeout by this much belongs to a runtime that nobody drives
/// any more.
const GRACE: Duration = Duration::from_secs(1);

/// How a renewal ended.
pub(crate) type Landing = Result<Arc<Snapshot>, AuthError>;

/// What is known about renewals; behind a lock that nobody holds across an await.
#[derive(Default)]
pub(crate) struct Renewals {
    pub(crate) rejections: Rejections,
    /// Renewals caused by other credentials.
    changes: Bucket,
    generation: u64,
    started: u64,
    running: Option<Running>,
    failed: Option<Failed>,
}

/// The result of a renewal that is under way, or will be.
pub(crate) struct Waiting {
    landing: watch::Receiver<Option<Landing>>,
    overdue_at: Instant,
}

/// A renewal that is ready to go.
#[must_use]
pub(crate) struct Launch {
    runtime: Handle,
    flight: Flight,
    waiting: Waiting,
}

/// The task. Whatever ends it, those who wait learn it: dropping it lands it.
struct Flight {
    tokens: Tokens,
    id: u64,
    /// That of the source, before the last attempt began.
    version: u64,
    landing: watch::Sender<Option<Landing>>,
    landed: bool,
}

struct Running {
    id: u64,
    landing: watch::Receiver<Option<Landing>>,
    overdue_at: Instant,
}

/// The last renewal failed: until when nobody tries again with these credentials.
struct Failed {
    version: u64,
    in_a_row: u32,
    until: Instant,
    cause: Arc<TokenError>,
}

// === impl Renewals ===

impl Renewals {
    /// The renewal that is under way.
    pub(crate) fn waiting(&self, now: Instant) -> Option<Waiting> {
        let running = self.running.as_ref()?;
        (now < running.overdue_at).then(|| Waiting {
            landing: running.landing.clone(),
            overdue_at: running.overdue_at,
        })
    }

    /// Why no renewal may start now. Other credentials end the pause after a failure, save one that
    /// the server asked for.
    pub(crate) fn paused(&mut self, version: u64, now: Instant) -> Option<AuthError> {
        let failed = self.failed.as_ref()?;
        let left = failed.until.checked_duration_since(now)?;
        if left.is_zero() {
            return None;
        }
        let others = failed.version != version && failed.cause.retry_after().is_none();
        if others && self.changes.take(now) {
            self.failed = None;
            return None;
        }
        Some(AuthError::new(Arc::clone(&failed.cause), Some(left)))
    }

    /// Whether a valid token may be replaced because the credentials are others, and notes that it
    /// is.
    pub(crate) fn may_follow(&mut self, now: Instant) -> bool {
        self.changes.take(now)
    }

    /// Prepares a renewal. There must be none under way.
    pub(crate) fn start(
        &mut self,
        tokens: &Tokens,
        version: u64,
        now: Instant,
    ) -> Result<Launch, AuthError> {
        let runtime = Handle::try_current()
            .map_err(|_| AuthError::new(Arc::new(TokenError::NoRuntime), None))?;
        let (sender, landing) = watch::channel(None);
        self.started += 1;
        let overdue_at = now + tokens.shared().config.timeout + GRACE;
        self.running = Some(Running {
            id: self.started,
            landing: landing.clone(),
            overdue_at,
        });
        let flight = Flight {
            tokens: tokens.clone(),
            id: self.started,
            version,
            landing: sender,
            landed: false,
        };
        let waiting = Waiting {
            landing,
            overdue_at,
        };
        Ok(Launch {
            runtime,
            flight,
            waiting,
        })
    }

    fn succeeded(
        &mut self,
        version: u64,
        header: HeaderValue,
        windows: Option<policy::Windows>,
        at: Instant,
    ) -> Arc<Snapshot> {
        self.failed = None;
        self.generation += 1;
        Arc::new(Snapshot {
            generation: self.generation,
            version,
            header,
            windows,
            received_at: at,
            rejected: AtomicBool::new(false),
            proven: AtomicBool::new(false),
        })
    }

    fn failed(
        &mut self,
        version: u64,
        error: TokenError,
        pause: Duration,
        at: Instant,
    ) -> AuthError {
        let cause = Arc::new(error);
        self.failed = Some(Failed {
            version,
            in_a_row: self.failures() + 1,
            until: at + pause,
            cause: Arc::clone(&cause),
        });
        AuthError::new(cause, Some(pause))
    }

    /// How many renewals have failed in a row.
    fn failures(&self) -> u32 {
        // A bound, so that it never overflows; the pause has reached its cap long before.
        self.failed.as_ref().map_or(0, |f| f.in_a_row.min(1000))
    }
}

// === impl Waiting ===

impl Waiting {
    /// The result, once it is there. `deadline` is that of the caller.
    pub(crate) async fn landing(mut self, deadline: Option<Instant>) -> Landing {
        let landed = self.landing.wait_for(Option::is_some);
        let deadline = deadline.filter(|deadline| *deadline < self.overdue_at);
        match timeout_at(deadline.unwrap_or(self.overdue_at).into(), landed).await {
            Ok(Ok(landing)) => landing.clone().unwrap_or_else(aborted),
            Err(_) if deadline.is_some() => {
                Err(AuthError::new(Arc::new(TokenError::Timeout), None))
            }
            Ok(Err(_)) | Err(_) => aborted(),
        }
    }
}

fn aborted() -> Landing {
    Err(AuthError::new(Arc::new(TokenError::Aborted), None))
}

// === impl Launch ===

impl Launch {
    /// Begins it.
    ///
    /// NOTE: never while the lock is held. A runtime that is shut down drops the task inside
    /// `spawn`, and a task that is dropped lands, which takes the lock.
    pub(crate) fn go(self) -> Waiting {
        self.runtime.spawn(self.flight.run());
        self.waiting
    }
}

// === impl Flight ===

impl Flight {
    async fn run(mut self) {
        let whole = self.tokens.shared().config.timeout;
        let fetched = timeout(whole, self.fetch(now() + whole)).await;
        let random = &self.tokens.shared().config.random;
        let random = [random(), random()];
        self.land(fetched.unwrap_or(Err(TokenError::Timeout)), random);
    }

    /// One token, in as many attempts as are allowed.
    async fn fetch(&mut self, deadline: Instant) -> Result<Token, TokenError> {
        let shared = self.tokens.shared();
        let config = &shared.config;
        let mut made = 0;
        loop {
            self.version = shared.source.version();
            let attempt = timeout(config.attempt_timeout, shared.source.fetch()).await;
            let error = match attempt.unwrap_or(Err(TokenError::Timeout)) {
                Ok(token) => {
                    // Credentials that were read again within the attempt need not be followed once
                    // more. A wrapper may number otherwise than what it wraps, so this has to agree.
                    let version = shared.source.version();
                    if token.version() == Some(version) {
                        self.version = version;
                    }
                    return Ok(token);
                }
                Err(error) => error,
            };
            made += 1;
            let left = deadline.saturating_duration_since(now());
            match policy::next_attempt(&error, made, config.attempts, left, (config.random)()) {
                Some(wait) => sleep(wait).await,
                None => return Err(error),
            }
        }
    }

    fn land(&mut self, result: Result<Token, TokenError>, random: [f64; 2]) {
        self.landed = true;
        let shared = self.tokens.shared();
        let now = now();
        let mut renewals = shared.lock();
        // Given up as overdue: another has taken over, and nobody waits for this one.
        if renewals.running.as_ref().is_none_or(|r| r.id != self.id) {
            return;
        }
        renewals.running = None;
        let landing = match result.and_then(|token| Ok((token.to_header()?, token))) {
            Ok((header, token)) => {
                let (sent_at, lifetime) = (token.sent_at(), token.lifetime());
                let windows = policy::windows(sent_at, now, lifetime, shared.config.leads, random);
                Ok(renewals.succeeded(self.version, header, windows, now))
            }
            Err(error) => {
                // A failure leaves the token alone: it may still be good.
                let pause = policy::pause(&error, renewals.failures() + 1, random[0]);
                Err(renewals.failed(self.version, error, pause, now))
            }
        };
        shared.publish(&mut renewals, &landing);
        // NOTE: inside the lock, so that whoever finds no renewal finds its result.
        self.landing.send_replace(Some(landing.clone()));
        drop(renewals);
        if let Some(observer) = &shared.config.on_renewal {
            let ended = landing.as_ref().map(|_| ()).map_err(AuthError::cause);
            // It has landed, so a panic there keeps nobody waiting. But this may run while the
            // panic of a source unwinds, and a second one that leaves a `drop` ends the process.
            let _ = catch_unwind(AssertUnwindSafe(|| observer(ended)));
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.landed {
            self.land(Err(TokenError::Aborted), [0.5; 2]);
        }
    }
}
