//! What a call does, over a scripted service and on a clock that stands still unless somebody
//! sleeps.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of what clippy takes for one"
)]

use std::{
    collections::VecDeque,
    convert::Infallible,
    error::Error,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use golive_backoff::{
    Backoff, Builder, Class, DeadlineExceeded, KeyForgotten,
    limits::{Budget, Limits},
};
use golive_core::{
    Attempt, BoxError, Call, CallHandle, Disposition, Exchange, Middleware, Outcome, Replay,
    ReplayBody, Request, Stack, caused_by, quota::Hints, tower::Layered,
};
use golive_testkit::ManualClock;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;
use tower::ServiceExt;

const NOW: u64 = 1_700_000_000;

/// A deadline of the call, as a middleware further out sets one.
struct DueIn(Duration);

/// A key on every request, but for the header: as a middleware further out or further in sets one.
struct Keyed;

/// A key that the server remembers for so long from now on.
struct KeyedFor(Duration);

/// Sends everything twice, as one does who renews a token.
struct Resend;

/// One that has sent it before, and got no answer.
struct Lost;

type Headers = &'static [(&'static str, &'static str)];

#[derive(Clone)]
enum Answer {
    Status(u16, Headers),
    Error(io::ErrorKind),
    Never,
}

/// What the far end is to answer, and what it saw.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<(VecDeque<Answer>, Vec<Seen>)>>);

#[derive(Clone, Debug)]
struct Seen {
    at: Instant,
    headers: HeaderMap,
    body: Bytes,
}

type Answered = http::Response<golive_core::Body<Full<Bytes>>>;

/// How a call ended, and when and how often it was sent.
struct Ended {
    result: Result<Answered, BoxError>,
    call: Call,
    seen: Vec<Seen>,
    waits: Vec<Duration>,
}

// === impl Server ===

impl Server {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let server = Self::default();
        server.0.lock().unwrap().0.extend(answers);
        server
    }

    fn seen(&self) -> Vec<Seen> {
        self.0.lock().unwrap().1.clone()
    }

    async fn answer<B>(
        self,
        request: http::Request<B>,
    ) -> Result<http::Response<Full<Bytes>>, BoxError>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let seen = Seen {
            at: Instant::now(),
            headers: parts.headers,
            body: body.collect().await.map_err(Into::into)?.to_bytes(),
        };
        let answer = {
            let mut state = self.0.lock().unwrap();
            state.1.push(seen);
            state.0.pop_front().unwrap()
        };
        match answer {
            Answer::Never => std::future::pending().await,
            Answer::Error(kind) => Err(io::Error::from(kind).into()),
            Answer::Status(status, headers) => {
                let mut response = http::Response::new(Full::from(format!("answer {status}")));
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                for (name, value) in headers {
                    let value = HeaderValue::from_static(value);
                    response.headers_mut().append(*name, value);
                }
                Ok(response)
            }
        }
    }

    /// One call through `middleware`.
    async fn call<M, B>(&self, middleware: M, mut request: http::Request<B>) -> Ended
    where
        M: Middleware,
        B: Replay + http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError> + Send,
    {
        let handle = CallHandle::new();
        request.extensions_mut().insert(handle.clone());
        let server = self.clone();
        let inner = tower::service_fn(move |request| server.clone().answer(request));
        let result = Layered::new(middleware, inner).oneshot(request).await;
        let seen = self.seen();
        let waits = seen.windows(2).map(|two| two[1].at - two[0].at).collect();
        Ended {
            result,
            call: handle.call(),
            seen,
            waits,
        }
    }
}

// === impl Ended ===

impl Ended {
    fn status(&self) -> u16 {
        self.result.as_ref().unwrap().status().as_u16()
    }

    fn outcomes(&self) -> Vec<Outcome> {
        let attempts = self.call.attempts().iter();
        attempts.map(|attempt| attempt.outcome.clone()).collect()
    }
}

// === impl DueIn ===

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

// === impl Keyed ===

impl Middleware for Keyed {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        call.set_idempotency_key();
        below.send(call, req).await
    }
}

