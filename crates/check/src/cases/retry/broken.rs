//! Connections that break, or are not made: is the operation lost?

use std::time::Duration;

use super::REFUSED;
use crate::trace::{Entry, Outcome, Reply, Trace};
use crate::verdict::{Judgement, Verdict, counted};

/// A subject that gives up sooner than this did not wait for a retry.
const AT_ONCE: Duration = Duration::from_millis(50);

pub(super) fn broken_connections_are_retried(trace: &Trace) -> Judgement {
    for label in ["warm", "control"] {
        if let Some(Outcome::Broken(reason)) = trace.call("create", label) {
            return Judgement::error("the driver failed", format!("{label}: {reason}"));
        }
    }
    let parts = [
        cut(trace, "reset"),
        cut(trace, "half"),
        refused(trace, "refused"),
    ];
    let judgement = Judgement::of_parts(&parts);
    let lost = |p: &&Judgement| p.verdict == Verdict::Fail && p.reason.starts_with(LOST);
    let failed = parts.iter().filter(|p| p.verdict == Verdict::Fail).count();
    if failed > 0 && failed == parts.iter().filter(lost).count() && !retries_at_all(trace) {
        // A budget that is used up, or no retries whatever: another case's matter.
        return Judgement::inconclusive(
            judgement.observed,
            "a retry of the control, a 503 that came right after",
        )
        .because_of(&judgement.evidence);
    }
    judgement
}

const LOST: &str = "lost";

/// The paired control: that it retries a 503 now, and succeeds.
fn retries_at_all(trace: &Trace) -> bool {
    let attempts = trace.attempts("control");
    attempts.first().and_then(|e| e.status()) == Some(503) && attempts.iter().any(|e| e.succeeded())
}

/// What the subject said of a label's create. A hook that broke, where that of
/// the control did not, has lost the operation.
fn said(trace: &Trace, label: &str) -> Option<bool> {
    match trace.call("create", label) {
        Some(Outcome::Broken(_)) => Some(false),
        other => other.and_then(Outcome::ok),
    }
}

/// A connection that ended before the answer was there.
fn cut(trace: &Trace, label: &str) -> Judgement {
    let attempts = trace.attempts(label);
    let is_cut = |e: &&Entry| matches!(e.answer, Reply::Cut { .. });
    let Some(at) = attempts.iter().position(is_cut) else {
        return Judgement::inconclusive(
            format!("{label}: no connection was cut"),
            format!("a create whose connection ends ({label})"),
        );
    };
    let (_, from_cut) = attempts.split_at(at);
    let [broken, retries @ ..] = from_cut else {
        return Judgement::inconclusive(label, "a create whose connection is cut");
    };
    let broke = matches!(trace.call("create", label), Some(Outcome::Broken(_)));
    let said = said(trace, label);
    let there = trace.resources.get(label) == Some(&1);
    let observed = format!(
        "{label}: {}, {}",
        counted(attempts.len(), "attempt"),
        match said {
            Some(true) => "reported as done",
            Some(false) if broke => "the hook broke",
            Some(false) => "reported as failed",
            None => "not reported",
        }
    );
    let processed = broken.answer == Reply::Cut { processed: true };
    let good = retries.iter().any(|e| e.succeeded());
    if broken.key().is_none() {
        Judgement::inconclusive(observed, "a create with an idempotency key")
    } else if retries.iter().any(|e| e.key() != broken.key()) {
        Judgement::fail(observed, format!("{label}: retried with another key"))
    } else if good && said != Some(false) {
        Judgement::pass(observed)
    } else if retries.is_empty() && processed && there && said == Some(true) {
        // The head of the answer said 201, and it was believed.
        Judgement::pass(observed)
    } else if retries.is_empty() && said == Some(false) && (there || !processed) {
        Judgement::fail(
            observed,
            format!(
                "{LOST} ({label}): given up, though the idempotency key makes a retry safe{}",
                if there {
                    "; and the customer exists"
                } else {
                    ""
                }
            ),
        )
    } else {
        Judgement::inconclusive(observed, format!("a retry that succeeds ({label})"))
    }
    .because_of(attempts)
}

