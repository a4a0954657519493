//! One shared secret, kept as a prepared HMAC state.

use alloc::{boxed::Box, vec};
use core::fmt;

use base64::Engine as _;
use zeroize::Zeroizing;

use crate::{UnixTime, mac::Midstates, spelling};

/// Below this a key can be guessed with effort; the standard itself asks for 24 to 64 bytes.
const MIN_BYTES: usize = 16;
/// Far above the 64 bytes of the standard; a longer "key" is a wrong file.
const MAX_BYTES: usize = 1024;

/// A webhook secret, ready to hash with.
///
/// The secret itself is not kept: only the HMAC states that were prepared from it, which are wiped
/// when the key is dropped. `Debug` shows the id and never the secret.
///
/// ```
/// use golive_webhook_verify::Key;
///
/// let key = Key::from_whsec("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?.with_id("2026-10");
/// assert_eq!(key.id(), Some("2026-10"));
/// # Ok::<(), golive_webhook_verify::KeyError>(())
/// ```
#[derive(Clone)]
pub struct Key {
    /// Boxed, so that a key that moves (a `Vec` of keys that grows) leaves no copy of it behind.
    midstates: Box<Midstates>,
    id: Option<Box<str>>,
    not_after: Option<UnixTime>,
}

/// Why a secret was refused. It never repeats any part of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The secret is empty or all zeros, so that anyone could sign with it.
    #[error(
        "the webhook secret is empty or all zeros: anyone could sign with it; configure the real \
         secret"
    )]
    Empty,
    /// The secret has fewer than 16 bytes.
    #[error(
        "the webhook secret has {bytes} bytes, at least 16 are needed; ask the provider for a \
         longer one, or accept it by name with Key::from_short_bytes"
    )]
    TooShort {
        /// How many bytes the secret has after decoding.
        bytes: usize,
    },
    /// The secret has more than 1024 bytes.
    #[error("the webhook secret has more than 1024 bytes: this is probably not the secret")]
    TooLong,
    /// The secret does not start with `whsec_`.
    #[error("the webhook secret does not start with whsec_; use Key::from_base64 for a bare one")]
    MissingPrefix,
    /// The secret is an ed25519 key (`whpk_` or `whsk_`), which belongs to signatures `v1a`.
    #[error("this is an ed25519 key of the v1a scheme, not an HMAC secret (whsec_)")]
    Asymmetric,
    /// What follows the prefix is not standard base64.
    #[error("the webhook secret is not standard base64; copy it again from the provider")]
    NotBase64,
}

// === impl Key ===

impl Key {
    /// Reads a secret as Standard Webhooks shows it: `whsec_` and base64, padded or not.
    ///
    /// Not for Stripe, whose `whsec_…` is a text: see [`from_text`](Self::from_text). White space around
    /// it is ignored, because files tend to end in a line feed.
    ///
    /// # Errors
    /// [`KeyError::MissingPrefix`], [`KeyError::Asymmetric`], [`KeyError::NotBase64`], and as
    /// [`from_bytes`](Self::from_bytes).
    pub fn from_whsec(secret: &str) -> Result<Self, KeyError> {
        let secret = secret.trim_ascii();
        if secret.starts_with("whpk_") || secret.starts_with("whsk_") {
            return Err(KeyError::Asymmetric);
        }
        if secret.is_empty() {
            return Err(KeyError::Empty);
        }
        Self::from_base64(
            secret
                .strip_prefix("whsec_")
                .ok_or(KeyError::MissingPrefix)?,
        )
    }

