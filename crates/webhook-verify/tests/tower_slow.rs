//! What a slow sender, or many of them, can hold.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails is a failed test"
)]

mod receiving;

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use allocation_counter::measure;
use bytes::Bytes;
use golive_webhook_verify::{Reject, tower::VerifyLayer};
use http::Request;
use http_body::{Body, Frame};
use http_body_util::{Channel, Full};
use receiving::{At, BODY, Echo, Verdicts, frame, layer, layer_of, poll_once, request};
use tokio::{
    sync::Semaphore,
    time::{Instant, Interval, advance, interval, sleep},
};
use tower::{Layer as _, Service as _, ServiceExt as _, limit::ConcurrencyLimit, util::AndThen};

const DEFAULT: Duration = Duration::from_secs(3);
const MS: Duration = Duration::from_millis(1);

/// What came of a delivery, and when.
async fn timed<B>(layer: VerifyLayer<At>, request: Request<B>) -> (Option<Reject>, Duration)
where
    B: Body<Data = Bytes> + Send + 'static,
{
    let echo = Echo::default();
    let counts = echo.counts();
    let verdicts = Verdicts::default();
    let layer = layer.on_verdict(verdicts.hook());
    let started = Instant::now();
    let response = layer.layer(echo).oneshot(request).await.unwrap();
    let took = started.elapsed();
    let reject: Option<Reject> = response.extensions().get().copied();
    assert_eq!(verdicts.seen(), [reject.map_or("accepted", Reject::code)]);
    match reject {
        None => assert_eq!(counts(), (1, 1)),
        Some(reject) => {
            assert_eq!(counts(), (0, 0), "the inner service was asked");
            assert_eq!(response.status(), reject.status());
        }
    }
    (reject, took)
}

/// A body that is whole after this time.
fn after(time: Duration) -> impl Body<Data = Bytes, Error = Infallible> + Send + 'static {
    let (mut sender, body) = Channel::<Bytes>::new(2);
    let (start, end) = BODY.split_at(10);
    sender.try_send(frame(start)).unwrap();
    tokio::spawn(async move {
        sleep(time).await;
        // Nobody may be there any more.
        let _ = sender.send(frame(end)).await;
    });
    body
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_whole_in_time_is_a_408() {
    let late = timed(layer(), request(BODY, after(DEFAULT + MS))).await;
    assert_eq!(late, (Some(Reject::BodyTimeout), DEFAULT));
    let in_time = DEFAULT - MS;
    let just = timed(layer(), request(BODY, after(in_time))).await;
    assert_eq!(just, (None, in_time));

    let response = layer().layer(Echo::default());
    let response = response.oneshot(request(BODY, after(DEFAULT + MS))).await;
    let response = response.unwrap();
    assert_eq!(response.status(), 408);
    // RFC 9110, 15.5.9: a server that answers 408 closes the connection.
    assert_eq!(response.headers()["connection"], "close");
}

/// A byte with every tick.
struct Trickle(Interval);

impl Body for Trickle {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_tick(cx).map(|_| Some(Ok(frame(b"x"))))
    }
}

#[tokio::test(start_paused = true)]
async fn each_byte_does_not_win_new_time() {
    let trickle = || request(BODY, Trickle(interval(100 * MS)));
    let slow = timed(layer(), trickle()).await;
    assert_eq!(slow, (Some(Reject::BodyTimeout), DEFAULT));
    // Unless that is said by name; then what comes is bounded all the same.
    let (reject, took) = timed(layer().without_body_timeout(), trickle()).await;
    assert_eq!(reject, Some(Reject::BodyTooLarge { limit: 64 }));
    assert_eq!(took, 6400 * MS);
}

#[tokio::test(start_paused = true)]
async fn the_time_is_settable_and_can_be_switched_off() {
    let hour = Duration::from_secs(3600);
    let long = layer().with_body_timeout(hour + MS);
    assert_eq!(timed(long, request(BODY, after(hour))).await, (None, hour));
    let endless = layer().with_body_timeout(Duration::MAX);
    assert_eq!(
        timed(endless, request(BODY, after(hour))).await,
        (None, hour)
    );
    let off = layer().without_body_timeout();
    assert_eq!(timed(off, request(BODY, after(hour))).await, (None, hour));
    // With no time at all, what is there at once is still taken.
    let none = layer().with_body_timeout(Duration::ZERO);
    let whole = Full::new(Bytes::from_static(BODY));
    assert_eq!(
        timed(none.clone(), request(BODY, whole)).await.0,
        None,
        "it was there"
    );
    let slow = timed(none, request(BODY, after(hour))).await.0;
    assert_eq!(slow, Some(Reject::BodyTimeout));
}

