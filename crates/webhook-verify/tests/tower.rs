//! The receiving face, over bodies that come in every way.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails is a failed test"
)]

mod receiving;

use std::{collections::HashMap, convert::Infallible, pin::Pin};

use bytes::{Buf as _, Bytes};
use golive_webhook_verify::{
    Key, Reject, Signer, Verified, Verifier,
    tower::{VerifiedBody, VerifyLayer},
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, Channel, Empty, Full};
use proptest::{collection::vec, option, prelude::*};
use receiving::{
    At, BODY, Echo, LIMIT, NOW, Verdicts, chunked, frame, key, layer, poll_once, request,
};
use tower::{Layer as _, Service as _, ServiceExt as _};

struct Seen {
    status: StatusCode,
    reject: Option<Reject>,
    headers: HeaderMap,
    body: Bytes,
    calls: usize,
}

async fn send<B>(request: Request<B>) -> Seen
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    send_to(&layer(), request).await
}

async fn send_to<B>(layer: &VerifyLayer<At>, request: Request<B>) -> Seen
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    let echo = Echo::default();
    let counts = echo.counts();
    let verdicts = Verdicts::default();
    let layer = layer.clone().on_verdict(verdicts.hook());
    let response = layer.layer(echo).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let reject: Option<Reject> = parts.extensions.get().copied();
    let told = reject.map_or("accepted", Reject::code);
    assert_eq!(verdicts.seen(), [told], "told once, and the same");
    let (polls, calls) = counts();
    assert_eq!(polls, calls, "asked for the call alone");
    Seen {
        status: parts.status,
        reject,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
        calls,
    }
}

async fn refused<B>(request: Request<B>, status: u16) -> Reject
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    let seen = send(request).await;
    assert_eq!(seen.calls, 0, "the inner service saw a rejected delivery");
    assert_eq!(seen.status, status);
    assert_eq!(seen.headers["content-type"], "application/problem+json");
    seen.reject.unwrap()
}

fn whole(bytes: &'static [u8]) -> Full<Bytes> {
    Full::new(Bytes::from_static(bytes))
}

/// A genuine delivery with a header that is not.
fn with(name: &'static str, value: impl TryInto<HeaderValue>) -> Request<Full<Bytes>> {
    let mut request = request(BODY, whole(BODY));
    let value = value.try_into().ok().unwrap();
    request.headers_mut().insert(name, value);
    request
}

#[tokio::test]
async fn the_inner_service_gets_the_very_bytes_and_the_verdict() {
    let seen = send(request(BODY, whole(BODY))).await;
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
async fn a_thousand_empty_frames_are_nothing() {
    let mut chunks = vec![&b""[..]; 1000];
    chunks[500] = BODY;
    let seen = send(request(BODY, chunked(&chunks))).await;
    assert_eq!((seen.status, &seen.body[..]), (StatusCode::OK, BODY));
}

#[tokio::test]
async fn frames_need_not_be_contiguous() {
    let (a, b) = BODY.split_at(7);
    let body = whole(BODY).map_frame(move |_| Frame::data(a.chain(b)));
    let seen = send(request(BODY, body)).await;
    assert_eq!((seen.status, &seen.body[..]), (StatusCode::OK, BODY));
}

#[tokio::test]
async fn an_empty_body_can_be_signed_too() {
    let seen = send(request(b"", Empty::<Bytes>::new())).await;
    assert_eq!((seen.status, seen.calls), (StatusCode::OK, 1));
}

#[tokio::test]
async fn trailers_are_handed_on() {
    for bytes in [BODY, b""] {
        let (mut sender, body) = Channel::<Bytes>::new(2);
        sender.try_send(frame(bytes)).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "1".parse().unwrap());
        sender.try_send(Frame::trailers(trailers)).unwrap();
        drop(sender);
        let inner = tower::service_fn(|request: Request<VerifiedBody>| async move {
            assert!(!request.body().is_end_stream());
            let collected = request.into_body().collect().await?;
            assert_eq!(collected.trailers().unwrap()["x-sum"], "1");
            Ok::<_, Infallible>(Response::new(Full::new(collected.to_bytes())))
        });
        let service = layer().layer(inner);
        let response = service.oneshot(request(bytes, body)).await.unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), bytes);
    }
}

