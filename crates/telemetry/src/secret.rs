use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use opentelemetry::{KeyValue, metrics::Meter};

use crate::{
    names::{self, SECRET},
    observe,
    server::unix,
};

/// How many secrets have a label of their own.
const MAX_SECRETS: usize = 64;

/// When each secret was rotated and when it is due, as gauges: names and times, never a value.
///
/// It reports times and not ages, so that what was exported an hour ago is still true. Clones share
/// what they know, and it is reported for as long as one of them lives. Holds at most 64 names.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # let meter = opentelemetry::metrics::noop::NoopMeterProvider::new();
/// # let meter = &opentelemetry::metrics::MeterProvider::meter(&meter, "docs");
/// # let rotated = SystemTime::UNIX_EPOCH;
/// use golive_telemetry::SecretDates;
///
/// let dates = SecretDates::new(meter);
/// let ninety_days = Duration::from_secs(90 * 86_400);
/// assert!(dates.set("client-secret", rotated, rotated + ninety_days));
/// ```
#[derive(Clone)]
pub struct SecretDates(Arc<Mutex<Known>>);

type Known = BTreeMap<Arc<str>, Dates>;

#[derive(Clone, Copy)]
struct Dates {
    rotated: SystemTime,
    due: SystemTime,
}

// === impl SecretDates ===

impl SecretDates {
    /// Knows none, and reports those that are set from now on.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        let known = Arc::new(Mutex::default());
        observe::gauge_f64(meter, names::SECRET_ROTATED, &known, |known, report| {
            each(known, |dates| dates.rotated, report);
        });
        observe::gauge_f64(meter, names::SECRET_DUE, &known, |known, report| {
            each(known, |dates| dates.due, report);
        });
        Self(known)
    }

    /// Notes when the secret of this name was rotated, and when it has to be again. `false` if
    /// there are too many names, and nothing was noted.
    #[must_use = "a secret that was not noted raises no alarm"]
    pub fn set(&self, name: &str, rotated: SystemTime, due: SystemTime) -> bool {
        let mut known = lock(&self.0);
        if known.len() >= MAX_SECRETS && !known.contains_key(name) {
            return false;
        }
        known.insert(name.into(), Dates { rotated, due });
        true
    }

    /// Forgets a secret that is no longer in use.
    pub fn forget(&self, name: &str) {
        lock(&self.0).remove(name);
    }
}

impl fmt::Debug for SecretDates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretDates")
            .field(&lock(&self.0).keys().collect::<Vec<_>>())
            .finish()
    }
}

fn each(known: &Mutex<Known>, date: fn(&Dates) -> SystemTime, report: observe::Report<'_, f64>) {
    for (name, dates) in lock(known).iter() {
        report(
            unix(date(dates)),
            &[KeyValue::new(SECRET, Arc::clone(name))],
        );
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use opentelemetry::metrics::{MeterProvider, noop::NoopMeterProvider};

    use super::*;

    #[test]
    fn there_are_as_many_names_as_there_may_be_and_a_known_one_is_changed() {
        let dates = SecretDates::new(&NoopMeterProvider::new().meter("test"));
        let at = SystemTime::UNIX_EPOCH;
        for name in 0..MAX_SECRETS {
            assert!(dates.set(&name.to_string(), at, at));
        }
        assert!(!dates.set("one more", at, at));
        assert!(dates.set("7", at, at));
        dates.forget("7");
        assert!(dates.set("one more", at, at));
    }
}
