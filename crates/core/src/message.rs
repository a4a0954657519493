use std::fmt;

use bytes::Bytes;
use http::{Extensions, HeaderMap, Method, StatusCode};

use crate::{Origin, ReadAheadError, Replay, kept::Kept};

/// A request as a middleware sees it, whatever its message type.
///
/// `http::Request` and `reqwest::Request` are never converted into each other: each face keeps its
/// own, and nothing is lost on the way. Sealed, so that a view that a new middleware needs can be
/// added.
pub trait Request: sealed::Sealed + Sized + Send {
    /// A copy that is kept in case the request has to be sent again.
    type Spare: Send;

    /// The method.
    fn method(&self) -> &Method;
    /// Where it goes; `None` if the request does not say so itself: a `http::Request` with a
    /// relative URI, for a service that knows its server. A guard takes that for "elsewhere".
    fn origin(&self) -> Option<Origin<'_>>;
    /// The path, percent-encoded as it is sent, without the query.
    fn path(&self) -> &str;
    /// The headers.
    fn headers(&self) -> &HeaderMap;
    /// The headers, to be changed.
    fn headers_mut(&mut self) -> &mut HeaderMap;
    /// A copy to be sent later, or `None` if the body can be sent only once. The original is as
    /// good as before either way.
    fn try_clone(&self) -> Option<Self>;
    /// Whether the whole body can still be sent. A copy of a body that is buffered while it is
    /// sent ([`ReplayBody`](crate::ReplayBody)) turns out too large only then.
    fn is_whole(&self) -> bool;

    /// Keeps a copy as the request is now, or `None` if the body can be sent only once. As
    /// [`try_clone`](Self::try_clone), but all in a stack who keep one share it for as long as
    /// nobody between them changes the request: most requests are sent once.
    fn spare(&mut self) -> Option<Self::Spare>;
    /// The request that was kept, to be sent; `None` if it can no longer be, since its body is not
    /// [whole](Self::is_whole).
    fn restore(spare: Self::Spare) -> Option<Self>;

    /// The whole body as it will be sent, trailers aside, if it has at most `limit` bytes: for a
    /// signature over it.
    ///
    /// A body in memory is looked at as it is, without a copy; one that streams is awaited to its
    /// end, and held in memory (up to `limit` bytes and one frame) until it is sent. If it came in
    /// several frames, the bytes that are given are a second copy for as long as they are kept. It is still sent whole
    /// afterwards: after a body that was too large, and if the future is dropped half-way, too.
    /// There is no timeout: a body that never ends is awaited for ever.
    ///
    /// # Errors
    /// [`ReadAheadError`]. Only after `TooLarge` is the request sure to be whole still.
    fn read_ahead(
        &mut self,
        limit: usize,
    ) -> impl Future<Output = Result<Bytes, ReadAheadError>> + Send;
}

/// A response as a middleware sees it, whatever its message type. Sealed, as [`Request`] is.
pub trait Response: sealed::Sealed + Sized + Send {
    /// The status.
    fn status(&self) -> StatusCode;
    /// The headers.
    fn headers(&self) -> &HeaderMap;
    /// The extensions.
    fn extensions(&self) -> &Extensions;
    /// The extensions, to be changed.
    fn extensions_mut(&mut self) -> &mut Extensions;

    /// Reads the beginning of the body, until it ends or `limit` bytes are there, and gives the
    /// response back whole: status, headers, version, extensions, URL, and every byte, trailer or
    /// error of the body in its place.
    ///
    /// Reads no frame after the limit is reached, so what is held is `limit` plus one frame.
    fn peek(self, limit: usize) -> impl Future<Output = Peeked<Self>> + Send;
}

/// What [`Response::peek`] saw.
#[non_exhaustive]
pub struct Peeked<R> {
    /// The response, whole.
    pub response: R,
    /// The first bytes of its body, at most as many as were asked for.
    pub bytes: Bytes,
    /// Whether that is the whole body: it ended, in time and without an error.
    pub complete: bool,
    /// Whether the body failed after these bytes. The error is still in its place, for who reads
    /// the response; a body that is merely longer has not failed.
    pub failed: bool,
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

impl<R: fmt::Debug> fmt::Debug for Peeked<R> {
    // Never the bytes: an answer of a bank is nobody's log line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peeked")
            .field("response", &self.response)
            .field("len", &self.bytes.len())
            .field("complete", &self.complete)
            .field("failed", &self.failed)
            .finish()
    }
}

impl<R> Peeked<R> {
    /// What was seen of `response`, whose body has not failed.
    #[must_use]
    pub fn new(response: R, bytes: Bytes, complete: bool) -> Self {
        Self {
            response,
            bytes,
            complete,
            failed: false,
        }
    }

    /// The same of one whose body [`failed`](Self::failed) after these bytes, if it did.
    #[must_use]
    pub fn failed(self, failed: bool) -> Self {
        Self { failed, ..self }
    }
}

impl<B> sealed::Sealed for http::Request<B> {}

impl<B: Replay + Send> Request for http::Request<B> {
    type Spare = Kept<B>;

    fn method(&self) -> &Method {
        self.method()
    }

    fn origin(&self) -> Option<Origin<'_>> {
        Origin::of(self.uri())
    }

    fn path(&self) -> &str {
        self.uri().path()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }

    fn try_clone(&self) -> Option<Self> {
        let mut copy = Self::new(self.body().replay()?);
        *copy.method_mut() = self.method().clone();
        *copy.uri_mut() = self.uri().clone();
        *copy.version_mut() = self.version();
        copy.headers_mut().clone_from(self.headers());
        copy.extensions_mut().clone_from(self.extensions());
        Some(copy)
    }

    fn is_whole(&self) -> bool {
        self.body().is_whole()
    }

    fn spare(&mut self) -> Option<Kept<B>> {
        Kept::of(self)
    }

    fn restore(spare: Kept<B>) -> Option<Self> {
        Some(spare.into_request()).filter(Self::is_whole)
    }

    fn read_ahead(
        &mut self,
        limit: usize,
    ) -> impl Future<Output = Result<Bytes, ReadAheadError>> + Send {
        self.body_mut().read_ahead(limit)
    }
}
