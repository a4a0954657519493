//! Ours as a middleware of reqwest-middleware, and reqwest-retry.

use std::{
    future::{Ready, ready},
    io,
    pin::Pin,
    task::{Context, Poll},
};

use golive_sim::{Answer, Caller, FarEnd};
use http::{Extensions, Method};
use reqwest::{Request, Response, ResponseBuilderExt as _, Url};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next};
use reqwest_retry::{Jitter, RetryTransientMiddleware, policies::ExponentialBackoff};
use tower::{BoxError, Service, layer::layer_fn};

use super::{BASE, CAP, RETRIES, backoff, caller, pacing};

/// What reqwest-retry is given.
#[must_use]
pub fn exponential() -> ExponentialBackoff {
    { ExponentialBackoff::builder() }
        .retry_bounds(BASE, CAP)
        .jitter(Jitter::Full)
        .build_with_max_retries(RETRIES)
}

pub(super) fn ours(far_end: FarEnd, seed: u64) -> Caller {
    through(far_end, |client| client.with(backoff(seed)))
}

pub(super) fn reqwest_retry(far_end: FarEnd, _: u64) -> Caller {
    let retry = RetryTransientMiddleware::new_with_policy(exponential());
    through(far_end, |client| client.with(retry))
}

pub(super) fn paced(far_end: FarEnd, seed: u64) -> Caller {
    let retry = RetryTransientMiddleware::new_with_policy(exponential());
    through(far_end, |client| client.with(retry).with(pacing(seed)))
}

fn through(far_end: FarEnd, with: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Caller {
    let client = with(ClientBuilder::new(reqwest::Client::new()));
    let client = client.with(Transport::to(far_end)).build();
    caller(move || {
        let client = client.clone();
        async move {
            let answer = client.execute(request()).await;
            answer.is_ok_and(|response| response.status().is_success())
        }
    })
}

/// That may be sent again.
fn request() -> Request {
    let url = Url::parse("https://api.example.com/v3/customers").expect("a URL");
    Request::new(Method::GET, url)
}

/// The far end as the last middleware.
struct Transport {
    far_end: FarEnd,
    /// Whom nobody answers: its errors are reqwest's own.
    refused: reqwest::Client,
}

// === impl Transport ===

impl Transport {
    fn to(far_end: FarEnd) -> Self {
        let refused = reqwest::Client::builder()
            .no_proxy()
            .connector_layer(layer_fn(Refusing))
            .build();
        Self {
            far_end,
            refused: refused.expect("a client without TLS"),
        }
    }

    async fn send(&self, request: Request) -> Result<Response, Error> {
        match self.far_end.answer().await {
            Answer::Response(status, headers) => {
                let response = http::Response::builder().url(request.url().clone());
                let mut response = response.status(status).body("").expect("a response");
                *response.headers_mut() = headers;
                Ok(response.into())
            }
            Answer::Refused => {
                // Without TLS there is no connection to https, and that is another error.
                let mut request = request;
                let _ = request.url_mut().set_scheme("http");
                Ok(self.refused.execute(request).await?)
            }
        }
    }
}

impl Middleware for Transport {
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        request: Request,
        _: &'b mut Extensions,
        _: Next<'c>,
    ) -> Pin<Box<dyn Future<Output = Result<Response, Error>> + Send + 'd>>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        Box::pin(self.send(request))
    }
}

/// A connector to which every connection is refused.
#[derive(Clone)]
struct Refusing<S>(S);

// === impl Refusing ===

impl<S: Service<R, Error = BoxError>, R> Service<R> for Refusing<S> {
    type Response = S::Response;
    type Error = BoxError;
    type Future = Ready<Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, _: R) -> Self::Future {
        ready(Err(io::Error::from(io::ErrorKind::ConnectionRefused).into()))
    }
}

/// A client with this middleware over a far end that does nothing.
#[must_use]
pub fn idle(with: impl FnOnce(ClientBuilder) -> ClientBuilder) -> ClientWithMiddleware {
    with(ClientBuilder::new(reqwest::Client::new()))
        .with(super::idle::NoOp)
        .build()
}
