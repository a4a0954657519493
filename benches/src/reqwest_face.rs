//! Clients through the reqwest face, over a last middleware that answers without a connection.

use std::pin::Pin;

use golive_core::Stack;
use golive_testkit::PassOn;
use http::Extensions;
use reqwest::{Request, Response, ResponseBuilderExt};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next};
use reqwest_retry::{RetryTransientMiddleware, policies::ExponentialBackoff};

/// Answers 200 at once.
#[derive(Clone, Copy, Debug)]
pub struct NoOp;

/// A request like those of an API client: a URL and two headers.
///
/// # Panics
/// Never: its parts are fixed.
#[must_use]
#[allow(clippy::expect_used, reason = "a URL that is written here parses")]
pub fn request() -> Request {
    let url = reqwest::Url::parse("http://127.0.0.1/v3/customers").expect("a URL");
    let mut request = Request::new(reqwest::Method::POST, url);
    *request.body_mut() = Some("{\"amount\":12}".into());
    let json = http::HeaderValue::from_static("application/json");
    request
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json.clone());
    request.headers_mut().insert(http::header::ACCEPT, json);
    request
}

/// Nothing but the far end: what reqwest-middleware itself costs.
#[must_use]
pub fn bare() -> ClientWithMiddleware {
    client(|b| b)
}

/// One middleware that passes on.
#[must_use]
pub fn stack_1() -> ClientWithMiddleware {
    client(|b| b.with(Stack::new().push(PassOn)))
}

/// Three as one stack.
#[must_use]
pub fn stack_3() -> ClientWithMiddleware {
    client(|b| b.with(Stack::new().push(PassOn).push(PassOn).push(PassOn)))
}

/// Five as one stack.
#[must_use]
pub fn stack_5() -> ClientWithMiddleware {
    client(|b| {
        b.with(
            Stack::new()
                .push(PassOn)
                .push(PassOn)
                .push(PassOn)
                .push(PassOn)
                .push(PassOn),
        )
    })
}

/// Three as middleware of their own.
#[must_use]
pub fn layers_3() -> ClientWithMiddleware {
    client(|b| b.with(PassOn).with(PassOn).with(PassOn))
}

/// Five as middleware of their own.
#[must_use]
pub fn layers_5() -> ClientWithMiddleware {
    client(|b| {
        b.with(PassOn)
            .with(PassOn)
            .with(PassOn)
            .with(PassOn)
            .with(PassOn)
    })
}

/// `reqwest-retry` as its documentation shows it.
#[must_use]
pub fn reqwest_retry() -> ClientWithMiddleware {
    let policy = ExponentialBackoff::builder().build_with_max_retries(3);
    client(|b| b.with(RetryTransientMiddleware::new_with_policy(policy)))
}

/// A client with these middleware above the far end.
#[must_use]
pub fn client(with: impl FnOnce(ClientBuilder) -> ClientBuilder) -> ClientWithMiddleware {
    with(ClientBuilder::new(reqwest::Client::new()))
        .with(NoOp)
        .build()
}

impl Middleware for NoOp {
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        req: Request,
        _: &'b mut Extensions,
        _: Next<'c>,
    ) -> Pin<Box<dyn Future<Output = Result<Response, Error>> + Send + 'd>>
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