// === impl KeyedFor ===

impl Middleware for KeyedFor {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        call.set_idempotency_key();
        call.expire_key((Instant::now() + self.0).into_std());
        below.send(call, req).await
    }
}

// === impl Resend ===

impl Middleware for Resend {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        let spare = req.try_clone().unwrap();
        let refused = below.send(call, req).await?;
        let refused = Outcome::Answered(golive_core::Response::status(&refused));
        call.record(Attempt::new(refused, Disposition::NotExecuted));
        call.next_attempt();
        below.send(call, spare).await
    }
}

// === impl Lost ===

impl Middleware for Lost {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        let lost = Outcome::Failed("timeout");
        call.record(Attempt::new(lost, Disposition::Unknown));
        call.next_attempt();
        below.send(call, req).await
    }
}

/// A backoff whose jitter is always half of the range: 125 ms, 250 ms, 500 ms, …
fn half() -> Builder {
    Backoff::builder()
        .random(|| 1 << 63)
        .clock(ManualClock::at(NOW))
}

fn backoff() -> Backoff {
    half().build().unwrap()
}

fn request(method: Method) -> http::Request<Full<Bytes>> {
    let request = http::Request::builder()
        .method(method)
        .uri("http://api.test/v3/loans");
    request.body(Full::from("amount=12")).unwrap()
}

fn keyed(method: Method) -> http::Request<Full<Bytes>> {
    let mut request = request(method);
    let key = HeaderValue::from_static("order-17");
    request.headers_mut().insert("idempotency-key", key);
    request
}

fn busy() -> Answer {
    Answer::Status(503, &[])
}

