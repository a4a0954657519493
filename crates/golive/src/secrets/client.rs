//! Client credentials that are kept as a secret.

use std::sync::Arc;

use golive_auth_refresh::{
    ConfigError,
    client_credentials::{
        CredentialError, CredentialSet, CredentialSource, Credentials, Rereading,
    },
};
use golive_secrets_provider::{FieldError, Handle, SecretError, Version};
use secrecy::ExposeSecret as _;

use crate::{Environment, ForeignCredentials};

const CLIENT_ID: &str = "client_id";
const CLIENT_SECRET: &str = "client_secret";

/// Client credentials from a secret: the JSON object
/// `{"client_id": "…", "client_secret": "…"}`.
///
/// A rotation takes effect at once: the token is renewed in the background with the new pair, and
/// a provider that does not know it yet is asked with the previous one.
#[derive(Clone, Debug)]
pub struct ClientSecret {
    handle: Handle,
    id: Arc<str>,
    secret: Arc<str>,
}

/// Why a secret gives no client credentials. It repeats nothing of the secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// There is no secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// It is not the JSON object that was expected.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The id or the secret in it cannot be used.
    #[error(transparent)]
    Credentials(#[from] ConfigError),
}

/// Credentials that were checked against their environment, whenever they change.
pub(crate) struct Admitted<S> {
    environment: Environment,
    source: S,
}

// === impl ClientSecret ===

impl ClientSecret {
    /// Reads the fields `client_id` and `client_secret`.
    ///
    /// Await [`Handle::ready`] first: then a secret that cannot be used is noticed when the client
    /// is built, and not by its first call.
    #[must_use]
    pub fn new(handle: Handle) -> Self {
        Self {
            handle,
            id: CLIENT_ID.into(),
            secret: CLIENT_SECRET.into(),
        }
    }

    /// Reads fields of other names.
    #[must_use]
    pub fn with_fields(mut self, client_id: &str, client_secret: &str) -> Self {
        self.id = client_id.into();
        self.secret = client_secret.into();
        self
    }

    fn read(&self, version: &Version) -> Result<Credentials, Unusable> {
        let value = version.value();
        let id = value.field(&self.id)?;
        let secret = value.field(&self.secret)?;
        Ok(Credentials::new(id.expose_secret(), secret)?)
    }

    fn read_set(&self) -> Result<CredentialSet, Unusable> {
        let loaded = self.handle.load()?;
        let set = CredentialSet::new(loaded.generation(), self.read(loaded.current())?);
        // What was before may have had another form; the current one is what counts.
        match loaded.previous().map(|previous| self.read(previous)) {
            Some(Ok(previous)) => Ok(set.with_previous(previous)),
            Some(Err(_)) | None => Ok(set),
        }
    }
}

impl CredentialSource for ClientSecret {
    fn version(&self) -> u64 {
        // Generations count from 1.
        self.handle.load().map_or(0, |loaded| loaded.generation())
    }

    fn load(&self) -> Result<CredentialSet, CredentialError> {
        self.read_set().map_err(CredentialError::new)
    }

    fn reread(&self) -> Rereading<'_> {
        Box::pin(async {
            // What came of it the next `load` says. The first fetch is as good as another one.
            let _ = match self.handle.load() {
                Err(SecretError::NotYet { .. }) => self.handle.ready().await,
                _ => self.handle.refresh().await,
            };
        })
    }
}

// === impl Admitted ===

impl<S: CredentialSource> Admitted<S> {
    pub(crate) fn new(environment: Environment, source: S) -> Self {
        Self {
            environment,
            source,
        }
    }

    /// Refuses credentials of the other stage. That there are none yet is no reason to refuse.
    pub(crate) fn check(&self) -> Result<(), ForeignCredentials> {
        match self.source.load() {
            Ok(set) => self.admits(set.current()),
            Err(_) => Ok(()),
        }
    }

    fn admits(&self, credentials: &Credentials) -> Result<(), ForeignCredentials> {
        self.environment.admits(credentials.client_id())?;
        self.environment
            .admits(credentials.secret().expose_secret())
    }
}

impl<S: CredentialSource> CredentialSource for Admitted<S> {
    fn version(&self) -> u64 {
        self.source.version()
    }

    fn load(&self) -> Result<CredentialSet, CredentialError> {
        let set = self.source.load()?;
        self.admits(set.current()).map_err(CredentialError::new)?;
        match set.previous() {
            Some(previous) if self.admits(previous).is_err() => {
                Ok(CredentialSet::new(set.version(), set.current().clone()))
            }
            _ => Ok(set),
        }
    }

    fn reread(&self) -> Rereading<'_> {
        self.source.reread()
    }
}
