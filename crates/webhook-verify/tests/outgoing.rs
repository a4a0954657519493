//! The sending face, in tower and in reqwest, over real sockets to a receiver that verifies.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails is a failed test"
)]

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::routing::any;
use bytes::Bytes;
use golive_core::tower::Layered;
use golive_core::{
    BoxError, Call, Exchange, Middleware, ReadAheadError, Replay, ReplayBody, Request, Stack,
    caused_by,
};
use golive_testkit::ManualClock;
use golive_webhook_verify::outgoing::{SignError, SignRequests};
use golive_webhook_verify::tower::VerifyLayer;
use golive_webhook_verify::{Key, Scheme, Signer, Verified, Verifier};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body::Frame;
use http_body_util::{Empty, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use reqwest_middleware::ClientBuilder;
use tower::ServiceExt as _;

const NOW: u64 = 1_800_000_000;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn key(secret: &str) -> Key {
    Key::from_whsec(secret).unwrap()
}

fn signer(secret: &str) -> Signer {
    Signer::new(key(secret))
}

// === the receiver ===

/// An endpoint that verifies, as its user would build it.
struct Receiver {
    addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Clone, Debug)]
struct Seen {
    id: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Receiver {
    async fn start(secret: &str, clock: &ManualClock) -> Self {
        Self::of(Scheme::default(), secret, clock).await
    }

    async fn of(scheme: Scheme, secret: &str, clock: &ManualClock) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let verifier = Verifier::builder().key(key(secret)).scheme(scheme);
        let verifier = verifier.build().unwrap();
        let noted = Arc::clone(&seen);
        let note = move |verified: axum::Extension<Verified<'static>>, headers, body| async move {
            let id = verified.id().unwrap_or_default().to_owned();
            noted.lock().unwrap().push(Seen { id, headers, body });
        };
        let app = axum::Router::new()
            .route("/webhooks", any(note))
            .layer(VerifyLayer::new(verifier).with_clock(clock.clone()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { addr, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn only(&self) -> Seen {
        let [one] = <[Seen; 1]>::try_from(self.seen()).unwrap();
        one
    }

    fn url(&self) -> String {
        format!("http://{}/webhooks", self.addr)
    }
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().unwrap();
        assert!(values.next().is_none(), "{name} came twice");
        value.to_str().unwrap()
    }
}

// === the senders ===

/// A request to be sent through either face.
#[derive(Clone)]
struct Ask {
    method: Method,
    headers: HeaderMap,
    body: AskBody,
}

#[derive(Clone)]
enum AskBody {
    None,
    Full(&'static str),
    /// In chunks; `None` is an error.
    Stream(Vec<Option<&'static str>>),
    /// In one chunk, after ten minutes of this clock.
    Slow(ManualClock),
}

impl Ask {
    fn post(body: AskBody) -> Self {
        Self {
            method: Method::POST,
            headers: HeaderMap::new(),
            body,
        }
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.append(name, HeaderValue::from_static(value));
        self
    }
}

/// A body that streams.
struct Chunks {
    chunks: VecDeque<Option<&'static str>>,
    clock: Option<ManualClock>,
}

impl AskBody {
    /// For a body that streams.
    fn chunks(self) -> Chunks {
        let (chunks, clock) = match self {
            Self::Stream(chunks) => (chunks, None),
            Self::Slow(clock) => (vec![Some("slow")], Some(clock)),
            Self::None | Self::Full(_) => panic!("it is in memory"),
        };
        Chunks {
            chunks: chunks.into(),
            clock,
        }
    }
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(clock) = self.clock.take() {
            clock.advance(Duration::from_secs(600));
        }
        Poll::Ready(self.chunks.pop_front().map(|chunk| match chunk {
            Some(chunk) => Ok(Frame::data(Bytes::from_static(chunk.as_bytes()))),
            None => Err(io::Error::other("reset")),
        }))
    }
}

trait Face {
    /// Whether a body that streams can be sent twice.
    const KEEPS_STREAMS: bool;

    async fn send(
        middleware: impl Middleware,
        to: &Receiver,
        ask: Ask,
    ) -> Result<StatusCode, BoxError>;
}

struct Tower;
struct Reqwest;

impl Face for Tower {
    const KEEPS_STREAMS: bool = true;

    async fn send(
        middleware: impl Middleware,
        to: &Receiver,
        ask: Ask,
    ) -> Result<StatusCode, BoxError> {
        async fn over<B>(
            middleware: impl Middleware,
            mut req: http::Request<B>,
            ask: (Method, HeaderMap),
        ) -> Result<StatusCode, BoxError>
        where
            B: Replay<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
        {
            (*req.method_mut(), *req.headers_mut()) = ask;
            let client = Client::builder(TokioExecutor::new()).build_http();
            let sent = Layered::new(middleware, client).oneshot(req).await?;
            Ok(sent.status())
        }
        let url = to.url();
        let head = (ask.method, ask.headers);
        let request = http::Request::post(url);
        match ask.body {
            AskBody::None => {
                let body = Empty::<Bytes>::new();
                over(middleware, request.body(body).unwrap(), head).await
            }
            AskBody::Full(text) => {
                let body = Full::new(Bytes::from_static(text.as_bytes()));
                over(middleware, request.body(body).unwrap(), head).await
            }
            streams => {
                let body = ReplayBody::new(streams.chunks());
                over(middleware, request.body(body).unwrap(), head).await
            }
        }
    }
}

impl Face for Reqwest {
    const KEEPS_STREAMS: bool = false;

    async fn send(
        middleware: impl Middleware,
        to: &Receiver,
        ask: Ask,
    ) -> Result<StatusCode, BoxError> {
        let client = ClientBuilder::new(reqwest::Client::new())
            .with(Stack::new().push(middleware))
            .build();
        let request = client.request(ask.method, to.url()).headers(ask.headers);
        let request = match ask.body {
            AskBody::None => request,
            AskBody::Full(text) => request.body(text),
            streams => request.body(reqwest::Body::wrap(streams.chunks())),
        };
        Ok(request.send().await?.status())
    }
}

/// Sends whatever it gets twice, so far apart that a receiver no longer takes the first signature.
struct Twice(ManualClock);

impl Middleware for Twice {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        mut req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        let spare = req.spare().unwrap();
        drop(below.send(call, req).await?);
        self.0.advance(Duration::from_secs(600));
        call.next_attempt();
        below.send(call, Req::restore(spare).unwrap()).await
    }
}

fn sign(clock: &ManualClock) -> SignRequests {
    let builder = SignRequests::builder(signer(SECRET)).clock(clock.clone());
    builder.mint_ids().build().unwrap()
}

fn refusal(error: &BoxError) -> &SignError {
    caused_by(error.as_ref()).unwrap_or_else(|| panic!("another error: {error:?}"))
}

/// Each test, in both faces.
macro_rules! in_both_faces {
    ($($name:ident)*) => {
        in_both_faces!(@face in_tower, super::Tower, $($name)*);
        in_both_faces!(@face in_reqwest, super::Reqwest, $($name)*);
    };
    (@face $module:ident, $face:ty, $($name:ident)*) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name::<$face>().await;
                }
            )*
        }
    };
}

