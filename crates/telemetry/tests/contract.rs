//! What every middleware keeps, in both faces, with everything switched on.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use golive_telemetry::Telemetry;
use opentelemetry::{metrics::MeterProvider, trace::TracerProvider};
use opentelemetry_sdk::{
    metrics::SdkMeterProvider, propagation::TraceContextPropagator, trace::SdkTracerProvider,
};

fn telemetry() -> Telemetry {
    Telemetry::builder()
        .meter(&SdkMeterProvider::default().meter("contract"))
        .tracer(SdkTracerProvider::default().tracer("contract"))
        .propagator(TraceContextPropagator::new())
        .route("/v3/{things}")
        .build()
        .unwrap()
}

mod attempt {
    golive_testkit::contract!(crate::telemetry().attempt());
}

mod call {
    golive_testkit::contract!(crate::telemetry().call());
}
