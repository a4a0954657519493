//! The receiving face, over bodies that come in every way.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails is a failed test"
)]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use golive_core::Clock;
use golive_webhook_verify::tower::{VerifiedBody, VerifyLayer};
use golive_webhook_verify::{Key, Reject, Signer, Verified, Verifier};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Channel, Empty, Full};
use tower::{Layer as _, Service, ServiceExt as _};

const NOW: u64 = 1_800_000_000;
const BODY: &[u8] = br#"{"type":"loan.created" , "n":1e3}"#;
const LIMIT: usize = 64;

#[derive(Clone)]
struct At(u64);

impl Clock for At {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0)
    }
}

/// Answers with the body it got; panics if it is called without having been polled ready.
#[derive(Default)]
struct Echo {
    ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Echo {
    fn clone(&self) -> Self {
        Self {
            ready: false,
            calls: Arc::clone(&self.calls),
        }
    }
}

impl Service<Request<VerifiedBody>> for Echo {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<VerifiedBody>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called without being polled ready"
        );
        self.calls.fetch_add(1, Ordering::SeqCst);
        let id = request
            .extensions()
            .get::<Verified<'static>>()
            .unwrap()
            .id()
            .to_owned();
        let response = Response::builder()
            .header("seen-id", id)
            .body(Full::new(request.into_body().into_bytes()))
            .unwrap();
        std::future::ready(Ok(response))
    }
}

fn key() -> Key {
    Key::from_bytes(&[1; 32]).unwrap()
}

fn layer() -> VerifyLayer<At> {
    let verifier = Verifier::builder()
        .key(key())
        .max_body_bytes(LIMIT)
        .build()
        .unwrap();
    VerifyLayer::new(verifier).with_clock(At(NOW))
}

fn request<B>(signed: &[u8], body: B) -> Request<B> {
    Request::post("/webhooks")
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", NOW)
        .header(
            "webhook-signature",
            Signer::new(key()).sign("msg_1", NOW, signed),
        )
        .body(body)
        .unwrap()
}

/// A body of these frames, of unknown length.
fn chunked(chunks: &[&'static [u8]]) -> Channel<Bytes> {
    let (mut sender, body) = Channel::new(chunks.len() + 1);
    for chunk in chunks {
        sender
            .try_send(Frame::data(Bytes::from_static(chunk)))
            .unwrap();
    }
    body
}

struct Seen {
    status: StatusCode,
    reject: Option<Reject>,
    headers: HeaderMap,
    body: Bytes,
    calls: usize,
}

async fn send<B>(request: Request<B>) -> Seen
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    let echo = Echo::default();
    let calls = Arc::clone(&echo.calls);
    let response = layer().layer(echo).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    Seen {
        status: parts.status,
        reject: parts.extensions.get().copied(),
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
        calls: calls.load(Ordering::SeqCst),
    }
}

async fn refused<B>(request: Request<B>, status: u16) -> Reject
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    let seen = send(request).await;
    assert_eq!(seen.calls, 0, "the inner service saw a rejected delivery");
    assert_eq!(seen.status, status);
    assert_eq!(seen.headers["content-type"], "application/problem+json");
    seen.reject.unwrap()
}

#[tokio::test]
async fn the_inner_service_gets_the_very_bytes_and_the_verdict() {
    let seen = send(request(BODY, Full::new(Bytes::from_static(BODY)))).await;
    assert_eq!((seen.status, seen.calls), (StatusCode::OK, 1));
    assert_eq!(&seen.body[..], BODY);
    assert_eq!(seen.headers["seen-id"], "msg_1");
}

#[tokio::test]
async fn a_body_in_many_frames_is_the_same_body() {
    let (a, rest) = BODY.split_at(1);
    let (b, c) = rest.split_at(9);
    for chunks in [&[b"", a, b"", b, c, b""][..], &[BODY], &[b"", BODY]] {
        let seen = send(request(BODY, chunked(chunks))).await;
        assert_eq!((seen.status, &seen.body[..]), (StatusCode::OK, BODY));
    }
}

#[tokio::test]
async fn an_empty_body_can_be_signed_too() {
    let seen = send(request(b"", Empty::<Bytes>::new())).await;
    assert_eq!((seen.status, seen.calls), (StatusCode::OK, 1));
}

#[tokio::test]
async fn trailers_are_handed_on() {
    let (mut sender, body) = Channel::<Bytes>::new(2);
    sender
        .try_send(Frame::data(Bytes::from_static(BODY)))
        .unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "1".parse().unwrap());
    sender.try_send(Frame::trailers(trailers)).unwrap();
    drop(sender);
    let inner = tower::service_fn(|request: Request<VerifiedBody>| async move {
        let collected = request.into_body().collect().await?;
        assert_eq!(collected.trailers().unwrap()["x-sum"], "1");
        Ok::<_, Infallible>(Response::new(Full::new(collected.to_bytes())))
    });
    let response = layer()
        .layer(inner)
        .oneshot(request(BODY, body))
        .await
        .unwrap();
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        BODY
    );
}

#[tokio::test]
async fn an_altered_body_is_a_401_that_never_reaches_the_inner_service() {
    let reject = refused(request(BODY, Full::new(Bytes::from_static(b"{}"))), 401).await;
    assert_eq!(reject, Reject::Mismatch);
}