in_both_faces!(
    what_is_signed_is_accepted
    what_is_signed_in_any_scheme_is_accepted
    another_secret_is_not_accepted
    every_attempt_has_the_same_id_and_a_time_and_signature_of_its_own
    the_signer_alone_below_a_retry_refuses_rather_than_change_the_id
    a_slow_body_is_signed_with_the_time_when_it_was_there
    an_id_of_the_callers_is_kept
    ids_are_new_each_time_or_the_callers_own
    what_was_there_before_is_replaced
    during_a_rotation_both_secrets_sign
    a_body_over_the_limit_is_not_sent
    a_body_that_fails_is_not_sent
    an_id_that_a_receiver_refuses_is_not_sent
    a_source_of_ids_that_fails_sends_nothing
    a_signer_without_a_key_for_its_scheme_sends_nothing
    no_error_shows_the_secret_or_the_body
);

async fn what_is_signed_is_accepted<F: Face>() {
    let clock = ManualClock::at(NOW);
    for (method, body, expected) in [
        (
            Method::POST,
            AskBody::Full(r#"{"n": 1e3}"#),
            r#"{"n": 1e3}"#,
        ),
        (Method::POST, AskBody::Full(""), ""),
        (Method::POST, AskBody::None, ""),
        (Method::GET, AskBody::None, ""),
        (Method::POST, AskBody::Stream(vec![]), ""),
        (
            Method::PUT,
            AskBody::Stream(vec![Some("one "), Some(""), Some("two")]),
            "one two",
        ),
    ] {
        let to = Receiver::start(SECRET, &clock).await;
        let ask = Ask {
            method: method.clone(),
            ..Ask::post(body)
        };
        let status = F::send(sign(&clock), &to, ask).await.unwrap();
        assert_eq!(status, 200, "{method} {expected}");
        let seen = to.only();
        assert_eq!(seen.body, expected);
        assert_eq!(seen.header("webhook-timestamp"), NOW.to_string());
        assert!(seen.id.starts_with("msg_"), "{}", seen.id);
    }
}

async fn what_is_signed_in_any_scheme_is_accepted<F: Face>() {
    let clock = ManualClock::at(NOW);
    for scheme in [
        Scheme::svix(),
        Scheme::stripe(),
        Scheme::github(),
        Scheme::slack(),
        Scheme::shopify(),
        Scheme::square("https://example.com/webhooks"),
    ] {
        let to = Receiver::of(scheme.clone(), SECRET, &clock).await;
        let sign = SignRequests::builder(signer(SECRET).with_scheme(scheme.clone()));
        let sign = sign.clock(clock.clone()).build().unwrap();
        let stack = Stack::new().push(sign.message_ids()).push(sign);
        let status = F::send(stack, &to, Ask::post(AskBody::Full("x"))).await;
        assert_eq!(status.unwrap(), 200, "{scheme:?}");
        let seen = to.only();
        let has_id = scheme == Scheme::svix();
        assert_eq!(seen.id.starts_with("msg_"), has_id, "{scheme:?}");
        assert!(!seen.headers.contains_key("webhook-id"), "{scheme:?}");
    }
}

async fn another_secret_is_not_accepted<F: Face>() {
    let clock = ManualClock::at(NOW);
    let to = Receiver::start(OTHER, &clock).await;
    let ask = Ask::post(AskBody::Full("x"));
    assert_eq!(F::send(sign(&clock), &to, ask).await.unwrap(), 401);
    assert!(to.seen().is_empty());
}

async fn every_attempt_has_the_same_id_and_a_time_and_signature_of_its_own<F: Face>() {
    for body in [
        AskBody::None,
        AskBody::Full("amount=12"),
        AskBody::Stream(vec![Some("amount"), Some("=12")]),
    ] {
        if matches!(body, AskBody::Stream(_)) && !F::KEEPS_STREAMS {
            continue;
        }
        let clock = ManualClock::at(NOW);
        let to = Receiver::start(SECRET, &clock).await;
        let sign = SignRequests::builder(signer(SECRET))
            .clock(clock.clone())
            .build()
            .unwrap();
        let stack = Stack::new()
            .push(sign.message_ids())
            .push(Twice(clock.clone()))
            .push(sign);
        assert_eq!(F::send(stack, &to, Ask::post(body)).await.unwrap(), 200);
        let [one, two] = <[Seen; 2]>::try_from(to.seen()).unwrap();
        assert_eq!(one.id, two.id);
        assert_eq!(one.body, two.body);
        assert_eq!(one.header("webhook-timestamp"), NOW.to_string());
        assert_eq!(two.header("webhook-timestamp"), (NOW + 600).to_string());
        assert_ne!(
            one.header("webhook-signature"),
            two.header("webhook-signature")
        );
    }
}

async fn the_signer_alone_below_a_retry_refuses_rather_than_change_the_id<F: Face>() {
    let clock = ManualClock::at(NOW);
    let to = Receiver::start(SECRET, &clock).await;
    let sign = SignRequests::builder(signer(SECRET))
        .clock(clock.clone())
        .build()
        .unwrap();
    let stack = Stack::new().push(Twice(clock)).push(sign);
    let error = F::send(stack, &to, Ask::post(AskBody::Full("x")))
        .await
        .unwrap_err();
    assert!(matches!(refusal(&error), SignError::MissingId(_)));
    assert!(to.seen().is_empty());
}

async fn a_slow_body_is_signed_with_the_time_when_it_was_there<F: Face>() {
    let clock = ManualClock::at(NOW);
    let to = Receiver::start(SECRET, &clock).await;
    let ask = Ask::post(AskBody::Slow(clock.clone()));
    assert_eq!(F::send(sign(&clock), &to, ask).await.unwrap(), 200);
    let expected = (NOW + 600).to_string();
    assert_eq!(to.only().header("webhook-timestamp"), expected);
}

async fn an_id_of_the_callers_is_kept<F: Face>() {
    let clock = ManualClock::at(NOW);
    let to = Receiver::start(SECRET, &clock).await;
    let sign = sign(&clock);
    let stack = Stack::new().push(sign.message_ids()).push(sign);
    let ask = Ask::post(AskBody::Full("x")).with("webhook-id", "evt_17");
    assert_eq!(F::send(stack, &to, ask).await.unwrap(), 200);
    assert_eq!(to.only().header("webhook-id"), "evt_17");
}

async fn ids_are_new_each_time_or_the_callers_own<F: Face>() {
    let clock = ManualClock::at(NOW);
    let to = Receiver::start(SECRET, &clock).await;
    let builder = SignRequests::builder(signer(SECRET)).clock(clock.clone());
    let own = builder
        .mint_with(|| Ok("evt_9".into()))
        .mint_ids()
        .build()
        .unwrap();
    for sign in [sign(&clock), sign(&clock), own] {
        F::send(sign, &to, Ask::post(AskBody::Full("x")))
            .await
            .unwrap();
    }
    let ids: HashSet<_> = to.seen().into_iter().map(|seen| seen.id).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.contains("evt_9"));
}

