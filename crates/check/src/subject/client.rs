//! The client of the good integration: the paved road, as its README has it.

use std::time::Duration;

use golive::auth_refresh::client_credentials::CredentialSource;
use golive::backoff::limits::{Budget, Limits};
use golive::backoff::{Backoff, Builder as Retries, reqwest_class};
use golive::telemetry::{Renewals, Telemetry};
use golive::{Client, ClientBuilder, Environment};
use opentelemetry::metrics::Meter;

use super::BoxError;

/// Attempts of one call.
const ATTEMPTS: u32 = 4;
/// Retries that all calls together have in reserve. The checker makes the provider fail for hundreds
/// of calls in a row, to see each of them retried to its end, where the default of 100 would rightly
/// stop: in production keep that.
const RESERVE: u32 = 1_000;
/// Of an answer that is read before its call counts as done; those of the provider are smaller.
const MAX_BODY: usize = 256 * 1024;

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
    let backoff = retries()?.classify(reqwest_class);
    Ok(Client::builder(Environment::custom(base_url)?, credentials)
        .transport(transport)
        .backoff(backoff.build()?)
        .telemetry(&telemetry)
        .renewals(Renewals::new(meter, "provider")))
}

/// How its calls are retried; the transport follows no redirects, so `reqwest_class` may be added.
pub(super) fn retries() -> Result<Retries, BoxError> {
    let budget = Budget::new().reserve(RESERVE);
    let limits = Limits::builder().budget(budget).build()?;
    let retries = Backoff::builder().attempts(ATTEMPTS).limits(limits);
    Ok(retries.read_bodies(MAX_BODY))
}
