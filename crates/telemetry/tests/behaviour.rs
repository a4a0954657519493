//! What the middleware record, read back from the real SDK.

#![cfg(feature = "tower")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what fails here fails the test"
)]

mod common;

use std::{
    convert::Infallible,
    future::{pending, ready},
    io,
    time::Duration,
};

use bytes::Bytes;
use common::{Recorder, line};
use golive_core::{
    Attempt, BoxError, Call, Disposition, Exchange, Middleware, Outcome, Request as _, Stack,
    tower::Layer,
};
use golive_telemetry::{Telemetry, names};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tower::{Service, ServiceExt, service_fn};

type Body = Full<Bytes>;

/// Marked, so that it can be searched for in everything that came out.
const CANARY: &str = "canary-9f31";

fn request(method: &str, uri: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(uri);
    request.body(Body::default()).unwrap()
}

fn answer(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// A transport that gives each request to a function.
fn transport<E: Into<BoxError> + Send + 'static>(
    f: fn(&Request<Body>) -> Result<Response<Body>, E>,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = E, Future: Send + 'static>
+ Clone
+ Send
+ 'static {
    service_fn(move |request: Request<Body>| ready(f(&request)))
}

/// Retries until it is a success, as `golive-backoff` does, and notes it in the call.
#[derive(Clone, Copy, Debug)]
struct Retry;

impl Middleware for Retry {
    async fn handle<Req: golive_core::Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        mut req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        loop {
            let spare = req.try_clone().unwrap();
            let result = below.send(call, req).await;
            let outcome = match &result {
                Ok(r) if golive_core::Response::status(r).is_success() => return result,
                Ok(r) => Outcome::Answered(golive_core::Response::status(r)),
                Err(_) => Outcome::Failed("connect"),
            };
            let mut attempt = Attempt::new(outcome, Disposition::Unknown);
            if call.attempt() == 2 {
                call.record(attempt);
                return result;
            }
            attempt.delay = Some(Duration::from_secs(1));
            call.record(attempt);
            tokio::time::sleep(Duration::from_secs(1)).await;
            call.next_attempt();
            req = spare;
        }
    }
}

const SERVER: &str = "server.address=api.example server.port=443";

