//! What the receiver answers, and what it counts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test fail it as the test itself does"
)]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::pending,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use golive::telemetry::Webhooks as Recorder;
use golive::webhook_inbox::{
    Accepted, Claim, Event, EventKey, Fenced, MemoryStore, Owner, Release, Store, StoreError,
};
use golive::webhook_verify::{Fault, Key, Reject, Signer, Verifier, tower::SharedVerifier};
use golive::{ConfigError, Webhooks};
use golive_testkit::ManualClock;
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
    data::{AggregatedMetrics, MetricData, ScopeMetrics},
};
use tower::ServiceExt as _;

const NOW: u64 = 1_800_000_000;
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn key() -> Key {
    Key::from_whsec("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()
}

fn verifier() -> Arc<Verifier> {
    Arc::new(Verifier::builder().key(key()).build().unwrap())
}

fn memory() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::builder().build().unwrap())
}

fn delivery(id: &str, body: &str) -> Request<Full<Bytes>> {
    let signature = Signer::new(key()).sign(id, NOW, body.as_bytes());
    Request::post("/webhooks")
        .header("webhook-id", id)
        .header("webhook-timestamp", NOW.to_string())
        .header("webhook-signature", signature)
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap()
}

async fn answer<St: Store>(
    webhooks: &Webhooks<St>,
    request: Request<Full<Bytes>>,
) -> Response<golive::WebhookBody> {
    let answer: Result<_, Infallible> = webhooks.clone().oneshot(request).await;
    answer.unwrap()
}

