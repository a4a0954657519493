//! The builder of a [`Verifier`] and its rules.

use std::time::Duration;

use crate::{Key, Verifier};

/// Far above any clock that is wrong; without a bound a typing error would switch the protection off.
const MAX_TOLERANCE: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_KEYS: usize = 8;
const DEFAULT_TOLERANCE: Duration = Duration::from_secs(300);
const DEFAULT_MAX_BODY_BYTES: usize = 1024 * 1024;

/// Gathers the keys and limits of a [`Verifier`]; start with [`Verifier::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifierBuilder {
    keys: Vec<Key>,
    tolerance: Duration,
    max_body_bytes: usize,
}

/// Why a [`Verifier`] was not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no key.
    #[error("a verifier needs at least one key: configure the webhook secret")]
    NoKeys,
    /// There are more than eight keys.
    #[error("{seen} webhook keys are configured, at most 8 are allowed: drop the retired ones")]
    TooManyKeys {
        /// How many keys were given.
        seen: usize,
    },
    /// The tolerance is not a number of whole seconds from one to a day.
    #[error("the tolerance is {seen:?}, it must be whole seconds, from one to a day")]
    Tolerance {
        /// What was given.
        seen: Duration,
    },
    /// The body limit is zero.
    #[error("the body limit is 0 bytes, so that no event could ever be received")]
    MaxBody,
}

// === impl VerifierBuilder ===

impl VerifierBuilder {
    pub(crate) fn new() -> Self {
        Self {
            keys: Vec::new(),
            tolerance: DEFAULT_TOLERANCE,
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
        }
    }

    /// Adds a key. A delivery is accepted if any usable key signed it; put the current secret
    /// first, since keys are tried in order.
    pub fn key(mut self, key: Key) -> Self {
        self.keys.push(key);
        self
    }

    /// Adds several keys, in order.
    pub fn keys(mut self, keys: impl IntoIterator<Item = Key>) -> Self {
        self.keys.extend(keys);
        self
    }

    /// How far `webhook-timestamp` may lie from now, in both directions. Default: 300 seconds,
    /// both ends included.
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The longest body that is verified, in bytes. Default: 1 MiB.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Builds the verifier.
    ///
    /// # Errors
    /// - [`ConfigError::NoKeys`] without a key, [`ConfigError::TooManyKeys`] with more than 8;
    /// - [`ConfigError::Tolerance`] unless whole seconds, from one to a day;
    /// - [`ConfigError::MaxBody`] if the body limit is 0.
    pub fn build(self) -> Result<Verifier, ConfigError> {
        match self.keys.len() {
            0 => return Err(ConfigError::NoKeys),
            seen if seen > MAX_KEYS => return Err(ConfigError::TooManyKeys { seen }),
            _ => {}
        }
        let tolerable = Duration::from_secs(1)..=MAX_TOLERANCE;
        if self.tolerance.subsec_nanos() != 0 || !tolerable.contains(&self.tolerance) {
            return Err(ConfigError::Tolerance {
                seen: self.tolerance,
            });
        }
        if self.max_body_bytes == 0 {
            return Err(ConfigError::MaxBody);
        }
        let keys = self.keys.into_boxed_slice();
        Ok(Verifier::from_parts(
            keys,
            self.tolerance.as_secs(),
            self.max_body_bytes,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_key() -> VerifierBuilder {
        VerifierBuilder::new().key(Key::from_bytes(&[1; 24]).unwrap())
    }

    #[test]
    fn each_rule_of_build_has_its_error() {
        let err = |b: VerifierBuilder| b.build().unwrap_err();
        assert_eq!(err(VerifierBuilder::new()), ConfigError::NoKeys);
        let nine = vec![Key::from_bytes(&[1; 24]).unwrap(); 9];
        assert_eq!(
            err(VerifierBuilder::new().keys(nine)),
            ConfigError::TooManyKeys { seen: 9 }
        );
        for seen in [
            Duration::ZERO,
            Duration::from_millis(500),
            Duration::from_millis(1500),
            MAX_TOLERANCE + Duration::from_secs(1),
            Duration::from_secs(u64::MAX),
        ] {
            assert_eq!(
                err(with_key().tolerance(seen)),
                ConfigError::Tolerance { seen }
            );
        }
        assert_eq!(err(with_key().max_body_bytes(0)), ConfigError::MaxBody);
        assert!(with_key().build().is_ok());
    }
}
