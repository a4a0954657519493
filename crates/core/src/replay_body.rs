use std::{
    error::Error,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::{
    BoxError, ReadAheadError, Replay,
    read_ahead::{Turns, is_over, join},
};

/// Makes a streaming body replayable: buffers what is read of it, while it is sent, up to a cap.
///
/// Nothing is read ahead, so the first attempt streams as before. Over the cap the buffer is
/// dropped and the body goes on streaming, but is sent once only: copies of it are no longer
/// [whole](Replay::is_whole). A body of which not a byte was read can always be sent again,
/// whatever its size. Only who asks for the [whole body](Replay::read_ahead) reads ahead, and
/// brings a limit of its own instead of the cap.
///
/// The copies are for one attempt after the other, in whatever order they were made. A copy that
/// begins to be read takes over, and the one before it fails with [`ReplayError::Superseded`]. One
/// that is no longer whole takes nothing over: it fails, and the one before it goes on.
pub struct ReplayBody<B> {
    source: Arc<Mutex<Source<B>>>,
    /// Which copy in the order in which they began to be read, from 1; `None` before that. The
    /// order in which they were made says nothing: a retry around a replay makes its copy first and
    /// sends it last.
    turn: Option<u64>,
    /// How many buffered chunks, and bytes in all, this copy has given.
    chunks: usize,
    bytes: u64,
    ended: bool,
}

/// Why a [`ReplayBody`] failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReplayError {
    /// More was read of it than the cap allows to keep. The sender should have asked
    /// [`Replay::is_whole`].
    NotWhole,
    /// A later copy is being read.
    Superseded,
    /// The body itself failed.
    Body(BoxError),
}

struct Source<B> {
    inner: Pin<Box<B>>,
    hint: SizeHint,
    cap: usize,
    chunks: Vec<Bytes>,
    buffered: usize,
    overflowed: bool,
    /// The body has ended, with these trailers.
    ended: Option<Option<HeaderMap>>,
    /// How many copies have begun to be read; the last one may read on.
    turns: u64,
    /// How that one is woken.
    waker: Option<Waker>,
}

// === impl ReplayBody ===

impl<B: Body> ReplayBody<B> {
    /// The default cap: 64 KiB.
    pub const DEFAULT_CAP: usize = 64 * 1024;

    /// Buffers up to [`DEFAULT_CAP`](Self::DEFAULT_CAP) bytes.
    #[must_use]
    pub fn new(body: B) -> Self {
        Self::with_cap(body, Self::DEFAULT_CAP)
    }

    /// Buffers up to `cap` bytes. With 0, the body can be sent again only while nothing was read
    /// of it.
    #[must_use]
    pub fn with_cap(body: B, cap: usize) -> Self {
        let source = Source {
            hint: body.size_hint(),
            inner: Box::pin(body),
            cap,
            chunks: Vec::new(),
            buffered: 0,
            overflowed: false,
            ended: None,
            turns: 0,
            waker: None,
        };
        Self {
            source: Arc::new(Mutex::new(source)),
            turn: None,
            chunks: 0,
            bytes: 0,
            ended: false,
        }
    }
}

impl<B> ReplayBody<B> {
    /// Whether all of it was read, and there were no trailers.
    #[cfg(feature = "reqwest")]
    pub(crate) fn has_ended_without_trailers(&self) -> bool {
        matches!(self.lock().ended, Some(None))
    }

