//! The tower layer over a body of any frames.
//!
//! Numbers: our own clock, the scheme, the longest body, then a sum of: 1 for a body that tells its
//! length, 2 for one that tells its end, 4 for HTTP/2, 8 for the timer of the runtime. The frames
//! are lines, in their order: `data`, `trailer`, `error`; `pending` for one that is late; `wait` for
//! seconds that pass, and `rotate` for a key ring that is replaced meanwhile. What follows the empty
//! line is the last frame of data. The other lines are headers: `id`, `timestamp` and `signature`
//! stand for what these are called in the scheme. Holes: `{old}` and `{new}` for an item of the list
//! by the key before and after `rotate`, `{foreign}` for one of a stranger.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use golive_webhook_verify::tower::VerifyLayer;
use golive_webhook_verify::{Reject, SharedVerifier, Verified, Verifier};
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Version};
use tokio::runtime::{Builder, Runtime};
use tower_layer::Layer as _;
use tower_service::Service;

use crate::kinds::{KINDS, Kind, Time};
use crate::message::{Message, fill};
use crate::receiver::{Held, Lines, Receiver, Secret};
use crate::stage::{Frames, Inner, Seconds, Step, collected, data, polled};

const LINES: &[&str] = &[
    "id",
    "timestamp",
    "signature",
    "content-length",
    "data",
    "trailer",
    "error",
    "pending",
    "wait",
    "rotate",
];
const OLD: &[u8] = b"fuzz-older-secret-of-32-bytes...";
const NEW: &[u8] = b"fuzz-newer-secret-of-32-bytes...";
const FOREIGN: &[u8] = b"fuzz-foreign-secret-of-32-bytes.";
/// When the old secret ends, rotated or not.
const END: u64 = 1_700_000_100;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().unwrap());

/// Sends one request through the layer, and compares what comes of it with a verdict at once.
pub fn one(input: &[u8]) {
    let message = Message::read(input, LINES);
    let scene = Scene::new(&message);
    let expected = scene.expected();
    let seen = scene.played();
    compare(&seen, &expected, &scene);
}

/// A request, and what happens while it comes.
struct Scene {
    now: u64,
    before: Verifier,
    after: Verifier,
    limit: usize,
    headers: HeaderMap,
    steps: VecDeque<Step>,
    tells_length: bool,
    tells_end: bool,
    version: Version,
    timer: bool,
}

/// What comes of it.
struct Outcome {
    verdict: Result<Verified<'static>, Reject>,
    /// Whether more of the body could come when it was refused.
    unread: bool,
    /// What was sent, as far as it matters.
    bytes: Vec<u8>,
    trailers: Option<HeaderMap>,
}

impl Scene {
    fn new(message: &Message<'_>) -> Self {
        let number = |at, default| message.number(at).map_or(default, i64::unsigned_abs);
        let small = |at, default| usize::try_from(number(at, default)).unwrap_or(usize::MAX);
        let kind = &KINDS[small(1, 0) % KINDS.len()];
        let limit = small(2, 256).clamp(1, 4096);
        let flags = number(3, 0);
        let receiver = |secret: &[u8], not_after| Receiver {
            kind,
            keys: vec![Held {
                secret: Secret::Shared(secret.to_vec()),
                not_after,
            }],
            tolerance: Some(300),
            max_body_bytes: limit,
            max_signatures: 32,
            max_signature_bytes: 4096,
        };
        let before = receiver(OLD, Some(END));
        let steps = steps(message);
        let body = data(&steps);
        let headers = headers(&before, message, &body);
        Self {
            now: number(0, 0).min(u64::MAX >> 24),
            before: before.builder().build().unwrap(),
            after: receiver(NEW, None).builder().build().unwrap(),
            limit,
            headers,
            steps,
            tells_length: flags & 1 != 0,
            tells_end: flags & 2 != 0,
            version: if flags & 4 == 0 {
                Version::HTTP_11
            } else {
                Version::HTTP_2
            },
            timer: flags & 8 != 0,
        }
    }

