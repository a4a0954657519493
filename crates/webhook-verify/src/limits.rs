//! What a receiver puts up with.

/// The bounds of a verifier; `VerifierBuilder` documents and sets them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// In both directions; `None` accepts any time.
    pub(crate) tolerance_secs: Option<u64>,
    pub(crate) max_body_bytes: usize,
    /// With a label that is known.
    pub(crate) max_signatures: usize,
    /// All lines of the signature header together.
    pub(crate) max_signature_bytes: usize,
}

/// A longer id is no id.
pub(crate) const MAX_ID_BYTES: usize = 256;
/// Twelve digits reach the year 33658, and stop milliseconds (thirteen digits) at the door.
pub(crate) const MAX_TIMESTAMP_DIGITS: usize = 12;
/// Lines of the signature header: one is usual, and a proxy may have split it.
pub(crate) const MAX_SIGNATURE_LINES: usize = 4;
/// In one verifier: a rotation needs two.
pub(crate) const MAX_KEYS: usize = 8;
/// Of all keys, since each costs, for each signature, a scalar multiplication, tens of microseconds,
/// and a pass of SHA-512 over the message: RFC 8032, 5.1.7, hashes R and the key before it.
#[cfg(feature = "ed25519")]
pub(crate) const MAX_PUBLIC_KEYS: usize = 2;
/// One for each of two keys in overlap, and as many again.
#[cfg(feature = "ed25519")]
pub(crate) const MAX_ASYMMETRIC_SIGNATURES: usize = 4;

impl Limits {
    pub(crate) const DEFAULT: Self = Self {
        tolerance_secs: Some(300),
        max_body_bytes: 1024 * 1024,
        // Two secrets in overlap, in two schemes, make four.
        max_signatures: 32,
        max_signature_bytes: 4096,
    };
}
