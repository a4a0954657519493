//! The service: read, store, answer.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use golive_problem::Problem;
use http::header::{HeaderValue, RETRY_AFTER};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

use super::read::{ReadError, read};
use crate::{Accepted, Event, EventKey, Fingerprint, Store, StoreError};

const DEFAULT_MAX_BODY_BYTES: usize = 1024 * 1024;

/// Stores each request as an event and answers before anything is done about it.
///
/// | outcome | answer |
/// |---|---|
/// | kept, a duplicate, or parked because its key came before with other content | 200 |
/// | no key to deduplicate by, or a body that breaks off | 400 |
/// | a body over the limit | 413 |
/// | the store is full or failed | 503, so that the sender tries again |
///
/// [`Accepted`] is in the extensions of a 200, and the reason of a 503 only in its status: both
/// for a layer outside that logs or counts.
pub struct Accept<St> {
    store: Arc<St>,
    key: Arc<KeyFn>,
    fingerprint: Arc<FingerprintFn>,
    max_body_bytes: usize,
}

type KeyFn = dyn Fn(&Parts) -> Option<EventKey> + Send + Sync;
type FingerprintFn = dyn Fn(&EventKey, &[u8]) -> Fingerprint + Send + Sync;

/// The future of [`Accept`].
pub struct AcceptFuture {
    inner: Pin<Box<dyn Future<Output = Response<AcceptBody>> + Send>>,
}

/// The body of an answer: empty, or a problem.
#[derive(Clone, Debug, Default)]
pub struct AcceptBody {
    bytes: Bytes,
}

/// Why a request was not accepted.
enum Refusal {
    NoKey,
    Body(ReadError),
    Store(StoreError),
}

// === impl Accept ===

impl<St: Store> Accept<St> {
    /// Accepts into this store. The key is the header `webhook-id` under the source `webhook`,
    /// the fingerprint that of the whole body, and the body is at most 1 MiB long.
    pub fn new(store: Arc<St>) -> Self {
        Self {
            store,
            key: Arc::new(webhook_id),
            fingerprint: Arc::new(|_, body| Fingerprint::of(body)),
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
        }
    }

    /// Finds the key in another way, for instance in an extension that the verification left.
    #[must_use]
    pub fn with_key(
        mut self,
        key: impl Fn(&Parts) -> Option<EventKey> + Send + Sync + 'static,
    ) -> Self {
        self.key = Arc::new(key);
        self
    }

    /// Tells the same event from another in another way: for providers whose bodies differ from
    /// attempt to attempt.
    #[must_use]
    pub fn with_fingerprint(
        mut self,
        fingerprint: impl Fn(&EventKey, &[u8]) -> Fingerprint + Send + Sync + 'static,
    ) -> Self {
        self.fingerprint = Arc::new(fingerprint);
        self
    }

    /// The longest body that is accepted, in bytes. Default: 1 MiB.
    #[must_use]
    pub fn with_max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    async fn accept<B: Body>(&self, request: Request<B>) -> Result<Accepted, Refusal> {
        let (parts, body) = request.into_parts();
        let key = (self.key)(&parts).ok_or(Refusal::NoKey)?;
        let body = read(body, self.max_body_bytes)
            .await
            .map_err(Refusal::Body)?;
        let fingerprint = (self.fingerprint)(&key, &body);
        let event = Event::with_fingerprint(key, body, fingerprint);
        self.store.accept(event).await.map_err(Refusal::Store)
    }
}

impl<St: Store, B> Service<Request<B>> for Accept<St>
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<AcceptBody>;
    type Error = Infallible;
    type Future = AcceptFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> AcceptFuture {
        let this = self.clone();
        AcceptFuture {
            inner: Box::pin(async move {
                match this.accept(request).await {
                    Ok(accepted) => {
                        let mut response = Response::new(AcceptBody::default());
                        response.extensions_mut().insert(accepted);
                        response
                    }
                    Err(refusal) => refusal.answer(),
                }
            }),
        }
    }
}

impl<St> Clone for Accept<St> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            key: Arc::clone(&self.key),
            fingerprint: Arc::clone(&self.fingerprint),
            max_body_bytes: self.max_body_bytes,
        }
    }
}

impl<St> fmt::Debug for Accept<St> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("max_body_bytes", &self.max_body_bytes)
            .finish_non_exhaustive()
    }
}

fn webhook_id(parts: &Parts) -> Option<EventKey> {
    EventKey::new("webhook", parts.headers.get("webhook-id")?.to_str().ok()?).ok()
}

// === impl Refusal ===

impl Refusal {
    fn answer(&self) -> Response<AcceptBody> {
        let (status, title) = match self {
            Self::NoKey => (StatusCode::BAD_REQUEST, "The delivery has no usable id"),
            Self::Body(ReadError::Incomplete) => {
                (StatusCode::BAD_REQUEST, "The body broke off before its end")
            }
            Self::Body(ReadError::TooLarge) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large")
            }
            Self::Store(StoreError::Full | StoreError::Unavailable(_)) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The event was not stored; send it again",
            ),
        };
        let problem = Problem::new(status).with_title(title);
        let mut response = problem.to_response().map(|bytes| AcceptBody { bytes });
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("30"));
        }
        response
    }
}

// === impl AcceptFuture ===

impl Future for AcceptFuture {
    type Output = Result<Response<AcceptBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for AcceptFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptFuture").finish_non_exhaustive()
    }
}

// === impl AcceptBody ===

impl Body for AcceptBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = std::mem::take(&mut self.bytes);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
