//! What a call knows travels down, up and to the caller, in both faces, as one stack and as
//! separate layers.
#![cfg(all(feature = "tower", feature = "reqwest"))]
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::{
    convert::Infallible,
    future::{Ready, pending, ready},
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use golive_core::{
    Attempt, Call, CallHandle, Disposition, Exchange, Middleware, Outcome, Request, Response,
    Stack,
    tower::{Layer, Layered},
};
use http::StatusCode;
use http_body_util::Empty;
use tower::{Service, ServiceExt, service_fn};

/// Sends twice, and notes the first attempt.
#[derive(Clone, Debug)]
struct Twice;

impl Middleware for Twice {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        let spare = req.try_clone().unwrap();
        let outcome = match below.send(call, req).await {
            Ok(response) => Outcome::Answered(response.status()),
            Err(_) => Outcome::Failed("probe"),
        };
        call.record(Attempt::new(outcome, Disposition::Unknown));
        call.next_attempt();
        call.set_disposition(Disposition::NotExecuted);
        below.send(call, spare).await
    }
}

/// Notes what it sees of the call before and after.
#[derive(Clone, Debug, Default)]
struct Sees(Arc<Mutex<Vec<(u32, usize)>>>);

impl Middleware for Sees {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        let note = |call: &Call| {
            let mut seen = self.0.lock().unwrap();
            seen.push((call.attempt(), call.attempts().len()));
        };
        note(call);
        let result = below.send(call, req).await;
        note(call);
        result
    }
}

type Body = Empty<Bytes>;

#[derive(Clone)]
struct Ok200;

impl Service<http::Request<Body>> for Ok200 {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        ready(Ok(http::Response::new(Empty::new())))
    }
}

fn request() -> http::Request<Body> {
    http::Request::new(Empty::new())
}

#[tokio::test]
async fn layers_above_and_below_see_the_same_call() {
    let (above, below) = (Sees::default(), Sees::default());
    let service = Layered::new(below.clone(), Ok200);
    let service = Layered::new(Twice, service);
    let service = Layered::new(above.clone(), service);
    let response = service.oneshot(request()).await.unwrap();

    assert_eq!(*below.0.lock().unwrap(), [(0, 0), (0, 0), (1, 1), (1, 1)]);
    assert_eq!(*above.0.lock().unwrap(), [(0, 0), (1, 1)]);
    let call = response.extensions().get::<CallHandle>().unwrap().call();
    assert_eq!(call.attempts().len(), 1);
    assert_eq!(
        call.attempts()[0].outcome,
        Outcome::Answered(StatusCode::OK)
    );
    assert_eq!(call.disposition(), Disposition::NotExecuted);
}

#[tokio::test]
async fn a_stack_sees_the_same_as_separate_layers() {
    let (above, below) = (Sees::default(), Sees::default());
    let stack = Stack::new()
        .push(above.clone())
        .push(Twice)
        .push(below.clone());
    stack.layer(Ok200).oneshot(request()).await.unwrap();
    assert_eq!(*below.0.lock().unwrap(), [(0, 0), (0, 0), (1, 1), (1, 1)]);
    assert_eq!(*above.0.lock().unwrap(), [(0, 0), (1, 1)]);
}

#[tokio::test]
async fn a_call_that_nobody_wrote_to_is_put_into_no_extensions() {
    let service = service_fn(|req: http::Request<Body>| {
        assert!(req.extensions().is_empty());
        ready(Ok::<_, Infallible>(http::Response::new(Body::new())))
    });
    let response = Layered::new(Sees::default(), service)
        .oneshot(request())
        .await;
    assert!(response.unwrap().extensions().is_empty());
}

#[tokio::test]
async fn the_caller_reads_the_call_of_a_failure() {
    let service = service_fn(|_: http::Request<Body>| {
        ready(Err::<http::Response<Body>, _>(std::io::Error::other(
            "down",
        )))
    });
    let handle = CallHandle::new();
    let mut req = request();
    req.extensions_mut().insert(handle.clone());
    let error = Layered::new(Twice, service).oneshot(req).await.unwrap_err();
    assert!(error.is::<std::io::Error>(), "as it came");
    assert_eq!(handle.call().attempt(), 1);
    assert_eq!(
        handle.call().attempts()[0].outcome,
        Outcome::Failed("probe")
    );
}