#[tokio::test(start_paused = true)]
async fn an_attempt_is_a_point_with_bounded_labels_and_a_client_span() {
    let recorder = Recorder::new();
    let telemetry = Telemetry::builder()
        .meter(&recorder.meter())
        .tracer(recorder.tracer())
        .route("/v3/customers/{id}")
        .build()
        .unwrap();
    let client = telemetry
        .attempt()
        .layer(transport(|_| Ok::<_, Infallible>(answer(404))));
    let uri = "https://API.example/v3/customers/cus_1";
    client.oneshot(request("GET", uri)).await.unwrap();

    let labels = format!(
        "error.type=404 http.request.method=GET http.response.status_code=404 {SERVER} \
         url.template=/v3/customers/{{id}}"
    );
    let points = recorder.points(names::REQUEST_DURATION.name);
    assert_eq!(points, [(labels, 1.0)]);
    let points = recorder.points(names::ACTIVE_REQUESTS.name);
    assert_eq!(points, [(SERVER.to_owned(), 0.0)]);

    let [span] = &recorder.spans()[..] else {
        panic!("one span");
    };
    assert_eq!(span.name, "GET /v3/customers/{id}");
    assert_eq!(span.span_kind, SpanKind::Client);
    assert_eq!(span.status, Status::error(""));
    assert_eq!(
        line(&span.attributes),
        format!(
            "error.type=404 http.request.method=GET http.response.status_code=404 {SERVER} \
             url.full=https://api.example/v3/customers/REDACTED url.template=/v3/customers/{{id}}"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn points_are_told_apart_whether_their_labels_were_at_hand_or_not() {
    let recorder = Recorder::new();
    let mut telemetry = Telemetry::builder().meter(&recorder.meter());
    for route in 10..60 {
        telemetry = telemetry.route(format!("/{route}"));
    }
    let telemetry = telemetry.build().unwrap();
    let created = |request: &Request<Body>| match request.method().as_str() {
        "POST" => Ok::<_, Infallible>(answer(201)),
        _ => Ok(answer(200)),
    };
    let client = telemetry.attempt().layer(transport(created));
    let mut expected = Vec::new();
    for (method, status) in [("GET", 200), ("POST", 201)] {
        for route in 10..60 {
            for _ in 0..2 {
                let uri = format!("https://api.example/{route}");
                client.clone().oneshot(request(method, &uri)).await.unwrap();
            }
            let labels = format!(
                "http.request.method={method} http.response.status_code={status} {SERVER} \
                 url.template=/{route}"
            );
            expected.push((labels, 2.0));
        }
    }
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    let points = recorder.points(names::REQUEST_DURATION.name);
    assert_eq!(points, expected);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_the_parent_of_its_attempts_and_counts_its_retries() {
    let recorder = Recorder::new();
    let telemetry = Telemetry::builder()
        .meter(&recorder.meter())
        .tracer(recorder.tracer())
        .build()
        .unwrap();
    let client = Stack::new()
        .push(telemetry.call())
        .push(Retry)
        .push(telemetry.attempt())
        .layer(transport(|_| Ok::<_, Infallible>(answer(503))));
    let uri = "https://api.example/";
    client.oneshot(request("PUT", uri)).await.unwrap();

    let spans = recorder.spans();
    let [first, second, third, call] = &spans[..] else {
        panic!("three attempts and a call: {spans:?}");
    };
    assert_eq!(call.span_kind, SpanKind::Internal);
    assert_eq!(call.parent_span_id, SpanId::INVALID);
    for (attempt, resends) in [(first, None), (second, Some("1")), (third, Some("2"))] {
        assert_eq!(attempt.parent_span_id, call.span_context.span_id());
        let count = attempt.attributes.iter();
        let mut count = count.filter(|pair| pair.key.as_str() == names::RESEND_COUNT);
        let seen = count.next().map(|pair| pair.value.to_string());
        assert_eq!(seen.as_deref(), resends);
    }
    let points = recorder.points(names::REQUEST_DURATION.name);
    assert_eq!(points[0].1, 3.0);
    let labels = format!("error.type=503 {SERVER}");
    let points = recorder.points(names::RETRIES.name);
    assert_eq!(points, [(labels, 2.0)]);
    let labels = format!(
        "error.type=503 golive.disposition=unknown http.request.method=PUT \
         http.response.status_code=503 {SERVER}"
    );
    let points = recorder.points(names::CALL_DURATION.name);
    assert_eq!(points, [(labels, 1.0)]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_is_cancelled_and_no_longer_active() {
    let recorder = Recorder::new();
    let telemetry = Telemetry::builder()
        .meter(&recorder.meter())
        .tracer(recorder.tracer())
        .build()
        .unwrap();
    let stuck = service_fn(|_: Request<Body>| pending::<Result<Response<Body>, Infallible>>());
    let client = Stack::new()
        .push(telemetry.call())
        .push(telemetry.attempt())
        .layer(stuck);
    let call = client.oneshot(request("GET", "https://api.example/"));
    let active = || recorder.points(names::ACTIVE_REQUESTS.name)[0].1;
    let mut call = Box::pin(call);
    let limit = Duration::from_secs(1);
    assert!(tokio::time::timeout(limit, &mut call).await.is_err());
    assert_eq!(active(), 1.0);
    drop(call);
    assert_eq!(active(), 0.0);
    let labels = format!("error.type=cancelled http.request.method=GET {SERVER}");
    for metric in [names::REQUEST_DURATION, names::CALL_DURATION] {
        assert_eq!(recorder.points(metric.name), [(labels.clone(), 1.0)]);
    }
    assert_eq!(recorder.spans().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_secret_comes_out_wherever_it_went_in() {
    let recorder = Recorder::new();
    let telemetry = Telemetry::builder()
        .meter(&recorder.meter())
        .tracer(recorder.tracer())
        .route("/v3/{id}")
        .request_header(HeaderName::from_static("x-trace"))
        .response_header(HeaderName::from_static("x-request-id"))
        .build()
        .unwrap();
    let client = Stack::new()
        .push(telemetry.call())
        .push(telemetry.attempt())
        .layer(service_fn(|request: Request<Body>| async move {
            if request.method() == "GET" {
                return Err(io::Error::other(format!("{CANARY} {}", request.uri())));
            }
            let mut response = answer(401);
            let headers = response.headers_mut();
            headers.insert("x-request-id", HeaderValue::from_static("req_1"));
            headers.insert("set-cookie", CANARY.parse().unwrap());
            Ok(response)
        }));
    let path = [format!("/v3/{CANARY}"), format!("/{CANARY}/{CANARY}")];
    for (method, path) in [("GET", &path[0]), ("POST", &path[0]), ("POST", &path[1])] {
        let uri = format!("https://user:{CANARY}@api.example{path}?cpf={CANARY}&{CANARY}=1");
        let mut request = request(method, &uri);
        let headers = request.headers_mut();
        headers.insert("authorization", CANARY.parse().unwrap());
        headers.insert("idempotency-key", CANARY.parse().unwrap());
        let mut marked = HeaderValue::from_static(CANARY);
        marked.set_sensitive(true);
        headers.insert("x-trace", marked);
        let _ = client.clone().oneshot(request).await;
    }
    let spans = format!("{:?}", recorder.spans());
    let metrics = format!("{:?}", recorder.all());
    let shown = format!(
        "{telemetry:?} {:?} {:?}",
        telemetry.call(),
        telemetry.attempt()
    );
    // The control: the search would find it, and something came out.
    assert!(spans.contains("req_1") && metrics.contains("/v3/{id}"));
    assert_eq!(recorder.spans().len(), 6);
    for text in [spans, metrics, shown] {
        assert!(!text.contains(CANARY), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_methods_servers_and_paths_are_few_series() {
    let recorder = Recorder::new();
    let telemetry = Telemetry::builder()
        .meter(&recorder.meter())
        .max_servers(2)
        .build()
        .unwrap();
    let client = telemetry.attempt().layer(transport(|_| {
        Err::<Response<Body>, _>(io::Error::other("a"))
    }));
    for n in 0..200 {
        let uri = format!("https://host-{n}.example/{n}");
        let request = request(&format!("METHOD-{n}"), &uri);
        assert!(client.clone().oneshot(request).await.is_err());
    }
    // Two servers and the rest.
    assert_eq!(recorder.points(names::REQUEST_DURATION.name).len(), 3);
    assert_eq!(recorder.points(names::ACTIVE_REQUESTS.name).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_quota_is_a_gauge_until_its_middleware_is_gone() {
    let recorder = Recorder::new();
    let telemetry = Telemetry::builder()
        .meter(&recorder.meter())
        .build()
        .unwrap();
    let client = telemetry.attempt().layer(transport(|_| {
        let mut response = answer(200);
        let headers = response.headers_mut();
        headers.insert("x-ratelimit-limit", HeaderValue::from_static("100"));
        headers.insert("x-ratelimit-remaining", HeaderValue::from_static("3"));
        headers.insert("x-ratelimit-reset", HeaderValue::from_static("60"));
        Ok::<_, Infallible>(response)
    }));
    let uri = "https://api.example/";
    client.clone().oneshot(request("GET", uri)).await.unwrap();
    let server = SERVER.to_owned();
    let point = |value| [(server.clone(), value)];
    assert_eq!(recorder.points(names::QUOTA_LIMIT.name), point(100.0));
    assert_eq!(recorder.points(names::QUOTA_REMAINING.name), point(3.0));
    assert_eq!(recorder.points(names::QUOTA_RESET.name).len(), 1);
    drop((telemetry, client));
    assert_eq!(recorder.points(names::QUOTA_REMAINING.name), []);
}

#[tokio::test(start_paused = true)]
async fn the_context_travels_with_each_attempt_only_if_it_was_asked_for() {
    let recorder = Recorder::new();
    let telemetry = || Telemetry::builder().tracer(recorder.tracer());
    let leaf = transport(|request| {
        let mut response = answer(200);
        let parent = request.headers().get("traceparent").cloned();
        response.extensions_mut().insert(parent);
        Ok::<_, Infallible>(response)
    });
    let uri = "https://api.example/";
    let seen = async |telemetry: Telemetry| {
        let client = telemetry.attempt().layer(leaf.clone());
        let response = client.oneshot(request("GET", uri)).await.unwrap();
        let parent = response.extensions().get::<Option<HeaderValue>>();
        parent.cloned().unwrap()
    };
    assert_eq!(seen(telemetry().build().unwrap()).await, None);
    let propagator = TraceContextPropagator::new();
    let with = telemetry().propagator(propagator).build().unwrap();
    let header = seen(with).await.unwrap();
    let span = recorder.spans().pop().unwrap();
    let id = span.span_context.span_id().to_string();
    assert!(header.to_str().unwrap().contains(&id), "{header:?} {id}");
}

#[test]
fn a_request_of_the_core_has_a_path_without_a_query() {
    let request = request("GET", "https://u:p@api.example/a%20b?c");
    assert_eq!(golive_core::Request::path(&request), "/a%20b");
    assert!(request.origin().is_some());
}
