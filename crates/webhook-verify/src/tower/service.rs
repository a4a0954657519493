//! The service: verify, then call.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use golive_core::{Clock, SystemClock};
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{ResponseBody, VerifiedBody, layer::Settings, rejection, verify::verify};

/// Verifies each request before the inner service sees it. See the module documentation.
pub struct VerifyService<S, C = SystemClock> {
    inner: S,
    settings: Arc<Settings<C>>,
}

/// The future of [`VerifyService`].
pub struct ResponseFuture<R, E> {
    inner: Pin<Box<Answer<R, E>>>,
}

type Answer<R, E> = dyn Future<Output = Result<Response<ResponseBody<R>>, E>> + Send;

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

    pub(super) fn from_parts(inner: S, settings: Arc<Settings<C>>) -> Self {
        Self { inner, settings }
    }
}

impl<S, C, B, R> Service<Request<B>> for VerifyService<S, C>
where
    S: Service<Request<VerifiedBody>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    C: Clock,
    B: Body + Send + 'static,
    B::Data: Send,
    R: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<R, S::Error>;

    /// Always ready. The inner service is asked once the verdict is known, so that nobody holds a
    /// place in it who has not proven who they are.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    /// # Panics
    /// The future does, when it is polled outside of a tokio runtime with a timer, unless the layer
    /// is [without a timeout](super::VerifyLayer::without_body_timeout).
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut inner = self.inner.clone();
        let settings = Arc::clone(&self.settings);
        // The box first: a future is larger than what it begins with, and all of it would be moved.
        let place = Box::new_uninit();
        let answer = Box::write(place, async move {
            let version = request.version();
            let (verified, mut request) = match verify(&settings, request).await {
                Ok(accepted) => accepted,
                Err(refusal) => {
                    settings.tell(Err(refusal.reject));
                    return Ok(rejection::answer(refusal, version));
                }
            };
            settings.tell(Ok(&verified));
            drop(settings);
            request.extensions_mut().insert(verified);
            // The instance that was polled ready is the one that is called.
            poll_fn(|cx| inner.poll_ready(cx)).await?;
            Ok(inner.call(request).await?.map(ResponseBody::inner))
        });
        ResponseFuture {
            inner: Box::into_pin(answer),
        }
    }
}

impl<S: Clone, C> Clone for VerifyService<S, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            settings: Arc::clone(&self.settings),
        }
    }
}

impl<S: fmt::Debug, C: fmt::Debug> fmt::Debug for VerifyService<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("VerifyService");
        out.field("inner", &self.inner);
        self.settings.fields(&mut out);
        out.finish()
    }
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
