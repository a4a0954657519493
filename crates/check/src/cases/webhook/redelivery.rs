//! Is an event whose work failed taken for done?

use std::time::Duration;

use crate::trace::{Entry, Trace};
use crate::verdict::{Judgement, counted};

pub(super) fn a_failure_is_not_remembered_as_done(trace: &Trace) -> Judgement {
    let sent = trace.sent("a");
    let [first, .., again] = sent.as_slice() else {
        return Judgement::inconclusive("fewer than two deliveries", "two deliveries");
    };
    let good = trace.good_call_backs("a");
    let effects = trace.effects.get("a").copied();
    let observed = format!(
        "{} while the provider failed, then {}; {} answered 500, {}",
        first.answer_words(),
        again.answer_words(),
        counted(failed(trace).len(), "call-back"),
        match effects {
            Some(n) => counted(n, "effect"),
            None => format!("{} answered well", counted(good.len(), "call-back")),
        }
    );
    let processed = effects.map_or(!good.is_empty(), |n| n > 0);
    if failed(trace).is_empty() {
        Judgement::inconclusive(
            observed,
            "a call-back that failed: without one the handler's work cannot be made to fail",
        )
    } else if processed && good.is_empty() {
        let missing =
            "an effect that needs the provider: it was counted though no call-back succeeded";
        Judgement::inconclusive(observed, missing)
    } else if processed {
        match effects {
            Some(2..) => Judgement::inconclusive(observed, "one effect (see WH-DUP-01)"),
            _ => Judgement::pass(observed),
        }
    } else if !good.is_empty() {
        let missing = "an effect of the call-back that succeeded: it was tried again";
        Judgement::inconclusive(observed, missing)
    } else if !again.succeeded() {
        Judgement::inconclusive(observed, "2xx to the redelivery")
    } else if first.succeeded() || first.status().is_none() {
        // It has the event, or still works on it, and may try again later.
        Judgement::inconclusive(
            observed,
            "an effect within 45 s of the redelivery: a retry of its own may come later",
        )
    } else {
        let reason = "the redelivery was answered 2xx and not processed: the event is lost";
        Judgement::fail(observed, reason)
    }
    .because_of(sent)
    .because_of(trace.call_backs("a"))
}

/// The call-backs that failed while all of them were to.
fn failed(trace: &Trace) -> Vec<&Entry> {
    let healed = trace.moment("healed").unwrap_or(Duration::ZERO);
    let calls = trace.call_backs("a").into_iter();
    let failed = calls.filter(|e| e.at < healed && e.status() == Some(500));
    failed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::by_hand::answered;
    use crate::verdict::Verdict;

    fn call_back(at_ms: u64, status: u16) -> Entry {
        let mut entry = Entry::call_back("a", at_ms);
        entry.answer = answered(status);
        entry
    }

    fn failed_first(first: u16, again: u16) -> Trace {
        Trace::default()
            .with_customer("a")
            .push_sent("a", Entry::delivery(0, 5, first))
            .push(call_back(1, 500))
            .at_moment("healed", 100)
            .push_sent("a", Entry::delivery(110, 5, again))
    }

    fn verdict(trace: &Trace) -> Verdict {
        a_failure_is_not_remembered_as_done(trace).verdict
    }

    #[test]
    fn an_effect_after_the_failure_passes_whoever_tried_again() {
        for first in [500, 200] {
            let by_call_back = failed_first(first, 200).push(call_back(112, 200));
            assert_eq!(verdict(&by_call_back), Verdict::Pass);
            let by_count = by_call_back.with_effects("a", 1);
            assert_eq!(verdict(&by_count), Verdict::Pass);
            let twice = by_count.with_effects("a", 2);
            assert_eq!(verdict(&twice), Verdict::Inconclusive);
            let not_yet = twice.with_effects("a", 0);
            assert_eq!(verdict(&not_yet), Verdict::Inconclusive);
        }
    }

    #[test]
    fn an_effect_that_did_not_need_the_work_proves_nothing() {
        let counted = failed_first(500, 200).with_effects("a", 1);
        assert_eq!(verdict(&counted), Verdict::Inconclusive);
    }

    #[test]
    fn a_redelivery_that_is_swallowed_fails() {
        let counted = failed_first(500, 200).with_effects("a", 0);
        assert_eq!(verdict(&counted), Verdict::Fail);
        assert_eq!(verdict(&failed_first(500, 200)), Verdict::Fail);
    }

    #[test]
    fn who_has_the_event_may_try_again_later() {
        let kept = failed_first(200, 200).with_effects("a", 0);
        assert_eq!(verdict(&kept), Verdict::Inconclusive);
        let mut works = failed_first(500, 200);
        works.deliveries[0].entry.answer = crate::trace::Reply::NoAnswer {
            reason: "timeout".to_owned(),
        };
        assert_eq!(verdict(&works), Verdict::Inconclusive);
        let busy = failed_first(500, 409).with_effects("a", 0);
        assert_eq!(verdict(&busy), Verdict::Inconclusive);
    }

    #[test]
    fn nothing_is_proven_if_the_work_did_not_fail() {
        let trace = Trace::default()
            .with_customer("a")
            .push_sent("a", Entry::delivery(0, 5, 200))
            .at_moment("healed", 100)
            .push_sent("a", Entry::delivery(110, 5, 200))
            .push(call_back(112, 200))
            .with_effects("a", 1);
        assert_eq!(verdict(&trace), Verdict::Inconclusive);
        let failed_later = trace.push(call_back(101, 500));
        assert_eq!(verdict(&failed_later), Verdict::Inconclusive);
    }
}
