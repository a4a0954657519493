use std::{error::Error, fmt, sync::Arc, time::Duration};

use golive_core::{Clock, SystemClock};
use http::HeaderName;

use crate::{Backoff, Class, ConfigError, classify::Classifier, policy::Policy};

/// More than this is a mistake, and the history of a call grows with it.
const MAX_ATTEMPTS: u32 = 32;

/// Gives random numbers, uniform over all of `u64`.
pub(crate) type Random = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Sets up a [`Backoff`]; start with [`Backoff::builder`].
#[derive(Clone)]
#[must_use]
pub struct Builder {
    pub(crate) policy: Policy,
    pub(crate) key_headers: Vec<HeaderName>,
    pub(crate) classifier: Option<Classifier>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Random,
}

// === impl Builder ===

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            policy: Policy::default(),
            key_headers: vec![
                HeaderName::from_static("idempotency-key"),
                HeaderName::from_static("x-idempotency-key"),
            ],
            classifier: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(|| fastrand::u64(..)),
        }
    }

    /// Attempts in all, the first one included. Default: 3.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.policy.attempts = attempts;
        self
    }

    /// The longest delay before the first retry; it doubles with each further one. The delay is
    /// drawn evenly between zero and that ("full jitter"). Default: 250 ms.
    pub fn base(mut self, base: Duration) -> Self {
        self.policy.base = base;
        self
    }

    /// The longest delay of our own choice. Default: 8 s.
    pub fn cap(mut self, cap: Duration) -> Self {
        self.policy.cap = cap;
        self
    }

    /// The longest wait that a server may ask for. A longer one ends the retries, and the response
    /// that asks for it is handed on at once. Zero: no wait is granted. Default: 60 s.
    pub fn hint_cap(mut self, hint_cap: Duration) -> Self {
        self.policy.hint_cap = hint_cap;
        self
    }

    /// The time for all attempts and delays of a call: a delay that would outlast it is not begun.
    /// It does not cut an attempt short; give the transport a timeout for that. A deadline of the
    /// call itself ([`Call::deadline`](golive_core::Call::deadline)) holds too; if that has passed
    /// when the call comes, it is not sent at all
    /// ([`DeadlineExceeded`](crate::DeadlineExceeded)). Default: 2 min.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.policy.deadline = deadline;
        self
    }

    /// The headers that make a request safe to repeat, because the server remembers their value.
    /// Default: `Idempotency-Key` and `X-Idempotency-Key`.
    pub fn key_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.key_headers = names.into_iter().collect();
        self
    }

    /// Reads the errors of your own transport, before this crate does. `None` leaves an error to
    /// this crate, which calls everything it does not know [`Class::Ambiguous`].
    ///
    /// [`Class::Connect`] and [`Class::Refused`] must be true: they let a POST without a key be
    /// sent again.
    pub fn classify(
        mut self,
        classify: impl Fn(&(dyn Error + 'static)) -> Option<Class> + Send + Sync + 'static,
    ) -> Self {
        self.classifier = Some(Arc::new(classify));
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

    /// Builds the middleware.
    ///
    /// # Errors
    /// - [`ConfigError::Attempts`] unless there are 1 to 32 attempts;
    /// - [`ConfigError::ZeroBase`] if the base delay is zero;
    /// - [`ConfigError::CapBelowBase`] if the cap is below the base delay;
    /// - [`ConfigError::ZeroDeadline`] if the deadline is zero.
    pub fn build(self) -> Result<Backoff, ConfigError> {
        let Policy {
            attempts,
            base,
            cap,
            deadline,
            ..
        } = self.policy;
        if !(1..=MAX_ATTEMPTS).contains(&attempts) {
            return Err(ConfigError::Attempts { seen: attempts });
        }
        if base.is_zero() {
            return Err(ConfigError::ZeroBase);
        }
        if cap < base {
            return Err(ConfigError::CapBelowBase { base, cap });
        }
        if deadline.is_zero() {
            return Err(ConfigError::ZeroDeadline);
        }
        Ok(Backoff::from_builder(self))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("policy", &self.policy)
            .field("key_headers", &self.key_headers)
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
        assert_eq!(
            error(Builder::new().deadline(zero)),
            Some(ConfigError::ZeroDeadline)
        );
        assert_eq!(error(Builder::new().attempts(32).hint_cap(zero)), None);
    }
}