async fn what_was_there_before_is_replaced<F: Face>() {
    let clock = ManualClock::at(NOW);
    let to = Receiver::start(SECRET, &clock).await;
    let ask = Ask::post(AskBody::Full("x"))
        .with("webhook-id", "evt_17")
        .with("webhook-timestamp", "1")
        .with("webhook-timestamp", "2")
        .with("webhook-signature", "v1,stale")
        .with("webhook-signature", "v1,staler");
    assert_eq!(F::send(sign(&clock), &to, ask).await.unwrap(), 200);
    let seen = to.only();
    assert_eq!(seen.header("webhook-timestamp"), NOW.to_string());
    let expected = signer(SECRET).sign("evt_17", NOW, b"x");
    assert_eq!(seen.header("webhook-signature"), expected);
}

async fn during_a_rotation_both_secrets_sign<F: Face>() {
    let clock = ManualClock::at(NOW);
    let sign = SignRequests::builder(signer(OTHER).and(key(SECRET)));
    let sign = sign.clock(clock.clone()).mint_ids().build().unwrap();
    for secret in [SECRET, OTHER] {
        let to = Receiver::start(secret, &clock).await;
        let ask = Ask::post(AskBody::Full("x"));
        assert_eq!(F::send(sign.clone(), &to, ask).await.unwrap(), 200);
        let seen = to.only();
        let expected = [OTHER, SECRET].map(|s| signer(s).sign(&seen.id, NOW, b"x"));
        assert_eq!(seen.header("webhook-signature"), expected.join(" "));
    }
}

