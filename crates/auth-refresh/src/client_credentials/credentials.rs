use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::ConfigError;

/// A client id and its secret. `Debug` shows neither.
#[derive(Clone)]
pub struct Credentials {
    client_id: String,
    client_secret: SecretString,
}

impl Credentials {
    /// Takes a pair as the provider issued it.
    ///
    /// # Errors
    /// [`ConfigError::EmptyCredentials`] if either is empty, which is what an unset variable looks
    /// like.
    pub fn new(
        client_id: impl Into<String>,
        client_secret: impl Into<SecretString>,
    ) -> Result<Self, ConfigError> {
        let (client_id, client_secret) = (client_id.into(), client_secret.into());
        if client_id.is_empty() || client_secret.expose_secret().is_empty() {
            return Err(ConfigError::EmptyCredentials);
        }
        Ok(Self {
            client_id,
            client_secret,
        })
    }

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The secret, for instance to check that it belongs where it is about to be sent.
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        &self.client_secret
    }

    pub(super) fn client_secret(&self) -> &str {
        self.client_secret.expose_secret()
    }

    /// Whether they are the same. Both are ours, so nobody learns anything from how long it takes.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.client_id == other.client_id && self.client_secret() == other.client_secret()
    }

    /// Whether a text of the server holds one of the two, or is a part of one.
    pub(super) fn overlap(&self, text: &str) -> bool {
        let mut both = [self.client_id(), self.client_secret()].into_iter();
        both.any(|own| text.contains(own) || own.contains(text))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The id is half of the login, and tells an attacker which half is missing.
        f.write_str("Credentials([redacted])")
    }
}
