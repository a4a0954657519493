//! What the tests of the receiving face share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "every test takes what it needs, and a helper that fails is a failed test"
)]

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use golive_core::Clock;
use golive_webhook_verify::{
    Key, Reject, Signer, Verified, Verifier,
    tower::{VerifiedBody, VerifyLayer},
};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{Channel, Full};
use tower::Service;

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const BODY: &[u8] = br#"{"type":"loan.created" , "n":1e3}"#;
pub(crate) const LIMIT: usize = 64;

/// A clock that is set from outside.
#[derive(Clone)]
pub(crate) struct At(Arc<AtomicU64>);

impl At {
    pub(crate) fn now() -> Self {
        Self(Arc::new(AtomicU64::new(NOW)))
    }

    pub(crate) fn set(&self, secs: u64) {
        self.0.store(secs, Ordering::SeqCst);
    }
}

impl Clock for At {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) fn key() -> Key {
    Key::from_bytes(&[1; 32]).unwrap()
}

pub(crate) fn layer_of(max_body_bytes: usize) -> VerifyLayer<At> {
    let verifier = Verifier::builder()
        .key(key())
        .max_body_bytes(max_body_bytes);
    VerifyLayer::new(verifier.build().unwrap()).with_clock(At::now())
}

pub(crate) fn layer() -> VerifyLayer<At> {
    layer_of(LIMIT)
}

/// What goes with a body that is signed.
pub(crate) fn headers(signed: &[u8]) -> [(&'static str, String); 3] {
    [
        ("webhook-id", "msg_1".to_owned()),
        ("webhook-timestamp", NOW.to_string()),
        (
            "webhook-signature",
            Signer::new(key()).sign("msg_1", NOW, signed),
        ),
    ]
}

pub(crate) fn request<B>(signed: &[u8], body: B) -> Request<B> {
    let mut request = Request::post("/webhooks");
    for (name, value) in headers(signed) {
        request = request.header(name, value);
    }
    request.body(body).unwrap()
}

/// A body of these frames, of unknown length.
pub(crate) fn chunked(chunks: &[&'static [u8]]) -> Channel<Bytes> {
    let (mut sender, body) = Channel::new(chunks.len() + 1);
    for chunk in chunks {
        sender.try_send(frame(chunk)).unwrap();
    }
    body
}

pub(crate) fn frame(bytes: &'static [u8]) -> Frame<Bytes> {
    Frame::data(Bytes::from_static(bytes))
}

/// The words of the verdicts, in order.
#[derive(Clone, Default)]
pub(crate) struct Verdicts(Arc<Mutex<Vec<&'static str>>>);

impl Verdicts {
    pub(crate) fn hook(&self) -> impl Fn(Result<&Verified<'static>, Reject>) + Send + Sync + use<> {
        let words = Arc::clone(&self.0);
        move |verdict| {
            let word = verdict.map_or_else(Reject::code, |_| "accepted");
            words.lock().unwrap().push(word);
        }
    }

    pub(crate) fn seen(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

/// Answers with the body it got; panics if it is called without having been polled ready.
#[derive(Default)]
pub(crate) struct Echo {
    ready: bool,
    polls: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
}

impl Echo {
    /// How often it was asked whether it is ready, and how often it was called.
    pub(crate) fn counts(&self) -> impl Fn() -> (usize, usize) + Send + use<> {
        let (polls, calls) = (Arc::clone(&self.polls), Arc::clone(&self.calls));
        move || (polls.load(Ordering::SeqCst), calls.load(Ordering::SeqCst))
    }
}

impl Clone for Echo {
    fn clone(&self) -> Self {
        Self {
            ready: false,
            polls: Arc::clone(&self.polls),
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
        self.polls.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<VerifiedBody>) -> Self::Future {
        let ready = std::mem::take(&mut self.ready);
        assert!(ready, "called without being polled ready");
        self.calls.fetch_add(1, Ordering::SeqCst);
        let verified = request.extensions().get::<Verified<'static>>().unwrap();
        let response = Response::builder().header("seen-id", verified.id().unwrap());
        let body = Full::new(request.into_body().into_bytes());
        std::future::ready(Ok(response.body(body).unwrap()))
    }
}

/// What comes of a future when it is polled once.
pub(crate) async fn poll_once<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
