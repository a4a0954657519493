use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use golive_core::{BoxError, CallHandle, ReadAheadError, Replay, ReplayBody, Stack, tower::Layer};
use http_body_util::{BodyExt, Either, Full};
use tower_service::Service;

use crate::{
    Answered, Ask, AskBody, Face, Failed, Leaf, ProbeError,
    face::{Chunks, Probed},
    leaf::{FromLeaf, Marker, ProbeBody},
};

type RequestBody = AnyBody;
type Reply = Result<http::Response<bytes::Bytes>, BoxError>;
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A client through the tower face.
#[allow(missing_debug_implementations, reason = "it is a closure")]
pub struct TowerFace(Box<dyn FnMut(http::Request<RequestBody>) -> Boxed<Reply> + Send>);

/// The leaf as a service. It is as strict as tower allows: an instance must be polled ready before
/// each call, and a clone of a ready one is not ready.
#[derive(Debug)]
pub struct TowerLeaf {
    leaf: Leaf,
    ready: bool,
}

/// A request body that can be cloned or that cannot.
#[derive(Debug)]
pub struct AnyBody(Either<Full<bytes::Bytes>, ReplayBody<Chunks>>);

// === impl TowerFace ===

impl TowerFace {
    fn over<S, B>(service: S) -> Self
    where
        S: Service<http::Request<RequestBody>, Response = http::Response<B>, Error = BoxError>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        Self(Box::new(move |req| {
            let mut service = service.clone();
            Box::pin(async move {
                poll_fn(|cx| service.poll_ready(cx)).await?;
                let (parts, body) = service.call(req).await?.into_parts();
                let body = body.collect().await.map_err(Into::into)?.to_bytes();
                Ok(http::Response::from_parts(parts, body))
            })
        }))
    }
}

impl Face for TowerFace {
    fn alone<M: Probed>(middleware: M, leaf: &Leaf) -> Self {
        Self::over(middleware.layer(TowerLeaf::new(leaf)))
    }

    fn layers<O: Probed, M: Probed>(outer: O, middleware: M, leaf: &Leaf) -> Self {
        let inner = middleware.layer(TowerLeaf::new(leaf));
        Self::over(golive_core::tower::Layered::new(outer, inner))
    }

    fn stack<O: Probed, M: Probed>(outer: O, middleware: M, leaf: &Leaf) -> Self {
        let stack = Stack::new().push(outer).push(middleware);
        Self::over(stack.layer(TowerLeaf::new(leaf)))
    }

    fn call(&mut self, ask: Ask) -> impl Future<Output = Result<Answered, Failed>> + Send {
        let body = AnyBody(match ask.body {
            AskBody::Full(bytes) => Either::Left(Full::new(bytes)),
            AskBody::Buffered(chunks) => Either::Right(ReplayBody::new(Chunks(chunks.into()))),
            // Cap 0: it can be sent once only.
            AskBody::Stream(chunks) => {
                Either::Right(ReplayBody::with_cap(Chunks(chunks.into()), 0))
            }
        });
        let mut req = http::Request::new(body);
        *req.method_mut() = ask.method;
        *req.uri_mut() = http::Uri::from_static("http://probe.test/v3/things?q=1");
        req.extensions_mut().insert(Marker(7));
        let reply = (self.0)(req);
        async move {
            match reply.await {
                Ok(response) => Ok(Answered {
                    status: response.status(),
                    version: response.version(),
                    content_type: content_type(response.headers()),
                    extensions: response.extensions().get::<FromLeaf>().is_some(),
                    url: None,
                    call: response.extensions().get().map(CallHandle::call),
                    body: response.into_body(),
                }),
                Err(error) => Err(Failed {
                    untouched: error.downcast_ref::<ProbeError>().is_some(),
                    text: error.to_string(),
                }),
            }
        }
    }
}

pub(crate) fn content_type(headers: &http::HeaderMap) -> String {
    let value = headers.get(http::header::CONTENT_TYPE);
    value.map_or_else(String::new, |v| v.to_str().unwrap().to_owned())
}

// === impl TowerLeaf ===

impl TowerLeaf {
    fn new(leaf: &Leaf) -> Self {
        Self {
            leaf: leaf.clone(),
            ready: false,
        }
    }
}

impl Clone for TowerLeaf {
    fn clone(&self) -> Self {
        Self::new(&self.leaf)
    }
}

impl Service<http::Request<RequestBody>> for TowerLeaf {
    type Response = http::Response<ProbeBody>;
    type Error = ProbeError;
    type Future = Boxed<Result<Self::Response, ProbeError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProbeError>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, req: http::Request<RequestBody>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called without a poll_ready of this very instance before it"
        );
        let leaf = self.leaf.clone();
        Box::pin(async move {
            let (mut parts, body) = req.into_parts();
            let body = match body.0.collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) => panic!("the body was not whole: {error}"),
            };
            leaf.attempt(parts.headers, body, &mut parts.extensions)
                .await
        })
    }
}

// === impl AnyBody ===

impl Replay for AnyBody {
    fn replay(&self) -> Option<Self> {
        Some(Self(match &self.0 {
            Either::Left(body) => Either::Left(body.clone()),
            Either::Right(body) => Either::Right(body.replay()?),
        }))
    }

    fn is_whole(&self) -> bool {
        match &self.0 {
            Either::Left(_) => true,
            Either::Right(body) => body.is_whole(),
        }
    }

    async fn read_ahead(&mut self, limit: usize) -> Result<bytes::Bytes, ReadAheadError> {
        match &mut self.0 {
            Either::Left(body) => body.read_ahead(limit).await,
            Either::Right(body) => body.read_ahead(limit).await,
        }
    }
}

impl http_body::Body for AnyBody {
    type Data = bytes::Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}
