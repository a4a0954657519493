//! Small middleware of the kind that people write.

use std::time::Duration;

use async_trait::async_trait;
use golive::idempotency::Key;
use http::header::{AUTHORIZATION, HeaderName};
use http::response::Parts;
use http::{Extensions, HeaderValue};
use opentelemetry::metrics::{Counter, Meter};
use reqwest::{Body, Request, Response, ResponseBuilderExt as _, Url};
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

/// Looks at the limits when it was refused, and not before.
pub(super) struct LimitsOfRefusalsOnly(pub(super) &'static [&'static str]);

#[async_trait]
impl Middleware for LimitsOfRefusalsOnly {
    async fn handle(&self, req: Request, ext: &mut Extensions, next: Next<'_>) -> Answer {
        let mut response = next.run(req, ext).await?;
        if response.status().as_u16() != 429 {
            for name in self.0 {
                response.headers_mut().remove(HeaderName::from_static(name));
            }
        }
        Ok(response)
    }
}

/// Reads every error as JSON, and knows no other.
pub(super) struct EveryErrorIsJson;

#[async_trait]
impl Middleware for EveryErrorIsJson {
    async fn handle(&self, req: Request, ext: &mut Extensions, next: Next<'_>) -> Answer {
        let response = next.run(req, ext).await?;
        if response.status().as_u16() < 400 {
            return Ok(response);
        }
        let url = response.url().clone();
        let (parts, body) = http::Response::from(response).into_parts();
        let body = Response::from(http::Response::new(body)).bytes().await?;
        if serde_json::from_slice::<serde_json::Value>(&body).is_err() {
            // NOTE: an `unwrap` here, but without its message on standard error.
            std::panic::resume_unwind(Box::new("the error is not JSON"));
        }
        answered(url, parts, body)
    }
}

/// Puts the access token into the query.
pub(super) struct TokenInQuery;

#[async_trait]
impl Middleware for TokenInQuery {
    async fn handle(&self, mut req: Request, ext: &mut Extensions, next: Next<'_>) -> Answer {
        let asked_for = req.url().clone();
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
        let (parts, body) = http::Response::from(next.run(req, ext).await?).into_parts();
        // Of the address that was asked for: another one would look like a redirect.
        answered(asked_for, parts, body)
    }
}

/// An answer that was taken apart, whole again.
fn answered(url: Url, parts: Parts, body: impl Into<Body>) -> Answer {
    let mut whole = http::Response::builder()
        .status(parts.status)
        .version(parts.version)
        .url(url);
    if let Some(headers) = whole.headers_mut() {
        *headers = parts.headers;
    }
    let whole = whole.body(body).map_err(Error::middleware)?;
    Ok(Response::from(whole))
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
