use std::{fmt, sync::Arc, time::Duration};

use golive_core::{Clock, SystemClock, quota::Hints};
use http::{HeaderMap, HeaderName, StatusCode};

use crate::{
    Backoff, Classify, ConfigError, Event, Said,
    body::Look,
    classify::Classifiers,
    limits::Limits,
    observe::Observer,
    policy::{Curve, Jitter, Policy},
};

/// More than this is a mistake, and the history of a call grows with it.
const MAX_ATTEMPTS: u32 = 32;

const MAX_DEADLINE: Duration = Duration::from_secs(24 * 3600);

const MAX_KEY_WINDOW: Duration = Duration::from_secs(366 * 24 * 3600);

/// Of the body of a failure. The errors of providers have a few hundred bytes.
const CLASSIFY_LIMIT: usize = 8 * 1024;

/// Gives random numbers, uniform over all of `u64`.
pub(crate) type Random = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Gives the delay after so many retries and so much time, or says that there are to be no more.
pub(crate) type Source = Arc<dyn Fn(u32, Duration) -> Option<Duration> + Send + Sync>;

/// Sets up a [`Backoff`]; start with [`Backoff::builder`].
#[derive(Clone)]
#[must_use]
pub struct Builder {
    pub(crate) policy: Policy,
    pub(crate) key_headers: Vec<HeaderName>,
    pub(crate) key_window: Duration,
    pub(crate) attempt_header: Option<HeaderName>,
    pub(crate) classifiers: Classifiers,
    pub(crate) look: Look,
    pub(crate) source: Option<Source>,
    pub(crate) hints: Hints,
    pub(crate) limits: Limits,
    pub(crate) observer: Option<Observer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Random,
}

// === impl Builder ===

/// # What may be waited for
impl Builder {
    /// Attempts in all, the first one included. Default: 3.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.policy.attempts = attempts;
        self
    }

    /// The longest delay before the first retry. Default: 250 ms.
    pub fn base(mut self, base: Duration) -> Self {
        self.policy.delays.base = base;
        self
    }

    /// The longest delay of our own choice. Default: 8 s.
    pub fn cap(mut self, cap: Duration) -> Self {
        self.policy.delays.cap = cap;
        self
    }

    /// How the longest delay grows with each retry. Default: it doubles.
    pub fn curve(mut self, curve: Curve) -> Self {
        self.policy.delays.curve = curve;
        self
    }

    /// Where the delay lies below the longest one. Default: anywhere, evenly ("full jitter").
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.policy.delays.jitter = jitter;
        self
    }

    /// Delays from somewhere else than base, cap, curve and jitter: given how many retries there
    /// were, 0 before the first, and how much time has passed since the first attempt; `None` ends
    /// the retries. A wait that the server asks for goes before it. Default: none.
    pub fn delays(
        mut self,
        source: impl Fn(u32, Duration) -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The longest wait that a server may ask for. A longer one ends the retries, and the response
    /// that asks for it is handed on at once. Zero: no wait is granted. Default: 60 s.
    pub fn hint_cap(mut self, hint_cap: Duration) -> Self {
        self.policy.hint_cap = hint_cap;
        self
    }

    /// The time for all attempts and delays of a call: a delay that would outlast it is not begun,
    /// and an attempt that does is cut off ([`AttemptTimeout`](crate::AttemptTimeout)). A deadline
    /// of the call itself ([`Call::deadline`](golive_core::Call::deadline)) holds too; if that has
    /// passed when the call comes, it is not sent at all
    /// ([`DeadlineExceeded`](crate::DeadlineExceeded)). Default: 2 min.
    ///
    /// An attempt lasts until its response begins. The body that follows is the caller's.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.policy.deadline = deadline;
        self
    }

    /// The time for one attempt, if there is as much left of the deadline. Default: none of its own.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.policy.attempt_timeout = Some(timeout);
        self
    }

    /// Gives the last attempt all the time that is left instead of that of one attempt: there is
    /// nothing to save it for. Default: no.
    pub fn patient_last_attempt(mut self) -> Self {
        self.policy.patient_last_attempt = true;
        self
    }

    /// The least time in which an attempt can end: with less than this left, none is made again.
    /// Default: 10 ms.
    pub fn least_attempt(mut self, least: Duration) -> Self {
        self.policy.least_attempt = least;
        self
    }
}

