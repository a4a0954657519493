//! What a rotation drill was seen to do.

use std::time::Duration;

use crate::cases::credentials::TAKEN_UP;
use crate::trace::{Entry, HookCall, Outcome, Trace};
use crate::verdict::counted;

/// What was seen of the drill.
pub(super) struct Drill<'t> {
    pub(super) rotated: Duration,
    pub(super) revoked: Option<Duration>,
    /// Requests for a token between the rotation and the hand-back.
    pub(super) with_first: Vec<&'t Entry>,
    pub(super) with_second: Vec<&'t Entry>,
    operations: Vec<&'t HookCall>,
    pub(super) lost: Vec<&'t HookCall>,
}

// === impl Drill ===

impl<'t> Drill<'t> {
    pub(super) fn of(trace: &'t Trace) -> Option<Self> {
        let (first, second) = trace.rotation.as_ref()?;
        let rotated = trace.moment("rotated")?;
        let end = trace.moment("handed-back").unwrap_or(Duration::MAX);
        let by = |id: &String| {
            let tokens = trace.token_requests();
            let inside = tokens.filter(|e| e.at >= rotated && e.at < end);
            inside
                .filter(|e| e.client_id.as_ref() == Some(id))
                .collect()
        };
        let drilled = ["overlap", "after", "many", "last"];
        let operations = trace.calls.iter().filter(|c| drilled.contains(&c.label));
        let operations: Vec<&HookCall> = operations
            .filter(|c| c.outcome != Outcome::NotOffered)
            .collect();
        let lost = |c: &&&HookCall| c.outcome.ok() != Some(true);
        Some(Self {
            rotated,
            revoked: trace.moment("revoked"),
            with_first: by(first),
            with_second: by(second),
            lost: operations.iter().filter(lost).copied().collect(),
            operations,
        })
    }

    /// When the first credential has no right to be used any more.
    pub(super) fn promised(&self) -> Duration {
        self.rotated + TAKEN_UP
    }

    /// NOTE: what was answered well had been sent before the revocation.
    pub(super) fn first_after_revocation(&self) -> Vec<&'t Entry> {
        let Some(revoked) = self.revoked else {
            return Vec::new();
        };
        let first = self.with_first.iter().copied();
        first
            .filter(|e| e.at >= revoked && !e.succeeded())
            .collect()
    }

    pub(super) fn in_words(&self) -> String {
        format!(
            "{} since the rotation, {} lost; tokens fetched with the first credential: {}, with the second: {}; the first {}",
            counted(self.operations.len(), "operation"),
            self.lost.len(),
            self.with_first.len(),
            self.with_second.len(),
            if self.revoked.is_some() {
                "was revoked"
            } else {
                "was never free to be revoked"
            },
        )
    }
}