/// Connections that were refused leave no trace at the provider: what is seen is
/// whether the operation comes when they are taken again.
fn refused(trace: &Trace, label: &str) -> Judgement {
    let attempts = trace.attempts(label);
    let took = trace.took("create", label);
    let said = said(trace, label);
    let observed = format!(
        "{label}: {} once connections were taken again",
        counted(attempts.len(), "attempt")
    );
    let quick = |took: Duration| took <= REFUSED / 2;
    let judgement = if trace.moment("refused").is_none() {
        Judgement::inconclusive(observed, "a time in which connections are refused")
    } else if !trace.took("create", "warm").is_some_and(quick) {
        Judgement::inconclusive(
            observed,
            format!(
                "a subject that calls within {} ms of being asked to: nobody knows whether its first attempt met the closed port",
                (REFUSED / 2).as_millis()
            ),
        )
    } else if attempts.iter().any(|e| e.succeeded()) && said != Some(false) {
        Judgement::pass(observed)
    } else if attempts.is_empty() && said == Some(false) && took.is_some_and(|t| t < AT_ONCE) {
        Judgement::fail(
            observed,
            format!("{LOST} ({label}): given up at once, though nothing was sent"),
        )
    } else {
        Judgement::inconclusive(
            observed,
            format!(
                "an attempt after the {} ms in which connections were refused",
                REFUSED.as_millis()
            ),
        )
    };
    judgement.because_of(attempts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> Outcome {
        Outcome::Broken("connection closed".to_owned())
    }

    /// One part: what followed the cut connection, and what was said.
    fn part(label: &'static str, processed: bool, retry: Option<(u16, &str)>, ok: bool) -> Trace {
        let mark = format!("m-{label}");
        let mut trace = Trace::default()
            .with_mark(label)
            .push(Entry::create(&mark, 0, 201, "k").cut(processed));
        if let Some((status, key)) = retry {
            trace = trace.push(Entry::create(&mark, 200, status, key));
        }
        let there = processed || retry.is_some_and(|(status, _)| status == 201);
        trace.resources.insert(label, usize::from(there));
        trace.called("create", label, ok, "")
    }

    fn verdict(trace: &Trace) -> Verdict {
        broken_connections_are_retried(trace).verdict
    }

    fn with_control(mut trace: Trace, status: u16) -> Trace {
        trace = trace
            .with_mark("control")
            .push(Entry::create("m-control", 900, 503, "c"));
        trace.push(Entry::create("m-control", 1_100, status, "c"))
    }

    #[test]
    fn a_broken_connection_wants_a_retry_with_the_same_key() {
        for (label, processed) in [("reset", false), ("half", true)] {
            let judge = |retry, ok| cut(&part(label, processed, retry, ok), label).verdict;
            assert_eq!(judge(Some((201, "k")), true), Verdict::Pass, "{label}");
            assert_eq!(judge(Some((201, "l")), true), Verdict::Fail, "{label}");
            assert_eq!(judge(None, false), Verdict::Fail, "{label}");
            assert_eq!(
                judge(Some((503, "k")), false),
                Verdict::Inconclusive,
                "{label}"
            );
            assert_eq!(
                judge(Some((201, "k")), false),
                Verdict::Inconclusive,
                "{label}"
            );
        }
    }

    #[test]
    fn a_head_that_says_201_may_be_believed_and_a_reset_says_nothing() {
        assert_eq!(
            cut(&part("half", true, None, true), "half").verdict,
            Verdict::Pass
        );
        assert_eq!(
            cut(&part("reset", false, None, true), "reset").verdict,
            Verdict::Inconclusive
        );
    }

    #[test]
    fn without_a_key_or_a_customer_nothing_is_lost() {
        let mut keyless = part("reset", false, None, false);
        keyless.requests[0].headers.clear();
        assert_eq!(cut(&keyless, "reset").verdict, Verdict::Inconclusive);
        // A refusal whose body broke off is a refusal still.
        let mut refusal = part("half", true, None, false);
        refusal.resources.insert("half", 0);
        assert_eq!(cut(&refusal, "half").verdict, Verdict::Inconclusive);
    }

    #[test]
    fn what_is_lost_counts_only_if_the_control_is_retried() {
        let lost = || part("reset", false, None, false);
        assert_eq!(verdict(&lost()), Verdict::Inconclusive);
        assert_eq!(verdict(&with_control(lost(), 503)), Verdict::Inconclusive);
        assert_eq!(verdict(&with_control(lost(), 201)), Verdict::Fail);
        // Another key is wrong whatever else is retried.
        let other = part("reset", false, Some((201, "l")), true);
        assert_eq!(verdict(&other), Verdict::Fail);
    }

    #[test]
    fn a_hook_that_breaks_has_lost_it_unless_that_of_the_control_breaks_too() {
        let dies = || {
            let trace = part("half", true, None, false);
            with_control(trace.asked("create", "half", broken()), 201)
        };
        assert_eq!(verdict(&dies()), Verdict::Fail);
        for label in ["warm", "control"] {
            let all = dies().asked("create", label, broken());
            assert_eq!(verdict(&all), Verdict::Error, "{label}");
        }
    }

    /// Connections are refused from 1,000 ms on.
    fn door(arrives: bool, ok: bool, took_ms: u64, warm_ms: u64) -> Trace {
        let trace = Trace::default()
            .called("create", "warm", true, "")
            .taking(warm_ms)
            .with_mark("refused")
            .at_moment("refused", 1_000)
            .called("create", "refused", ok, "")
            .taking(took_ms);
        if arrives {
            trace.push(Entry::create("m-refused", 1_200, 201, "k"))
        } else {
            trace
        }
    }

    #[test]
    fn an_operation_that_was_refused_comes_when_the_door_is_open() {
        let judge = |trace: Trace| refused(&trace, "refused").verdict;
        assert_eq!(judge(door(true, true, 220, 10)), Verdict::Pass);
        assert_eq!(judge(door(false, false, 49, 10)), Verdict::Fail);
        // It may have retried, and not for long enough.
        assert_eq!(judge(door(false, false, 50, 10)), Verdict::Inconclusive);
        assert_eq!(judge(door(false, true, 10, 10)), Verdict::Inconclusive);
    }

    #[test]
    fn a_slow_subject_may_not_have_met_the_closed_door() {
        let half = u64::try_from((REFUSED / 2).as_millis()).unwrap();
        let judge = |warm| refused(&door(true, true, 220, warm), "refused").verdict;
        assert_eq!(judge(half), Verdict::Pass);
        assert_eq!(judge(half + 1), Verdict::Inconclusive);
        let mut unknown = door(true, true, 220, 10);
        unknown.moments.clear();
        assert_eq!(refused(&unknown, "refused").verdict, Verdict::Inconclusive);
    }
}
