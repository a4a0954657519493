use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http::{Extensions, HeaderMap, StatusCode};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{Peeked, Response, message::sealed::Sealed};

pin_project! {
    /// The body of a response of the tower face: `B`, with what was already read of it put back in
    /// front, so that an error body can be looked at and handed on whole without a box.
    pub struct Body<B: http_body::Body> {
        #[pin]
        inner: B,
        prefix: Bytes,
        tail: Tail<B::Error>,
    }
}

/// What comes after the prefix.
enum Tail<E> {
    /// The rest of the inner body.
    Inner,
    /// The inner body has ended like this.
    Trailers(HeaderMap),
    Failed(E),
    End,
}

// === impl Body ===

impl<B: http_body::Body> Body<B> {
    /// A body of which nothing was read.
    #[must_use]
    pub fn new(inner: B) -> Self {
        Self {
            inner,
            prefix: Bytes::new(),
            tail: Tail::Inner,
        }
    }
}

impl<B: http_body::Body + Unpin> Body<B> {
    /// Reads until `limit` bytes are there or the body has ended; says whether it ended well.
    pub(crate) async fn fill(&mut self, limit: usize) -> bool {
        // One frame is the common case and is kept as it came; more are joined.
        let mut joined = BytesMut::new();
        let mut have = self.prefix.len();
        while have < limit && matches!(self.tail, Tail::Inner) {
            let frame = std::future::poll_fn(|cx| Pin::new(&mut self.inner).poll_frame(cx)).await;
            match frame.map(|f| f.map(Frame::into_data)) {
                None => self.tail = Tail::End,
                Some(Err(error)) => self.tail = Tail::Failed(error),
                Some(Ok(Ok(mut data))) => {
                    let data = data.copy_to_bytes(data.remaining());
                    have += data.len();
                    if self.prefix.is_empty() && joined.is_empty() {
                        self.prefix = data;
                    } else {
                        if joined.is_empty() {
                            joined.extend_from_slice(&self.prefix);
                        }
                        joined.extend_from_slice(&data);
                        self.prefix = Bytes::new();
                    }
                }
                Some(Ok(Err(frame))) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        self.tail = Tail::Trailers(trailers);
                    }
                }
            }
        }
        if !joined.is_empty() {
            self.prefix = joined.freeze();
        }
        self.inner_is_read()
    }

    fn inner_is_read(&self) -> bool {
        match self.tail {
            Tail::Inner => self.inner.is_end_stream(),
            Tail::Trailers(_) | Tail::End => true,
            Tail::Failed(_) => false,
        }
    }

    /// How much was read ahead.
    pub(crate) fn len(&self) -> usize {
        self.prefix.len()
    }

    /// Whether it fails after what was read ahead.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.tail, Tail::Failed(_))
    }

    pub(crate) fn prefix(&self, limit: usize) -> Bytes {
        self.prefix.slice(..self.prefix.len().min(limit))
    }
}

impl<B: http_body::Body> http_body::Body for Body<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        if !this.prefix.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(this.prefix)))));
        }
        match this.tail {
            Tail::Inner => {
                let frame = ready!(this.inner.poll_frame(cx));
                Poll::Ready(frame.map(|frame| {
                    // Free for `Bytes`, the data of nearly every body.
                    frame.map(|f| f.map_data(|mut data| data.copy_to_bytes(data.remaining())))
                }))
            }
            tail => Poll::Ready(match std::mem::replace(tail, Tail::End) {
                Tail::Trailers(trailers) => Some(Ok(Frame::trailers(trailers))),
                Tail::Failed(error) => Some(Err(error)),
                Tail::Inner | Tail::End => None,
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.prefix.is_empty()
            && match self.tail {
                Tail::Inner => self.inner.is_end_stream(),
                Tail::Trailers(_) | Tail::Failed(_) => false,
                Tail::End => true,
            }
    }

    fn size_hint(&self) -> SizeHint {
        let prefix = self.prefix.len() as u64;
        if !matches!(self.tail, Tail::Inner) {
            return SizeHint::with_exact(prefix);
        }
        let inner = self.inner.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(prefix));
        }
        hint.set_lower(inner.lower().saturating_add(prefix));
        hint
    }
}

impl<B: http_body::Body + Default> Default for Body<B> {
    fn default() -> Self {
        Self::new(B::default())
    }
}

impl<B: http_body::Body> fmt::Debug for Body<B> {
    // Never the bytes: an answer of a bank is nobody's log line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("prefix_len", &self.prefix.len())
            .finish_non_exhaustive()
    }
}

impl<B: http_body::Body> Sealed for http::Response<Body<B>> {}

impl<B> Response for http::Response<Body<B>>
where
    B: http_body::Body + Send + Unpin,
    B::Error: Send,
{
    fn status(&self) -> StatusCode {
        self.status()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }

    fn extensions(&self) -> &Extensions {
        self.extensions()
    }

    fn extensions_mut(&mut self) -> &mut Extensions {
        self.extensions_mut()
    }

    async fn peek(mut self, limit: usize) -> Peeked<Self> {
        let complete = self.body_mut().fill(limit).await;
        let bytes = self.body().prefix(limit);
        let complete = complete && self.body().len() <= limit;
        let failed = self.body().has_failed() && self.body().len() <= limit;
        Peeked::new(self, bytes, complete).failed(failed)
    }
}
