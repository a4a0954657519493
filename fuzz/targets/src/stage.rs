//! What stands around the layer: a body of any frames, a clock that it moves, and a service that
//! sends back what it is given.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use golive_core::Clock;
use golive_webhook_verify::tower::{ResponseBody, VerifiedBody};
use golive_webhook_verify::{SharedVerifier, Verifier};
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

/// What the body does, one after the other.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    Error,
    Pending,
    /// Seconds of our clock.
    Wait(u64),
    Rotate,
}

/// All the data that the frames have.
pub(crate) fn data(steps: &VecDeque<Step>) -> Vec<u8> {
    let frames = steps.iter().filter_map(|step| match step {
        Step::Data(data) => Some(&data[..]),
        _ => None,
    });
    frames.collect::<Vec<_>>().concat()
}

/// The body of the request. Nobody may ask it again once it is over.
pub(crate) struct Frames {
    pub(crate) steps: VecDeque<Step>,
    pub(crate) length: Option<u64>,
    pub(crate) tells_end: bool,
    pub(crate) over: bool,
    pub(crate) clock: Seconds,
    pub(crate) ring: SharedVerifier,
    pub(crate) after: Verifier,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        assert!(!self.over, "asked once more");
        let frame = match self.steps.pop_front() {
            None => {
                self.over = true;
                None
            }
            Some(Step::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Step::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Step::Error) => {
                self.over = true;
                Some(Err("broken off"))
            }
            Some(step) => {
                match step {
                    Step::Wait(seconds) => {
                        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
                    }
                    Step::Rotate => self.ring.store(self.after.clone()),
                    _ => {}
                }
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.tells_end && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map(SizeHint::with_exact).unwrap_or_default()
    }
}

/// Our clock, which the body moves.
#[derive(Clone, Debug)]
pub(crate) struct Seconds(pub(crate) Arc<AtomicU64>);

impl Clock for Seconds {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

/// Sends back the body that it is given. It must be asked whether it is ready, which takes a while.
#[derive(Default)]
pub(crate) struct Inner {
    asked: u8,
    pub(crate) called: Arc<Mutex<Vec<http::request::Parts>>>,
}

impl Clone for Inner {
    fn clone(&self) -> Self {
        Self {
            asked: 0,
            called: Arc::clone(&self.called),
        }
    }
}

impl Service<Request<VerifiedBody>> for Inner {
    type Response = Response<VerifiedBody>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.asked = self.asked.saturating_add(1);
        if self.asked < 2 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<VerifiedBody>) -> Self::Future {
        assert!(self.asked >= 2, "called before it was ready");
        let (parts, body) = request.into_parts();
        self.called.lock().unwrap().push(parts);
        ready(Ok(Response::new(body)))
    }
}

/// The answer, with its length as it was told.
pub(crate) async fn collected(body: ResponseBody<VerifiedBody>) -> (Vec<u8>, Option<HeaderMap>) {
    let mut body = pin!(body);
    let told = body.size_hint().exact();
    let (mut bytes, mut trailers) = (Vec::new(), None);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        match frame.unwrap().into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    assert!(body.is_end_stream());
    assert_eq!(told, Some(bytes.len() as u64));
    (bytes, trailers)
}

/// Runs a future to its end on no runtime at all. It must have asked to be woken.
pub(crate) fn polled<T>(future: impl Future<Output = T>) -> T {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Arc::clone(&woken).into();
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        assert!(woken.0.swap(false, Ordering::Relaxed), "asleep for ever");
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}
