use bytes::Bytes;
use golive_core::{
    Call, Middleware,
    tower::{Layer, Layered},
};
use http::{Method, StatusCode, Version};

use crate::{Leaf, tower_face::TowerLeaf};

/// One of the two ways to speak to a middleware, so that a probe is written once.
pub trait Face: Sized {
    /// A client with `middleware` in front of `leaf`.
    fn alone<M: Probed>(middleware: M, leaf: &Leaf) -> Self;
    /// The same as two separate layers, `outer` in front.
    fn layers<O: Probed, M: Probed>(outer: O, middleware: M, leaf: &Leaf) -> Self;
    /// The same as one stack.
    fn stack<O: Probed, M: Probed>(outer: O, middleware: M, leaf: &Leaf) -> Self;
    /// One call.
    fn call(&mut self, ask: Ask) -> impl Future<Output = Result<Answered, Failed>> + Send;
}

/// A middleware with both faces.
pub trait Probed:
    Middleware
    + Clone
    + Layer<TowerLeaf, Service = Layered<Self, TowerLeaf>>
    + golive_core::reqwest::Middleware
{
}

impl<M> Probed for M where
    M: Middleware
        + Clone
        + Layer<TowerLeaf, Service = Layered<M, TowerLeaf>>
        + golive_core::reqwest::Middleware
{
}

/// A request to be made through either face.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its method.
    pub method: Method,
    /// Its body.
    pub body: AskBody,
}

/// The body of an [`Ask`].
#[derive(Clone, Debug)]
pub enum AskBody {
    /// One that can be cloned.
    Full(Bytes),
    /// One that streams and is buffered for a replay, in chunks; the reqwest face has none, and
    /// sends it as one that can be cloned.
    Buffered(Vec<Bytes>),
    /// One that cannot, in chunks.
    Stream(Vec<Bytes>),
}

/// What came back, with all that a middleware must not lose.
#[derive(Debug)]
pub struct Answered {
    /// The status.
    pub status: StatusCode,
    /// The version; the leaf answers in HTTP/2.
    pub version: Version,
    /// The content type.
    pub content_type: String,
    /// Whether the extensions of the leaf are there.
    pub extensions: bool,
    /// The URL, where the face has one.
    pub url: Option<String>,
    /// The whole body.
    pub body: Bytes,
    /// The call, if a middleware wrote to it.
    pub call: Option<Call>,
}

/// What failed.
#[derive(Debug)]
pub struct Failed {
    /// Whether it is the leaf's own error, with nothing around it.
    pub untouched: bool,
    /// What it says.
    pub text: String,
}

impl Ask {
    /// A `PUT`, which may be repeated, with a body that can be cloned.
    #[must_use]
    pub fn put(body: &'static str) -> Self {
        Self {
            method: Method::PUT,
            body: AskBody::Full(Bytes::from_static(body.as_bytes())),
        }
    }

    /// A `PUT` whose body comes in chunks and is buffered for a replay.
    #[must_use]
    pub fn buffered(chunks: &[&'static str]) -> Self {
        let chunks = chunks.iter().map(|c| Bytes::from_static(c.as_bytes()));
        Self {
            method: Method::PUT,
            body: AskBody::Buffered(chunks.collect()),
        }
    }

    /// A `PUT` whose body comes in chunks and cannot be cloned.
    #[must_use]
    pub fn stream(chunks: &[&'static str]) -> Self {
        let chunks = chunks.iter().map(|c| Bytes::from_static(c.as_bytes()));
        Self {
            method: Method::PUT,
            body: AskBody::Stream(chunks.collect()),
        }
    }
}

/// A body in chunks that is not `Clone`.
#[derive(Debug)]
pub(crate) struct Chunks(pub(crate) std::collections::VecDeque<Bytes>);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.pop_front().map(|c| Ok(http_body::Frame::data(c))))
    }
}
