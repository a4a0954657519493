//! What an attempt costs over a far end that does nothing, beside `reqwest-tracing` in the same
//! run. `cargo xtask bench telemetry`

#![allow(missing_docs, reason = "criterion's macros document nothing")]
#![allow(clippy::expect_used, reason = "a benchmark that fails should say so")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;
use golive_benches::{reqwest_face, telemetry};
use opentelemetry::{metrics::MeterProvider, trace::TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest_middleware::ClientWithMiddleware;
use tracing_subscriber::{layer::SubscriberExt, registry};

fn attempt(c: &mut Criterion) {
    let meters = telemetry::meters();
    let meter = meters.meter("bench");
    // Everything is sampled and ended; nobody exports.
    let tracers = SdkTracerProvider::default();
    let golive = |tracing: bool| {
        let client = telemetry::golive(|builder| match tracing {
            true => builder.meter(&meter).tracer(tracers.tracer("bench")),
            false => builder.meter(&meter),
        });
        client.expect("it records")
    };

    let mut group = c.benchmark_group("telemetry");
    let mut bench = |name: &str, client: ClientWithMiddleware| {
        group.bench_function(name, |b| {
            b.iter_batched(
                telemetry::request,
                |request| {
                    let response = client.execute(black_box(request)).now_or_never();
                    response.expect("ready at once").expect("an answer")
                },
                BatchSize::SmallInput,
            );
        });
    };
    bench("no-op", reqwest_face::bare());
    bench("golive/meter", golive(false));
    bench("golive/meter and tracer", golive(true));
    tracing::subscriber::with_default(registry(), || {
        bench("reqwest-tracing/registry", telemetry::reqwest_tracing());
    });
    let exporting = tracing_opentelemetry::layer().with_tracer(tracers.tracer("bench"));
    tracing::subscriber::with_default(registry().with(exporting), || {
        bench(
            "reqwest-tracing/opentelemetry",
            telemetry::reqwest_tracing(),
        );
    });
    group.finish();
}

criterion_group!(benches, attempt);
criterion_main!(benches);
