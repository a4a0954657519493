//! Do the delays of the wire grow?

use std::time::Duration;

use crate::stats::{self, Growth};
use crate::trace::{Entry, Trace};
use crate::verdict::Judgement;

pub(super) fn delays_grow(trace: &Trace) -> Judgement {
    let operations = trace.operations("a");
    let delays = Trace::delays_of(&operations);
    let noise = noise_ms(&operations);
    let (growth, medians) = stats::growth(&delays, noise);
    let listed: Vec<String> = medians
        .iter()
        .map(|m| format!("{:.0} ms ({:.0} to {:.0})", m.middle, m.low, m.high))
        .collect();
    let observed = format!(
        "{} operations, noise {noise:.0} ms; medians of their delays, with 99 % intervals: {}",
        operations.len(),
        if listed.is_empty() {
            "none".to_owned()
        } else {
            listed.join(", ")
        },
    );
    match growth {
        Growth::Exponential => Judgement::pass(observed),
        Growth::Constant => Judgement::fail(
            observed,
            "the delay does not grow: a growth of 1.5 or more is excluded at 99 % for each delay",
        ),
        Growth::NoDelay => Judgement::fail(observed, "retries follow without any delay"),
        Growth::Undecided(missing) => Judgement::inconclusive(observed, missing),
    }
    .because_of(operations.into_iter().next().unwrap_or_default())
}

/// How late this machine is: all first attempts begin together, so whatever
/// lies between the first arrival and the answer to nine of ten is load.
fn noise_ms(operations: &[Vec<&Entry>]) -> f64 {
    let firsts: Vec<&Entry> = operations
        .iter()
        .filter_map(|o| o.first().copied())
        .collect();
    let start = firsts.iter().map(|e| e.at).min().unwrap_or_default();
    let mut late: Vec<Duration> = firsts
        .iter()
        .map(|e| e.done_at.unwrap_or(e.at).saturating_sub(start))
        .collect();
    late.sort_unstable();
    let ninth = late.get(late.len() * 9 / 10).or(late.last());
    ninth.map_or(0.0, |late| late.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::super::OPERATIONS;
    use super::*;
    use crate::verdict::Verdict;

    fn operations(delay_ms: impl Fn(u32) -> u64) -> Trace {
        let mut trace = Trace::default().with_mark("a");
        for op in 0..OPERATIONS {
            let mut at = u64::from(op);
            for n in 0..5 {
                trace = trace.push(Entry::create(&format!("m-a-{op}"), at, 500, "k"));
                at += 1 + delay_ms(n);
            }
        }
        trace
    }

    #[test]
    fn delays_on_the_wire_must_grow() {
        assert_eq!(
            delays_grow(&operations(|n| 100 << n)).verdict,
            Verdict::Pass
        );
        assert_eq!(delays_grow(&operations(|_| 300)).verdict, Verdict::Fail);
        assert_eq!(delays_grow(&operations(|_| 0)).verdict, Verdict::Fail);
    }

    #[test]
    fn the_trace_of_one_operation_is_the_evidence() {
        assert_eq!(delays_grow(&operations(|_| 300)).evidence.len(), 5);
    }
}
