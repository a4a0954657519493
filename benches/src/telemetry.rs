//! Clients with one middleware that observes, over a far end that answers at once.
//!
//! `reqwest-tracing` has no metrics; what it is set up with is the least in which it records
//! anything at all (a registry), or what it is used for (`tracing-opentelemetry`). That is up to the
//! subscriber, which the caller chooses.

use golive_telemetry::{Builder, ConfigError, Telemetry};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use reqwest_tracing::TracingMiddleware;

use crate::reqwest_face::NoOp;

/// The route of [`request`].
pub const ROUTE: &str = "/v3/customers/{id}";

/// A request that belongs to a route.
///
/// # Panics
/// Never: its URL is fixed.
#[must_use]
#[allow(clippy::expect_used, reason = "a URL that is written here parses")]
pub fn request() -> reqwest::Request {
    let url = "https://api.example/v3/customers/cus_1";
    let url = reqwest::Url::parse(url).expect("a URL");
    reqwest::Request::new(http::Method::GET, url)
}

/// The meters of the SDK as in service: collected once a minute, and otherwise left alone.
#[must_use]
pub fn meters() -> SdkMeterProvider {
    SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(InMemoryMetricExporter::default()).build())
        .build()
}

/// The attempt middleware, set up by the caller, with one route.
///
/// # Errors
/// What is set records nothing.
pub fn golive(set: impl FnOnce(Builder) -> Builder) -> Result<ClientWithMiddleware, ConfigError> {
    let telemetry = set(Telemetry::builder().route(ROUTE)).build()?;
    let client = ClientBuilder::new(reqwest::Client::new());
    Ok(client.with(telemetry.attempt()).with(NoOp).build())
}

/// The rival.
#[must_use]
pub fn reqwest_tracing() -> ClientWithMiddleware {
    ClientBuilder::new(reqwest::Client::new())
        .with(TracingMiddleware::default())
        .with(NoOp)
        .build()
}
