//! The builder of [`SignRequests`] and its rules.

use std::fmt;
use std::sync::Arc;

use golive_core::{BoxError, Clock, SystemClock};

use super::id::{self, Mint};
use super::{SignError, SignRequests};
use crate::{Signer, scheme::TimestampIn};

const DEFAULT_MAX_BODY_BYTES: usize = 1024 * 1024;

/// Sets up [`SignRequests`]; start with [`SignRequests::builder`].
#[derive(Clone)]
#[must_use]
pub struct Builder {
    settings: Settings,
}

/// What [`SignRequests`] goes by.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) signer: Signer,
    pub(super) max_body_bytes: usize,
    pub(super) mints: bool,
    pub(super) mint: Mint,
    pub(super) clock: Arc<dyn Clock>,
    /// Whether the signer has a key that signs in its scheme; known once it is built.
    pub(super) signs: bool,
}

/// Why [`SignRequests`] was not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The body limit is zero.
    #[error("the body limit is 0 bytes, so that nothing but an empty body could be signed")]
    MaxBody,
    /// No key of the signer signs in its scheme.
    #[error(
        "no key of the signer signs in its scheme (ed25519 keys do in Standard Webhooks and Svix \
         alone), so that requests would be sent without a signature"
    )]
    Unsigned,
}

// === impl Builder ===

impl Builder {
    pub(super) fn new(signer: Signer) -> Self {
        Self {
            settings: Settings {
                signer,
                max_body_bytes: DEFAULT_MAX_BODY_BYTES,
                mints: false,
                mint: Arc::new(|| id::random().map_err(Into::into)),
                clock: Arc::new(SystemClock),
                signs: false,
            },
        }
    }

    /// The longest body that is signed, in bytes. Default: 1 MiB, which is also what a
    /// [`Verifier`](crate::Verifier) takes by default. A body that streams is held in memory up to
    /// this.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_body_bytes = bytes;
        self
    }

    /// Mints an id here for a request that has none, instead of refusing it.
    ///
    /// Only where nothing above sends a request again: each attempt would get an id of its own, and
    /// the receiver would take it for another event. Where something does, put
    /// [`message_ids`](SignRequests::message_ids) above it.
    pub fn mint_ids(mut self) -> Self {
        self.settings.mints = true;
        self
    }

    /// Where new ids come from, in a scheme that has them. Default: `msg_` and 128 random bits from
    /// the operating system, in hexadecimal.
    ///
    /// Each call must give an id that was never given before: a receiver drops what carries an id
    /// that it has seen.
    pub fn mint_with(
        mut self,
        mint: impl Fn() -> Result<String, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.settings.mint = Arc::new(mint);
        self
    }

    /// The clock that the timestamps are read from. Default: the machine's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.settings.clock = Arc::new(clock);
        self
    }

    /// Builds the middleware.
    ///
    /// # Errors
    /// - [`ConfigError::MaxBody`] if the body limit is 0;
    /// - [`ConfigError::Unsigned`] if no key of the signer signs in its scheme.
    pub fn build(self) -> Result<SignRequests, ConfigError> {
        if self.settings.max_body_bytes == 0 {
            return Err(ConfigError::MaxBody);
        }
        if !signs(&self.settings.signer) {
            return Err(ConfigError::Unsigned);
        }
        Ok(self.unchecked())
    }

    /// For the defaults, which keep every rule but the one that each request is asked.
    pub(super) fn unchecked(mut self) -> SignRequests {
        self.settings.signs = signs(&self.settings.signer);
        SignRequests::from_settings(self.settings)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Builder").field(&self.settings).finish()
    }
}

// === impl Settings ===

impl Settings {
    /// An id that was never given before.
    pub(super) fn mint(&self) -> Result<String, SignError> {
        let id = (self.mint)().map_err(SignError::Mint)?;
        id::check(id.as_bytes(), self.signer.scheme())?;
        Ok(id)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("signer", &self.signer)
            .field("max_body_bytes", &self.max_body_bytes)
            .field("mints", &self.mints)
            .finish_non_exhaustive()
    }
}

/// Whether there is more in the list of signatures than a time, which some schemes put there.
fn signs(signer: &Signer) -> bool {
    let unsigned = match signer.scheme().timestamp {
        Some(TimestampIn::List(label)) => label.len() + "0".len(),
        _ => 0,
    };
    signer.sign("", 0, b"").len() > unsigned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, Scheme};

    #[test]
    fn each_rule_of_build_has_its_error() {
        let limit = |bytes| {
            let signer = Signer::new(Key::from_bytes(&[1; 32]).unwrap());
            Builder::new(signer).max_body_bytes(bytes).build()
        };
        assert_eq!(limit(0).unwrap_err(), ConfigError::MaxBody);
        assert!(limit(1).is_ok());
    }

    #[test]
    fn whoever_has_a_key_for_the_scheme_signs() {
        for scheme in [Scheme::default(), Scheme::stripe(), Scheme::shopify()] {
            let signer = Signer::new(Key::from_bytes(&[1; 32]).unwrap()).with_scheme(scheme);
            assert!(signs(&signer));
            #[cfg(feature = "ed25519")]
            {
                let key = crate::ed25519::SecretKey::from_bytes(&[1; 32]).unwrap();
                let own = Signer::ed25519(key).with_scheme(signer.scheme().clone());
                let knows = *own.scheme() == Scheme::default();
                assert_eq!(signs(&own), knows);
                assert_eq!(Builder::new(own).build().is_ok(), knows);
            }
        }
    }
}
