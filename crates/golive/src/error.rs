//! What goes wrong before anything is sent.

use golive_auth_refresh::ConfigError as AuthError;
use golive_backoff::ConfigError as BackoffError;
use golive_idempotency::ConfigError as KeysError;

use crate::Stage;

/// Why something was not built: whoever configures it must act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The base URL is none.
    #[error("the base URL is not an absolute http(s) URL without credentials, query and fragment")]
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
#[error("these are {seen} credentials, and this is the {here} environment: configure its own")]
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
/// What was sent may have been executed: ask the `Call` for its disposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call was not done within its deadline; what was sent may have been executed")]
#[non_exhaustive]
pub struct DeadlineExceeded;
