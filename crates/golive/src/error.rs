//! What goes wrong before anything is sent.

use std::{error::Error, fmt, io, sync::LazyLock};

use golive_auth_refresh::ConfigError as AuthError;
use golive_backoff::ConfigError as BackoffError;
use golive_idempotency::ConfigError as KeysError;

use crate::Stage;

/// Why something was not built: whoever configures it must act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The base URL is none.
    #[error(
        "the base URL is not an absolute http(s) URL without credentials, query, fragment and `..`"
    )]
    BaseUrl,
    /// The base URL would send credentials in the clear to another machine.
    #[error("the base URL is plain http to another machine: everything would be sent in the clear")]
    PlainHttp,
    /// The provider's API does not begin at the root of its host.
    #[error("the API of {host} begins at {expected}: the base URL has lost its path")]
    LostBasePath {
        /// The host.
        host: &'static str,
        /// Where the API begins.
        expected: &'static str,
    },
    /// The path of the tokens leads out of the environment, and the secret would go there.
    #[error("the path of the tokens is not below the base URL: {0}")]
    TokenPath(#[source] Outside),
    /// The credentials belong to the other environment.
    #[error(transparent)]
    ForeignCredentials(#[from] ForeignCredentials),
    /// The deadline of a call is zero, or above an hour.
    #[error("the deadline of a call must be above zero and at most an hour")]
    Deadline,
    /// The time in which a delivery is answered is zero, or above 5 seconds.
    #[error("a delivery must be answered within a time above zero and of at most 5 seconds")]
    AnswerWithin,
    /// The name of the sender of webhooks is empty, or longer than 256 bytes.
    #[error("the name of the sender of webhooks must have 1 to 256 bytes")]
    Source,
    /// The token part was refused.
    #[error("the client cannot fetch tokens: {0}")]
    Auth(#[from] AuthError),
    /// The retry part was refused.
    #[error("the client cannot retry: {0}")]
    Backoff(#[from] BackoffError),
    /// The part of the idempotency keys was refused.
    #[error("the client cannot make idempotency keys: {0}")]
    Keys(#[from] KeysError),
    /// reqwest built no client.
    #[cfg(feature = "reqwest")]
    #[error("reqwest could not build a client")]
    Transport(#[source] reqwest::Error),
}

/// The credentials are for the other environment: nothing was sent with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "these are {seen} credentials, and this environment takes {here} ones: configure its own (plain \
     http is for sandbox credentials, until `Environment::only` says otherwise)"
)]
#[non_exhaustive]
pub struct ForeignCredentials {
    /// What the credentials say they are for.
    pub seen: Stage,
    /// What the environment is for.
    pub here: Stage,
}

/// The request would have left the environment, and the token with it: it was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the request goes to {to}, outside of {base}: it was not sent, since the token would go there \
     too; call it with another client"
)]
#[non_exhaustive]
pub struct Outside {
    /// The origin that was asked for, or that it is this one at another path.
    pub to: String,
    /// The base URL of the environment.
    pub base: String,
}

/// The whole call, with its retries and waits, took longer than its deadline.
///
/// What was sent may have been executed: ask the `Call` for its disposition. If what took so long
/// was the token, or a wait that would not have ended in time, the call may end with that instead.
///
/// Its source is an [`io::Error`] of the kind [`TimedOut`](io::ErrorKind::TimedOut), by which others
/// know a timeout when they meet one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadlineExceeded;

// === impl DeadlineExceeded ===

impl fmt::Display for DeadlineExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the call was not done within its deadline; what was sent may have been executed",
        )
    }
}

impl Error for DeadlineExceeded {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        static TIMED_OUT: LazyLock<io::Error> = LazyLock::new(|| io::ErrorKind::TimedOut.into());
        Some(&*TIMED_OUT)
    }
}