#[tokio::test]
async fn every_401_reads_the_same_to_the_sender() {
    let wrong_body = send(request(BODY, Full::new(Bytes::from_static(b"{}")))).await;
    let mut stale = request(BODY, Full::new(Bytes::from_static(BODY)));
    stale
        .headers_mut()
        .insert("webhook-timestamp", (NOW - 301).into());
    let stale = send(stale).await;
    assert_eq!(stale.reject, Some(Reject::TooOld { by_secs: 301 }));
    assert_eq!(stale.status, wrong_body.status);
    assert_eq!(stale.headers, wrong_body.headers);
    assert_eq!(stale.body, wrong_body.body);
}

#[tokio::test]
async fn a_missing_header_is_a_400() {
    let mut bare = request(BODY, Full::new(Bytes::from_static(BODY)));
    bare.headers_mut().remove("webhook-id");
    assert_eq!(
        refused(bare, 400).await,
        Reject::MissingHeader("webhook-id")
    );
}

/// A body that must not be touched.
struct Untouchable;

impl http_body::Body for Untouchable {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the body was read");
    }
}

#[tokio::test]
async fn what_the_headers_condemn_is_refused_without_reading_the_body() {
    let mut long = request(BODY, Untouchable);
    long.headers_mut()
        .insert("content-length", (LIMIT + 1).into());
    assert_eq!(
        refused(long, 413).await,
        Reject::BodyTooLarge { limit: LIMIT }
    );

    let mut stale = request(BODY, Untouchable);
    stale
        .headers_mut()
        .insert("webhook-timestamp", (NOW - 301).into());
    assert_eq!(refused(stale, 401).await, Reject::TooOld { by_secs: 301 });
}

#[tokio::test]
async fn a_body_of_unknown_length_is_bounded_while_it_is_read() {
    // The sender stays alive and would send for ever: the answer must not wait for the end.
    let (mut sender, body) = Channel::<Bytes>::new(3);
    sender
        .try_send(Frame::data(Bytes::from_static(&[b'x'; LIMIT])))
        .unwrap();
    sender
        .try_send(Frame::data(Bytes::from_static(b"x")))
        .unwrap();
    let reject = refused(request(BODY, body), 413).await;
    assert_eq!(reject, Reject::BodyTooLarge { limit: LIMIT });
    drop(sender);

    let exact: &[u8] = &[b'x'; LIMIT];
    let seen = send(request(exact, Full::new(Bytes::from_static(exact)))).await;
    assert_eq!(seen.status, StatusCode::OK);
}

#[tokio::test]
async fn a_small_content_length_does_not_lift_the_bound() {
    let mut lying = request(BODY, chunked(&[&[b'x'; LIMIT], b"x"]));
    lying.headers_mut().insert("content-length", 1.into());
    assert_eq!(
        refused(lying, 413).await,
        Reject::BodyTooLarge { limit: LIMIT }
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_400() {
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(2);
    sender
        .try_send(Frame::data(Bytes::from_static(BODY)))
        .unwrap();
    sender.abort(std::io::Error::other("reset"));
    assert_eq!(
        refused(request(BODY, body), 400).await,
        Reject::BodyIncomplete
    );
}

/// A clock that is set from outside.
#[derive(Clone)]
struct Moving(Arc<AtomicU64>);

impl Clock for Moving {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn holding_back_the_body_does_not_stretch_the_window() {
    for (takes, expected) in [(300, None), (301, Some(Reject::TooOld { by_secs: 301 }))] {
        let time = Arc::new(AtomicU64::new(NOW));
        let verifier = Verifier::builder().key(key()).build().unwrap();
        let mut service = VerifyLayer::new(verifier)
            .with_clock(Moving(Arc::clone(&time)))
            .layer(Echo::default());
        let (mut sender, body) = Channel::<Bytes>::new(2);
        let answer = tower::ServiceExt::<Request<Channel<Bytes>>>::ready(&mut service)
            .await
            .unwrap()
            .call(request(BODY, body));
        let mut answer = std::pin::pin!(answer);
        let first = std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await;
        assert!(first.is_pending(), "the body is not here yet");
        time.store(NOW + takes, Ordering::SeqCst);
        sender
            .try_send(Frame::data(Bytes::from_static(BODY)))
            .unwrap();
        drop(sender);
        let response = answer.await.unwrap();
        assert_eq!(response.extensions().get::<Reject>().copied(), expected);
    }
}

async fn ready<S: Service<Request<Full<Bytes>>, Error = Infallible>>(service: &mut S) -> &mut S {
    service.ready().await.unwrap()
}

#[tokio::test]
async fn a_rejected_or_dropped_request_gives_back_the_permit_of_the_inner_service() {
    let limited = tower::limit::ConcurrencyLimit::new(Echo::default(), 1);
    let mut service = layer().layer(limited);
    for _ in 0..3 {
        let forged = request(BODY, Full::new(Bytes::from_static(b"{}")));
        let response = ready(&mut service).await.call(forged).await.unwrap();
        assert_eq!(response.status(), 401);
        // The permit is held while the body is awaited, and goes back when the caller gives up.
        let waiting = request(BODY, Full::new(Bytes::from_static(BODY)));
        drop(ready(&mut service).await.call(waiting));
    }
    let good = request(BODY, Full::new(Bytes::from_static(BODY)));
    let response = ready(&mut service).await.call(good).await.unwrap();
    assert_eq!(response.status(), 200);
}
