//! What happens when the client secret changes, in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: what fails there is a test that fails"
)]

mod common;

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use common::Counter;
use golive_auth_refresh::{
    AuthError, AuthRefresh, Tokens,
    client_credentials::{
        ClientAuth, ClientCredentials, CredentialError, CredentialSet, CredentialSource,
        Credentials, Rereading,
    },
    source::{ErrorCode, Fetching, TokenError, TokenSource},
    tower::ServiceSource,
};
use golive_core::{BoxError, Call, Exchange, Middleware, Stack, caused_by, tower::Layer};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, sleep};
use tower::{ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

/// Where the secret is kept, and what this process knows of it.
#[derive(Clone, Default)]
struct Vault(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    version: u64,
    known: Option<CredentialSet>,
    /// What reading it again brings to light.
    kept: Option<(&'static str, Option<&'static str>)>,
    forgets: bool,
    rereads: u64,
    hangs: bool,
}

fn credentials(secret: &str) -> Credentials {
    Credentials::new("id", secret.to_owned()).unwrap()
}

impl Vault {
    fn new(current: &'static str, previous: Option<&'static str>) -> Self {
        let vault = Self::default();
        vault.set(current, previous);
        vault
    }

    /// It has changed, and this process has heard of it.
    fn set(&self, current: &'static str, previous: Option<&'static str>) {
        self.0.lock().unwrap().set(current, previous);
    }

    /// It has changed, and this process has not heard of it.
    fn set_unheard(&self, current: &'static str, previous: Option<&'static str>) {
        self.0.lock().unwrap().kept = Some((current, previous));
    }

    fn rereads(&self) -> u64 {
        self.0.lock().unwrap().rereads
    }
}

impl Kept {
    fn set(&mut self, current: &'static str, previous: Option<&'static str>) {
        self.version += 1;
        let set = CredentialSet::new(self.version, credentials(current));
        self.known = Some(match previous {
            Some(previous) => set.with_previous(credentials(previous)),
            None => set,
        });
    }
}

impl CredentialSource for Vault {
    fn version(&self) -> u64 {
        self.0.lock().unwrap().version
    }

    fn load(&self) -> Result<CredentialSet, CredentialError> {
        let known = self.0.lock().unwrap().known.clone();
        known.ok_or_else(|| CredentialError::new("sealed"))
    }

    fn reread(&self) -> Rereading<'_> {
        Box::pin(async {
            if self.0.lock().unwrap().hangs {
                std::future::pending::<()>().await;
            }
            sleep(SECOND / 10).await;
            let mut kept = self.0.lock().unwrap();
            kept.rereads += 1;
            if kept.forgets {
                kept.known = None;
            }
            if let Some((current, previous)) = kept.kept.take() {
                kept.set(current, previous);
            }
        })
    }
}

