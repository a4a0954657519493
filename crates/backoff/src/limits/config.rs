use std::{fmt, hash::Hasher, sync::Arc, time::Duration};

use super::{Budget, Limits, Rules, Target};
use crate::ConfigError;

/// More than this is a mistake: the map is copied whenever a scope is added.
const MAX_SCOPES: usize = 65_536;

/// Adds to what tells one scope from another.
pub(super) type ScopeBy = Arc<dyn Fn(&Target<'_>, &mut dyn Hasher) + Send + Sync>;

/// Sets up [`Limits`]; start with [`Limits::builder`].
#[derive(Clone)]
#[must_use]
pub struct LimitsBuilder {
    pub(super) budget: Budget,
    pub(super) rules: Rules,
    pub(super) max_scopes: usize,
    pub(super) scope_by: Option<ScopeBy>,
}

// === impl LimitsBuilder ===

impl LimitsBuilder {
    pub(super) fn new() -> Self {
        Self {
            budget: Budget::new(),
            rules: Rules {
                hint_cap: Duration::from_secs(60),
                pause_base: Duration::from_millis(250),
                pause_cap: Duration::from_secs(8),
                spread: Duration::from_secs(5),
                probe_wait: Duration::from_secs(1),
                first_at_once: Some(16),
                pacing: true,
                slow_below: 50,
            },
            max_scopes: 1024,
            scope_by: None,
        }
    }

    /// How many retries each scope may send. Default: [`Budget::new`].
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// How many scopes are remembered at once, 1 to 65,536. When there are as many, one that is
    /// neither in use nor paused makes room, the least recently used first. If all are in use or
    /// paused, new ones share one budget, and are neither paused nor paced. Default: 1024.
    pub fn max_scopes(mut self, max_scopes: usize) -> Self {
        self.max_scopes = max_scopes;
        self
    }

    /// What tells one scope from another besides the origin: an account, a tenant, a bucket of
    /// paths. Write it to the hasher; nothing but a hash is kept, with a key of its own for each
    /// `Limits`, so that a credential may be written too. Default: nothing, the origin alone.
    ///
    /// It runs for every request. Write the length of a text or a separator after it, as
    /// [`Hash`](std::hash::Hash) does, so that two texts cannot be mistaken for others.
    ///
    /// ```
    /// use std::hash::Hash;
    ///
    /// use golive_backoff::limits::Limits;
    ///
    /// let limits = Limits::builder()
    ///     .scope_by(|target, mut scope| {
    ///         let account = target.headers.get("x-account-id");
    ///         account.map(|value| value.as_bytes()).hash(&mut scope);
    ///     })
    ///     .build()?;
    /// # Ok::<(), golive_backoff::ConfigError>(())
    /// ```
    pub fn scope_by(
        mut self,
        scope_by: impl Fn(&Target<'_>, &mut dyn Hasher) + Send + Sync + 'static,
    ) -> Self {
        self.scope_by = Some(Arc::new(scope_by));
        self
    }

    /// The longest pause, whatever the server asks for, but for a random part of it. Zero: a
    /// refusal pauses nobody. Default: 60 s.
    pub fn hint_cap(mut self, hint_cap: Duration) -> Self {
        self.rules.hint_cap = hint_cap;
        self
    }

    /// How long a 429 pauses that says of no wait; it doubles with each further one in a row.
    /// More than zero. Default: 250 ms.
    pub fn pause_base(mut self, pause_base: Duration) -> Self {
        self.rules.pause_base = pause_base;
        self
    }

    /// The longest pause after 429s that say of no wait, at least the base. Default: 8 s.
    pub fn pause_cap(mut self, pause_cap: Duration) -> Self {
        self.rules.pause_cap = pause_cap;
        self
    }

    /// The longest time over which those who waited for the end of a pause are let go, one by one,
    /// where no pace is known. It is as long as the pause was, if that is shorter. Zero: all at
    /// once, after the probe. Default: 5 s.
    pub fn spread(mut self, spread: Duration) -> Self {
        self.rules.spread = spread;
        self
    }

    /// After a pause, and after the end of a window that was used up, one call goes first. So long
    /// the others wait for its answer. Zero: they do not. Default: 1 s.
    pub fn probe_wait(mut self, probe_wait: Duration) -> Self {
        self.rules.probe_wait = probe_wait;
        self
    }

    /// How many calls may be under way until the server has answered for the first time: the answer
    /// may tell of a quota that a burst would overstep. The others wait for it, for no longer than
    /// [`probe_wait`](Self::probe_wait) after the first of them came; then any number goes. Who may
    /// not wait so long is not refused, but goes when its time is over. `None`: any number. Default:
    /// 16.
    pub fn first_at_once(mut self, first_at_once: Option<u32>) -> Self {
        self.rules.first_at_once = first_at_once;
        self
    }

    /// Whether to keep to the quota that the server tells of: to slow down before it is used up,
    /// and to send nothing from then to its reset. Default: yes.
    pub fn pacing(mut self, pacing: bool) -> Self {
        self.rules.pacing = pacing;
        self
    }

    /// What part of a quota is spread evenly over the time to its reset, in percent, 0 to 100; what
    /// is above goes at once. Default: 50.
    pub fn slow_below(mut self, percent: u8) -> Self {
        self.rules.slow_below = percent;
        self
    }

    /// Builds the limits.
    ///
    /// # Errors
    /// - [`ConfigError::BudgetPercent`] unless the share is 0 to 100 %;
    /// - [`ConfigError::BudgetReserve`] if the reserve is above 1,000,000;
    /// - [`ConfigError::ZeroRefill`] if the refill is to take no time;
    /// - [`ConfigError::Scopes`] unless there may be 1 to 65,536 scopes;
    /// - [`ConfigError::ZeroPause`] if a 429 without a hint is to pause for no time;
    /// - [`ConfigError::PauseCapBelowBase`] if the longest pause is shorter than the first;
    /// - [`ConfigError::ZeroFirst`] if no call may go before the server has answered one;
    /// - [`ConfigError::SlowBelow`] if more than 100 % of the quota is to be spread.
    pub fn build(self) -> Result<Limits, ConfigError> {
        self.budget.validate()?;
        if !(1..=MAX_SCOPES).contains(&self.max_scopes) {
            let seen = self.max_scopes;
            return Err(ConfigError::Scopes { seen });
        }
        let Rules {
            pause_base: base,
            pause_cap: cap,
            slow_below,
            ..
        } = self.rules;
        if base.is_zero() {
            return Err(ConfigError::ZeroPause);
        }
        if cap < base {
            return Err(ConfigError::PauseCapBelowBase { base, cap });
        }
        if self.rules.first_at_once == Some(0) {
            return Err(ConfigError::ZeroFirst);
        }
        if slow_below > 100 {
            return Err(ConfigError::SlowBelow { seen: slow_below });
        }
        Ok(Limits::from_builder(self))
    }
}

impl fmt::Debug for LimitsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitsBuilder")
            .field("budget", &self.budget)
            .field("rules", &self.rules)
            .field("max_scopes", &self.max_scopes)
            .finish_non_exhaustive()
    }
}
