//! The webhook receiver: verify, accept, answer; work behind it. A mistake
//! replaces one part of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post_service;
use golive_core::{Clock as _, SystemClock};
use golive_webhook_inbox::tower::Accept;
use golive_webhook_inbox::{Event, Fingerprint, MemoryStore, Workers};
use golive_webhook_verify::tower::{VerifiedBody, VerifyLayer};
use golive_webhook_verify::{Key, Reject, Verifier};
use http::{HeaderValue, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tower::util::MapRequest;
use tower::{Layer as _, service_fn};

use super::client::{CallError, Client};
use super::{Environment, Mistake};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Of a delivery.
const MAX_BODY: usize = 1024 * 1024;
/// How long the slow receiver waits for the work, at most.
const WORK: Duration = Duration::from_secs(12);
/// Longer than any delivery of a run is old.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// How often the event of each external id took effect.
#[derive(Debug, Default)]
pub(super) struct Effects(Mutex<HashMap<String, u64>>);

/// The webhook route, and the workers behind it.
pub(super) fn routes(
    mistake: Option<Mistake>,
    env: &Environment,
    client: Client,
    effects: &Arc<Effects>,
) -> Result<(Router, Workers), BoxError> {
    let store = Arc::new(MemoryStore::builder().build()?);
    let accept = Accept::new(Arc::clone(&store))
        // The provider writes a delivery_id and a timestamp into each attempt.
        .with_fingerprint(|_, body| Fingerprint::of(what_happened(body).as_bytes()));
    let workers = Workers::builder().spawn(store, worker(client, Arc::clone(effects)))?;

    let verifier = Arc::new(verifier(mistake, env)?);
    let verify = VerifyLayer::new(Arc::clone(&verifier));
    let service = match mistake {
        Some(Mistake::AcceptsTamperedBody) => {
            post_service(accept).layer(from_fn(move |req, next| {
                log_and_go_on(Arc::clone(&verifier), req, next)
            }))
        }
        Some(Mistake::NoDedup) => {
            post_service(verify.layer(MapRequest::new(accept, by_delivery_id)))
        }
        Some(Mistake::FirstSignatureOnly) => {
            post_service(verify.layer(accept)).layer(from_fn(first_signature))
        }
        Some(Mistake::SlowAcknowledgement) => {
            let effects = Arc::clone(effects);
            post_service(verify.layer(accept)).layer(from_fn(move |req, next| {
                after_the_work(Arc::clone(&effects), req, next)
            }))
        }
        _ => post_service(verify.layer(accept)),
    };
    Ok((Router::new().route("/webhooks", service), workers))
}

fn verifier(mistake: Option<Mistake>, env: &Environment) -> Result<Verifier, BoxError> {
    let key = Key::from_whsec(env.webhook_secret.expose_secret())?;
    let builder = Verifier::builder().key(key);
    Ok(match mistake {
        Some(Mistake::AcceptsOldTimestamps) => builder.tolerance(DAY).build()?,
        _ => builder.build()?,
    })
}

// === the work ===

fn worker(
    client: Client,
    effects: Arc<Effects>,
) -> impl tower::Service<
    Event,
    Response = (),
    Error = BoxError,
    Future = impl Future<Output = Result<(), BoxError>> + Send,
> + Clone
+ Send
+ 'static {
    service_fn(move |event: Event| {
        let (client, effects) = (client.clone(), Arc::clone(&effects));
        async move { work(&event, &client, &effects).await }
    })
}

/// Reads the customer's present state from the provider, then counts.
async fn work(event: &Event, client: &Client, effects: &Effects) -> Result<(), BoxError> {
    let body: Value = serde_json::from_slice(event.body())?;
    let field = |name: &str| body["data"][name].as_str().map(str::to_owned);
    let (Some(id), Some(external_id)) = (field("id"), field("external_id")) else {
        return Ok(()); // An event about something else: kept, and nothing to do.
    };
    client
        .find(&id)
        .await
        .map_err(|e: CallError| e.for_the_user(None))?;
    effects.took(external_id);
    Ok(())
}

/// Type and data: what is the same in every attempt to deliver an event.
fn what_happened(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(envelope) => format!("{}{}", envelope["type"], envelope["data"]),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

// === impl Effects ===

impl Effects {
    pub(super) fn of(&self, external_id: &str) -> u64 {
        self.lock().get(external_id).copied().unwrap_or(0)
    }

    fn took(&self, external_id: String) {
        *self.lock().entry(external_id).or_insert(0) += 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === the wrong parts ===

/// A verification that "must not lose events".
async fn log_and_go_on(verifier: Arc<Verifier>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    match verifier.verify(&parts.headers, &bytes, SystemClock.now()) {
        Ok(_) | Err(Reject::Mismatch) => {}
        Err(reject) => return reject.status().into_response(),
    }
    next.run(Request::from_parts(parts, Body::from(bytes)))
        .await
}

/// A deduplication by the one id that differs from attempt to attempt.
fn by_delivery_id(mut request: http::Request<VerifiedBody>) -> http::Request<VerifiedBody> {
    let body: Value = serde_json::from_slice(request.body().bytes()).unwrap_or_default();
    let id = body["delivery_id"]
        .as_str()
        .and_then(|id| HeaderValue::from_str(id).ok());
    if let Some(id) = id {
        request.headers_mut().insert("webhook-id", id);
    }
    request
}

/// A reading of the header as if it held one signature.
async fn first_signature(mut request: Request, next: Next) -> Response {
    let header = request
        .headers()
        .get("webhook-signature")
        .and_then(|v| v.to_str().ok());
    let first = header
        .and_then(|h| h.split(' ').next())
        .map(HeaderValue::from_str);
    if let Some(Ok(first)) = first {
        request.headers_mut().insert("webhook-signature", first);
    }
    next.run(request).await
}

/// An answer that waits for the work.
async fn after_the_work(effects: Arc<Effects>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let envelope: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let response = next
        .run(Request::from_parts(parts, Body::from(bytes)))
        .await;
    if let Some(id) = envelope["data"]["external_id"].as_str()
        && response.status().is_success()
    {
        let done = async {
            while effects.of(id) == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // Whether it was done or took too long, the sender gets its answer.
        let _ = tokio::time::timeout(WORK, done).await;
    }
    response
}