/// Has another frame for longer than anyone should listen, and never a byte.
struct Nothing(u32);

impl Body for Nothing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0 = self.0.saturating_sub(1);
        Poll::Ready((self.0 > 0).then(|| Ok(frame(b""))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_of_endless_empty_frames_keeps_neither_the_thread_nor_its_time() {
    let others = async {
        for _ in 0..4 {
            advance(Duration::from_secs(1)).await;
        }
    };
    let (answer, ()) = tokio::join!(timed(layer(), request(BODY, Nothing(100_000))), others);
    assert_eq!(answer.0, Some(Reject::BodyTimeout));
}

#[test]
fn without_a_timeout_no_runtime_is_needed() {
    let whole = request(BODY, Full::new(Bytes::from_static(BODY)));
    let mut service = layer().without_body_timeout().layer(Echo::default());
    let mut answer = Box::pin(service.call(whole));
    let answer = answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(response)) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(response.status(), 200);
}

#[test]
#[should_panic(expected = "there is no reactor running")]
fn a_missing_timer_is_found_out_by_the_first_delivery_and_not_by_the_first_slow_one() {
    let whole = request(BODY, Full::new(Bytes::from_static(BODY)));
    let mut answer = Box::pin(layer().layer(Echo::default()).call(whole));
    let _ = answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_slow_senders_do_not_stand_in_the_way_of_a_genuine_one() {
    let permits = Arc::new(Semaphore::new(1));
    let limited = ConcurrencyLimit::with_semaphore(Echo::default(), Arc::clone(&permits));
    let service = layer().layer(limited);
    let mut slow: Vec<_> = (0..100)
        .map(|_| Box::pin(service.clone().oneshot(request(BODY, after(DEFAULT / 2)))))
        .collect();
    for waiting in &mut slow {
        assert!(poll_once(waiting).await.is_pending());
    }
    assert_eq!(permits.available_permits(), 1, "one of them holds it");
    let whole = request(BODY, Full::new(Bytes::from_static(BODY)));
    let started = Instant::now();
    let answer = service.oneshot(whole).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), started.elapsed()),
        (200, Duration::ZERO)
    );
    for waiting in slow {
        assert_eq!(waiting.await.unwrap().status(), 200);
    }
    assert_eq!(permits.available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_time_for_the_body_does_not_run_while_the_inner_service_is_busy() {
    let permits = Arc::new(Semaphore::new(1));
    let held = Arc::clone(&permits).acquire_owned().await.unwrap();
    let limited = ConcurrencyLimit::with_semaphore(Echo::default(), permits);
    let service = layer().layer(limited);
    tokio::spawn(async move {
        sleep(3 * DEFAULT).await;
        drop(held);
    });
    let whole = request(BODY, Full::new(Bytes::from_static(BODY)));
    let started = Instant::now();
    assert_eq!(service.oneshot(whole).await.unwrap().status(), 200);
    assert_eq!(started.elapsed(), 3 * DEFAULT);
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_at_any_point_leaves_nothing_behind() {
    // After so many steps; see below what has happened by then.
    for (steps, verdicts, calls) in [(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 1, 0), (4, 1, 1)] {
        let permits = Arc::new(Semaphore::new(1));
        let mut held = Some(Arc::clone(&permits).acquire_owned().await.unwrap());
        let echo = Echo::default();
        let counts = echo.counts();
        let told = Verdicts::default();
        let slow = AndThen::new(echo, |response| async {
            sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>(response)
        });
        let limited = ConcurrencyLimit::with_semaphore(slow, Arc::clone(&permits));
        let mut service = layer().on_verdict(told.hook()).layer(limited);
        let (mut sender, body) = Channel::<Bytes>::new(2);
        let mut sender = Some(sender.try_send(frame(&BODY[..5])).map(|()| sender).unwrap());
        let mut answer = Box::pin(service.call(request(BODY, body)));
        for step in 1..=steps {
            match step {
                // Reads the first frame and waits for the next.
                1 => {}
                // Has read another one.
                2 => sender
                    .as_mut()
                    .unwrap()
                    .try_send(frame(&BODY[5..9]))
                    .unwrap(),
                // Has read all of it, and waits for a permit.
                3 => {
                    let mut sender = sender.take().unwrap();
                    sender.try_send(frame(&BODY[9..])).unwrap();
                }
                // Has called the inner service, and waits for its answer.
                _ => drop(held.take()),
            }
            assert!(poll_once(&mut answer).await.is_pending());
        }
        assert_eq!((told.seen().len(), counts().1), (verdicts, calls));
        drop(answer);
        drop(held);
        assert_eq!(permits.available_permits(), 1, "after {steps} steps");
        assert_eq!((told.seen().len(), counts().1), (verdicts, calls));
        if let Some(mut sender) = sender {
            assert!(sender.send(frame(b"x")).await.is_err(), "the body is kept");
        }
    }
}

/// So many frames of a kilobyte, one with each poll; then it waits for ever.
struct Stalling(usize);

static KILOBYTE: [u8; 1024] = [b'x'; 1024];

impl Body for Stalling {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let odd = self.0 % 2 == 1;
        self.0 = self.0.saturating_sub(1);
        match odd {
            true => Poll::Ready(Some(Ok(frame(&KILOBYTE)))),
            false => Poll::Pending,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_sent_nothing_but_headers_holds_less_than_three_kilobytes() {
    let mut service = layer().layer(Echo::default());
    let (_sender, body) = Channel::<Bytes>::new(1);
    let request = request(BODY, body);
    let mut cx = Context::from_waker(Waker::noop());
    let mut answer = None;
    let held = measure(|| {
        let answer = answer.insert(Box::pin(service.call(request)));
        assert!(answer.as_mut().poll(&mut cx).is_pending());
    });
    assert!(held.bytes_max < 3000, "{held:?}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_at_once_hold_what_has_come_of_them_and_never_what_they_announce() {
    const AT_ONCE: usize = 1000;
    const ANNOUNCED: usize = 1024 * 1024;
    // The future, the timer, the headers it took over: all that is not the body.
    const EACH: usize = 4096;
    let service = layer_of(ANNOUNCED).layer(Echo::default());
    let requests: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let mut request = request(BODY, Stalling(2 * 4 - 1));
            let length = ANNOUNCED.into();
            request.headers_mut().insert("content-length", length);
            request
        })
        .collect();
    let mut cx = Context::from_waker(Waker::noop());
    let mut waiting = Vec::with_capacity(AT_ONCE);
    let held = measure(|| {
        for request in requests {
            let mut service = service.clone();
            waiting.push(Box::pin(service.call(request)));
        }
        for _ in 0..8 {
            for answer in &mut waiting {
                assert!(answer.as_mut().poll(&mut cx).is_pending());
            }
        }
    });
    // Four kilobytes have come of each; a buffer that doubles has room for twice as much at most,
    // and holds its old self while it grows.
    let most = AT_ONCE * (3 * 4 * 1024 + EACH);
    assert!(held.bytes_max as usize <= most, "{held:?}");
    assert!(held.bytes_max as usize >= AT_ONCE * 4 * 1024, "{held:?}");
    let released = measure(|| waiting.clear());
    assert!(
        released.bytes_current <= -held.bytes_current,
        "{released:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_thousand_that_go_over_the_limit_hold_no_more_than_the_limit() {
    const AT_ONCE: usize = 1000;
    const LIMIT: usize = 4096;
    const EACH: usize = 4096;
    let service = layer_of(LIMIT).layer(Echo::default());
    let requests: Vec<_> = (0..AT_ONCE)
        .map(|_| request(BODY, Stalling(2 * 1000 - 1)))
        .collect();
    let mut cx = Context::from_waker(Waker::noop());
    let mut refused = 0;
    let held = measure(|| {
        let mut waiting: Vec<_> = requests
            .into_iter()
            .map(|request| Box::pin(service.clone().call(request)))
            .collect();
        while !waiting.is_empty() {
            waiting.retain_mut(|answer| match answer.as_mut().poll(&mut cx) {
                Poll::Pending => true,
                Poll::Ready(response) => {
                    refused += usize::from(response.unwrap().status() == 413);
                    false
                }
            });
        }
    });
    assert_eq!(refused, AT_ONCE);
    let most = AT_ONCE * (3 * LIMIT + EACH);
    assert!(held.bytes_max as usize <= most, "{held:?}");
}

/// One frame, of bytes that are elsewhere, and no word of how many.
struct Once(Option<&'static [u8]>);

impl Body for Once {
    type Data = &'static [u8];
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<&'static [u8]>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[tokio::test]
async fn a_frame_over_the_limit_is_not_copied() {
    static HUGE: [u8; 16 * 1024 * 1024] = [b'x'; 16 * 1024 * 1024];
    let request = request(BODY, Once(Some(&HUGE)));
    let mut service = layer().layer(Echo::default());
    let mut cx = Context::from_waker(Waker::noop());
    let held = measure(|| {
        let mut answer = Box::pin(service.call(request));
        let Poll::Ready(Ok(response)) = answer.as_mut().poll(&mut cx) else {
            panic!("all of it was there");
        };
        assert_eq!(response.status(), 413);
    });
    assert!(held.bytes_max < 64 * 1024, "{held:?}");
}
