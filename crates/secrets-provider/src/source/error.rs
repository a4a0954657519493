//! Why a source has no secret to give.

use std::{error::Error, fmt};

use crate::ValueError;

/// Why a fetch failed: what happened, and who must act.
///
/// It is made of fixed words, so that neither a secret nor the answer of a server can slip in; a
/// source of your own keeps its `cause` as clean.
#[derive(Debug)]
pub struct SourceError {
    kind: SourceErrorKind,
    detail: &'static str,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceErrorKind {
    /// There is no secret of this name, or it has no current version. The operator must create it.
    NotFound,
    /// We may not read it. The operator must grant it.
    Denied,
    /// What is stored is no secret: empty, too large, or of the wrong kind. The operator must store
    /// it again.
    Invalid,
    /// The source does not work right now. It may come back by itself.
    Unavailable,
    /// The source did not answer in time. It may come back by itself.
    Timeout,
}

// === impl SourceError ===

impl SourceError {
    /// Takes what happened, in words that are fixed in the program.
    #[must_use]
    pub fn new(kind: SourceErrorKind, detail: &'static str) -> Self {
        Self {
            kind,
            detail,
            cause: None,
        }
    }

    /// Adds the cause. It must hold no secret: it is printed with the error.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> SourceErrorKind {
        self.kind
    }

    /// Whether it may come right by itself; otherwise an operator must act.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use SourceErrorKind::{Timeout, Unavailable};
        matches!(self.kind, Unavailable | Timeout)
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail)?;
        f.write_str(match self.kind {
            SourceErrorKind::NotFound => "; create the secret, or correct its name",
            SourceErrorKind::Denied => "; grant this program the right to read it",
            SourceErrorKind::Invalid => "; store the secret again",
            SourceErrorKind::Unavailable | SourceErrorKind::Timeout => "; it is tried again",
        })
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl From<ValueError> for SourceError {
    fn from(error: ValueError) -> Self {
        let detail = match error {
            ValueError::Empty => "the secret is empty",
            ValueError::TooLarge => "the secret is too large",
        };
        Self::new(SourceErrorKind::Invalid, detail).with_cause(error)
    }
}
