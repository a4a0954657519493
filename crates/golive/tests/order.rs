//! The order of the stack, seen in its consequences: each part is where it has to be.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test fail it as the test itself does"
)]

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use golive::auth_refresh::client_credentials::Credentials;
use golive::core::{CallHandle, Disposition, caused_by};
use golive::telemetry::{Renewals, Telemetry};
use golive::{
    CallError, Client, ClientBuilder, ConfigError, DeadlineExceeded, Environment, Outside, Stage,
    accepted,
};
use golive_sandbox::{Entry, Fault, Sandbox, customer_fixture};
use http::Method;
use opentelemetry::{
    metrics::MeterProvider as _,
    trace::{SpanKind, TracerProvider as _},
};
use opentelemetry_sdk::{
    metrics::{
        InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
        data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics, SumDataPoint},
    },
    trace::{InMemorySpanExporter, SdkTracerProvider},
};
use secrecy::ExposeSecret as _;

async fn provider() -> Sandbox {
    Sandbox::builder().start().await.unwrap()
}

fn builder(provider: &Sandbox) -> ClientBuilder {
    let issued = provider.credential();
    let credentials = Credentials::new(&issued.client_id, issued.client_secret.clone()).unwrap();
    Client::builder(
        Environment::custom(provider.base_url()).unwrap(),
        credentials,
    )
}

/// The creations that the provider saw.
fn creations(provider: &Sandbox) -> Vec<Entry> {
    let all = provider.recorder().all();
    all.into_iter()
        .filter(|entry| entry.route() == "/customers")
        .collect()
}

#[tokio::test]
async fn the_key_lies_outside_the_retry_and_the_token_inside() {
    let provider = provider().await;
    let post = || Fault::on(Method::POST, "/customers");
    provider.faults().push(post().times(1).status(503));
    provider.faults().push(post().nth(2..=2).expire_token());
    let client = builder(&provider).build().unwrap();

    let call = CallHandle::new();
    let request = client.post("/customers").with_extension(call.clone());
    let sent = request.body(customer_fixture("c-1").to_string()).send();
    assert_eq!(accepted(sent.await).await.unwrap().status(), 201);

    let seen = creations(&provider);
    let statuses: Vec<_> = seen.iter().map(Entry::status).collect();
    assert_eq!(statuses, [Some(503), Some(401), Some(201)]);
    // One operation, one key, however often it is sent.
    let keys: Vec<_> = seen.iter().map(|e| e.header("idempotency-key")).collect();
    assert!(keys[0].is_some_and(|key| !key.is_empty()) && keys.iter().all(|key| *key == keys[0]));
    // Signed afresh: the attempt after the expiry carries another token, within one call.
    let tokens: Vec<_> = seen.iter().map(|entry| entry.token).collect();
    assert_eq!(tokens, [Some(1), Some(1), Some(2)]);
    assert_eq!(call.call().attempt(), 2);
    assert_eq!(call.call().disposition(), Disposition::Executed);
}

#[tokio::test]
async fn a_call_is_one_span_around_those_of_its_attempts_and_a_renewal_is_counted() {
    let (spans, metrics) = (
        InMemorySpanExporter::default(),
        InMemoryMetricExporter::default(),
    );
    let tracers = SdkTracerProvider::builder()
        .with_simple_exporter(spans.clone())
        .build();
    let meters = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(metrics.clone()).build())
        .build();
    let meter = meters.meter("test");
    let telemetry = Telemetry::builder()
        .meter(&meter)
        .tracer(tracers.tracer("test"))
        .build()
        .unwrap();
    let provider = provider().await;
    provider
        .faults()
        .push(Fault::on(Method::GET, "/customers").times(1).status(500));
    let client = builder(&provider)
        .telemetry(&telemetry)
        .renewals(Renewals::new(&meter, "provider"))
        .build()
        .unwrap();
    accepted(client.get("/customers").send().await)
        .await
        .unwrap();

    let spans = spans.get_finished_spans().unwrap();
    let kinds: Vec<_> = spans.iter().map(|span| span.span_kind.clone()).collect();
    assert_eq!(
        kinds,
        [SpanKind::Client, SpanKind::Client, SpanKind::Internal]
    );
    let call = spans[2].span_context.span_id();
    assert!(spans[..2].iter().all(|span| span.parent_span_id == call));

    meters.force_flush().unwrap();
    let exported = metrics.get_finished_metrics().unwrap();
    let all = exported
        .iter()
        .flat_map(ResourceMetrics::scope_metrics)
        .flat_map(ScopeMetrics::metrics);
    let renewals = all
        .filter(|metric| metric.name() == "golive.auth.renewals")
        .filter_map(|metric| match metric.data() {
            AggregatedMetrics::U64(MetricData::Sum(sum)) => sum.data_points().next(),
            _ => None,
        });
    assert_eq!(
        renewals.map(SumDataPoint::value).collect::<Vec<_>>(),
        [1],
        "the first token"
    );

    // Nothing of the credentials is in what was recorded.
    let recorded = format!("{spans:?}{exported:?}");
    let secret = provider.credential().client_secret.expose_secret();
    assert!(!recorded.contains(secret) && !recorded.contains("dinie_at_"));
}

