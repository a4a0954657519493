//! The builder of [`SignRequests`] and its rules.

use std::fmt;
use std::sync::Arc;

use golive_core::{BoxError, Clock, SystemClock};

use super::id::{self, Mint};
use super::{SignError, SignRequests};
use crate::Signer;

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
}

/// Why [`SignRequests`] was not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The body limit is zero.
    #[error("the body limit is 0 bytes, so that nothing but an empty body could be signed")]
    MaxBody,
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
    /// [`ConfigError::MaxBody`] if the body limit is 0.
    pub fn build(self) -> Result<SignRequests, ConfigError> {
        match self.settings.max_body_bytes {
            0 => Err(ConfigError::MaxBody),
            _ => Ok(self.unchecked()),
        }
    }

    /// For the defaults, which keep every rule.
    pub(super) fn unchecked(self) -> SignRequests {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    #[test]
    fn each_rule_of_build_has_its_error() {
        let limit = |bytes| {
            let signer = Signer::new(Key::from_bytes(&[1; 32]).unwrap());
            Builder::new(signer).max_body_bytes(bytes).build()
        };
        assert_eq!(limit(0).unwrap_err(), ConfigError::MaxBody);
        assert!(limit(1).is_ok());
    }
}
