//! A key on every POST, and one of our own that finds a lost answer again.
//!
//! `cargo run -p golive-idempotency --features reqwest --example idempotency-reqwest`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use golive_idempotency::{IdempotencyKeys, Key};
use golive_sandbox::{Fault, Sandbox, customer_fixture};
use http::{Method, header::CONTENT_TYPE};
use reqwest_middleware::ClientBuilder;
use secrecy::ExposeSecret;
use serde_json::Value;

type Error = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let sandbox = Sandbox::builder().start().await?;
    // The second answer is lost after the customer was created.
    let fault = Fault::on(Method::POST, "/customers").nth(2..=2).cut_after();
    sandbox.faults().push(fault);

    // An API does not redirect what it is asked to create: following could create it elsewhere.
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let token = token(&http, &sandbox).await?;
    let client = ClientBuilder::new(http)
        .with(IdempotencyKeys::new())
        .build();
    let create = |external_id: &str| {
        client
            .post(format!("{}/customers", sandbox.base_url()))
            .bearer_auth(&token)
            .header(CONTENT_TYPE, "application/json")
            .body(customer_fixture(external_id).to_string())
    };

    let answer = create("signup-16").send().await?;
    println!("with a key that was minted: {}", answer.status());

    // The same webhook gives the same key, even after a restart.
    let key = Key::derive("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "create-customer");
    let request = || create("signup-17").header("Idempotency-Key", &key);
    if let Err(error) = request().send().await {
        println!("with a key of our own: {error}");
    }
    let answer = request().send().await?;
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
async fn token(http: &reqwest::Client, sandbox: &Sandbox) -> Result<String, Error> {
    let credential = sandbox.credential();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        credential.client_id,
        credential.client_secret.expose_secret()
    );
    let request = http.post(format!("{}/auth/token", sandbox.base_url()));
    let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = request.body(form).send().await?.error_for_status()?;
    let answer: Value = serde_json::from_slice(&answer.bytes().await?)?;
    Ok(answer["access_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}
