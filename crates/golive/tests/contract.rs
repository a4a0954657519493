//! The whole stack keeps what every middleware keeps, in both faces.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test fail it as the test itself does"
)]

use std::time::Duration;

use golive::auth_refresh::{
    Tokens,
    source::{Fetching, Token, TokenSource},
};
use golive::{ClientStack, Environment};
use golive_testkit::contract;

struct Always;

impl TokenSource for Always {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(async { Token::new("t", tokio::time::Instant::now().into_std(), None) })
    }
}

fn stack() -> ClientStack {
    // What the probes call.
    let environment = Environment::danger_custom_over_plain_http("http://probe.test/v3").unwrap();
    ClientStack::builder(environment, Tokens::new(Always))
        .deadline(Duration::from_secs(600))
        .build()
        .unwrap()
}

contract!(stack());

/// What a program keeps in its state and shares between its tasks.
#[test]
fn everything_can_be_shared_between_tasks() {
    fn shared<T: Clone + Send + Sync + Unpin + std::fmt::Debug + 'static>() {}
    fn sent<T: Send + Sync + std::fmt::Debug + 'static>() {}
    fn error<T: std::error::Error + Send + Sync + 'static>() {}

    shared::<golive::Client>();
    shared::<ClientStack>();
    shared::<Environment>();
    shared::<golive::Webhooks<golive::webhook_inbox::MemoryStore>>();
    shared::<golive::secrets::ClientSecret>();
    shared::<golive::secrets::WebhookSecret>();
    sent::<golive::ClientBuilder>();
    sent::<golive::ClientStackBuilder>();
    sent::<golive::WebhooksBuilder<golive::webhook_inbox::MemoryStore>>();
    sent::<golive::WebhookBody>();
    error::<golive::ConfigError>();
    error::<golive::CallError>();
    error::<golive::Outside>();
    error::<golive::ForeignCredentials>();
    error::<golive::DeadlineExceeded>();
    error::<golive::secrets::Unusable>();
    error::<golive::secrets::WebhookSecretError>();
}
