//! Token handling as it is often written by hand.

use async_trait::async_trait;
use golive::auth_refresh::client_credentials::ClientCredentials;
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderValue};
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next};
use tokio::sync::Mutex;

/// Bounds what a mistake does, so that a run ends.
const RENEWALS: u32 = 8;

/// Fetches tokens with the credentials of the moment, at the wrong moments.
pub(super) struct HomeMadeAuth {
    protocol: ClientCredentials,
    client: reqwest::Client,
    cache: Mutex<Option<HeaderValue>>,
    keeps: bool,
    renewals: u32,
}

impl HomeMadeAuth {
    pub(super) fn a_token_for_each_call(
        protocol: ClientCredentials,
        client: reqwest::Client,
    ) -> Self {
        Self {
            protocol,
            client,
            cache: Mutex::default(),
            keeps: false,
            renewals: 1,
        }
    }

    pub(super) fn renewing_again_and_again(
        protocol: ClientCredentials,
        client: reqwest::Client,
    ) -> Self {
        Self {
            protocol,
            client,
            cache: Mutex::default(),
            keeps: true,
            renewals: RENEWALS,
        }
    }

    /// The token to send; a new one if `rejected` is still the one in the cache.
    async fn token(&self, rejected: Option<&HeaderValue>) -> Result<HeaderValue, Error> {
        if !self.keeps {
            return self.fetch().await;
        }
        let mut cache = self.cache.lock().await;
        match &*cache {
            Some(token) if Some(token) != rejected => Ok(token.clone()),
            _ => {
                let token = self.fetch().await?;
                *cache = Some(token.clone());
                Ok(token)
            }
        }
    }

    async fn fetch(&self) -> Result<HeaderValue, Error> {
        let request = self.protocol.request().map_err(Error::middleware)?;
        let request = Request::try_from(request)?;
        let body = self
            .client
            .execute(request)
            .await?
            .error_for_status()?
            .bytes()
            .await?;
        let answer: serde_json::Value = serde_json::from_slice(&body).map_err(Error::middleware)?;
        let token = answer
            .get("access_token")
            .and_then(serde_json::Value::as_str);
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.unwrap_or_default()))
            .map_err(Error::middleware)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

#[async_trait]
impl Middleware for HomeMadeAuth {
    async fn handle(
        &self,
        req: Request,
        ext: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response, Error> {
        let mut token = self.token(None).await?;
        let mut left = self.renewals;
        loop {
            let Some(mut attempt) = req.try_clone() else {
                return next.run(req, ext).await;
            };
            attempt.headers_mut().insert(AUTHORIZATION, token.clone());
            let response = next.clone().run(attempt, ext).await?;
            if response.status().as_u16() != 401 || left == 0 {
                return Ok(response);
            }
            left -= 1;
            token = self.token(Some(&token)).await?;
        }
    }
}
