//! Customers who are stuck: fed by events, and from the list at every look.

use std::time::{Duration, SystemTime};

use golive::core::{Clock as _, SystemClock};
use golive::telemetry::{ConfigError, EntityWatch};
use opentelemetry::metrics::Meter;
use serde_json::Value;

use super::BoxError;
use super::calls::Calls;

const DAY: Duration = Duration::from_secs(86_400);
/// What a customer passes through, and how long that may take.
const STATES: [(&str, Duration); 2] = [
    ("pending_kyc", DAY.saturating_mul(2)),
    ("under_review", DAY.saturating_mul(3)),
];
/// Pages of 100 that are read of each state.
pub(super) const MAX_PAGES: usize = 1_000;
/// Customers that are reported at once.
const MAX_STUCK: usize = 1_000;

pub(super) fn watch(meter: &Meter) -> Result<EntityWatch, ConfigError> {
    let states = STATES.iter();
    let builder = EntityWatch::builder("customer");
    let watch = states.fold(builder, |b, (name, limit)| b.state(*name, *limit));
    let watch = watch.build()?;
    watch.observe(meter);
    Ok(watch)
}

/// Notes where a customer is, and since when.
pub(super) fn note(watch: &EntityWatch, customer: &Value) -> Result<(), BoxError> {
    let text = |name: &str| customer[name].as_str();
    let (Some(id), Some(status)) = (text("id"), text("status")) else {
        return Err("a customer without id or status".into());
    };
    let since = date(&customer["updated_at"]).ok_or("a customer without a date")?;
    watch.entered(id, status, since)?;
    Ok(())
}

/// Reads the list of each state to its end, at most so many pages of it, and
/// answers with the ids of those who are stuck.
pub(super) async fn look(
    calls: &Calls,
    watch: &EntityWatch,
    pages: usize,
) -> Result<Vec<String>, BoxError> {
    for (status, _) in STATES {
        let mut query = format!("status={status}&limit=100");
        for _ in 0..pages {
            let page: Value = serde_json::from_str(&calls.list(&query).await?)?;
            let customers = page["data"].as_array().ok_or("a page without data")?;
            for customer in customers {
                note(watch, customer)?;
            }
            let last = customers.last().and_then(|c| c["id"].as_str());
            match last {
                Some(last) if page["has_more"] == true => {
                    query = format!("status={status}&limit=100&starting_after={last}");
                }
                _ => break,
            }
        }
    }
    let stuck = watch.stuck(SystemClock.now(), MAX_STUCK);
    Ok(stuck.into_iter().map(|stuck| stuck.id).collect())
}

/// RFC 3339, or seconds since the Unix epoch: the provider has both.
fn date(value: &Value) -> Option<SystemTime> {
    match value {
        Value::String(text) => Some(text.parse::<jiff::Timestamp>().ok()?.into()),
        number => SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(number.as_u64()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dates_are_read_in_both_forms_and_nothing_else_is_one() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_392_000);
        assert_eq!(date(&json!("2026-11-23T00:00:00Z")), Some(at));
        assert_eq!(date(&json!(1_795_392_000)), Some(at));
        for none in [json!("yesterday"), json!(-1), json!(null)] {
            assert_eq!(date(&none), None, "{none}");
        }
    }

    #[test]
    fn who_has_moved_on_is_no_longer_stuck() {
        let watch = watch(&super::super::metrics::unread()).unwrap();
        let at = |status, secs: u64| json!({"id": "c", "status": status, "updated_at": secs});
        let now = SystemTime::UNIX_EPOCH + 10 * DAY;
        note(&watch, &at("pending_kyc", 86_400)).unwrap();
        assert_eq!(watch.stuck(now, 9).len(), 1);
        note(&watch, &at("active", 2 * 86_400)).unwrap();
        assert!(watch.stuck(now, 9).is_empty());
        assert!(note(&watch, &json!({"id": "c"})).is_err());
    }
}
