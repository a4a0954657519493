//! Signatures of version `v1a`: ed25519 (RFC 8032) over the same bytes as `v1`.
//!
//! The receiver holds nothing that a thief could sign with.

use alloc::{boxed::Box, string::String, vec, vec::Vec};
use core::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, StreamVerifier, VerifyingKey};
use zeroize::Zeroizing;

use crate::{UnixTime, limits::MAX_ASYMMETRIC_SIGNATURES, spelling};

/// 64 bytes in padded base64.
pub(crate) const TEXT_BYTES: usize = 88;
/// RFC 8410, 4: what stands before the 32 bytes of a key in its `SubjectPublicKeyInfo`.
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// The longest spelling, 64 bytes in base64, with room for white space.
const MAX_TEXT_BYTES: usize = 128;

/// A secret that was never set.
const UNSET: [u8; 32] = [0; 32];

/// The public key of a sender, for signatures of version `v1a`.
///
/// ```
/// use golive_webhook_verify::{Verifier, ed25519::PublicKey};
///
/// let key = PublicKey::from_whpk("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=")?;
/// let verifier = Verifier::builder().public_key(key.with_id("2026-10")).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct PublicKey {
    key: Box<VerifyingKey>,
    id: Option<Box<str>>,
    not_after: Option<UnixTime>,
}

/// The secret key of a sender, for [`Signer::ed25519`](crate::Signer::ed25519). `Debug` shows
/// nothing of it, and it is wiped on drop.
#[derive(Clone)]
pub struct SecretKey(Box<SigningKey>);

/// Why an ed25519 key was refused. It never repeats any part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ed25519Error {
    /// A public key does not start with `whpk_`.
    #[error("the webhook public key does not start with whpk_")]
    MissingPublicPrefix,
    /// A secret key does not start with `whsk_`.
    #[error("the webhook signing key does not start with whsk_")]
    MissingSecretPrefix,
    /// This is the key to sign with (`whsk_`): the receiver should not have it.
    #[error(
        "this is the signing key (whsk_), which the sender keeps; configure the public one (whpk_)"
    )]
    Secret,
    /// What follows the prefix is not standard base64.
    #[error("the webhook key is not standard base64; copy it again from the provider")]
    NotBase64,
    /// It has not the length of any spelling of such a key.
    #[error("the webhook key has {bytes} bytes, which is no spelling of an ed25519 key")]
    Length {
        /// How many bytes it has after decoding.
        bytes: usize,
    },
    /// The bytes are no point of the curve, or a key with which anyone could sign.
    #[error("the webhook key is no usable ed25519 key; copy it again from the provider")]
    Invalid,
    /// The public half that a signing key carries is not that of its secret half.
    #[error("the two halves of the webhook signing key do not belong together")]
    Halves,
}

/// Ed25519 verifications that grow with their message.
pub(crate) struct Streams(Vec<(usize, StreamVerifier)>);

// === impl PublicKey ===

impl PublicKey {
    /// Reads a key as the provider shows it: `whpk_` and base64, padded or not, of the 32 bytes or
    /// of the 44 bytes of a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// An [`Ed25519Error`].
    pub fn from_whpk(text: &str) -> Result<Self, Ed25519Error> {
        let text = text.trim_ascii();
        if text.starts_with("whsk_") {
            return Err(Ed25519Error::Secret);
        }
        let text = text.strip_prefix("whpk_");
        Self::from_bytes(&decode(text.ok_or(Ed25519Error::MissingPublicPrefix)?)?)
    }

