//! What the tower layer does while its key ring changes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails is a failed test"
)]

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use golive_core::Clock;
use golive_webhook_verify::{
    Key, Reject, Signer, Verified, Verifier,
    tower::{SharedVerifier, VerifiedBody, VerifierSource, VerifyLayer},
};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{Channel, Full};
use tower::{Layer as _, ServiceExt as _, service_fn};

const NOW: u64 = 1_800_000_000;
const BODY: &[u8] = br#"{"type":"loan.created"}"#;

#[derive(Clone, Debug)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW)
    }
}

fn key(name: u8) -> Key {
    let key = Key::from_bytes(&[name; 32]).unwrap();
    key.with_id(char::from(name).to_string())
}

/// Verifies with the keys of this name.
fn ring(names: &[u8]) -> Verifier {
    let builder = Verifier::builder().keys(names.iter().map(|name| key(*name)));
    builder.build().unwrap()
}

fn signed<B>(name: u8, age: u64, body: B) -> Request<B> {
    let signature = Signer::new(key(name)).sign("msg_1", NOW - age, BODY);
    Request::post("/webhooks")
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", NOW - age)
        .header("webhook-signature", signature)
        .body(body)
        .unwrap()
}

type Answer = Result<(usize, String), Reject>;

/// Which key the layer accepts a delivery under, or why it does not.
fn send<B>(
    layer: &VerifyLayer<Fixed>,
    request: Request<B>,
) -> impl Future<Output = Answer> + Send + use<B>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    let inner = service_fn(|request: Request<VerifiedBody>| async move {
        let verified = request.extensions().get::<Verified<'static>>().cloned();
        let mut response = Response::new(Full::<Bytes>::default());
        response.extensions_mut().insert(verified.unwrap());
        Ok::<_, Infallible>(response)
    });
    let service = layer.layer(inner);
    async move {
        let response = service.oneshot(request).await.unwrap();
        if let Some(reject) = response.extensions().get::<Reject>() {
            return Err(*reject);
        }
        let verified = response.extensions().get::<Verified<'static>>().unwrap();
        let id = verified.key_id().unwrap().to_owned();
        Ok((verified.key_index(), id))
    }
}

fn whole() -> Full<Bytes> {
    Full::new(Bytes::from_static(BODY))
}

#[tokio::test]
async fn a_new_ring_judges_the_next_delivery_without_a_restart() {
    let shared = SharedVerifier::new(ring(b"a"));
    let layer = VerifyLayer::following(shared.clone()).with_clock(Fixed);
    let a = || send(&layer, signed(b'a', 0, whole()));
    let b = || send(&layer, signed(b'b', 0, whole()));
    assert_eq!(a().await, Ok((0, "a".into())));
    assert_eq!(b().await, Err(Reject::Mismatch));
    shared.store(ring(b"ba"));
    assert_eq!(a().await, Ok((1, "a".into())));
    assert_eq!(b().await, Ok((0, "b".into())));
    shared.store(ring(b"b"));
    assert_eq!(a().await, Err(Reject::Mismatch));
    assert_eq!(b().await, Ok((0, "b".into())));
}

#[tokio::test]
async fn a_slow_body_is_judged_by_the_ring_of_the_moment_when_it_is_whole() {
    for (signer, expected) in [
        // An old key that has ended is not accepted because a body was slow.
        (b'a', Err(Reject::Mismatch)),
        // A key that came meanwhile counts, as it would for the next delivery.
        (b'b', Ok((0, "b".to_owned()))),
    ] {
        let shared = SharedVerifier::new(ring(b"a"));
        let layer = VerifyLayer::following(shared.clone()).with_clock(Fixed);
        let (mut sender, body) = Channel::<Bytes>::new(2);
        let mut answer = pin!(send(&layer, signed(signer, 0, body)));
        let first = std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await;
        assert!(first.is_pending(), "the body is not here yet");
        shared.store(ring(b"b"));
        let frame = Frame::data(Bytes::from_static(BODY));
        sender.try_send(frame).unwrap();
        drop(sender);
        assert_eq!(answer.await, expected);
    }
}

#[tokio::test]
async fn a_smaller_limit_that_came_meanwhile_holds_too() {
    let shared = SharedVerifier::new(ring(b"a"));
    let layer = VerifyLayer::following(shared.clone()).with_clock(Fixed);
    let (mut sender, body) = Channel::<Bytes>::new(2);
    let mut answer = pin!(send(&layer, signed(b'a', 0, body)));
    let first = std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await;
    assert!(first.is_pending());
    let small = Verifier::builder().key(key(b'a')).max_body_bytes(4);
    shared.store(small.build().unwrap());
    let frame = Frame::data(Bytes::from_static(BODY));
    sender.try_send(frame).unwrap();
    drop(sender);
    assert_eq!(answer.await, Err(Reject::BodyTooLarge { limit: 4 }));
}

/// Hands out what is next in the list, and then the last of it for ever.
struct Scripted(std::sync::Mutex<Vec<Arc<Verifier>>>);

