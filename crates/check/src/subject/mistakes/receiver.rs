//! The receiver with one part of it wrong, or with none.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, post_service};
use golive::core::{Clock as _, SystemClock};
use golive::secrets::WebhookSecret;
use golive::secrets_provider::Handle;
use golive::telemetry::Webhooks as Recorder;
use golive::webhook_inbox::tower::Accept;
use golive::webhook_inbox::{Fingerprint, Store};
use golive::webhook_verify::tower::{VerifiedBody, VerifierSource as _, VerifyLayer};
use golive::webhook_verify::{Reject, Verifier};
use http::{HeaderValue, StatusCode};
use opentelemetry::metrics::Meter;
use serde_json::Value;
use tower::util::MapRequest;
use tower::{Layer as _, service_fn};

use crate::subject::work::Handler;
use crate::subject::{BoxError, Mistake, metrics, receiver};

/// Of a delivery.
const MAX_BODY: usize = 1024 * 1024;
/// How long the slow receiver waits for the work, at most.
const WORK: Duration = Duration::from_secs(12);
/// How long the one that does it before it answers.
const WORK_AT_ONCE: Duration = Duration::from_secs(3);
/// Longer than any delivery of a run is old.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// What a receiver is made of.
pub(in crate::subject) struct Receiving {
    pub(in crate::subject) mistake: Option<Mistake>,
    pub(in crate::subject) secret: Handle,
    pub(in crate::subject) meter: Meter,
    pub(in crate::subject) handler: Handler,
}

// === impl Receiving ===

impl Receiving {
    /// What takes deliveries and keeps them in this store.
    pub(in crate::subject) fn webhooks<St: Store>(
        &self,
        store: &Arc<St>,
    ) -> Result<MethodRouter, BoxError> {
        let keys = WebhookSecret::new(self.secret.clone())?;
        let good = |meter| receiver::webhooks(store, keys.clone(), meter).map(post_service);
        Ok(match self.mistake {
            Some(Mistake::AcceptsOldTimestamps) => {
                let lenient = Verifier::builder().tolerance(DAY);
                let keys = WebhookSecret::with_settings(self.secret.clone(), None, lenient)?;
                post_service(receiver::webhooks(store, keys, &self.meter)?)
            }
            Some(Mistake::FirstSignatureOnly) => good(&self.meter)?.layer(from_fn(first_signature)),
            Some(Mistake::SlowAcknowledgement) => {
                let handler = self.handler.clone();
                good(&self.meter)?.layer(from_fn(move |request, next| {
                    after_the_work(handler.clone(), request, next)
                }))
            }
            Some(Mistake::CountsDeliveriesOnly) => {
                let counter = self.meter.u64_counter("webhook.deliveries").build();
                good(&metrics::unread())?.layer(from_fn(move |request, next: Next| {
                    counter.add(1, &[]);
                    next.run(request)
                }))
            }
            Some(Mistake::AcceptsTamperedBody) => self.counted(post_service(accept(store)).layer(
                from_fn(move |request, next| log_and_go_on(keys.load(), request, next)),
            )),
            Some(Mistake::NoDedup) => {
                let accept = MapRequest::new(accept(store), by_delivery_id);
                self.counted(post_service(VerifyLayer::following(keys).layer(accept)))
            }
            Some(Mistake::MarksBeforeWork) => {
                let (handler, seen) = (self.handler.clone(), Seen::default());
                let work = service_fn(move |request| {
                    mark_and_work(handler.clone(), Arc::clone(&seen), request)
                });
                self.counted(post_service(VerifyLayer::following(keys).layer(work)))
            }
            _ => good(&self.meter)?,
        })
    }

    /// Counts what was answered, for those who built it themselves.
    fn counted(&self, webhooks: MethodRouter) -> MethodRouter {
        let recorder = Recorder::new(&self.meter, "provider");
        webhooks.layer(from_fn(move |request, next: Next| {
            let recorder = recorder.clone();
            async move {
                let response: Response = next.run(request).await;
                match response.extensions().get::<Reject>() {
                    Some(reject) => recorder.rejected(reject.code()),
                    None if response.status().is_success() => recorder.accepted(),
                    None => recorder.failed("work"),
                }
                response
            }
        }))
    }
}

// === the wrong parts ===

fn accept<St: Store>(store: &Arc<St>) -> Accept<St> {
    Accept::new(Arc::clone(store))
        // The provider writes a delivery_id and a timestamp into each attempt.
        .with_fingerprint(|_, body| Fingerprint::of(what_happened(body).as_bytes()))
}

/// Type and data: what is the same in every attempt to deliver an event.
fn what_happened(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(envelope) => format!("{}{}", envelope["type"], envelope["data"]),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

/// A verification that "must not lose events".
async fn log_and_go_on(verifier: Arc<Verifier>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    match verifier.verify(&parts.headers, &bytes, SystemClock.now()) {
        Ok(_) | Err(Reject::Mismatch) => {}
        Err(reject) => {
            let status = StatusCode::from_u16(reject.status());
            let mut response = status.unwrap_or(StatusCode::BAD_REQUEST).into_response();
            response.extensions_mut().insert(reject);
            return response;
        }
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
async fn after_the_work(handler: Handler, request: Request, next: Next) -> Response {
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
            while handler.effects.of(id) == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // Whether it was done or took too long, the sender gets its answer.
        let _ = tokio::time::timeout(WORK, done).await;
    }
    response
}

/// The ids of events that came.
type Seen = Arc<Mutex<HashSet<HeaderValue>>>;

/// An event is noted as seen, and then the work may fail.
async fn mark_and_work(
    handler: Handler,
    seen: Seen,
    request: http::Request<VerifiedBody>,
) -> Result<Response, Infallible> {
    let Some(id) = request.headers().get("webhook-id").cloned() else {
        return Ok(StatusCode::BAD_REQUEST.into_response());
    };
    if !seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(id)
    {
        return Ok(StatusCode::OK.into_response());
    }
    let envelope: Value = serde_json::from_slice(request.body().bytes()).unwrap_or_default();
    let worked = tokio::time::timeout(WORK_AT_ONCE, handler.work(&envelope)).await;
    Ok(match worked {
        Ok(Ok(())) => StatusCode::OK.into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
}
