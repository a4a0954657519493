//! Receives webhooks over HTTP on loopback, while their secret is rotated.
//!
//! `cargo run -p golive-webhook-verify --features tower --example webhook-verify-tower`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::convert::Infallible;

use axum::{Router, body::Body, routing::post_service};
use bytes::Bytes;
use golive_core::{Clock, SystemClock};
use golive_webhook_verify::{
    Key, Reject, Signer, UnixTime, Verified, Verifier,
    tower::{SharedVerifier, VerifiedBody, VerifyLayer},
};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::ServiceBuilder;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const BODY: &[u8] = br#"{"type":"loan.created"}"#;

/// What reaches the handler was verified.
async fn receive(request: Request<VerifiedBody>) -> Result<Response<Body>, Infallible> {
    let verified = request.extensions().get::<Verified<'static>>();
    let (id, key) = verified.map_or((None, None), |v| (v.id(), v.key_id()));
    println!("{id:?}: {:?}, signed with {key:?}", request.body());
    Ok(Response::new(Body::empty()))
}

/// Where your metrics come in: the words are from a fixed set.
fn count(verdict: Result<&Verified<'static>, Reject>) {
    println!(
        "counted: {}",
        verdict.map_or_else(Reject::code, |_| "accepted")
    );
}

/// What the provider sends.
async fn deliver(url: &str, id: &str, key: &Key) -> Result<StatusCode, Failure> {
    let now = UnixTime::from(SystemClock.now());
    let request = Request::post(url)
        .header("webhook-id", id)
        .header("webhook-timestamp", now.to_string())
        .header(
            "webhook-signature",
            Signer::new(key.clone()).sign(id, now, BODY),
        )
        .body(Full::new(Bytes::from_static(BODY)))?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    Ok(client.request(request).await?.status())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    // Yours come from a secrets manager.
    let old = Key::from_whsec("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?.with_id("2026-08");
    let new = Key::from_whsec("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")?.with_id("2026-11");
    let ring = |keys: Vec<Key>| Verifier::builder().keys(keys).build();
    let shared = SharedVerifier::new(ring(vec![old.clone()])?);

    let receiver = ServiceBuilder::new()
        .layer(VerifyLayer::following(shared.clone()).on_verdict(count))
        .service_fn(receive);
    let app = Router::new().route("/webhooks", post_service(receiver));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/webhooks", listener.local_addr()?);
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    assert_eq!(deliver(&url, "msg_1", &old).await?, StatusCode::OK);
    assert_eq!(
        deliver(&url, "msg_2", &new).await?,
        StatusCode::UNAUTHORIZED
    );

    // The rotation: both for a while, then the new one alone. Nothing is restarted.
    shared.store(ring(vec![new.clone(), old.clone()])?);
    assert_eq!(deliver(&url, "msg_2", &new).await?, StatusCode::OK);
    assert_eq!(deliver(&url, "msg_3", &old).await?, StatusCode::OK);
    shared.store(ring(vec![new])?);
    assert_eq!(
        deliver(&url, "msg_4", &old).await?,
        StatusCode::UNAUTHORIZED
    );

    server.abort();
    println!("the secret was rotated, and the old one is refused");
    Ok(())
}
