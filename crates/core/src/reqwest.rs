//! The reqwest face: every [`Middleware`](crate::Middleware) is a
//! [`reqwest_middleware::Middleware`].
//!
//! reqwest's own messages go through untouched. Its errors do too; ours arrive as
//! [`reqwest_middleware::Error::Middleware`] ([`caused_by`](crate::caused_by) finds them).

use std::{
    hash::{DefaultHasher, Hasher},
    pin::Pin,
};

use ::reqwest::ResponseBuilderExt;
pub use ::reqwest::{Request, Response};
use bytes::Bytes;
pub use http::Extensions;
use http::{HeaderMap, Method, StatusCode};
pub use reqwest_middleware::{Error, Middleware, Next};

mod remake;

use self::remake::Remakable;
pub use self::remake::Remake;
use crate::{
    Body, BoxError, Call, Exchange, Failure, Origin, Own, Peeked, ReadAheadError, Replay,
    ReplayBody, Stack,
    held::{Held, Place, Slot},
    message::sealed::Sealed,
    read_ahead::read,
    session::{Line, Session},
};

/// The future of [`handle`].
pub type Handled<'a> = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send + 'a>>;

/// Runs a middleware of ours as one of reqwest's; for [`faces!`](crate::faces).
pub fn handle<'a, M: crate::Middleware>(
    middleware: &'a M,
    req: Request,
    extensions: &'a mut Extensions,
    next: Next<'a>,
) -> Handled<'a> {
    let mut slot = Slot::new(Remakable::new(req, extensions));
    // The box first: a future is larger than what it begins with, and all of it would be moved.
    let place = Box::new_uninit();
    let future = Box::write(place, async move {
        let mut session = Session::begin(extensions);
        let below = Below {
            next,
            pristine: extensions.clone(),
            extensions: &mut *extensions,
            sent: false,
            line: &mut session.line,
        };
        let place = Place::new();
        let req = Held::InPlace(&mut slot, &place);
        match middleware.handle(&mut session.call, req, below).await {
            Ok(mut response) => {
                session.end(response.extensions_mut());
                Ok(response)
            }
            // An error has no extensions of its own.
            Err(Raw(error)) => {
                session.end(extensions);
                Err(error)
            }
        }
    });
    Box::into_pin(future)
}

// === impl Stack ===

impl<M: crate::Middleware> Middleware for Stack<M> {
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        req: Request,
        extensions: &'b mut Extensions,
        next: Next<'c>,
    ) -> Handled<'d>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        handle(self, req, extensions, next)
    }
}

/// `Next` as an [`Exchange`].
struct Below<'a, 'l> {
    next: Next<'a>,
    extensions: &'a mut Extensions,
    /// What the caller put in: each attempt begins with this, not with what the one before left.
    pristine: Extensions,
    sent: bool,
    line: &'l mut Line,
}

/// reqwest-middleware's error, untouched.
struct Raw(Error);

impl Drop for Below<'_, '_> {
    // On every way out, a cancellation too: what lies above may use these extensions again.
    fn drop(&mut self) {
        Line::clear(self.extensions);
    }
}

// === impl Below ===

impl Exchange<Held<'_, Remakable>> for Below<'_, '_> {
    type Response = Response;
    type Error = Raw;

    #[allow(
        clippy::manual_async_fn,
        reason = "an `async fn` keeps its arguments twice, and each call in flight has room for both"
    )]
    fn send(
        &mut self,
        call: &mut Call,
        req: Held<'_, Remakable>,
    ) -> impl Future<Output = Result<Response, Raw>> + Send {
        async move {
            if std::mem::replace(&mut self.sent, true) {
                self.extensions.clone_from(&self.pristine);
            }
            let lent = self.line.lend(call, self.extensions);
            let (url, attempt) = {
                let req = req.into_inner().into_inner();
                (hash(req.url()), self.next.clone().run(req, self.extensions))
            };
            let result = attempt.await;
            let told = result
                .as_ref()
                .map_or(&*self.extensions, Response::extensions);
            lent.back(Some(told));
            if let Ok(response) = &result {
                call.set_redirected(url != hash(response.url()));
            }
            result.map_err(Raw)
        }
    }
}

