use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use http_body::Frame;
use tokio::time::Instant;

/// The scripted far end of a probe: answers what it was told to and notes what it saw.
#[derive(Clone, Debug, Default)]
pub struct Leaf(Arc<Mutex<State>>);

/// What the leaf answers to one attempt.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A status, with a problem document that has this code.
    Status(u16, &'static str),
    /// No answer but an error.
    Fail,
}

/// The error of a transport.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the probe's transport failed")]
pub struct ProbeError;

/// What the leaf saw of one attempt.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it arrived.
    pub at: Instant,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
    /// When the body of the answer was dropped.
    pub released: Released,
}

/// When a response body was dropped, once it was.
#[derive(Clone, Debug, Default)]
pub struct Released(Arc<Mutex<Option<Instant>>>);

/// What the caller puts into the extensions of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker(pub(crate) u32);

/// What an attempt leaves behind in its extensions; no other attempt may see it.
#[derive(Clone, Debug)]
struct Litter;

/// What the leaf puts into the extensions of a response.
#[derive(Clone, Debug)]
pub(crate) struct FromLeaf;

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Answer>,
    seen: Vec<Seen>,
    under_way: Arc<AtomicUsize>,
}

/// A response body that says when it was dropped.
#[derive(Debug)]
pub struct ProbeBody {
    bytes: Option<Bytes>,
    released: Released,
}

// === impl Leaf ===

impl Leaf {
    /// Answers like this, and 200 when the script is at its end.
    pub fn new(script: impl IntoIterator<Item = Answer>) -> Self {
        let leaf = Self::default();
        leaf.lock().script = script.into_iter().collect();
        leaf
    }

    /// What it saw, oldest first.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    /// How many attempts it is working on.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.lock().under_way.load(Ordering::SeqCst)
    }

    /// One attempt. Takes a few polls, so that it can be cancelled in the midst of it.
    pub(crate) async fn attempt(
        &self,
        headers: HeaderMap,
        body: Bytes,
        extensions: &mut Extensions,
    ) -> Result<http::Response<ProbeBody>, ProbeError> {
        struct UnderWay(Arc<AtomicUsize>);
        impl Drop for UnderWay {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }

        assert_eq!(
            extensions.get(),
            Some(&Marker(7)),
            "an attempt came without what the caller had put into the extensions"
        );
        assert!(
            extensions.insert(Litter).is_none(),
            "an attempt saw what the one before it had left in the extensions"
        );
        let released = Released::default();
        let (answer, under_way) = {
            let mut state = self.lock();
            state.seen.push(Seen {
                at: Instant::now(),
                headers,
                body,
                released: released.clone(),
            });
            state.under_way.fetch_add(1, Ordering::SeqCst);
            let answer = state
                .script
                .pop_front()
                .unwrap_or(Answer::Status(200, "ok"));
            (answer, UnderWay(Arc::clone(&state.under_way)))
        };
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        drop(under_way);
        match answer {
            Answer::Fail => Err(ProbeError),
            Answer::Status(status, code) => Ok(response(status, code, released)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

/// The body that goes with a code.
pub(crate) fn problem(status: u16, code: &str) -> String {
    format!(r#"{{"type":"about:blank","title":"probe","status":{status},"code":"{code}"}}"#)
}

fn response(status: u16, code: &str, released: Released) -> http::Response<ProbeBody> {
    let body = ProbeBody {
        bytes: Some(problem(status, code).into()),
        released,
    };
    let mut response = http::Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    *response.version_mut() = http::Version::HTTP_2;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response.extensions_mut().insert(FromLeaf);
    response
}

// === impl Released ===

impl Released {
    /// When it was dropped.
    #[must_use]
    pub fn at(&self) -> Option<Instant> {
        *self.0.lock().unwrap()
    }
}

// === impl ProbeBody ===

impl http_body::Body for ProbeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl Drop for ProbeBody {
    fn drop(&mut self) {
        *self.released.0.lock().unwrap() = Some(Instant::now());
    }
}
