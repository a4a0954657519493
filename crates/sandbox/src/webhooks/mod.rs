//! Webhooks: events, and their delivery with signatures, retries and every kind of forgery.

mod delivery;
mod event;
mod outbox;
mod send;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

pub use self::delivery::Delivery;
pub use self::event::Event;
pub(crate) use self::outbox::Outbox;
use crate::record::Entry;
use crate::shared::Shared;
use crate::sync::lock;

/// Makes and delivers events. Clones do it for the same sandbox.
#[derive(Clone, Debug)]
pub struct Webhooks {
    pub(crate) shared: Arc<Shared>,
}

impl Webhooks {
    /// The secret of the sandbox's own endpoint, the newest one: what an integration under test is
    /// configured with.
    pub fn secret(&self) -> SecretString {
        SecretString::from(lock(&self.shared.outbox.own).current().to_owned())
    }

    /// The secrets of the sandbox's own endpoint that sign now, newest first.
    pub fn live_secrets(&self) -> Vec<SecretString> {
        let now = self.shared.clock.now();
        lock(&self.shared.outbox.own)
            .live(now.mono)
            .into_iter()
            .map(SecretString::from)
            .collect()
    }

    /// Gives the sandbox's own endpoint a new secret, and returns it. The old one signs too until
    /// `grace` is over.
    pub fn rotate(&self, grace: Duration) -> SecretString {
        let now = self.shared.clock.now();
        let secret = self.shared.world().ids.next_webhook_secret();
        self.shared.redactor.learn_webhook_secret(&secret);
        lock(&self.shared.outbox.own).rotate(secret.clone(), grace, now.mono);
        SecretString::from(secret)
    }

    /// A new event of this type: the full envelope around `data`, with an id of its own.
    pub fn event(&self, type_: &str, data: Value) -> Event {
        self.shared.event(type_, data)
    }

    /// Posts once to `url` (any `http` one) and records it, whatever comes of it. Redirects are not
    /// followed, and nothing is retried.
    pub async fn deliver(&self, url: &str, delivery: Delivery) -> Entry {
        send::deliver(&self.shared, url, delivery).await
    }

    /// Sends an event to every registered endpoint that wants it and to the subscriber, in the
    /// background, with retries on the schedule until a 2xx. A 410 disables the endpoint.
    ///
    /// At most 1,000 deliveries wait at once; what is beyond is not sent, and recorded so.
    pub fn enqueue(&self, event: &Event) {
        outbox::enqueue(&self.shared, event);
    }

    /// From now on the sandbox's own endpoint is at `url`: what is enqueued, and every change of
    /// state, goes there too, signed with [`secret`](Self::secret).
    pub fn subscribe(&self, url: impl Into<String>) {
        *lock(&self.shared.outbox.subscriber) = Some(url.into());
    }

    /// Takes [`subscribe`](Self::subscribe) back.
    pub fn unsubscribe(&self) {
        *lock(&self.shared.outbox.subscriber) = None;
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn event(&self, type_: &str, data: Value) -> Event {
        let now = self.clock.now();
        let id = self.world().ids.next("evt_", 32);
        Event::new(id, type_, self.own_shape().date(now.unix_secs()), data)
    }

    /// Announces a change of state to who registered for it.
    pub(crate) fn emit(self: &Arc<Self>, type_: &str, data: Value) {
        let event = self.event(type_, data);
        outbox::enqueue(self, &event);
    }
}
