//! The middleware that waits for its turn and retries nothing.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails there is a test that fails"
)]

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use golive_backoff::{
    Backoff, Pacing,
    limits::{Limits, WouldWait},
};
use golive_core::{
    Attempt, BoxError, Call, CallHandle, Disposition, Exchange, Middleware, Outcome, Request,
    Stack, caused_by, quota::Hints, tower::Layered,
};
use http::StatusCode;
use http_body_util::Full;
use tokio::time::Instant;
use tower::ServiceExt;

const SECOND: Duration = Duration::from_secs(1);

type Headers = &'static [(&'static str, &'static str)];

/// What the far end answers, always the same, and when it was asked.
#[derive(Clone)]
struct Server {
    status: u16,
    headers: Headers,
    seen: Arc<Mutex<Vec<Instant>>>,
}

/// A deadline of the call, as a middleware further out sets one.
#[derive(Clone)]
struct DueIn(Duration);

impl Server {
    fn new(status: u16, headers: Headers) -> Self {
        Self {
            status,
            headers,
            seen: Arc::default(),
        }
    }

    fn seen(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    async fn call<M: Middleware + Clone>(&self, middleware: &M) -> Result<StatusCode, BoxError> {
        self.call_with(middleware, &CallHandle::new()).await
    }

    async fn call_with<M: Middleware + Clone>(
        &self,
        middleware: &M,
        handle: &CallHandle,
    ) -> Result<StatusCode, BoxError> {
        let server = self.clone();
        let service = tower::service_fn(move |_: http::Request<Full<Bytes>>| {
            let server = server.clone();
            async move {
                server.seen.lock().unwrap().push(Instant::now());
                if server.status == 0 {
                    return Err(io::Error::from(io::ErrorKind::BrokenPipe));
                }
                let mut response = http::Response::builder().status(server.status);
                for (name, value) in server.headers {
                    response = response.header(*name, *value);
                }
                Ok(response.body(Full::new(Bytes::new())).unwrap())
            }
        });
        let request = http::Request::get("https://api.example.com/v1/things")
            .extension(handle.clone())
            .body(Full::new(Bytes::new()))
            .unwrap();
        let response = Layered::new(middleware.clone(), service).oneshot(request);
        Ok(response.await?.status())
    }
}

/// An attempt of which nobody knows, as a retry further out has noted it.
#[derive(Clone)]
struct TimedOutBefore;

impl Middleware for TimedOutBefore {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        call.record(Attempt::new(
            Outcome::Failed("timeout"),
            Disposition::Unknown,
        ));
        call.next_attempt();
        below.send(call, req).await
    }
}

