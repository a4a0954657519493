//! WH-DUP: one event, one effect, however often it is delivered.

use std::time::Duration;

use super::redelivery;
use crate::boxes::BoxId::W2;
use crate::case::Level::{Must, Should};
use crate::case::{Case, Forgery, Step};
use crate::trace::{Entry, Trace};
use crate::verdict::{Judgement, counted};

const BOX_W2: &str = "checklist W2: \"webhook-id as the deduplication key\"; Standard Webhooks 1.0: the id stays the same over all attempts of a delivery, timestamp and signature are new";
const EFFECT: Duration = Duration::from_secs(5);
/// How long the first call-back of WH-DUP-03 is waited for.
const FAILED: Duration = Duration::from_secs(3);
/// How long a retry of the handler's own may take in WH-DUP-03.
const OWN_RETRY: Duration = Duration::from_secs(45);
const LATE: Duration = Duration::from_millis(500);
const COUNT: &str = "a count of effects: offer the hook `effects`, or call the provider back";
/// Copies of WH-DUP-02.
const COPIES: u32 = 10;

pub(in crate::cases) static CASES: &[Case] = &[
    Case::new("WH-DUP-01", W2, Must)
        .says(
            "the same webhook-id again, with a new timestamp and signature",
            "2xx, one effect",
            "a second effect, or no 2xx",
        )
        .rests_on(BOX_W2, "remember webhook-id (not the signature, not the body) and answer a duplicate 200 without processing it")
        .ready(
            &[
                Step::Deliver("a", Forgery::Shifted(-5)),
                Step::AwaitEffect("a", EFFECT),
                // One effect may be several call-backs: all of the first go before the second.
                Step::Settle(LATE),
                Step::Deliver("a", Forgery::None),
                Step::Settle(LATE),
                Step::CountEffects(&["a"]),
            ],
            a_redelivery_has_no_effect,
        ),
    Case::new("WH-DUP-02", W2, Must)
        .says(
            "10 copies at once",
            "2xx (or 409 or 425, and 2xx later), one effect",
            "more than one effect",
        )
        .rests_on(BOX_W2, "claim webhook-id atomically (a unique key) before processing: look-then-write lets copies through")
        .ready(
            &[
                Step::DeliverCopies("a", COPIES),
                Step::AwaitEffect("a", EFFECT),
                Step::Settle(LATE),
                Step::Deliver("a", Forgery::None),
                Step::CountEffects(&["a"]),
            ],
            copies_at_once_have_one_effect,
        ),
    Case::new("WH-DUP-03", W2, Must)
        .says(
            "the provider answers 500 to every call-back while an event is delivered; then it is well again, and the event is delivered again",
            "processed: by the redelivery, or by a retry of its own",
            "the handler answered an error, then took the redelivery for a duplicate: the event is lost",
        )
        .rests_on(
            BOX_W2,
            "remember webhook-id in the transaction that does the work, or keep the event and its state: what is remembered before the work is done is lost when the work fails",
        )
        .ready(
            &[
                Step::FailCallBacks("a"),
                Step::Deliver("a", Forgery::Shifted(-5)),
                Step::AwaitCallBackAnswered("a", FAILED),
                Step::Settle(LATE),
                Step::Heal,
                Step::Deliver("a", Forgery::None),
                Step::AwaitEffect("a", OWN_RETRY),
                Step::Settle(LATE),
                Step::CountEffects(&["a"]),
            ],
            redelivery::a_failure_is_not_remembered_as_done,
        ),
    Case::new("WH-DUP-04", W2, Should).says(
        "a duplicate after a restart, and (--soak) after 6 minutes",
        "one effect",
        "a second effect: the memory is volatile or too short",
    ),
];

