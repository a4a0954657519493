use std::time::Duration;

/// The deadline of the call had passed before its first attempt, so it was not sent: its
/// disposition is `NotExecuted`, unless it was sent before by what lies further out.
///
/// Whoever sets the deadline must act: it is too short, or was used up on the way here. It is the
/// only error that this crate adds to a call; what comes back from below is handed on as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the deadline of the call had passed before its first attempt, so it was not sent: allow more \
     time, or find out what used it up"
)]
#[non_exhaustive]
pub struct DeadlineExceeded;

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
    /// The deadline is zero, so that there could be no retry; ask for one attempt instead.
    #[error("the deadline is zero: give one, or configure a single attempt")]
    ZeroDeadline,
}
