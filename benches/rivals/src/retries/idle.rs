//! Far ends that answer 200 at once, and the requests that are sent to them: what remains is the
//! cost of what stands before them.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::Full;
use reqwest::ResponseBuilderExt as _;
use reqwest_middleware::{Error, Middleware, Next};
use tower::Service;

/// As a tower service, and as the last middleware of a reqwest client.
#[derive(Clone, Copy, Debug)]
pub struct NoOp;

const URL: &str = "https://api.example.com/v3/customers/cus_01J9Z3K4M5N6P7Q8R9S0T1U2V3";
const BODY: &[u8] = br#"{"amount":12}"#;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A PUT, which may be sent again because of its method.
    Put,
    /// A POST that may be sent again because of its idempotency key.
    KeyedPost,
}

/// A request of an API client: eight headers and a small body.
#[must_use]
pub fn request(kind: Kind) -> http::Request<Full<Bytes>> {
    with_body(kind, Full::new(Bytes::from_static(BODY)))
}

/// The same with another body.
pub fn with_body<B>(kind: Kind, body: B) -> http::Request<B> {
    let mut request = http::Request::new(body);
    *request.method_mut() = kind.method();
    *request.uri_mut() = Uri::from_static(URL);
    *request.headers_mut() = kind.headers();
    request
}

/// The same for reqwest.
///
/// # Panics
/// Never: the URL parses.
#[must_use]
pub fn reqwest_request(kind: Kind) -> reqwest::Request {
    let url = reqwest::Url::parse(URL).expect("a URL");
    let mut request = reqwest::Request::new(kind.method(), url);
    *request.body_mut() = Some(BODY.into());
    *request.headers_mut() = kind.headers();
    request
}

// === impl Kind ===

impl Kind {
    fn method(self) -> Method {
        match self {
            Self::Put => Method::PUT,
            Self::KeyedPost => Method::POST,
        }
    }

    fn headers(self) -> HeaderMap {
        let id = "018f6f7e-2c5d-7a43-9d0c-2f6f4a1b7c11";
        let eighth = match self {
            Self::Put => ("x-request-id", id),
            Self::KeyedPost => ("idempotency-key", id),
        };
        let headers = [
            ("host", "api.example.com"),
            ("user-agent", "acme-billing/2.4.1"),
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("content-length", "13"),
            ("authorization", "Bearer at_1f0b6c7d9e2a4385"),
            (
                "traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ),
            eighth,
        ];
        let headers = headers.map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        headers.into_iter().collect()
    }
}

impl<B> Service<http::Request<B>> for NoOp {
    type Response = http::Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<B>) -> Self::Future {
        ready(Ok(http::Response::new(Full::default())))
    }
}

impl Middleware for NoOp {
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        req: reqwest::Request,
        _: &'b mut Extensions,
        _: Next<'c>,
    ) -> Pin<Box<dyn Future<Output = Result<reqwest::Response, Error>> + Send + 'd>>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        // As reqwest itself answers: with the URL of the request.
        Box::pin(async move {
            let url = req.url().clone();
            let response = http::Response::builder().url(url).body("");
            Ok(response.map_err(Error::middleware)?.into())
        })
    }
}
