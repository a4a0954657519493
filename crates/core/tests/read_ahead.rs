//! Reading the body of a request ahead changes nothing for who sends it afterwards.
#![cfg(all(feature = "tower", feature = "reqwest"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside of what clippy takes for one"
)]

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use golive_core::{ReadAheadError, Replay, ReplayBody, ReplayError, Request, caused_by};
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full, channel::Channel};
use proptest::prelude::*;

type Item = Option<Result<Frame<Bytes>, io::Error>>;

/// A body that comes in these frames; where there is none, it is not there yet.
struct Frames(VecDeque<Item>, SizeHint);

impl Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.0.pop_front() {
            Some(Some(frame)) => Poll::Ready(Some(frame)),
            None => Poll::Ready(None),
            Some(None) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.1
    }
}

fn data(chunk: &str) -> Item {
    Some(Ok(Frame::data(Bytes::copy_from_slice(chunk.as_bytes()))))
}

fn trailers() -> Item {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("1"));
    Some(Ok(Frame::trailers(trailers)))
}

fn failure() -> Item {
    Some(Err(io::Error::other("reset")))
}

fn frames(items: impl IntoIterator<Item = Item>) -> Frames {
    Frames(items.into_iter().collect(), SizeHint::default())
}

/// What is sent: the bytes, and the trailers.
async fn sent<B: Body<Error: std::fmt::Debug>>(body: B) -> (String, Option<HeaderMap>) {
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned();
    let bytes = body.to_bytes().to_vec();
    (String::from_utf8(bytes).unwrap(), trailers)
}

fn in_tower<B>(body: B) -> http::Request<B> {
    http::Request::new(body)
}

fn in_reqwest(body: impl Into<Option<reqwest::Body>>) -> reqwest::Request {
    let url = "http://api.test/".parse().unwrap();
    let mut request = reqwest::Request::new(http::Method::POST, url);
    *request.body_mut() = body.into();
    request
}

async fn look(request: &mut impl Request, limit: usize) -> Result<Bytes, ReadAheadError> {
    request.read_ahead(limit).await
}

/// Fails if nobody wakes a future; the clock moves only while everybody sleeps.
async fn within<T>(future: impl Future<Output = T>) -> T {
    let timed = tokio::time::timeout(std::time::Duration::from_secs(60), future).await;
    timed.expect("nobody woke it")
}

/// A request whose body can be taken to be sent; what a transport does.
trait Send: Request {
    fn send(
        self,
    ) -> impl Future<Output = Result<(String, Option<HeaderMap>), golive_core::BoxError>>;
}

impl<B: Replay + std::marker::Send> Send for http::Request<B> {
    async fn send(self) -> Result<(String, Option<HeaderMap>), golive_core::BoxError> {
        let body = self.into_body().collect().await.map_err(Into::into)?;
        let trailers = body.trailers().cloned();
        let bytes = body.to_bytes().to_vec();
        Ok((String::from_utf8(bytes)?, trailers))
    }
}

impl Send for reqwest::Request {
    async fn send(mut self) -> Result<(String, Option<HeaderMap>), golive_core::BoxError> {
        let body = self.body_mut().take().unwrap_or_default();
        let body = body.collect().await?;
        let trailers = body.trailers().cloned();
        let bytes = body.to_bytes().to_vec();
        Ok((String::from_utf8(bytes)?, trailers))
    }
}

/// Runs a check over a body that streams, in both faces; the one of tower keeps nothing by itself.
macro_rules! streamed {
    ($items:expr, |$request:ident| $check:block) => {{
        let mut $request = in_tower(ReplayBody::with_cap(frames($items), 0));
        $check
        let mut $request = in_reqwest(reqwest::Body::wrap(ReplayBody::with_cap(frames($items), 0)));
        $check
    }};
}

