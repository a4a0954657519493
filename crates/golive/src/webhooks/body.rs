//! The body of an answer.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use golive_webhook_inbox::tower::AcceptBody;
use golive_webhook_verify::tower::ResponseBody;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};

/// The body of an answer: empty, or a problem.
#[derive(Debug)]
pub struct WebhookBody(Either<ResponseBody<AcceptBody>, Full<Bytes>>);

// === impl WebhookBody ===

impl WebhookBody {
    pub(super) fn inner(body: ResponseBody<AcceptBody>) -> Self {
        Self(Either::Left(body))
    }

    pub(super) fn problem(bytes: Bytes) -> Self {
        Self(Either::Right(Full::new(bytes)))
    }
}

impl Body for WebhookBody {
    type Data = Bytes;
    type Error = golive_core::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