#[tokio::test]
async fn every_outcome_has_its_answer_and_is_counted() {
    let metrics = InMemoryMetricExporter::default();
    let meters = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(metrics.clone()).build())
        .build();
    let store = Arc::new(MemoryStore::builder().max_events(2).build().unwrap());
    let webhooks = Webhooks::builder(store, verifier())
        .source("dinie")
        .recorder(Recorder::new(&meters.meter("test"), "dinie"))
        .clock(ManualClock::at(NOW))
        .build()
        .unwrap();
    let attempt = |n: u32| format!(r#"{{"id":"e1","delivery_id":"d{n}","timestamp":{n}}}"#);
    let mut forged = delivery("e1", &attempt(1));
    *forged.body_mut() = Full::new(Bytes::from_static(b"{}"));
    let mut unsigned = delivery("e1", &attempt(1));
    unsigned.headers_mut().remove("webhook-signature");

    let mut statuses = Vec::new();
    for request in [
        delivery("e1", &attempt(1)),
        delivery("e1", &attempt(2)), // honestly delivered again
        delivery("e1", r#"{"id":"e1","amount":2}"#), // another event under its id
        forged,
        unsigned,
        delivery("e3", "{}"), // there is no room
    ] {
        statuses.push(answer(&webhooks, request).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 401, 400, 503]);

    meters.force_flush().unwrap();
    let mut counted = BTreeMap::new();
    for resource in metrics.get_finished_metrics().unwrap() {
        for metric in resource.scope_metrics().flat_map(ScopeMetrics::metrics) {
            let AggregatedMetrics::U64(MetricData::Sum(sum)) = metric.data() else {
                continue;
            };
            for point in sum.data_points() {
                let label = |name: &str| {
                    let mut all = point.attributes();
                    let found = all.find(|label| label.key.as_str() == name);
                    found.map_or(String::new(), |label| label.value.to_string())
                };
                let words = [label("golive.outcome"), label("error.type")].join(" ");
                counted.insert(words.trim().to_owned(), point.value());
            }
        }
    }
    let expected = [
        ("accepted", 1),
        ("duplicate", 1),
        ("failed store", 1),
        ("rejected conflict", 1),
        ("rejected mismatch", 1),
        ("rejected missing_header", 1),
    ];
    let expected = expected.map(|(words, n)| (words.to_owned(), n));
    assert_eq!(counted, expected.into_iter().collect());
}

/// A store whose commits take this long, and go on without whoever asked for them. Nobody works
/// from it.
struct Slow(Arc<MemoryStore>, Duration);

impl Store for Slow {
    async fn accept(&self, event: Event) -> Result<Accepted, StoreError> {
        let (store, takes) = (Arc::clone(&self.0), self.1);
        let commit = tokio::spawn(async move {
            tokio::time::sleep(takes).await;
            store.accept(event).await
        });
        commit.await.unwrap()
    }
    async fn claim(&self, _: Owner, _: Duration) -> Result<Option<Claim>, StoreError> {
        pending().await
    }
    async fn renew(&self, _: &EventKey, _: Owner, _: Duration) -> Result<Fenced, StoreError> {
        pending().await
    }
    async fn ready(&self) {
        pending::<()>().await;
    }
    async fn complete(&self, _: &EventKey, _: Owner) -> Result<Fenced, StoreError> {
        pending().await
    }
    async fn release(&self, _: &EventKey, _: Owner, _: Release) -> Result<Fenced, StoreError> {
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_answered_for_in_time_so_that_the_event_comes_again() {
    let webhooks = Webhooks::builder(Arc::new(Slow(memory(), HOUR)), verifier())
        .clock(ManualClock::at(NOW))
        .build()
        .unwrap();
    let started = tokio::time::Instant::now();
    let response = answer(&webhooks, delivery("e1", "{}")).await;
    assert_eq!(started.elapsed(), Duration::from_secs(4));
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.starts_with(b"{"), "{body:?}");
}

/// A body of one byte a second, for ever.
struct Trickle(tokio::time::Interval);

impl http_body::Body for Trickle {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        let byte = http_body::Frame::data(Bytes::from_static(b" "));
        self.0.poll_tick(cx).map(|_| Some(Ok(byte)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_in_is_the_senders_fault_and_not_waited_for() {
    for (version, close) in [(Version::HTTP_11, Some("close")), (Version::HTTP_2, None)] {
        let webhooks = Webhooks::builder(memory(), verifier())
            .clock(ManualClock::at(NOW))
            .answer_within(Duration::from_secs(4))
            .build()
            .unwrap();
        let second = tokio::time::interval(Duration::from_secs(1));
        let mut slow = delivery("e1", "{}").map(|_| Trickle(second));
        *slow.version_mut() = version;
        let started = tokio::time::Instant::now();
        let answer: Result<_, Infallible> = webhooks.oneshot(slow).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 408);
        assert_eq!(started.elapsed(), Duration::from_secs(3));
        let reject = answer.extensions().get::<Reject>();
        assert_eq!(reject.map(|reject| reject.fault()), Some(Fault::Sender));
        // The rest of it is never read.
        let said = answer.headers().get("connection");
        assert_eq!(said.map(|value| value.to_str().unwrap()), close);
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_ends_after_the_503_is_one_event_and_what_comes_again_a_duplicate() {
    let memory = memory();
    let slow = Webhooks::builder(Arc::new(Slow(Arc::clone(&memory), 6 * SECOND)), verifier())
        .clock(ManualClock::at(NOW))
        .build()
        .unwrap();
    assert_eq!(answer(&slow, delivery("e1", "{}")).await.status(), 503);
    // A server that hangs up half-way loses nothing either.
    let hung_up = tokio::time::timeout(Duration::from_secs(1), answer(&slow, delivery("e2", "{}")));
    assert!(hung_up.await.is_err());
    tokio::time::sleep(Duration::from_secs(10)).await;

    let fast = Webhooks::builder(Arc::clone(&memory), verifier())
        .clock(ManualClock::at(NOW))
        .build()
        .unwrap();
    for id in ["e1", "e2"] {
        let again = answer(&fast, delivery(id, "{}")).await;
        assert_eq!(again.status(), 200);
        assert_eq!(again.extensions().get(), Some(&Accepted::Duplicate));
    }
}

#[tokio::test]
async fn the_longest_body_is_what_the_verifier_of_the_moment_says() {
    let limited = |bytes: usize| {
        let verifier = Verifier::builder().key(key()).max_body_bytes(bytes);
        verifier.build().unwrap()
    };
    let shared = SharedVerifier::new(limited(10));
    let webhooks = Webhooks::builder(memory(), shared.clone())
        .clock(ManualClock::at(NOW))
        .build()
        .unwrap();
    let long = r#"{"id": "longer than ten bytes"}"#;
    assert_eq!(answer(&webhooks, delivery("e1", long)).await.status(), 413);
    shared.store(limited(100));
    assert_eq!(answer(&webhooks, delivery("e1", long)).await.status(), 200);
    shared.store(limited(10));
    assert_eq!(answer(&webhooks, delivery("e1", long)).await.status(), 413);
}

#[tokio::test]
async fn an_event_is_known_by_the_id_that_was_signed_and_by_nothing_else() {
    let store = memory();
    let webhooks = Webhooks::builder(Arc::clone(&store), verifier())
        .source("dinie")
        .clock(ManualClock::at(NOW))
        .build()
        .unwrap();
    // What somebody in front left in the extensions is not what was verified.
    let mut request = delivery("signed", "{}");
    let other = delivery("other", "{}");
    let body = other
        .clone()
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    let now = golive::webhook_verify::UnixTime::from(NOW);
    let verified = verifier();
    let verified = verified.verify(other.headers(), &body, now).unwrap();
    request.extensions_mut().insert(verified.into_owned());
    assert_eq!(answer(&webhooks, request).await.status(), 200);
    // A second id is no id.
    let mut twice = delivery("signed", "{}");
    twice
        .headers_mut()
        .append("webhook-id", "other".parse().unwrap());
    assert_eq!(answer(&webhooks, twice).await.status(), 400);

    let claim = store.claim(Owner::random(), Duration::from_secs(9)).await;
    let claim = claim.unwrap().unwrap();
    assert_eq!(
        claim.event.key(),
        &EventKey::new("dinie", "signed").unwrap()
    );
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let builder = || Webhooks::builder(memory(), verifier());
    for time in [Duration::ZERO, Duration::from_millis(5001)] {
        let refused = builder().answer_within(time).build().unwrap_err();
        assert!(matches!(refused, ConfigError::AnswerWithin));
    }
    for name in [String::new(), "x".repeat(257)] {
        let refused = builder().source(&name).build().unwrap_err();
        assert!(matches!(refused, ConfigError::Source));
    }
    assert!(builder().build().is_ok());
}
