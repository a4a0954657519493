//! Small middleware of the kind that people write.

use std::time::Duration;

use async_trait::async_trait;
use golive::idempotency::Key;
use http::header::{AUTHORIZATION, HeaderName};
use http::{Extensions, HeaderValue};
use opentelemetry::metrics::{Counter, Meter};
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next};

use crate::subject::logs::Log;

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

/// Logs what it sends, "for debugging".
pub(super) struct LogRequests(pub(super) Log);

#[async_trait]
impl Middleware for LogRequests {
    async fn handle(&self, req: Request, ext: &mut Extensions, next: Next<'_>) -> Answer {
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
        };
        let headers: Vec<String> = req.headers().iter().map(header).collect();
        let (method, path) = (req.method(), req.url().path());
        self.0
            .line(format_args!("{method} {path} [{}]", headers.join(", ")));
        next.run(req, ext).await
    }
}

/// Counts what it sends, and not what comes back.
pub(super) struct CountCalls(Counter<u64>);

impl CountCalls {
    pub(super) fn new(meter: &Meter) -> Self {
        Self(meter.u64_counter("provider.calls").build())
    }
}

#[async_trait]
impl Middleware for CountCalls {
    async fn handle(&self, req: Request, ext: &mut Extensions, next: Next<'_>) -> Answer {
        self.0.add(1, &[]);
        next.run(req, ext).await
    }
}
