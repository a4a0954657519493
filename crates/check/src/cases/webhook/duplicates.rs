//! WH-DUP: one event, one effect, however often it is delivered.

use std::time::Duration;

use crate::boxes::BoxId::W2;
use crate::case::Level::{Must, Should};
use crate::case::{Case, Forgery, Step};
use crate::trace::Trace;
use crate::verdict::{Judgement, counted};

const BOX_W2: &str = "checklist W2: \"webhook-id as the deduplication key\"; Standard Webhooks 1.0: the id stays the same over all attempts of a delivery, timestamp and signature are new";
const EFFECT: Duration = Duration::from_secs(5);
const LATE: Duration = Duration::from_millis(500);
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
    Case::new("WH-DUP-03", W2, Must).says(
        "the first delivery fails (the provider answers 500 to the call-back, the handler 5xx), then a redelivery",
        "processed",
        "swallowed as a duplicate: the event is lost",
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
    } else {
        let settled = taken + busy == copies.len() && taken > 0 && last.succeeded();
        one_effect(trace, observed, settled)
    }
    .because_of(sent.iter().copied().take(COPIES as usize + 1))
    .because_of(trace.call_backs("a"))
}

fn several_effects(trace: &Trace, observed: &str) -> Option<Judgement> {
    let counted = trace.effects.get("a").copied();
    match counted {
        Some(n) if n > 1 => Some(Judgement::fail(
            observed,
            format!("{n} effects for one webhook-id"),
        )),
        // Without the hook only call-backs can be counted, and a call-back that
        // was repeated because it failed is no second effect.
        None => {
            let calls = trace
                .call_backs("a")
                .into_iter()
                .filter(|e| e.succeeded())
                .count();
            (calls > 1).then(|| {
                Judgement::fail(observed, format!("{calls} call-backs for one webhook-id"))
            })
        }
        Some(_) => None,
    }
}

fn one_effect(trace: &Trace, observed: String, answered_well: bool) -> Judgement {
    match trace.effects_of("a") {
        None => Judgement::inconclusive(
            observed,
            "a count of effects: offer the hook `effects`, or call the provider back",
        ),
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
    use crate::trace::Entry;
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
        assert_eq!(
            judge(&once.push(Entry::call_back("a", 7))).verdict,
            Verdict::Fail
        );
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