#[tokio::test]
async fn an_altered_body_is_a_401_that_never_reaches_the_inner_service() {
    let reject = refused(request(BODY, whole(b"{}")), 401).await;
    assert_eq!(reject, Reject::Mismatch);
}

#[tokio::test]
async fn a_status_reads_the_same_whatever_the_reason_behind_it() {
    let spent = Verifier::builder().key(key().with_not_after(NOW - 1));
    let spent = VerifyLayer::new(spent.build().unwrap()).with_clock(At::now());
    let repeated = {
        let mut request = with("webhook-id", "msg_1");
        let id = "msg_1".parse().unwrap();
        request.headers_mut().append("webhook-id", id);
        request
    };
    let without = |name: &str| {
        let mut request = request(BODY, whole(BODY));
        request.headers_mut().remove(name);
        request
    };
    let broken = {
        let (sender, body) = Channel::<Bytes, std::io::Error>::new(2);
        sender.abort(std::io::Error::other("reset"));
        request(BODY, body)
    };
    let huge = [&[b'x'; LIMIT][..], b"x"];
    let foreign = format!("v1,{}", "A".repeat(43) + "=");
    let answers = [
        send(without("webhook-id")).await,
        send(without("webhook-timestamp")).await,
        send(without("webhook-signature")).await,
        send(repeated).await,
        send(with("webhook-id", "a.b")).await,
        send(with("webhook-timestamp", "today")).await,
        send(with("webhook-signature", "v1,".repeat(2000))).await,
        send(broken).await,
        send(with("webhook-timestamp", NOW - 301)).await,
        send(with("webhook-timestamp", NOW + 301)).await,
        send(with("webhook-signature", "v2,AAAA")).await,
        send(with("webhook-signature", "v1,AAAA")).await,
        send(with("webhook-signature", foreign)).await,
        send(request(BODY, whole(b"{}"))).await,
        send(with("content-length", LIMIT + 1)).await,
        send(request(BODY, chunked(&huge))).await,
        send_to(&spent, request(BODY, whole(BODY))).await,
    ];
    let mut codes = HashMap::new();
    let mut said = HashMap::new();
    for mut answer in answers {
        assert_eq!(answer.calls, 0);
        let reject = answer.reject.unwrap();
        assert_eq!(answer.status, reject.status());
        codes.insert(reject.code(), answer.status.as_u16());
        // It says whether the body was read to its end, which the sender knows.
        answer.headers.remove("connection");
        let (headers, body) = said
            .entry(answer.status)
            .or_insert_with(|| (answer.headers.clone(), answer.body.clone()));
        assert_eq!((&*headers, &*body), (&answer.headers, &answer.body));
    }
    assert_eq!(codes.len(), 12, "every reason but a slow body: {codes:?}");
    assert_eq!(said.len(), 4);
}

#[tokio::test]
async fn the_connection_is_closed_where_more_of_the_body_may_follow() {
    let large = || with("content-length", LIMIT + 1);
    let closing = send(large()).await;
    assert_eq!(closing.headers["connection"], "close");
    let mut old = large();
    *old.version_mut() = Version::HTTP_10;
    assert_eq!(send(old).await.headers["connection"], "close");
    // RFC 9113, 8.2.2: never there.
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let mut new = large();
        *new.version_mut() = version;
        let answer = send(new).await;
        assert_eq!(answer.status, 413);
        assert!(!answer.headers.contains_key("connection"));
    }
    // Nor where the body was whole, or where there is none.
    let forged = send(request(BODY, whole(b"{}"))).await;
    assert!(!forged.headers.contains_key("connection"));
    let mut bare = request(b"", Empty::<Bytes>::new());
    bare.headers_mut().remove("webhook-id");
    assert!(!send(bare).await.headers.contains_key("connection"));
    // Nor in what the inner service answers.
    let good = send(request(BODY, whole(BODY))).await;
    assert!(!good.headers.contains_key("connection"));
}

