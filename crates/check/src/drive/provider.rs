//! The provider that the checker plays: a sandbox with settings that suit a run.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, UNIX_EPOCH};

use golive::core::{Clock as _, SystemClock};
use golive_sandbox::{Dialect, RateLimit, Sandbox, StartError};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use super::heard::Heard;
use super::sink::{Raw, Sink};

/// Far more requests a window than a run makes, since limits are planned case by
/// case; and a short window, so that no honest `X-RateLimit-Reset` stalls a
/// careful client.
pub(super) const NO_LIMIT: RateLimit = RateLimit {
    limit: 100_000,
    window: Duration::from_secs(10),
};

/// How the provider is started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Everything random follows from it, credentials included.
    pub seed: u64,
    /// The port on loopback; 0 for any free one. The alert sink takes the next
    /// port, or any free one if that is taken.
    pub port: u16,
    /// What the provider speaks.
    pub dialect: Dialect,
}

/// A running provider.
#[derive(Debug)]
pub struct Provider {
    sandbox: Sandbox,
    settings: Settings,
    /// The zero of the record, give or take the milliseconds of a start.
    started: Instant,
    sink: Sink,
    heard: Heard,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            port: 0,
            dialect: Dialect::Any,
        }
    }
}

// === impl Provider ===

impl Provider {
    /// Starts it.
    ///
    /// # Errors
    /// If the port is taken, or loopback cannot be bound.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let before = Instant::now();
        let sandbox = Sandbox::builder()
            .seed(settings.seed)
            .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port)))
            .dialect(settings.dialect)
            .rate_limit(NO_LIMIT)
            .start()
            .await?;
        // The record's zero lies between the two readings, which are a few
        // milliseconds apart; judges of wall time allow for more.
        let started = before + before.elapsed() / 2;
        let next = match settings.port {
            0 => 0,
            port => port.saturating_add(1),
        };
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, next));
        let sink = Sink::start(next, started)
            .await
            .map_err(|source| StartError::Bind { addr, source })?;
        Ok(Self {
            sandbox,
            settings,
            started,
            sink,
            heard: Heard::default(),
        })
    }

    /// The sandbox.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// How it was started.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The environment of a subject. The secrets in it are of this sandbox
    /// alone: test credentials of a provider that lives on loopback.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let credential = self.sandbox.credential();
        let plain = |secret: &SecretString| secret.expose_secret().to_owned();
        [
            ("GOLIVE_BASE_URL", self.sandbox.base_url().to_owned()),
            ("GOLIVE_CLIENT_ID", credential.client_id.clone()),
            ("GOLIVE_CLIENT_SECRET", plain(&credential.client_secret)),
            (
                "GOLIVE_WEBHOOK_SECRET",
                plain(&self.sandbox.webhooks().secret()),
            ),
            ("GOLIVE_ALERTS_URL", self.sink.url().to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// The alerts that arrived, secrets included.
    pub(super) fn alerts(&self) -> Vec<Raw> {
        self.sink.all()
    }

    /// What hooks printed.
    pub(super) fn heard(&self) -> &Heard {
        &self.heard
    }

    /// Now, since the zero of the record.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Wall time of the zero of the record, by the wall clock as it goes now.
    ///
    /// NOTE: not kept from the start. A clock that was set meanwhile, or a machine that slept,
    /// would make an attempt look early that was not.
    pub(super) fn wall_zero(&self) -> Duration {
        wall().saturating_sub(self.started.elapsed())
    }
}

/// Wall time since the Unix epoch.
pub(super) fn wall() -> Duration {
    SystemClock
        .now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_zero_of_the_record_follows_a_wall_clock_that_was_set() {
        let provider = Provider::start(Settings::default()).await.unwrap();
        let zero = provider.wall_zero();
        // The record's clock runs on for an hour, and the wall clock does not.
        tokio::time::advance(Duration::from_secs(3_600)).await;
        let moved = zero.saturating_sub(provider.wall_zero());
        assert!(
            moved > Duration::from_secs(3_500) && moved <= Duration::from_secs(3_600),
            "{moved:?}"
        );
    }
}
