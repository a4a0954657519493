//! What the cache and the middleware do, in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: what fails there is a test that fails"
)]

mod common;

use std::{
    convert::Infallible,
    future::poll_fn,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use common::Counter;
use golive_auth_refresh::{
    AuthError, AuthRefresh, Tokens,
    client_credentials::{ClientAuth, ClientCredentials, Credentials},
    source::{ErrorCode, Fetching, Token, TokenError, TokenSource},
    tower::ServiceSource,
};
use golive_core::{
    BoxError, CallHandle, Disposition, Outcome, ReplayBody, caused_by, tower::Layer,
};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

/// The API behind the middleware: notes what it saw and answers as it is told to.
#[derive(Clone)]
struct Api(Arc<Mutex<State>>);

struct State {
    seen: Vec<Seen>,
    judge: Judge,
}

type Judge = Box<dyn FnMut(&str) -> (u16, &'static str) + Send>;

#[derive(Clone, Debug, PartialEq)]
struct Seen {
    token: String,
    key: Option<String>,
    body: Bytes,
}

impl Api {
    fn new(judge: impl FnMut(&str) -> (u16, &'static str) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(State {
            seen: Vec::new(),
            judge: Box::new(judge),
        })))
    }

    /// Accepts this token alone.
    fn accepting(token: &'static str) -> Self {
        Self::new(move |seen| {
            if seen == format!("Bearer {token}") {
                (200, "")
            } else {
                (401, "token_expired")
            }
        })
    }

    fn seen(&self) -> Vec<Seen> {
        self.0.lock().unwrap().seen.clone()
    }

    fn tokens(&self) -> Vec<String> {
        self.seen().into_iter().map(|s| s.token).collect()
    }

    fn answer(&self, request: &Request<()>, body: Bytes) -> Response<Full<Bytes>> {
        let text = |name| Some(request.headers().get(name)?.to_str().unwrap().to_owned());
        let token = text("authorization").unwrap_or_default();
        let mut state = self.0.lock().unwrap();
        let (status, code) = (state.judge)(&token);
        state.seen.push(Seen {
            token,
            key: text("idempotency-key"),
            body,
        });
        let body = format!(r#"{{"title":"x","code":"{code}"}}"#);
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    }

    /// Answers after 50 ms.
    fn service<B>(
        &self,
    ) -> impl Service<Request<B>, Response = Response<Full<Bytes>>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + 'static
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let api = self.clone();
        service_fn(move |request: Request<B>| {
            let api = api.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.map_err(Into::into)?.to_bytes();
                sleep(Duration::from_millis(50)).await;
                Ok(api.answer(&Request::from_parts(parts, ()), body))
            }
        })
    }
}

fn tokens(source: &Counter) -> Tokens {
    let builder = Tokens::builder(source.clone()).random(|| 0.0);
    builder.build().unwrap()
}

fn auth(source: &Counter) -> AuthRefresh {
    AuthRefresh::new(tokens(source))
}

fn request() -> Request<Full<Bytes>> {
    Request::post("http://api.test/v3/loans")
        .header("idempotency-key", "key-1")
        .body(Full::new(Bytes::from_static(b"amount=12")))
        .unwrap()
}

async fn send(auth: &AuthRefresh, api: &Api) -> Result<StatusCode, BoxError> {
    let response = auth.layer(api.service()).oneshot(request()).await?;
    Ok(response.status())
}

async fn send_many(n: usize, auth: &AuthRefresh, api: &Api) -> Vec<StatusCode> {
    let calls = (0..n).map(|_| {
        let (auth, api) = (auth.clone(), api.clone());
        tokio::spawn(async move { send(&auth, &api).await.unwrap() })
    });
    let mut all = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        all.push(call.await.unwrap());
    }
    all
}

fn unavailable(retry_after: Option<Duration>) -> TokenError {
    TokenError::Unavailable {
        status: StatusCode::SERVICE_UNAVAILABLE,
        retry_after,
    }
}

