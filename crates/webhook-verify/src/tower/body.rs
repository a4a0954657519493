//! The bodies of the receiving face: what goes in, and what comes out.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// A body that was read whole and verified: the bytes as they came, then the trailers if any.
///
/// The signature covers the bytes; it does not cover trailers. `Debug` shows how many bytes there
/// are and not which, since they are a customer's data.
#[derive(Clone, Default)]
pub struct VerifiedBody {
    bytes: Bytes,
    trailers: Option<HeaderMap>,
}

pin_project! {
    /// The body of an answer: that of the inner service, or the problem of a rejection.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<B> {
        Inner { #[pin] body: B },
        Problem { bytes: Bytes },
    }
}

// === impl VerifiedBody ===

impl VerifiedBody {
    /// The bytes that were verified.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes that were verified, without a copy.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    pub(super) fn new(bytes: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self { bytes, trailers }
    }
}

impl fmt::Debug for VerifiedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedBody")
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl Body for VerifiedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = if self.bytes.is_empty() {
            self.trailers.take().map(Frame::trailers)
        } else {
            Some(Frame::data(std::mem::take(&mut self.bytes)))
        };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

// === impl ResponseBody ===

impl<B> ResponseBody<B> {
    pub(super) fn inner(body: B) -> Self {
        Self {
            kind: Kind::Inner { body },
        }
    }

    pub(super) fn problem(bytes: Bytes) -> Self {
        Self {
            kind: Kind::Problem { bytes },
        }
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Inner { body } => body.poll_frame(cx),
            KindProjection::Problem { bytes } => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Problem { bytes } => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Problem { bytes } => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_length_of_a_body_and_neither_its_words_nor_its_trailers() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-secret", http::HeaderValue::from_static("hunter2"));
        let body = VerifiedBody::new(Bytes::from_static(b"cpf 123"), Some(trailers));
        assert_eq!(format!("{body:?}"), "VerifiedBody { len: 7, .. }");
    }
}
