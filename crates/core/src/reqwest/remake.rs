use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{
    Extensions, HeaderMap, Method,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use reqwest::Request;

use crate::{
    BoxError, Origin, ReadAheadError, held::Again, kept::KeptHeaders, message::sealed::Sealed,
};

/// How the body of a request is made once more, for one that reqwest cannot copy: a stream, a file,
/// a multipart form.
///
/// Goes into the extensions of the request. Whoever further in has to send it again calls it then,
/// and not before; it is not called for a request whose body can be copied. What it builds gives the
/// body, and the headers that belong to it: `Content-Type` (the boundary of a form is another one
/// each time) and `Content-Length`. Method, URL and all other headers are those of the request as it
/// is. If it fails, or without one, the request is sent once and what came back is handed on.
///
/// A signature over the body, made further out, stays that of the first body, and is wrong for a form
/// with another boundary: what signs belongs further in than what sends again.
///
/// What it builds must say the same each time: a file that may change is read into memory instead.
/// Opening a file in it blocks the thread for that long.
///
/// A form:
///
/// ```
/// # async fn example(client: reqwest_middleware::ClientWithMiddleware) -> Result<(), golive_core::BoxError> {
/// use golive_core::reqwest::Remake;
/// use reqwest::multipart::{Form, Part};
///
/// const URL: &str = "https://api.example.com/v3/documents";
/// fn form() -> Form {
///     Form::new()
///         .text("customer", "cus_17")
///         .part("file", Part::bytes(b"%PDF-1.7".to_vec()))
/// }
///
/// let transport = reqwest::Client::new();
/// let response = client
///     .post(URL)
///     .multipart(form())
///     .with_extension(Remake::new(move || transport.post(URL).multipart(form()).build()))
///     .send()
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// A file:
///
/// ```
/// # async fn example(client: reqwest_middleware::ClientWithMiddleware) -> Result<(), golive_core::BoxError> {
/// use golive_core::{BoxError, reqwest::{Remake, Request}};
///
/// const URL: &str = "https://api.example.com/v3/documents/17";
/// let transport = reqwest::Client::new();
/// let again = move || -> Result<Request, BoxError> {
///     let file = tokio::fs::File::from_std(std::fs::File::open("contract.pdf")?);
///     Ok(transport.put(URL).body(file).build()?)
/// };
/// let response = client
///     .put(URL)
///     .body(tokio::fs::File::open("contract.pdf").await?)
///     .with_extension(Remake::new(again))
///     .send()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Remake(Arc<dyn Fn() -> Result<Request, BoxError> + Send + Sync>);

/// A request with what is needed to send it again.
pub(crate) struct Remakable {
    request: Request,
    remake: Option<Remake>,
}

/// One that is kept, in case it has to be sent again.
pub(crate) struct KeptRemakable {
    /// Without its headers, and without a body that can be made only anew.
    rest: Remakable,
    headers: KeptHeaders,
    /// Whether the body is still to be made.
    without_body: bool,
}

// === impl Remake ===

impl Remake {
    /// `make` builds a request like the first one, with any client of reqwest's.
    #[must_use]
    pub fn new<E: Into<BoxError>>(
        make: impl Fn() -> Result<Request, E> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move || make().map_err(Into::into)))
    }

    /// Gives `request` a body anew.
    fn give_body(&self, request: &mut Request) -> Option<()> {
        let mut made = (self.0)().ok()?;
        *request.body_mut() = made.body_mut().take();
        let headers = request.headers_mut();
        if let Some(kind) = made.headers_mut().remove(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, kind);
        }
        // That of the body before would cut this one off.
        match made.headers_mut().remove(CONTENT_LENGTH) {
            Some(length) => headers.insert(CONTENT_LENGTH, length),
            None => headers.remove(CONTENT_LENGTH),
        };
        Some(())
    }
}

impl fmt::Debug for Remake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remake").finish_non_exhaustive()
    }
}

// === impl Remakable ===

impl Remakable {
    pub(crate) fn new(request: Request, extensions: &Extensions) -> Self {
        Self {
            request,
            remake: extensions.get::<Remake>().cloned(),
        }
    }

    pub(crate) fn into_inner(self) -> Request {
        self.request
    }

    fn with(&self, request: Request) -> Self {
        Self {
            request,
            remake: self.remake.clone(),
        }
    }

    /// A copy of what is there, or of all but the body.
    fn keep(&mut self, headers: &HeaderMap) -> Option<KeptRemakable> {
        let (request, without_body) = match self.request.try_clone() {
            Some(whole) => (whole, false),
            None => {
                self.remake.as_ref()?;
                // The body is made when it is needed; most requests are sent once.
                let body = self.request.body_mut().take();
                let rest = self.request.try_clone();
                *self.request.body_mut() = body;
                (rest?, true)
            }
        };
        Some(KeptRemakable {
            rest: self.with(request),
            headers: KeptHeaders::of(headers),
            without_body,
        })
    }
}

impl Sealed for Remakable {}

impl crate::Request for Remakable {
    type Spare = KeptRemakable;

    fn method(&self) -> &Method {
        self.request.method()
    }

