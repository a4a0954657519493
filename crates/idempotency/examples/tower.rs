//! A key on every POST, and one of our own that finds a lost answer again.
//!
//! `cargo run -p golive-idempotency --features tower --example idempotency-tower`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use bytes::Bytes;
use golive_core::tower::Layer;
use golive_idempotency::{IdempotencyKeys, Key};
use golive_sandbox::{Fault, Sandbox, customer_fixture};
use http::{
    Method, Request,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use secrecy::ExposeSecret;
use serde_json::Value;
use tower::ServiceExt;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Http = Client<HttpConnector, Full<Bytes>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let sandbox = Sandbox::builder().start().await?;
    // The second answer is lost after the customer was created.
    let fault = Fault::on(Method::POST, "/customers").nth(2..=2).cut_after();
    sandbox.faults().push(fault);

    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let token = token(&http, &sandbox).await?;
    let client = IdempotencyKeys::new().layer(http);
    let create = |external_id: &str| {
        Request::post(format!("{}/customers", sandbox.base_url()))
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(customer_fixture(external_id).to_string()))
    };

    let answer = client.clone().oneshot(create("signup-16")?).await?;
    println!("with a key that was minted: {}", answer.status());

    // The same webhook gives the same key, even after a restart.
    let key = Key::derive("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "create-customer");
    let mut request = create("signup-17")?;
    request.headers_mut().insert("idempotency-key", key.into());
    if let Err(error) = client.clone().oneshot(request.clone()).await {
        println!("with a key of our own: {error}");
    }
    let answer = client.oneshot(request).await?;
    println!("the same again: {}", answer.status());

    for entry in sandbox.recorder().all() {
        if let Some(key) = entry.header("idempotency-key") {
            println!("{} {key}", entry.route());
        }
    }
    println!("customers: {}", sandbox.state().customers());
    Ok(())
}

/// An access token of the sandbox. In earnest that is `golive-auth-refresh`.
async fn token(http: &Http, sandbox: &Sandbox) -> Result<String, Error> {
    let credential = sandbox.credential();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        credential.client_id,
        credential.client_secret.expose_secret()
    );
    let request = Request::post(format!("{}/auth/token", sandbox.base_url()))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::from(form))?;
    let answer = http.request(request).await?.into_body().collect().await?;
    let answer: Value = serde_json::from_slice(&answer.to_bytes())?;
    Ok(answer["access_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}
