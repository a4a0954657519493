use std::{
    error::Error,
    fmt,
    future::poll_fn,
    pin::pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;

use crate::BoxError;

/// Why the body of a request could not be [seen whole](crate::Request::read_ahead).
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadAheadError {
    /// It has more bytes than were asked for. Nothing is lost: it can still be sent.
    TooLarge {
        /// How many bytes were asked for at most.
        limit: usize,
    },
    /// It can no longer be sent whole, or can be sent only once and not looked at.
    NotWhole,
    /// The body itself failed, so there is nothing whole to be sent.
    Body(BoxError),
}

/// Gives other tasks their turn after so many frames that were there at once: a body of endless
/// empty frames is never over the limit, and a timeout further out would never be asked.
#[derive(Default)]
pub(crate) struct Turns(u32);

/// Reads a body that nobody else needs to its end.
pub(crate) async fn read<B>(body: B, limit: usize) -> Result<Bytes, ReadAheadError>
where
    B: Body<Error: Into<BoxError>>,
{
    if is_over(body.size_hint().lower(), limit) {
        return Err(ReadAheadError::TooLarge { limit });
    }
    let mut body = pin!(body);
    // One frame is the common case and is kept as it came; more are joined.
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    let mut turns = Turns::default();
    while let Some(frame) = poll_fn(|cx| match turns.poll(cx) {
        Poll::Ready(()) => body.as_mut().poll_frame(cx),
        Poll::Pending => Poll::Pending,
    })
    .await
    {
        let frame = frame.map_err(|error| ReadAheadError::Body(error.into()))?;
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        let have = first.len().max(joined.len());
        if data.remaining() > limit - have {
            return Err(ReadAheadError::TooLarge { limit });
        }
        if !data.has_remaining() {
            // No reason to join anything.
            continue;
        }
        let data = data.copy_to_bytes(data.remaining());
        if have == 0 {
            first = data;
        } else {
            if joined.is_empty() {
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() {
        first
    } else {
        joined.freeze()
    })
}

/// The chunks as one; a single one is shared, not copied.
pub(crate) fn join(chunks: &[Bytes]) -> Bytes {
    match chunks {
        [] => Bytes::new(),
        [one] => one.clone(),
        many => many.concat().into(),
    }
}

/// Whether so many bytes are more than `limit`.
pub(crate) fn is_over(bytes: u64, limit: usize) -> bool {
    usize::try_from(bytes).map_or(true, |bytes| bytes > limit)
}

// === impl Turns ===

impl Turns {
    const AT_ONCE: u32 = 64;

    /// Ready for one more frame, or the end of this turn; then the task is woken again.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == Self::AT_ONCE {
            self.0 = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.0 += 1;
        Poll::Ready(())
    }
}

// === impl ReadAheadError ===

impl fmt::Display for ReadAheadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => write!(
                f,
                "the request body has more than {limit} bytes: send less, or raise that limit"
            ),
            Self::NotWhole => f.write_str(
                "part of the request body was sent already, or it can be sent once only: read it \
                 ahead before it is sent, and wrap one that streams in a ReplayBody",
            ),
            Self::Body(_) => f.write_str("the request body failed before it was whole"),
        }
    }
}

impl Error for ReadAheadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Body(error) => Some(error.as_ref()),
            Self::TooLarge { .. } | Self::NotWhole => None,
        }
    }
}
