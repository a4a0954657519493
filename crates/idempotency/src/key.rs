use std::{fmt, str::FromStr};

use http::HeaderValue;
use sha2::{Digest, Sha256};
use uuid::{Uuid, fmt::Hyphenated};

use crate::{InvalidKey, MintError};

/// The longest key, in bytes: what the providers that document a limit allow.
const MAX_LEN: usize = 255;

/// Sets the hashes of [`Key::derive`] apart from everybody else's. A change of it, or of what is
/// hashed after it, would change every derived key: a webhook that is redelivered after an upgrade
/// would then cause a second loan.
const DERIVE_DOMAIN: &[u8] = b"golive-idempotency/derive/v1";

/// An idempotency key: 1 to 255 visible ASCII characters.
///
/// It names one operation. Two requests that carry the same key are one operation to the server;
/// two operations must never share one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key(HeaderValue);

// === impl Key ===

impl Key {
    /// A key of the caller's choice, for instance one that was stored before the first attempt so
    /// that it survives a restart.
    ///
    /// # Errors
    /// [`InvalidKey`] unless it is 1 to 255 visible ASCII characters (`!` to `~`).
    pub fn new(key: &str) -> Result<Self, InvalidKey> {
        check(key.as_bytes())?;
        // What is visible ASCII is a header value, so this error is never seen.
        HeaderValue::from_str(key)
            .map(Self)
            .map_err(|_| InvalidKey::NotVisible { at: 0 })
    }

    /// A random key: a UUID of version 4 from the operating system's random source.
    ///
    /// # Errors
    /// [`MintError`] if the operating system has no random numbers.
    pub fn random() -> Result<Self, MintError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(MintError::new)?;
        Ok(Self::of(
            uuid::Builder::from_random_bytes(bytes).into_uuid(),
        ))
    }

    /// The key of one `step` that `parent` causes: the same parent and step always give the same
    /// key, on every machine and after every restart.
    ///
    /// With the `webhook-id` of an inbound event as the parent, an event that is handled twice
    /// sends the same keys twice, and its effects happen once.
    ///
    /// The key is a UUID of version 8 (RFC 9562 §5.8) from SHA-256. It is not a secret: who knows
    /// parent and step can compute it.
    ///
    /// ```
    /// use golive_idempotency::Key;
    ///
    /// let key = Key::derive("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "create-loan");
    /// assert_eq!(key, Key::derive("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "create-loan"));
    /// assert_ne!(key, Key::derive("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "notify"));
    /// ```
    #[must_use]
    pub fn derive(parent: impl AsRef<[u8]>, step: impl AsRef<[u8]>) -> Self {
        let mut hash = Sha256::new_with_prefix(DERIVE_DOMAIN);
        for part in [parent.as_ref(), step.as_ref()] {
            // The length in front, so that ("ab", "c") is not ("a", "bc").
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self::of(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // NOTE: visible ASCII since it was made, so there is always text.
        self.0.to_str().unwrap_or_default()
    }

    fn of(uuid: Uuid) -> Self {
        let mut text = [0; Hyphenated::LENGTH];
        let text = uuid.hyphenated().encode_lower(&mut text);
        #[allow(
            clippy::expect_used,
            reason = "hexadecimal digits and hyphens, whatever the input"
        )]
        Self(HeaderValue::from_str(text).expect("a UUID is a header value"))
    }
}

impl From<Key> for HeaderValue {
    fn from(key: Key) -> Self {
        key.0
    }
}

impl From<&Key> for HeaderValue {
    fn from(key: &Key) -> Self {
        key.0.clone()
    }
}

impl FromStr for Key {
    type Err = InvalidKey;

    fn from_str(key: &str) -> Result<Self, InvalidKey> {
        Self::new(key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.as_str()).finish()
    }
}

/// Whether this is a key.
pub(crate) fn check(key: &[u8]) -> Result<(), InvalidKey> {
    if key.is_empty() {
        return Err(InvalidKey::Empty);
    }
    if key.len() > MAX_LEN {
        return Err(InvalidKey::TooLong { length: key.len() });
    }
    match key.iter().position(|byte| !byte.is_ascii_graphic()) {
        Some(at) => Err(InvalidKey::NotVisible { at }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_1_to_255_visible_ascii_characters() {
        assert_eq!(Key::new("order-17").unwrap().as_str(), "order-17");
        assert_eq!(Key::new("!~").unwrap().to_string(), "!~");
        assert!(Key::new(&"x".repeat(255)).is_ok());
        let refused = |key: &str| Key::new(key).unwrap_err();
        assert_eq!(refused(""), InvalidKey::Empty);
        assert_eq!(
            refused(&"x".repeat(256)),
            InvalidKey::TooLong { length: 256 }
        );
        assert_eq!(refused("a b"), InvalidKey::NotVisible { at: 1 });
        assert_eq!(refused("ab\n"), InvalidKey::NotVisible { at: 2 });
        assert_eq!(refused("é"), InvalidKey::NotVisible { at: 0 });
    }

    #[test]
    fn a_random_key_is_a_uuid_of_version_4() {
        let key = Key::random().unwrap();
        let uuid = Uuid::parse_str(key.as_str()).unwrap();
        assert_eq!(uuid.get_version_num(), 4);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        assert_ne!(key, Key::random().unwrap());
    }

    // Computed apart from this crate, with Python's hashlib and uuid. These must never change.
    #[test]
    fn a_derived_key_is_the_same_in_every_release() {
        assert_eq!(
            Key::derive("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "create-loan").as_str(),
            "7aba2d48-01c9-873c-980c-94867c0dd522"
        );
        assert_eq!(
            Key::derive("", "").as_str(),
            "a3f07b4a-7f60-891a-9dc6-b43e9a6ae137"
        );
    }

    #[test]
    fn parent_and_step_cannot_be_split_another_way() {
        assert_ne!(Key::derive("ab", "c"), Key::derive("a", "bc"));
        assert_ne!(Key::derive("ab", ""), Key::derive("", "ab"));
    }
}
