//! The stack over a tower service, in virtual time: its order, its deadline, its boundary.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test fail it as the test itself does"
)]

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use golive::auth_refresh::{
    Tokens,
    source::{Fetching, Token, TokenSource},
};
use golive::core::{
    BoxError, Call, CallHandle, Disposition, Exchange, Middleware, Stack, caused_by,
    tower::Layer as _,
};
use golive::telemetry::Telemetry;
use golive::{ClientStack, DeadlineExceeded, Environment, Outside};
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::Full;
use opentelemetry::trace::{SpanKind, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tokio::time::{Instant, sleep};
use tower::{ServiceExt as _, service_fn};

const BASE: &str = "https://api.example.com/v1";
const SECOND: Duration = Duration::from_secs(1);

/// Tokens that are counted.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicU32>);

impl TokenSource for Counted {
    fn fetch(&self) -> Fetching<'_> {
        let n = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        let now = Instant::now().into_std();
        Box::pin(async move { Token::new(format!("canary-{n}"), now, None) })
    }
}

/// A provider that answers from a list, then 200, and notes what it saw.
#[derive(Clone, Default)]
struct Provider(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    answers: VecDeque<Response<Full<Bytes>>>,
    seen: Vec<HeaderMap>,
    hangs: bool,
}

impl Provider {
    fn answering<const N: usize>(answers: [(u16, &'static str); N]) -> Self {
        let this = Self::default();
        for (status, body) in answers {
            let answer = Response::builder().status(status);
            this.push(answer.body(Full::from(body)).unwrap());
        }
        this
    }

    fn push(&self, answer: Response<Full<Bytes>>) {
        self.0.lock().unwrap().answers.push_back(answer);
    }

    fn seen(&self, name: &str) -> Vec<String> {
        let books = self.0.lock().unwrap();
        let one = |headers: &HeaderMap| headers[name].to_str().unwrap().to_owned();
        books.seen.iter().map(one).collect()
    }

    fn times(&self) -> usize {
        self.0.lock().unwrap().seen.len()
    }

    async fn call(
        self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (answer, hangs) = {
            let mut books = self.0.lock().unwrap();
            books.seen.push(request.headers().clone());
            (books.answers.pop_front(), books.hangs)
        };
        if hangs {
            pending::<()>().await;
        }
        Ok(answer.unwrap_or_default())
    }

    /// Sends a request through `middleware` to here.
    async fn ask<M: Middleware + Clone>(
        &self,
        middleware: &M,
        request: Request<Full<Bytes>>,
    ) -> Result<u16, BoxError> {
        let this = self.clone();
        let service = service_fn(move |request| this.clone().call(request));
        let stack = Stack::new().push(middleware.clone()).layer(service);
        Ok(stack.oneshot(request).await?.status().as_u16())
    }
}

fn stack(tokens: impl TokenSource, deadline: Duration) -> ClientStack {
    let environment = Environment::custom(BASE).unwrap();
    ClientStack::builder(environment, Tokens::new(tokens))
        .deadline(deadline)
        .build()
        .unwrap()
}

fn post(uri: &str) -> (Request<Full<Bytes>>, CallHandle) {
    let call = CallHandle::new();
    let mut request = Request::post(uri).body(Full::from("{}")).unwrap();
    request.extensions_mut().insert(call.clone());
    (request, call)
}

const EXPIRED: &str = r#"{"code":"token_expired"}"#;

#[tokio::test(start_paused = true)]
async fn one_key_on_every_attempt_and_a_new_token_within_one() {
    let provider = Provider::answering([(503, ""), (401, EXPIRED), (503, ""), (200, "")]);
    let (request, call) = post("https://api.example.com/v1/payments");
    let tokens = Counted::default();
    let status = provider.ask(&stack(tokens, 60 * SECOND), request).await;
    assert_eq!(status.unwrap(), 200);
    let keys = provider.seen("idempotency-key");
    assert!(keys.len() == 4 && keys.iter().all(|key| *key == keys[0]));
    // The replay with a new token costs no attempt of the three.
    let tokens = provider.seen("authorization").join(" ");
    assert_eq!(tokens.replace("Bearer canary-", ""), "1 1 2 2",);
    assert_eq!(call.call().disposition(), Disposition::Executed);
}

#[tokio::test(start_paused = true)]
async fn a_new_token_grants_no_new_attempts() {
    let provider = Provider::answering([(503, ""), (503, ""), (401, EXPIRED), (503, "")]);
    let (request, _) = post("https://api.example.com/v1/payments");
    let ours = stack(Counted::default(), 60 * SECOND);
    assert_eq!(provider.ask(&ours, request).await.unwrap(), 503);
    let tokens = provider.seen("authorization").join(" ");
    assert_eq!(tokens.replace("Bearer canary-", ""), "1 1 1 2");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_does_not_fit_is_handed_on_and_not_waited_for() {
    let provider = Provider::default();
    let busy = Response::builder().status(429).header("retry-after", "25");
    provider.push(busy.body(Full::default()).unwrap());
    let (request, _) = post("https://api.example.com/v1/payments");
    let started = Instant::now();
    let status = provider
        .ask(&stack(Counted::default(), 20 * SECOND), request)
        .await;
    assert_eq!(status.unwrap(), 429);
    assert_eq!((started.elapsed(), provider.times()), (Duration::ZERO, 1));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_what_hangs_and_says_that_nobody_knows() {
    let provider = Provider::default();
    provider.0.lock().unwrap().hangs = true;
    let (request, call) = post("https://api.example.com/v1/payments");
    let started = Instant::now();
    let asked = provider
        .ask(&stack(Counted::default(), 5 * SECOND), request)
        .await;
    let error = asked.unwrap_err();
    assert!(
        caused_by::<DeadlineExceeded>(error.as_ref()).is_some(),
        "{error:?}"
    );
    assert_eq!(started.elapsed(), 5 * SECOND);
    assert_eq!(call.call().disposition(), Disposition::Unknown);
}

/// A token endpoint that never answers.
struct Mute;

impl TokenSource for Mute {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(pending())
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_lies_outside_of_the_token_and_of_the_retries() {
    let provider = Provider::default();
    let (request, _) = post("https://api.example.com/v1/payments");
    let started = Instant::now();
    provider
        .ask(&stack(Mute, 3 * SECOND), request)
        .await
        .unwrap_err();
    assert_eq!((started.elapsed(), provider.times()), (3 * SECOND, 0));
}

/// Somebody further out who has less time, and perhaps none.
#[derive(Clone)]
struct Hurried(Duration);

impl Middleware for Hurried {
    async fn handle<Req: golive::core::Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        let deadline = Instant::now() + self.0;
        call.limit_to(deadline.into_std());
        sleep(SECOND).await;
        below.send(call, req).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_less_time_is_heeded_and_one_with_none_sends_nothing() {
    for (time, elapsed, sent, disposition) in [
        (2 * SECOND, 2 * SECOND, 1, Disposition::Unknown),
        (SECOND, SECOND, 0, Disposition::NotExecuted),
        (SECOND / 2, SECOND, 0, Disposition::NotExecuted),
    ] {
        let provider = Provider::default();
        provider.0.lock().unwrap().hangs = true;
        let tokens = Counted::default();
        let ours = stack(tokens.clone(), 60 * SECOND);
        let service = {
            let provider = provider.clone();
            service_fn(move |request| provider.clone().call(request))
        };
        let hurried = Stack::new().push(Hurried(time)).push(ours).layer(service);
        let (request, call) = post("https://api.example.com/v1/payments");
        let started = Instant::now();
        let error = hurried.oneshot(request).await.unwrap_err();
        assert!(
            caused_by::<DeadlineExceeded>(error.as_ref()).is_some(),
            "{time:?}: {error:?}"
        );
        assert_eq!(
            (started.elapsed(), provider.times()),
            (elapsed, sent),
            "{time:?}"
        );
        assert_eq!(call.call().disposition(), disposition, "{time:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_to_elsewhere_is_refused_as_such_even_if_there_is_no_time_either() {
    let service = service_fn(|request| Provider::default().call(request));
    let ours = stack(Counted::default(), SECOND);
    let hurried = Stack::new().push(Hurried(SECOND / 2)).push(ours);
    let (request, _) = post("https://evil.test/v1/x");
    let error = hurried.layer(service).oneshot(request).await.unwrap_err();
    assert!(caused_by::<Outside>(error.as_ref()).is_some(), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_span_of_a_call_lies_between_deadline_and_key_and_that_of_an_attempt_innermost() {
    let spans = InMemorySpanExporter::default();
    let tracers = SdkTracerProvider::builder()
        .with_simple_exporter(spans.clone())
        .build();
    let telemetry = Telemetry::builder().tracer(tracers.tracer("test"));
    let environment = Environment::custom(BASE).unwrap();
    let ours = ClientStack::builder(environment, Tokens::new(Counted::default()))
        .telemetry(&telemetry.build().unwrap())
        .build()
        .unwrap();
    let provider = Provider::default();
    provider.0.lock().unwrap().hangs = true;
    let ended = |kind: SpanKind| {
        let all = spans.get_finished_spans().unwrap();
        spans.reset();
        let of_kind = all.into_iter().filter(|span| span.span_kind == kind);
        let reason = |span: SpanData| {
            let mut all = span.attributes.into_iter();
            let found = all.find(|label| label.key.as_str() == "error.type");
            found.map(|label| label.value.to_string())
        };
        of_kind.map(reason).collect::<Vec<_>>()
    };

    // A replay with a new token is an attempt of its own.
    let (request, _) = post("https://api.example.com/v1/payments");
    let expired = Provider::answering([(401, EXPIRED)]);
    expired.ask(&ours, request).await.unwrap();
    assert_eq!(ended(SpanKind::Client).len(), 2);

    // The deadline ends it from inside: it is a timeout, and not somebody who left.
    let (request, _) = post("https://api.example.com/v1/payments");
    provider.ask(&ours, request).await.unwrap_err();
    assert_eq!(ended(SpanKind::Internal), [Some("timeout".to_owned())]);

    // A key that is refused is a call that failed, and no attempt.
    let (mut request, _) = post("https://api.example.com/v1/payments");
    for key in ["one", "two"] {
        let key = http::HeaderValue::from_static(key);
        request.headers_mut().append("idempotency-key", key);
    }
    provider.ask(&ours, request).await.unwrap_err();
    let all = spans.get_finished_spans().unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(ended(SpanKind::Internal).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_raw_uri_that_leaves_the_environment_gets_no_token_and_none_is_fetched() {
    let (provider, tokens) = (Provider::default(), Counted::default());
    let ours = stack(tokens.clone(), SECOND);
    for uri in [
        "https://evil.test/v1/x",
        "https://api.example.com@evil.test/v1/x",
        "https://api.example.com:444/v1/x",
        "http://api.example.com:443/v1/x",
        "https://api.example.com./v1/x",
        "https://api.example.com",
        "https://api.example.com/v10/x",
        "https://api.example.com//v1/x",
        "https://api.example.com/V1/x",
        "https://api.example.com/v1/../x",
        "https://api.example.com/v1/..;/x",
        "https://api.example.com/v1/%2e%2E%2fx",
        "/v1/x",
        "api.example.com:443",
        "*",
    ] {
        let (mut request, call) = post("/");
        *request.uri_mut() = uri.parse::<Uri>().unwrap();
        let error = provider.ask(&ours, request).await.unwrap_err();
        assert!(
            caused_by::<Outside>(error.as_ref()).is_some(),
            "{uri}: {error:?}"
        );
        assert_eq!(call.call().disposition(), Disposition::NotExecuted);
    }
    assert_eq!((provider.times(), tokens.0.load(Ordering::SeqCst)), (0, 0));
    for uri in [
        "https://api.example.com/v1",
        "HTTPS://API.example.com:443/v1/x//y?u=https://evil.test/",
        "https://user@api.example.com/v1/x",
    ] {
        let (request, _) = post(uri);
        assert_eq!(provider.ask(&ours, request).await.unwrap(), 200, "{uri}");
    }
}
