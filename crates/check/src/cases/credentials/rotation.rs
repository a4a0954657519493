//! Does a rotation of the client's credential lose anything?

mod drill;

use self::drill::Drill;
use crate::drive::Hook;
use crate::trace::{Entry, Outcome, Trace};
use crate::verdict::Judgement;

/// The operations before the rotation.
const CONTROLS: [&str; 3] = ["before", "control", "control-2"];

pub(super) fn a_rotation_loses_nothing(trace: &Trace) -> Judgement {
    let Some(drill) = Drill::of(trace) else {
        return not_rotated(trace);
    };
    let observed = drill.in_words();
    let used_after = drill.first_after_revocation();
    if !used_after.is_empty() {
        // Of several instances, one may be there before the others.
        let late = used_after.iter().any(|e| e.at >= drill.promised());
        return if late {
            let reason = "the first credential was used for a token after it was revoked";
            Judgement::fail(observed, reason)
        } else {
            let missing = "a revocation 15 s after the rotation: part of the subject still used the first credential before";
            Judgement::inconclusive(observed, missing)
        }
        .because_of(used_after);
    }
    if drill.with_first.is_empty() && drill.with_second.is_empty() {
        let missing = "a renewal on 401 token_expired (see AUTH-02): without one a rotation shows only when a token's hour is over";
        return Judgement::inconclusive(observed, missing);
    }
    if let Some(lost) = drill.lost.first() {
        let control = |label| trace.call("create", label).map(Outcome::ok);
        if CONTROLS
            .iter()
            .any(|l| control(l).is_some_and(|ok| ok != Some(true)))
        {
            let missing = "operations that succeed before the rotation, with expired tokens, too (control; see AUTH-02)";
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
    let still = drill.with_first.iter().any(|e| e.at >= drill.promised());
    if drill.revoked.is_none() && !still {
        let missing = "a request for a token 15 s after the rotation";
        return Judgement::inconclusive(observed, missing);
    }
    let Some(newest) = newest else {
        let reason = "tokens are still fetched with the first credential, 15 s after the hook said that the second one is in place";
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
        Some(_) => match not_there(trace) {
            Some(label) => Judgement::inconclusive(
                observed,
                format!(
                    "the customers of the operations `{label}`, which succeeded, at the provider"
                ),
            ),
            None => Judgement::pass(observed).because_of(drill.with_second),
        },
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

/// Operations that were called a success and never seen on the wire. They may
/// wait in an outbox.
fn not_there(trace: &Trace) -> Option<&'static str> {
    let created = |label| trace.attempts(label).iter().any(|e| e.succeeded());
    let operations = trace.operations("many");
    let one = |attempts: &Vec<&Entry>| attempts.iter().any(|e| e.succeeded());
    let many = !operations.is_empty() && operations.iter().all(one);
    [
        ("after", created("after")),
        ("many", many),
        ("last", created("last")),
    ]
    .into_iter()
    .find_map(|(label, there)| (!there).then_some(label))
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
            .called("create", "last", true, "")
            .with_mark("after")
            .with_mark("many")
            .with_mark("last")
            .push(Entry::create("m-after", 220, 201, "k1"))
            .push(Entry::create("m-many-0", 230, 201, "k2"))
            .push(Entry::create("m-last", 240, 201, "k3"))
            .at_moment("handed-back", 90_000)
    }

    fn verdict(trace: &Trace) -> Verdict {
        a_rotation_loses_nothing(trace).verdict
    }

    #[test]
    fn who_goes_over_to_the_second_credential_without_a_loss_passes() {
        assert_eq!(verdict(&drilled()), Verdict::Pass);
        // What comes after the hand-back is the first one's right again.
        let back = drilled().push(Entry::token_request_by("old", 90_310, 500));
        assert_eq!(verdict(&back), Verdict::Pass);
        // What was answered well had been sent before the revocation.
        let in_flight = drilled().push(Entry::token_request_by("old", 15_200, 200));
        assert_eq!(verdict(&in_flight), Verdict::Pass);
    }

    #[test]
    fn without_a_token_after_the_revocation_nothing_is_shown() {
        let mut none = drilled();
        let revoked = none.moment("revoked").unwrap();
        none.requests
            .retain(|e| !e.is_token_request() || e.at < revoked);
        assert_eq!(verdict(&none), Verdict::Inconclusive);
    }

    #[test]
    fn a_lost_operation_fails_and_so_does_a_first_credential_that_is_still_used() {
        let lost = drilled().called("create", "last", false, "401");
        assert_eq!(verdict(&lost), Verdict::Fail);
        let hung = drilled().asked("create", "last", Outcome::TimedOut);
        assert_eq!(verdict(&hung), Verdict::Fail);
        let used = drilled().push(Entry::token_request_by("old", 15_100, 401));
        assert_eq!(verdict(&used), Verdict::Fail);
        let never = rotated()
            .push(Entry::token_request_by("old", 15_100, 200))
            .called("create", "overlap", true, "");
        assert_eq!(verdict(&never), Verdict::Fail);
        let both = never.push(Entry::token_request_by("new", 120, 200));
        let both = both.push(Entry::token_request_by("old", 130, 200));
        assert_eq!(verdict(&both), Verdict::Fail);
    }

    #[test]
    fn for_15_s_nobody_has_to_be_over() {
        let other_instance = drilled().push(Entry::token_request_by("old", 15_099, 401));
        let other_instance = other_instance.called("create", "last", false, "401");
        assert_eq!(verdict(&other_instance), Verdict::Inconclusive);
        let slow_calls = rotated()
            .push(Entry::token_request_by("old", 15_099, 200))
            .called("create", "overlap", true, "");
        assert_eq!(verdict(&slow_calls), Verdict::Inconclusive);
    }

    #[test]
    fn a_success_that_nobody_saw_proves_nothing() {
        for path in ["m-after", "m-many-0", "m-last"] {
            let mut trace = drilled();
            trace.requests.retain(|e| !e.body.contains(path));
            assert_eq!(verdict(&trace), Verdict::Inconclusive, "{path}");
        }
        let mut queued = drilled();
        queued
            .requests
            .iter_mut()
            .filter(|e| e.body.contains("m-last"))
            .for_each(|e| {
                e.answer = crate::trace::by_hand::answered(500);
            });
        assert_eq!(verdict(&queued), Verdict::Inconclusive);
    }

    #[test]
    fn what_was_lost_before_the_rotation_already_is_not_its_loss() {
        let lost = |before| {
            let trace = drilled().called("create", "last", false, "422");
            verdict(&trace.called("create", "before", before, ""))
        };
        assert_eq!(lost(true), Verdict::Fail);
        assert_eq!(lost(false), Verdict::Inconclusive);
        // Nor is what an expired token does without one.
        let surfaces = drilled().called("create", "last", false, "token_expired");
        let surfaces = surfaces.called("create", "control-2", false, "token_expired");
        assert_eq!(verdict(&surfaces), Verdict::Inconclusive);
    }

    #[test]
    fn who_never_renews_is_told_by_another_case() {
        let trace = rotated()
            .push(Entry::token_request_by("old", 50, 200))
            .called("create", "overlap", false, "token_expired");
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