    /// Takes the 32 bytes of the key, or the 44 bytes of its `SubjectPublicKeyInfo` (RFC 8410).
    ///
    /// # Errors
    /// [`Ed25519Error::Length`] for another length, [`Ed25519Error::Invalid`] if it is no point of the
    /// curve, one of small order, or that of a secret of zeros: for these anyone can sign.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Ed25519Error> {
        // By its length, since a key may begin with any bytes.
        let raw = match bytes.len() {
            32 => bytes,
            _ => bytes.strip_prefix(&SPKI).unwrap_or(bytes),
        };
        let raw = raw
            .try_into()
            .map_err(|_| Ed25519Error::Length { bytes: bytes.len() })?;
        let key = VerifyingKey::from_bytes(raw).map_err(|_| Ed25519Error::Invalid)?;
        if key.is_weak() || key == SigningKey::from_bytes(&UNSET).verifying_key() {
            return Err(Ed25519Error::Invalid);
        }
        Ok(Self {
            key: Box::new(key),
            id: None,
            not_after: None,
        })
    }

    /// Names the key, so that an operator sees which one still matches.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<Box<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Ends the key: it matches nothing that is received after `end`.
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

    pub(crate) fn is_usable(&self, now: UnixTime) -> bool {
        self.not_after.is_none_or(|end| now <= end)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("id", &self.id)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

// === impl SecretKey ===

impl SecretKey {
    /// Reads a key as the provider shows it: `whsk_` and base64, padded or not, of 32 or 64 bytes.
    ///
    /// # Errors
    /// An [`Ed25519Error`].
    pub fn from_whsk(text: &str) -> Result<Self, Ed25519Error> {
        let text = text.trim_ascii().strip_prefix("whsk_");
        Self::from_bytes(&decode(text.ok_or(Ed25519Error::MissingSecretPrefix)?)?)
    }

    /// Takes the 32 bytes of the secret half, or those and the 32 of the public half.
    ///
    /// # Errors
    /// [`Ed25519Error::Length`] for another length, [`Ed25519Error::Halves`] if the halves do not
    /// belong together, [`Ed25519Error::Invalid`] for zeros, with which anyone can sign.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Ed25519Error> {
        let key = match bytes.try_into() {
            Ok(both) => SigningKey::from_keypair_bytes(both).map_err(|_| Ed25519Error::Halves)?,
            Err(_) => SigningKey::from_bytes(
                bytes
                    .try_into()
                    .map_err(|_| Ed25519Error::Length { bytes: bytes.len() })?,
            ),
        };
        if key.as_bytes() == &UNSET {
            return Err(Ed25519Error::Invalid);
        }
        Ok(Self(Box::new(key)))
    }

    /// The public half, for the receiver.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey {
            key: Box::new(self.0.verifying_key()),
            id: None,
            not_after: None,
        }
    }

    /// The signature as text.
    pub(crate) fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").finish_non_exhaustive()
    }
}

// === impl Streams ===

impl Streams {
    /// One for each key, which comes with its index, and each well-formed signature. Those of the
    /// first key come first, so that it is the one that is named, whatever the order of the list.
    pub(crate) fn new<'k>(
        texts: impl Iterator<Item = &'k [u8]>,
        keys: &(impl Iterator<Item = (usize, &'k PublicKey)> + Clone),
    ) -> Self {
        let mut signatures = [None; MAX_ASYMMETRIC_SIGNATURES];
        for (place, text) in signatures.iter_mut().zip(texts) {
            *place = signature(text);
        }
        let pairs = keys.clone().flat_map(|(at, key)| {
            let signatures = signatures.iter().flatten();
            signatures.filter_map(move |signature| {
                let stream = key.key.verify_stream(signature).ok()?;
                Some((at, stream))
            })
        });
        Self(pairs.collect())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for (_, stream) in &mut self.0 {
            stream.update(bytes);
        }
    }

    /// The index of a key that signed the message, of those that are `usable`.
    pub(crate) fn finish(self, usable: impl Fn(&usize) -> bool) -> Option<usize> {
        let mut streams = self.0.into_iter().filter(|(index, _)| usable(index));
        streams.find_map(|(index, stream)| stream.finalize_and_verify().ok().map(|()| index))
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Streams").field(&self.0.len()).finish()
    }
}

/// Strict: padded, no stray bits. The signature is public, so the time that this takes tells nothing.
fn signature(text: &[u8]) -> Option<Signature> {
    // The decoder wants room for a whole group.
    let mut bytes = [0; TEXT_BYTES / 4 * 3];
    let len = STANDARD.decode_slice(text, &mut bytes).ok()?;
    Signature::from_slice(bytes.get(..len)?).ok()
}

fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, Ed25519Error> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Ed25519Error::Length {
            bytes: text.len() / 4 * 3,
        });
    }
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    let len = spelling::LENIENT
        .decode_slice(text, &mut bytes)
        .map_err(|_| Ed25519Error::NotBase64)?;
    bytes.truncate(len);
    Ok(bytes)
}
