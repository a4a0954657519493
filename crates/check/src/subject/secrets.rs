//! The secrets manager, which no kill touches, and what each life has of it.

use std::sync::atomic::{AtomicU64, Ordering};

use golive::core::{Clock as _, SystemClock};
use golive::secrets_provider::source::MemorySource;
use golive::secrets_provider::{Handle, Value, Version, Versions};
use secrecy::{ExposeSecret as _, SecretString};

use super::{BoxError, Environment};

const CLIENT: &str = "provider/client";
const WEBHOOK: &str = "provider/webhook";

/// Yours is AWS Secrets Manager, or mounted files.
pub(super) struct Manager {
    source: MemorySource,
    versions: AtomicU64,
}

/// The secrets of one life, cached and watched.
pub(super) struct Secrets {
    pub(super) client: Handle,
    pub(super) webhook: Handle,
}

// === impl Manager ===

impl Manager {
    pub(super) fn new(env: &Environment) -> Result<Self, BoxError> {
        let this = Self {
            source: MemorySource::new(),
            versions: AtomicU64::new(1),
        };
        let client = this.pair(&env.client_id, &env.client_secret)?;
        this.source.set(CLIENT, Versions::new(client));
        let webhook = this.version(env.webhook_secret.expose_secret())?;
        this.source.set(WEBHOOK, Versions::new(webhook));
        Ok(this)
    }

    /// A new credential; the one before it stays readable as the previous one.
    pub(super) fn rotate(&self, id: &str, secret: &SecretString) -> Result<(), BoxError> {
        self.source.rotate(CLIENT, self.pair(id, secret)?);
        Ok(())
    }

    pub(super) async fn open(&self) -> Result<Secrets, BoxError> {
        let client = Handle::builder(self.source.clone(), CLIENT).build()?;
        let webhook = Handle::builder(self.source.clone(), WEBHOOK).build()?;
        client.ready().await?;
        webhook.ready().await?;
        Ok(Secrets { client, webhook })
    }

    fn pair(&self, id: &str, secret: &SecretString) -> Result<Version, BoxError> {
        let pair = serde_json::json!({
            "client_id": id,
            "client_secret": secret.expose_secret(),
        });
        self.version(&pair.to_string())
    }

    fn version(&self, value: &str) -> Result<Version, BoxError> {
        let n = self.versions.fetch_add(1, Ordering::Relaxed);
        let version = Version::new(format!("v{n}"), Value::new(value)?);
        Ok(version.with_created_at(SystemClock.now()))
    }
}
