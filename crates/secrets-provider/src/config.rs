//! How a handle is set up.

use std::{fmt, sync::Arc, time::Duration};

use golive_core::{Clock, SystemClock};
use tokio::runtime;

use crate::{Handle, Source, policy::Lifetimes, refresher};

const MAX_NAME_BYTES: usize = 2048;
const FRESH_FOR: Duration = Duration::from_secs(5 * 60);
const SHORTEST_FRESH: Duration = Duration::from_secs(1);
const LONGEST_FRESH: Duration = Duration::from_secs(24 * 3600);
const STALE_FOR: Duration = Duration::from_secs(3600);
const LONGEST_STALE: Duration = Duration::from_secs(7 * 24 * 3600);
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_FETCH: Duration = Duration::from_secs(300);

/// Sets up a [`Handle`]; start with [`Handle::builder`].
#[must_use]
pub struct HandleBuilder {
    source: Arc<dyn Source>,
    name: Arc<str>,
    lifetimes: Lifetimes,
    fetch_timeout: Duration,
    clock: Arc<dyn Clock>,
    random: Box<dyn Fn() -> f64 + Send + Sync>,
}

/// Why a handle cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The name is empty or has more than 2048 bytes.
    #[error("the name of a secret has 1 to 2048 bytes, not {bytes}")]
    Name {
        /// How many it has.
        bytes: usize,
    },
    /// A duration is out of its bounds.
    #[error("{setting} must lie between {least:?} and {most:?}, not be {seen:?}")]
    Duration {
        /// The setting.
        setting: &'static str,
        /// Its lower bound.
        least: Duration,
        /// Its upper bound.
        most: Duration,
        /// What it was set to.
        seen: Duration,
    },
    /// There is no tokio runtime.
    #[error("a handle refreshes its secret on a task: build it inside a tokio runtime")]
    NoRuntime,
}

/// What the refresher needs to know.
pub(crate) struct Config {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) name: Arc<str>,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) fetch_timeout: Duration,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Box<dyn Fn() -> f64 + Send + Sync>,
}

// === impl HandleBuilder ===

impl HandleBuilder {
    pub(crate) fn new(source: Arc<dyn Source>, name: &str) -> Self {
        Self {
            source,
            name: name.into(),
            lifetimes: Lifetimes {
                fresh_for: FRESH_FOR,
                stale_for: STALE_FOR,
            },
            fetch_timeout: FETCH_TIMEOUT,
            clock: Arc::new(SystemClock),
            random: Box::new(fastrand::f64),
        }
    }

    /// How long what was fetched counts as fresh; it is fetched again after 70 to 90 % of it, at
    /// random. So long may a rotation go unnoticed. Default: 5 minutes; 1 second to 24 hours.
    pub fn fresh_for(mut self, time: Duration) -> Self {
        self.lifetimes.fresh_for = time;
        self
    }

    /// How long it is served beyond that, while refreshes fail. Default: 1 hour; 0 to 7 days.
    pub fn stale_for(mut self, time: Duration) -> Self {
        self.lifetimes.stale_for = time;
        self
    }

    /// How long one fetch may take, whatever its source does inside. Default: 10 seconds; 1
    /// millisecond to 5 minutes.
    pub fn fetch_timeout(mut self, time: Duration) -> Self {
        self.fetch_timeout = time;
        self
    }

    /// The wall clock that dates [`Health`](crate::Health). Default: that of the machine.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The randomness that spreads refreshes, in 0..1. Default: that of `fastrand`.
    pub fn random(mut self, random: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.random = Box::new(random);
        self
    }

    /// Builds it, and starts to fetch. Await [`Handle::ready`] before the first
    /// [`load`](Handle::load).
    ///
    /// # Errors
    /// - [`ConfigError::Name`] unless the name has 1 to 2048 bytes;
    /// - [`ConfigError::Duration`] for a duration out of the bounds above;
    /// - [`ConfigError::NoRuntime`] outside a tokio runtime. It must have its time driver enabled.
    pub fn build(self) -> Result<Handle, ConfigError> {
        let bytes = self.name.len();
        if !(1..=MAX_NAME_BYTES).contains(&bytes) {
            return Err(ConfigError::Name { bytes });
        }
        let Lifetimes {
            fresh_for,
            stale_for,
        } = self.lifetimes;
        within("fresh_for", fresh_for, SHORTEST_FRESH, LONGEST_FRESH)?;
        within("stale_for", stale_for, Duration::ZERO, LONGEST_STALE)?;
        let least = Duration::from_millis(1);
        within("fetch_timeout", self.fetch_timeout, least, LONGEST_FETCH)?;
        let runtime = runtime::Handle::try_current().map_err(|_| ConfigError::NoRuntime)?;
        let config = Config {
            source: self.source,
            name: self.name,
            lifetimes: self.lifetimes,
            fetch_timeout: self.fetch_timeout,
            clock: self.clock,
            random: self.random,
        };
        Ok(refresher::start(config, &runtime))
    }
}

impl fmt::Debug for HandleBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandleBuilder")
            .field("name", &self.name)
            .field("lifetimes", &self.lifetimes)
            .field("fetch_timeout", &self.fetch_timeout)
            .finish_non_exhaustive()
    }
}

fn within(
    setting: &'static str,
    seen: Duration,
    least: Duration,
    most: Duration,
) -> Result<(), ConfigError> {
    if (least..=most).contains(&seen) {
        return Ok(());
    }
    Err(ConfigError::Duration {
        setting,
        least,
        most,
        seen,
    })
}
