//! The layer and its service.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use golive_core::{Clock, SystemClock};
use http::{HeaderMap, Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::{ResponseBody, VerifiedBody, VerifierSource, read, rejection};
use crate::{Reject, Verified, Verifier};

/// Puts a [`VerifyService`] in front of a service. See the module documentation.
#[derive(Clone)]
pub struct VerifyLayer<C = SystemClock> {
    source: Arc<dyn VerifierSource>,
    clock: C,
}

/// Verifies each request before the inner service sees it. See the module documentation.
#[derive(Clone)]
pub struct VerifyService<S, C = SystemClock> {
    inner: S,
    source: Arc<dyn VerifierSource>,
    clock: C,
}

/// The future of [`VerifyService`].
pub struct ResponseFuture<R, E> {
    inner: Pin<Box<Answer<R, E>>>,
}

type Answer<R, E> = dyn Future<Output = Result<Response<ResponseBody<R>>, E>> + Send;

// === impl VerifyLayer ===

impl VerifyLayer {
    /// Verifies with this verifier and the clock of the machine.
    pub fn new(verifier: impl Into<Arc<Verifier>>) -> Self {
        Self::following(verifier.into())
    }

    /// Verifies with the verifier that `source` has at the moment, such as a
    /// [`SharedVerifier`](super::SharedVerifier), and the clock of the machine.
    pub fn following(source: impl VerifierSource) -> Self {
        Self {
            source: Arc::new(source),
            clock: SystemClock,
        }
    }
}

impl<C> VerifyLayer<C> {
    /// Takes the time from this clock instead.
    #[must_use]
    pub fn with_clock<D: Clock>(self, clock: D) -> VerifyLayer<D> {
        VerifyLayer {
            source: self.source,
            clock,
        }
    }
}

impl<S, C: Clone> Layer<S> for VerifyLayer<C> {
    type Service = VerifyService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        VerifyService {
            inner,
            source: Arc::clone(&self.source),
            clock: self.clock.clone(),
        }
    }
}

impl<C: fmt::Debug> fmt::Debug for VerifyLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyLayer")
            .field("verifier", &self.source.load())
            .field("clock", &self.clock)
            .finish()
    }
}

// === impl VerifyService ===

impl<S, C> VerifyService<S, C> {
    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service, to be changed.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, without the verification.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, C, B, R> Service<Request<B>> for VerifyService<S, C>
where
    S: Service<Request<VerifiedBody>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    C: Clock + Clone,
    B: Body + Send + 'static,
    B::Data: Send,
    R: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<R, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The instance that was polled ready is the one that is called: only its clone may stay.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let source = Arc::clone(&self.source);
        let clock = self.clock.clone();
        let answer = async move {
            match verify(&*source, request, &clock).await {
                Ok(request) => Ok(inner.call(request).await?.map(ResponseBody::inner)),
                Err(reject) => Ok(rejection::answer(reject)),
            }
        };
        ResponseFuture {
            inner: Box::pin(answer),
        }
    }
}

impl<S: fmt::Debug, C: fmt::Debug> fmt::Debug for VerifyService<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyService")
            .field("inner", &self.inner)
            .field("verifier", &self.source.load())
            .field("clock", &self.clock)
            .finish()
    }
}

async fn verify<B: Body>(
    source: &dyn VerifierSource,
    request: Request<B>,
    clock: &impl Clock,
) -> Result<Request<VerifiedBody>, Reject> {
    let (mut parts, body) = request.into_parts();
    let limit = check(&source.load(), &parts.headers, &body, clock)?;
    let body = read::read(body, limit).await?;
    // Asked again, both the time and the keys: who holds a recorded delivery could open the request
    // in time, keep back the last byte, and so replay it long after the window (or the key) has
    // ended. The newest verifier judges the whole of it, never one a part and one the rest.
    let verifier = source.load();
    let candidate = verifier.check_headers(&parts.headers, clock.now().into())?;
    let verified: Verified<'static> = candidate.verify(body.bytes())?.into_owned();
    parts.extensions.insert(verified);
    Ok(Request::from_parts(parts, body))
}

/// All that can be refused before the body is here; how long it may be otherwise.
fn check<B: Body>(
    verifier: &Verifier,
    headers: &HeaderMap,
    body: &B,
    clock: &impl Clock,
) -> Result<usize, Reject> {
    verifier.check_headers(headers, clock.now().into())?;
    let limit = verifier.max_body_bytes();
    read::check_length(headers, body, limit)?;
    Ok(limit)
}

// === impl ResponseFuture ===

impl<R, E> Future for ResponseFuture<R, E> {
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner.as_mut().poll(cx)
    }
}

impl<R, E> fmt::Debug for ResponseFuture<R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
