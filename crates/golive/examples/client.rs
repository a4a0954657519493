//! Creates a customer with the paved road, on the provider's worst day.
//!
//! `cargo run -p golive --features reqwest --example golive-client`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use golive::secrets_provider::{Handle, Value, Version, Versions, source::MemorySource};
use golive::{CallError, Client, Environment, accepted, secrets::ClientSecret};
use golive_sandbox::{Fault, Sandbox, customer_fixture};
use http::Method;
use secrecy::ExposeSecret as _;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    // The provider, on loopback. Its answer to the first creation is lost, the second is a 500.
    let provider = Sandbox::builder().start().await?;
    let worst = provider.faults();
    worst.push(Fault::on(Method::POST, "/customers").times(1).cut_after());
    worst.push(Fault::on(Method::POST, "/customers").nth(2..=2).status(500));

    // Yours is `Environment::sandbox()` or `Environment::production()`.
    let environment = Environment::custom(provider.base_url())?;
    let secret = Handle::builder(secrets_manager(&provider)?, "provider").build()?;
    secret.ready().await?;
    let client = Client::builder(environment, ClientSecret::new(secret)).build()?;

    let create = |body: String| {
        client
            .post("/customers")
            .header("content-type", "application/json")
            .body(body)
            .send()
    };
    let created = accepted(create(customer_fixture("order-1").to_string()).await).await?;
    println!("created: {}", created.status());
    // Sent three times with one key, created once.
    let seen = provider.recorder().all();
    assert_eq!(seen.iter().filter(|e| e.route() == "/customers").count(), 3);
    assert_eq!(provider.state().customers_with_external_id("order-1"), 1);

    match accepted(create(r#"{"name": ""}"#.to_owned()).await).await {
        Err(CallError::Problem(problem)) => println!("{problem}"),
        other => return Err(format!("not refused: {other:?}").into()),
    }
    // The token stays with its provider.
    let elsewhere = client.get("http://127.0.0.1:9/v3/customers").send().await;
    println!("{}", elsewhere.err().ok_or("it was sent")?);
    provider.shutdown().await;
    Ok(())
}

/// Yours is AWS Secrets Manager, or a mounted file.
fn secrets_manager(provider: &Sandbox) -> Result<MemorySource, BoxError> {
    let issued = provider.credential();
    let pair = serde_json::json!({
        "client_id": issued.client_id,
        "client_secret": issued.client_secret.expose_secret(),
    });
    let source = MemorySource::new();
    let version = Version::new("v1", Value::new(&*pair.to_string())?);
    source.set("provider", Versions::new(version));
    Ok(source)
}