/// Which URL this is, for a look whether a redirect was followed. Not the URL: a copy of it is an
/// allocation for each attempt.
fn hash(url: &::reqwest::Url) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(url.as_str().as_bytes());
    hasher.finish()
}

// === impl Raw ===

impl Failure for Raw {
    fn as_error(&self) -> &(dyn std::error::Error + 'static) {
        inside(&self.0)
    }
}

impl From<Own> for Raw {
    fn from(own: Own) -> Self {
        Self(Error::Middleware(own.into_anyhow()))
    }
}

/// The error that reqwest-middleware's holds. That one is transparent, so walking its sources
/// would begin behind it.
pub(crate) fn inside(error: &Error) -> &(dyn std::error::Error + 'static) {
    match error {
        Error::Reqwest(error) => error,
        Error::Middleware(error) => match error.downcast_ref::<BoxError>() {
            // `anyhow::Error::from_boxed` keeps the box as a layer of its own.
            Some(error) => error.as_ref(),
            None => error.as_ref(),
        },
    }
}

// === the messages ===

impl Sealed for Request {}

impl crate::Request for Request {
    type Spare = Self;

    fn method(&self) -> &Method {
        self.method()
    }

    fn origin(&self) -> Option<Origin<'_>> {
        let url = self.url();
        Origin::new(url.scheme(), url.host_str()?, url.port())
    }

    fn path(&self) -> &str {
        self.url().path()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }

    fn try_clone(&self) -> Option<Self> {
        self.try_clone()
    }

    fn is_whole(&self) -> bool {
        true
    }

    fn spare(&mut self) -> Option<Self> {
        (*self).try_clone()
    }

    fn restore(spare: Self) -> Option<Self> {
        Some(spare)
    }

    async fn read_ahead(&mut self, limit: usize) -> Result<Bytes, ReadAheadError> {
        let Some(body) = self.body_mut() else {
            return Ok(Bytes::new());
        };
        if let Some(bytes) = body.as_bytes() {
            if bytes.len() > limit {
                return Err(ReadAheadError::TooLarge { limit });
            }
            // Lent, they would have to be copied; taken out and put back, they are shared. One in
            // memory is not waited for, so nothing can come between.
            let bytes = read(std::mem::take(body), limit).await?;
            *body = bytes.clone().into();
            return Ok(bytes);
        }
        // What is sent stays in its place while a copy is read: a future that is dropped half-way
        // leaves the body whole.
        let mut ahead = ReplayBody::with_cap(std::mem::take(body), 0);
        let Some(sent) = ahead.replay() else {
            return Err(ReadAheadError::NotWhole);
        };
        *body = ::reqwest::Body::wrap(sent);
        let bytes = ahead.read_ahead(limit).await?;
        if ahead.has_ended_without_trailers() {
            // In memory as it is now, it says how long it is, and can be sent again.
            *body = bytes.clone().into();
        }
        Ok(bytes)
    }
}

impl Sealed for Response {}

impl crate::Response for Response {
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

    async fn peek(self, limit: usize) -> Peeked<Self> {
        // Taken apart and put together again by reqwest itself. What it forgets is the URL.
        let url = self.url().clone();
        let (mut parts, body) = http::Response::<::reqwest::Body>::from(self).into_parts();
        let mut body = Body::new(body);
        let complete = body.fill(limit).await;
        let bytes = body.prefix(limit);
        let complete = complete && body.len() <= limit;
        let failed = body.has_failed() && body.len() <= limit;
        if let Ok(with_url) = http::Response::builder().url(url).body(()) {
            parts.extensions.extend(with_url.into_parts().0.extensions);
        }
        let response = http::Response::from_parts(parts, ::reqwest::Body::wrap(body));
        Peeked::new(response.into(), bytes, complete).failed(failed)
    }
}