fn a_redelivery_has_no_effect(trace: &Trace) -> Judgement {
    let sent = trace.sent("a");
    let [first, second, ..] = sent.as_slice() else {
        return Judgement::inconclusive("fewer than two deliveries", "two deliveries");
    };
    let observed = format!(
        "{}, then {}; {}",
        first.answer_words(),
        second.answer_words(),
        effects_in_words(trace)
    );
    if !first.succeeded() {
        Judgement::inconclusive(observed, "the first delivery to be accepted")
    } else if let Some(several) = several_effects(trace, &observed) {
        several
    } else if let Some(again) = called_back_again(trace, second, &observed) {
        again
    } else if second.status().is_some_and(|s| !(200..300).contains(&s)) {
        Judgement::fail(
            observed,
            format!(
                "a duplicate was answered {}: the sender will try again",
                second.answer_words()
            ),
        )
    } else {
        one_effect(trace, observed, second.succeeded())
    }
    .because_of(sent)
    .because_of(trace.call_backs("a"))
}

fn copies_at_once_have_one_effect(trace: &Trace) -> Judgement {
    let sent = trace.sent("a");
    let Some((last, copies)) = sent
        .split_last()
        .filter(|(_, c)| c.len() >= COPIES as usize)
    else {
        return Judgement::inconclusive(
            format!("{} deliveries", sent.len()),
            "ten copies at once and one later",
        );
    };
    let taken = copies.iter().filter(|e| e.succeeded()).count();
    let busy = copies
        .iter()
        .filter(|e| matches!(e.status(), Some(409 | 425)))
        .count();
    let observed = format!(
        "{taken} of {} copies answered 2xx, {busy} \"in progress\"; later {}; {}",
        copies.len(),
        last.answer_words(),
        effects_in_words(trace)
    );
    if let Some(several) = several_effects(trace, &observed) {
        several
    } else if let Some(many) = called_back_for_copies(trace, &observed) {
        many
    } else {
        let settled = taken + busy == copies.len() && taken > 0 && last.succeeded();
        one_effect(trace, observed, settled)
    }
    .because_of(sent.iter().copied().take(COPIES as usize + 1))
    .because_of(trace.call_backs("a"))
}

fn several_effects(trace: &Trace, observed: &str) -> Option<Judgement> {
    let n = trace.effects.get("a").copied().filter(|n| *n > 1)?;
    let reason = format!("{n} effects for one webhook-id");
    Some(Judgement::fail(observed, reason))
}

/// Without the hook only call-backs can be counted, and a handler may make
/// several for one effect. So it is convicted only if all that the first
/// delivery made it do was done again after the second.
fn called_back_again(trace: &Trace, second: &Entry, observed: &str) -> Option<Judgement> {
    let calls = counted_by_call_backs(trace)?;
    let again = calls.iter().filter(|e| e.at >= second.at).count();
    let first = calls.len() - again;
    match (first, again) {
        (_, 0) => None,
        (1.., _) if again >= first => {
            let reason = format!("{} for one webhook-id", counted(calls.len(), "call-back"));
            Some(Judgement::fail(observed, reason))
        }
        _ => Some(Judgement::inconclusive(observed, COUNT)),
    }
}

/// As many call-backs as copies are as many effects; fewer may be one.
fn called_back_for_copies(trace: &Trace, observed: &str) -> Option<Judgement> {
    let calls = counted_by_call_backs(trace)?.len();
    let reason = format!("{calls} call-backs for one webhook-id");
    match calls {
        0 | 1 => None,
        n if n >= COPIES as usize => Some(Judgement::fail(observed, reason)),
        _ => Some(Judgement::inconclusive(
            observed,
            format!("{COUNT} ({reason})"),
        )),
    }
}

/// The call-backs, where there is no count of effects. One that was repeated
/// because it failed is no second effect.
fn counted_by_call_backs(trace: &Trace) -> Option<Vec<&Entry>> {
    if trace.effects.contains_key("a") {
        return None;
    }
    let calls = trace.call_backs("a").into_iter();
    Some(calls.filter(|e| e.succeeded()).collect())
}

fn one_effect(trace: &Trace, observed: String, answered_well: bool) -> Judgement {
    match trace.effects_of("a") {
        None => Judgement::inconclusive(observed, COUNT),
        Some(0) => Judgement::inconclusive(observed, "an effect of the first delivery"),
        Some(_) if !answered_well => Judgement::inconclusive(observed, "2xx to every copy"),
        Some(_) => Judgement::pass(observed),
    }
}

