//! What an attempt costs over a far end that does nothing, beside `reqwest-tracing` in the same
//! run. `cargo bench -p golive-telemetry --all-features`
//!
//! `reqwest-tracing` has no metrics; what it is set up with here is the least in which it records
//! anything at all (a registry), and what it is used for (`tracing-opentelemetry`).

#![allow(missing_docs, reason = "criterion's macros document nothing")]
#![allow(clippy::unwrap_used, reason = "a benchmark that fails should say so")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use golive_core::reqwest::{Handled, Next};
use golive_telemetry::{Builder, Telemetry};
use opentelemetry::{metrics::MeterProvider, trace::TracerProvider};
use opentelemetry_sdk::{
    metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider},
    trace::SdkTracerProvider,
};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware};
use reqwest_tracing::TracingMiddleware;
use tracing_subscriber::{layer::SubscriberExt, registry};

/// Answers at once, in place of a transport.
struct FarEnd;

impl Middleware for FarEnd {
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        _: reqwest::Request,
        _: &'b mut http::Extensions,
        _: Next<'c>,
    ) -> Handled<'d>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        Box::pin(async { Ok(http::Response::new("").into()) })
    }
}

fn client(middleware: Option<impl Middleware>) -> ClientWithMiddleware {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut builder = ClientBuilder::new(client);
    if let Some(middleware) = middleware {
        builder = builder.with(middleware);
    }
    builder.with(FarEnd).build()
}

fn ours(set: impl FnOnce(Builder) -> Builder) -> ClientWithMiddleware {
    let telemetry = set(Telemetry::builder()).build().unwrap();
    client(Some(telemetry.attempt()))
}

fn attempt(c: &mut Criterion) {
    let meters = SdkMeterProvider::builder()
        // As in service: collected once a minute, and otherwise left alone.
        .with_reader(PeriodicReader::builder(InMemoryMetricExporter::default()).build())
        .build();
    // Everything is sampled and ended; nobody exports.
    let tracers = SdkTracerProvider::default();
    let meter = meters.meter("bench");
    let route = "/v3/customers/{id}";

    let mut group = c.benchmark_group("telemetry");
    let mut bench = |name: &str, client: ClientWithMiddleware| {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.build().unwrap();
        group.bench_function(name, |b| {
            b.iter_batched(
                || {
                    let url = "https://api.example/v3/customers/cus_1".parse().unwrap();
                    reqwest::Request::new(http::Method::GET, url)
                },
                |request| {
                    runtime
                        .block_on(client.execute(black_box(request)))
                        .unwrap()
                },
                BatchSize::SmallInput,
            );
        });
    };
    bench("no-op", client(None::<FarEnd>));
    bench("golive/meter", ours(|b| b.meter(&meter).route(route)));
    bench(
        "golive/meter and tracer",
        ours(|b| b.meter(&meter).tracer(tracers.tracer("bench")).route(route)),
    );
    tracing::subscriber::with_default(registry(), || {
        let middleware = TracingMiddleware::default();
        bench("reqwest-tracing/registry", client(Some(middleware)));
    });
    let exporting = tracing_opentelemetry::layer().with_tracer(tracers.tracer("bench"));
    tracing::subscriber::with_default(registry().with(exporting), || {
        let middleware = TracingMiddleware::default();
        bench("reqwest-tracing/opentelemetry", client(Some(middleware)));
    });
    group.finish();
}

criterion_group!(benches, attempt);
criterion_main!(benches);
