//! The client of the good integration: the paved road, as its README has it.

use std::time::Duration;

use golive::auth_refresh::client_credentials::CredentialSource;
use golive::backoff::{Backoff, reqwest_class};
use golive::telemetry::{Renewals, Telemetry};
use golive::{Client, ClientBuilder, Environment};
use opentelemetry::metrics::Meter;

use super::BoxError;

/// Attempts of one call.
const ATTEMPTS: u32 = 5;

/// A client of the provider at this URL, as whom the credentials say.
pub(super) fn builder(
    base_url: &str,
    credentials: impl CredentialSource,
    meter: &Meter,
) -> Result<ClientBuilder, BoxError> {
    let telemetry = Telemetry::builder()
        .meter(meter)
        .route("/v3/customers")
        .route("/v3/customers/{id}")
        .build()?;
    let transport = reqwest::Client::builder()
        // The provider is on loopback, where no proxy has any business.
        .no_proxy()
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(20));
    let backoff = Backoff::builder()
        .attempts(ATTEMPTS)
        .classify(reqwest_class);
    Ok(Client::builder(Environment::custom(base_url)?, credentials)
        .transport(transport)
        .backoff(backoff.build()?)
        .telemetry(&telemetry)
        .renewals(Renewals::new(meter, "provider")))
}
