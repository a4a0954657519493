//! Receives webhooks with the paved road, through a rotation of their secret.
//!
//! `cargo run -p golive --features tower,sqlite --example golive-receiver`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::post_service};
use golive::secrets_provider::{Handle, Value, Version, Versions, source::MemorySource};
use golive::webhook_inbox::{BoxError, Event, Workers};
use golive::{Webhooks, secrets::WebhookSecret, store_sqlite::SqliteStore};
use golive_sandbox::{Delivery, Sandbox};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{net::TcpListener, sync::mpsc};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    // The provider, on loopback, and a secrets manager with the secret that it gave us.
    let provider = Sandbox::builder().start().await?;
    let manager = MemorySource::new();
    let version = |id: &str, secret: SecretString| -> Result<Version, BoxError> {
        Ok(Version::new(id, Value::new(secret.expose_secret())?))
    };
    let first = version("v1", provider.webhooks().secret())?;
    manager.set("webhook", Versions::new(first));
    let (sender, mut handled) = mpsc::channel(8);

    // The receiver.
    let folder = tempfile::tempdir()?;
    let secret = Handle::builder(manager.clone(), "webhook").build()?;
    secret.ready().await?;
    let store = Arc::new(
        SqliteStore::builder(folder.path().join("inbox.db"))
            .open()
            .await?,
    );
    let keys = WebhookSecret::new(secret.clone())?;
    let webhooks = Webhooks::builder(Arc::clone(&store), keys).build()?;
    let workers = Workers::builder().spawn(
        store,
        tower::service_fn(move |event: Event| {
            let sender = sender.clone();
            async move { sender.send(event.key().id().to_owned()).await }
        }),
    )?;
    let router = Router::new().route("/webhooks", post_service(webhooks));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/webhooks", listener.local_addr()?);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });

    // The same event twice, as it happens: answered twice, handled once.
    let event = provider
        .webhooks()
        .event("loan.created", serde_json::json!({"id": "loan_1"}));
    for _ in 0..2 {
        let delivered = provider
            .webhooks()
            .deliver(&url, Delivery::of(event.clone()))
            .await;
        assert_eq!(delivered.status(), Some(200));
    }
    assert_eq!(handled.recv().await.as_ref(), Some(&event.id));

    // The secret is rotated; the next delivery is signed with the new one alone.
    let next = provider.webhooks().rotate(DAY);
    manager.rotate("webhook", version("v2", next.clone())?);
    secret.refresh().await?;
    let event = provider
        .webhooks()
        .event("loan.active", serde_json::json!({"id": "loan_1"}));
    let delivery = Delivery::of(event.clone()).signed_with([next]);
    let delivered = provider.webhooks().deliver(&url, delivery).await;
    println!("after the rotation: {:?}", delivered.status());
    assert_eq!(delivered.status(), Some(200));
    assert_eq!(handled.recv().await.as_ref(), Some(&event.id));

    let forged = Delivery::of(event).tampered_body();
    let refused = provider.webhooks().deliver(&url, forged).await;
    println!("forged: {:?}", refused.status());
    assert_eq!(refused.status(), Some(401));

    assert_eq!(workers.shutdown(Duration::from_secs(5)).await.abandoned, 0);
    server.abort();
    provider.shutdown().await;
    Ok(())
}