fn created() -> Answer {
    Answer::Status(201, &[])
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_retried_with_growing_delays_and_the_same_request() {
    let server = Server::new([busy(), Answer::Status(500, &[]), created()]);
    let ended = server.call(backoff(), keyed(Method::POST)).await;
    assert_eq!(ended.status(), 201);
    assert_eq!(ended.waits, [ms(125), ms(250)]);
    for seen in &ended.seen {
        assert_eq!(seen.headers["idempotency-key"], "order-17");
        assert_eq!(seen.body, "amount=12");
    }
    assert_eq!(ended.call.attempt(), 2);
    assert_eq!(
        ended.outcomes(),
        [
            Outcome::Answered(StatusCode::SERVICE_UNAVAILABLE),
            Outcome::Answered(StatusCode::INTERNAL_SERVER_ERROR)
        ]
    );
    let delays: Vec<_> = ended.call.attempts().iter().map(|a| a.delay).collect();
    assert_eq!(delays, [Some(ms(125)), Some(ms(250))]);
    assert_eq!(ended.call.disposition(), Disposition::Executed);
}

#[tokio::test(start_paused = true)]
async fn each_passing_status_is_retried_where_a_replay_is_safe() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let server = Server::new([Answer::Status(status, &[]), created()]);
        let ended = server.call(backoff(), request(Method::PUT)).await;
        assert_eq!(ended.status(), 201, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lasting_failure_is_sent_once() {
    for status in [400, 401, 403, 404, 409, 410, 422, 501, 505] {
        let server = Server::new([Answer::Status(status, &[])]);
        let ended = server.call(backoff(), keyed(Method::POST)).await;
        assert_eq!(ended.status(), status);
        assert_eq!(ended.call.attempts().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_without_a_key_is_not_repeated_if_it_may_have_been_executed() {
    for answer in [
        Answer::Status(408, &[]),
        Answer::Status(500, &[]),
        Answer::Status(502, &[]),
        Answer::Status(503, &[("retry-after", "1")]),
        Answer::Status(504, &[]),
        Answer::Error(io::ErrorKind::TimedOut),
        Answer::Error(io::ErrorKind::ConnectionReset),
        Answer::Error(io::ErrorKind::UnexpectedEof),
    ] {
        let server = Server::new([answer]);
        let ended = server.call(backoff(), request(Method::POST)).await;
        assert_eq!(ended.seen.len(), 1);
        assert_eq!(ended.call.disposition(), Disposition::Unknown);
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_without_a_key_is_repeated_if_it_was_provably_not_executed() {
    for answer in [
        Answer::Status(425, &[]),
        Answer::Status(429, &[]),
        Answer::Error(io::ErrorKind::ConnectionRefused),
    ] {
        let server = Server::new([answer, created()]);
        let ended = server.call(backoff(), request(Method::POST)).await;
        assert_eq!(ended.seen.len(), 2);
        assert_eq!(ended.status(), 201);
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_with_a_key_is_repeated_after_a_timeout() {
    let lost = || Answer::Error(io::ErrorKind::TimedOut);
    let server = Server::new([lost(), created()]);
    let ended = server.call(backoff(), keyed(Method::POST)).await;
    assert_eq!(ended.status(), 201);
    assert_eq!(ended.outcomes(), [Outcome::Failed("timeout")]);
    assert_eq!(ended.call.disposition(), Disposition::Executed);

    let server = Server::new([lost(), created()]);
    let outside = Stack::new().push(Keyed).push(backoff());
    let ended = server.call(outside, request(Method::POST)).await;
    assert_eq!(ended.status(), 201, "the key counts whoever has set it");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_made_inside_the_retry_makes_nothing_safe() {
    let server = Server::new([busy()]);
    let inside = Stack::new().push(backoff()).push(Keyed);
    let ended = server.call(inside, request(Method::POST)).await;
    assert_eq!(ended.status(), 503);
    // Not even once an attempt was repeated because it was not executed.
    let server = Server::new([Answer::Status(429, &[]), busy()]);
    let inside = Stack::new().push(backoff()).push(Keyed);
    let ended = server.call(inside, request(Method::POST)).await;
    assert_eq!(ended.status(), 503);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_key_was_forgotten_is_not_sent_at_all() {
    let server = Server::new([created()]);
    let late = Stack::new().push(KeyedFor(Duration::ZERO)).push(backoff());
    let ended = server.call(late, request(Method::POST)).await;
    assert!(ended.seen.is_empty(), "it would be executed anew");
    let error = ended.result.unwrap_err();
    assert!(caused_by::<KeyForgotten>(error.as_ref()).is_some());
    assert_eq!(ended.call.stopped(), Some("key_expired"));
    assert_eq!(ended.call.disposition(), Disposition::NotExecuted);

    let in_time = Stack::new().push(KeyedFor(ms(1))).push(backoff());
    let ended = Server::new([created()]);
    let ended = ended.call(in_time, request(Method::POST)).await;
    assert_eq!(ended.status(), 201);
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_comes_late_sends_nothing_that_is_too_late() {
    async fn after_a_stall(deadline: Duration) -> Ended {
        let server = Server::new([busy(), created()]);
        let rules = half().deadline(deadline);
        let rules = rules.key_window(Duration::from_secs(10)).build().unwrap();
        let handle = CallHandle::new();
        let mut request = keyed(Method::POST);
        request.extensions_mut().insert(handle.clone());
        let inner = {
            let server = server.clone();
            tower::service_fn(move |request| server.clone().answer(request))
        };
        let call = tokio::spawn(Layered::new(rules, inner).oneshot(request));
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        // The machine stands still in the midst of the delay.
        tokio::time::advance(Duration::from_secs(60)).await;
        Ended {
            result: call.await.unwrap(),
            call: handle.call(),
            seen: server.seen(),
            waits: Vec::new(),
        }
    }
    let ended = after_a_stall(Duration::from_secs(20)).await;
    let error = ended.result.unwrap_err();
    assert!(caused_by::<DeadlineExceeded>(error.as_ref()).is_some());
    assert_eq!(ended.seen.len(), 1);

    let ended = after_a_stall(Duration::from_secs(600)).await;
    let error = ended.result.unwrap_err();
    assert!(caused_by::<KeyForgotten>(error.as_ref()).is_some());
    assert_eq!(ended.seen.len(), 1, "it would be executed anew");
    assert_eq!(ended.call.disposition(), Disposition::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_second_conversation_over_a_call_does_not_forget_the_first() {
    // As auth does it, if it lies further out.
    let refused = || Answer::Status(401, &[]);
    let outside = || Stack::new().push(Resend).push(backoff());
    let server = Server::new([refused(), created()]);
    let ended = server.call(outside(), request(Method::POST)).await;
    assert_eq!(ended.call.disposition(), Disposition::Executed);

    let server = Server::new([busy(), refused(), Answer::Status(422, &[])]);
    let ended = server.call(outside(), keyed(Method::POST)).await;
    assert_eq!(ended.status(), 422);
    assert_eq!(ended.call.disposition(), Disposition::Unknown, "of the 503");
}

#[tokio::test(start_paused = true)]
async fn one_handle_in_two_calls_at_once_follows_the_later_and_hurts_neither() {
    let handle = CallHandle::new();
    let call = |answers: Vec<Answer>| {
        let server = Server::new(answers);
        let inner = {
            let server = server.clone();
            tower::service_fn(move |request| server.clone().answer(request))
        };
        let mut request = request(Method::GET);
        request.extensions_mut().insert(handle.clone());
        async move {
            let result = Layered::new(backoff(), inner).oneshot(request).await;
            (result.unwrap().status().as_u16(), server.seen().len())
        }
    };
    let storm = || vec![busy(); 9];
    let (earlier, later) = tokio::join!(call(storm()), call(vec![busy(), created()]));
    assert_eq!((earlier, later), ((503, 3), (201, 2)));
    assert_eq!(handle.call().attempts().len(), 1, "of the later alone");
}

#[tokio::test(start_paused = true)]
async fn who_only_keeps_the_pace_of_a_quota_pays_for_a_retry() {
    let half_used: Headers = &[
        ("x-ratelimit-limit", "10"),
        ("x-ratelimit-remaining", "4"),
        ("x-ratelimit-reset", "10"),
    ];
    let busy = || Answer::Status(503, half_used);
    let budget = Budget::new().percent(0.0).reserve(1).refill_every(None);
    let limits = Limits::builder().budget(budget).build().unwrap();
    let poor = half().limits(limits).build().unwrap();
    let server = Server::new([busy(), busy(), created()]);
    let ended = server.call(poor, request(Method::GET)).await;
    assert_eq!(ended.seen.len(), 2, "there was one token");
    assert_eq!(ended.call.stopped(), Some("budget"));
}

#[tokio::test(start_paused = true)]
async fn an_empty_key_makes_nothing_safe() {
    // Blanks around a value are no part of it (RFC 9110 §5.5): the server reads an empty one.
    for empty in ["", " ", " \t"] {
        let server = Server::new([busy()]);
        let mut request = request(Method::POST);
        let headers = request.headers_mut();
        headers.insert("idempotency-key", HeaderValue::from_static(empty));
        let ended = server.call(backoff(), request).await;
        assert_eq!(ended.seen.len(), 1, "{empty:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_the_server_asks_for_is_kept_and_jitter_comes_on_top() {
    const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT"; // NOW
    const LATER: &str = "Tue, 14 Nov 2023 22:13:23 GMT";
    const AHEAD: &str = "Tue, 14 Nov 2023 23:13:20 GMT"; // an hour ahead of us
    let cases: [(u16, Headers); 5] = [
        (429, &[("retry-after", "3")]),
        (503, &[("retry-after", LATER), ("date", DATE)]),
        (503, &[("retry-after", LATER)]),
        (
            429,
            &[
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "1700000003"),
            ],
        ),
        (429, &[("date", AHEAD), ("x-ratelimit-reset", "1700003603")]),
    ];
    for (status, headers) in cases {
        let server = Server::new([Answer::Status(status, headers), created()]);
        let ended = server.call(backoff(), request(Method::GET)).await;
        assert_eq!(ended.waits, [ms(3125)], "{status} {headers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_too_long_ends_the_retries_and_is_handed_on() {
    let server = Server::new([Answer::Status(429, &[("retry-after", "61")])]);
    let started = Instant::now();
    let ended = server.call(backoff(), request(Method::GET)).await;
    assert_eq!(started.elapsed(), Duration::ZERO, "at once");
    let response = ended.result.unwrap();
    let now = std::time::UNIX_EPOCH + Duration::from_secs(NOW);
    let asked = Hints::default().asked(response.status(), response.headers(), now);
    assert_eq!(asked.map(|asked| asked.wait), Some(Duration::from_secs(61)));
    let last = ended.call.attempts().last().unwrap();
    assert_eq!(last.hint, Some(Duration::from_secs(61)));
    assert_eq!(ended.call.stopped(), Some("hint_too_long"));
}

#[tokio::test(start_paused = true)]
async fn a_veto_is_obeyed() {
    let vetoes: [Headers; 3] = [
        &[("x-should-retry", "false")],
        &[("stripe-should-retry", "False")],
        &[("x-should-retry", "true"), ("stripe-should-retry", "false")],
    ];
    for headers in vetoes {
        let server = Server::new([Answer::Status(429, headers)]);
        let ended = server.call(backoff(), keyed(Method::POST)).await;
        assert_eq!(ended.status(), 429);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_the_server_remembers_is_not_asked_for_again() {
    let replayed = Answer::Status(500, &[("idempotent-replayed", "true")]);
    let server = Server::new([busy(), replayed]);
    let ended = server.call(backoff(), keyed(Method::POST)).await;
    assert_eq!(ended.status(), 500);
    assert_eq!(ended.seen.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_would_outlast_the_deadline_is_not_begun() {
    let asks = || Answer::Status(503, &[("retry-after", "5")]);
    let started = Instant::now();
    let own = half().deadline(ms(5000)).build().unwrap();
    let ended = Server::new([asks()]).call(own, request(Method::GET)).await;
    assert_eq!(ended.status(), 503);
    // One that leaves no time for the attempt: the least is 10 ms.
    let callers = Stack::new().push(DueIn(ms(5135))).push(backoff());
    let ended = Server::new([asks()])
        .call(callers, request(Method::GET))
        .await;
    assert_eq!(ended.status(), 503);
    assert_eq!(started.elapsed(), Duration::ZERO, "nobody has slept");

    let callers = Stack::new().push(DueIn(ms(5136))).push(backoff());
    let server = Server::new([asks(), created()]);
    let ended = server.call(callers, request(Method::GET)).await;
    assert_eq!(ended.status(), 201);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_deadline_has_passed_is_not_sent() {
    for request in [request(Method::GET), keyed(Method::POST)] {
        let server = Server::new([created()]);
        let late = Stack::new().push(DueIn(Duration::ZERO)).push(backoff());
        let ended = server.call(late, request).await;
        assert!(ended.seen.is_empty(), "sent for nobody");
        let error = ended.result.unwrap_err();
        assert!(caused_by::<DeadlineExceeded>(error.as_ref()).is_some());
        assert_eq!(ended.call.disposition(), Disposition::NotExecuted);
        assert!(ended.call.attempts().is_empty());
    }
    let server = Server::new([created()]);
    let in_time = Stack::new().push(DueIn(ms(1))).push(backoff());
    let ended = server.call(in_time, request(Method::GET)).await;
    assert_eq!(ended.status(), 201);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_does_not_unsay_what_was_sent_before() {
    let server = Server::new([created()]);
    let resent = Stack::new().push(Lost).push(DueIn(Duration::ZERO));
    let ended = server
        .call(resent.push(backoff()), keyed(Method::POST))
        .await;
    assert!(ended.seen.is_empty());
    assert_eq!(ended.call.disposition(), Disposition::Unknown);
}

#[tokio::test(start_paused = true)]
async fn the_last_failure_is_handed_on_as_it_came() {
    let last = Answer::Status(502, &[("x-request-id", "req-3")]);
    let server = Server::new([busy(), busy(), last]);
    let ended = server.call(backoff(), request(Method::GET)).await;
    assert_eq!(ended.call.attempts().len(), 3);
    assert_eq!(ended.call.attempts()[2].delay, None);
    let response = ended.result.unwrap();
    assert_eq!(response.status(), 502);
    assert_eq!(response.headers()["x-request-id"], "req-3");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "answer 502");

    let reset = Answer::Error(io::ErrorKind::ConnectionReset);
    let server = Server::new([busy(), busy(), reset]);
    let ended = server.call(backoff(), request(Method::GET)).await;
    let error = ended.result.unwrap_err();
    let error = error.downcast_ref::<io::Error>().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn a_later_refusal_does_not_outweigh_an_attempt_of_which_nobody_knows() {
    let refused = Answer::Status(422, &[]);
    let server = Server::new([Answer::Error(io::ErrorKind::TimedOut), refused.clone()]);
    let ended = server.call(backoff(), keyed(Method::POST)).await;
    assert_eq!(ended.status(), 422);
    assert_eq!(ended.call.disposition(), Disposition::Unknown);

    let server = Server::new([Answer::Status(429, &[]), refused]);
    let ended = server.call(backoff(), keyed(Method::POST)).await;
    assert_eq!(ended.call.disposition(), Disposition::NotExecuted);
}

#[tokio::test(start_paused = true)]
async fn an_outer_retry_does_not_overrule_what_an_inner_one_has_seen() {
    let lost = Answer::Error(io::ErrorKind::TimedOut);
    let server = Server::new([lost, Answer::Status(429, &[])]);
    let once = half().attempts(1).build().unwrap();
    let twice = half().attempts(2).build().unwrap();
    let nested = Stack::new().push(once).push(twice);
    let ended = server.call(nested, keyed(Method::POST)).await;
    assert_eq!(ended.status(), 429);
    assert_eq!(ended.call.disposition(), Disposition::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_replayed_further_in_is_replayed_further_out_too() {
    let server = Server::new([busy(), busy(), busy(), created()]);
    let request = keyed(Method::POST).map(ReplayBody::new);
    let nested = Stack::new().push(backoff()).push(Resend);
    let ended = server.call(nested, request).await;
    assert_eq!(ended.status(), 201);
    assert_eq!(ended.seen.len(), 4);
    assert!(ended.seen.iter().all(|seen| seen.body == "amount=12"));
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_that_succeeds_with_a_key_was_executed() {
    let ended = Server::new([created()])
        .call(backoff(), keyed(Method::POST))
        .await;
    assert_eq!(ended.call.disposition(), Disposition::Executed);
}

#[tokio::test(start_paused = true)]
async fn a_success_after_a_resend_further_in_was_executed() {
    let server = Server::new([Answer::Status(429, &[]), created()]);
    let nested = Stack::new().push(backoff()).push(Resend);
    let ended = server.call(nested, request(Method::POST)).await;
    assert_eq!(ended.seen.len(), 2);
    assert_eq!(ended.call.disposition(), Disposition::Executed);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_early_can_read_how_far_the_call_came() {
    async fn left_after(time: Duration) -> Call {
        let server = Server::new([Answer::Status(429, &[]), Answer::Never]);
        let handle = CallHandle::new();
        let mut request = request(Method::POST);
        request.extensions_mut().insert(handle.clone());
        let inner = tower::service_fn(move |request| server.clone().answer(request));
        let call = Layered::new(backoff(), inner).oneshot(request);
        assert!(tokio::time::timeout(time, call).await.is_err());
        handle.call()
    }
    let asleep = left_after(ms(100)).await;
    assert_eq!(asleep.disposition(), Disposition::NotExecuted);
    // The refusal pauses everybody for longer than its own delay.
    let in_its_turn = left_after(ms(200)).await;
    assert_eq!(in_its_turn.attempt(), 0);
    assert_eq!(in_its_turn.disposition(), Disposition::NotExecuted);
    let under_way = left_after(ms(1000)).await;
    assert_eq!(under_way.attempt(), 1);
    assert_eq!(under_way.disposition(), Disposition::Unknown);
}

#[tokio::test]
async fn a_first_attempt_that_succeeds_leaves_the_call_alone() {
    let server = Server::new([created()]);
    let inner = tower::service_fn(move |request| server.clone().answer(request));
    let service = Layered::new(backoff(), inner);
    let response = service.oneshot(request(Method::POST)).await.unwrap();
    assert!(response.extensions().get::<CallHandle>().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_the_request_is_kept_only_while_there_may_be_a_retry() {
    async fn copies(backoff: Backoff, answers: Vec<Answer>) -> usize {
        let copies = Arc::new(AtomicUsize::new(0));
        let request = request(Method::GET).map(|inner| Counted {
            inner,
            copies: Arc::clone(&copies),
        });
        Server::new(answers).call(backoff, request).await;
        copies.load(Ordering::SeqCst)
    }
    let once = half().attempts(1).build().unwrap();
    assert_eq!(copies(once, vec![busy()]).await, 0);
    assert_eq!(copies(backoff(), vec![created()]).await, 1);
    assert_eq!(copies(backoff(), vec![busy(), busy(), busy()]).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_outgrew_its_buffer_is_not_sent_again() {
    let server = Server::new([busy()]);
    let request = keyed(Method::POST).map(|body| ReplayBody::with_cap(body, 4));
    let ended = server.call(backoff(), request).await;
    assert_eq!(ended.status(), 503);
    assert_eq!(ended.call.attempts()[0].delay, None);

    let server = Server::new([busy(), created()]);
    let request = keyed(Method::POST).map(ReplayBody::new);
    let ended = server.call(backoff(), request).await;
    assert_eq!(ended.seen[1].body, "amount=12");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_foreign_transport_is_read_by_its_owner() {
    let unreachable = || Answer::Error(io::ErrorKind::HostUnreachable);
    let server = Server::new([unreachable()]);
    let ended = server.call(backoff(), request(Method::POST)).await;
    assert_eq!(ended.outcomes(), [Outcome::Failed("ambiguous")]);

    let server = Server::new([unreachable(), created()]);
    let own = half().classify(|error: &(dyn Error + 'static)| {
        let error = error.downcast_ref::<io::Error>()?;
        (error.kind() == io::ErrorKind::HostUnreachable).then_some(Class::Refused)
    });
    let ended = server
        .call(own.build().unwrap(), request(Method::POST))
        .await;
    assert_eq!(ended.status(), 201);
}

#[tokio::test(start_paused = true)]
async fn other_key_headers_can_be_named() {
    let own = half().key_headers([header::HeaderName::from_static("request-token")]);
    let own = own.build().unwrap();
    let server = Server::new([busy(), created()]);
    let mut request = request(Method::POST);
    let headers = request.headers_mut();
    headers.insert("request-token", HeaderValue::from_static("17"));
    assert_eq!(server.call(own.clone(), request).await.status(), 201);
    let server = Server::new([busy()]);
    assert_eq!(server.call(own, keyed(Method::POST)).await.status(), 503);
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_together_do_not_come_back_together() {
    let unlimited = Limits::builder().budget(Budget::unlimited()).build();
    let shared = Backoff::builder().limits(unlimited.unwrap());
    let shared = shared.build().unwrap();
    let mut waits = Vec::new();
    for _ in 0..32 {
        let server = Server::new([busy(), created()]);
        let ended = server.call(shared.clone(), request(Method::GET)).await;
        waits.push(ended.waits[0].as_millis());
    }
    // Tokio's timer counts in milliseconds, up.
    assert!(waits.iter().all(|wait| *wait <= 251), "{waits:?}");
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 16, "{waits:?}");
}

/// A body that counts its copies.
struct Counted {
    inner: Full<Bytes>,
    copies: Arc<AtomicUsize>,
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.copies.fetch_add(1, Ordering::SeqCst);
        Self {
            inner: self.inner.clone(),
            copies: Arc::clone(&self.copies),
        }
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }
}
