use std::{sync::Arc, time::Duration};

use crate::policy::{Decision, Outcome};

/// What happens to a call, for [`Builder::observe`](crate::Builder::observe): to count and to log.
///
/// Everything in it is bounded: statuses, and the words of [`Class::as_str`](crate::Class::as_str)
/// and [`Stop::as_str`](crate::policy::Stop::as_str), are labels that a metric can have.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// An attempt failed.
    Failed {
        /// Which one, 1 for the first.
        attempt: u32,
        /// How it ended.
        outcome: Outcome,
        /// What follows: another one after a delay, or nothing, and why.
        decision: Decision,
    },
    /// An attempt was not sent, since its turn would have come too late.
    Refused {
        /// Which one, 1 for the first.
        attempt: u32,
        /// How long it would have had to wait.
        wait: Duration,
    },
}

pub(crate) type Observer = Arc<dyn Fn(&Event) + Send + Sync>;
