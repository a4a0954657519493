//! Both sides follow a secret that is rotated, without a restart.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test fail it as the test itself does"
)]

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use golive::secrets::{ClientSecret, WebhookSecret};
use golive::secrets_provider::{Handle, Value, Version, Versions, source::MemorySource};
use golive::webhook_inbox::MemoryStore;
use golive::webhook_verify::{Key, Signer};
use golive::{Client, ConfigError, Environment, Webhooks, accepted};
use golive_sandbox::{Credential, Sandbox};
use golive_testkit::ManualClock;
use http::Request;
use http_body_util::Full;
use secrecy::ExposeSecret as _;
use tower::ServiceExt as _;

const NOW: u64 = 1_800_000_000;
const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn version(id: &str, value: &str) -> Version {
    Version::new(id, Value::new(value).unwrap())
}

fn pair(id: &str, credential: &Credential) -> Version {
    let pair = serde_json::json!({
        "client_id": credential.client_id,
        "client_secret": credential.client_secret.expose_secret(),
    });
    version(id, &pair.to_string())
}

async fn handle(source: &MemorySource, name: &str) -> Handle {
    let handle = Handle::builder(source.clone(), name).build().unwrap();
    handle.ready().await.unwrap();
    handle
}

#[tokio::test]
async fn a_rotated_client_secret_is_used_without_a_restart_and_no_call_fails() {
    let provider = Sandbox::builder().start().await.unwrap();
    let source = MemorySource::new();
    let old = provider.credential().clone();
    source.set("provider", Versions::new(pair("v1", &old)));
    let secret = handle(&source, "provider").await;
    let environment = Environment::custom(provider.base_url()).unwrap();
    let client = Client::builder(environment, ClientSecret::new(secret.clone()))
        .build()
        .unwrap();
    let list = async || accepted(client.get("/customers").send().await).await;
    list().await.unwrap();

    // Create, deploy, watch the old one fall silent, revoke.
    let new = provider.state().issue_credential("next").unwrap();
    source.rotate("provider", pair("v2", &new));
    secret.refresh().await.unwrap();
    let mark = provider.recorder().mark();
    list().await.unwrap(); // still the old token; a new one is on its way
    let seen = provider
        .recorder()
        .wait_for(mark, Duration::from_secs(10), |entries| {
            entries
                .iter()
                .any(|e| e.route() == "/auth/token" && e.status() == Some(200))
        })
        .await;
    let asked: Vec<_> = seen
        .iter()
        .filter(|e| e.route() == "/auth/token")
        .map(|e| e.client_id.as_deref())
        .collect();
    assert_eq!(asked, [Some(new.client_id.as_str())]);
    list().await.unwrap(); // with the new token
    assert!(provider.state().revoke_credential(&old.client_id));
    provider.state().expire_tokens();
    list().await.unwrap();
    let late = provider.recorder().since(mark);
    assert!(
        late.iter()
            .filter(|e| e.route() == "/auth/token")
            .all(|e| e.client_id.as_ref() == Some(&new.client_id)),
        "the old credentials were used again"
    );
}

#[tokio::test]
async fn a_secret_that_turns_into_that_of_the_other_stage_is_not_sent() {
    let provider = Sandbox::builder().start().await.unwrap();
    let source = MemorySource::new();
    source.set("provider", Versions::new(pair("v1", provider.credential())));
    let secret = handle(&source, "provider").await;
    let environment = Environment::custom(provider.base_url()).unwrap();
    let client = Client::builder(environment.clone(), ClientSecret::new(secret.clone()))
        .build()
        .unwrap();
    let live = r#"{"client_id": "dinie_ci_live_1", "client_secret": "dinie_cs_live_canary"}"#;
    source.rotate("provider", version("v2", live));
    secret.refresh().await.unwrap();

    let error = accepted(client.get("/customers").send().await)
        .await
        .unwrap_err();
    let chain = format!("{error:?}");
    assert!(
        chain.contains("production credentials") || chain.contains("Production"),
        "{chain}"
    );
    assert!(!chain.contains("canary"));
    assert!(provider.recorder().all().is_empty());
    // And a client that is built now is refused at once.
    let refused = Client::builder(environment, ClientSecret::new(secret)).build();
    assert!(matches!(
        refused.unwrap_err(),
        ConfigError::ForeignCredentials { .. }
    ));
}

