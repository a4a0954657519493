//! The wrong parts: each is a small middleware of the kind that people write.

use std::time::Duration;

use async_trait::async_trait;
use golive_auth_refresh::client_credentials::ClientCredentials;
use golive_idempotency::Key;
use http::header::{AUTHORIZATION, HeaderName};
use http::{Extensions, HeaderValue};
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next};
use tokio::sync::Mutex;

type Answer = Result<Response, Error>;

/// Bounds what a mistake does, so that a run ends.
const AGAIN: u32 = 4;
const PAUSE: Duration = Duration::from_millis(50);

/// A new idempotency key for each attempt.
pub(super) struct FreshKey;

#[async_trait]
impl Middleware for FreshKey {
    async fn handle(&self, mut req: Request, ext: &mut Extensions, next: Next<'_>) -> Answer {
        if let Some(value) = req.headers_mut().get_mut("idempotency-key") {
            let key = Key::random().map_err(Error::middleware)?;
            *value = HeaderValue::from_str(key.as_str()).map_err(Error::middleware)?;
        }
        next.run(req, ext).await
    }
}

/// Tries a status again that says that the request itself is wrong.
pub(super) struct RetryAlso(pub(super) u16);

#[async_trait]
impl Middleware for RetryAlso {
    async fn handle(&self, req: Request, ext: &mut Extensions, next: Next<'_>) -> Answer {
        let spare = req.try_clone();
        let mut response = next.clone().run(req, ext).await?;
        for _ in 1..AGAIN {
            let Some(again) = spare.as_ref().and_then(Request::try_clone) else {
                break;
            };
            if response.status().as_u16() != self.0 {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            response = next.clone().run(again, ext).await?;
        }
        Ok(response)
    }
}

/// Loses headers of the answer before the retry can read them.
pub(super) struct WithoutHeaders(pub(super) &'static [&'static str]);

#[async_trait]
impl Middleware for WithoutHeaders {
    async fn handle(&self, req: Request, ext: &mut Extensions, next: Next<'_>) -> Answer {
        let mut response = next.run(req, ext).await?;
        for name in self.0 {
            response.headers_mut().remove(HeaderName::from_static(name));
        }
        Ok(response)
    }
}

/// Puts the access token into the query.
pub(super) struct TokenInQuery;

#[async_trait]
impl Middleware for TokenInQuery {
    async fn handle(&self, mut req: Request, ext: &mut Extensions, next: Next<'_>) -> Answer {
        let value = req
            .headers()
            .get(AUTHORIZATION)
            .and_then(|v| v.to_str().ok());
        if let Some(token) = value
            .and_then(|v| v.strip_prefix("Bearer "))
            .map(str::to_owned)
        {
            req.url_mut()
                .query_pairs_mut()
                .append_pair("access_token", &token);
        }
        next.run(req, ext).await
    }
}

/// Token handling as it is often written by hand.
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
            renewals: 2 * AGAIN,
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
    async fn handle(&self, req: Request, ext: &mut Extensions, next: Next<'_>) -> Answer {
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
