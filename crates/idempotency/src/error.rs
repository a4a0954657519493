use golive_core::BoxError;

/// What was given as an idempotency key is none.
///
/// If the request carried it, nothing was sent: whoever chose the key must choose another. The
/// message never repeats what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// It is empty.
    #[error("the idempotency key is empty: the caller must choose one, or leave the header out")]
    Empty,
    /// It is longer than 255 bytes.
    #[error(
        "the idempotency key is {length} bytes long, at most 255 are allowed: the caller must \
         choose a shorter one"
    )]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It contains something else than visible ASCII: a space, a control character, an accent.
    #[error(
        "byte {at} of the idempotency key is not visible ASCII: the caller must choose another key"
    )]
    NotVisible {
        /// The first such byte, counted from 0.
        at: usize,
    },
    /// The request carries two keys that differ, so nobody can tell which one holds.
    #[error("the request carries two different idempotency keys: the caller must choose one")]
    Ambiguous,
}

/// No key could be made, and nothing was sent without one.
///
/// Whoever operates the machine must act: its source of random numbers, or the one that was
/// configured with [`Builder::mint_with`](crate::Builder::mint_with), failed.
#[derive(Debug, thiserror::Error)]
#[error("no idempotency key could be made, so the request was not sent: check the source of keys")]
pub struct MintError {
    source: BoxError,
}

// === impl MintError ===

impl MintError {
    /// The reason why there is no key.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self {
            source: source.into(),
        }
    }
}
