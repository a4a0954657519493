//! Why there is no secret.

use std::{sync::Arc, time::Duration};

use crate::source::SourceError;

/// Why a handle gives no secret. It names the secret, and repeats nothing of it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// It has not been fetched yet.
    #[error("the secret `{name}` has not been fetched yet; await `ready` before the first load")]
    NotYet {
        /// Which secret.
        name: Arc<str>,
    },
    /// It could not be fetched.
    #[error("the secret `{name}` could not be fetched: {cause}")]
    Fetch {
        /// Which secret.
        name: Arc<str>,
        /// Why not, and who must act.
        #[source]
        cause: Arc<SourceError>,
    },
    /// It was fetched, but too long ago to be trusted.
    #[error(
        "the secret `{name}` could not be refreshed for {after:?} and is no longer served; last \
         reason: {cause}"
    )]
    TooOld {
        /// Which secret.
        name: Arc<str>,
        /// For how long it is served after it was fetched.
        after: Duration,
        /// Why the last refresh failed.
        #[source]
        cause: Arc<SourceError>,
    },
    /// The runtime that refreshed it has been shut down, so that nobody would notice a rotation.
    #[error(
        "the secret `{name}` is no longer refreshed: the tokio runtime of its handle was shut \
         down; make the handle in the runtime that lives longest"
    )]
    Stopped {
        /// Which secret.
        name: Arc<str>,
    },
}

impl SecretError {
    /// Whether it may come right by itself; otherwise an operator must act.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotYet { .. } => true,
            Self::Fetch { cause, .. } | Self::TooOld { cause, .. } => cause.is_transient(),
            Self::Stopped { .. } => false,
        }
    }
}
