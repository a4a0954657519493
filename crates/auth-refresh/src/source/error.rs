use std::{fmt, time::Duration};

use golive_core::BoxError;
use http::StatusCode;

use crate::client_credentials::CredentialError;

/// Why one token could not be fetched. No variant holds a secret or the body of an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The server refuses these credentials or this request (RFC 6749 §5.2). Asking again does not
    /// help; the operator must act.
    #[error("the token endpoint refused with {} {code}: {}", status.as_u16(), code.who_must_act())]
    Refused {
        /// The status.
        status: StatusCode,
        /// What it said.
        code: ErrorCode,
    },
    /// The server cannot answer now: 408, 425, 429 or 5xx.
    #[error("the token endpoint is unavailable ({}): it is asked again later", status.as_u16())]
    Unavailable {
        /// The status.
        status: StatusCode,
        /// How long it asked to wait.
        retry_after: Option<Duration>,
    },
    /// The answer is none of a token endpoint: a redirect, a 404.
    #[error("the token endpoint answered {}: check its URL", status.as_u16())]
    Unexpected {
        /// The status.
        status: StatusCode,
    },
    /// A success without a token that can be used.
    #[error("the token endpoint answered with success but without a usable token: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The answer is longer than any token response.
    #[error("the token endpoint's answer is longer than {limit} bytes: check its URL")]
    TooLarge {
        /// What is read at most, in bytes.
        limit: usize,
    },
    /// There was no answer in time.
    #[error("the token endpoint did not answer in time: it is asked again later")]
    Timeout,
    /// There was no answer.
    #[error("the token endpoint could not be reached")]
    Transport(#[source] BoxError),
    /// There are no credentials to ask with.
    #[error("no token was asked for: it is tried again later")]
    Credentials(#[from] CredentialError),
    /// The task that fetched ended without a result: it panicked, or its runtime was shut down.
    #[error("the token renewal was aborted: its task panicked or its runtime was shut down")]
    Aborted,
    /// There is no tokio runtime to renew on.
    #[error("tokens are renewed on a task of their own: call this inside a tokio runtime")]
    NoRuntime,
}

/// The `error` of a refusal (RFC 6749 §5.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// `invalid_request`.
    InvalidRequest,
    /// `invalid_client`, and a 401 that names no code: the credentials are unknown or revoked.
    InvalidClient,
    /// `invalid_grant`.
    InvalidGrant,
    /// `unauthorized_client`.
    UnauthorizedClient,
    /// `unsupported_grant_type`.
    UnsupportedGrantType,
    /// `invalid_scope`.
    InvalidScope,
    /// Another word: at most 40 characters of `a-z` and `_`, and no part of the credentials.
    Other(Box<str>),
    /// No code, or one that is not fit to be repeated.
    Unknown,
}

// === impl TokenError ===

impl TokenError {
    /// What is read of an answer at most: 64 KiB.
    pub const MAX_BODY_BYTES: usize = 64 * 1024;

    /// Any failure to get an answer, for sources of your own.
    pub fn transport(error: impl Into<BoxError>) -> Self {
        Self::Transport(error.into())
    }

    /// Whether asking again may help, with nobody doing anything about it.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unavailable { .. }
            | Self::Timeout
            | Self::Transport(_)
            | Self::Credentials(_)
            | Self::Aborted => true,
            Self::Refused { .. }
            | Self::Unexpected { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::NoRuntime => false,
        }
    }

    /// One word for a metric label. The set is fixed, and no input reaches it: `invalid_client`,
    /// `refused` (with any other code), `unavailable`, `unexpected`, `malformed`, `too_large`,
    /// `timeout`, `transport`, `credentials`, `aborted` and `no_runtime`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Refused {
                code: ErrorCode::InvalidClient,
                ..
            } => "invalid_client",
            Self::Refused { .. } => "refused",
            Self::Unavailable { .. } => "unavailable",
            Self::Unexpected { .. } => "unexpected",
            Self::Malformed { .. } => "malformed",
            Self::TooLarge { .. } => "too_large",
            Self::Timeout => "timeout",
            Self::Transport(_) => "transport",
            Self::Credentials(_) => "credentials",
            Self::Aborted => "aborted",
            Self::NoRuntime => "no_runtime",
        }
    }

    /// How long the server asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

// === impl ErrorCode ===

impl ErrorCode {
    /// Reads the word; `safe` says whether an unknown one may be repeated.
    pub(crate) fn read(word: &str, safe: impl FnOnce(&str) -> bool) -> Self {
        match word {
            "invalid_request" => Self::InvalidRequest,
            "invalid_client" => Self::InvalidClient,
            "invalid_grant" => Self::InvalidGrant,
            "unauthorized_client" => Self::UnauthorizedClient,
            "unsupported_grant_type" => Self::UnsupportedGrantType,
            "invalid_scope" => Self::InvalidScope,
            other => {
                let plain = |b: u8| b.is_ascii_lowercase() || b == b'_';
                let fit = (1..=40).contains(&other.len()) && other.bytes().all(plain);
                if fit && safe(other) {
                    Self::Other(other.into())
                } else {
                    Self::Unknown
                }
            }
        }
    }

    fn who_must_act(&self) -> &'static str {
        match self {
            Self::InvalidClient => "check the client id and secret, they may have been revoked",
            Self::UnauthorizedClient => "ask the provider to allow this client the grant",
            Self::InvalidScope => "check the configured scope",
            _ => "check how the client is configured",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::Other(word) => word,
            Self::Unknown => "(no known code)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_input_reaches_the_word_for_a_label() {
        let status = StatusCode::BAD_REQUEST;
        let refused = |code| TokenError::Refused { status, code };
        for (error, word) in [
            (refused(ErrorCode::InvalidClient), "invalid_client"),
            (refused(ErrorCode::InvalidScope), "refused"),
            (
                refused(ErrorCode::Other("said_by_a_server".into())),
                "refused",
            ),
            (TokenError::Malformed { reason: "x" }, "malformed"),
            (TokenError::transport("said by a socket"), "transport"),
            (
                CredentialError::new("said by a vault").into(),
                "credentials",
            ),
        ] {
            assert_eq!(error.reason(), word);
        }
    }
}