/// A token endpoint: notes the secret of each request, and knows some of them.
#[derive(Clone, Default)]
struct Provider(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    seen: Vec<String>,
    valid: Vec<&'static str>,
    /// What it says instead, if it is to.
    says: Option<(u16, &'static str)>,
    takes: Duration,
}

impl Provider {
    fn knowing(valid: &[&'static str]) -> Self {
        let provider = Self::default();
        provider.know(valid);
        provider
    }

    fn know(&self, valid: &[&'static str]) {
        self.0.lock().unwrap().valid = valid.to_vec();
    }

    fn seen(&self) -> Vec<String> {
        self.0.lock().unwrap().seen.clone()
    }

    fn answer(&self, secret: String) -> (u16, String) {
        let mut books = self.0.lock().unwrap();
        let known = books.valid.contains(&secret.as_str());
        let token = format!("token-{}-{secret}", books.seen.len() + 1);
        books.seen.push(secret);
        match books.says {
            Some((status, said)) => (status, said.to_owned()),
            None if known => {
                let answer = serde_json::json!({
                    "access_token": token, "token_type": "bearer", "expires_in": 3600,
                });
                (200, answer.to_string())
            }
            None => (401, r#"{"error":"invalid_client"}"#.to_owned()),
        }
    }

    fn source(&self, vault: impl CredentialSource) -> impl TokenSource {
        let provider = self.clone();
        let endpoint = service_fn(move |request: Request<Full<Bytes>>| {
            let provider = provider.clone();
            async move {
                let body = request.into_body().collect().await?.to_bytes();
                let form: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let secret = form["client_secret"].as_str().unwrap().to_owned();
                let takes = provider.0.lock().unwrap().takes;
                sleep(takes).await;
                let (status, body) = provider.answer(secret);
                let response = Response::builder()
                    .status(status)
                    .header("retry-after", "60")
                    .body(Full::new(Bytes::from(body)));
                Ok::<_, Infallible>(response.unwrap())
            }
        });
        let protocol = ClientCredentials::builder("https://a.test/token", vault)
            .auth(ClientAuth::Json)
            .build();
        ServiceSource::new(protocol.unwrap(), endpoint)
    }

    fn tokens(&self, vault: impl CredentialSource) -> Tokens {
        let builder = Tokens::builder(self.source(vault)).random(|| 0.0);
        builder.build().unwrap()
    }
}

async fn authorization(tokens: &Tokens) -> String {
    let value = tokens.authorization().await.unwrap();
    value.to_str().unwrap().to_owned()
}

fn is_invalid_client(error: &TokenError) -> bool {
    let code = ErrorCode::InvalidClient;
    matches!(error, TokenError::Refused { code: seen, .. } if *seen == code)
}

#[tokio::test(start_paused = true)]
async fn a_changed_secret_is_followed_without_a_restart_while_the_old_token_is_served() {
    let (vault, provider) = (Vault::new("a", None), Provider::knowing(&["a", "b"]));
    let tokens = provider.tokens(vault.clone());
    assert_eq!(authorization(&tokens).await, "Bearer token-1-a");
    sleep(60 * SECOND).await;
    vault.set("b", Some("a"));
    provider.0.lock().unwrap().takes = SECOND;
    let before = Instant::now();
    for _ in 0..100 {
        assert_eq!(authorization(&tokens).await, "Bearer token-1-a");
    }
    assert_eq!(before.elapsed(), Duration::ZERO, "nobody waits");
    sleep(2 * SECOND).await;
    assert_eq!(authorization(&tokens).await, "Bearer token-2-b");
    for _ in 0..100 {
        assert_eq!(authorization(&tokens).await, "Bearer token-2-b");
        sleep(SECOND).await;
    }
    assert_eq!(provider.seen(), ["a", "b"], "one renewal");
    assert_eq!(vault.rereads(), 0);
}

#[tokio::test(start_paused = true)]
async fn fixed_credentials_never_cause_a_renewal_by_themselves() {
    let provider = Provider::knowing(&["a"]);
    let tokens = provider.tokens(Arc::new(credentials("a")));
    for _ in 0..3000 {
        authorization(&tokens).await;
        sleep(SECOND).await;
    }
    assert_eq!(provider.seen(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_changes_while_a_token_is_fetched_is_followed_by_the_next_call() {
    let (vault, provider) = (Vault::new("a", None), Provider::knowing(&["a", "b"]));
    provider.0.lock().unwrap().takes = 2 * SECOND;
    let tokens = provider.tokens(vault.clone());
    let first = tokio::spawn({
        let tokens = tokens.clone();
        async move { authorization(&tokens).await }
    });
    sleep(SECOND).await;
    vault.set("b", Some("a"));
    assert_eq!(first.await.unwrap(), "Bearer token-1-a");
    assert_eq!(authorization(&tokens).await, "Bearer token-1-a");
    sleep(3 * SECOND).await;
    assert_eq!(authorization(&tokens).await, "Bearer token-2-b");
    assert_eq!(provider.seen(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_the_server_refuses_are_read_again_and_the_new_ones_are_sent() {
    let (vault, provider) = (Vault::new("a", None), Provider::knowing(&["b"]));
    vault.set_unheard("b", Some("a"));
    let tokens = provider.tokens(vault.clone());
    assert_eq!(authorization(&tokens).await, "Bearer token-2-b");
    // It was fetched with what is current now, so that nothing is left to be followed.
    sleep(SECOND).await;
    assert_eq!(authorization(&tokens).await, "Bearer token-2-b");
    sleep(SECOND).await;
    assert_eq!(provider.seen(), ["a", "b"]);
    assert_eq!(vault.rereads(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_previous_credentials_get_their_turn_at_last() {
    // Staged here before the provider knew it.
    let (vault, provider) = (Vault::new("new", Some("old")), Provider::knowing(&["old"]));
    let tokens = provider.tokens(vault.clone());
    assert_eq!(authorization(&tokens).await, "Bearer token-2-old");
    assert_eq!(provider.seen(), ["new", "old"]);

    let (vault, provider) = (Vault::new("a", None), Provider::knowing(&["c"]));
    vault.set_unheard("b", Some("c"));
    let tokens = provider.tokens(vault.clone());
    assert_eq!(authorization(&tokens).await, "Bearer token-3-c");
    assert_eq!(provider.seen(), ["a", "b", "c"]);
    assert_eq!(vault.rereads(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_twice_in_a_fetch_and_nothing_more_than_three_times() {
    for (current, previous, then, seen) in [
        ("a", None, None, &["a"][..]),
        ("a", Some("p"), None, &["a", "p"]),
        ("a", Some("p"), Some(("b", Some("a"))), &["a", "b"]),
        ("a", Some("p"), Some(("b", Some("c"))), &["a", "b", "c"]),
        ("a", Some("a"), Some(("a", Some("a"))), &["a"]),
    ] {
        let (vault, provider) = (Vault::new(current, previous), Provider::knowing(&[]));
        if let Some((current, previous)) = then {
            vault.set_unheard(current, previous);
        }
        let error = provider.source(vault.clone()).fetch().await.unwrap_err();
        assert!(is_invalid_client(&error), "{error:?}");
        assert_eq!(provider.seen(), seen);
        assert_eq!(vault.rereads(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn only_unknown_credentials_are_a_reason_to_try_others() {
    for (status, said) in [
        (400, r#"{"error":"invalid_scope"}"#),
        (400, r#"{"error":"unauthorized_client"}"#),
        (403, ""),
        (503, ""),
        (200, "{}"),
    ] {
        let (vault, provider) = (Vault::new("a", Some("p")), Provider::default());
        provider.0.lock().unwrap().says = Some((status, said));
        provider.source(vault.clone()).fetch().await.unwrap_err();
        assert_eq!(provider.seen(), ["a"], "{status} {said}");
        assert_eq!(vault.rereads(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_secrets_manager_that_hangs_does_not_keep_the_previous_ones_from_their_turn() {
    let (vault, provider) = (Vault::new("a", Some("p")), Provider::knowing(&["p"]));
    vault.0.lock().unwrap().hangs = true;
    let before = Instant::now();
    let tokens = provider.tokens(vault);
    assert_eq!(authorization(&tokens).await, "Bearer token-2-p");
    assert!(before.elapsed() < 4 * SECOND, "{:?}", before.elapsed());
    assert_eq!(provider.seen(), ["a", "p"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_vault_no_longer_vouches_for_is_not_sent() {
    let (vault, provider) = (Vault::new("a", Some("p")), Provider::knowing(&["p"]));
    vault.0.lock().unwrap().forgets = true;
    let error = provider.source(vault).fetch().await.unwrap_err();
    assert!(is_invalid_client(&error), "{error:?}");
    assert_eq!(provider.seen(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn the_first_call_waits_for_the_secret_and_costs_one_token_request() {
    let (vault, provider) = (Vault::default(), Provider::knowing(&["a"]));
    vault.set_unheard("a", None);
    let tokens = provider.tokens(vault.clone());
    for _ in 0..3 {
        assert_eq!(authorization(&tokens).await, "Bearer token-1-a");
        sleep(SECOND).await;
    }
    assert_eq!(vault.rereads(), 1);
    assert_eq!(provider.seen(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn without_credentials_there_is_a_typed_error_and_nothing_is_sent() {
    let (vault, provider) = (Vault::default(), Provider::knowing(&["a"]));
    let tokens = provider.tokens(vault.clone());
    let error = tokens.authorization().await.unwrap_err();
    assert_eq!(error.cause().reason(), "credentials");
    assert!(error.cause().is_temporary());
    assert!(caused_by::<CredentialError>(&error).is_some());
    assert!(provider.seen().is_empty());
    // And it is no standstill: the pause does not outlive what caused it.
    vault.set("a", None);
    assert_eq!(authorization(&tokens).await, "Bearer token-1-a");
}

#[tokio::test(start_paused = true)]
async fn a_broken_rotation_shows_at_once_and_costs_neither_the_token_nor_many_requests() {
    let (vault, provider) = (Vault::new("a", None), Provider::knowing(&["a"]));
    let told = Arc::new(Mutex::new(Vec::new()));
    let tokens = Tokens::builder(provider.source(vault.clone())).random(|| 0.0);
    let tokens = {
        let told = Arc::clone(&told);
        let note = move |ended: Result<(), &TokenError>| {
            let word = ended.map_or_else(TokenError::reason, |()| "ok");
            told.lock().unwrap().push(word);
        };
        tokens.on_renewal(note).build().unwrap()
    };
    authorization(&tokens).await;
    vault.set("wrong", None);
    for _ in 0..60 {
        assert_eq!(authorization(&tokens).await, "Bearer token-1-a");
        sleep(SECOND).await;
    }
    let told = told.lock().unwrap().clone();
    assert_eq!(told[..2], ["ok", "invalid_client"]);
    // At 0, 2.5, 7.5, 17.5 and 37.5 s: paused, as any renewal that failed.
    assert_eq!(told.len(), 6, "{told:?}");
    // Mended: followed at once, whatever is left of the pause.
    provider.know(&["a", "b"]);
    vault.set("b", None);
    authorization(&tokens).await;
    sleep(SECOND).await;
    assert!(authorization(&tokens).await.ends_with("-b"));
}

#[tokio::test(start_paused = true)]
async fn a_new_secret_ends_the_pause_after_a_failure_and_not_one_that_the_server_asked_for() {
    let (vault, provider) = (Vault::new("a", None), Provider::knowing(&["b"]));
    let tokens = provider.tokens(vault.clone());
    for _ in 0..20 {
        tokens.authorization().await.unwrap_err();
    }
    assert_eq!(provider.seen(), ["a"], "paused");
    vault.set("b", None);
    let before = Instant::now();
    assert_eq!(authorization(&tokens).await, "Bearer token-2-b");
    assert_eq!(before.elapsed(), Duration::ZERO);

    let (vault, provider) = (Vault::new("a", None), Provider::knowing(&["b"]));
    provider.0.lock().unwrap().says = Some((429, ""));
    let tokens = provider.tokens(vault.clone());
    let error = tokens.authorization().await.unwrap_err();
    assert!(error.retry_in().unwrap() >= 60 * SECOND);
    vault.set("b", None);
    sleep(59 * SECOND).await;
    tokens.authorization().await.unwrap_err();
    assert_eq!(provider.seen(), ["a"]);
    provider.0.lock().unwrap().says = None;
    sleep(2 * SECOND).await;
    assert_eq!(authorization(&tokens).await, "Bearer token-2-b");
}

/// Says another version whenever it is asked.
struct Restless(Counter, AtomicU64);

impl TokenSource for Restless {
    fn fetch(&self) -> Fetching<'_> {
        self.0.fetch()
    }

    fn version(&self) -> u64 {
        self.1.fetch_add(1, Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_never_rests_causes_no_storm() {
    for failing in [false, true] {
        let source = Counter::default();
        if failing {
            let refused = || TokenError::Refused {
                status: StatusCode::BAD_REQUEST,
                code: ErrorCode::InvalidScope,
            };
            source.fail_next((0..1000).map(|_| refused()));
        }
        let tokens = Tokens::new(Restless(source.clone(), AtomicU64::new(0)));
        for _ in 0..6000 {
            assert_eq!(tokens.authorization().await.is_err(), failing);
            sleep(SECOND / 10).await;
        }
        // Ten at once and one in 30 seconds; a failure may be tried again when its pause is over.
        let fetches = source.fetches();
        let at_most = if failing { 120 } else { 1 + 10 + 20 };
        assert!((11..=at_most).contains(&fetches), "{fetches} in 600 s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrapper_that_knows_no_versions_hides_them_and_causes_no_renewals() {
    struct Wrapper<T>(T);
    impl<T: TokenSource> TokenSource for Wrapper<T> {
        fn fetch(&self) -> Fetching<'_> {
            self.0.fetch()
        }
    }
    let (vault, provider) = (Vault::new("a", None), Provider::knowing(&["a"]));
    let tokens = Tokens::new(Wrapper(provider.source(vault)));
    for _ in 0..100 {
        authorization(&tokens).await;
        sleep(SECOND).await;
    }
    assert_eq!(provider.seen(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn arcs_and_boxes_of_a_source_forward_its_version() {
    let vault = Vault::new("a", None);
    let provider = Provider::knowing(&["a"]);
    let source: Box<dyn TokenSource> = Box::new(provider.source(Arc::new(vault.clone())));
    let source = Arc::new(source);
    assert_eq!(TokenSource::version(&source), 1);
    vault.set("b", None);
    assert_eq!(TokenSource::version(&source), 2);
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_keeps_nobody_waiting_even_while_a_source_panics() {
    struct Panics(Counter);
    impl TokenSource for Panics {
        fn fetch(&self) -> Fetching<'_> {
            Box::pin(async {
                let token = self.0.fetch().await;
                assert!(self.0.fetches() > 1, "a source of somebody else");
                token
            })
        }
    }
    let told = Arc::new(AtomicU64::new(0));
    let tokens = {
        let told = Arc::clone(&told);
        Tokens::builder(Panics(Counter::default())).on_renewal(move |_| {
            told.fetch_add(1, Ordering::SeqCst);
            panic!("an observer of somebody else");
        })
    };
    let tokens = tokens.build().unwrap();
    let error = tokens.authorization().await.unwrap_err();
    assert!(matches!(error.cause(), TokenError::Aborted));
    sleep(2 * SECOND).await;
    assert_eq!(tokens.authorization().await.unwrap(), "Bearer token-2");
    sleep(SECOND).await;
    assert_eq!(told.load(Ordering::SeqCst), 2, "once for each renewal");
}

#[tokio::test(start_paused = true)]
async fn an_observer_may_use_the_tokens_that_it_observes() {
    let slot = Arc::new(Mutex::new(None::<Tokens>));
    let seen = Arc::new(AtomicBool::new(false));
    // Without a token, it takes the lock that the renewal held.
    let source = Counter::default();
    source.fail_next([TokenError::Refused {
        status: StatusCode::BAD_REQUEST,
        code: ErrorCode::InvalidScope,
    }]);
    let tokens = {
        let (slot, seen) = (Arc::clone(&slot), Arc::clone(&seen));
        Tokens::builder(source).on_renewal(move |_| {
            let tokens = slot.lock().unwrap().clone().unwrap();
            let mut call = Box::pin(tokens.authorization());
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            seen.store(
                call.as_mut().poll(&mut context).is_ready(),
                Ordering::SeqCst,
            );
        })
    };
    let tokens = tokens.build().unwrap();
    *slot.lock().unwrap() = Some(tokens.clone());
    tokens.authorization().await.unwrap_err();
    sleep(SECOND).await;
    assert!(seen.load(Ordering::SeqCst));
    *slot.lock().unwrap() = None;
}

/// Gives each call so much time.
#[derive(Clone, Copy, Debug)]
struct Within(Duration);

impl Middleware for Within {
    async fn handle<Req: golive_core::Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        call.limit_to((Instant::now() + self.0).into_std());
        below.send(call, req).await
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_waits_for_a_token_beyond_its_deadline() {
    let source = Counter {
        takes: 8 * SECOND,
        ..Counter::default()
    };
    let auth = AuthRefresh::new(Tokens::new(source.clone()));
    let send = |deadline: Duration| {
        let api = service_fn(|_: Request<Full<Bytes>>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let stack = Stack::new().push(Within(deadline)).push(auth.clone());
        stack
            .layer(api)
            .oneshot(Request::new(Full::<Bytes>::default()))
    };
    let before = Instant::now();
    let error: BoxError = send(2 * SECOND).await.unwrap_err();
    let error = caused_by::<AuthError>(error.as_ref()).unwrap();
    assert!(matches!(error.cause(), TokenError::Timeout));
    assert_eq!(before.elapsed().as_secs(), 2);
    // The renewal goes on, for those who have more time.
    assert_eq!(send(60 * SECOND).await.unwrap().status(), 200);
    assert_eq!(before.elapsed().as_secs(), 8);
    // And who still has a token sends it in time.
    sleep(3580 * SECOND).await;
    let before = Instant::now();
    assert_eq!(send(2 * SECOND).await.unwrap().status(), 200);
    assert_eq!(before.elapsed().as_secs(), 1);
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_part_of_any_of_the_credentials_is_repeated() {
    // The server repeats what it was sent before, and what it never was sent.
    for said in [r#"{"error":"canary_p"}"#, r#"{"error":"canary_a"}"#] {
        let vault = Vault::new("canary_a", Some("canary_p"));
        let provider = Provider::default();
        provider.0.lock().unwrap().says = Some((400, said));
        let source = provider.source(vault.clone());
        let error = source.fetch().await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        let printed = format!("{:?}", vault.load());
        assert!(!printed.contains("canary"), "{printed}");
    }
    let protocol = ClientCredentials::builder("https://a.test", Vault::new("canary", None));
    assert!(!format!("{protocol:?}").contains("canary"));
    assert!(!format!("{:?}", protocol.build().unwrap()).contains("canary"));
}
