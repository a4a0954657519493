use bytes::Bytes;
use http_body::Body;

use crate::{BoxError, ReadAheadError, read_ahead::read};

/// Whether a request body can be sent again.
///
/// Every body that is `Clone` can: `Full`, `Empty`, `String`. A body that streams is wrapped in a
/// [`ReplayBody`](crate::ReplayBody) first.
pub trait Replay: Body<Error: Into<BoxError>> + Sized {
    /// A copy that sends the same bytes, or `None` if there cannot be one.
    fn replay(&self) -> Option<Self>;

    /// Whether every byte can still be sent.
    fn is_whole(&self) -> bool {
        true
    }

    /// The whole body as it will be sent, if it has at most `limit` bytes; see
    /// [`Request::read_ahead`](crate::Request::read_ahead).
    ///
    /// Reads a [copy](Self::replay) unless it is implemented otherwise. A body that wraps a
    /// [`ReplayBody`](crate::ReplayBody) hands this on to it.
    ///
    /// # Errors
    /// [`ReadAheadError`].
    fn read_ahead(
        &mut self,
        limit: usize,
    ) -> impl Future<Output = Result<Bytes, ReadAheadError>> + Send
    where
        Self: Send,
    {
        let copy = self.replay();
        async move {
            let copy = copy.ok_or(ReadAheadError::NotWhole)?;
            match read(copy, limit).await {
                Err(ReadAheadError::Body(error)) => Err(ReadAheadError::Body(error)),
                // What was read of the copy may have been more than the original keeps.
                _ if !self.is_whole() => Err(ReadAheadError::NotWhole),
                read => read,
            }
        }
    }
}

impl<B: Body<Error: Into<BoxError>> + Clone> Replay for B {
    fn replay(&self) -> Option<Self> {
        Some(self.clone())
    }
}
