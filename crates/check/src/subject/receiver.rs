//! The receiver of the good integration: the paved road, as its README has it.

use std::sync::Arc;
use std::time::Duration;

use golive::Webhooks;
use golive::telemetry::Webhooks as Recorder;
use golive::webhook_inbox::{ConfigError, Event, Store, Workers};
use golive::webhook_verify::tower::VerifierSource;
use opentelemetry::metrics::Meter;
use tower::service_fn;

use super::work::Handler;

/// How long the events of a killed integration wait for the next one: short,
/// since a run does not wait for long either. The default is 30 s.
const LEASE: Duration = Duration::from_secs(2);

/// Verified, kept, counted, and answered.
pub(super) fn webhooks<St: Store>(
    store: &Arc<St>,
    keys: impl VerifierSource,
    meter: &Meter,
) -> Result<Webhooks<St>, golive::ConfigError> {
    Webhooks::builder(Arc::clone(store), keys)
        .recorder(Recorder::new(meter, "provider"))
        .build()
}

/// The work behind the answer.
pub(super) fn workers<St: Store>(store: Arc<St>, handler: Handler) -> Result<Workers, ConfigError> {
    let handle = service_fn(move |event: Event| {
        let handler = handler.clone();
        async move { handler.handle(&event).await }
    });
    Workers::builder().lease(LEASE).spawn(store, handle)
}
