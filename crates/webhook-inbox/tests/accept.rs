//! The accepting face: answers at once, and only for what was kept.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use golive_webhook_inbox::tower::Accept;
use golive_webhook_inbox::{
    Accepted, Admin, BoxError, Claim, Event, EventKey, Fenced, Fingerprint, MemoryStore, Owner,
    Release, Store, StoreError, Workers,
};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Channel, Full};
use tokio::sync::Notify;
use tokio::time::Instant;
use tower::{ServiceExt as _, service_fn};

const LEASE: Duration = Duration::from_secs(30);

fn store(events: usize) -> Arc<MemoryStore> {
    Arc::new(MemoryStore::builder().max_events(events).build().unwrap())
}

fn delivery(id: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::post("/webhooks")
        .header("webhook-id", id)
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap()
}

async fn send<St: Store, B>(accept: &Accept<St>, request: Request<B>) -> Response<Bytes>
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    let (parts, body) = accept.clone().oneshot(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

#[tokio::test(start_paused = true)]
async fn the_answer_is_out_while_the_handler_is_still_blocked() {
    let store = store(10);
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (began, wait) = (Arc::clone(&begun), Arc::clone(&go));
    let handler = service_fn(move |_: Event| {
        let (began, wait) = (Arc::clone(&began), Arc::clone(&wait));
        async move {
            began.notify_one();
            wait.notified().await;
            Ok::<_, BoxError>(())
        }
    });
    let _workers = Workers::builder()
        .spawn(Arc::clone(&store), handler)
        .unwrap();
    let before = Instant::now();
    let response = send(&Accept::new(Arc::clone(&store)), delivery("a", "x")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(before.elapsed(), Duration::ZERO);
    begun.notified().await;
    assert_eq!(
        (
            store.stats().await.unwrap().running,
            store.stats().await.unwrap().done
        ),
        (1, 0)
    );
    go.notify_one();
    while store.stats().await.unwrap().done == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_duplicate_and_a_conflict_are_200_and_say_so_inside() {
    let accept = Accept::new(store(10));
    for (body, expected) in [
        ("x", Accepted::New),
        ("x", Accepted::Duplicate),
        ("y", Accepted::Conflict),
    ] {
        let response = send(&accept, delivery("a", body)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.extensions().get(), Some(&expected));
        assert!(response.body().is_empty());
    }
}

#[tokio::test]
async fn a_full_store_is_a_503_that_asks_to_come_again_and_duplicates_still_pass() {
    let store = store(1);
    let accept = Accept::new(Arc::clone(&store));
    assert_eq!(
        send(&accept, delivery("a", "x")).await.status(),
        StatusCode::OK
    );
    let refused = send(&accept, delivery("b", "x")).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "30");
    assert_eq!(
        refused.headers()["content-type"],
        "application/problem+json"
    );
    assert_eq!(
        send(&accept, delivery("a", "x")).await.status(),
        StatusCode::OK
    );
    assert_eq!(store.stats().await.unwrap().waiting, 1);
}

/// A store that is down.
struct Down;

fn down() -> StoreError {
    StoreError::Unavailable("canary: postgres://user:secret@db".into())
}

impl Store for Down {
    async fn accept(&self, _: Event) -> Result<Accepted, StoreError> {
        Err(down())
    }
    async fn claim(&self, _: Owner, _: Duration) -> Result<Option<Claim>, StoreError> {
        Err(down())
    }
    async fn renew(&self, _: &EventKey, _: Owner, _: Duration) -> Result<Fenced, StoreError> {
        Err(down())
    }
    async fn ready(&self) {}
    async fn complete(&self, _: &EventKey, _: Owner) -> Result<Fenced, StoreError> {
        Err(down())
    }
    async fn release(&self, _: &EventKey, _: Owner, _: Release) -> Result<Fenced, StoreError> {
        Err(down())
    }
}

#[tokio::test]
async fn a_store_that_is_down_is_a_503_that_tells_nothing_of_it() {
    let response = send(&Accept::new(Arc::new(Down)), delivery("a", "x")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!format!("{response:?}").contains("canary"));
    let body = String::from_utf8(response.body().to_vec()).unwrap();
    assert!(!body.contains("secret"), "{body}");
}

#[tokio::test]
async fn without_a_usable_id_nothing_is_kept() {
    let store = store(10);
    let accept = Accept::new(Arc::clone(&store));
    let mut bare = delivery("a", "x");
    bare.headers_mut().remove("webhook-id");
    assert_eq!(send(&accept, bare).await.status(), StatusCode::BAD_REQUEST);
    let long = "x".repeat(257);
    assert_eq!(
        send(&accept, delivery(&long, "x")).await.status(),
        StatusCode::BAD_REQUEST
    );
    assert_eq!(store.stats().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn a_body_is_bounded_and_must_be_whole() {
    let store = store(10);
    let accept = Accept::new(Arc::clone(&store)).with_max_body_bytes(4);
    assert_eq!(send(&accept, delivery("a", "12345")).await.status(), 413);

    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(4);
    sender
        .try_send(Frame::data(Bytes::from_static(b"123")))
        .unwrap();
    sender
        .try_send(Frame::data(Bytes::from_static(b"45")))
        .unwrap();
    assert_eq!(
        send(&accept, delivery("a", "").map(|_| body))
            .await
            .status(),
        413
    );

    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(4);
    sender
        .try_send(Frame::data(Bytes::from_static(b"123")))
        .unwrap();
    sender.abort(std::io::Error::other("reset"));
    assert_eq!(
        send(&accept, delivery("a", "").map(|_| body))
            .await
            .status(),
        400
    );
    assert_eq!(store.stats().await.unwrap().waiting, 0);

    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(4);
    sender
        .try_send(Frame::data(Bytes::from_static(b"12")))
        .unwrap();
    sender
        .try_send(Frame::data(Bytes::from_static(b"34")))
        .unwrap();
    drop(sender);
    assert_eq!(
        send(&accept, delivery("a", "").map(|_| body))
            .await
            .status(),
        200
    );
    let claim = store.claim(Owner::random(), LEASE).await.unwrap().unwrap();
    assert_eq!(&claim.event.body()[..], b"1234");
}

#[tokio::test]
async fn a_request_dropped_half_way_leaves_nothing_behind() {
    let store = store(10);
    let accept = Accept::new(Arc::clone(&store));
    let (_sender, body) = Channel::<Bytes>::new(1);
    let mut half = Box::pin(accept.clone().oneshot(delivery("a", "").map(|_| body)));
    let once = std::future::poll_fn(|cx| std::task::Poll::Ready(half.as_mut().poll(cx)));
    assert!(once.await.is_pending());
    drop(half);
    assert_eq!(
        store.stats().await.unwrap(),
        golive_webhook_inbox::Stats::default()
    );
    let response = send(&accept, delivery("a", "x")).await;
    assert_eq!(response.extensions().get(), Some(&Accepted::New));
}

#[tokio::test]
async fn key_and_fingerprint_can_be_found_in_other_ways() {
    let accept = Accept::new(store(10))
        .with_key(|parts| EventKey::new("other", parts.uri.path()).ok())
        .with_fingerprint(|_, body| {
            Fingerprint::of(body.split(|&b| b == b'#').next().unwrap_or_default())
        });
    for (body, expected) in [
        ("x#attempt-1", Accepted::New),
        ("x#attempt-2", Accepted::Duplicate),
        ("y#attempt-3", Accepted::Conflict),
    ] {
        let response = send(&accept, delivery("ignored", body)).await;
        assert_eq!(response.extensions().get(), Some(&expected));
    }
}
