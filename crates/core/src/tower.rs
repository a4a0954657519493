//! The tower face: every [`Middleware`] is a [`Layer`] over any HTTP client service.
//!
//! Its error is [`BoxError`], as in tower's own middleware: the inner service's error as it came,
//! or a typed one of ours ([`caused_by`](crate::caused_by) finds it).

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

pub use tower_layer::Layer;
use tower_service::Service;

use crate::{
    Body, BoxError, Call, Exchange, Failure, Middleware, Own, Replay, Stack,
    held::{Held, Place, Slot},
    session::{Line, Session},
};

/// A service with a [`Middleware`] in front of it.
pub struct Layered<M, S> {
    middleware: Arc<M>,
    inner: S,
}

/// The future of [`Layered`].
pub struct ResponseFuture<B: http_body::Body>(Pin<Box<dyn Future<Output = Answer<B>> + Send>>);

type Answer<B> = Result<http::Response<Body<B>>, BoxError>;

// === impl Layered ===

impl<M, S> Layered<M, S> {
    /// Puts `middleware` in front of `inner`.
    #[must_use]
    pub fn new(middleware: M, inner: S) -> Self {
        Self {
            middleware: Arc::new(middleware),
            inner,
        }
    }

    /// The inner service.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service, to be changed.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, without the middleware.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<M, S, A, B> Service<http::Request<A>> for Layered<M, S>
where
    M: Middleware,
    A: Replay + Send + 'static,
    S: Service<http::Request<A>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body + Send + Unpin + 'static,
    B::Error: Send,
{
    type Response = http::Response<Body<B>>;
    type Error = BoxError;
    type Future = ResponseFuture<B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut req: http::Request<A>) -> ResponseFuture<B> {
        // The instance that was polled ready is the one that is called: only its clone may stay.
        let clone = self.inner.clone();
        let service = std::mem::replace(&mut self.inner, clone);
        let middleware = Arc::clone(&self.middleware);
        let mut session = Session::begin(req.extensions_mut());
        let mut slot = Slot::new(req);
        ResponseFuture(Box::pin(async move {
            let place = Place::new();
            let req = Held::InPlace(&mut slot, &place);
            let below = Below {
                service,
                ready: true,
                line: &mut session.line,
            };
            let mut response = middleware
                .handle(&mut session.call, req, below)
                .await
                .map_err(|Raw(error)| error)?;
            session.end(response.extensions_mut());
            Ok(response)
        }))
    }
}

impl<M, S: Clone> Clone for Layered<M, S> {
    fn clone(&self) -> Self {
        Self {
            middleware: Arc::clone(&self.middleware),
            inner: self.inner.clone(),
        }
    }
}

impl<M: fmt::Debug, S: fmt::Debug> fmt::Debug for Layered<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered")
            .field("middleware", &self.middleware)
            .field("inner", &self.inner)
            .finish()
    }
}

// === impl Stack ===

impl<M: Clone, S> Layer<S> for Stack<M> {
    type Service = Layered<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Layered::new(self.clone(), inner)
    }
}

// === impl ResponseFuture ===

impl<B: http_body::Body> ResponseFuture<B> {
    /// How many bytes are in the box: what one call in flight costs.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of_val(&*self.0)
    }
}

impl<B: http_body::Body> Future for ResponseFuture<B> {
    type Output = Answer<B>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<B: http_body::Body> fmt::Debug for ResponseFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// The inner service as an [`Exchange`].
struct Below<'a, S> {
    service: S,
    /// Whether `service` was polled ready and not yet called.
    ready: bool,
    line: &'a mut Line,
}

/// The inner service's error, untouched.
struct Raw(BoxError);

// === impl Below ===

impl<S, A, B> Exchange<Held<'_, http::Request<A>>> for Below<'_, S>
where
    A: Replay + Send,
    S: Service<http::Request<A>, Response = http::Response<B>> + Send,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body + Send + Unpin,
    B::Error: Send,
{
    type Response = http::Response<Body<B>>;
    type Error = Raw;

    #[allow(
        clippy::manual_async_fn,
        reason = "an `async fn` keeps its arguments twice, and each call in flight has room for both"
    )]
    fn send(
        &mut self,
        call: &mut Call,
        req: Held<'_, http::Request<A>>,
    ) -> impl Future<Output = Result<Self::Response, Raw>> + Send {
        async move {
            if !std::mem::take(&mut self.ready) {
                poll_fn(|cx| self.service.poll_ready(cx))
                    .await
                    .map_err(|error| Raw(error.into()))?;
            }
            let (lent, attempt) = {
                let mut req = req.into_inner();
                let lent = self.line.lend(call, req.extensions_mut());
                (lent, self.service.call(req))
            };
            let result = attempt.await;
            lent.back(result.as_ref().ok().map(http::Response::extensions));
            match result {
                Ok(response) => Ok(response.map(Body::new)),
                Err(error) => Err(Raw(error.into())),
            }
        }
    }
}

// === impl Raw ===

impl Failure for Raw {
    fn as_error(&self) -> &(dyn std::error::Error + 'static) {
        self.0.as_ref()
    }
}

impl From<Own> for Raw {
    fn from(own: Own) -> Self {
        Self(own.into_inner())
    }
}
