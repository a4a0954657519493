//! The built-in integrations: a good one, made of golive's own crates, and the
//! same one with one mistake.
//!
//! They are ordinary integrations: a client over reqwest, a webhook receiver
//! over axum, both on loopback. The checker sees them through the wire and
//! their declared hooks alone, as it sees any other.

mod client;
mod flaw;
mod hooks;
mod mistakes;
mod receiver;

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::flaw::{FLAWS, Flaw, Mistake};

/// What an integration is configured with.
#[derive(Clone, Debug)]
pub struct Environment {
    /// `GOLIVE_BASE_URL`.
    pub base_url: String,
    /// `GOLIVE_CLIENT_ID`.
    pub client_id: String,
    /// `GOLIVE_CLIENT_SECRET`.
    pub client_secret: SecretString,
    /// `GOLIVE_WEBHOOK_SECRET`.
    pub webhook_secret: SecretString,
}

/// A running integration; it ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it takes webhooks.
    pub webhook_url: String,
    /// Where its hooks are.
    pub drive_url: String,
    server: JoinHandle<()>,
    _workers: golive_webhook_inbox::Workers,
}

/// Why an integration did not start.
#[derive(Debug, thiserror::Error)]
#[error("the built-in integration did not start: {0}")]
pub struct StartError(Box<dyn std::error::Error + Send + Sync>);

/// Starts the built-in integration, with one mistake or none.
///
/// # Errors
/// If its configuration is refused or loopback cannot be bound.
pub async fn start(mistake: Option<Mistake>, env: &Environment) -> Result<Running, StartError> {
    build(mistake, env).await.map_err(StartError)
}

async fn build(
    mistake: Option<Mistake>,
    env: &Environment,
) -> Result<Running, Box<dyn std::error::Error + Send + Sync>> {
    let client = client::Client::new(mistake, env)?;
    let effects = Arc::new(receiver::Effects::default());
    let (webhooks, workers) = receiver::routes(mistake, env, client.clone(), &effects)?;
    let hooks = hooks::routes(mistake, client, effects);
    let app = Router::new().merge(webhooks).nest("/hooks", hooks);

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        // Ends with the task; an error of accept is retried by axum itself.
        let _ = axum::serve(listener, app).await;
    });
    Ok(Running {
        webhook_url: format!("http://{address}/webhooks"),
        drive_url: format!("http://{address}/hooks"),
        server,
        _workers: workers,
    })
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.abort();
    }
}
