//! Lists customers with reqwest, through a token that expires on the way.
//!
//! `cargo run -p golive-auth-refresh --features reqwest --example reqwest`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use golive_auth_refresh::{
    AuthRefresh, Tokens,
    client_credentials::{ClientCredentials, Credentials},
    reqwest::ReqwestSource,
};
use golive_sandbox::{Fault, Sandbox};
use http::Method;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The provider, on loopback; yours has a fixed URL.
    let provider = Sandbox::builder().customers(3).start().await?;
    let base = provider.base_url().to_owned();

    // Yours come from a secrets manager.
    let issued = provider.credential();
    let credentials = Credentials::new(&issued.client_id, issued.client_secret.clone())?;
    let protocol = ClientCredentials::builder(format!("{base}/auth/token"), credentials).build()?;
    let tokens = Tokens::new(ReqwestSource::new(protocol)?);
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
        .with(AuthRefresh::new(tokens))
        .build();

    let list = format!("{base}/customers");
    println!("first call: {}", client.get(&list).send().await?.status());

    let expiry = Fault::on(Method::GET, "/customers").times(1).expire_token();
    provider.faults().push(expiry);
    println!(
        "token expired: {}",
        client.get(&list).send().await?.status()
    );

    for entry in provider.recorder().all() {
        println!(
            "  the provider saw {} and answered {:?}",
            entry.route(),
            entry.status()
        );
    }
    provider.shutdown().await;
    Ok(())
}
