//! The layer and its service.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use golive_core::{Clock, SystemClock};
use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::{ResponseBody, VerifiedBody, read, rejection};
use crate::{Reject, Verified, Verifier};

/// Puts a [`VerifyService`] in front of a service. See the module documentation.
#[derive(Clone, Debug)]
pub struct VerifyLayer<C = SystemClock> {
    verifier: Arc<Verifier>,
    clock: C,
}

/// Verifies each request before the inner service sees it. See the module documentation.
#[derive(Clone, Debug)]
pub struct VerifyService<S, C = SystemClock> {
    inner: S,
    verifier: Arc<Verifier>,
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
        Self {
            verifier: verifier.into(),
            clock: SystemClock,
        }
    }
}

impl<C> VerifyLayer<C> {
    /// Takes the time from this clock instead.
    #[must_use]
    pub fn with_clock<D: Clock>(self, clock: D) -> VerifyLayer<D> {
        VerifyLayer {
            verifier: self.verifier,
            clock,
        }
    }
}

impl<S, C: Clone> Layer<S> for VerifyLayer<C> {
    type Service = VerifyService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        VerifyService {
            inner,
            verifier: Arc::clone(&self.verifier),
            clock: self.clock.clone(),
        }
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
        let verifier = Arc::clone(&self.verifier);
        let clock = self.clock.clone();
        let answer = async move {
            match verify(&verifier, request, &clock).await {
                Ok(request) => Ok(inner.call(request).await?.map(ResponseBody::inner)),
                Err(reject) => Ok(rejection::answer(reject)),
            }
        };
        ResponseFuture {
            inner: Box::pin(answer),
        }
    }
}

async fn verify<B: Body>(
    verifier: &Verifier,
    request: Request<B>,
    clock: &impl Clock,
) -> Result<Request<VerifiedBody>, Reject> {
    let (mut parts, body) = request.into_parts();
    verifier.check_headers(&parts.headers, clock.now().into())?;
    let limit = verifier.max_body_bytes();
    read::check_length(&parts.headers, &body, limit)?;
    let body = read::read(body, limit).await?;
    // Asked again: who holds a recorded delivery could open the request in time, keep back the last
    // byte, and so replay it long after the window (or the key) has ended.
    let candidate = verifier.check_headers(&parts.headers, clock.now().into())?;
    let verified: Verified<'static> = candidate.verify(body.bytes())?.into_owned();
    parts.extensions.insert(verified);
    Ok(Request::from_parts(parts, body))
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
