//! Why a delivery was refused, and who must act.

/// Why a delivery was refused.
///
/// `Display` is for the operator's log, [`code`](Self::code) for metrics (a bounded set of
/// words), [`status`](Self::status) for the answer. Nothing in it repeats a header or the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Reject {
    /// One of the three headers is absent.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// A header that may come once came several times.
    #[error("the header {0} came more than once")]
    RepeatedHeader(&'static str),
    /// The id is empty, longer than 256 bytes, not visible ASCII, or has in it what ends it in the
    /// signed bytes (in Standard Webhooks a full stop).
    #[error("the id is not 1 to 256 visible ASCII characters without the one that ends it")]
    MalformedId,
    /// The timestamp is not 1 to 12 decimal digits, or stands not once where it should.
    #[error("the timestamp is not a number of seconds since 1970")]
    MalformedTimestamp,
    /// The signature header has more bytes, lines or signatures than allowed.
    #[error("the signature header is longer than a receiver has reason to read")]
    SignatureTooLong,
    /// The timestamp lies further back than the tolerance: late, or recorded and sent again.
    #[error(
        "the timestamp is {by_secs} s old, more than tolerated: a replay, a sender that \
         retries without signing anew, or a clock that is wrong on one side"
    )]
    TooOld {
        /// How old the delivery is, in seconds.
        by_secs: u64,
    },
    /// The timestamp lies further ahead than the tolerance.
    #[error(
        "the timestamp is {by_secs} s ahead, more than tolerated: check the clocks of both \
         sides"
    )]
    TooNew {
        /// How far ahead the delivery is, in seconds.
        by_secs: u64,
    },
    /// The list holds no signature of a version that this receiver has a key for.
    #[error("the signature header holds no signature of a version that there is a key for")]
    NoKnownSignature,
    /// No signature in the list was made with any of the keys over this id, time and body.
    #[error(
        "no signature matches: the delivery was forged or altered, or the secret configured here \
         is not the sender's"
    )]
    Mismatch,
    /// The body is longer than allowed.
    #[error("the body is longer than the allowed {limit} bytes")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body broke off before its end.
    #[error("the body broke off before its end")]
    BodyIncomplete,
    /// The body was not whole in time.
    #[error("the body was not whole in time")]
    BodyTimeout,
    /// Every configured key is past its end date, so that nothing can be verified.
    #[error("every configured webhook key is past its end date: configure the current secret")]
    NoUsableKey,
}

/// Whose move it is after a [`Reject`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The sender made a request that is not a well-formed delivery; a real sender mends it.
    Sender,
    /// Treat it as an attack: the request is well-formed and was not signed by the sender, or is
    /// a replay. If it goes on for all deliveries, suspect the configured secret or the clock.
    Attacker,
    /// The receiver itself is misconfigured; its operator must act.
    Operator,
}

// === impl Reject ===

impl Reject {
    /// Who must act.
    pub fn fault(self) -> Fault {
        match self {
            Self::MissingHeader(_)
            | Self::RepeatedHeader(_)
            | Self::MalformedId
            | Self::MalformedTimestamp
            | Self::SignatureTooLong
            | Self::BodyTooLarge { .. }
            | Self::BodyIncomplete
            | Self::BodyTimeout => Fault::Sender,
            Self::TooOld { .. } | Self::TooNew { .. } | Self::NoKnownSignature | Self::Mismatch => {
                Fault::Attacker
            }
            Self::NoUsableKey => Fault::Operator,
        }
    }

    /// The status to answer with (RFC 9110, 15): 413 for a long body, 408 for a slow one, otherwise
    /// 400, 401 or 500 after [`fault`](Self::fault).
    pub fn status(self) -> u16 {
        match (self, self.fault()) {
            (Self::BodyTooLarge { .. }, _) => 413,
            (Self::BodyTimeout, _) => 408,
            (_, Fault::Sender) => 400,
            (_, Fault::Attacker) => 401,
            (_, Fault::Operator) => 500,
        }
    }

    /// One word for a metric label: the set is fixed, and no input reaches it.
    pub fn code(self) -> &'static str {
        match self {
            Self::MissingHeader(_) => "missing_header",
            Self::RepeatedHeader(_) => "repeated_header",
            Self::MalformedId => "malformed_id",
            Self::MalformedTimestamp => "malformed_timestamp",
            Self::SignatureTooLong => "signature_too_long",
            Self::TooOld { .. } => "too_old",
            Self::TooNew { .. } => "too_new",
            Self::NoKnownSignature => "no_known_signature",
            Self::Mismatch => "mismatch",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyIncomplete => "body_incomplete",
            Self::BodyTimeout => "body_timeout",
            Self::NoUsableKey => "no_usable_key",
        }
    }
}
