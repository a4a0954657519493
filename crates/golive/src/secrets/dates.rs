//! When secrets are due, where the alarm looks.

use golive_secrets_provider::{Handle, SecretError, Version, rotation::RotationPolicy};
use golive_telemetry::SecretDates;

/// Reports when a version of a secret was made, and when it is due by this policy.
///
/// `false` if its source does not know when it was made, or there are too many names: then no alarm
/// will ever be raised for it. [`follow_dates`] does this at the start and after each change.
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

/// Reports the dates of a secret, under the name that its handle has, now and after each rotation.
/// Spawn it: it goes on for as long as it is polled, and keeps the handle at work.
///
/// A version whose date is not known takes back what was reported of the one before.
///
/// It ends with [`SecretError::Stopped`], when the runtime of the handle has.
pub async fn follow_dates(
    dates: SecretDates,
    handle: Handle,
    policy: RotationPolicy,
) -> SecretError {
    let mut seen = 0;
    loop {
        let snapshot = match handle.changed_since(seen).await {
            Ok(snapshot) => snapshot,
            Err(stopped) => return stopped,
        };
        seen = snapshot.generation();
        if !note_dates(&dates, handle.name(), snapshot.current(), &policy) {
            dates.forget(handle.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use golive_secrets_provider::{Value, Versions, source::MemorySource};
    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_sdk::metrics::{
        InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
        data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics},
    };

    use super::*;

    const DAY: u64 = 86_400;

    /// The gauges of `golive.secret.*` by metric and secret, in days.
    struct Reported(SdkMeterProvider, InMemoryMetricExporter);

    impl Reported {
        fn new() -> (Self, SecretDates) {
            let metrics = InMemoryMetricExporter::default();
            let meters = SdkMeterProvider::builder()
                .with_reader(PeriodicReader::builder(metrics.clone()).build())
                .build();
            let dates = SecretDates::new(&meters.meter("test"));
            (Self(meters, metrics), dates)
        }

        fn now(&self) -> Vec<(String, f64)> {
            self.1.reset();
            self.0.force_flush().unwrap();
            let exported = self.1.get_finished_metrics().unwrap();
            let all = exported.iter().flat_map(ResourceMetrics::scope_metrics);
            let mut seen = Vec::new();
            for metric in all.flat_map(ScopeMetrics::metrics) {
                let AggregatedMetrics::F64(MetricData::Gauge(gauge)) = metric.data() else {
                    panic!("{metric:?}");
                };
                for point in gauge.data_points() {
                    let names = point.attributes().map(|label| label.value.to_string());
                    let what = format!("{} {}", metric.name(), names.collect::<String>());
                    seen.push((what, point.value() / 86_400.0));
                }
            }
            seen.sort_by(|a, b| a.0.cmp(&b.0));
            seen
        }
    }

    fn made(id: &str, day: u64) -> Version {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(day * DAY);
        undated(id).with_created_at(at)
    }

    fn undated(id: &str) -> Version {
        Version::new(id, Value::new("s").unwrap())
    }

    fn expected(name: &str, rotated: u32, due: u32) -> Vec<(String, f64)> {
        vec![
            (format!("golive.secret.due.timestamp {name}"), due.into()),
            (
                format!("golive.secret.rotated.timestamp {name}"),
                rotated.into(),
            ),
        ]
    }

    #[test]
    fn a_version_with_a_date_is_where_the_alarm_looks_and_one_without_is_reported_as_such() {
        let (reported, dates) = Reported::new();
        let policy = RotationPolicy::default();
        assert!(note_dates(&dates, "dated", &made("v1", 20_000), &policy));
        assert!(!note_dates(&dates, "undated", &undated("v1"), &policy));
        assert_eq!(reported.now(), expected("dated", 20_000, 20_090));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rotation_moves_the_date_and_one_without_a_date_takes_it_back() {
        let (reported, dates) = Reported::new();
        let source = MemorySource::new();
        source.set("pair", Versions::new(made("v1", 20_000)));
        let handle = Handle::builder(source.clone(), "pair").build().unwrap();
        let following = follow_dates(dates, handle.clone(), RotationPolicy::default());
        let following = tokio::spawn(following);

        handle.ready().await.unwrap();
        settle().await;
        assert_eq!(reported.now(), expected("pair", 20_000, 20_090));
        source.rotate("pair", made("v2", 20_080));
        handle.refresh().await.unwrap();
        settle().await;
        assert_eq!(reported.now(), expected("pair", 20_080, 20_170));
        source.rotate("pair", undated("v3"));
        handle.refresh().await.unwrap();
        settle().await;
        assert_eq!(reported.now(), []);
        assert!(!following.is_finished());
    }

    /// Lets every task that can go on do so.
    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
}
