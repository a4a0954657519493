//! The whole stack as a tower layer, over hyper's client.
//!
//! `cargo run -p golive --features tower,hyper --example golive-tower-stack`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use bytes::Bytes;
use golive::auth_refresh::{Tokens, client_credentials::Credentials, tower::ServiceSource};
use golive::backoff::{Backoff, hyper_class};
use golive::core::tower::Layer as _;
use golive::{ClientStack, Environment};
use golive_sandbox::{Fault, Sandbox};
use http::{Method, Request};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::ServiceExt as _;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    // The provider, on loopback: its token expires half-way, then it is busy.
    let provider = Sandbox::builder().customers(3).start().await?;
    let faults = provider.faults();
    faults.push(Fault::on(Method::GET, "/customers").times(1).expire_token());
    faults.push(Fault::on(Method::GET, "/customers").nth(2..=2).status(503));
    let issued = provider.credential();
    let credentials = Credentials::new(&issued.client_id, issued.client_secret.clone())?;

    let environment = Environment::custom(provider.base_url())?;
    let http = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let protocol = environment
        .token_requests("auth/token", credentials)?
        .build()?;
    let tokens = Tokens::new(ServiceSource::new(protocol, http.clone()));
    let backoff = Backoff::builder().classify(hyper_class).build()?;
    let stack = ClientStack::builder(environment.clone(), tokens)
        .backoff(backoff)
        .build()?;
    let client = stack.layer(http);

    let list = Request::get(environment.url("/customers")).body(Full::<Bytes>::default())?;
    let response = client.oneshot(list).await?;
    println!("listed: {}", response.status());
    assert_eq!(response.status(), 200);
    assert_eq!(provider.state().tokens_issued(), 2);
    provider.shutdown().await;
    Ok(())
}
