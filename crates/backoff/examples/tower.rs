//! A provider that fails twice, and a POST that comes through without being executed twice.
//!
//! `cargo run -p golive-backoff --features tower,hyper --example backoff-tower`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use bytes::Bytes;
use golive_backoff::{Backoff, Event, hyper_class};
use golive_core::{CallHandle, tower::Layer};
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
use tokio::time::Instant;
use tower::ServiceExt;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Http = Client<HttpConnector, Full<Bytes>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let sandbox = Sandbox::builder().start().await?;
    // The first answer is lost after the customer was created; the second attempt is refused.
    let faults = sandbox.faults();
    faults.push(Fault::on(Method::POST, "/customers").nth(1..=1).cut_after());
    faults.push(Fault::on(Method::POST, "/customers").nth(2..=2).status(503));

    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let token = token(&http, &sandbox).await?;
    let backoff = Backoff::builder()
        .classify(hyper_class)
        // As it happens: to log, or to count with words that a metric can have as labels.
        .observe(|event| match event {
            Event::Failed { attempt, decision, .. } => println!("attempt {attempt}: {decision:?}"),
            event => println!("{event:?}"),
        })
        .build()?;
    let client = backoff.layer(http);

    let handle = CallHandle::new();
    let url = format!("{}/customers", sandbox.base_url());
    let request = Request::post(&url)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        // What makes it safe to repeat; `golive-idempotency` adds one to every POST.
        .header("Idempotency-Key", "signup-17")
        .header(CONTENT_TYPE, "application/json")
        .extension(handle.clone())
        .body(Full::from(customer_fixture("signup-17").to_string()))?;
    let answer = client.oneshot(request).await?;

    let call = handle.call();
    for attempt in call.attempts() {
        println!("{:?}, then waited {:?}", attempt.outcome, attempt.delay);
    }
    println!("{} ({:?})", answer.status(), call.disposition());
    println!("customers: {}", sandbox.state().customers());

    // What all calls to this origin share: the retry budget, the pause, and the quota of the provider.
    let now = Instant::now();
    let shared = backoff
        .limits()
        .scope(&Request::get(url).body(String::new())?, now);
    println!("{:#?}", shared.state(now));
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
