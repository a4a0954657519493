//! What an attempt costs that is observed, beside `reqwest-tracing`.
//!
//! Compared is what each adds to the same call without it. `reqwest-tracing` has no metrics: over a
//! bare registry it makes a span that goes nowhere, over `tracing-opentelemetry` one that an
//! exporter could take.

use std::hint::black_box;

use futures_util::FutureExt;
use golive_benches::{reqwest_face, telemetry};
use golive_gates::{Gate, Spread, in_turns, nanoseconds};
use opentelemetry::{metrics::MeterProvider, trace::TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest_middleware::ClientWithMiddleware;
use tracing::subscriber;
use tracing_subscriber::{layer::SubscriberExt, registry};

const ROUNDS: usize = 1001;
const CALLS: u32 = 200;

pub(crate) fn gates() -> Vec<Gate> {
    let meters = telemetry::meters();
    let golive = telemetry::golive(|builder| builder.meter(&meters.meter("bench")));
    let golive = golive.expect("it records");
    let bare = reqwest_face::bare();
    let pass_on = reqwest_face::stack_1();
    let rival = telemetry::reqwest_tracing();
    let tracers = SdkTracerProvider::default();
    let exporting = tracing_opentelemetry::layer().with_tracer(tracers.tracer("bench"));
    let exporting = tracing::Dispatch::new(registry().with(exporting));
    // As a program sets it, and cheaper for the rival than a default of this thread alone.
    let global = subscriber::set_global_default(registry());
    global.expect("there is no other");

    let [nothing, passed_on, ours, registry, otel] =
        in_turns(ROUNDS, |contestant| match contestant {
            0 => a_call(&bare),
            1 => a_call(&pass_on),
            2 => a_call(&golive),
            3 => a_call(&rival),
            _ => tracing::dispatcher::with_default(&exporting, || a_call(&rival)),
        });
    for (name, times) in [
        ("no middleware", &nothing),
        ("golive, a middleware that passes on", &passed_on),
        ("golive, SDK meter", &ours),
        ("reqwest-tracing, bare registry", &registry),
        ("reqwest-tracing, tracing-opentelemetry", &otel),
    ] {
        println!("  {name}: {} ns a call", Spread::of(times.iter().copied()));
    }
    // What is added, of each round; a round in which nothing was is a disturbed one.
    let added = |all: &[f64]| -> Vec<f64> {
        let rounds = all.iter().zip(&nothing);
        rounds
            .map(|(all, nothing)| (all - nothing).max(1.0))
            .collect()
    };
    let over = |rival: &[f64]| {
        let (ours, rival) = (added(&ours), added(rival));
        Spread::of(ours.iter().zip(&rival).map(|(ours, rival)| ours / rival))
    };
    vec![
        Gate::at_most(
            1.0,
            "times",
            "telemetry attempt over reqwest-tracing with tracing-opentelemetry",
            over(&otel),
        ),
        Gate::at_most(
            1.0,
            "times",
            "telemetry attempt over reqwest-tracing with a bare registry",
            over(&registry),
        ),
    ]
}

/// Nanoseconds of one call, with all that it leaves to be dropped.
fn a_call(client: &ClientWithMiddleware) -> f64 {
    let requests: Vec<_> = (0..CALLS).map(|_| telemetry::request()).collect();
    let took = nanoseconds(|| {
        for request in requests {
            let response = client.execute(black_box(request)).now_or_never();
            drop(black_box(
                response.expect("ready at once").expect("an answer"),
            ));
        }
    });
    took / f64::from(CALLS)
}