    /// Reads a secret in bare base64 of the standard alphabet, padded or not.
    ///
    /// # Errors
    /// [`KeyError::NotBase64`], and as [`from_bytes`](Self::from_bytes).
    pub fn from_base64(secret: &str) -> Result<Self, KeyError> {
        let secret = secret.trim_ascii();
        if secret.len() > MAX_BYTES.div_ceil(3) * 4 {
            return Err(KeyError::TooLong);
        }
        // Exactly sized up front: a buffer that grew would leave copies of the secret behind.
        let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(secret.len())]);
        let len = spelling::LENIENT
            .decode_slice(secret, &mut bytes)
            .map_err(|_| KeyError::NotBase64)?;
        Self::from_bytes(bytes.get(..len).unwrap_or_default())
    }

    /// Takes the secret to the letter: the text itself is the key, as with GitHub, Shopify, Slack,
    /// Square and Stripe.
    ///
    /// White space around it is ignored, because files tend to end in a line feed.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes).
    pub fn from_text(secret: &str) -> Result<Self, KeyError> {
        Self::from_bytes(secret.trim_ascii().as_bytes())
    }

    /// Takes the secret as raw bytes, of which Standard Webhooks asks for 24 to 64.
    ///
    /// # Errors
    /// [`KeyError::Empty`] for nothing or only zeros, [`KeyError::TooShort`] under 16 bytes,
    /// [`KeyError::TooLong`] over 1024 bytes.
    pub fn from_bytes(secret: &[u8]) -> Result<Self, KeyError> {
        let key = Self::prepare(secret)?;
        match secret.len() {
            bytes @ ..MIN_BYTES => Err(KeyError::TooShort { bytes }),
            _ => Ok(key),
        }
    }

    /// Takes a secret of 1 to 15 bytes too, for a provider that gives nothing better.
    ///
    /// Such a key may be guessed from one recorded delivery.
    ///
    /// # Errors
    /// [`KeyError::Empty`] for nothing or only zeros, [`KeyError::TooLong`] over 1024 bytes.
    pub fn from_short_bytes(secret: &[u8]) -> Result<Self, KeyError> {
        Self::prepare(secret)
    }

    /// Names the key, so that an operator sees which one still matches. The name is not secret.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<Box<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Ends the key: it matches nothing that is received after `end`. For the old secret of a
    /// rotation.
    #[must_use]
    pub fn with_not_after(mut self, end: impl Into<UnixTime>) -> Self {
        self.not_after = Some(end.into());
        self
    }

    /// The name given by [`with_id`](Self::with_id).
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The end given by [`with_not_after`](Self::with_not_after).
    pub fn not_after(&self) -> Option<UnixTime> {
        self.not_after
    }

    #[inline]
    pub(crate) fn is_usable(&self, now: UnixTime) -> bool {
        self.not_after.is_none_or(|end| now <= end)
    }

    #[inline]
    pub(crate) fn midstates(&self) -> &Midstates {
        &self.midstates
    }

    fn prepare(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() > MAX_BYTES {
            return Err(KeyError::TooLong);
        }
        // RFC 2104, 2: "append zeros to the end of K to create a B byte string". So zeros are the
        // empty key, and what is signed with the one is accepted under the other.
        if secret.iter().all(|&byte| byte == 0) {
            return Err(KeyError::Empty);
        }
        Ok(Self {
            midstates: Box::new(Midstates::new(secret)),
            id: None,
            not_after: None,
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use golive_sha256_lanes::Kernel;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use sha2::Sha256;

    use super::*;
    use crate::mac::macs;

    const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn tag(key: &Key) -> [u8; 32] {
        let [mac] = macs(Kernel::detect(), [key.midstates()], [].into_iter(), b"body");
        mac
    }

    #[test]
    fn every_spelling_of_a_secret_is_the_same_key() {
        let key = Key::from_bytes(&[7; 32]).unwrap();
        let padded = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
        let bare = padded.trim_end_matches('=');
        for text in [padded, bare] {
            assert_eq!(tag(&Key::from_base64(text).unwrap()), tag(&key));
            assert_eq!(
                tag(&Key::from_whsec(&format!("whsec_{text}\n")).unwrap()),
                tag(&key)
            );
        }
    }

    #[test]
    fn an_empty_secret_is_refused_in_every_spelling() {
        for text in ["", "  \n", "whsec_", "whsec_\n"] {
            assert_eq!(
                Key::from_whsec(text).unwrap_err(),
                KeyError::Empty,
                "{text:?}"
            );
        }
        assert_eq!(Key::from_base64("").unwrap_err(), KeyError::Empty);
        assert_eq!(Key::from_bytes(b"").unwrap_err(), KeyError::Empty);
        assert_eq!(Key::from_short_bytes(b"").unwrap_err(), KeyError::Empty);
    }

    #[test]
    fn zeros_are_refused_because_hmac_takes_them_for_the_empty_key() {
        // What a forger signs who guesses that the secret was never set.
        let empty = Hmac::<Sha256>::new_from_slice(b"").unwrap();
        let zeros = Hmac::<Sha256>::new_from_slice(&[0; 32]).unwrap();
        assert_eq!(empty.finalize().into_bytes(), zeros.finalize().into_bytes());
        for len in [1, 15, 16, 32, 64, 65, 1024] {
            let secret = vec![0; len];
            assert_eq!(Key::from_bytes(&secret).unwrap_err(), KeyError::Empty);
            assert_eq!(Key::from_short_bytes(&secret).unwrap_err(), KeyError::Empty);
        }
        let text = format!("whsec_{}", "A".repeat(32));
        assert_eq!(Key::from_whsec(&text).unwrap_err(), KeyError::Empty);
        let mut almost = [0; 32];
        almost[31] = 1;
        assert!(Key::from_bytes(&almost).is_ok());
    }

    #[test]
    fn a_key_that_moves_leaves_no_copy_of_its_states_behind() {
        let place = |key: &Key| core::ptr::from_ref(key.midstates()).addr();
        let key = Key::from_bytes(&[1; 16]).unwrap();
        let before = place(&key);
        let mut keys = vec![key];
        keys.extend((2..9).map(|seed| Key::from_bytes(&[seed; 16]).unwrap()));
        assert_eq!(place(&keys.into_boxed_slice()[0]), before);
    }

    #[test]
    fn a_text_is_the_key_itself() {
        let text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let key = Key::from_text(&format!(" {text}\n")).unwrap();
        assert_eq!(tag(&key), tag(&Key::from_bytes(text.as_bytes()).unwrap()));
        assert_ne!(tag(&key), tag(&Key::from_whsec(text).unwrap()));
        assert_eq!(Key::from_text(" \n").unwrap_err(), KeyError::Empty);
    }

    #[test]
    fn a_short_secret_is_taken_only_by_name() {
        assert_eq!(
            Key::from_bytes(&[1; 15]).unwrap_err(),
            KeyError::TooShort { bytes: 15 }
        );
        assert!(Key::from_bytes(&[1; 16]).is_ok());
        assert!(Key::from_short_bytes(&[1]).is_ok());
    }

    #[test]
    fn what_is_not_an_hmac_secret_is_named_as_such() {
        let err = |text| Key::from_whsec(text).unwrap_err();
        assert_eq!(err(SECRET), KeyError::MissingPrefix);
        assert_eq!(err("whpk_AAAA"), KeyError::Asymmetric);
        assert_eq!(err("whsk_AAAA"), KeyError::Asymmetric);
        assert_eq!(err("whsec_not base64"), KeyError::NotBase64);
        assert_eq!(err("whsec_____"), KeyError::NotBase64);
        assert_eq!(
            err(&format!("whsec_{}", "A".repeat(1 << 20))),
            KeyError::TooLong
        );
        assert_eq!(Key::from_bytes(&[1; 1025]).unwrap_err(), KeyError::TooLong);
    }

    #[test]
    fn debug_and_errors_never_show_the_secret() {
        let key = Key::from_whsec(&format!("whsec_{SECRET}"))
            .unwrap()
            .with_id("october");
        let shown = format!("{key:?} {:?}", Key::from_whsec(SECRET).unwrap_err());
        assert!(shown.contains("october"));
        assert!(!shown.contains("MfKQ"), "{shown}");
        assert!(!shown.contains("49, 242"), "{shown}");
    }

    #[test]
    fn a_key_ends_after_its_last_second() {
        let key = Key::from_bytes(&[1; 16]).unwrap().with_not_after(100);
        assert!(key.is_usable(UnixTime::from_secs(100)));
        assert!(!key.is_usable(UnixTime::from_secs(101)));
    }
}