/// # What is safe
impl Builder {
    /// The headers that make a request safe to repeat, because the server remembers their value.
    /// Default: `Idempotency-Key` and `X-Idempotency-Key`.
    pub fn key_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.key_headers = names.into_iter().collect();
        self
    }

    /// How long the server remembers a key, counted from its first use: that of this call, unless
    /// [`Call::key_expires`](golive_core::Call::key_expires) knows of an earlier one. A retry that
    /// would come later is not made. Default: 24 hours.
    pub fn key_window(mut self, window: Duration) -> Self {
        self.key_window = window;
        self
    }

    /// Reads the errors of your own transport, before this crate does. May be given several times:
    /// the first who knows an error decides. What nobody knows is
    /// [`Class::Ambiguous`](crate::Class::Ambiguous).
    ///
    /// [`Class::Connect`](crate::Class::Connect) and [`Class::Refused`](crate::Class::Refused) must
    /// be true: they let a POST without a key be sent again.
    pub fn classify(mut self, classify: impl Classify) -> Self {
        self.classifiers.push(classify);
        self
    }

    /// Reads the bodies of failures, up to 8 KiB of each: [`insufficient_quota`](crate::insufficient_quota)
    /// is one who does. `None` leaves it to the status. Default: bodies are not looked at.
    ///
    /// The time that the body takes belongs to the attempt: one that stalls is a timeout, whatever
    /// the status was. Give attempts a time of their own ([`attempt_timeout`](Self::attempt_timeout)),
    /// or it takes all that is left.
    pub fn classify_body(
        mut self,
        classify: impl Fn(StatusCode, &HeaderMap, &[u8]) -> Option<Said> + Send + Sync + 'static,
    ) -> Self {
        self.look.classifier = Some(Arc::new(classify));
        self.look.classify_limit = CLASSIFY_LIMIT;
        self
    }

    /// Reads the bodies of successes within the attempt, so that one which breaks off is a failed
    /// attempt, and the request is sent again if that is safe. A body above `limit` bytes is handed
    /// on after so many of them, and may break off later. Default: 0, bodies are the caller's.
    ///
    /// At most `limit` bytes and one frame of each call are held in memory.
    pub fn read_bodies(mut self, limit: usize) -> Self {
        self.look.read_limit = limit;
        self
    }
}

/// # What all calls share
impl Builder {
    /// Which headers say how long to wait, what is left of a quota, and whether to retry at all.
    /// Default: all that are known.
    pub fn hints(mut self, hints: Hints) -> Self {
        self.hints = hints;
        self
    }

    /// Shares the budget, the pauses and the pace with whoever else has these limits. Default:
    /// limits of its own, which all clones of this `Backoff` share.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The longest wait for a turn, when the origin is paused or its quota runs out: a call that
    /// would wait longer is not sent, but fails at once with [`WouldWait`](crate::limits::WouldWait), or
    /// is handed the answer that refused it. Zero never waits. Default: as long as the deadline
    /// allows.
    pub fn max_wait(mut self, max_wait: Duration) -> Self {
        self.policy.max_wait = Some(max_wait);
        self
    }
}

/// # What is told
impl Builder {
    /// A header by which the server sees how often the request was sent before: absent on the first
    /// attempt, then `1`, `2`, … Default: none is sent.
    pub fn attempt_header(mut self, name: HeaderName) -> Self {
        self.attempt_header = Some(name);
        self
    }

