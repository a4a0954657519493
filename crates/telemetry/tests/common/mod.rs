//! What the SDK made of what the crate recorded.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared by tests, each of which uses a part; what fails here fails the test"
)]

use std::collections::BTreeMap;

use opentelemetry::{
    KeyValue,
    metrics::{Meter, MeterProvider},
    trace::TracerProvider,
};
use opentelemetry_sdk::{
    metrics::{
        InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
        data::{AggregatedMetrics, MetricData, ScopeMetrics},
    },
    trace::{InMemorySpanExporter, SdkTracer, SdkTracerProvider, SpanData},
};

/// The real SDK, with exporters that keep everything.
pub(crate) struct Recorder {
    meters: SdkMeterProvider,
    metrics: InMemoryMetricExporter,
    tracers: SdkTracerProvider,
    spans: InMemorySpanExporter,
}

/// One point: its attributes in one line, sorted, and its value (of a histogram, the count).
pub(crate) type Point = (String, f64);

impl Recorder {
    pub(crate) fn new() -> Self {
        let metrics = InMemoryMetricExporter::default();
        let spans = InMemorySpanExporter::default();
        Self {
            meters: SdkMeterProvider::builder()
                .with_reader(PeriodicReader::builder(metrics.clone()).build())
                .build(),
            metrics,
            tracers: SdkTracerProvider::builder()
                .with_simple_exporter(spans.clone())
                .build(),
            spans,
        }
    }

    pub(crate) fn meter(&self) -> Meter {
        self.meters.meter("test")
    }

    pub(crate) fn tracer(&self) -> SdkTracer {
        self.tracers.tracer("test")
    }

    /// The spans that have ended, in the order in which they did.
    pub(crate) fn spans(&self) -> Vec<SpanData> {
        self.spans.get_finished_spans().unwrap()
    }

    /// The points of one metric, sorted.
    pub(crate) fn points(&self, name: &str) -> Vec<Point> {
        self.all().remove(name).unwrap_or_default()
    }

    /// The points of all metrics as they are now.
    pub(crate) fn all(&self) -> BTreeMap<String, Vec<Point>> {
        self.metrics.reset();
        self.meters.force_flush().unwrap();
        let mut all: BTreeMap<String, Vec<Point>> = BTreeMap::new();
        for resource in self.metrics.get_finished_metrics().unwrap() {
            for metric in resource.scope_metrics().flat_map(ScopeMetrics::metrics) {
                let mut points = match metric.data() {
                    AggregatedMetrics::F64(data) => read(data, |value| value),
                    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
                    AggregatedMetrics::U64(data) => read(data, |value| value as f64),
                    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
                    AggregatedMetrics::I64(data) => read(data, |value| value as f64),
                };
                points.sort_by(|a, b| a.0.cmp(&b.0));
                all.entry(metric.name().to_owned())
                    .or_default()
                    .extend(points);
            }
        }
        all
    }
}

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
fn read<T: Copy>(data: &MetricData<T>, number: fn(T) -> f64) -> Vec<Point> {
    match data {
        MetricData::Gauge(gauge) => gauge
            .data_points()
            .map(|point| (line(point.attributes()), number(point.value())))
            .collect(),
        MetricData::Sum(sum) => sum
            .data_points()
            .map(|point| (line(point.attributes()), number(point.value())))
            .collect(),
        MetricData::Histogram(histogram) => histogram
            .data_points()
            .map(|point| (line(point.attributes()), point.count() as f64))
            .collect(),
        MetricData::ExponentialHistogram(_) => panic!("nobody asked for one"),
    }
}

/// Attributes in one line, sorted.
pub(crate) fn line<'a>(attributes: impl IntoIterator<Item = &'a KeyValue>) -> String {
    let mut all: Vec<_> = attributes
        .into_iter()
        .map(|pair| format!("{}={}", pair.key, pair.value))
        .collect();
    all.sort();
    all.join(" ")
}
