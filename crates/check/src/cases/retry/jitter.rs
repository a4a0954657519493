//! Are the delays of parallel operations spread?

use crate::stats::spread::{self, JITTER, NO_JITTER, Spread};
use crate::trace::Trace;
use crate::verdict::{Judgement, counted};

pub(super) fn delays_are_spread(trace: &Trace) -> Judgement {
    let mut operations = trace.operations("a");
    for operation in &mut operations {
        // The replay after a renewal of the token, say, is no retry that waits.
        operation.retain(|e| e.status() == Some(500));
    }
    let Some(noise) = trace.timer_noise else {
        return Judgement::inconclusive("no timers were measured", "the noise of this machine");
    };
    let noise = noise.as_secs_f64() * 1_000.0;
    let (spread, judged) = spread::spread(&Trace::delays_of(&operations), noise);
    let listed: Vec<String> = judged
        .iter()
        .map(|n| {
            let (all, inner) = (n.share(n.range), n.share(n.inner));
            let (all, inner) = (100.0 * all, 100.0 * inner);
            format!("{:.0} ms by {all:.1} % ({inner:.1} %)", n.middle)
        })
        .collect();
    let observed = format!(
        "{}, timers differ by {noise:.1} ms; the n-th delays and how far they are apart (without the shortest and the longest): {}",
        counted(operations.len(), "operation"),
        if listed.is_empty() {
            "none".to_owned()
        } else {
            listed.join(", ")
        },
    );
    match spread {
        Spread::Jittered => Judgement::pass(observed),
        Spread::Fixed => Judgement::fail(
            observed,
            format!(
                "no jitter: the delays are less than {:.0} % apart ({:.0} % and more is jitter), so operations that fail together come back together",
                100.0 * NO_JITTER,
                100.0 * JITTER,
            ),
        ),
        Spread::Undecided(missing) => Judgement::inconclusive(observed, missing),
    }
    .because_of(operations.into_iter().take(2).flatten())
}

#[cfg(test)]
mod tests {
    use super::super::PARALLEL;
    use super::*;
    use crate::trace::Entry;
    use crate::verdict::Verdict;
    use std::time::Duration;

    /// Operations of four attempts; `delay` of operation and retry.
    fn operations(n: u32, delay: impl Fn(u64, u32) -> u64) -> Trace {
        let mut trace = Trace::default().with_mark("a");
        trace.timer_noise = Some(Duration::from_millis(2));
        for op in 0..n {
            let mut at = u64::from(op);
            for retry in 0..4 {
                trace = trace.push(Entry::create(&format!("m-a-{op}"), at, 500, "k"));
                at += 1 + delay(u64::from(op), retry);
            }
        }
        trace
    }

    fn verdict(trace: &Trace) -> Verdict {
        delays_are_spread(trace).verdict
    }

    #[test]
    fn parallel_operations_must_not_wait_for_the_same_time() {
        let jittered = operations(PARALLEL, |op, retry| (100 + 20 * op) << retry);
        assert_eq!(verdict(&jittered), Verdict::Pass);
        let fixed = operations(PARALLEL, |_, retry| 200 << retry);
        assert_eq!(verdict(&fixed), Verdict::Fail);
        let between = operations(PARALLEL, |op, retry| (400 + 4 * op) << retry);
        assert_eq!(verdict(&between), Verdict::Inconclusive);
    }

    #[test]
    fn a_machine_that_is_noisy_or_was_not_measured_convicts_nobody() {
        let mut trace = operations(PARALLEL, |_, retry| 200 << retry);
        trace.timer_noise = Some(Duration::from_millis(200));
        assert_eq!(verdict(&trace), Verdict::Inconclusive);
        trace.timer_noise = None;
        assert_eq!(verdict(&trace), Verdict::Inconclusive);
    }

    #[test]
    fn an_expired_token_that_is_replayed_at_once_is_no_delay() {
        let mut trace = operations(PARALLEL, |_, retry| 200 << retry);
        for op in 0..PARALLEL {
            let at = 3 * u64::from(op * op) + 1;
            let mut expired = Entry::create(&format!("m-a-{op}"), 0, 401, "k");
            expired.at = Duration::ZERO;
            expired.done_at = Some(Duration::from_micros(at));
            trace.requests.insert(0, expired);
        }
        assert_eq!(verdict(&trace), Verdict::Fail);
    }

    #[test]
    fn few_operations_decide_nothing() {
        let few = operations(5, |_, retry| 200 << retry);
        assert_eq!(verdict(&few), Verdict::Inconclusive);
    }

    #[test]
    fn the_traces_of_two_operations_are_the_evidence() {
        let fixed = delays_are_spread(&operations(PARALLEL, |_, retry| 200 << retry));
        assert_eq!(fixed.evidence.len(), 8);
        assert!(
            fixed.observed.contains("200 ms by 0.0 %"),
            "{}",
            fixed.observed
        );
    }
}
