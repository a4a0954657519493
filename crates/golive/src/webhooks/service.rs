//! The receiver as a tower service.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use golive_core::Clock;
use golive_problem::Problem;
use golive_telemetry::Webhooks as Recorder;
use golive_webhook_inbox::{Accepted, Store, tower::Accept};
use golive_webhook_verify::{
    Fault, Reject,
    tower::{VerifierSource, VerifyService},
};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;
use tokio::time::timeout;
use tower_service::Service;

use super::{WebhookBody, WebhooksBuilder};

/// When a sender may try again that was too slow, or that we were too slow for.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

type Inner<St> = VerifyService<Accept<St>, Arc<dyn Clock>>;

/// Takes deliveries: verified, kept once, and answered at once. The work is behind it, in
/// [`Workers`](golive_webhook_inbox::Workers) on the same store.
///
/// A tower service for any body, so a route of axum and of hyper alike. Clones share everything.
///
/// | outcome | answer |
/// |---|---|
/// | kept, seen before, or parked because its id came before with another content | 200 |
/// | malformed | 400 |
/// | forged, old, or signed with a key that has ended | 401 |
/// | the body was not whole in three quarters of the time | 408 |
/// | too long | 413 |
/// | there is no key to verify with | 500 |
/// | the store is full or failed, or it took too long | 503 |
pub struct Webhooks<St> {
    inner: Inner<St>,
    answer_within: Duration,
    recorder: Option<Recorder>,
}

/// The future of [`Webhooks`].
pub struct WebhookFuture {
    inner: Pin<Box<dyn Future<Output = Response<WebhookBody>> + Send>>,
}

// === impl Webhooks ===

impl<St: Store> Webhooks<St> {
    /// Verifies with what this source has, a [`WebhookSecret`](crate::secrets::WebhookSecret) or a
    /// fixed verifier, and keeps events in this store.
    ///
    /// Its scheme must sign an id, as Standard Webhooks and Svix do: that is what an event is known
    /// by, and a delivery without one is answered 400.
    pub fn builder(store: Arc<St>, verifiers: impl VerifierSource) -> WebhooksBuilder<St> {
        WebhooksBuilder::new(store, Arc::new(verifiers))
    }

    pub(super) fn from_parts(
        inner: Inner<St>,
        answer_within: Duration,
        recorder: Option<Recorder>,
    ) -> Self {
        Self {
            inner,
            answer_within,
            recorder,
        }
    }
}

impl<St: Store, B> Service<Request<B>> for Webhooks<St>
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<WebhookBody>;
    type Error = Infallible;
    type Future = WebhookFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        <Inner<St> as Service<Request<B>>>::poll_ready(&mut self.inner, cx)
    }

    fn call(&mut self, request: Request<B>) -> WebhookFuture {
        let answer = self.inner.call(request);
        let within = self.answer_within;
        let recorder = self.recorder.clone();
        let inner = async move {
            // A store that was not in time may keep the event all the same; then the next attempt
            // is a duplicate, and answered so.
            let Ok(Ok(response)) = timeout(within, answer).await else {
                if let Some(recorder) = recorder {
                    recorder.failed("timeout");
                }
                return too_slow();
            };
            if let Some(recorder) = recorder {
                record(&recorder, &response);
            }
            response.map(WebhookBody::inner)
        };
        WebhookFuture {
            inner: Box::pin(inner),
        }
    }
}

impl<St> Clone for Webhooks<St> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            answer_within: self.answer_within,
            recorder: self.recorder.clone(),
        }
    }
}

impl<St> fmt::Debug for Webhooks<St> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks")
            .field("answer_within", &self.answer_within)
            .finish_non_exhaustive()
    }
}

// === impl WebhookFuture ===

impl Future for WebhookFuture {
    type Output = Result<Response<WebhookBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for WebhookFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookFuture").finish_non_exhaustive()
    }
}

fn record<B>(recorder: &Recorder, response: &Response<B>) {
    let extensions = response.extensions();
    match (extensions.get::<Accepted>(), extensions.get::<Reject>()) {
        (Some(Accepted::New), _) => recorder.accepted(),
        (Some(Accepted::Duplicate), _) => recorder.duplicate(),
        (Some(_), _) => recorder.rejected("conflict"),
        (None, Some(reject)) if reject.fault() == Fault::Operator => {
            recorder.failed(reject.code());
        }
        (None, Some(reject)) => recorder.rejected(reject.code()),
        (None, None) if response.status().is_server_error() => recorder.failed("store"),
        (None, None) => recorder.rejected("malformed"),
    }
}

fn too_slow() -> Response<WebhookBody> {
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE)
        .with_code("webhook_timeout")
        .with_title("The delivery was not received and kept in time");
    let mut response = problem
        .to_response()
        .map(|bytes: Bytes| WebhookBody::problem(bytes));
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}
