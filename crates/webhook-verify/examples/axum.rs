//! Receives webhooks with axum on loopback: one that is genuine, and one that is forged.
//!
//! `cargo run -p golive-webhook-verify --features axum --example webhook-verify-axum`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use axum::{Router, http::StatusCode, routing::post};
use bytes::Bytes;
use golive_core::{Clock, SystemClock};
use golive_webhook_verify::{
    Key, Signer, UnixTime, Verified, Verifier, axum::VerifiedJson, tower::VerifyLayer,
};
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde::Deserialize;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Deserialize)]
struct Event {
    r#type: String,
}

/// What reaches the handler was verified: it cannot be called otherwise.
async fn receive(verified: Verified<'static>, VerifiedJson(event): VerifiedJson<Event>) {
    println!("{:?}: {}", verified.id(), event.r#type);
}

/// What the provider sends.
async fn deliver(url: &str, signer: &Signer, body: &'static [u8]) -> Result<StatusCode, Failure> {
    let now = UnixTime::from(SystemClock.now());
    let request = Request::post(url)
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", now.to_string())
        .header("webhook-signature", signer.sign("msg_1", now, body))
        .body(Full::new(Bytes::from_static(body)))?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    Ok(client.request(request).await?.status())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    // Yours comes from a secrets manager.
    let key = Key::from_whsec("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
    let verifier = Verifier::builder().key(key.clone()).build()?;
    let app = Router::new()
        .route("/webhooks", post(receive))
        .layer(VerifyLayer::new(verifier));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/webhooks", listener.local_addr()?);
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    let genuine = Signer::new(key);
    let created = br#"{"type":"loan.created"}"#;
    assert_eq!(deliver(&url, &genuine, created).await?, StatusCode::OK);
    let other = Signer::new(Key::from_whsec("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")?);
    let forged = deliver(&url, &other, created).await?;
    assert_eq!(forged, StatusCode::UNAUTHORIZED);
    let unknown = deliver(&url, &genuine, b"[]").await?;
    assert_eq!(unknown, StatusCode::UNPROCESSABLE_ENTITY);

    server.abort();
    println!("the forged one was refused");
    Ok(())
}