#[tokio::test]
async fn a_body_in_memory_is_seen_and_sent() {
    let mut full = in_tower(Full::new(Bytes::from_static(b"amount=12")));
    assert_eq!(look(&mut full, 9).await.unwrap(), "amount=12");
    assert_eq!(full.send().await.unwrap().0, "amount=12");

    let mut text = in_tower("amount=12".to_owned());
    assert_eq!(look(&mut text, 9).await.unwrap(), "amount=12");
    assert_eq!(text.send().await.unwrap().0, "amount=12");

    let mut reqwests = in_reqwest(reqwest::Body::from("amount=12"));
    assert_eq!(look(&mut reqwests, 9).await.unwrap(), "amount=12");
    assert_eq!(reqwests.send().await.unwrap().0, "amount=12");
}

#[tokio::test]
async fn a_body_in_memory_is_not_copied_in_tower() {
    let bytes = Bytes::from_static(b"amount=12");
    let mut request = in_tower(Full::new(bytes.clone()));
    let seen = look(&mut request, 9).await.unwrap();
    assert!(std::ptr::eq(seen.as_ptr(), bytes.as_ptr()));
}

#[tokio::test]
async fn a_body_in_memory_is_not_copied_in_reqwest() {
    let bytes = Bytes::from_static(b"amount=12");
    let mut request = in_reqwest(reqwest::Body::from(bytes.clone()));
    let seen = look(&mut request, 9).await.unwrap();
    assert!(std::ptr::eq(seen.as_ptr(), bytes.as_ptr()));
}

/// Has another empty frame whenever it is asked, and counts how often it was.
#[derive(Clone, Default)]
struct Empties(Arc<AtomicUsize>);

