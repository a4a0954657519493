//! WH-ACK: the answer comes fast, the work comes after it.

use std::time::Duration;

use super::durability;
use crate::boxes::BoxId::W3;
use crate::case::Level::{Must, Should};
use crate::case::{Case, Forgery, Step};
use crate::trace::{Entry, Trace};
use crate::verdict::{Judgement, counted};

const BOX_W3: &str = "checklist W3: \"200 within 5 seconds, processing is asynchronous\"";
/// The provider's limit.
const LIMIT: Duration = Duration::from_secs(5);
/// How long the provider's API stalls in WH-ACK-02.
const STALL: Duration = Duration::from_secs(8);
const EFFECT: Duration = Duration::from_secs(5);
/// How long a restarted subject may take to go on: leases of what it was doing
/// have to run out, usually within half a minute.
const TAKEN_UP: Duration = Duration::from_secs(45);
/// Deliveries of WH-ACK-01.
const DELIVERIES: u32 = 50;

pub(in crate::cases) static CASES: &[Case] = &[
    Case::new("WH-ACK-01", W3, Must)
        .says(
            "50 deliveries",
            "every 2xx in less than 5 s; p99 is shown",
            "any takes 5 s or more",
        )
        .rests_on(
            BOX_W3,
            "store the event, answer 200, and process it on a worker",
        )
        .ready(&[Step::DeliverMany("a", DELIVERIES)], every_answer_is_fast),
    Case::new("WH-ACK-02", W3, Must)
        .says(
            "the provider's API stalls for 8 s while an event is delivered",
            "2xx in less than 5 s; the call-back is seen on the wire",
            "5 s or more. Without any call-back: inconclusive",
        )
        .rests_on(
            BOX_W3,
            "do not call anyone before you answered: the work belongs behind the 200",
        )
        .ready(
            &[
                Step::StallCallBacks("a", STALL),
                Step::Deliver("a", Forgery::None),
                Step::AwaitCallBackAnswered("a", Duration::from_secs(10)),
            ],
            the_answer_does_not_wait_for_the_work,
        ),
    Case::new("WH-ACK-03", W3, Should).says(
        "an unknown event type; added fields; an event of the other catalogue",
        "2xx",
        "4xx or 5xx",
    ),
    Case::new("WH-ACK-04", W3, Should)
        .says(
            "killed right after the 2xx, while the provider's API stalls so that the work cannot be done; then started again",
            "the effect still happens",
            "the event is lost: acknowledged before it was durable",
        )
        .rests_on(
            "Standard Webhooks 1.0: a 2xx tells the sender that the event was received, and it will not come again; checklist W3 moves the work behind the answer",
            "write the event to disk, and wait for that, before you answer 2xx; take up at start what was left undone",
        )
        .ready(
            &[
                // A subject that cannot come back is not killed.
                Step::Restart("control"),
                Step::StallCallBacks("a", STALL),
                Step::Deliver("a", Forgery::None),
                Step::Kill("a"),
                Step::Heal,
                Step::Restart("a"),
                Step::Deliver("b", Forgery::None),
                Step::AwaitEffect("b", EFFECT),
                Step::AwaitEffect("a", TAKEN_UP),
                Step::CountEffects(&["a", "b"]),
            ],
            durability::the_effect_outlives_a_kill,
        ),
];

fn every_answer_is_fast(trace: &Trace) -> Judgement {
    let sent = trace.sent("a");
    let mut times: Vec<(Duration, &Entry)> = sent
        .iter()
        .filter_map(|e| e.took().map(|t| (t, *e)))
        .collect();
    times.sort_by_key(|(t, _)| *t);
    // Nearest rank: with 50 samples the p99 is the slowest.
    let rank = (times.len() * 99).div_ceil(100);
    let Some((p99, slowest)) = rank.checked_sub(1).and_then(|i| times.get(i)) else {
        return Judgement::inconclusive("nothing was delivered", "50 deliveries");
    };
    let accepted = sent.iter().filter(|e| e.succeeded()).count();
    let observed = format!(
        "{accepted} of {} answered 2xx, p99 {:.0} ms",
        sent.len(),
        p99.as_secs_f64() * 1_000.0
    );
    let slow: Vec<&Entry> = times
        .iter()
        .filter(|(t, _)| *t >= LIMIT)
        .map(|(_, e)| *e)
        .collect();
    if !slow.is_empty() {
        let reason = format!("{} answers took 5 s or more", slow.len());
        Judgement::fail(observed, reason).because_of(slow.into_iter().take(5))
    } else if accepted < sent.len() || sent.len() < DELIVERIES as usize {
        let bad = sent.iter().copied().filter(|e| !e.succeeded()).take(5);
        Judgement::inconclusive(observed, "2xx to all 50").because_of(bad)
    } else {
        Judgement::pass(observed).because_of([*slowest])
    }
}

fn the_answer_does_not_wait_for_the_work(trace: &Trace) -> Judgement {
    let sent = trace.sent("a");
    let Some((entry, took)) = sent.first().and_then(|e| e.took().map(|t| (*e, t))) else {
        return Judgement::inconclusive("nothing was delivered", "a delivery");
    };
    let call_backs = trace.call_backs("a");
    let observed = format!(
        "{} after {:.2} s, {}",
        entry.answer_words(),
        took.as_secs_f64(),
        counted(call_backs.len(), "call-back")
    );
    if took >= LIMIT {
        Judgement::fail(
            observed,
            format!(
                "the answer took {:.2} s, while the provider's API was slow",
                took.as_secs_f64()
            ),
        )
    } else if !entry.succeeded() {
        Judgement::inconclusive(observed, "2xx to the delivery")
    } else if call_backs.is_empty() {
        Judgement::inconclusive(
            observed,
            "a call-back to the provider: without one a stalled API proves nothing",
        )
    } else {
        Judgement::pass(observed)
    }
    .because_of([entry])
    .because_of(call_backs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    fn fifty(slowest_ms: u64, status: u16) -> Trace {
        (0..DELIVERIES).fold(Trace::default(), |t, i| {
            let took = if i == 7 { slowest_ms } else { 3 };
            t.push_sent(
                "a",
                Entry::delivery(0, took, if i == 8 { status } else { 200 }),
            )
        })
    }

    #[test]
    fn one_slow_answer_of_fifty_fails() {
        let good = every_answer_is_fast(&fifty(80, 200));
        assert_eq!(good.verdict, Verdict::Pass);
        assert!(good.observed.contains("p99 80 ms"), "{}", good.observed);
        assert_eq!(
            every_answer_is_fast(&fifty(4_999, 200)).verdict,
            Verdict::Pass
        );
        assert_eq!(
            every_answer_is_fast(&fifty(5_000, 200)).verdict,
            Verdict::Fail
        );
        assert_eq!(
            every_answer_is_fast(&fifty(80, 503)).verdict,
            Verdict::Inconclusive
        );
    }

    #[test]
    fn a_stalled_api_must_not_stall_the_answer_and_only_a_call_back_proves_it() {
        let judge = the_answer_does_not_wait_for_the_work;
        let acked = |ms| {
            Trace::default()
                .with_customer("a")
                .push_sent("a", Entry::delivery(0, ms, 200))
        };
        let called = |t: Trace| t.push(Entry::call_back("a", 10));
        assert_eq!(judge(&called(acked(20))).verdict, Verdict::Pass);
        assert_eq!(judge(&acked(20)).verdict, Verdict::Inconclusive);
        assert_eq!(judge(&called(acked(8_010))).verdict, Verdict::Fail);
        assert_eq!(judge(&acked(8_010)).verdict, Verdict::Fail);
    }
}