fn effects_in_words(trace: &Trace) -> String {
    match trace.effects.get("a") {
        Some(n) => counted(*n, "effect"),
        None => counted(trace.call_backs("a").len(), "call-back"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    fn twice(second: u16) -> Trace {
        Trace::default()
            .push_sent("a", Entry::delivery(0, 1, 200))
            .push_sent("a", Entry::delivery(100, 1, second))
    }

    #[test]
    fn a_redelivery_wants_2xx_and_one_effect() {
        let judge = a_redelivery_has_no_effect;
        assert_eq!(
            judge(&twice(200).with_effects("a", 1)).verdict,
            Verdict::Pass
        );
        assert_eq!(
            judge(&twice(200).with_effects("a", 2)).verdict,
            Verdict::Fail
        );
        assert_eq!(
            judge(&twice(409).with_effects("a", 1)).verdict,
            Verdict::Fail
        );
    }

    #[test]
    fn without_a_count_or_without_any_effect_nothing_is_proven() {
        let judge = a_redelivery_has_no_effect;
        assert_eq!(judge(&twice(200)).verdict, Verdict::Inconclusive);
        assert_eq!(
            judge(&twice(200).with_effects("a", 0)).verdict,
            Verdict::Inconclusive
        );
    }

    #[test]
    fn call_backs_count_where_the_hook_is_missing_but_a_failed_one_is_no_effect() {
        let judge = a_redelivery_has_no_effect;
        let once = twice(200).with_customer("a").push(Entry::call_back("a", 5));
        assert_eq!(judge(&once).verdict, Verdict::Pass);
        let mut failed = Entry::call_back("a", 4);
        failed.answer = crate::trace::by_hand::answered(500);
        assert_eq!(judge(&once.clone().push(failed)).verdict, Verdict::Pass);
        let again = once.clone().push(Entry::call_back("a", 107));
        assert_eq!(judge(&again).verdict, Verdict::Fail);
    }

    #[test]
    fn a_handler_that_calls_back_twice_for_one_event_is_not_blamed_for_it() {
        let judge = a_redelivery_has_no_effect;
        let at = |times: &[u64]| {
            let trace = twice(200).with_customer("a");
            let trace = times
                .iter()
                .fold(trace, |t, ms| t.push(Entry::call_back("a", *ms)));
            judge(&trace).verdict
        };
        assert_eq!(at(&[5, 7]), Verdict::Pass);
        assert_eq!(at(&[5, 7, 107]), Verdict::Inconclusive);
        assert_eq!(at(&[5, 7, 107, 109]), Verdict::Fail);
        let judge = copies_at_once_have_one_effect;
        let calls = |n: u64| {
            let trace = copies(0, 200).with_customer("a");
            let trace = (0..n).fold(trace, |t, ms| t.push(Entry::call_back("a", ms)));
            judge(&trace).verdict
        };
        assert_eq!(calls(1), Verdict::Pass);
        assert_eq!(calls(2), Verdict::Inconclusive);
        assert_eq!(calls(u64::from(COPIES)), Verdict::Fail);
    }

    fn copies(busy: u32, later: u16) -> Trace {
        let trace = (0..COPIES).fold(Trace::default(), |t, i| {
            t.push_sent("a", Entry::delivery(0, 1, if i < busy { 409 } else { 200 }))
        });
        trace.push_sent("a", Entry::delivery(900, 1, later))
    }

    #[test]
    fn copies_at_once_may_be_told_to_come_back_but_have_one_effect() {
        let judge = copies_at_once_have_one_effect;
        assert_eq!(
            judge(&copies(0, 200).with_effects("a", 1)).verdict,
            Verdict::Pass
        );
        assert_eq!(
            judge(&copies(9, 200).with_effects("a", 1)).verdict,
            Verdict::Pass
        );
        assert_eq!(
            judge(&copies(9, 409).with_effects("a", 1)).verdict,
            Verdict::Inconclusive
        );
        assert_eq!(
            judge(&copies(0, 200).with_effects("a", 3)).verdict,
            Verdict::Fail
        );
    }
}
