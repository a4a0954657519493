//! The builder of a [`Verifier`] and its rules.

use core::time::Duration;

use golive_sha256_lanes::Kernel;

use crate::{
    Key, Scheme, Verifier,
    keys::Keys,
    limits::{Limits, MAX_KEYS},
    scheme::TimestampIn,
};
#[cfg(feature = "ed25519")]
use crate::{ed25519::PublicKey, limits::MAX_PUBLIC_KEYS};

/// Far above any clock that is wrong; without a bound a typing error would switch the protection off.
const MAX_TOLERANCE: Duration = Duration::from_secs(24 * 60 * 60);

/// From 2001 to 2286.
const TIMESTAMP_DIGITS: usize = 10;

/// Gathers the keys and limits of a [`Verifier`]; start with [`Verifier::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifierBuilder {
    scheme: Scheme,
    keys: Keys,
    tolerance: Option<Duration>,
    limits: Limits,
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
    /// There are more than two public keys.
    #[error(
        "{seen} webhook public keys are configured, at most 2 are allowed: drop the retired ones"
    )]
    TooManyPublicKeys {
        /// How many public keys were given.
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
    /// The list of signatures may not even hold one.
    #[error("the limits of the signature header leave no room for one signature")]
    MaxSignatures,
    /// There is a public key, and the scheme has no signatures to verify with it.
    #[error("a public key was given, but the scheme has no ed25519 signatures")]
    NoAsymmetric,
}

// === impl VerifierBuilder ===

impl VerifierBuilder {
    pub(crate) fn new() -> Self {
        Self {
            scheme: Scheme::default(),
            keys: Keys::default(),
            tolerance: Limits::DEFAULT.tolerance_secs.map(Duration::from_secs),
            limits: Limits::DEFAULT,
        }
    }

    /// How the sender signs. Default: [`Scheme::standard_webhooks`].
    pub fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Adds a key. A delivery is accepted if any usable key signed it; all of them are tried in one
    /// pass, so their order only matters to [`key_index`](crate::Verified::key_index).
    pub fn key(mut self, key: Key) -> Self {
        self.keys.push(key);
        self
    }

    /// Adds several keys, in order.
    pub fn keys(mut self, keys: impl IntoIterator<Item = Key>) -> Self {
        keys.into_iter().for_each(|key| self.keys.push(key));
        self
    }

    /// Adds a public key, for signatures of version `v1a`. It counts as a key like any other, and
    /// there may be two of these: the one in use, and the one before it.
    #[cfg(feature = "ed25519")]
    #[cfg_attr(docsrs, doc(cfg(feature = "ed25519")))]
    pub fn public_key(mut self, key: PublicKey) -> Self {
        self.keys.push_public(key);
        self
    }

    /// How far the timestamp may lie from now, in both directions. Default: 300 seconds, both ends
    /// included.
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// Accepts every timestamp, so that a delivery may be replayed for ever: for backlogs that are
    /// read again, or where the time is judged elsewhere.
    pub fn without_tolerance(mut self) -> Self {
        self.tolerance = None;
        self
    }

    /// The longest body that is verified, in bytes. Default: 1 MiB.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_body_bytes = bytes;
        self
    }

    /// How many signatures of a known version the list may hold. Default: 32.
    ///
    /// Of ed25519 signatures there may be 4, whatever this says: for each public key, each of them
    /// costs tens of microseconds, and a hash of the body of its own.
    pub fn max_signatures(mut self, signatures: usize) -> Self {
        self.limits.max_signatures = signatures;
        self
    }

    /// How long all lines of the signature header may be together, in bytes. Default: 4096. There
    /// may be 4 lines.
    pub fn max_signature_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_signature_bytes = bytes;
        self
    }

    /// Builds the verifier.
    ///
    /// # Errors
    /// - [`ConfigError::NoKeys`] without a key, [`ConfigError::TooManyKeys`] with more than 8,
    ///   [`ConfigError::TooManyPublicKeys`] with more than 2 of those;
    /// - [`ConfigError::Tolerance`] unless whole seconds, from one to a day;
    /// - [`ConfigError::MaxBody`] if the body limit is 0;
    /// - [`ConfigError::MaxSignatures`] if the list has no room for one signature;
    /// - [`ConfigError::NoAsymmetric`] for a public key in a scheme without such signatures.
    pub fn build(mut self) -> Result<Verifier, ConfigError> {
        match self.keys.len() {
            0 => return Err(ConfigError::NoKeys),
            seen if seen > MAX_KEYS => return Err(ConfigError::TooManyKeys { seen }),
            _ => {}
        }
        #[cfg(feature = "ed25519")]
        if self.keys.public_len() > MAX_PUBLIC_KEYS {
            let seen = self.keys.public_len();
            return Err(ConfigError::TooManyPublicKeys { seen });
        }
        let tolerable = Duration::from_secs(1)..=MAX_TOLERANCE;
        if let Some(seen) = self.tolerance
            && (seen.subsec_nanos() != 0 || !tolerable.contains(&seen))
        {
            return Err(ConfigError::Tolerance { seen });
        }
        self.limits.tolerance_secs = self.tolerance.map(|tolerance| tolerance.as_secs());
        if self.limits.max_body_bytes == 0 {
            return Err(ConfigError::MaxBody);
        }
        if self.keys.has_public() && self.scheme.asymmetric.is_none() {
            return Err(ConfigError::NoAsymmetric);
        }
        if self.limits.max_signatures == 0 || self.limits.max_signature_bytes < self.shortest_list()
        {
            return Err(ConfigError::MaxSignatures);
        }
        Ok(Verifier::from_parts(
            self.scheme,
            self.keys,
            self.limits,
            Kernel::detect(),
        ))
    }

    /// The bytes of a list with one signature that some key could have made.
    fn shortest_list(&self) -> usize {
        let signature = match self.scheme.asymmetric {
            #[cfg(feature = "ed25519")]
            Some(label) if !self.keys.has_shared() => label.len() + crate::ed25519::TEXT_BYTES,
            _ => self.scheme.label.len() + self.scheme.encoding.len(),
        };
        match self.scheme.timestamp {
            Some(TimestampIn::List(label)) => label.len() + TIMESTAMP_DIGITS + 1 + signature,
            _ => signature,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

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
        let none = ConfigError::MaxSignatures;
        assert_eq!(err(with_key().max_signatures(0)), none);
        assert_eq!(err(with_key().max_signature_bytes(46)), none);
        assert!(with_key().max_signature_bytes(47).build().is_ok());
    }

    #[cfg(feature = "ed25519")]
    #[test]
    fn a_public_key_needs_a_scheme_that_signs_so() {
        let public = crate::ed25519::SecretKey::from_bytes(&[7; 32])
            .unwrap()
            .public_key();
        let builder = VerifierBuilder::new().public_key(public);
        assert!(builder.clone().build().is_ok());
        let three = (2..5).fold(VerifierBuilder::new(), |builder, seed| {
            let secret = crate::ed25519::SecretKey::from_bytes(&[seed; 32]).unwrap();
            builder.public_key(secret.public_key())
        });
        let too_many = ConfigError::TooManyPublicKeys { seen: 3 };
        assert_eq!(three.build().unwrap_err(), too_many);
        let github = builder.scheme(Scheme::github()).build();
        assert_eq!(github.unwrap_err(), ConfigError::NoAsymmetric);
    }
}
