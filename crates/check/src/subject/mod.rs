//! The built-in integrations: a good one, made of the paved road (the crate
//! `golive`), and the same one with one mistake.
//!
//! They are ordinary integrations: a client, a webhook receiver over axum, an
//! inbox on disk, secrets from a manager, metrics, a log. How that is written
//! stands in `client` and `receiver`, where there is no word about mistakes,
//! and how it is put together in `life`. The checker sees them through the wire
//! and their declared hooks alone, as it sees any other.

mod calls;
mod client;
mod flaw;
mod hooks;
mod life;
mod logs;
mod metrics;
mod mistakes;
mod receiver;
mod secrets;
mod stuck;
mod supervisor;
mod work;

use std::net::Ipv4Addr;
use std::sync::Arc;

use secrecy::SecretString;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::flaw::{FLAWS, Flaw, Mistake};
use self::supervisor::Supervisor;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

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

/// A running integration; it ends when this is dropped, and its data goes with
/// it.
#[derive(Debug)]
pub struct Running {
    /// Where it takes webhooks.
    pub webhook_url: String,
    /// Where its hooks are.
    pub drive_url: String,
    supervisor: Arc<Supervisor>,
    hooks: JoinHandle<()>,
    _data: TempDir,
}

/// Why an integration did not start.
#[derive(Debug, thiserror::Error)]
#[error("the built-in integration did not start: {0}")]
pub struct StartError(BoxError);

/// Starts the built-in integration, with one mistake or none.
///
/// It lives in a runtime of its own, so that it can be killed; its hooks are
/// served by the runtime of the caller.
///
/// # Errors
/// If its configuration is refused, loopback cannot be bound, or there is no
/// room for its data in the directory for temporary files.
pub async fn start(mistake: Option<Mistake>, env: &Environment) -> Result<Running, StartError> {
    build(mistake, env).await.map_err(StartError)
}

async fn build(mistake: Option<Mistake>, env: &Environment) -> Result<Running, BoxError> {
    let data = tempfile::Builder::new().prefix("golive-").tempdir()?;
    let supervisor = Arc::new(Supervisor::new(mistake, env, data.path())?);
    let webhooks = supervisor.restart().await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let drive_url = format!("http://{}/hooks", listener.local_addr()?);
    let app = axum::Router::new().nest("/hooks", hooks::routes(Arc::clone(&supervisor)));
    let hooks = tokio::spawn(async move {
        // Ends with the task; an error of accept is retried by axum itself.
        let _ = axum::serve(listener, app).await;
    });
    Ok(Running {
        webhook_url: format!("http://{webhooks}/webhooks"),
        drive_url,
        supervisor,
        hooks,
        _data: data,
    })
}

impl Drop for Running {
    fn drop(&mut self) {
        self.hooks.abort();
        // A connection to a hook may hold the supervisor for longer than this.
        self.supervisor.abandon();
    }
}