    fn lock(&self) -> MutexGuard<'_, Source<B>> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B> Replay for ReplayBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    fn replay(&self) -> Option<Self> {
        if self.lock().overflowed {
            return None;
        }
        Some(Self {
            source: Arc::clone(&self.source),
            turn: None,
            chunks: 0,
            bytes: 0,
            ended: false,
        })
    }

    fn is_whole(&self) -> bool {
        !self.lock().overflowed
    }

    fn read_ahead(
        &mut self,
        limit: usize,
    ) -> impl Future<Output = Result<Bytes, ReadAheadError>> + Send
    where
        Self: Send,
    {
        let begun = self.ended || self.bytes > 0;
        if !begun {
            // It begins once more when it is sent.
            self.turn = None;
        }
        let mut turn = None;
        poll_fn(move |cx| {
            if begun {
                return Poll::Ready(Err(ReadAheadError::NotWhole));
            }
            let mut source = self.lock();
            let (read, displaced) = match source.take_turn(&mut turn) {
                Ok(displaced) => (source.poll_ahead(cx, limit), displaced),
                Err(ReplayError::NotWhole) => (Poll::Ready(Err(ReadAheadError::NotWhole)), None),
                Err(error) => (Poll::Ready(Err(ReadAheadError::Body(error.into()))), None),
            };
            drop(source);
            if let Some(waker) = displaced {
                waker.wake();
            }
            read
        })
    }
}

impl<B> Body for ReplayBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = ReplayError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReplayError>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let mut source = this.source.lock().unwrap_or_else(PoisonError::into_inner);
        let (frame, displaced) = match source.take_turn(&mut this.turn) {
            Ok(displaced) => (source.poll_copy(cx, this.chunks), displaced),
            Err(error) => (Poll::Ready(Some(Err(error))), None),
        };
        drop(source);
        // Woken without the lock: who knows what a waker runs.
        if let Some(waker) = displaced {
            waker.wake();
        }
        let frame = ready!(frame);
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    // Like the buffer, which keeps no empty ones.
                    this.chunks += usize::from(!data.is_empty());
                    this.bytes += data.len() as u64;
                } else {
                    this.ended = true;
                }
            }
            None | Some(Err(_)) => this.ended = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        if self.ended {
            return true;
        }
        let source = self.lock();
        let read_all = !source.overflowed && self.chunks == source.chunks.len();
        match &source.ended {
            Some(trailers) => read_all && trailers.is_none(),
            None => read_all && source.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        // Of the whole body, less what this copy has given: a copy announces what the first did.
        let whole = &self.lock().hint;
        let mut hint = SizeHint::new();
        if let Some(upper) = whole.upper() {
            hint.set_upper(upper.saturating_sub(self.bytes));
        }
        hint.set_lower(whole.lower().saturating_sub(self.bytes));
        hint
    }
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.lock();
        f.debug_struct("ReplayBody")
            .field("cap", &source.cap)
            .field("buffered", &source.buffered)
            .field("whole", &!source.overflowed)
            .finish_non_exhaustive()
    }
}

// === impl Source ===