#[tokio::test]
async fn the_caller_reads_the_call_of_a_call_it_gave_up() {
    let mut first = true;
    let service = service_fn(move |_: http::Request<Body>| {
        let answers = std::mem::replace(&mut first, false);
        async move {
            if !answers {
                pending::<()>().await;
            }
            Ok::<_, Infallible>(http::Response::new(Body::new()))
        }
    });
    // `service_fn` clones its state, so the first answer is per instance: one instance is used.
    let handle = CallHandle::new();
    let mut req = request();
    req.extensions_mut().insert(handle.clone());
    let future = Layered::new(Twice, service).oneshot(req);
    let timed = tokio::time::timeout(std::time::Duration::from_millis(1), future).await;
    assert!(timed.is_err(), "it hangs in its second attempt");
    assert_eq!(handle.call().attempt(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_caller_reads_the_call_of_separate_layers_that_it_gave_up() {
    let mut left = 1;
    let service = service_fn(move |_: http::Request<Body>| {
        let answers = std::mem::replace(&mut left, 0) > 0;
        async move {
            if !answers {
                pending::<()>().await;
            }
            Ok::<_, Infallible>(http::Response::new(Body::new()))
        }
    });
    let handle = CallHandle::new();
    let mut req = request();
    req.extensions_mut().insert(handle.clone());
    let service = Layered::new(Sees::default(), Layered::new(Twice, service));
    let timed = tokio::time::timeout(std::time::Duration::from_millis(1), service.oneshot(req));
    assert!(timed.await.is_err(), "it hangs in its second attempt");
    assert_eq!(handle.call().attempts().len(), 1, "what the inner one knew");
}

#[tokio::test(start_paused = true)]
async fn a_reqwest_caller_reads_the_call_that_follows_one_that_was_given_up() {
    use reqwest_middleware::ClientBuilder;

    let client = ClientBuilder::new(reqwest::Client::new())
        .with(GivesUpOnce)
        .with(Stack::new().push(Twice))
        .with(Stack::new().push(Sees::default()))
        .with(HangsIn(1, Mutex::new(0)))
        .build();
    let handle = CallHandle::new();
    let request = client.get("http://probe.test/");
    request.with_extension(handle.clone()).send().await.unwrap();
    assert_eq!(handle.call().attempts().len(), 1);
    assert_eq!(handle.call().disposition(), Disposition::NotExecuted);
}

#[tokio::test]
async fn a_second_call_with_the_same_handle_knows_nothing_of_the_first() {
    let handle = CallHandle::new();
    let below = Sees::default();
    let service = Layered::new(Twice, Layered::new(below.clone(), Ok200));
    for _ in 0..2 {
        let mut req = request();
        req.extensions_mut().insert(handle.clone());
        service.clone().oneshot(req).await.unwrap();
        assert_eq!(handle.call().attempts().len(), 1);
    }
    let once = [(0, 0), (0, 0), (1, 1), (1, 1)];
    assert_eq!(*below.0.lock().unwrap(), [once, once].concat());
}

/// Ends with its first attempt, whatever the layer below was up to, then begins anew with the same
/// extensions: what a foreign timeout and retry do.
struct GivesUpOnce;

#[async_trait::async_trait]
impl reqwest_middleware::Middleware for GivesUpOnce {
    async fn handle(
        &self,
        req: reqwest::Request,
        extensions: &mut http::Extensions,
        next: reqwest_middleware::Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        let again = req.try_clone().unwrap();
        let first = next.clone().run(req, extensions);
        let hour = std::time::Duration::from_secs(3600);
        assert!(tokio::time::timeout(hour, first).await.is_err());
        next.run(again, extensions).await
    }
}

/// Hangs in the attempt with this number, and answers the others.
struct HangsIn(u32, Mutex<u32>);

#[async_trait::async_trait]
impl reqwest_middleware::Middleware for HangsIn {
    async fn handle(
        &self,
        _: reqwest::Request,
        _: &mut http::Extensions,
        _: reqwest_middleware::Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        let attempt = {
            let mut attempts = self.1.lock().unwrap();
            *attempts += 1;
            *attempts
        };
        if attempt == self.0 {
            pending::<()>().await;
        }
        Ok(http::Response::new("").into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_given_up_leaves_nothing_in_extensions_that_are_used_again() {
    use reqwest_middleware::ClientBuilder;

    let below = Sees::default();
    let client = ClientBuilder::new(reqwest::Client::new())
        .with(GivesUpOnce)
        .with(Stack::new().push(Twice))
        .with(Stack::new().push(below.clone()))
        .with(HangsIn(2, Mutex::new(0)))
        .build();
    client.get("http://probe.test/").send().await.unwrap();
    let seen = below.0.lock().unwrap().clone();
    // The first call hangs in its second attempt; the second call begins with nothing.
    assert_eq!(
        seen,
        [(0, 0), (0, 0), (1, 1), (0, 0), (0, 0), (1, 1), (1, 1)]
    );
}

#[tokio::test]
async fn a_reqwest_caller_reads_the_call_of_success_and_failure() {
    use reqwest_middleware::ClientBuilder;

    let client = ClientBuilder::new(reqwest::Client::new())
        .with(Stack::new().push(Twice))
        .build();
    // Nobody listens: the listener is gone.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let handle = CallHandle::new();
    let error = client
        .get(&url)
        .with_extension(handle.clone())
        .send()
        .await
        .unwrap_err();
    assert!(error.is_connect(), "as it came");
    assert_eq!(handle.call().attempt(), 1);
    assert_eq!(handle.call().disposition(), Disposition::NotExecuted);
}