    fn origin(&self) -> Option<Origin<'_>> {
        crate::Request::origin(&self.request)
    }

    fn path(&self) -> &str {
        crate::Request::path(&self.request)
    }

    fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.request.headers_mut()
    }

    fn try_clone(&self) -> Option<Self> {
        if let Some(copy) = self.request.try_clone() {
            return Some(self.with(copy));
        }
        // To be sent by who asks, perhaps at once.
        let remake = self.remake.as_ref()?;
        let mut copy = Request::new(self.request.method().clone(), self.request.url().clone());
        copy.headers_mut().clone_from(self.request.headers());
        *copy.timeout_mut() = self.request.timeout().copied();
        *copy.version_mut() = self.request.version();
        remake.give_body(&mut copy)?;
        Some(self.with(copy))
    }

    fn is_whole(&self) -> bool {
        true
    }

    fn spare(&mut self) -> Option<KeptRemakable> {
        // Beside the request while it is copied: a map of them costs more to copy than a list.
        let headers = std::mem::take(self.request.headers_mut());
        let kept = self.keep(&headers);
        *self.request.headers_mut() = headers;
        kept
    }

    fn restore(spare: KeptRemakable) -> Option<Self> {
        let KeptRemakable {
            mut rest,
            headers,
            without_body,
        } = spare;
        *rest.request.headers_mut() = headers.into_map();
        if without_body {
            let remake = rest.remake.as_ref()?;
            remake.give_body(&mut rest.request)?;
        }
        Some(rest)
    }

    fn read_ahead(
        &mut self,
        limit: usize,
    ) -> impl Future<Output = Result<Bytes, ReadAheadError>> + Send {
        self.request.read_ahead(limit)
    }
}

impl Again for KeptRemakable {
    fn again(&mut self) -> Option<Self> {
        let request = self.rest.request.try_clone()?;
        Some(Self {
            rest: self.rest.with(request),
            headers: self.headers.clone(),
            without_body: self.without_body,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use http::header::ACCEPT;
    use http_body_util::Full;

    use super::*;
    use crate::held::{Held, Place, Slot};

    fn stream() -> reqwest::Body {
        reqwest::Body::wrap(Full::new(Bytes::from_static(b"amount=12")))
    }

    fn request() -> Request {
        let mut request = Request::new(Method::PUT, "http://127.0.0.1/".parse().unwrap());
        *request.body_mut() = Some(stream());
        request
    }

    /// A slot whose recipe is counted.
    fn slot() -> (Slot<Remakable>, Arc<AtomicU32>) {
        let made = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&made);
        let mut extensions = Extensions::new();
        extensions.insert(Remake::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let mut request = request();
            let headers = request.headers_mut();
            headers.insert(CONTENT_TYPE, "text/plain".parse().unwrap());
            headers.insert(ACCEPT, "of the recipe".parse().unwrap());
            Ok::<_, BoxError>(request)
        }));
        (Slot::new(Remakable::new(request(), &extensions)), made)
    }

    async fn body(held: Held<'_, Remakable>) -> Bytes {
        let mut request = held.into_inner().into_inner();
        crate::Request::read_ahead(&mut request, 64).await.unwrap()
    }

    #[tokio::test]
    async fn a_body_is_made_when_a_copy_is_sent_and_not_before() {
        use crate::Request as _;

        let (mut slot, made) = slot();
        let place = Place::new();
        let mut held = Held::InPlace(&mut slot, &place);
        held.headers_mut()
            .insert(ACCEPT, "as it is".parse().unwrap());
        let [outer, inner] = [held.spare().unwrap(), held.spare().unwrap()];
        assert_eq!(body(held).await, "amount=12");
        assert_eq!(made.load(Ordering::SeqCst), 0);
        for (spare, sent) in [(inner, 1), (outer, 2)] {
            let mut held = Held::restore(spare).unwrap();
            assert_eq!(made.load(Ordering::SeqCst), sent);
            assert_eq!(held.headers()[ACCEPT], "as it is");
            assert_eq!(held.headers()[CONTENT_TYPE], "text/plain");
            // And it can be kept once more.
            assert!(held.spare().is_some());
            assert_eq!(body(held).await, "amount=12");
        }
        assert_eq!(made.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_copy_to_be_sent_at_once_has_its_body() {
        use crate::Request as _;

        let (mut slot, made) = slot();
        let place = Place::new();
        let held = Held::InPlace(&mut slot, &place);
        let copy = held.try_clone().unwrap();
        assert_eq!(made.load(Ordering::SeqCst), 1);
        assert_eq!(body(copy).await, "amount=12");
        assert_eq!(body(held).await, "amount=12");
    }

    #[test]
    fn without_a_recipe_a_stream_has_no_copy() {
        use crate::Request as _;

        let mut slot = Slot::new(Remakable::new(request(), &Extensions::new()));
        let place = Place::new();
        let mut held = Held::InPlace(&mut slot, &place);
        assert!(held.try_clone().is_none() && held.spare().is_none());
        let kept = held.into_inner().into_inner();
        assert!(kept.body().is_some(), "it is still to be sent");
    }
}
