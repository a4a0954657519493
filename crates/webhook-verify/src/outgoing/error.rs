//! Why a request was not signed.

use golive_core::{BoxError, ReadAheadError};

/// A request could not be signed, and was not sent.
///
/// It repeats neither the id nor the body nor a secret; what a source of ids or a body says of its
/// own failure is handed on as it came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The request carries no id in this header, and nothing here may mint one.
    #[error(
        "the request carries no {0}: set it to the id of the event, or put MessageIds above \
         whatever sends a request again"
    )]
    MissingId(&'static str),
    /// The request carries this header more than once, so nobody can tell which id is signed.
    #[error("the request carries {0} more than once: the caller must choose one id")]
    RepeatedId(&'static str),
    /// The id is one that every receiver refuses.
    #[error(
        "the id of the delivery is not 1 to 256 visible ASCII characters without a full stop (or \
         what follows the id in the scheme), so that receivers refuse it: the caller, or the \
         source of ids, must choose another"
    )]
    MalformedId,
    /// No id could be minted: whoever operates the machine, or wrote the source of ids, must act.
    #[error("no id could be made for the delivery: check the source of ids")]
    Mint(#[source] BoxError),
    /// The body is longer than allowed.
    #[error(
        "the request body is longer than the {limit} bytes that are signed: the caller must send \
         less, or the signer be set up with a higher limit"
    )]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body failed, or can be sent once only and not be looked at.
    #[error("the request body could not be read, so there is nothing to sign")]
    Body(#[source] ReadAheadError),
    /// No key of the signer signs in its scheme: whoever set it up must act.
    #[error(
        "no key of the signer signs in its scheme (ed25519 keys do in Standard Webhooks and Svix \
         alone): whoever set it up must give it another"
    )]
    Unsigned,
    /// A header line of the signature is no header value: whoever described the scheme must act.
    #[error("what was made for the header {header} is no header value: check the scheme")]
    Unsendable {
        /// The name of the header.
        header: &'static str,
    },
}

// === impl SignError ===

impl From<ReadAheadError> for SignError {
    fn from(error: ReadAheadError) -> Self {
        match error {
            ReadAheadError::TooLarge { limit } => Self::BodyTooLarge { limit },
            error => Self::Body(error),
        }
    }
}