impl<B> Source<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// Lets a copy read that is the last to have begun, or begins now. Gives the waker of the one
    /// before, which waits in vain from now on and learns so when it is polled again.
    fn take_turn(&mut self, turn: &mut Option<u64>) -> Result<Option<Waker>, ReplayError> {
        match *turn {
            Some(turn) if turn == self.turns => Ok(None),
            Some(_) => Err(ReplayError::Superseded),
            None if self.overflowed => Err(ReplayError::NotWhole),
            None => {
                self.turns += 1;
                *turn = Some(self.turns);
                Ok(self.waker.take())
            }
        }
    }

    /// The next frame for a copy that has had `chunks` of them.
    fn poll_copy(
        &mut self,
        cx: &mut Context<'_>,
        chunks: usize,
    ) -> Poll<Option<Result<Frame<Bytes>, ReplayError>>> {
        if let Some(chunk) = self.chunks.get(chunks) {
            return Poll::Ready(Some(Ok(Frame::data(chunk.clone()))));
        }
        if let Some(trailers) = &self.ended {
            return Poll::Ready(trailers.clone().map(|t| Ok(Frame::trailers(t))));
        }
        match self.inner.as_mut().poll_frame(cx) {
            Poll::Pending => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Poll::Ready(frame) => {
                self.waker = None;
                Poll::Ready(self.keep(frame, self.cap))
            }
        }
    }

    /// Reads on to the end and keeps all of it, whatever the cap, since it is still to be sent.
    /// Stops, and keeps what it has, as soon as that is more than `limit` bytes.
    fn poll_ahead(
        &mut self,
        cx: &mut Context<'_>,
        limit: usize,
    ) -> Poll<Result<Bytes, ReadAheadError>> {
        let mut turns = Turns::default();
        loop {
            if self.overflowed {
                return Poll::Ready(Err(ReadAheadError::NotWhole));
            }
            let Some(left) = limit.checked_sub(self.buffered) else {
                return Poll::Ready(Err(ReadAheadError::TooLarge { limit }));
            };
            if self.ended.is_some() {
                return Poll::Ready(Ok(join(&self.chunks)));
            }
            if is_over(self.inner.size_hint().lower(), left) {
                return Poll::Ready(Err(ReadAheadError::TooLarge { limit }));
            }
            let polled = match turns.poll(cx) {
                Poll::Ready(()) => self.inner.as_mut().poll_frame(cx),
                Poll::Pending => Poll::Pending,
            };
            let Poll::Ready(frame) = polled else {
                self.waker = Some(cx.waker().clone());
                return Poll::Pending;
            };
            self.waker = None;
            if let Some(Err(error)) = self.keep(frame, usize::MAX) {
                return Poll::Ready(Err(ReadAheadError::Body(error.into())));
            }
        }
    }

    fn keep(
        &mut self,
        frame: Option<Result<Frame<B::Data>, B::Error>>,
        cap: usize,
    ) -> Option<Result<Frame<Bytes>, ReplayError>> {
        match frame {
            None => {
                self.ended = Some(None);
                None
            }
            Some(Err(error)) => {
                // Whatever was buffered, the rest cannot be had any more.
                self.overflow();
                Some(Err(ReplayError::Body(error.into())))
            }
            Some(Ok(frame)) => {
                let frame = frame.map_data(|mut data| data.copy_to_bytes(data.remaining()));
                if let Some(data) = frame.data_ref() {
                    self.buffer(data, cap);
                } else if let Some(trailers) = frame.trailers_ref() {
                    self.ended = Some(Some(trailers.clone()));
                }
                Some(Ok(frame))
            }
        }
    }

    fn buffer(&mut self, data: &Bytes, cap: usize) {
        // An empty chunk weighs nothing, so no cap would bound how many are kept.
        if self.overflowed || data.is_empty() {
            return;
        }
        self.buffered = self.buffered.saturating_add(data.len());
        if self.buffered > cap {
            self.overflow();
        } else {
            self.chunks.push(data.clone());
        }
    }

    fn overflow(&mut self) {
        self.overflowed = true;
        self.chunks = Vec::new();
        self.buffered = 0;
    }
}

// === impl ReplayError ===

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotWhole => "the request body outgrew its replay buffer and was sent once only",
            Self::Superseded => "a later attempt is sending this request body",
            Self::Body(_) => "the request body failed",
        })
    }
}

