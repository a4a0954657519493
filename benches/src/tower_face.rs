//! Clients through the tower face, over a service that does nothing.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use golive_core::{
    BoxError, Stack,
    tower::{Layer, Layered},
};
use golive_testkit::PassOn;
use http_body_util::Full;
use tower::retry::{
    Policy, Retry,
    budget::{Budget, TpsBudget},
};
use tower_service::Service;

/// A body that is cloned for free.
pub type Body = Full<Bytes>;
/// The request of every benchmark.
pub type Request = http::Request<Body>;

/// Answers 200 at once.
#[derive(Clone, Copy, Debug)]
pub struct NoOp;

/// `tower::retry` that keeps no copy of the request, so never retries.
#[derive(Clone, Copy, Debug)]
pub struct WithoutClone;

/// `tower::retry` as one would use it: a copy of the request, and a budget.
#[derive(Clone, Debug)]
pub struct WithCloneAndBudget(Arc<TpsBudget>);

/// A request like those of an API client: a URL and two headers.
#[must_use]
pub fn request() -> Request {
    let mut request = http::Request::new(Full::new(Bytes::from_static(b"{\"amount\":12}")));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static("http://127.0.0.1/v3/customers");
    let json = http::HeaderValue::from_static("application/json");
    request
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json.clone());
    request.headers_mut().insert(http::header::ACCEPT, json);
    request
}

/// One middleware that passes on.
#[must_use]
pub fn stack_1() -> Layered<Stack<PassOn>, NoOp> {
    Stack::new().push(PassOn).layer(NoOp)
}

/// Three as one stack.
pub fn stack_3() -> impl Service<Request, Error = BoxError, Future: Send> {
    Stack::new()
        .push(PassOn)
        .push(PassOn)
        .push(PassOn)
        .layer(NoOp)
}

/// Five as one stack.
pub fn stack_5() -> Layered<impl golive_core::Middleware, NoOp> {
    Stack::new()
        .push(PassOn)
        .push(PassOn)
        .push(PassOn)
        .push(PassOn)
        .push(PassOn)
        .layer(NoOp)
}

/// Three as layers of their own.
pub fn layers_3() -> impl Service<Request, Error = BoxError, Future: Send> {
    PassOn.layer(PassOn.layer(PassOn.layer(NoOp)))
}

/// Five as layers of their own.
pub fn layers_5() -> impl Service<Request, Error = BoxError, Future: Send> {
    PassOn.layer(PassOn.layer(PassOn.layer(PassOn.layer(PassOn.layer(NoOp)))))
}

/// `tower::retry` without a copy.
#[must_use]
pub fn tower_retry() -> Retry<WithoutClone, NoOp> {
    Retry::new(WithoutClone, NoOp)
}

/// `tower::retry` with a copy and a budget.
#[must_use]
pub fn tower_retry_clone_budget() -> Retry<WithCloneAndBudget, NoOp> {
    Retry::new(WithCloneAndBudget(Arc::new(TpsBudget::default())), NoOp)
}

impl Service<Request> for NoOp {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request) -> Self::Future {
        ready(Ok(http::Response::new(Body::default())))
    }
}

type Outcome = Result<http::Response<Body>, Infallible>;

impl Policy<Request, http::Response<Body>, Infallible> for WithoutClone {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request, _: &mut Outcome) -> Option<Ready<()>> {
        None
    }

    fn clone_request(&mut self, _: &Request) -> Option<Request> {
        None
    }
}

impl Policy<Request, http::Response<Body>, Infallible> for WithCloneAndBudget {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request, result: &mut Outcome) -> Option<Ready<()>> {
        match result {
            Ok(response) if response.status().is_server_error() => {
                self.0.withdraw().then(|| ready(()))
            }
            _ => {
                self.0.deposit();
                None
            }
        }
    }

    fn clone_request(&mut self, request: &Request) -> Option<Request> {
        Some(request.clone())
    }
}
