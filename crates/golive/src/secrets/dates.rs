//! When secrets are due, where the alarm looks.

use golive_secrets_provider::{Version, rotation::RotationPolicy};
use golive_telemetry::SecretDates;

/// Reports when a version of a secret was made, and when it is due by this policy.
///
/// `false` if its source does not know when it was made, or there are too many names: then no alarm
/// will ever be raised for it. Call it at the start, and after each change.
#[must_use = "a secret that was not noted raises no alarm"]
pub fn note_dates(
    dates: &SecretDates,
    name: &str,
    version: &Version,
    policy: &RotationPolicy,
) -> bool {
    let rotated = version.created_at();
    let due = rotated.and_then(|at| policy.due_at(at));
    match (rotated, due) {
        (Some(rotated), Some(due)) => dates.set(name, rotated, due),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use golive_secrets_provider::Value;
    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_sdk::metrics::{
        InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
        data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics},
    };

    use super::*;

    const DAY: u64 = 86_400;

    #[test]
    fn a_version_with_a_date_is_where_the_alarm_looks_and_one_without_is_reported_as_such() {
        let metrics = InMemoryMetricExporter::default();
        let meters = SdkMeterProvider::builder()
            .with_reader(PeriodicReader::builder(metrics.clone()).build())
            .build();
        let dates = SecretDates::new(&meters.meter("test"));
        let policy = RotationPolicy::default();
        let undated = Version::new("v1", Value::new("s").unwrap());
        let made = SystemTime::UNIX_EPOCH + Duration::from_secs(20_000 * DAY);
        let dated = undated.clone().with_created_at(made);
        assert!(note_dates(&dates, "dated", &dated, &policy));
        assert!(!note_dates(&dates, "undated", &undated, &policy));

        meters.force_flush().unwrap();
        let exported = metrics.get_finished_metrics().unwrap();
        let all = exported.iter().flat_map(ResourceMetrics::scope_metrics);
        let mut seen = Vec::new();
        for metric in all.flat_map(ScopeMetrics::metrics) {
            let AggregatedMetrics::F64(MetricData::Gauge(gauge)) = metric.data() else {
                panic!("{metric:?}");
            };
            let points = gauge.data_points();
            seen.extend(points.map(|point| (metric.name().to_owned(), point.value())));
        }
        seen.sort_by(|a, b| a.0.cmp(&b.0));
        let day = |n: u32| f64::from(n) * 86_400.0;
        let (due, rotated) = (
            "golive.secret.due.timestamp",
            "golive.secret.rotated.timestamp",
        );
        assert_eq!(
            seen,
            [
                (due.to_owned(), day(20_090)),
                (rotated.to_owned(), day(20_000))
            ]
        );
    }
}