async fn a_body_over_the_limit_is_not_sent<F: Face>() {
    let clock = ManualClock::at(NOW);
    let to = Receiver::start(SECRET, &clock).await;
    let sign = SignRequests::builder(signer(SECRET))
        .clock(clock.clone())
        .mint_ids();
    let sign = sign.max_body_bytes(7).build().unwrap();
    for (body, fits) in [
        (AskBody::Full("seven b"), true),
        (AskBody::Full("eight by"), false),
        (AskBody::Stream(vec![Some("seven "), Some("b")]), true),
        (AskBody::Stream(vec![Some("eight "), Some("by")]), false),
    ] {
        match F::send(sign.clone(), &to, Ask::post(body)).await {
            Ok(status) => assert!(fits && status == 200),
            Err(error) => {
                let too_large = matches!(refusal(&error), SignError::BodyTooLarge { limit: 7 });
                assert!(!fits && too_large, "{error}");
            }
        }
    }
    assert_eq!(to.seen().len(), 2);
}

async fn a_body_that_fails_is_not_sent<F: Face>() {
    let clock = ManualClock::at(NOW);
    let to = Receiver::start(SECRET, &clock).await;
    let ask = Ask::post(AskBody::Stream(vec![Some("half"), None]));
    let error = F::send(sign(&clock), &to, ask).await.unwrap_err();
    assert!(matches!(
        refusal(&error),
        SignError::Body(ReadAheadError::Body(_))
    ));
    assert!(caused_by::<io::Error>(error.as_ref()).is_some());
    assert!(to.seen().is_empty());
}

