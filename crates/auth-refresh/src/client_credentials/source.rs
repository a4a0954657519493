//! Where the credentials of the next token request come from.

use std::{error::Error, fmt, pin::Pin, sync::Arc};

use golive_core::BoxError;

use super::Credentials;

/// The future of [`CredentialSource::reread`].
pub type Rereading<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Where the credentials of the next token request come from: a secret that rotates, or
/// [`Credentials`] that stay as they are.
///
/// A new secret takes effect without a restart: [`Tokens`](crate::Tokens) asks for the version on
/// every call, and fetches another token in the background when it is another one.
pub trait CredentialSource: Send + Sync + 'static {
    /// A number that changes with the credentials, and only with them. Always 0 if they are fixed.
    ///
    /// It is asked on every call, so it must be wait-free.
    fn version(&self) -> u64;

    /// The credentials to use now, current and previous as one state. It does no I/O.
    ///
    /// # Errors
    /// None are usable now. Then they are [read again](Self::reread), once, before the fetch is
    /// given up.
    fn load(&self) -> Result<CredentialSet, CredentialError>;

    /// Reads the credentials again from where they are kept: the server refused them as unknown
    /// (`invalid_client`), or there are none. What came of it the next [`load`](Self::load) says.
    ///
    /// It is awaited for 3 seconds at most, once in a fetch, and may be dropped at any time.
    /// Default: does nothing.
    fn reread(&self) -> Rereading<'_> {
        Box::pin(std::future::ready(()))
    }
}

/// Current and previous credentials, as one state.
#[derive(Clone, Debug)]
pub struct CredentialSet {
    version: u64,
    current: Credentials,
    previous: Option<Credentials>,
}

/// There are no usable credentials now.
///
/// Its text does not repeat its cause; the cause must not hold a secret, since it is printed by
/// whoever prints the chain of causes.
pub struct CredentialError {
    cause: BoxError,
}

// === impl CredentialSource ===

impl CredentialSource for Credentials {
    fn version(&self) -> u64 {
        0
    }

    fn load(&self) -> Result<CredentialSet, CredentialError> {
        Ok(CredentialSet::new(0, self.clone()))
    }
}

impl<T: CredentialSource + ?Sized> CredentialSource for Arc<T> {
    fn version(&self) -> u64 {
        (**self).version()
    }

    fn load(&self) -> Result<CredentialSet, CredentialError> {
        (**self).load()
    }

    fn reread(&self) -> Rereading<'_> {
        (**self).reread()
    }
}

// === impl CredentialSet ===

impl CredentialSet {
    /// The credentials of this version.
    #[must_use]
    pub fn new(version: u64, current: Credentials) -> Self {
        Self {
            version,
            current,
            previous: None,
        }
    }

    /// Those that were current before, and may still be what the server knows. They are tried only
    /// if the server refuses the current ones as unknown.
    #[must_use]
    pub fn with_previous(mut self, previous: Credentials) -> Self {
        self.previous = Some(previous);
        self
    }

    /// The version they were loaded under.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Those to use.
    #[must_use]
    pub fn current(&self) -> &Credentials {
        &self.current
    }

    /// Those that were current before.
    #[must_use]
    pub fn previous(&self) -> Option<&Credentials> {
        self.previous.as_ref()
    }
}

// === impl CredentialError ===

impl CredentialError {
    /// There are none, and why. `cause` must not hold a secret.
    pub fn new(cause: impl Into<BoxError>) -> Self {
        Self {
            cause: cause.into(),
        }
    }
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there are no usable client credentials now: check where they are kept")
    }
}

impl fmt::Debug for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CredentialError").field(&self.cause).finish()
    }
}

impl Error for CredentialError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.cause.as_ref())
    }
}
