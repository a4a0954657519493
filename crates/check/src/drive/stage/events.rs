//! Events, the customers that they are about, and their delivery.

use std::hash::{DefaultHasher, Hash, Hasher};

use futures_util::stream::{self, StreamExt as _};
use golive_sandbox::{CustomerStatus, Event};
use serde_json::Value;

use super::Stage;
use crate::case::Forgery;
use crate::drive::provider::wall;
use crate::drive::{deliveries, record};
use crate::trace::Sent;

/// Of a type that every catalogue of the provider has.
const EVENT: &str = "customer.active";

impl Stage<'_> {
    /// The customer that the label's events are about. It exists, so that the
    /// subject can call back.
    pub(super) fn customer(&mut self, label: &'static str) -> Value {
        if let Some(customer) = self.customers.get(label) {
            return customer.clone();
        }
        let mark = self.mark(label);
        let state = self.provider.sandbox().state();
        // NOTE: null only if the provider is full, and then nothing is delivered.
        let customer = state
            .seed_customer(&mark, CustomerStatus::Active)
            .unwrap_or_default();
        if let Some(id) = customer.get("id").and_then(Value::as_str) {
            self.trace.customers.insert(label, id.to_owned());
        }
        self.customers.insert(label, customer.clone());
        customer
    }

    pub(super) fn event(&mut self, label: &'static str) -> Event {
        if let Some(event) = self.events.get(label) {
            return event.clone();
        }
        let customer = self.customer(label);
        let mark = self.mark(label);
        let event = self.new_event(customer, &mark);
        self.events.insert(label, event.clone());
        event
    }

    /// Of the same customer, so that its call-backs are found, but with an
    /// external id of its own, so that it is an event of its own.
    pub(super) fn numbered_event(&mut self, label: &'static str, n: u32) -> Event {
        let mark = format!("{}-{n}", self.mark(label));
        let mut customer = self.customer(label);
        customer["external_id"] = Value::String(mark.clone());
        self.new_event(customer, &mark)
    }

    /// NOTE: the id follows from the mark, which no other run uses. The
    /// sandbox's own ids follow from its seed, and a subject that lives longer
    /// than one run would take the events of the second for duplicates.
    fn new_event(&self, customer: Value, mark: &str) -> Event {
        let mut event = self.provider.sandbox().webhooks().event(EVENT, customer);
        event.id = format!("evt_{:016x}{:016x}", hash(mark, 1), hash(mark, 2));
        event
    }

    pub(super) async fn deliver(
        &mut self,
        label: &'static str,
        events: &[Event],
        forgery: Forgery,
        lanes: usize,
    ) {
        let Some(url) = self.webhook else { return };
        let webhooks = self.provider.sandbox().webhooks();
        let secret = webhooks.secret();
        // NOTE: a plain loop; a closure over borrowed events would make the
        // future of the whole run impossible to spawn.
        let mut sending = Vec::with_capacity(events.len());
        for event in events {
            // NOTE: fails only if the sandbox's own secret cannot sign; then
            // nothing is sent, and the judge says that a delivery is missing.
            if let Ok(delivery) = deliveries::delivery(event, forgery, &secret, wall()) {
                sending.push(webhooks.deliver(url, delivery));
            }
        }
        let sent: Vec<_> = stream::iter(sending).buffered(lanes.max(1)).collect().await;
        self.trace.deliveries.extend(sent.iter().map(|e| Sent {
            label,
            entry: record::entry(e),
        }));
    }
}

fn hash(text: &str, salt: u8) -> u64 {
    let mut hasher = DefaultHasher::new();
    (salt, text).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids_follow_from_the_mark() {
        assert_eq!(hash("m", 1), hash("m", 1));
        assert_ne!(hash("m", 1), hash("m", 2));
        assert_ne!(hash("m", 1), hash("n", 1));
    }
}