async fn an_id_that_a_receiver_refuses_is_not_sent<F: Face>() {
    let clock = ManualClock::at(NOW);
    let to = Receiver::start(SECRET, &clock).await;
    for bad in ["", "a.b", "a b"] {
        let ask = Ask::post(AskBody::Full("x")).with("webhook-id", bad);
        for stack in [Some(sign(&clock).message_ids()), None] {
            let stack = Stack::new().push(stack).push(sign(&clock));
            let error = F::send(stack, &to, ask.clone()).await.unwrap_err();
            assert!(matches!(refusal(&error), SignError::MalformedId));
        }
    }
    let ask = Ask::post(AskBody::Full("x"))
        .with("webhook-id", "a")
        .with("webhook-id", "a");
    let error = F::send(sign(&clock), &to, ask).await.unwrap_err();
    assert!(matches!(refusal(&error), SignError::RepeatedId(_)));
    assert!(to.seen().is_empty());
}

async fn a_source_of_ids_that_fails_sends_nothing<F: Face>() {
    let clock = ManualClock::at(NOW);
    let to = Receiver::start(SECRET, &clock).await;
    let builder = SignRequests::builder(signer(SECRET)).mint_ids();
    let fails = builder
        .clone()
        .mint_with(|| Err("empty".into()))
        .build()
        .unwrap();
    let error = F::send(fails, &to, Ask::post(AskBody::None))
        .await
        .unwrap_err();
    assert!(matches!(refusal(&error), SignError::Mint(cause) if cause.to_string() == "empty"));
    let lies = builder.mint_with(|| Ok("evt.1".into())).build().unwrap();
    let error = F::send(lies, &to, Ask::post(AskBody::None))
        .await
        .unwrap_err();
    assert!(matches!(refusal(&error), SignError::MalformedId));
    assert!(to.seen().is_empty());
}

async fn a_signer_without_a_key_for_its_scheme_sends_nothing<F: Face>() {
    #[cfg(feature = "ed25519")]
    for scheme in [Scheme::github(), Scheme::stripe()] {
        let clock = ManualClock::at(NOW);
        let to = Receiver::start(SECRET, &clock).await;
        let own = golive_webhook_verify::ed25519::SecretKey::from_bytes(&[1; 32]).unwrap();
        let sign = SignRequests::new(Signer::ed25519(own).with_scheme(scheme));
        let error = F::send(sign, &to, Ask::post(AskBody::Full("x")))
            .await
            .unwrap_err();
        assert!(matches!(refusal(&error), SignError::Unsigned));
    }
}

async fn no_error_shows_the_secret_or_the_body<F: Face>() {
    let clock = ManualClock::at(NOW);
    let to = Receiver::start(SECRET, &clock).await;
    let canary = "canary-body";
    let body = || AskBody::Full(canary);
    let small = SignRequests::builder(signer(SECRET))
        .max_body_bytes(1)
        .mint_ids();
    let bad_id = Ask::post(body()).with("webhook-id", "canary-body.");
    let mut errors = Vec::new();
    errors.push(
        F::send(small.build().unwrap(), &to, Ask::post(body()))
            .await
            .unwrap_err(),
    );
    errors.push(F::send(sign(&clock), &to, bad_id).await.unwrap_err());
    let strict = SignRequests::new(signer(SECRET));
    errors.push(F::send(strict, &to, Ask::post(body())).await.unwrap_err());
    for error in errors {
        assert!(matches!(
            refusal(&error),
            SignError::BodyTooLarge { .. } | SignError::MalformedId | SignError::MissingId(_)
        ));
        assert_is_silent(&format!("{error} {error:?}"), canary);
    }
}
fn assert_is_silent(shown: &str, canary: &str) {
    let raw = key_bytes();
    for secret in [
        canary.to_owned(),
        SECRET.trim_start_matches("whsec_").to_owned(),
        raw.iter().map(|b| format!("{b:02x}")).collect(),
        format!("{raw:?}").trim_matches(['[', ']']).to_owned(),
    ] {
        assert!(!shown.contains(&secret), "{shown}");
    }
}

fn key_bytes() -> Vec<u8> {
    use base64::Engine as _;
    let text = SECRET.trim_start_matches("whsec_");
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}

#[test]
fn debug_shows_what_is_set_up_and_no_secret() {
    let named = Signer::new(key(SECRET).with_id("2026-11"));
    let builder = SignRequests::builder(named).max_body_bytes(4711);
    let sign = builder.clone().build().unwrap();
    let shown = format!("{builder:?} {sign:?} {:?}", sign.message_ids());
    assert!(
        shown.contains("2026-11") && shown.contains("4711"),
        "{shown}"
    );
    assert_is_silent(&shown, "MfKQ9r8G");
}
