//! One event, its key, and the fingerprint of its content.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

const MAX_BYTES: usize = 256;

/// What makes an event the same event again: who sent it, and the sender's id for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKey {
    source: Arc<str>,
    id: Arc<str>,
}

/// Why a source or an id cannot be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the source and the id of an event are 1 to 256 bytes each")]
pub struct KeyError;

/// What tells whether two deliveries under one key carry the same event.
///
/// Normally the SHA-256 of the body. A provider that writes something into the body that differs
/// from attempt to attempt (a delivery id, say) needs a fingerprint of the rest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// An event as it was received.
///
/// `Debug` shows the key and the length of the body, never the body: it holds customer data.
#[derive(Clone)]
pub struct Event {
    key: EventKey,
    fingerprint: Fingerprint,
    body: Bytes,
    attempt: u32,
}

// === impl EventKey ===

impl EventKey {
    /// The key of the event that `source` calls `id`. `source` names the sender, so that the ids
    /// of two providers cannot collide.
    ///
    /// # Errors
    /// [`KeyError`] unless both are 1 to 256 bytes long.
    pub fn new(source: &str, id: &str) -> Result<Self, KeyError> {
        let fits = |text: &str| (1..=MAX_BYTES).contains(&text.len());
        if !fits(source) || !fits(id) {
            return Err(KeyError);
        }
        Ok(Self {
            source: source.into(),
            id: id.into(),
        })
    }

    /// Who sent the event.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The sender's id for the event: `webhook-id`.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.source, self.id)
    }
}

// === impl Fingerprint ===

impl Fingerprint {
    /// The SHA-256 of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// What [`as_bytes`](Self::as_bytes) gave, for a store to read back.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for a store to keep.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "Fingerprint({a:02x}{b:02x}{c:02x}{d:02x}..)")
    }
}

// === impl Event ===

impl Event {
    /// An event with the fingerprint of its whole body.
    pub fn new(key: EventKey, body: Bytes) -> Self {
        let fingerprint = Fingerprint::of(&body);
        Self::with_fingerprint(key, body, fingerprint)
    }

    /// An event with a fingerprint of one's own.
    pub fn with_fingerprint(key: EventKey, body: Bytes, fingerprint: Fingerprint) -> Self {
        Self {
            key,
            fingerprint,
            body,
            attempt: 0,
        }
    }

    /// What the event is deduplicated by.
    pub fn key(&self) -> &EventKey {
        &self.key
    }

    /// What tells the same event from another one under the same key.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The body, byte for byte as it was received.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Which attempt to handle the event this is, counted from 1; 0 before the first.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The same event at this attempt. For stores.
    #[must_use]
    pub fn at_attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("key", &self.key)
            .field("attempt", &self.attempt)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_bounded_and_never_empty() {
        let long = "x".repeat(257);
        for (source, id) in [("", "a"), ("a", ""), (&long, "a"), ("a", &long)] {
            assert_eq!(EventKey::new(source, id), Err(KeyError));
        }
        assert!(EventKey::new("a", &long[..256]).is_ok());
    }

    #[test]
    fn source_and_id_cannot_run_into_each_other() {
        assert_ne!(EventKey::new("a/b", "c"), EventKey::new("a", "b/c"));
    }

    #[test]
    fn debug_never_shows_the_body() {
        let key = EventKey::new("p", "msg_1").unwrap();
        let shown = format!("{:?}", Event::new(key, Bytes::from_static(b"canary")));
        assert!(shown.contains("msg_1") && shown.contains('6'));
        assert!(
            !shown.contains("canary") && !shown.contains("99, 97"),
            "{shown}"
        );
    }
}