#[tokio::test]
async fn the_deadline_lies_outside_of_everything() {
    let provider = provider().await;
    provider.faults().push(
        Fault::any("/customers")
            .always()
            .latency(Duration::from_secs(20)),
    );
    let client = builder(&provider)
        .deadline(Duration::from_millis(300))
        .build()
        .unwrap();
    let call = CallHandle::new();
    let request = client.post("/customers").with_extension(call.clone());
    let error = request.body("{}").send().await.unwrap_err();
    assert!(caused_by::<DeadlineExceeded>(&error).is_some(), "{error:?}");
    // It was sent, and nobody knows what came of it.
    assert_eq!(call.call().disposition(), Disposition::Unknown);
}

#[tokio::test]
async fn nothing_leaves_the_environment_and_no_token_is_fetched_for_it() {
    let (provider, other) = (provider().await, provider().await);
    let client = builder(&provider).build().unwrap();
    let root = provider.base_url().trim_end_matches("/v3").to_owned();
    for url in [
        format!("{}/customers", other.base_url()),
        format!("{root}/api/v3/customers"),
        format!("{root}/v3/../admin"),
    ] {
        let call = CallHandle::new();
        let request = client.get(&url).with_extension(call.clone());
        let error = accepted(request.send().await).await.unwrap_err();
        assert!(caused_by::<Outside>(&error).is_some(), "{url}: {error:?}");
        assert_eq!(call.call().disposition(), Disposition::NotExecuted);
    }
    assert!(other.recorder().all().is_empty() && provider.recorder().all().is_empty());
    // What the provider calls "next" is inside.
    let next = format!("{}/customers?limit=1", provider.base_url());
    accepted(client.get(&next).send().await).await.unwrap();
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_a_way() {
    let (provider, other) = (provider().await, provider().await);
    let away = format!("{}/customers", other.base_url());
    provider.faults().push(
        Fault::on(Method::GET, "/customers")
            .always()
            .status(307)
            .header("location", away),
    );
    let client = builder(&provider)
        // Whatever the transport was told.
        .transport(reqwest::Client::builder().redirect(reqwest::redirect::Policy::limited(5)))
        .build()
        .unwrap();
    let response = client.get("/customers").send().await.unwrap();
    assert_eq!(response.status(), 307);
    assert!(other.recorder().all().is_empty());
}

#[tokio::test]
async fn a_refusal_says_what_is_wrong_with_each_field_and_what_to_quote() {
    let provider = provider().await;
    let client = builder(&provider).build().unwrap();
    let sent = client.post("/customers").body(r#"{"name": ""}"#).send();
    let error = accepted(sent.await).await.unwrap_err();
    let CallError::Problem(problem) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(error.status().map(|status| status.as_u16()), Some(422));
    assert!(!problem.errors().is_empty() && problem.request_id().is_some());
    let shown = error.to_string();
    for field in problem.errors() {
        assert!(shown.contains(field.detail.as_deref().unwrap()), "{shown}");
    }
}

/// A body that can be sent once.
struct Once(Option<&'static str>);

impl http_body::Body for Once {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        let text = self.0.take();
        Poll::Ready(text.map(|text| Ok(http_body::Frame::data(Bytes::from(text)))))
    }
}

#[tokio::test]
async fn a_body_that_can_be_sent_once_is_and_its_refusal_is_handed_on() {
    let provider = provider().await;
    let post = || Fault::on(Method::POST, "/customers");
    provider.faults().push(post().times(1).status(503));
    let client = builder(&provider).build().unwrap();
    let request = client.post("/customers");
    let once = reqwest::Body::wrap(Once(Some("{}")));
    let error = accepted(request.body(once).send().await).await.unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(503));
    let seen = creations(&provider);
    assert_eq!(seen.len(), 1);
    assert!(seen[0].header("idempotency-key").is_some());
}

/// A body that never comes.
struct Never;

impl http_body::Body for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_whose_body_never_comes_is_a_refusal_all_the_same() {
    let refused = http::Response::builder()
        .status(409)
        .header("x-request-id", "req_1")
        .body(reqwest::Body::wrap(Never))
        .unwrap();
    let answered = accepted(Ok(refused.into()));
    let error = tokio::time::timeout(Duration::from_secs(6), answered).await;
    let error = error.expect("it waits for ever").unwrap_err();
    assert_eq!(error.problem().unwrap().request_id(), Some("req_1"));
    assert_eq!(error.status().map(|status| status.as_u16()), Some(409));
}

#[test]
fn credentials_of_the_other_stage_are_refused_before_anything_is_sent() {
    let live = Credentials::new("dinie_ci_live_1", "dinie_cs_live_canary".to_owned()).unwrap();
    for environment in [
        Environment::sandbox(),
        Environment::custom("http://127.0.0.1:1/v3").unwrap(),
        Environment::custom("https://pay.example.com")
            .unwrap()
            .only(Stage::Sandbox),
    ] {
        let refused = Client::builder(environment, live.clone())
            .build()
            .unwrap_err();
        let foreign = matches!(refused, ConfigError::ForeignCredentials { .. });
        assert!(
            foreign && !refused.to_string().contains("canary"),
            "{refused}"
        );
    }
}

#[test]
fn a_deadline_that_says_nothing_is_refused() {
    let credentials = Credentials::new("id", "secret".to_owned()).unwrap();
    for deadline in [Duration::ZERO, Duration::from_secs(3601)] {
        let builder = Client::builder(Environment::sandbox(), credentials.clone());
        let refused = builder.deadline(deadline).build().unwrap_err();
        assert!(matches!(refused, ConfigError::Deadline));
    }
}
