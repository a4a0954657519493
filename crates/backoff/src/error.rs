use std::{error::Error, fmt, io, sync::LazyLock, time::Duration};

/// The deadline of the call had passed before its first attempt, so it was not sent: its
/// disposition is `NotExecuted`, unless it was sent before by what lies further out.
///
/// Whoever sets the deadline must act: it is too short, or was used up on the way here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the deadline of the call had passed before its first attempt, so it was not sent: allow more \
     time, or find out what used it up"
)]
#[non_exhaustive]
pub struct DeadlineExceeded;

/// The server will have forgotten the idempotency key by now, so that it would execute the request
/// anew: it was not sent (again).
///
/// What was sent before may have been executed: look before you do it again, with another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the server will have forgotten the idempotency key, and would execute the request anew, so it \
     was not sent: look whether it was executed before you send it with another key"
)]
#[non_exhaustive]
pub struct KeyForgotten;

/// An attempt got no response in its time, and it was the last. It may have been executed: look
/// before you do it again, unless the disposition of the call says more.
///
/// The time is that of [`Builder::attempt_timeout`](crate::Builder::attempt_timeout), or what was
/// left of the deadline.
///
/// Its source is an [`io::Error`] of the kind [`TimedOut`](io::ErrorKind::TimedOut), by which others
/// know a timeout when they meet one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptTimeout {
    /// How long it was waited for.
    pub after: Duration,
}

/// Why a [`Backoff`](crate::Backoff) was not built: whoever configures it must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The number of attempts is 0, or too large to be meant.
    #[error("{seen} attempts are configured: at least 1 is needed and at most 32 are allowed")]
    Attempts {
        /// What was given.
        seen: u32,
    },
    /// The base delay is zero, so that attempts would follow each other at once.
    #[error("the base delay is zero: give one of 1 ms or more")]
    ZeroBase,
    /// The longest delay is shorter than the first one.
    #[error("the longest delay ({cap:?}) is shorter than the base delay ({base:?})")]
    CapBelowBase {
        /// The base delay.
        base: Duration,
        /// The cap.
        cap: Duration,
    },
    /// The deadline is zero, so that there could be no retry, or too long to be meant.
    #[error(
        "the deadline is {seen:?}: give one above zero and up to a day, or configure a single attempt"
    )]
    Deadline {
        /// What was given.
        seen: Duration,
    },
    /// The time for one attempt is zero, so that none could succeed.
    #[error("the time for one attempt is zero: give one of 1 ms or more")]
    ZeroAttemptTimeout,
    /// The server is said to forget idempotency keys at once, so that none would make anything safe.
    #[error("the window of idempotency keys is zero or above a year: give the server's")]
    KeyWindow,
    /// The share of calls that may be retried is no percentage.
    #[error("the retry budget is to be 0 to 100 % of the calls")]
    BudgetPercent,
    /// The reserve of the retry budget is too large to be meant.
    #[error("the reserve of the retry budget is {seen}: at most 1,000,000 are allowed")]
    BudgetReserve {
        /// What was given.
        seen: u32,
    },
    /// The reserve of the retry budget refills in no time.
    #[error("the retry budget refills in no time: give a time, or ask for no budget")]
    ZeroRefill,
    /// The number of scopes is 0, or too large to be meant.
    #[error("{seen} scopes are configured: at least 1 is needed and at most 65,536 are allowed")]
    Scopes {
        /// What was given.
        seen: usize,
    },
    /// A 429 without a hint would pause for no time.
    #[error("the pause after a 429 without a hint is zero: give one of 1 ms or more")]
    ZeroPause,
    /// The longest pause is shorter than the first one.
    #[error("the longest pause ({cap:?}) is shorter than the first one ({base:?})")]
    PauseCapBelowBase {
        /// The first pause.
        base: Duration,
        /// The cap.
        cap: Duration,
    },
    /// No call may go before the server has answered one, which it never will.
    #[error("no call may go before the first answer: allow one at least, or any number")]
    ZeroFirst,
    /// The part of a quota that is spread is no percentage.
    #[error("{seen} % of a quota are to be spread: at most 100 % are allowed")]
    SlowBelow {
        /// What was given.
        seen: u8,
    },
}

// === impl AttemptTimeout ===

impl fmt::Display for AttemptTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no response came within {:?}: the request may have been executed, so look before \
             sending it again; allow more time if the server needs it",
            self.after
        )
    }
}

impl Error for AttemptTimeout {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        static TIMED_OUT: LazyLock<io::Error> = LazyLock::new(|| io::ErrorKind::TimedOut.into());
        Some(&*TIMED_OUT)
    }
}