/// A receiver of `secret`, and what it answers to a delivery that is signed with `key`.
struct Receiver(Webhooks<MemoryStore>);

impl Receiver {
    fn new(secret: WebhookSecret) -> Self {
        let store = Arc::new(MemoryStore::builder().build().unwrap());
        let webhooks = Webhooks::builder(store, secret).clock(ManualClock::at(NOW));
        Self(webhooks.build().unwrap())
    }

    async fn answers(&self, key: &str, id: &str) -> u16 {
        let body = r#"{"type":"loan.created"}"#;
        let signer = Signer::new(Key::from_whsec(key).unwrap());
        let request = Request::post("/webhooks")
            .header("webhook-id", id)
            .header("webhook-timestamp", NOW.to_string())
            .header("webhook-signature", signer.sign(id, NOW, body.as_bytes()))
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let answer: Result<_, Infallible> = self.0.clone().oneshot(request).await;
        answer.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn a_rotated_webhook_secret_is_accepted_with_the_next_delivery_and_the_old_one_while_it_is_kept()
 {
    let source = MemorySource::new();
    source.set("webhook", Versions::new(version("v1", OLD)));
    let secret = handle(&source, "webhook").await;
    let keys = WebhookSecret::new(secret.clone()).unwrap();
    let receiver = Receiver::new(keys.clone());
    assert_eq!(receiver.answers(OLD, "1").await, 200);
    assert_eq!(receiver.answers(NEW, "2").await, 401);

    source.rotate("webhook", version("v2", NEW));
    secret.refresh().await.unwrap();
    assert_eq!(receiver.answers(NEW, "3").await, 200);
    assert_eq!(receiver.answers(OLD, "4").await, 200);

    source.set("webhook", Versions::new(version("v2", NEW)));
    secret.refresh().await.unwrap();
    assert_eq!(receiver.answers(NEW, "5").await, 200);
    assert_eq!(receiver.answers(OLD, "6").await, 401);
    assert!(keys.health().is_ok());
}

#[tokio::test]
async fn a_new_version_that_is_no_webhook_secret_changes_nothing_and_is_reported() {
    let source = MemorySource::new();
    source.set("webhook", Versions::new(version("v1", OLD)));
    let secret = handle(&source, "webhook").await;
    let keys = WebhookSecret::new(secret.clone()).unwrap();
    let receiver = Receiver::new(keys.clone());
    source.rotate("webhook", version("v2", "whsec_"));
    secret.refresh().await.unwrap();
    assert_eq!(receiver.answers(OLD, "1").await, 200);
    let sick = keys.health().unwrap_err();
    assert!(sick.to_string().contains("empty"), "{sick}");

    source.rotate("webhook", version("v3", NEW));
    secret.refresh().await.unwrap();
    assert_eq!(receiver.answers(NEW, "2").await, 200);
    assert!(keys.health().is_ok());
}

#[tokio::test]
async fn a_field_of_a_json_secret_is_a_key_too_and_a_missing_one_is_noticed_at_the_start() {
    let source = MemorySource::new();
    let both = format!(r#"{{"webhook_secret": "{OLD}"}}"#);
    source.set("both", Versions::new(version("v1", &both)));
    let secret = handle(&source, "both").await;
    let keys = WebhookSecret::field(secret.clone(), "webhook_secret").unwrap();
    assert_eq!(Receiver::new(keys).answers(OLD, "1").await, 200);
    assert!(WebhookSecret::field(secret.clone(), "other").is_err());
    let whole = WebhookSecret::new(secret).unwrap_err();
    assert!(!whole.to_string().contains("MfKQ9"), "{whole}");
}