impl Middleware for DueIn {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        call.limit_to((Instant::now() + self.0).into_std());
        below.send(call, req).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_is_handed_on_and_holds_back_the_calls_after_it() {
    let server = Server::new(429, &[("retry-after", "3")]);
    let limits = Limits::new();
    let pacing = Pacing::builder(limits.clone()).random(|| 0).build();
    let begin = Instant::now();
    assert_eq!(server.call(&pacing).await.unwrap(), 429);
    assert_eq!(begin.elapsed(), Duration::ZERO);
    // Another client that shares the limits.
    let other = Pacing::builder(limits).random(|| 0).build();
    assert_eq!(server.call(&other).await.unwrap(), 429);
    assert_eq!(begin.elapsed(), 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_is_used_up_holds_back_until_its_reset() {
    let server = Server::new(
        200,
        &[
            ("x-ratelimit-limit", "9"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "7"),
        ],
    );
    let pacing = Pacing::new(Limits::new());
    let begin = Instant::now();
    for _ in 0..3 {
        assert_eq!(server.call(&pacing).await.unwrap(), 200);
    }
    assert_eq!(begin.elapsed(), 14 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_wait_fails_at_once_and_nothing_is_sent() {
    let server = Server::new(429, &[("retry-after", "3")]);
    let limits = Limits::new();
    let pacing = Pacing::builder(limits)
        .max_wait(Duration::ZERO)
        .random(|| 0)
        .build();
    let begin = Instant::now();
    server.call(&pacing).await.unwrap();
    let error = server.call(&pacing).await.unwrap_err();
    let refused = caused_by::<WouldWait>(error.as_ref()).unwrap();
    assert_eq!(refused.until, begin + 3 * SECOND);
    assert_eq!((server.seen(), Instant::now()), (1, begin));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_beyond_the_deadline_of_the_call() {
    let server = Server::new(429, &[("retry-after", "3")]);
    let limits = Limits::new();
    let due = |after| {
        let pacing = Pacing::builder(limits.clone()).random(|| 0).build();
        Stack::new().push(DueIn(after)).push(pacing)
    };
    let begin = Instant::now();
    server.call(&due(SECOND)).await.unwrap();
    let error = server.call(&due(2 * SECOND)).await.unwrap_err();
    assert!(caused_by::<WouldWait>(error.as_ref()).is_some());
    assert_eq!((server.seen(), Instant::now()), (1, begin));
    server.call(&due(4 * SECOND)).await.unwrap();
    assert_eq!(begin.elapsed(), 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_error_is_handed_on_as_it_came_and_holds_nobody_back() {
    let server = Server::new(0, &[]);
    let pacing = Pacing::new(Limits::new());
    for _ in 0..100 {
        let error = server.call(&pacing).await.unwrap_err();
        let error = error.downcast_ref::<io::Error>().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
    assert_eq!(server.seen(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_retry_further_out_takes_its_refusal_for_final_and_for_no_attempt_that_was_sent() {
    let server = Server::new(503, &[("retry-after", "3")]);
    let pacing = Pacing::builder(Limits::new())
        .max_wait(Duration::ZERO)
        .random(|| 0)
        .build();
    server.call(&pacing).await.unwrap();
    let begin = Instant::now();
    // The two know nothing of each other.
    let stack = Stack::new().push(Backoff::new()).push(pacing.clone());
    let handle = CallHandle::new();
    let error = server.call_with(&stack, &handle).await.unwrap_err();
    assert!(caused_by::<WouldWait>(error.as_ref()).is_some());
    assert_eq!((server.seen(), Instant::now()), (1, begin));
    let call = handle.call();
    assert!(call.is_unsent());
    assert_eq!((call.attempt(), call.attempts().len()), (0, 1));
    assert_eq!(call.disposition(), Disposition::NotExecuted);

    let stack = Stack::new().push(TimedOutBefore).push(pacing);
    server.call_with(&stack, &handle).await.unwrap_err();
    assert_eq!(handle.call().disposition(), Disposition::Unknown);

    // Of an attempt that was sent before, nobody knows.
    let told = &[
        ("x-ratelimit-limit", "9"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "7"),
    ];
    let server = Server::new(500, told);
    let pacing = Pacing::builder(Limits::new())
        .max_wait(Duration::ZERO)
        .build();
    let deaf = Backoff::builder().hints(Hints::none()).build().unwrap();
    let handle = CallHandle::new();
    let stack = Stack::new().push(deaf).push(pacing);
    let error = server.call_with(&stack, &handle).await.unwrap_err();
    assert!(caused_by::<WouldWait>(error.as_ref()).is_some());
    assert_eq!((server.seen(), handle.call().attempt()), (1, 1));
    assert!(handle.call().is_unsent());
    assert_eq!(handle.call().disposition(), Disposition::Unknown);
}

#[tokio::test(start_paused = true)]
async fn below_a_retry_with_limits_of_its_own_it_adds_no_wait() {
    let server = Server::new(
        200,
        &[
            ("x-ratelimit-limit", "9"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "7"),
        ],
    );
    let stack = Stack::new()
        .push(Backoff::new())
        .push(Pacing::new(Limits::new()));
    let begin = Instant::now();
    for _ in 0..3 {
        assert_eq!(server.call(&stack).await.unwrap(), 200);
    }
    assert_eq!(begin.elapsed(), 14 * SECOND);
}
