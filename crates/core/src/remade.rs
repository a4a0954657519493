use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{BoxError, Replay};

pin_project! {
    /// A body that is made when it is sent, and made anew each time it is sent again: for a file,
    /// or a stream that can be had a second time. Nothing of it is held in memory.
    ///
    /// What `make` gives must say the same each time.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use golive_core::{Remade, Replay};
    /// use http_body_util::{BodyExt, Full};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), golive_core::BoxError> {
    /// let path = "Cargo.toml";
    /// let body = Remade::new(move || std::fs::read(path).map(|bytes| Full::new(Bytes::from(bytes))));
    /// let again = body.replay().ok_or("always")?;
    /// assert_eq!(body.collect().await?.to_bytes(), again.collect().await?.to_bytes());
    /// # Ok(())
    /// # }
    /// ```
    pub struct Remade<F, B> {
        make: F,
        len: Option<u64>,
        #[pin]
        body: Option<B>,
        ended: bool,
    }
}

// === impl Remade ===

impl<F, B, E> Remade<F, B>
where
    F: Fn() -> Result<B, E>,
    B: Body,
{
    /// A body of a length that is not known before it is sent. `make` is called when it is first
    /// polled; if it fails, that is the error of the body.
    #[must_use]
    pub fn new(make: F) -> Self {
        Self {
            make,
            len: None,
            body: None,
            ended: false,
        }
    }

    /// Says how many bytes there are, so that they are announced as `Content-Length`.
    #[must_use]
    pub fn with_len(self, bytes: u64) -> Self {
        Self {
            len: Some(bytes),
            ..self
        }
    }
}

impl<F, B, E> Replay for Remade<F, B>
where
    F: Fn() -> Result<B, E> + Clone,
    B: Body<Error: Into<BoxError>>,
    E: Into<BoxError>,
{
    fn replay(&self) -> Option<Self> {
        Some(Self {
            make: self.make.clone(),
            len: self.len,
            body: None,
            ended: false,
        })
    }
}

impl<F, B, E> Body for Remade<F, B>
where
    F: Fn() -> Result<B, E>,
    B: Body<Error: Into<BoxError>>,
    E: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        if this.body.is_none() {
            match (this.make)() {
                Ok(body) => this.body.set(Some(body)),
                Err(error) => {
                    *this.ended = true;
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
        let Some(body) = this.body.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let frame = ready!(body.poll_frame(cx));
        *this.ended = !matches!(frame, Some(Ok(_)));
        Poll::Ready(frame.map(|frame| {
            frame
                .map(|f| f.map_data(|mut data| data.copy_to_bytes(data.remaining())))
                .map_err(Into::into)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.body, self.len) {
            (Some(body), _) => body.size_hint(),
            (None, Some(len)) => SizeHint::with_exact(len),
            (None, None) => SizeHint::default(),
        }
    }
}

impl<F, B> fmt::Debug for Remade<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remade")
            .field("len", &self.len)
            .field("begun", &self.body.is_some())
            .finish_non_exhaustive()
    }
}