    /// What is due: a plain walk over the frames, then a verdict at once.
    fn expected(&self) -> Outcome {
        let refused = |reject, unread| Outcome {
            verdict: Err(reject),
            unread,
            bytes: Vec::new(),
            trailers: None,
        };
        let limit = self.limit;
        let too_large = Reject::BodyTooLarge { limit };
        let ends = |left: usize| left == 0 && self.tells_end;
        let left = self.steps.len();
        if let Err(reject) = self.before.begin(&self.headers, self.now) {
            return refused(reject, !ends(left));
        }
        let whole = data(&self.steps);
        let announced = |value: &HeaderValue| {
            let text = value.to_str().ok().filter(|text| !text.starts_with('+'))?;
            Some(text.parse::<u64>().unwrap_or(u64::MAX))
                .filter(|_| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let mut lengths = self
            .headers
            .get_all(CONTENT_LENGTH)
            .iter()
            .filter_map(announced);
        let told = self.tells_length && whole.len() > limit;
        if told || lengths.any(|length| length > limit as u64) {
            return refused(too_large, !ends(left));
        }
        let (mut now, mut rotated, mut trailers, mut bytes) = (self.now, false, None, Vec::new());
        for (at, step) in self.steps.iter().enumerate() {
            match step {
                Step::Data(data) => bytes.extend_from_slice(data),
                Step::Trailers(some) => trailers = Some(some.clone()),
                Step::Error => return refused(Reject::BodyIncomplete, !ends(left - at - 1)),
                Step::Pending => {}
                Step::Wait(seconds) => now += seconds,
                Step::Rotate => rotated = true,
            }
            if bytes.len() > limit {
                return refused(too_large, !ends(left - at - 1));
            }
        }
        let verifier = if rotated { &self.after } else { &self.before };
        let verdict = verifier.verify(&self.headers, &bytes, now);
        Outcome {
            verdict: verdict.map(Verified::into_owned),
            unread: false,
            bytes,
            trailers,
        }
    }

    /// What the layer makes of it.
    fn played(&self) -> Played {
        let clock = Seconds(Arc::new(AtomicU64::new(self.now)));
        let ring = SharedVerifier::new(self.before.clone());
        let body = Frames {
            steps: self.steps.clone(),
            length: self.tells_length.then(|| data(&self.steps).len() as u64),
            tells_end: self.tells_end,
            over: false,
            clock: clock.clone(),
            ring: ring.clone(),
            after: self.after.clone(),
        };
        let mut request = Request::new(body);
        *request.headers_mut() = self.headers.clone();
        *request.version_mut() = self.version;

        let told = Arc::new(Mutex::new(Vec::new()));
        let hook = Arc::clone(&told);
        let layer = VerifyLayer::following(ring)
            .with_clock(clock)
            .on_verdict(move |verdict| hook.lock().unwrap().push(verdict.cloned()));
        let layer = if self.timer {
            layer.with_body_timeout(Duration::from_secs(3600))
        } else {
            layer.without_body_timeout()
        };
        let inner = Inner::default();
        let called = Arc::clone(&inner.called);
        let mut service = layer.layer(inner);
        let answer = async {
            let ready = poll_fn(|cx| Service::<Request<Frames>>::poll_ready(&mut service, cx));
            ready.await.unwrap();
            let response = service.call(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let (bytes, trailers) = collected(body).await;
            (parts, bytes, trailers)
        };
        // The timer is there to be asked, and never strikes: nobody drives the runtime.
        let runtime = self.timer.then(|| RUNTIME.enter());
        let (parts, bytes, trailers) = polled(answer);
        drop(runtime);
        let mut called = called.lock().unwrap();
        let mut told = told.lock().unwrap();
        Played {
            parts,
            bytes,
            trailers,
            called: std::mem::take(&mut called),
            told: std::mem::take(&mut told),
        }
    }
}

/// What the layer did.
struct Played {
    parts: http::response::Parts,
    /// Of the answer: the inner service sends back what it was given.
    bytes: Vec<u8>,
    trailers: Option<HeaderMap>,
    /// With what the inner service was called.
    called: Vec<http::request::Parts>,
    /// What the hook was told.
    told: Vec<Result<Verified<'static>, Reject>>,
}

fn compare(seen: &Played, expected: &Outcome, scene: &Scene) {
    assert_eq!(seen.told, std::slice::from_ref(&expected.verdict));
    let status = seen.parts.status.as_u16();
    let reject = seen.parts.extensions.get::<Reject>();
    match &expected.verdict {
        Ok(verified) => {
            assert_eq!((status, reject), (200, None));
            let [request] = &seen.called[..] else {
                panic!("called {} times", seen.called.len());
            };
            assert_eq!(request.extensions.get(), Some(verified));
            assert_eq!(request.headers, scene.headers);
            assert_eq!(request.version, scene.version);
            assert_eq!(seen.bytes, expected.bytes);
            assert_eq!(seen.trailers, expected.trailers);
        }
        Err(due) => {
            assert_eq!((status, reject), (due.status(), Some(due)));
            assert_eq!(status == 413, matches!(due, Reject::BodyTooLarge { .. }));
            assert!(seen.called.is_empty());
            let headers = &seen.parts.headers;
            assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
            let closes = headers
                .get(CONNECTION)
                .is_some_and(|value| value == "close");
            let unread = expected.unread && scene.version == Version::HTTP_11;
            assert_eq!(closes, unread);
            // A few fixed words, and nothing of the request or of the reason.
            let problem: serde_json::Value = serde_json::from_slice(&seen.bytes).unwrap();
            assert_eq!(problem["status"], status);
            assert!(seen.bytes.len() < 200 && seen.trailers.is_none());
        }
    }
}

fn steps(message: &Message<'_>) -> VecDeque<Step> {
    let mut steps: VecDeque<Step> = message
        .lines
        .iter()
        .filter_map(|(name, value)| {
            Some(match name.as_str() {
                "data" => Step::Data(Bytes::copy_from_slice(value)),
                "trailer" => {
                    let mut trailers = HeaderMap::new();
                    trailers.insert("x-trailer", HeaderValue::from_bytes(value).ok()?);
                    Step::Trailers(trailers)
                }
                "error" => Step::Error,
                "pending" => Step::Pending,
                "wait" => Step::Wait(u64::from(str::from_utf8(value).ok()?.parse::<u16>().ok()?)),
                "rotate" => Step::Rotate,
                _ => return None,
            })
        })
        .collect();
    if !message.body.is_empty() {
        steps.push_back(Step::Data(Bytes::copy_from_slice(message.body)));
    }
    steps
}

fn headers(receiver: &Receiver, message: &Message<'_>, body: &[u8]) -> HeaderMap {
    let named = message.lines.iter().filter_map(|(name, value)| {
        let name = called(receiver.kind, name.as_str())?;
        Some((name.to_owned(), value.to_vec()))
    });
    let lines: Lines = named.collect();
    let sign = |secret: &[u8]| receiver.sign(&Secret::Shared(secret.to_vec()), &lines, body);
    let (old, new, foreign) = (sign(OLD), sign(NEW), sign(FOREIGN));
    let holes = [("old", &old[..]), ("new", &new), ("foreign", &foreign)];
    let mut headers = HeaderMap::new();
    for (name, value) in &lines {
        let value = HeaderValue::from_bytes(&fill(value, &holes));
        if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), value) {
            headers.append(name, value);
        }
    }
    headers
}

fn called(kind: &Kind, name: &str) -> Option<&'static str> {
    match (name, &kind.time) {
        ("content-length", _) => Some("content-length"),
        ("signature", _) => Some(kind.signature),
        ("id", _) => kind.id,
        ("timestamp", Time::Header(name)) => Some(name),
        _ => None,
    }
}
