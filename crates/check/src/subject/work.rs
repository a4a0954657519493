//! What is done about an event.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use golive::telemetry::EntityWatch;
use golive::webhook_inbox::{Event, Permanent};
use serde_json::Value;

use super::BoxError;
use super::calls::Calls;
use super::stuck;

/// Reads the customer's present state from the provider, notes it, and takes
/// effect.
#[derive(Clone)]
pub(super) struct Handler {
    pub(super) calls: Calls,
    pub(super) watch: EntityWatch,
    pub(super) effects: Arc<Effects>,
}

/// How often the event of each external id took effect.
#[derive(Debug, Default)]
pub(super) struct Effects(Mutex<HashMap<String, u64>>);

// === impl Handler ===

impl Handler {
    pub(super) async fn handle(&self, event: &Event) -> Result<(), BoxError> {
        // No later attempt will find other bytes there.
        let body: Value = serde_json::from_slice(event.body()).map_err(Permanent::new)?;
        self.work(&body).await
    }

    pub(super) async fn work(&self, envelope: &Value) -> Result<(), BoxError> {
        let field = |name: &str| envelope["data"][name].as_str();
        let (Some(id), Some(external_id)) = (field("id"), field("external_id")) else {
            return Ok(()); // An event about something else: kept, and nothing to do.
        };
        let customer = serde_json::from_str(&self.calls.find(id).await?)?;
        stuck::note(&self.watch, &customer)?;
        self.effects.took(external_id);
        Ok(())
    }
}

// === impl Effects ===

impl Effects {
    pub(super) fn of(&self, external_id: &str) -> u64 {
        self.lock().get(external_id).copied().unwrap_or(0)
    }

    fn took(&self, external_id: &str) {
        *self.lock().entry(external_id.to_owned()).or_insert(0) += 1;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