impl Body for Empties {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let asked = self.0.fetch_add(1, Ordering::SeqCst);
        assert!(asked < 100_000, "the thread is kept for ever");
        Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_of_endless_empty_frames_leaves_others_their_turn() {
    async fn is_given_up(mut request: impl Request) {
        let time = std::time::Duration::from_secs(1);
        let look = tokio::time::timeout(time, look(&mut request, 64));
        let pass = async {
            tokio::task::yield_now().await;
            tokio::time::advance(2 * time).await;
        };
        let (look, ()) = tokio::join!(look, pass);
        assert!(look.is_err());
    }
    is_given_up(in_tower(Empties::default())).await;
    is_given_up(in_tower(ReplayBody::new(Empties::default()))).await;
    is_given_up(in_reqwest(reqwest::Body::wrap(Empties::default()))).await;
}

#[tokio::test]
async fn no_body_is_an_empty_one() {
    assert_eq!(
        look(&mut in_tower(Empty::<Bytes>::new()), 0).await.unwrap(),
        ""
    );
    assert_eq!(look(&mut in_reqwest(None), 0).await.unwrap(), "");
    let mut request = in_reqwest(reqwest::Body::from(""));
    assert_eq!(look(&mut request, 0).await.unwrap(), "");
    streamed!([], |request| {
        assert_eq!(look(&mut request, 0).await.unwrap(), "");
        assert_eq!(request.send().await.unwrap(), (String::new(), None));
    });
}

#[tokio::test]
async fn a_body_that_streams_is_seen_and_sent_whole_whatever_its_cap() {
    streamed!(
        [data("one "), None, data(""), data("two"), trailers()],
        |request| {
            assert_eq!(look(&mut request, 7).await.unwrap(), "one two");
            assert!(request.is_whole());
            // Twice is as good as once: two may sign it.
            assert_eq!(look(&mut request, 7).await.unwrap(), "one two");
            let (text, trailers) = request.send().await.unwrap();
            assert_eq!(text, "one two");
            assert_eq!(trailers.unwrap()["x-sum"], "1");
        }
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_is_sent_whole_all_the_same() {
    streamed!(
        [data("one "), None, data("two "), data("three"), trailers()],
        |request| {
            for limit in [0, 3, 6, 12] {
                let error = look(&mut request, limit).await.unwrap_err();
                assert!(matches!(error, ReadAheadError::TooLarge { limit: l } if l == limit));
            }
            assert!(request.is_whole());
            let (text, trailers) = request.send().await.unwrap();
            assert_eq!(text, "one two three");
            assert!(trailers.is_some());
        }
    );
    let mut full = in_tower(Full::new(Bytes::from_static(b"amount=12")));
    let error = look(&mut full, 8).await.unwrap_err();
    assert!(matches!(error, ReadAheadError::TooLarge { limit: 8 }));
    assert_eq!(full.send().await.unwrap().0, "amount=12");
    let mut reqwests = in_reqwest(reqwest::Body::from("amount=12"));
    let error = look(&mut reqwests, 8).await.unwrap_err();
    assert!(matches!(error, ReadAheadError::TooLarge { limit: 8 }));
    assert_eq!(reqwests.send().await.unwrap().0, "amount=12");
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_not_read() {
    let body = Frames([failure()].into(), SizeHint::with_exact(9));
    let mut request = in_tower(ReplayBody::new(body));
    let error = look(&mut request, 8).await.unwrap_err();
    assert!(matches!(error, ReadAheadError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_look_that_is_given_up_loses_nothing() {
    streamed!([data("one "), None, data("two"), None], |request| {
        for _ in 0..2 {
            let mut look = pin!(look(&mut request, 64));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(look.as_mut().poll(&mut cx).is_pending());
        }
        assert_eq!(request.send().await.unwrap().0, "one two");
    });
}

#[tokio::test]
async fn a_body_that_fails_is_never_sent_in_part() {
    streamed!([data("one "), failure()], |request| {
        let error = look(&mut request, 64).await.unwrap_err();
        assert!(matches!(error, ReadAheadError::Body(_)));
        assert_eq!(caused_by::<io::Error>(&error).unwrap().to_string(), "reset");
        let error = request.send().await.unwrap_err();
        let replay = caused_by::<ReplayError>(error.as_ref()).unwrap();
        assert!(matches!(replay, ReplayError::NotWhole), "{replay}");
    });
}

#[tokio::test]
async fn a_body_that_was_begun_is_not_taken_for_a_whole_one() {
    let mut body = ReplayBody::new(frames([data("one "), data("two")]));
    body.frame().await.unwrap().unwrap();
    let error = body.read_ahead(64).await.unwrap_err();
    assert!(matches!(error, ReadAheadError::NotWhole));
    assert_eq!(sent(body).await.0, "two");
}

#[tokio::test]
async fn every_copy_can_be_seen_and_sent_one_after_the_other() {
    let body = ReplayBody::with_cap(frames([data("one "), None, data("two")]), 0);
    let mut first = in_tower(body);
    let mut second = first.try_clone().unwrap();
    assert_eq!(look(&mut first, 64).await.unwrap(), "one two");
    assert_eq!(first.send().await.unwrap().0, "one two");
    assert!(second.is_whole(), "it is in memory, whatever the cap");
    assert_eq!(look(&mut second, 64).await.unwrap(), "one two");
    assert_eq!(second.send().await.unwrap().0, "one two");
}

#[tokio::test(start_paused = true)]
async fn a_look_takes_over_from_an_attempt_that_still_sends() {
    let (mut send, body) = Channel::<Bytes>::new(4);
    let mut old = ReplayBody::new(body);
    let mut new = old.replay().unwrap();
    send.send_data(Bytes::from_static(b"one ")).await.unwrap();
    old.frame().await.unwrap().unwrap();
    let old = tokio::spawn(async move { old.frame().await });
    tokio::task::yield_now().await;
    let new = tokio::spawn(async move {
        let seen = new.read_ahead(64).await.unwrap();
        (seen, sent(new).await.0)
    });
    tokio::task::yield_now().await;
    send.send_data(Bytes::from_static(b"two")).await.unwrap();
    drop(send);
    let (seen, text) = within(new).await.unwrap();
    assert_eq!((&seen[..], text.as_str()), (&b"one two"[..], "one two"));
    let late = within(old).await.unwrap();
    assert!(matches!(late, Some(Err(ReplayError::Superseded))));
}

#[tokio::test(start_paused = true)]
async fn a_look_that_another_attempt_takes_over_from_says_so() {
    let (mut send, body) = Channel::<Bytes>::new(4);
    let mut old = ReplayBody::new(body);
    let mut new = old.replay().unwrap();
    let look = tokio::spawn(async move { old.read_ahead(64).await });
    tokio::task::yield_now().await;
    let mut first = pin!(new.frame());
    let pending = poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_pending()));
    assert!(pending.await);
    let error = within(look).await.unwrap().unwrap_err();
    let replay = caused_by::<ReplayError>(&error).unwrap();
    assert!(matches!(replay, ReplayError::Superseded));
    send.send_data(Bytes::from_static(b"one")).await.unwrap();
    assert!(first.await.unwrap().is_ok());
}

/// A body around a [`ReplayBody`] that keeps what every body has by default.
struct Around(ReplayBody<Frames>);

impl Body for Around {
    type Data = Bytes;
    type Error = ReplayError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReplayError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }
}

impl Replay for Around {
    fn replay(&self) -> Option<Self> {
        self.0.replay().map(Self)
    }

    fn is_whole(&self) -> bool {
        self.0.is_whole()
    }
}

#[tokio::test]
async fn a_foreign_body_is_seen_through_a_copy_and_only_if_it_is_still_whole() {
    let body = |cap| {
        Around(ReplayBody::with_cap(
            frames([data("one "), data("two")]),
            cap,
        ))
    };
    let mut kept = in_tower(body(7));
    assert_eq!(look(&mut kept, 7).await.unwrap(), "one two");
    assert_eq!(kept.send().await.unwrap().0, "one two");
    for limit in [0, 3, 6] {
        let error = look(&mut in_tower(body(7)), limit).await.unwrap_err();
        assert!(matches!(error, ReadAheadError::TooLarge { .. }), "{error}");
    }
    for (cap, limit) in [(6, 7), (0, 6)] {
        let error = look(&mut in_tower(body(cap)), limit).await.unwrap_err();
        assert!(matches!(error, ReadAheadError::NotWhole), "{error}");
    }
}

#[tokio::test]
async fn in_reqwest_a_body_that_was_seen_says_how_long_it_is_and_can_be_sent_again() {
    let body = reqwest::Body::wrap(frames([data("one "), data("two")]));
    let mut request = in_reqwest(body);
    assert!(request.try_clone().is_none());
    look(&mut request, 64).await.unwrap();
    assert_eq!(request.body().unwrap().as_bytes(), Some(&b"one two"[..]));
    assert!(request.try_clone().is_some());
}

#[tokio::test]
async fn nobody_but_who_reads_ahead_holds_more_than_the_cap() {
    let request = in_tower(ReplayBody::with_cap(frames([data("one "), data("two")]), 3));
    let spare = request.try_clone().unwrap();
    assert_eq!(request.send().await.unwrap().0, "one two");
    assert!(!spare.is_whole());
}

fn any_items() -> impl Strategy<Value = Vec<Item>> {
    let item = prop_oneof![
        4 => "[a-z]{0,9}".prop_map(Some),
        1 => Just(None),
    ];
    prop::collection::vec(item, 0..12).prop_map(|items| {
        items
            .into_iter()
            .map(|item| item.and_then(|c| data(&c)))
            .collect()
    })
}

fn clone(items: &[Item]) -> Vec<Item> {
    let again = |item: &Item| match item {
        Some(Ok(frame)) => frame.data_ref().map(|d| Ok(Frame::data(d.clone()))),
        _ => None,
    };
    items.iter().map(again).collect()
}

proptest! {
    #[test]
    fn what_is_seen_is_what_is_sent_and_nothing_is_lost(
        items in any_items(), cap in 0_usize..64, limit in 0_usize..64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let expected = sent(frames(clone(&items))).await.0;
            let body = || ReplayBody::with_cap(frames(clone(&items)), cap);
            let mut tower = in_tower(body());
            let mut reqwests = in_reqwest(reqwest::Body::wrap(frames(clone(&items))));
            for seen in [look(&mut tower, limit).await, look(&mut reqwests, limit).await] {
                match seen {
                    Ok(seen) => assert!(expected.len() <= limit && seen == expected.as_bytes()),
                    Err(ReadAheadError::TooLarge { .. }) => assert!(expected.len() > limit),
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(tower.send().await.unwrap().0, expected);
            assert_eq!(reqwests.send().await.unwrap().0, expected);
        });
    }
}
