//! A running provider.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::builder::Builder;
use crate::canary::{self, Canary};
use crate::door::Porter;
use crate::fault::Faults;
use crate::record::Recorder;
use crate::shared::Shared;
use crate::state::State;
use crate::tasks::Life;
use crate::webhooks::Webhooks;

/// A running provider on loopback. It stops, with all its connections and deliveries, when it is
/// dropped; see the crate documentation.
#[derive(Debug)]
#[must_use = "a sandbox that is dropped stops serving"]
pub struct Sandbox {
    pub(crate) base_url: String,
    pub(crate) admin_url: Option<String>,
    pub(crate) credential: Credential,
    pub(crate) shared: Arc<Shared>,
    pub(crate) state: State,
    pub(crate) webhooks: Webhooks,
    pub(crate) porter: Porter,
    pub(crate) life: Life,
}

/// What an integration authenticates with.
#[derive(Clone, Debug)]
pub struct Credential {
    /// `dinie_ci_test_…`
    pub client_id: String,
    /// `dinie_cs_test_…`
    pub client_secret: SecretString,
}

impl Sandbox {
    /// Settings with their defaults.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// `http://127.0.0.1:PORT/v3`; `/api/v3` serves the same.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// `http://127.0.0.1:PORT`, if there is an admin port.
    pub fn admin_url(&self) -> Option<&str> {
        self.admin_url.as_deref()
    }

    /// The first credential.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The fault plan.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// The record of all requests and deliveries.
    pub fn recorder(&self) -> &Recorder {
        &self.shared.recorder
    }

    /// The state of the provider.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Webhook secrets and deliveries.
    pub fn webhooks(&self) -> &Webhooks {
        &self.webhooks
    }

    /// A text as it would stand in the record: without any secret of this sandbox, or that looks
    /// like one.
    #[must_use]
    pub fn redacted(&self, text: &str) -> String {
        self.shared.redactor.text(text).into_owned()
    }

    /// Which secrets of this sandbox stand in a text, each kind once: a client or webhook secret that
    /// it gave out or a token that it issued, as it is, without its prefix, inside a Basic header,
    /// or encoded. What only looks like a secret, or is masked, is none.
    #[must_use]
    pub fn secrets_in(&self, text: &str) -> Vec<Canary> {
        canary::find(&self.shared, text)
    }

    /// Ends every connection and refuses new ones for so long, as a provider that is being restarted
    /// does. Returns when that has begun. The admin port stays open.
    ///
    /// The port is kept meanwhile. Closed twice, it stays closed for both times, one after the other.
    pub async fn refuse_connections(&self, duration: Duration) {
        self.porter.close(duration).await;
    }

    /// Stops, and waits until every task has ended and every socket is closed. Dropping stops too,
    /// without the wait.
    pub async fn shutdown(self) {
        self.life.end().await;
    }
}
