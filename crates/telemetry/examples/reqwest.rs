//! Spans and metrics of a few requests, as an exporter gets them.
//!
//! `cargo run -p golive-telemetry --features reqwest --example telemetry-reqwest`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use golive_sandbox::Sandbox;
use golive_telemetry::Telemetry;
use http::HeaderName;
use opentelemetry::{metrics::MeterProvider, trace::TracerProvider};
use opentelemetry_sdk::{
    metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider, data::ScopeMetrics},
    trace::{InMemorySpanExporter, SdkTracerProvider},
};
use reqwest_middleware::ClientBuilder;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = Sandbox::builder().start().await?;
    // In earnest these are those of opentelemetry-otlp.
    let (metrics, spans) = (
        InMemoryMetricExporter::default(),
        InMemorySpanExporter::default(),
    );
    let meters = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(metrics.clone()).build())
        .build();
    let tracers = SdkTracerProvider::builder()
        .with_simple_exporter(spans.clone())
        .build();

    let telemetry = Telemetry::builder()
        .meter(&meters.meter("example"))
        .tracer(tracers.tracer("example"))
        .route("/v3/customers/{id}")
        .response_header(HeaderName::from_static("x-request-id"))
        .build()?;
    let client = ClientBuilder::new(reqwest::Client::builder().no_proxy().build()?)
        .with(telemetry.call())
        .with(telemetry.attempt())
        .build();

    // Without a token, so that there is an error to be seen.
    let url = format!("{}/customers/cus_1?cpf=123", sandbox.base_url());
    let answer = client.get(url).send().await?;
    println!("answered: {}", answer.status());

    for span in spans.get_finished_spans()? {
        println!("{:?} {}", span.span_kind, span.name);
        for attribute in span.attributes {
            println!("    {} = {}", attribute.key, attribute.value);
        }
    }
    meters.force_flush()?;
    for resource in metrics.get_finished_metrics()? {
        for metric in resource.scope_metrics().flat_map(ScopeMetrics::metrics) {
            println!("{} in {}", metric.name(), metric.unit());
        }
    }
    Ok(())
}
