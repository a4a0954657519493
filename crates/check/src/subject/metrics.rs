//! The page of metrics: what the OpenTelemetry SDK has, in the text format of
//! Prometheus. Yours is an exporter of OTLP or a collector.

use std::fmt::{Display, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, Metric, MetricData, ResourceMetrics, ScopeMetrics,
};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};

/// The metrics of one life.
pub(super) struct Metrics {
    pub(super) meter: Meter,
    provider: SdkMeterProvider,
    page: Page,
}

/// The page that was exported last.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<String>>);

// === impl Metrics ===

impl Metrics {
    pub(super) fn new() -> Self {
        let page = Page::default();
        let reader = PeriodicReader::builder(page.clone()).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        Self {
            meter: provider.meter("golive-check"),
            provider,
            page,
        }
    }

    /// The page of now. It waits for the thread of the reader.
    pub(super) fn page(&self) -> Result<String, OTelSdkError> {
        self.provider.force_flush()?;
        Ok(self.page.lock().clone())
    }
}

/// Meters that nobody reads.
pub(super) fn unread() -> Meter {
    SdkMeterProvider::default().meter("unread")
}

// === impl Page ===

impl Page {
    fn lock(&self) -> std::sync::MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PushMetricExporter for Page {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let mut text = String::new();
        for metric in metrics.scope_metrics().flat_map(ScopeMetrics::metrics) {
            match metric.data() {
                AggregatedMetrics::F64(data) => write(&mut text, metric, data),
                AggregatedMetrics::U64(data) => write(&mut text, metric, data),
                AggregatedMetrics::I64(data) => write(&mut text, metric, data),
            }
        }
        *self.lock() = text;
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

// === the text format ===

fn write<T: Display + Copy>(text: &mut String, metric: &Metric, data: &MetricData<T>) {
    let mut name = metric.name().replace(['.', '-'], "_");
    if metric.unit() == "s" {
        name.push_str("_seconds");
    }
    match data {
        MetricData::Gauge(gauge) => {
            declare(text, &name, "gauge");
            for point in gauge.data_points() {
                sample(text, &name, point.attributes(), point.value());
            }
        }
        MetricData::Sum(sum) => {
            let counts = sum.is_monotonic();
            if counts {
                name.push_str("_total");
            }
            declare(text, &name, if counts { "counter" } else { "gauge" });
            for point in sum.data_points() {
                sample(text, &name, point.attributes(), point.value());
            }
        }
        // Without its buckets, which nobody here asks for, it is what Prometheus calls a summary.
        MetricData::Histogram(histogram) => {
            declare(text, &name, "summary");
            for point in histogram.data_points() {
                let (count, sum) = (format!("{name}_count"), format!("{name}_sum"));
                sample(text, &count, point.attributes(), point.count());
                sample(text, &sum, point.attributes(), point.sum());
            }
        }
        // No instrument here is one.
        MetricData::ExponentialHistogram(_) => {}
    }
}

fn declare(text: &mut String, name: &str, kind: &str) {
    // A String takes whatever is written.
    let _ = writeln!(text, "# TYPE {name} {kind}");
}

fn sample<'a>(
    text: &mut String,
    name: &str,
    labels: impl Iterator<Item = &'a KeyValue>,
    value: impl Display,
) {
    let labels: Vec<String> = labels.map(label).collect();
    let _ = writeln!(text, "{name}{{{}}} {value}", labels.join(","));
}

fn label(label: &KeyValue) -> String {
    let value = label.value.as_str().replace('\\', "\\\\");
    let value = value.replace('"', "\\\"").replace('\n', "\\n");
    format!(
        "{}=\"{value}\"",
        label.key.as_str().replace(['.', '-'], "_")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Page as Read;

    #[test]
    fn the_page_has_all_that_was_recorded_as_prometheus_reads_it() {
        let metrics = Metrics::new();
        let calls = metrics.meter.u64_counter("my.calls").build();
        calls.add(2, &[KeyValue::new("http.status", 500)]);
        calls.add(1, &[KeyValue::new("odd", "a\"b\\\n")]);
        let took = metrics.meter.f64_histogram("my.duration").with_unit("s");
        took.build().record(0.5, &[]);
        let active = metrics.meter.i64_up_down_counter("active").build();
        active.add(-1, &[]);
        let page = Read::parse(&metrics.page().unwrap());
        let series: Vec<_> = page.series.iter().map(|(s, v)| (s.as_str(), *v)).collect();
        assert_eq!(
            series,
            [
                ("active{}", -1.0),
                ("my_calls_total{http_status=\"500\"}", 2.0),
                ("my_calls_total{odd=\"a\\\"b\\\\\\n\"}", 1.0),
                ("my_duration_seconds_count{}", 1.0),
                ("my_duration_seconds_sum{}", 0.5),
            ]
        );
        assert_eq!(page.counters, ["my_calls_total"]);
        calls.add(1, &[KeyValue::new("http.status", 500)]);
        let later = Read::parse(&metrics.page().unwrap());
        let risen: Vec<_> = later.risen_since(&page).collect();
        assert_eq!(risen, ["my_calls_total{http_status=\"500\"}"]);
    }
}
