use std::time::Duration;

/// What a [`Scope`](super::Scope) knows at one moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ScopeState {
    /// Retries that the budget would grant, in parts too; `None` without a budget.
    pub retries_left: Option<f64>,
    /// How long nothing is sent because somebody was refused.
    pub paused_for: Duration,
    /// Calls that wait for their turn.
    pub waiting: usize,
    /// Calls under way. Counted only while a quota is known, or after a pause.
    pub in_flight: u64,
    /// The quota windows that the server tells of, at most 4.
    pub windows: Vec<WindowState>,
}

/// What is known of one quota window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WindowState {
    /// Which one, as in [`Quota::policy`](golive_core::quota::Quota::policy).
    pub policy: u64,
    /// Requests that a whole window allows.
    pub limit: u64,
    /// Requests that can still be sent in it, by our own count.
    pub left: u64,
    /// Time until it ends.
    pub ends_in: Duration,
}
