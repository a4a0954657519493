//! What is tried again, and what is not.

use super::STATUSES;
use crate::trace::{Outcome, Trace};
use crate::verdict::{Judgement, counted};

pub(super) fn transient_failures_are_retried(trace: &Trace) -> Judgement {
    Judgement::of_parts(&[retried(trace, "a", 500), retried(trace, "b", 429)])
}

fn retried(trace: &Trace, label: &str, status: u16) -> Judgement {
    let attempts = trace.attempts(label);
    if attempts.first().and_then(|e| e.status()) != Some(status) {
        return Judgement::inconclusive(
            format!("no {status} was answered"),
            format!("a create that is answered {status}"),
        );
    }
    let said = trace.call("create", label);
    let observed = format!("{status}: {}", counted(attempts.len(), "attempt"));
    if attempts.iter().any(|e| e.succeeded()) {
        Judgement::pass(observed)
    } else if attempts.len() == 1 && said.and_then(Outcome::ok) == Some(false) {
        Judgement::fail(observed, format!("a single {status} was not retried"))
    } else {
        Judgement::inconclusive(observed, format!("a success after a single {status}"))
    }
    .because_of(attempts)
}

pub(super) fn client_errors_are_not_retried(trace: &Trace) -> Judgement {
    let parts = STATUSES.iter().map(|label| {
        let attempts = trace.attempts(label);
        let observed = format!("{label}: {}", counted(attempts.len(), "attempt"));
        match attempts.len() {
            0 => Judgement::inconclusive(observed, format!("a create that is answered {label}")),
            // A client that still waits may still retry.
            1 if trace.call("create", label).and_then(Outcome::ok).is_none() => {
                Judgement::inconclusive(observed, format!("an end of the create answered {label}"))
            }
            1 => Judgement::pass(observed),
            n => Judgement::fail(observed, format!("{label} was sent {n} times")),
        }
        .because_of(attempts)
    });
    Judgement::of_parts(&parts.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Entry;
    use crate::verdict::Verdict;

    fn once(label: &'static str, first: u16, second: Option<u16>, ok: bool) -> Trace {
        let mark = format!("m-{label}");
        let mut trace = Trace::default()
            .with_mark(label)
            .push(Entry::create(&mark, 0, first, "k"));
        if let Some(status) = second {
            trace = trace.push(Entry::create(&mark, 100, status, "k"));
        }
        trace.called("create", label, ok, "")
    }

    #[test]
    fn a_transient_failure_wants_a_retry_that_succeeds() {
        assert_eq!(
            retried(&once("a", 500, Some(201), true), "a", 500).verdict,
            Verdict::Pass
        );
        assert_eq!(
            retried(&once("a", 500, None, false), "a", 500).verdict,
            Verdict::Fail
        );
        let queued = once("a", 500, None, true);
        assert_eq!(retried(&queued, "a", 500).verdict, Verdict::Inconclusive);
        assert_eq!(
            retried(&once("a", 201, None, true), "a", 500).verdict,
            Verdict::Inconclusive
        );
    }

    #[test]
    fn a_client_error_is_sent_once() {
        let all = |retried: Option<&str>| {
            STATUSES.iter().fold(Trace::default(), |trace, label| {
                let (mark, status) = (format!("m-{label}"), label.parse().unwrap());
                let trace = trace
                    .with_mark(label)
                    .push(Entry::create(&mark, 0, status, "k"));
                if retried == Some(label) {
                    trace.push(Entry::create(&mark, 300, status, "k"))
                } else {
                    trace
                }
            })
        };
        let waiting = client_errors_are_not_retried(&all(None));
        assert_eq!(
            waiting.verdict,
            Verdict::Inconclusive,
            "nobody said it ended"
        );
        let all = |retried| {
            STATUSES.iter().fold(all(retried), |trace, label| {
                trace.called("create", label, false, "")
            })
        };
        assert_eq!(
            client_errors_are_not_retried(&all(None)).verdict,
            Verdict::Pass
        );
        let judgement = client_errors_are_not_retried(&all(Some("422")));
        assert_eq!(judgement.verdict, Verdict::Fail);
        assert_eq!(judgement.reason, "422 was sent 2 times");
        assert_eq!(judgement.evidence.len(), 2);
    }
}
