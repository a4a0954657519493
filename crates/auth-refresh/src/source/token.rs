use std::{
    fmt,
    time::{Duration, Instant},
};

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::TokenError;

/// A bearer token as it was issued. `Debug` does not show it.
#[derive(Clone)]
pub struct Token {
    secret: SecretString,
    sent_at: Instant,
    lifetime: Option<Duration>,
    /// That of the credentials it was fetched with, if they were read again on the way.
    version: Option<u64>,
}

impl Token {
    /// A token, when it was **asked for**, and how long it lives from then on.
    ///
    /// The lifetime counts from the request and not from the response: the server began to count
    /// somewhere in between, so a slow answer makes a token seem shorter, never longer. Without a
    /// lifetime the token is used until a 401 says that it is over.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] if it is empty or could not be sent in a header.
    pub fn new(
        secret: impl Into<SecretString>,
        sent_at: Instant,
        lifetime: Option<Duration>,
    ) -> Result<Self, TokenError> {
        let secret = secret.into();
        //= RFC 6749 A.12: access-token = 1*VSCHAR; VSCHAR = %x20-7E
        //= RFC 6750 §2.1: a b64token has no space, and a header would be cut there
        let text = secret.expose_secret();
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(TokenError::Malformed {
                reason: "the access token is empty or has characters that no header may carry",
            });
        }
        Ok(Self {
            secret,
            sent_at,
            lifetime,
            version: None,
        })
    }

    /// When it was asked for.
    #[must_use]
    pub fn sent_at(&self) -> Instant {
        self.sent_at
    }

    /// How long it lives, from [`sent_at`](Self::sent_at) on; `None` if the server did not say.
    #[must_use]
    pub fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    pub(crate) fn with_version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    pub(crate) fn version(&self) -> Option<u64> {
        self.version
    }

    /// `Bearer …`, marked sensitive so that nobody prints it and HTTP/2 does not index it.
    pub(crate) fn to_header(&self) -> Result<HeaderValue, TokenError> {
        let text = format!("Bearer {}", self.secret.expose_secret());
        let mut value = HeaderValue::try_from(text).map_err(|_| TokenError::Malformed {
            reason: "the access token does not fit a header",
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
