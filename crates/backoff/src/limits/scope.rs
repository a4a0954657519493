//! One scope: what its calls share. The fast path is lock-free; the plan behind it has a lock.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    time::Instant,
};

use super::{
    Rules, Token,
    budget::{Bucket, Budget},
    pacer::{Pacer, UNLIMITED},
    state::{ScopeState, WindowState},
    window::Window,
};

/// What the calls to one origin, or to one account of it, share: the retry budget, the pause and
/// the pace. From [`Limits::scope`](super::Limits::scope).
pub struct Scope {
    budget: Bucket,
    pub(super) gate: Gate,
}

/// Lets calls through, now or in their turn.
pub(super) struct Gate {
    counts: Counts,
    /// Whether nothing limits anything, so that nobody counts.
    unlimited: AtomicBool,
    pub(super) waiting: AtomicUsize,
    /// When it was last looked up, in ticks of the map.
    pub(super) used: AtomicU64,
    plan: Mutex<Plan>,
    /// Who holds its one permit is the first in the queue, and alone looks at the clock.
    pub(super) queue: Semaphore,
    /// Wakes the first in the queue.
    pub(super) changed: Notify,
    pub(super) rules: Arc<Rules>,
    /// Whether it learns from answers.
    learns: bool,
}

/// What every counted call writes: on a line of its own, beside what others read.
#[repr(align(64))]
struct Counts {
    /// How many may go without asking. What is below zero counts for nothing.
    free: AtomicI64,
    /// Those that have ended.
    ended: AtomicU64,
}

#[derive(Debug)]
struct Plan {
    pacer: Pacer,
    /// What `free` was set to.
    published: i64,
}

/// A call that may go without asking.
pub(super) enum Free {
    /// Nobody counts.
    Uncounted,
    /// It was counted, after so many others had ended.
    Counted(u64),
}

// === impl Scope ===

impl Scope {
    pub(super) fn new(budget: &Budget, rules: &Arc<Rules>, learns: bool) -> Self {
        let pacer = Pacer::new(rules);
        let free = if learns {
            pacer.free(rules, 0)
        } else {
            UNLIMITED
        };
        Self {
            budget: Bucket::new(budget),
            gate: Gate {
                counts: Counts {
                    free: AtomicI64::new(free),
                    ended: AtomicU64::new(0),
                },
                unlimited: AtomicBool::new(free == UNLIMITED),
                waiting: AtomicUsize::new(0),
                used: AtomicU64::new(0),
                plan: Mutex::new(Plan {
                    pacer,
                    published: free,
                }),
                queue: Semaphore::new(1),
                changed: Notify::new(),
                rules: Arc::clone(rules),
                learns,
            },
        }
    }

    /// Pays into the budget for a call that the server answered.
    pub fn called(&self) {
        self.budget.deposit();
    }

    /// Takes the token for a retry; `None` if there is none left. Dropped, it is given back.
    pub fn withdraw(&self, now: Instant) -> Option<Token<'_>> {
        self.budget.withdraw(now)
    }

    /// How long nothing is sent because somebody was refused. It may become longer, never shorter.
    #[must_use]
    pub fn paused_for(&self, now: Instant) -> Duration {
        if self.gate.is_open() {
            return Duration::ZERO;
        }
        self.gate.plan(|pacer, _| pacer.paused_for(now))
    }

    /// How long until a turn comes if nothing else happens: for the end of the pause, for the pace,
    /// for the reset.
    #[must_use]
    pub fn next_turn_in(&self, now: Instant) -> Duration {
        if self.gate.is_open() {
            return Duration::ZERO;
        }
        self.gate.plan(|pacer, in_flight| {
            let turn = pacer.estimate(&self.gate.rules, now, in_flight, 0);
            turn.saturating_duration_since(now)
        })
    }

    /// What it knows, for tests and dashboards.
    #[must_use]
    pub fn state(&self, now: Instant) -> ScopeState {
        self.gate.plan(|pacer, in_flight| ScopeState {
            retries_left: self.budget.left(now),
            paused_for: pacer.paused_for(now),
            waiting: self.gate.waiting.load(Ordering::Relaxed),
            in_flight,
            windows: pacer
                .windows()
                .map(|window| WindowState {
                    policy: window.policy,
                    limit: window.limit,
                    left: u64::try_from(window.left).unwrap_or(0),
                    ends_in: window.ends_by().saturating_duration_since(now),
                })
                .collect(),
        })
    }

    /// Whether forgetting it would let a call go that must wait.
    pub(super) fn is_paused(&self, now: Instant) -> bool {
        !self.gate.is_open()
            && self.gate.plan(|pacer, _| {
                let closed = pacer.windows().filter_map(Window::closed_until);
                !pacer.paused_for(now).is_zero() || closed.max().is_some_and(|end| now < end)
            })
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

// === impl Gate ===

impl Gate {
    /// Whether nothing limits anything, so that nobody counts.
    pub(super) fn is_unlimited(&self) -> bool {
        self.unlimited.load(Ordering::Relaxed)
    }

    /// Whether a call may go without asking.
    fn is_open(&self) -> bool {
        self.is_unlimited() || self.counts.free.load(Ordering::Relaxed) > 0
    }

    pub(super) fn learns(&self) -> bool {
        self.learns
    }

    /// Lets a call through that need not ask.
    #[inline]
    pub(super) fn try_pass(&self) -> Option<Free> {
        if self.is_unlimited() {
            return Some(Free::Uncounted);
        }
        // Without a look before: then the line would come twice, to be read and to be written.
        let left = self.counts.free.fetch_sub(1, Ordering::Relaxed);
        (left > 0).then(|| Free::Counted(self.ended()))
    }

    /// Takes note that a counted call has ended.
    pub(super) fn end(&self) {
        self.counts.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Those that have ended.
    pub(super) fn ended(&self) -> u64 {
        self.counts.ended.load(Ordering::Relaxed)
    }

    /// Looks at the plan, or changes it; with what is under way.
    pub(super) fn plan<R>(&self, look: impl FnOnce(&mut Pacer, u64) -> R) -> R {
        // A panic elsewhere cannot leave it worse than out of date.
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let Plan { pacer, published } = &mut *plan;
        // From here on everybody asks who is counted.
        let unspent = self.counts.free.swap(0, Ordering::Relaxed);
        let spent = *published - unspent.clamp(0, *published);
        pacer.send(u64::try_from(spent).unwrap_or(0));
        let in_flight = pacer.sent().saturating_sub(self.ended());
        let seen = look(pacer, in_flight);
        // Nobody overtakes those who wait.
        let queued = self.waiting.load(Ordering::Relaxed) > 0;
        *published = match queued {
            _ if !self.learns => UNLIMITED,
            true => 0,
            false => pacer.free(&self.rules, pacer.sent().saturating_sub(self.ended())),
        };
        self.counts.free.store(*published, Ordering::Relaxed);
        let unlimited = *published == UNLIMITED;
        if unlimited != self.is_unlimited() {
            self.unlimited.store(unlimited, Ordering::Relaxed);
        }
        seen
    }
}