fn revoked() -> TokenError {
    TokenError::Refused {
        status: StatusCode::UNAUTHORIZED,
        code: ErrorCode::InvalidClient,
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_cold_calls_fetch_one_token() {
    let (source, api) = (Counter::default(), Api::accepting("token-1"));
    let all = send_many(100, &auth(&source), &api).await;
    assert!(all.iter().all(|status| *status == 200));
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_renewed_and_the_call_is_replayed_with_the_same_key_and_body() {
    let (source, api) = (Counter::default(), Api::accepting("token-2"));
    let handle = CallHandle::new();
    let mut request = request();
    request.extensions_mut().insert(handle.clone());
    let response = auth(&source).layer(api.service()).oneshot(request).await;
    assert_eq!(response.unwrap().status(), 200);
    let seen = |token: &str| Seen {
        token: format!("Bearer {token}"),
        key: Some("key-1".into()),
        body: Bytes::from_static(b"amount=12"),
    };
    assert_eq!(api.seen(), [seen("token-1"), seen("token-2")]);
    assert_eq!(handle.call().attempt(), 1);
    let attempts = handle.call().attempts().to_vec();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].disposition, Disposition::NotExecuted);
}

#[tokio::test(start_paused = true)]
async fn fifty_late_401s_of_the_old_token_cause_one_renewal() {
    let (source, api) = (Counter::default(), Api::accepting("token-2"));
    let auth = auth(&source);
    let all = send_many(50, &auth, &api).await;
    assert!(all.iter().all(|status| *status == 200));
    assert_eq!(source.fetches(), 2);
    assert_eq!(api.seen().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_late_401_of_an_old_token_does_not_discard_the_new_one() {
    let (source, api) = (Counter::default(), Api::accepting("token-2"));
    let auth = auth(&source);
    // This one is sent with token-1, and answered after all the others are done with token-2.
    let slow = {
        let (auth, api) = (auth.clone(), api.clone());
        let inner = api.service();
        let service = service_fn(move |request: Request<Full<Bytes>>| {
            let mut inner = inner.clone();
            async move {
                if request.headers()[header::AUTHORIZATION] == "Bearer token-1" {
                    sleep(10 * SECOND).await;
                }
                inner.call(request).await
            }
        });
        tokio::spawn(auth.layer(service).oneshot(request()))
    };
    sleep(SECOND).await;
    send_many(5, &auth, &api).await;
    assert_eq!(source.fetches(), 2);
    assert_eq!(slow.await.unwrap().unwrap().status(), 200);
    assert_eq!(source.fetches(), 2, "the new token was thrown away");
    assert_eq!(send(&auth, &api).await.unwrap(), 200);
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lasting_401_costs_two_token_requests_and_is_then_surfaced() {
    let (source, api) = (Counter::default(), Api::new(|_| (401, "token_expired")));
    let auth = auth(&source);
    assert_eq!(send(&auth, &api).await.unwrap(), 401);
    for _ in 0..20 {
        send_many(5, &auth, &api).await;
    }
    assert_eq!(source.fetches(), 2);
    // Only the first call had anything to replay.
    assert_eq!(api.seen().len(), 1 + 1 + 100);
    // An hour of it: rare, but not never, so that it ends when the server comes to its senses.
    for _ in 0..3600 {
        sleep(SECOND).await;
        send(&auth, &api).await.unwrap();
    }
    let fetches = source.fetches();
    assert!((10..=20).contains(&fetches), "{fetches}");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_worked_and_then_expires_again_and_again_is_replaced_each_time() {
    let good = Arc::new(Mutex::new(1));
    let source = Counter::default();
    let api = {
        let good = Arc::clone(&good);
        Api::new(move |token| {
            let accepted = token == format!("Bearer token-{}", good.lock().unwrap());
            (if accepted { 200 } else { 401 }, "token_expired")
        })
    };
    let auth = auth(&source);
    for n in 1..=5 {
        *good.lock().unwrap() = n;
        assert_eq!(send(&auth, &api).await.unwrap(), 200);
        assert_eq!(source.fetches(), n);
    }
}

#[tokio::test(start_paused = true)]
async fn any_other_refusal_is_handed_on_whole_and_renews_nothing() {
    for (status, code) in [
        (401, "invalid_token"),
        (401, "missing_token"),
        (403, "token_expired"),
        (422, "token_expired"),
    ] {
        let (source, api) = (Counter::default(), Api::new(move |_| (status, code)));
        let auth = auth(&source);
        for _ in 0..10 {
            let service = auth.layer(api.service());
            let response = service.oneshot(request()).await.unwrap();
            assert_eq!(response.status(), status);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, format!(r#"{{"title":"x","code":"{code}"}}"#));
        }
        assert_eq!(source.fetches(), 1, "{code}");
        assert_eq!(api.seen().len(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_challenge_counts_only_if_asked_for() {
    let service = service_fn(|request: Request<Full<Bytes>>| async move {
        let fresh = request.headers()[header::AUTHORIZATION] == "Bearer token-2";
        let response = Response::builder().status(if fresh { 200 } else { 401 });
        let challenge = r#"Bearer realm="api", error="invalid_token""#;
        let response = response.header(header::WWW_AUTHENTICATE, challenge);
        Ok::<_, Infallible>(response.body(Full::<Bytes>::default()).unwrap())
    });
    for (asked_for, status) in [(false, 401), (true, 200)] {
        let builder = AuthRefresh::builder(tokens(&Counter::default()));
        let auth = builder.challenge_means_expired(asked_for).build().unwrap();
        let response = auth.layer(service).oneshot(request()).await.unwrap();
        assert_eq!(response.status(), status);
    }
}

#[tokio::test(start_paused = true)]
async fn an_authorization_of_the_caller_is_left_alone() {
    let (source, api) = (Counter::default(), Api::new(|_| (401, "token_expired")));
    let mut request = request();
    let own = http::HeaderValue::from_static("Basic eA==");
    request.headers_mut().insert(header::AUTHORIZATION, own);
    let response = auth(&source).layer(api.service()).oneshot(request).await;
    assert_eq!(response.unwrap().status(), 401);
    assert_eq!(api.tokens(), ["Basic eA=="]);
    assert_eq!(source.fetches(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_gone_surfaces_the_401_and_the_next_call_has_a_new_token() {
    let (source, api) = (Counter::default(), Api::accepting("token-2"));
    let auth = auth(&source);
    let large = Full::new(Bytes::from_static(b"amount=12"));
    let once = request().map(|_| ReplayBody::with_cap(large, 1));
    let response = auth.layer(api.service()).oneshot(once).await.unwrap();
    assert_eq!(response.status(), 401);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, r#"{"title":"x","code":"token_expired"}"#);
    assert_eq!(send(&auth, &api).await.unwrap(), 200);
    assert_eq!(api.tokens(), ["Bearer token-1", "Bearer token-2"]);
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_outlives_the_caller_that_started_it() {
    let source = Counter::default();
    let tokens = tokens(&source);
    let mut starter = Box::pin(tokens.authorization());
    poll_fn(|cx| {
        assert!(starter.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    let waiter = tokio::spawn({
        let tokens = tokens.clone();
        async move { tokens.authorization().await }
    });
    tokio::task::yield_now().await;
    drop(starter);
    assert_eq!(waiter.await.unwrap().unwrap(), "Bearer token-1");
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_everybody_left_still_fills_the_cache() {
    let source = Counter::default();
    let tokens = tokens(&source);
    let left = tokio::time::timeout(SECOND / 100, tokens.authorization()).await;
    assert!(left.is_err());
    sleep(SECOND).await;
    let before = Instant::now();
    assert_eq!(tokens.authorization().await.unwrap(), "Bearer token-1");
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn in_the_advisory_window_the_old_token_is_served_while_one_task_renews() {
    let source = Counter::default();
    let tokens = tokens(&source);
    tokens.authorization().await.unwrap();
    sleep(3310 * SECOND).await;
    let before = Instant::now();
    for _ in 0..100 {
        assert_eq!(tokens.authorization().await.unwrap(), "Bearer token-1");
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
    sleep(SECOND).await;
    assert_eq!(tokens.authorization().await.unwrap(), "Bearer token-2");
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn in_the_mandatory_window_callers_wait_for_the_new_one() {
    let source = Counter::default();
    let tokens = tokens(&source);
    tokens.authorization().await.unwrap();
    sleep(3580 * SECOND).await;
    assert_eq!(tokens.authorization().await.unwrap(), "Bearer token-2");
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_hangs_does_not_hold_up_those_who_have_a_token() {
    let mut source = Counter::default();
    let tokens = {
        let slow = Arc::new(Mutex::new(Duration::ZERO));
        let tokens = Tokens::builder(Slow(source.clone(), Arc::clone(&slow)));
        let tokens = tokens.random(|| 0.0).build().unwrap();
        tokens.authorization().await.unwrap();
        *slow.lock().unwrap() = 3600 * SECOND;
        tokens
    };
    source.takes = Duration::ZERO;
    sleep(3580 * SECOND).await;
    let before = Instant::now();
    assert_eq!(tokens.authorization().await.unwrap(), "Bearer token-1");
    assert!(before.elapsed() <= 10 * SECOND, "{:?}", before.elapsed());
}

/// Takes as long as it is told to.
struct Slow(Counter, Arc<Mutex<Duration>>);

impl TokenSource for Slow {
    fn fetch(&self) -> Fetching<'_> {
        let takes = *self.1.lock().unwrap();
        Box::pin(async move {
            sleep(takes).await;
            self.0.fetch().await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_renewal_keeps_a_valid_token_and_is_not_repeated_at_once() {
    let source = Counter::default();
    let tokens = tokens(&source);
    tokens.authorization().await.unwrap();
    sleep(3310 * SECOND).await;
    source.fail_next((0..1000).map(|_| revoked()));
    for _ in 0..100 {
        assert_eq!(tokens.authorization().await.unwrap(), "Bearer token-1");
        sleep(SECOND / 10).await;
    }
    // In ten seconds: at 0, 2.5 and 7.5 s, and nobody of them was told.
    assert_eq!(source.fetches(), 4);
    // The mandatory window too serves what it has.
    sleep(265 * SECOND).await;
    assert_eq!(tokens.authorization().await.unwrap(), "Bearer token-1");
    // And after the end the caller learns why.
    sleep(30 * SECOND).await;
    let error = tokens.authorization().await.unwrap_err();
    assert!(matches!(error.cause(), TokenError::Refused { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_token_endpoint_is_asked_again_as_late_as_it_wishes() {
    for (error, at_least) in [
        (unavailable(None), SECOND / 10),
        (unavailable(Some(3 * SECOND)), 3 * SECOND),
        (TokenError::Timeout, SECOND / 10),
    ] {
        let source = Counter::default();
        source.fail_next([error]);
        let before = Instant::now();
        let api = Api::accepting("token-2");
        assert_eq!(send(&auth(&source), &api).await.unwrap(), 200);
        assert_eq!(source.fetches(), 2);
        assert!(before.elapsed() >= at_least, "{:?}", before.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_never_answers_is_given_up() {
    let source = Counter {
        takes: 3600 * SECOND,
        ..Counter::default()
    };
    let before = Instant::now();
    let error = tokens(&source).authorization().await.unwrap_err();
    assert!(matches!(error.cause(), TokenError::Timeout));
    assert!(before.elapsed() <= 31 * SECOND, "{:?}", before.elapsed());
    assert!(source.fetches() <= 3);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_ends_in_time_even_in_the_midst_of_an_attempt() {
    let source = Counter {
        takes: 3600 * SECOND,
        ..Counter::default()
    };
    let tokens = Tokens::builder(source.clone()).timeout(15 * SECOND);
    let before = Instant::now();
    let error = tokens.build().unwrap().authorization().await.unwrap_err();
    assert!(matches!(error.cause(), TokenError::Timeout));
    assert_eq!(source.fetches(), 2);
    assert_eq!(before.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_hangs_once_is_asked_again() {
    struct HangsOnce(Counter);
    impl TokenSource for HangsOnce {
        fn fetch(&self) -> Fetching<'_> {
            let token = self.0.fetch();
            Box::pin(async {
                let token = token.await;
                if self.0.fetches() == 1 {
                    std::future::pending::<()>().await;
                }
                token
            })
        }
    }
    let before = Instant::now();
    let token = Tokens::new(HangsOnce(Counter::default()))
        .authorization()
        .await;
    assert_eq!(token.unwrap(), "Bearer token-2");
    assert!(before.elapsed() < 11 * SECOND, "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn revoked_credentials_cause_few_token_requests_and_a_typed_error() {
    let source = Counter::default();
    source.fail_next((0..1000).map(|_| revoked()));
    let (auth, api) = (auth(&source), Api::accepting("token-1"));
    for _ in 0..100 {
        let error = send(&auth, &api).await.unwrap_err();
        let error = caused_by::<AuthError>(error.as_ref()).unwrap();
        assert!(error.retry_in().is_some());
        assert!(!error.cause().is_temporary());
        assert!(caused_by::<TokenError>(error).is_some());
        sleep(SECOND / 10).await;
    }
    assert!(source.fetches() <= 5, "{} in 10 s", source.fetches());
    assert!(api.seen().is_empty(), "sent without a token");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_after_a_401_is_the_error_of_the_call() {
    let (source, api) = (Counter::default(), Api::accepting("token-2"));
    let (auth, handle) = (auth(&source), CallHandle::new());
    auth.layer(api.service()).oneshot(request()).await.unwrap();
    let api = Api::new(|_| (401, "token_expired"));
    source.fail_next([revoked()]);
    let mut request = request();
    request.extensions_mut().insert(handle.clone());
    let answer = auth.layer(api.service()).oneshot(request).await;
    let error = answer.unwrap_err();
    let error = caused_by::<AuthError>(error.as_ref()).unwrap();
    assert!(matches!(error.cause(), TokenError::Refused { .. }));
    // The 401 stands in the history, and nothing was replayed.
    let unauthorized = Outcome::Answered(StatusCode::UNAUTHORIZED);
    assert_eq!(handle.call().attempts()[0].outcome, unauthorized);
    assert_eq!(api.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn short_unknown_and_odd_lifetimes_cost_no_token_request_for_each_call() {
    for (lifetime, seconds, at_most) in [
        (Some(300 * SECOND), 600, 4),
        (Some(60 * SECOND), 600, 14),
        (Some(20 * SECOND), 100, 8),
        (Some(SECOND / 20), 10, 10),
        (None, 600, 1),
    ] {
        let source = Counter::lifetime(lifetime);
        let tokens = tokens(&source);
        for _ in 0..seconds * 10 {
            let before = Instant::now();
            tokens.authorization().await.unwrap();
            if lifetime.is_none_or(|l| l >= 20 * SECOND) && source.fetches() > 1 {
                assert_eq!(
                    before.elapsed(),
                    Duration::ZERO,
                    "nobody waits for a renewal"
                );
            }
            sleep(SECOND / 10).await;
        }
        let fetches = source.fetches();
        assert!(
            (1..=at_most).contains(&fetches),
            "{fetches} for {lifetime:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_counts_from_when_the_token_was_asked_for() {
    let fetches = Counter::default();
    let counted = fetches.clone();
    let endpoint = service_fn(move |_: Request<Full<Bytes>>| {
        let fetches = counted.clone();
        async move {
            let _ = fetches.fetch().await;
            sleep(8 * SECOND).await;
            let token = r#"{"access_token":"t","token_type":"bearer","expires_in":100}"#;
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(token))))
        }
    });
    let credentials = Credentials::new("id", "secret").unwrap();
    let protocol = ClientCredentials::builder("https://a.test/token", credentials);
    let source = ServiceSource::new(protocol.build().unwrap(), endpoint);
    let tokens = Tokens::builder(source).random(|| 0.0).build().unwrap();
    let asked = Instant::now();
    for (after, expected) in [(0, 1), (79, 1), (81, 2)] {
        tokio::time::sleep_until(asked + after * SECOND).await;
        tokens.authorization().await.unwrap();
        tokio::task::yield_now().await;
        assert_eq!(fetches.fetches(), expected, "after {after} s");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_many_threads_each_expiry_costs_one_renewal() {
    let good = Arc::new(Mutex::new(0));
    let source = Counter {
        takes: Duration::ZERO,
        ..Counter::default()
    };
    let api = {
        let good = Arc::clone(&good);
        Api::new(move |token| {
            let accepted = token == format!("Bearer token-{}", good.lock().unwrap());
            (if accepted { 200 } else { 401 }, "token_expired")
        })
    };
    let auth = auth(&source);
    for n in 1..=8 {
        *good.lock().unwrap() = n;
        let all = send_many(100, &auth, &api).await;
        assert!(all.iter().all(|status| *status == 200));
        assert_eq!(source.fetches(), n);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_is_an_error_and_not_a_standstill() {
    struct PanicsOnce(Counter);
    impl TokenSource for PanicsOnce {
        fn fetch(&self) -> Fetching<'_> {
            Box::pin(async {
                let token = self.0.fetch().await;
                assert!(self.0.fetches() > 1, "a source of somebody else");
                token
            })
        }
    }
    let tokens = Tokens::new(PanicsOnce(Counter::default()));
    let error = tokens.authorization().await.unwrap_err();
    assert!(matches!(error.cause(), TokenError::Aborted));
    sleep(2 * SECOND).await;
    assert_eq!(tokens.authorization().await.unwrap(), "Bearer token-2");
}

#[test]
fn a_renewal_whose_runtime_is_gone_is_taken_over() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    };
    for driven_no_more in [false, true] {
        let source = Counter::default();
        let tokens = tokens(&source);
        let first = runtime();
        first.block_on(async {
            let left = tokio::time::timeout(SECOND / 100, tokens.authorization()).await;
            assert!(left.is_err());
        });
        // Shut down, or still there with nobody who runs it: the task ends, or hangs for ever.
        let _kept = driven_no_more.then_some(first);
        runtime().block_on(async {
            let error = tokens.authorization().await.unwrap_err();
            assert!(matches!(error.cause(), TokenError::Aborted));
            sleep(2 * SECOND).await;
            assert_eq!(tokens.authorization().await.unwrap(), "Bearer token-2");
        });
    }
}

#[test]
fn a_runtime_that_was_shut_down_is_an_error_and_no_standstill() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().build().unwrap();
    let handle = runtime.handle().clone();
    drop(runtime);
    // Spawned there, the task is dropped at once, on the thread that spawns it.
    let (send, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (cold, used) = (tokens(&Counter::default()), tokens(&Counter::default()));
        builder
            .build()
            .unwrap()
            .block_on(used.authorization())
            .unwrap();
        let expired = service_fn(|_: Request<Full<Bytes>>| async {
            let body = Full::new(Bytes::from(r#"{"code":"token_expired"}"#));
            Ok::<_, Infallible>(Response::builder().status(401).body(body).unwrap())
        });
        let call = AuthRefresh::new(used).layer(expired).oneshot(request());
        let _ = send.send(
            handle
                .block_on(cold.authorization())
                .map(|_| ())
                .map_err(BoxError::from),
        );
        let _ = send.send(handle.block_on(call).map(|_| ()));
    });
    for _ in ["no token yet", "a refused token"] {
        let error = ended.recv_timeout(10 * SECOND).unwrap().unwrap_err();
        let error = caused_by::<TokenError>(error.as_ref());
        assert!(matches!(error, Some(TokenError::Aborted)));
    }
}

#[test]
fn outside_a_runtime_there_is_an_error_and_no_panic() {
    let tokens = tokens(&Counter::default());
    let mut call = Box::pin(tokens.authorization());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let Poll::Ready(Err(error)) = call.as_mut().poll(&mut context) else {
        panic!("waits for a task that cannot run");
    };
    assert!(matches!(error.cause(), TokenError::NoRuntime));
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_printed_anywhere() {
    const SECRETS: [&str; 3] = ["canary_client_id", "canary_client_secret", "canary_token"];
    let mut printed = Vec::new();
    let credentials = Credentials::new(SECRETS[0], SECRETS[1]).unwrap();
    printed.push(format!("{credentials:?}"));
    for auth in [ClientAuth::Basic, ClientAuth::Form, ClientAuth::Json] {
        // A server that repeats all that it was told.
        let endpoint = service_fn(|request: Request<Full<Bytes>>| async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let body = String::from_utf8_lossy(&body);
            let said = serde_json::json!({
                "error": SECRETS[1], "error_description": body, "access_token": SECRETS[2],
            });
            let response = Response::builder().status(400);
            let body = Full::new(Bytes::from(said.to_string()));
            Ok::<_, Infallible>(response.body(body).unwrap())
        });
        let builder = ClientCredentials::builder("https://a.test/token", credentials.clone());
        printed.push(format!("{builder:?}"));
        let protocol = builder.auth(auth).build().unwrap();
        printed.push(format!("{protocol:?}"));
        printed.push(format!("{:?}", protocol.request().unwrap().headers()));
        let source = ServiceSource::new(protocol, endpoint);
        printed.push(format!("{source:?}"));
        let tokens = Tokens::builder(source);
        printed.push(format!("{tokens:?}"));
        let tokens = tokens.build().unwrap();
        let error = tokens.authorization().await.unwrap_err();
        assert!(matches!(error.cause(), TokenError::Refused { .. }));
        printed.push(format!(
            "{error} {error:?} {} {:?}",
            error.cause(),
            error.cause()
        ));
        printed.push(format!(
            "{tokens:?} {:#?}",
            AuthRefresh::new(tokens.clone())
        ));
    }
    struct Canary;
    impl TokenSource for Canary {
        fn fetch(&self) -> Fetching<'_> {
            let at = Instant::now().into_std();
            Box::pin(async move { Token::new(SECRETS[2], at, None) })
        }
    }
    printed.push(format!("{:?}", Canary.fetch().await));
    let tokens = Tokens::new(Canary);
    printed.push(format!("{:?}", tokens.authorization().await));
    printed.push(format!("{tokens:?}"));
    let auth = AuthRefresh::builder(tokens);
    printed.push(format!("{auth:?} {:?}", auth.clone().build()));
    let bad = Token::new(format!("{}\n", SECRETS[2]), Instant::now().into_std(), None);
    printed.push(format!("{bad:?} {}", bad.as_ref().unwrap_err()));
    let url = format!("http://{}:{}@a.test/", SECRETS[0], SECRETS[1]);
    let refused = ClientCredentials::builder(url, credentials).build();
    printed.push(format!("{refused:?} {}", refused.as_ref().unwrap_err()));
    let printed = printed.join("\n");
    for secret in SECRETS {
        assert!(!printed.contains(secret), "{secret} in\n{printed}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_part_of_the_credentials_is_repeated_either() {
    let endpoint = service_fn(|_: Request<Full<Bytes>>| async move {
        let body = Full::new(Bytes::from(r#"{"error":"canary_client"}"#));
        Ok::<_, Infallible>(Response::builder().status(400).body(body).unwrap())
    });
    for (id, secret) in [("id", "canary_client_secret"), ("my_canary_client", "s")] {
        let credentials = Credentials::new(id, secret).unwrap();
        let protocol = ClientCredentials::builder("https://a.test/token", credentials);
        let source = ServiceSource::new(protocol.build().unwrap(), endpoint);
        let error = source.fetch().await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_answer_without_end_is_cut_off() {
    let endpoint = service_fn(|_: Request<Full<Bytes>>| async move {
        let body = Full::new(Bytes::from(vec![b' '; TokenError::MAX_BODY_BYTES + 1]));
        Ok::<_, Infallible>(Response::new(body))
    });
    let credentials = Credentials::new("id", "secret").unwrap();
    let protocol = ClientCredentials::builder("https://a.test/token", credentials);
    let source = ServiceSource::new(protocol.build().unwrap(), endpoint);
    let error = source.fetch().await.unwrap_err();
    assert!(matches!(error, TokenError::TooLarge { .. }));
}
