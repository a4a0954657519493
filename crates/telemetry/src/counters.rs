//! Plain recorders, for the glue between boxes that know nothing of each other.
//!
//! A reason is a `&'static str`: it comes from a program, never from the wire, so that the set is
//! bounded.

use std::{fmt, sync::Arc};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};

use crate::{
    instruments,
    names::{self, ERROR_TYPE, OUTCOME, SERVER_ADDRESS, SERVER_PORT, SOURCE},
};

/// Counts the deliveries of one sender of webhooks, in `golive.webhook.deliveries`.
///
/// ```
/// # fn verdict() -> Result<(), &'static str> { Err("mismatch") }
/// # let meter = opentelemetry::metrics::noop::NoopMeterProvider::new();
/// # let meter = &opentelemetry::metrics::MeterProvider::meter(&meter, "docs");
/// use golive_telemetry::Webhooks;
///
/// let webhooks = Webhooks::new(meter, "dinie");
/// match verdict() {
///     Ok(()) => webhooks.accepted(),
///     Err(reason) => webhooks.rejected(reason),
/// }
/// ```
#[derive(Clone)]
pub struct Webhooks {
    counter: Counter<u64>,
    source: Arc<str>,
}

/// Counts the renewals of one access token, in `golive.auth.renewals`.
#[derive(Clone)]
pub struct Renewals {
    counter: Counter<u64>,
    source: Arc<str>,
}

/// Counts the retries against one server, in `golive.client.retries`.
///
/// [`CallTelemetry`](crate::CallTelemetry) counts those of `golive-backoff` by itself; this is for
/// a retry that does not note its attempts in the `Call`.
#[derive(Clone)]
pub struct Retries {
    counter: Counter<u64>,
    server: Arc<str>,
    port: u16,
}

// === impl Webhooks ===

impl Webhooks {
    /// For one sender, by a name of the application's.
    pub fn new(meter: &Meter, source: impl Into<Arc<str>>) -> Self {
        Self {
            counter: instruments::counter(meter, names::WEBHOOK_DELIVERIES),
            source: source.into(),
        }
    }

    /// A delivery was genuine, new, and accepted.
    pub fn accepted(&self) {
        self.add("accepted", None);
    }

    /// A delivery was genuine and known already.
    pub fn duplicate(&self) {
        self.add("duplicate", None);
    }

    /// A delivery was refused for what it is: a signature that is wrong, a time that has passed.
    pub fn rejected(&self, reason: &'static str) {
        self.add("rejected", Some(reason));
    }

    /// A delivery could not be accepted for a reason of ours: the store was down or full. The
    /// sender will try again.
    pub fn failed(&self, reason: &'static str) {
        self.add("failed", Some(reason));
    }

    fn add(&self, outcome: &'static str, reason: Option<&'static str>) {
        self.counter.add(1, &labels(&self.source, outcome, reason));
    }
}

// === impl Renewals ===

impl Renewals {
    /// For one token, by a name of the application's.
    pub fn new(meter: &Meter, source: impl Into<Arc<str>>) -> Self {
        Self {
            counter: instruments::counter(meter, names::RENEWALS),
            source: source.into(),
        }
    }

    /// There is a new token.
    pub fn renewed(&self) {
        self.counter.add(1, &labels(&self.source, "renewed", None));
    }

    /// There is none.
    pub fn failed(&self, reason: &'static str) {
        let labels = labels(&self.source, "failed", Some(reason));
        self.counter.add(1, &labels);
    }
}

// === impl Retries ===

impl Retries {
    /// For one server, by its host and port.
    pub fn new(meter: &Meter, server: impl Into<Arc<str>>, port: u16) -> Self {
        Self {
            counter: instruments::counter(meter, names::RETRIES),
            server: server.into(),
            port,
        }
    }

    /// An attempt failed for this reason, and another one follows.
    pub fn retried(&self, reason: &'static str) {
        let labels = [
            KeyValue::new(SERVER_ADDRESS, Arc::clone(&self.server)),
            KeyValue::new(SERVER_PORT, i64::from(self.port)),
            KeyValue::new(ERROR_TYPE, reason),
        ];
        self.counter.add(1, &labels);
    }
}

fn labels(source: &Arc<str>, outcome: &'static str, reason: Option<&'static str>) -> Vec<KeyValue> {
    let mut labels = Vec::with_capacity(3);
    labels.push(KeyValue::new(SOURCE, Arc::clone(source)));
    labels.push(KeyValue::new(OUTCOME, outcome));
    labels.extend(reason.map(|reason| KeyValue::new(ERROR_TYPE, reason)));
    labels
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Webhooks").field(&self.source).finish()
    }
}

impl fmt::Debug for Renewals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Renewals").field(&self.source).finish()
    }
}

impl fmt::Debug for Retries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Retries").field(&self.server).finish()
    }
}
