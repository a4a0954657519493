//! The builder of a client over reqwest.

use std::{fmt, sync::Arc, time::Duration};

use golive_auth_refresh::{
    AuthRefresh, Tokens,
    client_credentials::{ClientAuth, CredentialSource},
    reqwest::ReqwestSource,
};
use golive_backoff::{Backoff, reqwest_class};
use golive_idempotency::IdempotencyKeys;
use golive_telemetry::{Renewals, Telemetry};
use reqwest::redirect::Policy;

use super::{Client, stack::Settings};
use crate::{ConfigError, Environment};

const TOKEN_PATH: &str = "auth/token";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// Sets up a [`Client`]; start with [`Client::builder`].
#[must_use]
pub struct ClientBuilder {
    environment: Environment,
    credentials: Arc<dyn CredentialSource>,
    token_path: String,
    client_auth: ClientAuth,
    transport: Option<reqwest::ClientBuilder>,
    renewals: Option<Renewals>,
    parts: Settings,
}

// === impl ClientBuilder ===

impl ClientBuilder {
    pub(super) fn new(environment: Environment, credentials: Arc<dyn CredentialSource>) -> Self {
        Self {
            environment,
            credentials,
            token_path: TOKEN_PATH.to_owned(),
            client_auth: ClientAuth::default(),
            transport: None,
            renewals: None,
            parts: Settings::default(),
        }
    }

    /// The time for a call with all its attempts and waits. Default: 60 seconds, at most an hour.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.parts.deadline = deadline;
        self
    }

    /// Traces and measures calls and attempts. Default: neither.
    pub fn telemetry(mut self, telemetry: &Telemetry) -> Self {
        self.parts.telemetry = Some(telemetry.clone());
        self
    }

    /// Counts the renewals of the token. Default: nobody does.
    pub fn renewals(mut self, renewals: Renewals) -> Self {
        self.renewals = Some(renewals);
        self
    }

    /// Mints idempotency keys in another way. Default: [`IdempotencyKeys::new`].
    pub fn keys(mut self, keys: IdempotencyKeys) -> Self {
        self.parts.keys = keys;
        self
    }

    /// Retries in another way. Default: that of [`Backoff::new`], with the deadline of the call,
    /// which knows reqwest's errors ([`reqwest_class`]).
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.parts.backoff = Some(backoff);
        self
    }

    /// Where tokens are, below the base URL. Default: `auth/token`.
    pub fn token_path(mut self, path: impl Into<String>) -> Self {
        self.token_path = path.into();
        self
    }

    /// How the client says who it is when it asks for a token. Default: HTTP Basic.
    pub fn client_auth(mut self, auth: ClientAuth) -> Self {
        self.client_auth = auth;
        self
    }

    /// The transport: your TLS, proxy and timeouts. Whatever it says about redirects, none is
    /// followed: the token, and a POST that was executed, would go along. Nor does it retry by
    /// itself.
    ///
    /// Default: 5 seconds to connect and 20 for an attempt. reqwest speaks `https` only with one of
    /// its TLS features, which are yours to choose in your `Cargo.toml`.
    pub fn transport(mut self, builder: reqwest::ClientBuilder) -> Self {
        self.transport = Some(builder);
        self
    }

    /// Builds the client. Nothing is sent before the first call, which fetches the first token.
    ///
    /// # Errors
    /// - [`ConfigError::ForeignCredentials`] if the credentials are of the other stage;
    /// - [`ConfigError::Auth`] if there is no URL in the path of the tokens;
    /// - [`ConfigError::Deadline`] if that is zero or above an hour;
    /// - [`ConfigError::Transport`] if reqwest cannot build a client.
    pub fn build(self) -> Result<Client, ConfigError> {
        let protocol = self
            .environment
            .token_requests(&self.token_path, self.credentials)?
            .auth(self.client_auth)
            .build()?;
        let transport = self.transport.unwrap_or_else(|| {
            reqwest::Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(ATTEMPT_TIMEOUT)
        });
        let transport = transport
            .redirect(Policy::none())
            // There is one retry, and it is ours.
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| ConfigError::Transport(error.without_url()))?;

        let source = ReqwestSource::with_client(protocol, transport.clone());
        let mut tokens = Tokens::builder(source);
        if let Some(renewals) = self.renewals {
            tokens = tokens.on_renewal(move |result| match result {
                Ok(()) => renewals.renewed(),
                Err(error) => renewals.failed(error.reason()),
            });
        }
        let auth = AuthRefresh::new(tokens.build()?);
        let environment = self.environment.clone();
        let stack = self
            .parts
            .stack(environment, auth, |backoff| backoff.classify(reqwest_class))?;
        let http = reqwest_middleware::ClientBuilder::new(transport).with_arc(Arc::new(stack));
        Ok(Client::from_parts(http.build(), self.environment))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("environment", &self.environment)
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}
