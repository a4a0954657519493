//! Customers who are stuck, fed by the provider's own list: the watch and the client together.
//!
//! `cargo run -p golive-telemetry --features tower --example telemetry-tower`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use bytes::Bytes;
use golive_core::{Clock, SystemClock, tower::Layer};
use golive_sandbox::Sandbox;
use golive_telemetry::{EntityWatch, Telemetry};
use http::Request;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, PeriodicReader, SdkMeterProvider, data::ScopeMetrics,
};
use tower::ServiceExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let sandbox = Sandbox::builder().start().await?;
    let metrics = InMemoryMetricExporter::default();
    let meters = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(metrics.clone()).build())
        .build();
    let meter = meters.meter("example");

    let http: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    let telemetry = Telemetry::builder().meter(&meter).build()?;
    let client = telemetry.attempt().layer(http);
    let request = Request::get(format!("{}/customers", sandbox.base_url()));
    let answer = client.oneshot(request.body(Full::default())?).await?;
    println!("answered: {}", answer.status());

    let day = Duration::from_secs(86_400);
    let watch = EntityWatch::builder("customer")
        .state("pending_kyc", 2 * day)
        .state("under_review", 3 * day)
        .build()?;
    watch.observe(&meter);
    let now = SystemClock.now();
    watch.entered("cus_1", "pending_kyc", now - 10 * day)?;
    watch.entered("cus_2", "under_review", now - day)?;
    for stuck in watch.stuck(now, 100) {
        println!("{} is stuck in {}", stuck.id, stuck.state);
    }

    meters.force_flush()?;
    for resource in metrics.get_finished_metrics()? {
        for metric in resource.scope_metrics().flat_map(ScopeMetrics::metrics) {
            println!("{} in {}", metric.name(), metric.unit());
        }
    }
    Ok(())
}