impl Error for ReplayError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Body(error) => Some(error.as_ref()),
            Self::NotWhole | Self::Superseded => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::{BodyExt, Full, channel::Channel};

    use super::*;

    /// A body that arrives in these chunks.
    fn chunked(chunks: &[&'static str]) -> impl Body<Data = Bytes, Error = Infallible> + use<> {
        struct Chunks(std::collections::VecDeque<Bytes>);
        impl Body for Chunks {
            type Data = Bytes;
            type Error = Infallible;
            fn poll_frame(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
                Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
            }
        }
        Chunks(
            chunks
                .iter()
                .map(|c| Bytes::from_static(c.as_bytes()))
                .collect(),
        )
    }

    async fn text(body: impl Body<Data = Bytes, Error = ReplayError>) -> String {
        let bytes = body.collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_copy_sends_the_same_bytes_as_the_original() {
        let body = ReplayBody::new(chunked(&["one ", "two ", "three"]));
        let copy = body.replay().unwrap();
        assert_eq!(text(body).await, "one two three");
        assert!(copy.is_whole());
        let third = copy.replay().unwrap();
        assert_eq!(text(copy).await, "one two three");
        assert_eq!(text(third).await, "one two three");
    }

    #[tokio::test]
    async fn a_copy_goes_on_where_a_half_sent_original_stopped() {
        let mut body = ReplayBody::new(chunked(&["one ", "two ", "three"]));
        let copy = body.replay().unwrap();
        body.frame().await.unwrap().unwrap();
        drop(body);
        assert_eq!(text(copy).await, "one two three");
    }

    #[tokio::test]
    async fn over_the_cap_a_body_is_sent_once_and_whole() {
        let body = ReplayBody::with_cap(chunked(&["one ", "two ", "three"]), 5);
        let copy = body.replay().unwrap();
        assert!(copy.is_whole());
        assert_eq!(text(body).await, "one two three");
        assert!(!copy.is_whole(), "its beginning is gone");
        assert!(copy.replay().is_none());
        let error = copy.collect().await.unwrap_err();
        assert!(
            matches!(error, ReplayError::NotWhole),
            "never a body with a hole"
        );
    }

    #[tokio::test]
    async fn copies_are_sent_in_any_order_one_after_the_other() {
        let body = ReplayBody::new(chunked(&["one ", "two ", "three"]));
        // A retry makes its copy, then a replay below it makes another and sends that one first.
        let of_the_retry = body.replay().unwrap();
        let of_the_replay = body.replay().unwrap();
        assert_eq!(text(body).await, "one two three");
        assert_eq!(text(of_the_replay).await, "one two three");
        assert_eq!(text(of_the_retry).await, "one two three");
    }

    #[tokio::test]
    async fn a_copy_that_is_not_whole_leaves_the_one_before_alone() {
        let mut body = ReplayBody::with_cap(chunked(&["one ", "two ", "three"]), 0);
        let copy = body.replay().unwrap();
        body.frame().await.unwrap().unwrap();
        assert!(matches!(copy.collect().await, Err(ReplayError::NotWhole)));
        assert_eq!(text(body).await, "two three");
    }

    #[tokio::test]
    async fn empty_chunks_are_not_kept() {
        let body = ReplayBody::new(chunked(&["", "one ", "", "", "two", ""]));
        let copy = body.replay().unwrap();
        assert_eq!(text(body).await, "one two");
        assert_eq!(copy.lock().chunks.len(), 2);
        assert_eq!(text(copy).await, "one two");
    }

    #[tokio::test]
    async fn a_body_of_which_nothing_was_read_is_whole_whatever_its_size() {
        let body = ReplayBody::with_cap(Full::new(Bytes::from(vec![b'x'; 1 << 20])), 0);
        let copy = body.replay().unwrap();
        drop(body);
        assert!(copy.is_whole());
        assert_eq!(copy.size_hint().exact(), Some(1 << 20));
        assert_eq!(text(copy).await.len(), 1 << 20);
    }

    #[tokio::test]
    async fn trailers_are_sent_again_too() {
        let (mut send, body) = Channel::<Bytes>::new(4);
        send.send_data(Bytes::from_static(b"x")).await.unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", http::HeaderValue::from_static("1"));
        send.send_trailers(trailers.clone()).await.unwrap();
        drop(send);
        let body = ReplayBody::new(body);
        let copy = body.replay().unwrap();
        assert_eq!(body.collect().await.unwrap().trailers(), Some(&trailers));
        assert_eq!(copy.collect().await.unwrap().trailers(), Some(&trailers));
    }

    #[tokio::test]
    async fn a_copy_takes_over_from_one_that_still_waits() {
        let (mut send, body) = Channel::<Bytes>::new(4);
        let mut body = ReplayBody::new(body);
        let copy = body.replay().unwrap();
        send.send_data(Bytes::from_static(b"one ")).await.unwrap();
        body.frame().await.unwrap().unwrap();
        let waiting = tokio::spawn(async move { body.frame().await });
        tokio::task::yield_now().await;
        let taken_over = tokio::spawn(text(copy));
        tokio::task::yield_now().await;
        send.send_data(Bytes::from_static(b"two")).await.unwrap();
        drop(send);
        assert_eq!(taken_over.await.unwrap(), "one two");
        let late = waiting.await.unwrap();
        assert!(matches!(late, Some(Err(ReplayError::Superseded))));
    }
}
