//! What a client talks to, in whatever messages its own transport has.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use crate::{Arrivals, Failing, Throttled};

/// A server of a simulation.
#[derive(Clone, Debug)]
pub enum FarEnd {
    /// One with a quota.
    Throttled(Arc<Throttled>),
    /// One that fails for a while.
    Failing(Arc<Failing>),
}

/// What a client is told.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A response with this status and these headers.
    Response(StatusCode, HeaderMap),
    /// There is no connection: nobody listens.
    Refused,
}

// === impl FarEnd ===

impl FarEnd {
    /// Sends a request, and waits for the answer.
    pub async fn answer(&self) -> Answer {
        match self {
            Self::Throttled(server) => server.answer().await,
            Self::Failing(server) => server.answer().await,
        }
    }

    /// What has reached it so far.
    #[must_use]
    pub fn arrivals(&self) -> Arrivals {
        match self {
            Self::Throttled(server) => server.arrivals(),
            Self::Failing(server) => server.arrivals(),
        }
    }
}
