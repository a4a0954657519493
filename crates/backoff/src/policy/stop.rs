use std::time::Duration;

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// It is no failure.
    Success,
    /// The server said that it would answer the same again.
    Vetoed,
    /// The server said that a quota is used up which no wait brings back: that of the month, or of
    /// the account.
    UsedUp,
    /// The same request would fail the same way.
    Lasting,
    /// It may have been executed, and sending it again may execute it twice.
    Unsafe,
    /// A retry further out, or further in, sends it again; two would multiply.
    Nested,
    /// All attempts are used up.
    Attempts,
    /// There is no copy to be sent: the body streams, or outgrew its replay buffer.
    NotKept,
    /// The server asks for a longer wait than is allowed.
    HintTooLong {
        /// The wait that it asks for.
        asked: Duration,
    },
    /// There is no time left.
    Deadline,
    /// Its turn would come later than is allowed: the origin is paused, or its quota used up.
    Throttled,
    /// The server will have forgotten the idempotency key, and would execute it anew.
    KeyExpired,
    /// The retry budget of this origin is spent: most of what is sent there fails, and retries would
    /// make it worse.
    Budget,
}

// === impl Stop ===

impl Stop {
    /// One word for it, as it stands in [`Call::stopped`](golive_core::Call::stopped).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Vetoed => "vetoed",
            Self::UsedUp => "used_up",
            Self::Lasting => "lasting",
            Self::Unsafe => "unsafe",
            Self::Nested => "nested",
            Self::Attempts => "attempts",
            Self::NotKept => "not_kept",
            Self::HintTooLong { .. } => "hint_too_long",
            Self::Deadline => "deadline",
            Self::Throttled => "throttled",
            Self::KeyExpired => "key_expired",
            Self::Budget => "budget",
        }
    }
}
