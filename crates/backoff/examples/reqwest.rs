//! A provider that fails twice, and a POST that comes through without being executed twice.
//!
//! `cargo run -p golive-backoff --features reqwest --example backoff-reqwest`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use golive_backoff::{Backoff, Event, reqwest_class};
use golive_core::CallHandle;
use golive_sandbox::{Fault, Sandbox, customer_fixture};
use http::{Method, header::CONTENT_TYPE};
use reqwest_middleware::ClientBuilder;
use secrecy::ExposeSecret;
use serde_json::Value;

type Error = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let sandbox = Sandbox::builder().start().await?;
    // The first answer is lost after the customer was created; the second attempt is refused.
    let faults = sandbox.faults();
    faults.push(Fault::on(Method::POST, "/customers").nth(1..=1).cut_after());
    faults.push(Fault::on(Method::POST, "/customers").nth(2..=2).status(503));

    // There is one retry. And without redirects a connection that was not made is one, and `reqwest_class` may say so.
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build()?;
    let token = token(&http, &sandbox).await?;
    let backoff = Backoff::builder()
        .classify(reqwest_class)
        // As it happens: to log, or to count with words that a metric can have as labels.
        .observe(|event| match event {
            Event::Failed { attempt, decision, .. } => println!("attempt {attempt}: {decision:?}"),
            event => println!("{event:?}"),
        })
        .build()?;
    let client = ClientBuilder::new(http).with(backoff).build();

    let handle = CallHandle::new();
    let answer = client
        .post(format!("{}/customers", sandbox.base_url()))
        .bearer_auth(token)
        // What makes it safe to repeat; `golive-idempotency` adds one to every POST.
        .header("Idempotency-Key", "signup-17")
        .header(CONTENT_TYPE, "application/json")
        .body(customer_fixture("signup-17").to_string())
        .with_extension(handle.clone())
        .send()
        .await?;

    let call = handle.call();
    for attempt in call.attempts() {
        println!("{:?}, then waited {:?}", attempt.outcome, attempt.delay);
    }
    println!("{} ({:?})", answer.status(), call.disposition());
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