impl VerifierSource for Scripted {
    fn load(&self) -> Arc<Verifier> {
        let mut next = self.0.lock().unwrap();
        match next.len() {
            1 => Arc::clone(&next[0]),
            _ => next.remove(0),
        }
    }
}

#[tokio::test]
async fn another_ring_at_the_end_judges_headers_body_and_time_anew() {
    let ring = |builder: golive_webhook_verify::VerifierBuilder| Arc::new(builder.build().unwrap());
    let with = |names: &[u8]| Verifier::builder().keys(names.iter().map(|name| key(*name)));
    let strict = with(b"a").tolerance(Duration::from_secs(10));
    let stripe = with(b"a").scheme(golive_webhook_verify::Scheme::stripe());
    let spent = Verifier::builder().key(key(b'a').with_not_after(NOW - 1));
    for (first, last, expected) in [
        (with(b"a"), with(b"a"), Ok((0, "a".to_owned()))),
        (with(b"a"), with(b"ba"), Ok((1, "a".to_owned()))),
        (with(b"b"), with(b"a"), Ok((0, "a".to_owned()))),
        (with(b"a"), with(b"b"), Err(Reject::Mismatch)),
        (with(b"a"), strict, Err(Reject::TooOld { by_secs: 30 })),
        (
            with(b"a"),
            stripe,
            Err(Reject::MissingHeader("stripe-signature")),
        ),
        (with(b"a"), spent, Err(Reject::NoUsableKey)),
    ] {
        let rings = [first, last].map(ring);
        let source = Scripted(std::sync::Mutex::new(rings.to_vec()));
        let layer = VerifyLayer::following(source).with_clock(Fixed);
        let answer = send(&layer, signed(b'a', 30, whole())).await;
        assert_eq!(answer, expected);
    }
}

#[tokio::test]
async fn a_source_is_asked_at_the_headers_and_at_the_end_and_never_besides() {
    struct Counting(Arc<AtomicUsize>, Arc<Verifier>);
    impl VerifierSource for Counting {
        fn load(&self) -> Arc<Verifier> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Arc::clone(&self.1)
        }
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let source = Counting(Arc::clone(&asked), Arc::new(ring(b"a")));
    let layer = VerifyLayer::following(source).with_clock(Fixed);
    assert!(send(&layer, signed(b'a', 0, whole())).await.is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // Refused by its headers.
    assert!(send(&layer, signed(b'a', 301, whole())).await.is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_constant_swaps_no_delivery_sees_a_mix_of_two_rings() {
    // One knows `a` and tolerates a minute, the other knows `b` and tolerates a second. `c` is
    // known to both, at another place.
    let long = Verifier::builder().keys([key(b'a'), key(b'c')]);
    let long = Arc::new(long.tolerance(Duration::from_secs(60)).build().unwrap());
    let short = Verifier::builder().keys([key(b'c'), key(b'b')]);
    let short = Arc::new(short.tolerance(Duration::from_secs(1)).build().unwrap());
    let shared = SharedVerifier::new(Arc::clone(&long));
    let done = Arc::new(AtomicBool::new(false));
    let swapping = tokio::spawn({
        let (shared, done) = (shared.clone(), Arc::clone(&done));
        async move {
            while !done.load(Ordering::Relaxed) {
                for verifier in [&short, &long] {
                    shared.store(Arc::clone(verifier));
                    tokio::task::yield_now().await;
                }
            }
        }
    });
    let layer = VerifyLayer::following(shared).with_clock(Fixed);
    let serving: Vec<_> = (0..4)
        .map(|_| {
            let layer = layer.clone();
            tokio::spawn(async move {
                let mut seen = [false; 2];
                for _ in 0..500 {
                    // Only with the keys of one and the tolerance of the other.
                    let mixed = send(&layer, signed(b'b', 30, whole())).await;
                    assert!(mixed.is_err(), "{mixed:?}");
                    // Whichever it was, it was one of them.
                    let (index, id) = send(&layer, signed(b'c', 0, whole())).await.unwrap();
                    assert_eq!(id, "c");
                    seen[index] = true;
                    tokio::task::yield_now().await;
                }
                seen
            })
        })
        .collect();
    let mut both = [false; 2];
    for task in serving {
        let seen = task.await.unwrap();
        both = [both[0] || seen[0], both[1] || seen[1]];
    }
    done.store(true, Ordering::Relaxed);
    swapping.await.unwrap();
    assert_eq!(both, [true; 2], "nothing was swapped");
}

#[tokio::test]
async fn a_source_of_ones_own_takes_a_few_lines() {
    struct Rotating;
    impl VerifierSource for Rotating {
        fn load(&self) -> Arc<Verifier> {
            Arc::new(ring(b"a"))
        }
    }
    let source: Arc<dyn VerifierSource> = Arc::new(Rotating);
    let layer = VerifyLayer::following(source).with_clock(Fixed);
    let answer = send(&layer, signed(b'a', 0, whole())).await;
    assert_eq!(answer, Ok((0, "a".into())));
}