/// A body that must not be touched.
struct Untouchable(SizeHint);

impl Body for Untouchable {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the body was read");
    }

    fn size_hint(&self) -> SizeHint {
        self.0
    }
}

#[tokio::test]
async fn what_the_headers_condemn_is_refused_without_reading_the_body() {
    let untouchable = || request(BODY, Untouchable(SizeHint::default()));
    let mut long = untouchable();
    long.headers_mut()
        .insert("content-length", (LIMIT + 1).into());
    let too_large = Reject::BodyTooLarge { limit: LIMIT };
    assert_eq!(refused(long, 413).await, too_large);

    let hint = SizeHint::with_exact(LIMIT as u64 + 1);
    assert_eq!(
        refused(request(BODY, Untouchable(hint)), 413).await,
        too_large
    );

    let mut stale = untouchable();
    stale
        .headers_mut()
        .insert("webhook-timestamp", (NOW - 301).into());
    assert_eq!(refused(stale, 401).await, Reject::TooOld { by_secs: 301 });
}

#[tokio::test]
async fn a_body_of_unknown_length_is_bounded_while_it_is_read() {
    // The sender stays alive and would send for ever: the answer must not wait for the end.
    let (mut sender, body) = Channel::<Bytes>::new(3);
    sender.try_send(frame(&[b'x'; LIMIT])).unwrap();
    sender.try_send(frame(b"x")).unwrap();
    let reject = refused(request(BODY, body), 413).await;
    assert_eq!(reject, Reject::BodyTooLarge { limit: LIMIT });
    drop(sender);

    let exact: &[u8] = &[b'x'; LIMIT];
    let seen = send(request(exact, whole(exact))).await;
    assert_eq!(seen.status, StatusCode::OK);
}

