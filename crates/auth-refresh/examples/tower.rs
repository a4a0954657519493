//! Lists customers over hyper's client as a tower service, through a token that expires on the way.
//!
//! `cargo run -p golive-auth-refresh --features tower --example tower`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use bytes::Bytes;
use golive_auth_refresh::{
    AuthRefresh, Tokens,
    client_credentials::{ClientCredentials, Credentials},
    tower::ServiceSource,
};
use golive_core::tower::Layer;
use golive_sandbox::{Fault, Sandbox};
use http::{Method, Request};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::ServiceExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // The provider, on loopback; yours has a fixed URL.
    let provider = Sandbox::builder().customers(3).start().await?;
    let base = provider.base_url().to_owned();

    // Yours come from a secrets manager.
    let issued = provider.credential();
    let credentials = Credentials::new(&issued.client_id, issued.client_secret.clone())?;
    let protocol = ClientCredentials::builder(format!("{base}/auth/token"), credentials).build()?;
    let http = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let tokens = Tokens::new(ServiceSource::new(protocol, http.clone()));
    let client = AuthRefresh::new(tokens).layer(http);

    let list = || Request::get(format!("{base}/customers")).body(Full::<Bytes>::default());
    println!(
        "first call: {}",
        client.clone().oneshot(list()?).await?.status()
    );

    let expiry = Fault::on(Method::GET, "/customers").times(1).expire_token();
    provider.faults().push(expiry);
    println!(
        "token expired: {}",
        client.clone().oneshot(list()?).await?.status()
    );

    for entry in provider.recorder().all() {
        println!(
            "  the provider saw {} and answered {:?}",
            entry.route(),
            entry.status()
        );
    }
    drop(client);
    provider.shutdown().await;
    Ok(())
}
