//! The memory behind `Idempotency-Key`: what was answered is answered again for 24 hours.
//!
//! Only what was carried out (2xx) is remembered. A refused request left nothing behind, so its
//! key is free again and a corrected payload may use it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::ids::sha256_hex;

/// How long a key is remembered ("Kept per (partner, key) for 24 h").
pub(crate) const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Keys held at once; beyond it new keys are refused with 503, none is forgotten to make room.
pub(crate) const CAPACITY: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Memory {
    capacity: usize,
    keys: HashMap<String, Remembered>,
    /// Keys in the order in which they end; a key that was released is skipped.
    ends: VecDeque<(Duration, String)>,
}

/// What a request with a key is told.
#[derive(Debug)]
pub(crate) enum Claim {
    /// Nobody used this key: carry on, then [`Memory::complete`] or [`Memory::release`].
    Fresh,
    /// The first request with this key is still being processed.
    InFlight,
    /// The key was used for something else.
    Mismatch,
    Replay(Stored),
    Full,
}

/// NOTE: its body may hold a secret that was shown once, so `Debug` leaves it out.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Debug)]
struct Remembered {
    fingerprint: String,
    until: Duration,
    stored: Option<Stored>,
}

impl Memory {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            keys: HashMap::new(),
            ends: VecDeque::new(),
        }
    }

    pub(crate) fn claim(&mut self, key: &str, fingerprint: &str, now: Duration) -> Claim {
        self.forget(now);
        match self.keys.get(key) {
            Some(known) if known.fingerprint != fingerprint => Claim::Mismatch,
            Some(Remembered {
                stored: Some(stored),
                ..
            }) => Claim::Replay(stored.clone()),
            Some(_) => Claim::InFlight,
            None if self.keys.len() >= self.capacity => Claim::Full,
            None => {
                let until = now + LIFETIME;
                self.ends.push_back((until, key.to_owned()));
                self.keys.insert(
                    key.to_owned(),
                    Remembered {
                        fingerprint: fingerprint.to_owned(),
                        until,
                        stored: None,
                    },
                );
                Claim::Fresh
            }
        }
    }

    pub(crate) fn complete(&mut self, key: &str, stored: Stored) {
        if let Some(known) = self.keys.get_mut(key) {
            known.stored = Some(stored);
        }
    }

    pub(crate) fn release(&mut self, key: &str) {
        self.keys.remove(key);
        // Keys that were released again and again must not pile up behind the map.
        if self.ends.len() > 2 * self.capacity.max(self.keys.len()) {
            let keys = &self.keys;
            self.ends
                .retain(|(until, key)| keys.get(key).is_some_and(|known| known.until == *until));
        }
    }

    fn forget(&mut self, now: Duration) {
        while self.ends.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((until, key)) = self.ends.pop_front()
                && self
                    .keys
                    .get(&key)
                    .is_some_and(|known| known.until == until)
            {
                self.keys.remove(&key);
            }
        }
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// The key of a request: `Idempotency-Key` or, as two SDKs write it, `X-Idempotency-Key`.
///
/// # Errors
/// What is wrong with it, for the one who sent it.
pub(crate) fn key_of(headers: &HeaderMap) -> Result<Option<String>, &'static str> {
    let mut key: Option<&[u8]> = None;
    for name in ["idempotency-key", "x-idempotency-key"] {
        for value in headers.get_all(name) {
            match key {
                Some(seen) if seen != value.as_bytes() => {
                    return Err("two different idempotency keys in one request");
                }
                _ => key = Some(value.as_bytes()),
            }
        }
    }
    let Some(key) = key else { return Ok(None) };
    match std::str::from_utf8(key) {
        Ok(text)
            if (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) =>
        {
            Ok(Some(text.to_owned()))
        }
        _ => Err("an idempotency key is 1 to 255 visible ASCII characters"),
    }
}

/// What makes two requests the same: method, route and body, byte for byte.
pub(crate) fn fingerprint(method: &str, route: &str, body: &[u8]) -> String {
    sha256_hex(format!("{method} {route} {}", sha256_hex(body)).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(body: &'static str) -> Stored {
        Stored {
            status: StatusCode::CREATED,
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn a_key_is_in_flight_then_replayed_then_forgotten_after_a_day() {
        let mut memory = Memory::new(10);
        assert!(matches!(
            memory.claim("k", "a", Duration::ZERO),
            Claim::Fresh
        ));
        assert!(matches!(
            memory.claim("k", "a", Duration::ZERO),
            Claim::InFlight
        ));
        memory.complete("k", stored("one"));
        let last = LIFETIME - Duration::from_nanos(1);
        assert!(matches!(memory.claim("k", "a", last), Claim::Replay(s) if s.body == "one"));
        assert!(matches!(memory.claim("k", "b", last), Claim::Mismatch));
        assert!(matches!(memory.claim("k", "b", LIFETIME), Claim::Fresh));
    }

    #[test]
    fn a_released_key_is_free_and_lives_its_own_full_day_when_it_is_taken_again() {
        let mut memory = Memory::new(10);
        let hour = Duration::from_secs(3600);
        memory.claim("k", "a", Duration::ZERO);
        memory.release("k");
        assert!(matches!(memory.claim("k", "b", hour), Claim::Fresh));
        memory.complete("k", stored("two"));
        assert!(
            matches!(memory.claim("k", "b", LIFETIME), Claim::Replay(_)),
            "the end of the first use is not its end"
        );
        assert!(matches!(
            memory.claim("k", "b", LIFETIME + hour),
            Claim::Fresh
        ));
    }

    #[test]
    fn a_full_memory_refuses_and_forgets_nobody() {
        let mut memory = Memory::new(1);
        memory.claim("k", "a", Duration::ZERO);
        assert!(matches!(
            memory.claim("other", "a", Duration::ZERO),
            Claim::Full
        ));
        assert!(matches!(
            memory.claim("k", "a", Duration::ZERO),
            Claim::InFlight
        ));
        for _ in 0..100 {
            memory.release("k");
            assert!(matches!(
                memory.claim("k", "a", Duration::ZERO),
                Claim::Fresh
            ));
        }
        assert!(memory.ends.len() <= 3, "{}", memory.ends.len());
    }

    #[test]
    fn both_headers_are_read_and_a_contradiction_is_refused() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs
                .iter()
                .map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()))
                .collect::<HeaderMap>()
        };
        assert_eq!(key_of(&headers(&[])), Ok(None));
        assert_eq!(
            key_of(&headers(&[("idempotency-key", "a")])),
            Ok(Some("a".to_owned()))
        );
        assert_eq!(
            key_of(&headers(&[("x-idempotency-key", "a")])),
            Ok(Some("a".to_owned()))
        );
        assert!(
            key_of(&headers(&[
                ("x-idempotency-key", "a"),
                ("idempotency-key", "b")
            ]))
            .is_err()
        );
        assert!(key_of(&headers(&[("idempotency-key", "")])).is_err());
        assert!(key_of(&headers(&[("idempotency-key", "a b")])).is_err());
    }
}
