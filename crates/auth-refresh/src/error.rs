use std::{error::Error, fmt, sync::Arc, time::Duration};

use crate::source::TokenError;

/// There is no token to send: what callers get, through [`Own`](golive_core::Own).
///
/// Cheap to clone, since all that wait for one renewal get the same.
#[derive(Clone, Debug)]
pub struct AuthError {
    cause: Arc<TokenError>,
    retry_in: Option<Duration>,
}

// === impl AuthError ===

impl AuthError {
    pub(crate) fn new(cause: Arc<TokenError>, retry_in: Option<Duration>) -> Self {
        Self { cause, retry_in }
    }

    /// Why.
    #[must_use]
    pub fn cause(&self) -> &TokenError {
        &self.cause
    }

    /// When a token is asked for again at the earliest, if that is known.
    #[must_use]
    pub fn retry_in(&self) -> Option<Duration> {
        self.retry_in
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no access token to send")?;
        match self.retry_in {
            Some(wait) => write!(f, "; one is asked for again in {wait:.1?} at the earliest"),
            None => Ok(()),
        }
    }
}

impl Error for AuthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The error itself and not the `Arc`, which no downcast would find.
        Some(&*self.cause)
    }
}
