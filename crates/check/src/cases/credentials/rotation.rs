//! Does a rotation of the client's credential lose anything?

use std::time::Duration;

use crate::drive::Hook;
use crate::trace::{Entry, HookCall, Outcome, Trace};
use crate::verdict::{Judgement, counted};

/// What was seen of the drill.
struct Drill<'t> {
    rotated: Duration,
    revoked: Option<Duration>,
    /// Requests for a token between the rotation and the hand-back.
    with_first: Vec<&'t Entry>,
    with_second: Vec<&'t Entry>,
    operations: Vec<&'t HookCall>,
    lost: Vec<&'t HookCall>,
}

pub(super) fn a_rotation_loses_nothing(trace: &Trace) -> Judgement {
    let Some(drill) = Drill::of(trace) else {
        return not_rotated(trace);
    };
    let observed = drill.in_words();
    let used_after = drill.first_after_revocation();
    if !used_after.is_empty() {
        let reason = "the first credential was used for a token after it was revoked";
        return Judgement::fail(observed, reason).because_of(used_after);
    }
    if drill.with_first.is_empty() && drill.with_second.is_empty() {
        let missing = "a renewal on 401 token_expired (see AUTH-02): without one a rotation shows only when a token's hour is over";
        return Judgement::inconclusive(observed, missing);
    }
    if let Some(lost) = drill.lost.first() {
        let control = trace.call("create", "before");
        if control.is_some_and(|outcome| outcome.ok() != Some(true)) {
            let missing = "an operation that succeeds before the rotation (control)";
            return Judgement::inconclusive(observed, missing);
        }
        let reason = format!(
            "an operation was lost: {} {}",
            lost.hook,
            lost.outcome.words()
        );
        let marked = trace.requests.iter().filter(|e| e.at >= drill.rotated);
        return Judgement::fail(observed, reason).because_of(marked.filter(|e| !e.succeeded()));
    }
    let newest = drill.with_second.iter().rfind(|e| e.succeeded());
    let Some(newest) = newest else {
        let reason = "tokens are still fetched with the first credential, 15 s after the rotation";
        return Judgement::fail(observed, reason).because_of(drill.with_first);
    };
    match drill.revoked {
        // It went back to the first one, or took both in turn.
        None => Judgement::fail(
            observed,
            "the first credential is still used after the rotation",
        )
        .because_of(drill.with_first),
        Some(revoked) if newest.at < revoked => {
            Judgement::inconclusive(observed, "a token that was fetched after the revocation")
        }
        Some(_) => Judgement::pass(observed).because_of(drill.with_second),
    }
}

fn not_rotated(trace: &Trace) -> Judgement {
    let hook = Hook::RotateCredential.name();
    match trace.call(hook, "rotation") {
        Some(Outcome::NotOffered) => {
            Judgement::skip(format!("the driver does not offer the hook `{hook}`"))
        }
        Some(outcome) => {
            let words = outcome.words();
            let reason = format!("control failed: the hook `{hook}` {words}");
            Judgement::error(words, reason)
        }
        None => Judgement::inconclusive("no rotation", "a rotation"),
    }
}

// === impl Drill ===

impl<'t> Drill<'t> {
    fn of(trace: &'t Trace) -> Option<Self> {
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

    /// NOTE: what was answered well had been sent before the revocation.
    fn first_after_revocation(&self) -> Vec<&'t Entry> {
        let Some(revoked) = self.revoked else {
            return Vec::new();
        };
        let first = self.with_first.iter().copied();
        first
            .filter(|e| e.at >= revoked && !e.succeeded())
            .collect()
    }

    fn in_words(&self) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    fn rotated() -> Trace {
        let mut trace = Trace::default().at_moment("rotated", 100);
        trace.rotation = Some(("old".to_owned(), "new".to_owned()));
        trace.called("rotate-credential", "rotation", true, "")
    }

    fn drilled() -> Trace {
        rotated()
            .push(Entry::token_request_by("old", 110, 200))
            .called("create", "overlap", true, "")
            .push(Entry::token_request_by("new", 120, 200))
            .called("create", "overlap", true, "")
            .at_moment("revoked", 200)
            .push(Entry::token_request_by("new", 210, 200))
            .called("create", "after", true, "")
            .called("create-many", "many", true, "")
            .at_moment("handed-back", 300)
    }

    fn verdict(trace: &Trace) -> Verdict {
        a_rotation_loses_nothing(trace).verdict
    }

    #[test]
    fn who_goes_over_to_the_second_credential_without_a_loss_passes() {
        assert_eq!(verdict(&drilled()), Verdict::Pass);
        // What comes after the hand-back is the first one's right again.
        let back = drilled().push(Entry::token_request_by("old", 310, 200));
        assert_eq!(verdict(&back), Verdict::Pass);
    }

    #[test]
    fn a_lost_operation_fails_and_so_does_a_first_credential_that_is_still_used() {
        let lost = drilled().called("create", "last", false, "401");
        assert_eq!(verdict(&lost), Verdict::Fail);
        let hung = drilled().asked("create", "last", Outcome::TimedOut);
        assert_eq!(verdict(&hung), Verdict::Fail);
        let used = drilled().push(Entry::token_request_by("old", 220, 401));
        assert_eq!(verdict(&used), Verdict::Fail);
        let never = rotated()
            .push(Entry::token_request_by("old", 110, 200))
            .called("create", "overlap", true, "");
        assert_eq!(verdict(&never), Verdict::Fail);
        let both = never.push(Entry::token_request_by("new", 120, 200));
        let both = both.push(Entry::token_request_by("old", 130, 200));
        assert_eq!(verdict(&both), Verdict::Fail);
    }

    #[test]
    fn what_was_lost_before_the_rotation_already_is_not_its_loss() {
        let lost = |before| {
            let trace = drilled().called("create", "last", false, "422");
            verdict(&trace.called("create", "before", before, ""))
        };
        assert_eq!(lost(true), Verdict::Fail);
        assert_eq!(lost(false), Verdict::Inconclusive);
    }

    #[test]
    fn who_never_renews_is_told_by_another_case() {
        let trace = rotated().called("create", "overlap", false, "token_expired");
        assert_eq!(verdict(&trace), Verdict::Inconclusive);
    }

    #[test]
    fn a_hook_that_is_missing_or_fails_convicts_nobody() {
        let hook = "rotate-credential";
        let lacks = Trace::default().asked(hook, "rotation", Outcome::NotOffered);
        assert_eq!(verdict(&lacks), Verdict::Skip);
        let failed = Trace::default().called(hook, "rotation", false, "read-only");
        assert_eq!(verdict(&failed), Verdict::Error);
    }

    #[test]
    fn one_of_several_created_at_once_counts_as_well() {
        // A subject without `create-many` is asked for several creates.
        let trace = drilled().asked("create-many", "many", Outcome::NotOffered);
        assert_eq!(verdict(&trace), Verdict::Pass);
        let trace = trace.called("create", "many", false, "boom");
        assert_eq!(verdict(&trace), Verdict::Fail);
    }
}