    /// Is told of every attempt that fails, and of every one that is not sent since its turn would
    /// come too late, before the delay that follows. It runs
    /// within the call: it must not block, and must not panic. Default: nobody.
    pub fn observe(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The wall clock by which a date in a response is measured if the response has no `Date`.
    /// Default: the machine's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where the jitter comes from: numbers uniform over all of `u64`. Default: a generator per
    /// thread, each with a seed of its own.
    pub fn random(mut self, random: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.random = Arc::new(random);
        self
    }
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            policy: Policy::default(),
            key_headers: vec![
                HeaderName::from_static("idempotency-key"),
                HeaderName::from_static("x-idempotency-key"),
            ],
            key_window: Duration::from_secs(24 * 3600),
            attempt_header: None,
            classifiers: Classifiers::default(),
            look: Look::default(),
            source: None,
            hints: Hints::default(),
            limits: Limits::new(),
            observer: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(|| fastrand::u64(..)),
        }
    }

    /// Builds the middleware.
    ///
    /// # Errors
    /// - [`ConfigError::Attempts`] unless there are 1 to 32 attempts;
    /// - [`ConfigError::ZeroBase`] if the base delay is zero;
    /// - [`ConfigError::CapBelowBase`] if the cap is below the base delay;
    /// - [`ConfigError::Deadline`] if the deadline is zero or above a day;
    /// - [`ConfigError::ZeroAttemptTimeout`] if the time for one attempt is zero;
    /// - [`ConfigError::KeyWindow`] if the window of keys is zero or above a year.
    pub fn build(self) -> Result<Backoff, ConfigError> {
        let Policy {
            attempts,
            ref delays,
            deadline,
            attempt_timeout,
            ..
        } = self.policy;
        if !(1..=MAX_ATTEMPTS).contains(&attempts) {
            return Err(ConfigError::Attempts { seen: attempts });
        }
        if delays.base.is_zero() {
            return Err(ConfigError::ZeroBase);
        }
        if delays.cap < delays.base {
            return Err(ConfigError::CapBelowBase {
                base: delays.base,
                cap: delays.cap,
            });
        }
        if deadline.is_zero() || deadline > MAX_DEADLINE {
            return Err(ConfigError::Deadline { seen: deadline });
        }
        if attempt_timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(ConfigError::ZeroAttemptTimeout);
        }
        if self.key_window.is_zero() || self.key_window > MAX_KEY_WINDOW {
            return Err(ConfigError::KeyWindow);
        }
        Ok(Backoff::from_builder(self))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("policy", &self.policy)
            .field("key_headers", &self.key_headers)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_of_build_has_its_error() {
        let error = |builder: Builder| builder.build().err();
        for seen in [0, 33] {
            let expected = Some(ConfigError::Attempts { seen });
            assert_eq!(error(Builder::new().attempts(seen)), expected);
        }
        let zero = Duration::ZERO;
        assert_eq!(
            error(Builder::new().base(zero)),
            Some(ConfigError::ZeroBase)
        );
        let (base, cap) = (Duration::from_secs(2), Duration::from_secs(1));
        assert_eq!(
            error(Builder::new().base(base).cap(cap)),
            Some(ConfigError::CapBelowBase { base, cap })
        );
        for seen in [zero, MAX_DEADLINE + Duration::from_nanos(1)] {
            let expected = Some(ConfigError::Deadline { seen });
            assert_eq!(error(Builder::new().deadline(seen)), expected);
        }
        assert_eq!(
            error(Builder::new().attempt_timeout(zero)),
            Some(ConfigError::ZeroAttemptTimeout)
        );
        for window in [zero, MAX_KEY_WINDOW + Duration::from_nanos(1)] {
            let expected = Some(ConfigError::KeyWindow);
            assert_eq!(error(Builder::new().key_window(window)), expected);
        }
        let all = Builder::new().attempts(32).hint_cap(zero).max_wait(zero);
        assert_eq!(error(all), None);
    }
}
