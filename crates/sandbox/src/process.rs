//! Processing: rate limit → token → idempotency → route.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::middleware::Next;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::auth::bearer;
use crate::idempotency::{Claim, Stored, fingerprint, key_of};
use crate::pipeline::{Call, collect, refused};
use crate::refusal::Refusal;
use crate::shared::Ctx;
use crate::sync::lock;

pub(crate) const TOKEN_ROUTE: &str = "/auth/token";

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// `slow` is how long processing takes, by a fault.
pub(crate) async fn process(
    call: Call,
    slow: Option<Duration>,
    next: Next,
) -> http::Response<Bytes> {
    if let Err(refusal) = admit(&call) {
        return refused(refusal).await;
    }
    let tasks = call.shared.tasks.clone();
    // A task of its own: like any server's, the work goes on when the client hangs up.
    match tasks.spawn(keyed(call, slow, next)).await {
        Ok(Some(response)) => response,
        _ => {
            refused(Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                None,
                "the sandbox failed or is stopping",
            ))
            .await
        }
    }
}

fn admit(call: &Call) -> Result<(), Refusal> {
    if call.quota.refused {
        // NOTE: no `Retry-After` is documented: a 429 carries the reset and nothing easier.
        let detail = "too many requests in this window";
        return Err(Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            Some("rate_limit_exceeded"),
            detail,
        ));
    }
    if call.oversized {
        return Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            None,
            "the body is larger than 1 MiB, or broke off",
        ));
    }
    match call.route() {
        // Outside the base path there is nothing to protect, and 404 says more than 401.
        None | Some(TOKEN_ROUTE) => Ok(()),
        Some(_) => check_token(call),
    }
}

fn check_token(call: &Call) -> Result<(), Refusal> {
    let missing = || Refusal::unauthorized("missing_token", "the request carries no bearer token");
    let token = bearer(&call.parts.headers).ok_or_else(missing)?;
    let world = call.shared.world();
    let Some(token) = world.tokens.find(token) else {
        return Err(Refusal::unauthorized(
            "invalid_token",
            "the access token is unknown or revoked",
        ));
    };
    if token.is_expired(call.now.mono) {
        return Err(Refusal::unauthorized(
            "token_expired",
            "the access token has expired",
        ));
    }
    Ok(())
}

/// The route, behind the memory of idempotency keys.
async fn keyed(call: Call, slow: Option<Duration>, next: Next) -> http::Response<Bytes> {
    let creates =
        call.parts.method == Method::POST && call.route().is_some_and(|route| route != TOKEN_ROUTE);
    let key = match key_of(&call.parts.headers) {
        Ok(key) => key.filter(|_| creates),
        Err(wrong) if creates => return refused(Refusal::invalid_request(wrong)).await,
        Err(_) => None,
    };
    let Some(key) = key else {
        return route(call, slow, next).await;
    };
    let shared = Arc::clone(&call.shared);
    let print = fingerprint(
        call.parts.method.as_str(),
        call.route().unwrap_or_default(),
        &call.body,
    );
    let claim = lock(&shared.memory).claim(&key, &print, call.now.mono);
    match claim {
        Claim::Fresh => {
            let response = route(call, slow, next).await;
            let mut memory = lock(&shared.memory);
            if response.status().is_success() {
                memory.complete(
                    &key,
                    Stored {
                        status: response.status(),
                        headers: response.headers().clone(),
                        body: response.body().clone(),
                    },
                );
            } else {
                memory.release(&key);
            }
            response
        }
        Claim::Replay(stored) => {
            let mut response = http::Response::new(stored.body);
            *response.status_mut() = stored.status;
            *response.headers_mut() = stored.headers;
            response
                .headers_mut()
                .insert(REPLAYED, HeaderValue::from_static("true"));
            response
        }
        Claim::InFlight => {
            let detail = "a request with this idempotency key is being processed";
            let mut response = refused(Refusal::conflict("idempotency_key_in_use", detail)).await;
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
        Claim::Mismatch => {
            let detail = "this idempotency key was used for another request";
            let mut refusal = Refusal::invalid(vec![]);
            refusal.code = Some("idempotency_key_reused".to_owned());
            refusal.detail = detail.to_owned();
            refused(refusal).await
        }
        Claim::Full => {
            refused(Refusal::full(
                "idempotency keys",
                crate::idempotency::CAPACITY,
            ))
            .await
        }
    }
}

async fn route(call: Call, slow: Option<Duration>, next: Next) -> http::Response<Bytes> {
    if let Some(slow) = slow {
        tokio::time::sleep(slow).await;
    }
    let mut request = http::Request::from_parts(call.parts, Body::from(call.body));
    request.extensions_mut().insert(Ctx {
        shape: call.shape,
        now: call.now,
    });
    collect(next.run(request).await).await
}
