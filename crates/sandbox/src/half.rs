//! Half an answer: announced whole, and broken off.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_LENGTH;
use hyper::body::Frame;
use tokio::time::{Sleep, sleep};

use crate::record::{Answer, Open};
use crate::server::Ending;

/// How long the half has to reach the client before the connection ends. A reset throws away what
/// was not read by then.
const UNDER_WAY: Duration = Duration::from_millis(20);

/// The answer with the first half of its body, then the end of the connection.
pub(crate) fn of(
    response: http::Response<Bytes>,
    open: Open,
    processed: bool,
    ending: Option<Ending>,
) -> Response {
    let (mut parts, body) = response.into_parts();
    // An empty body has no half; then one byte is announced that never comes.
    let announced = body.len().max(1);
    parts
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(announced));
    let half = Half {
        first: Some(body.slice(..body.len() / 2)).filter(|half| !half.is_empty()),
        wait: Box::pin(sleep(UNDER_WAY)),
        end: Some((open, ending)),
        processed,
    };
    Response::from_parts(parts, Body::new(half))
}

struct Half {
    first: Option<Bytes>,
    wait: Pin<Box<Sleep>>,
    end: Option<(Open, Option<Ending>)>,
    processed: bool,
}

impl HttpBody for Half {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        ready!(self.wait.as_mut().poll(cx));
        if let Some((open, ending)) = self.end.take() {
            open.end(Answer::Cut {
                processed: self.processed,
            });
            if let Some(ending) = ending {
                ending.now();
            }
        }
        // The connection's task drops this body with the connection.
        Poll::Pending
    }
}
