//! Does an event that was acknowledged outlive a kill?

use std::time::Duration;

use crate::drive::Hook;
use crate::trace::{Entry, Outcome, Trace};
use crate::verdict::{Judgement, counted};

pub(super) fn the_effect_outlives_a_kill(trace: &Trace) -> Judgement {
    if let Some(judgement) = not_killed(trace) {
        return judgement;
    }
    let sent = trace.sent("a");
    let (Some(entry), Some(killed)) = (sent.first(), trace.moment("killed")) else {
        return Judgement::inconclusive("nothing was delivered", "a delivery and a kill");
    };
    let restarting = trace.moment("restarting").unwrap_or(killed);
    let before = done_before(trace, killed);
    let after = trace.good_call_backs("a").into_iter();
    let after: Vec<&Entry> = after.filter(|e| e.at >= restarting).collect();
    let calls = trace.call_backs("a").into_iter();
    let undead = calls.filter(|e| e.at >= killed && e.at < restarting);
    let undead = undead.count() > 0 || trace.moment("still-there").is_some();
    let control = trace.effects_of("b").is_some_and(|n| n > 0);
    let observed = format!(
        "{}, then killed; {} before, {} after the restart; a later event {}",
        entry.answer_words(),
        counted(before.len(), "call-back"),
        after.len(),
        if control { "took effect" } else { "took none" },
    );
    if !entry.succeeded() {
        Judgement::inconclusive(observed, "2xx to the delivery")
    } else if undead {
        Judgement::inconclusive(
            observed,
            "a kill: after it the subject still answered, or called the provider",
        )
    } else if !before.is_empty() {
        Judgement::inconclusive(observed, "a kill before the work was done")
    } else if !after.is_empty() {
        Judgement::pass(observed)
    } else if trace.effects.get("a").is_some_and(|n| *n > 0) {
        Judgement::inconclusive(
            observed,
            "a call-back to the provider: without one the effect may be from before the kill",
        )
    } else if control {
        let reason = "no effect within 45 s of the restart: the event was acknowledged and lost, or is left to lie for longer than that";
        Judgement::fail(observed, reason)
    } else {
        Judgement::inconclusive(
            observed,
            "an effect of the event after the restart (control)",
        )
    }
    .because_of(sent)
    .because_of(trace.call_backs("a"))
}

fn not_killed(trace: &Trace) -> Option<Judgement> {
    for hook in [Hook::Restart, Hook::Kill] {
        if trace.lacks(hook) {
            let reason = format!("the driver does not offer the hook `{}`", hook.name());
            return Some(Judgement::skip(reason));
        }
    }
    for (hook, label) in [("restart", "control"), ("kill", "a"), ("restart", "a")] {
        match trace.call(hook, label) {
            Some(Outcome::Done { ok: true, .. }) => {}
            None => return Some(Judgement::inconclusive("no kill", "a kill and a restart")),
            Some(other) => {
                let words = other.words();
                let reason = format!("control failed: the hook `{hook}` {words}");
                return Some(Judgement::error(words, reason));
            }
        }
    }
    None
}

fn done_before(trace: &Trace, killed: Duration) -> Vec<&Entry> {
    let calls = trace.good_call_backs("a").into_iter();
    let done = calls.filter(|e| e.done_at.is_some_and(|done| done <= killed));
    done.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    fn killed() -> Trace {
        Trace::default()
            .with_customer("a")
            .with_customer("b")
            .called("restart", "control", true, "")
            .push_sent("a", Entry::delivery(0, 5, 200))
            .called("kill", "a", true, "")
            .at_moment("killed", 50)
            .called("restart", "a", true, "")
    }

    fn control(trace: Trace) -> Trace {
        trace.push(Entry::call_back("b", 120))
    }

    fn verdict(trace: &Trace) -> Verdict {
        the_effect_outlives_a_kill(trace).verdict
    }

    #[test]
    fn a_call_back_after_the_restart_passes() {
        let taken_up = control(killed()).push(Entry::call_back("a", 130));
        assert_eq!(verdict(&taken_up), Verdict::Pass);
        let mut refused = taken_up;
        refused.deliveries[0].entry.answer = crate::trace::by_hand::answered(500);
        assert_eq!(verdict(&refused), Verdict::Inconclusive);
    }

    #[test]
    fn no_effect_while_a_later_event_has_one_is_a_loss() {
        assert_eq!(verdict(&control(killed())), Verdict::Fail);
        let counted = control(killed()).with_effects("a", 0);
        assert_eq!(verdict(&counted), Verdict::Fail);
        assert_eq!(verdict(&killed()), Verdict::Inconclusive);
    }

    #[test]
    fn what_may_have_been_done_before_the_kill_proves_nothing() {
        let early = control(killed()).push(Entry::call_back("a", 20));
        assert_eq!(verdict(&early), Verdict::Inconclusive);
        let counted = control(killed()).with_effects("a", 1);
        assert_eq!(verdict(&counted), Verdict::Inconclusive);
    }

    #[test]
    fn who_lives_on_after_the_kill_proves_nothing() {
        let ends = [
            control(killed()),
            control(killed()).push(Entry::call_back("a", 130)),
        ];
        for end in ends {
            let answers = end.clone().at_moment("still-there", 50);
            assert_eq!(verdict(&answers), Verdict::Inconclusive);
            let calls = end.at_moment("restarting", 100);
            let calls = calls.push(Entry::call_back("a", 99));
            assert_eq!(verdict(&calls), Verdict::Inconclusive);
        }
    }

    #[test]
    fn hooks_that_are_missing_or_fail_convict_nobody() {
        for hook in ["restart", "kill"] {
            let lacks = killed().asked(hook, "x", Outcome::NotOffered);
            assert_eq!(verdict(&lacks), Verdict::Skip);
        }
        let dead = killed().called("restart", "a", false, "port taken");
        assert_eq!(verdict(&dead), Verdict::Error);
    }
}
