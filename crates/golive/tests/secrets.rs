//! What the glue to a secrets manager does on a bad day, and what it never says.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test fail it as the test itself does"
)]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    error::Error,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use golive::auth_refresh::client_credentials::CredentialSource as _;
use golive::auth_refresh::{Tokens, tower::ServiceSource};
use golive::secrets::{ClientSecret, WebhookSecret};
use golive::secrets_provider::{
    Handle, Value, Version, Versions,
    source::{MemorySource, SourceErrorKind},
};
use golive::webhook_inbox::MemoryStore;
use golive::webhook_verify::{Key, Signer, Verifier, tower::VerifierSource as _};
use golive::{Client, ClientStack, Environment, ForeignCredentials, Stage, Webhooks};
use golive_testkit::ManualClock;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use tokio::time::Instant;
use tower::{ServiceExt as _, service_fn};

const NOW: u64 = 1_800_000_000;
const SECOND: Duration = Duration::from_secs(1);

fn version(id: &str, value: &str) -> Version {
    Version::new(id, Value::new(value).unwrap())
}

fn pair(id: &str, client_id: &str, secret: &str) -> Version {
    let pair = format!(r#"{{"client_id": "{client_id}", "client_secret": "{secret}"}}"#);
    version(id, &pair)
}

/// The n-th of many webhook secrets.
fn whsec(n: usize) -> String {
    format!("whsec_{n:A>32}")
}

fn signed(key: usize, id: &str) -> HeaderMap {
    let signer = Signer::new(Key::from_whsec(&whsec(key)).unwrap());
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", id.parse().unwrap());
    headers.insert("webhook-timestamp", NOW.into());
    let signature = signer.sign(id, NOW, b"{}");
    headers.insert("webhook-signature", signature.parse().unwrap());
    headers
}

fn accepts(verifier: &Verifier, key: usize) -> bool {
    let now = golive::webhook_verify::UnixTime::from(NOW);
    verifier.verify(&signed(key, "e"), b"{}", now).is_ok()
}

/// What a receiver of `secret` answers to a delivery that is signed with this key.
async fn answers(secret: &WebhookSecret, key: usize) -> u16 {
    let store = Arc::new(MemoryStore::builder().build().unwrap());
    let webhooks = Webhooks::builder(store, secret.clone()).clock(ManualClock::at(NOW));
    let mut request = Request::post("/")
        .body(Full::new(Bytes::from("{}")))
        .unwrap();
    *request.headers_mut() = signed(key, "e");
    let answer: Result<Response<_>, Infallible> = webhooks.build().unwrap().oneshot(request).await;
    answer.unwrap().status().as_u16()
}

/// Everything that an error says of itself and its causes.
fn said(error: &dyn Error) -> String {
    let mut said = format!("{error} {error:?} {error:#?}");
    let mut next = error.source();
    while let Some(cause) = next {
        said.push_str(&format!(" {cause} {cause:?}"));
        next = cause.source();
    }
    said
}

// === webhook secrets ===

/// Loads until it has seen the last key: the current one and the one before are accepted, no other,
/// and never again what was before. Gives every verifier that it got.
fn reader(
    secret: &WebhookSecret,
    first: Arc<Verifier>,
    seen: &AtomicUsize,
    last: usize,
) -> Vec<Arc<Verifier>> {
    let mut rings = vec![first];
    let mut newest = 0;
    while newest < last {
        let now = secret.load();
        if rings.last().is_some_and(|held| Arc::ptr_eq(held, &now)) {
            std::thread::yield_now();
            continue;
        }
        newest += 1;
        let all = 0..=last + 1;
        let found: Vec<_> = all.filter(|key| accepts(&now, *key)).collect();
        assert_eq!(found, [newest - 1, newest]);
        rings.push(now);
        seen.store(newest, Ordering::Release);
    }
    rings
}

#[tokio::test(start_paused = true)]
async fn many_readers_see_one_ring_a_generation_in_order_and_no_key_that_was_never_there() {
    const ROTATIONS: usize = 50;
    let source = MemorySource::new();
    source.set("webhook", Versions::new(version("0", &whsec(0))));
    let handle = Handle::builder(source.clone(), "webhook").build().unwrap();
    handle.ready().await.unwrap();
    let secret = WebhookSecret::new(handle.clone()).unwrap();
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (secret, seen) = (secret.clone(), Arc::new(AtomicUsize::new(0)));
            let (first, theirs) = (secret.load(), Arc::clone(&seen));
            let thread = std::thread::spawn(move || reader(&secret, first, &theirs, ROTATIONS));
            (seen, thread)
        })
        .collect();
    for n in 1..=ROTATIONS {
        source.rotate("webhook", version(&n.to_string(), &whsec(n)));
        handle.refresh().await.unwrap();
        // Nobody goes on before every reader is here, so that all of them meet each change.
        let late = |(seen, _): &&(Arc<AtomicUsize>, _)| seen.load(Ordering::Acquire) < n;
        while let Some((_, thread)) = readers.iter().find(late) {
            assert!(!thread.is_finished(), "a reader has failed");
            std::thread::yield_now();
        }
    }
    // Made once for each generation: whoever came at the same time got the same one.
    let rings: Vec<_> = readers
        .into_iter()
        .map(|(_, thread)| thread.join().unwrap())
        .collect();
    for generation in 0..=ROTATIONS {
        let one = &rings[0][generation];
        assert!(
            rings.iter().all(|ring| Arc::ptr_eq(&ring[generation], one)),
            "{generation}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_too_old_to_be_trusted_is_answered_500_until_it_is_there_again() {
    let source = MemorySource::new();
    source.set("webhook", Versions::new(version("0", &whsec(0))));
    let handle = Handle::builder(source.clone(), "webhook")
        .fresh_for(60 * SECOND)
        .stale_for(60 * SECOND);
    let handle = handle.build().unwrap();
    handle.ready().await.unwrap();
    let settings = Verifier::builder().key(Key::from_whsec(&whsec(9)).unwrap());
    let secret = WebhookSecret::with_settings(handle.clone(), None, settings).unwrap();
    assert_eq!(
        (answers(&secret, 0).await, answers(&secret, 9).await),
        (200, 200)
    );

    source.fail(SourceErrorKind::Unavailable);
    tokio::time::sleep(110 * SECOND).await;
    assert_eq!(answers(&secret, 0).await, 200);
    assert!(
        secret.health().is_ok(),
        "what is served is the newest that is known"
    );
    tokio::time::sleep(20 * SECOND).await;
    assert_eq!(
        (answers(&secret, 0).await, answers(&secret, 9).await),
        (500, 500)
    );
    assert!(said(&*secret.health().unwrap_err()).contains("TooOld"));

    // Back with something else, and then with what it was.
    source.fail(None);
    source.set("webhook", Versions::new(version("1", "whsec_canary!")));
    handle.refresh().await.unwrap();
    assert_eq!(answers(&secret, 0).await, 500);
    assert!(!said(&*secret.health().unwrap_err()).contains("canary"));
    source.set("webhook", Versions::new(version("0", &whsec(0))));
    handle.refresh().await.unwrap();
    assert_eq!(
        (answers(&secret, 0).await, answers(&secret, 9).await),
        (200, 200)
    );
    assert!(secret.health().is_ok());
}

#[tokio::test(start_paused = true)]
async fn no_key_that_anybody_could_know_is_accepted_while_there_is_none() {
    let source = MemorySource::new();
    source.set("webhook", Versions::new(version("0", &whsec(0))));
    let handle = Handle::builder(source.clone(), "webhook")
        .fresh_for(SECOND)
        .stale_for(SECOND);
    let handle = handle.build().unwrap();
    handle.ready().await.unwrap();
    let secret = WebhookSecret::new(handle.clone()).unwrap();
    source.fail(SourceErrorKind::Unavailable);
    tokio::time::sleep(10 * SECOND).await;
    // By a clock that has been set back, not even a key of 1970 has ended.
    let now = golive::webhook_verify::UnixTime::from(0);
    let verifier = secret.load();
    assert!(secret.health().is_err(), "there still is one");
    for byte in 0..=u8::MAX {
        let Ok(key) = Key::from_bytes(&[byte; 32]) else {
            continue;
        };
        let headers = [
            ("webhook-id", "e".to_owned()),
            ("webhook-timestamp", "0".to_owned()),
            ("webhook-signature", Signer::new(key).sign("e", 0, b"{}")),
        ];
        assert!(verifier.verify(&headers, b"{}", now).is_err(), "{byte}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_previous_version_of_another_form_is_left_out_and_keys_of_the_settings_stay() {
    let source = MemorySource::new();
    source.set(
        "webhook",
        Versions::new(version("0", "what it was before it was a whsec")),
    );
    source.rotate("webhook", version("1", &whsec(1)));
    let handle = Handle::builder(source.clone(), "webhook").build().unwrap();
    handle.ready().await.unwrap();
    let settings = Verifier::builder().key(Key::from_whsec(&whsec(9)).unwrap());
    let secret = WebhookSecret::with_settings(handle.clone(), None, settings).unwrap();
    for (key, answer) in [(1, 200), (9, 200), (2, 401)] {
        assert_eq!(answers(&secret, key).await, answer, "{key}");
    }
    source.rotate("webhook", version("2", &whsec(2)));
    handle.refresh().await.unwrap();
    for (key, answer) in [(1, 200), (9, 200), (2, 200), (3, 401)] {
        assert_eq!(answers(&secret, key).await, answer, "{key}");
    }
    assert!(secret.health().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_no_key_does_not_keep_alive_what_was_withdrawn() {
    let source = MemorySource::new();
    source.set("webhook", Versions::new(version("0", &whsec(0))));
    source.rotate("webhook", version("1", &whsec(1)));
    let handle = Handle::builder(source.clone(), "webhook").build().unwrap();
    handle.ready().await.unwrap();
    let secret = WebhookSecret::new(handle.clone()).unwrap();
    assert_eq!(
        (answers(&secret, 0).await, answers(&secret, 1).await),
        (200, 200)
    );
    source.rotate("webhook", version("2", "no webhook secret"));
    handle.refresh().await.unwrap();
    assert_eq!(
        (answers(&secret, 0).await, answers(&secret, 1).await),
        (401, 200)
    );
    assert!(secret.health().is_err());
}

// === client secrets ===

/// A token endpoint: what it was sent, and whether it knows anybody.
#[derive(Clone, Default)]
struct Provider {
    seen: Arc<Mutex<Vec<String>>>,
    knows: Arc<AtomicBool>,
}

impl Provider {
    async fn call(
        self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (status, body) = match request.uri().path() {
            "/v1/auth/token" => {
                let sent = request.headers()["authorization"].to_str().unwrap();
                self.seen.lock().unwrap().push(sent.to_owned());
                match self.knows.load(Ordering::SeqCst) {
                    true => (200, r#"{"access_token":"at_canary","token_type":"Bearer"}"#),
                    false => (401, r#"{"error":"invalid_client"}"#),
                }
            }
            _ => (200, ""),
        };
        let response = Response::builder().status(status);
        let response = response.header("content-type", "application/json");
        Ok(response.body(Full::from(body)).unwrap())
    }

    fn sent(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn stack(&self, environment: &Environment, secret: &ClientSecret) -> ClientStack {
        let protocol = environment
            .token_requests("auth/token", secret.clone())
            .unwrap();
        let this = self.clone();
        let service = service_fn(move |request| this.clone().call(request));
        let tokens = Tokens::new(ServiceSource::new(protocol.build().unwrap(), service));
        ClientStack::builder(environment.clone(), tokens)
            .build()
            .unwrap()
    }

    async fn ask(&self, stack: &ClientStack) -> Result<u16, golive::core::BoxError> {
        use golive::core::tower::Layer as _;
        let this = self.clone();
        let service = service_fn(move |request| this.clone().call(request));
        let request = Request::get("https://api.example.com/v1/x");
        let request = request.body(Full::<Bytes>::default()).unwrap();
        let service = golive::core::Stack::new()
            .push(stack.clone())
            .layer(service);
        Ok(service.oneshot(request).await?.status().as_u16())
    }
}

fn environment() -> Environment {
    Environment::custom("https://api.example.com/v1")
        .unwrap()
        .only(Stage::Sandbox)
}

/// A source whose fetches take a second.
struct Far(MemorySource);

impl golive::secrets_provider::source::Source for Far {
    fn fetch<'a>(&'a self, name: &'a str) -> golive::secrets_provider::source::Fetching<'a> {
        Box::pin(async {
            tokio::time::sleep(SECOND).await;
            self.0.fetch(name).await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_call_before_the_secret_is_there_waits_for_it_and_fetches_it_once() {
    let source = MemorySource::new();
    source.set(
        "provider",
        Versions::new(pair("1", "ci_test_1", "cs_test_1")),
    );
    let handle = Handle::builder(Far(source.clone()), "provider")
        .build()
        .unwrap();
    let provider = Provider::default();
    provider.knows.store(true, Ordering::SeqCst);
    let stack = provider.stack(&environment(), &ClientSecret::new(handle));
    let started = Instant::now();
    assert_eq!(provider.ask(&stack).await.unwrap(), 200);
    assert_eq!(
        (started.elapsed(), source.fetches(), provider.sent()),
        (SECOND, 1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_with_a_secret_that_nobody_knows_trouble_neither_manager_nor_provider() {
    let source = MemorySource::new();
    source.set(
        "provider",
        Versions::new(pair("1", "ci_test_1", "cs_test_canary")),
    );
    let handle = Handle::builder(source.clone(), "provider").build().unwrap();
    handle.ready().await.unwrap();
    let provider = Provider::default();
    let stack = provider.stack(&environment(), &ClientSecret::new(handle));
    for _ in 0..10 {
        let calls: Vec<_> = (0..1000)
            .map(|_| {
                let (provider, stack) = (provider.clone(), stack.clone());
                tokio::spawn(async move { provider.ask(&stack).await.unwrap_err() })
            })
            .collect();
        for call in calls {
            assert!(!said(call.await.unwrap().as_ref()).contains("canary"));
        }
        tokio::time::sleep(SECOND).await;
    }
    assert!(
        source.fetches() <= 10,
        "{} fetches of the secret",
        source.fetches()
    );
    assert!(
        provider.sent() <= 10,
        "{} requests for a token",
        provider.sent()
    );
}

#[tokio::test(start_paused = true)]
async fn credentials_of_the_other_stage_are_never_sent_whenever_they_come_and_in_whatever_place() {
    let (test, live) = (("ci_test_1", "cs_test_1"), ("ci_live_1", "cs_live_canary"));
    let mixed = ("ci_test_2", "cs_live_canary");
    for (before, current) in [(test, live), (live, test), (mixed, test), (test, mixed)] {
        let source = MemorySource::new();
        source.set(
            "provider",
            Versions::new(pair("0", "ci_test_0", "cs_test_0")),
        );
        let handle = Handle::builder(source.clone(), "provider").build().unwrap();
        handle.ready().await.unwrap();
        let secret = ClientSecret::new(handle.clone());
        let provider = Provider::default();
        let stack = provider.stack(&environment(), &secret);
        // It changes after the check, and nobody here has heard of the last change: it is read
        // again while the token is fetched.
        source.rotate("provider", pair("1", before.0, before.1));
        handle.refresh().await.unwrap();
        source.rotate("provider", pair("2", current.0, current.1));
        let error = provider.ask(&stack).await.unwrap_err();
        let said = said(error.as_ref());
        assert!(!said.contains("canary"), "{said}");
        let sent: Vec<_> = provider.seen.lock().unwrap().clone();
        for (id, secret) in [live, mixed] {
            let headers = http_basic(id, secret);
            assert!(!sent.contains(&headers), "{before:?} {current:?}");
        }
        // And whoever looks finds out why.
        let foreign = secret_is_foreign(&environment(), &secret);
        assert_eq!(foreign, current != test, "{before:?} {current:?}");
    }
}

fn secret_is_foreign(environment: &Environment, secret: &ClientSecret) -> bool {
    match environment.token_requests("auth/token", secret.clone()) {
        Err(golive::ConfigError::ForeignCredentials(ForeignCredentials { seen, .. })) => {
            seen == Stage::Production
        }
        Err(other) => panic!("{other}"),
        Ok(_) => false,
    }
}

/// As the `Authorization` of a token request.
fn http_basic(id: &str, secret: &str) -> String {
    let credentials =
        golive::auth_refresh::client_credentials::Credentials::new(id, secret).unwrap();
    let protocol = golive::auth_refresh::client_credentials::ClientCredentials::builder(
        "https://api.example.com",
        credentials,
    );
    let request = protocol.build().unwrap().request().unwrap();
    request.headers()["authorization"]
        .to_str()
        .unwrap()
        .to_owned()
}

// === what is said ===

#[tokio::test(start_paused = true)]
async fn no_debug_and_no_error_repeats_a_secret() {
    let source = MemorySource::new();
    let key = whsec(7);
    source.set("webhook", Versions::new(version("0", &key)));
    source.set(
        "provider",
        Versions::new(pair("0", "ci_test_canary", "cs_test_canary")),
    );
    let mut handles = BTreeMap::new();
    for name in ["webhook", "provider"] {
        let handle = Handle::builder(source.clone(), name).build().unwrap();
        handle.ready().await.unwrap();
        handles.insert(name, handle);
    }
    let (environment, provider) = (environment(), Provider::default());
    provider.knows.store(true, Ordering::SeqCst);
    let client_secret = ClientSecret::new(handles["provider"].clone());
    let webhook_secret = WebhookSecret::new(handles["webhook"].clone()).unwrap();
    let stack = provider.stack(&environment, &client_secret);
    provider.ask(&stack).await.unwrap();
    let builder = || Client::builder(environment.clone(), client_secret.clone());
    let store = || Arc::new(MemoryStore::builder().build().unwrap());
    let receiver = || Webhooks::builder(store(), webhook_secret.clone());
    let mut said = vec![
        format!("{client_secret:?} {:?}", client_secret.load()),
        format!("{webhook_secret:?} {:?}", webhook_secret.load()),
        format!("{stack:?} {environment:?}"),
        format!("{:?} {:?}", builder(), builder().build().unwrap()),
        format!("{:?} {:?}", receiver(), receiver().build().unwrap()),
        format!(
            "{:?}",
            environment
                .token_requests("t", client_secret.clone())
                .unwrap()
        ),
    ];
    // The secret of one thing where that of another is expected, and each of them mistaken.
    for (name, wrong) in [
        ("provider", key.as_str()),
        ("provider", r#"{"client_id": "canary", "client_secret": 7}"#),
        ("provider", r#"{"client_id": "canary"}"#),
        (
            "provider",
            r#"{"client_id": "canary", "client_secret": ""}"#,
        ),
        ("provider", "canary"),
        (
            "provider",
            r#"{"client_id": "x_live_canary", "client_secret": "canary"}"#,
        ),
        ("webhook", "whsec_canary"),
        ("webhook", "canary"),
        ("webhook", r#"{"secret": "canary"}"#),
    ] {
        source.set(name, Versions::new(version("1", wrong)));
        handles[name].refresh().await.unwrap();
        match name {
            "provider" => {
                let fresh = provider.stack(
                    &Environment::custom("https://api.example.com/v1").unwrap(),
                    &client_secret,
                );
                match provider.ask(&fresh).await {
                    Ok(status) => assert!(wrong.contains("live"), "{status}"),
                    Err(error) => said.push(self::said(error.as_ref())),
                }
                match client_secret.load() {
                    Ok(set) => said.push(format!("{set:?}")),
                    Err(error) => said.push(self::said(&error)),
                }
                if let Err(error) = builder().build() {
                    said.push(self::said(&error));
                }
            }
            _ => {
                said.push(self::said(&*webhook_secret.health().unwrap_err()));
                let new = WebhookSecret::new(handles[name].clone());
                said.push(self::said(&new.unwrap_err()));
                let field = WebhookSecret::field(handles[name].clone(), "other");
                said.push(self::said(&field.unwrap_err()));
            }
        }
    }
    for said in said {
        let whole = said.to_lowercase();
        assert!(
            !whole.contains("canary") && !said.contains(&key[6..]),
            "{said}"
        );
    }
}
