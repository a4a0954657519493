//! The whole stack as one middleware, in a reqwest client that is there already.
//!
//! `cargo run -p golive --features reqwest --example golive-reqwest-stack`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use golive::auth_refresh::{Tokens, client_credentials::Credentials, reqwest::ReqwestSource};
use golive::backoff::{Backoff, reqwest_class};
use golive::core::CallHandle;
use golive::{ClientStack, Environment};
use golive_sandbox::{Fault, Sandbox, customer_fixture};
use http::Method;
use reqwest::redirect::Policy;
use reqwest_middleware::ClientBuilder;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    // The provider, on loopback, which is busy once.
    let provider = Sandbox::builder().start().await?;
    provider
        .faults()
        .push(Fault::on(Method::POST, "/customers").times(1).status(503));
    let issued = provider.credential();
    let credentials = Credentials::new(&issued.client_id, issued.client_secret.clone())?;

    let environment = Environment::custom(provider.base_url())?;
    let http = reqwest::Client::builder()
        .redirect(Policy::none())
        .build()?;
    let protocol = environment
        .token_requests("auth/token", credentials)?
        .build()?;
    let tokens = Tokens::new(ReqwestSource::with_client(protocol, http.clone()));
    let backoff = Backoff::builder().classify(reqwest_class).build()?;
    let stack = ClientStack::builder(environment.clone(), tokens)
        .backoff(backoff)
        .build()?;
    let client = ClientBuilder::new(http).with(stack).build();

    // Who wants to know how it went asks for it.
    let call = CallHandle::new();
    let response = client
        .post(environment.url("/customers"))
        .with_extension(call.clone())
        .body(customer_fixture("order-1").to_string())
        .send()
        .await?;
    let call = call.call();
    println!(
        "created: {} after {} retry, {:?}",
        response.status(),
        call.attempt(),
        call.disposition()
    );
    assert_eq!((response.status().as_u16(), call.attempt()), (201, 1));
    provider.shutdown().await;
    Ok(())
}