#[tokio::test]
async fn a_wrong_content_length_lifts_no_bound_and_condemns_no_genuine_delivery() {
    let announce = |request: &mut Request<_>, length: &str| {
        let length = length.parse().unwrap();
        request.headers_mut().insert("content-length", length);
    };
    for length in ["1", "64", "", "-1", "+9", "nine", "0x41", "9, 9"] {
        let mut lying = request(BODY, chunked(&[&[b'x'; LIMIT], b"x"]));
        announce(&mut lying, length);
        let reject = refused(lying, 413).await;
        assert_eq!(reject, Reject::BodyTooLarge { limit: LIMIT }, "{length:?}");
        // What was signed is what came; whoever took the body apart may have left the header.
        let mut genuine = request(BODY, chunked(&[BODY]));
        announce(&mut genuine, length);
        assert_eq!(send(genuine).await.status, 200, "{length:?}");
    }
    for length in ["65", "18446744073709551616", "9999999999999999999999"] {
        let mut huge = request(BODY, chunked(&[BODY]));
        announce(&mut huge, length);
        assert_eq!(send(huge).await.status, 413, "{length:?}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_400() {
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(2);
    sender.try_send(frame(BODY)).unwrap();
    sender.abort(std::io::Error::other("reset"));
    assert_eq!(
        refused(request(BODY, body), 400).await,
        Reject::BodyIncomplete
    );
}

#[tokio::test]
async fn holding_back_the_body_does_not_stretch_the_window() {
    for (takes, expected) in [(300, None), (301, Some(Reject::TooOld { by_secs: 301 }))] {
        let clock = At::now();
        let mut service = layer().with_clock(clock.clone()).layer(Echo::default());
        let (mut sender, body) = Channel::<Bytes>::new(2);
        let mut answer = Box::pin(service.call(request(BODY, body)));
        let first = poll_once(&mut answer).await;
        assert!(first.is_pending(), "the body is not here yet");
        clock.set(NOW + takes);
        sender.try_send(frame(BODY)).unwrap();
        drop(sender);
        let response = answer.await.unwrap();
        assert_eq!(response.extensions().get::<Reject>().copied(), expected);
    }
}

#[tokio::test]
async fn the_hook_learns_which_key_was_used() {
    let names = ["new", "old"].map(|name| Key::from_bytes(name.repeat(9).as_bytes()).unwrap());
    let [new, old] = names;
    let verifier = Verifier::builder().keys([new, old.clone().with_id("old")]);
    let (tell, told) = std::sync::mpsc::channel();
    let layer = VerifyLayer::new(verifier.build().unwrap())
        .on_verdict(|_| panic!("the last one that was set counts"))
        .on_verdict(move |verdict| {
            let key = verdict.map(|verified| verified.key_id().map(str::to_owned));
            tell.send(key).unwrap();
        })
        .with_clock(At::now());
    let mut delivery = request(BODY, whole(BODY));
    let signature = Signer::new(old).sign("msg_1", NOW, BODY).parse().unwrap();
    delivery
        .headers_mut()
        .insert("webhook-signature", signature);
    let answer = layer.layer(Echo::default()).oneshot(delivery).await;
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(
        told.try_iter().collect::<Vec<_>>(),
        [Ok(Some("old".into()))]
    );
}

#[tokio::test]
async fn the_error_of_the_inner_service_is_handed_on_as_it_came() {
    #[derive(Debug, PartialEq)]
    struct Down;
    let inner = tower::service_fn(|_: Request<VerifiedBody>| async {
        Err::<Response<Full<Bytes>>, _>(Down)
    });
    let answer = layer().layer(inner).oneshot(request(BODY, whole(BODY)));
    assert_eq!(answer.await.unwrap_err(), Down);
}

proptest! {
    #[test]
    fn hashing_while_reading_is_hashing_at_once(
        bytes in vec(any::<u8>(), 0..600),
        mut cuts in vec(0..600usize, 0..12),
        change in option::weighted(0.3, (0..600usize, 1..=u8::MAX)),
        keys in 1..=6u8,
    ) {
        let keys = (1..=keys).map(|seed| Key::from_bytes(&[seed; 32]).unwrap());
        let signer = Signer::new(keys.clone().next_back().unwrap());
        let verifier = Verifier::builder().keys(keys).max_body_bytes(512).build().unwrap();
        let mut request = request(&bytes, ());
        let signature = signer.sign("msg_1", NOW, &bytes).parse().unwrap();
        request.headers_mut().insert("webhook-signature", signature);

        let mut sent = bytes;
        if let Some((at, mask)) = change && at < sent.len() {
            sent[at] ^= mask;
        }
        let at_once = verifier.verify(request.headers(), &sent, NOW).map(Verified::into_owned);

        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(sent.len()));
        cuts.extend([0, sent.len()]);
        cuts.sort_unstable();
        let (mut sender, body) = Channel::<Bytes>::new(cuts.len());
        for pair in cuts.windows(2) {
            let piece = Bytes::copy_from_slice(&sent[pair[0]..pair[1]]);
            sender.try_send(Frame::data(piece)).unwrap();
        }
        drop(sender);
        let (tell, told) = std::sync::mpsc::channel();
        let layer = VerifyLayer::new(verifier)
            .with_clock(At::now())
            .on_verdict(move |verdict| tell.send(verdict.cloned()).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let answer = layer.layer(Echo::default()).oneshot(request.map(|()| body));
        let answer = runtime.block_on(async {
            answer.await.unwrap().into_body().collect().await.unwrap().to_bytes()
        });
        prop_assert_eq!(told.try_recv().unwrap(), at_once.clone());
        if at_once.is_ok() {
            prop_assert_eq!(&answer[..], &sent[..]);
        }
    }
}
