//! Answers that are none: are they survived?

use super::PAGES;
use crate::trace::{Outcome, Trace};
use crate::verdict::{Judgement, counted};

pub(super) fn strange_answers_are_survived(trace: &Trace) -> Judgement {
    let call = |label: &str| trace.call("create", label);
    let well = |label: &str| call(label).and_then(Outcome::ok) == Some(true);
    if !well("before") {
        let words = call("before").map_or("said nothing".to_owned(), Outcome::words);
        return match call("before") {
            Some(Outcome::Broken(_)) => Judgement::error("the driver failed", words),
            _ => Judgement::inconclusive(words, "a create that succeeds before (control)"),
        };
    }
    // The paired control: a failure like the others, but with a proper answer.
    let reports = call("json").and_then(Outcome::ok).is_some();
    let mut died = PAGES.to_vec();
    died.retain(|label| {
        let broke = matches!(call(label), Some(Outcome::Broken(_)));
        broke && reports && !trace.attempts(label).is_empty()
    });
    let mut parts: Vec<_> = PAGES
        .iter()
        .map(|label| survived(trace, label, &died))
        .collect();
    parts.push(match call("after") {
        Some(Outcome::Done { ok: true, .. }) => Judgement::pass("works afterwards"),
        Some(Outcome::Broken(reason)) if reports => Judgement::fail(
            "does not answer afterwards",
            format!("it is gone: a create without any fault {reason}"),
        ),
        other => Judgement::inconclusive(
            format!(
                "afterwards {}",
                other.map_or("said nothing".to_owned(), Outcome::words)
            ),
            "a create that succeeds afterwards",
        ),
    });
    Judgement::of_parts(&parts)
}

fn survived(trace: &Trace, label: &str, died: &[&str]) -> Judgement {
    let attempts = trace.attempts(label);
    let observed =
        |words: &str| format!("{label}: {}, {words}", counted(attempts.len(), "attempt"));
    match trace.call("create", label) {
        // One reason for all that it dies of.
        Some(Outcome::Broken(reason)) if died.contains(&label) => Judgement::fail(
            observed(&format!("the hook broke ({reason})")),
            format!(
                "it dies of {}, and not of the same status with a problem document",
                died.join(", ")
            ),
        ),
        Some(Outcome::Broken(reason)) => Judgement::error(observed("the driver failed"), reason),
        Some(Outcome::Done { .. }) if attempts.is_empty() => Judgement::inconclusive(
            observed("none"),
            format!("a create that is answered {label}"),
        ),
        Some(Outcome::Done { ok: false, .. }) => Judgement::pass(observed("reported as failed")),
        other => {
            let words = other.map_or("said nothing".to_owned(), Outcome::words);
            Judgement::inconclusive(
                observed(&words),
                format!("a failure that is reported, of a create that is answered {label}"),
            )
        }
    }
    .because_of(attempts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Entry;
    use crate::verdict::Verdict;

    /// All is well but for what is said of one label.
    fn pages(odd: &str, outcome: &Outcome) -> Trace {
        let failed = Outcome::Done {
            ok: false,
            output: String::new(),
        };
        let labels = PAGES.iter().copied();
        labels
            .chain(["json"])
            .fold(trace_of("before", true), |trace, label| {
                let mark = format!("m-{label}");
                let said = if label == odd { outcome } else { &failed };
                trace
                    .with_mark(label)
                    .push(Entry::create(&mark, 10, 502, "k"))
                    .push(Entry::create(&mark, 310, 502, "k"))
                    .asked("create", label, said.clone())
            })
    }

    fn trace_of(label: &'static str, ok: bool) -> Trace {
        Trace::default().called("create", label, ok, "")
    }

    fn broken() -> Outcome {
        Outcome::Broken("connection closed".to_owned())
    }

    fn survives(trace: Trace) -> Verdict {
        strange_answers_are_survived(&trace.called("create", "after", true, "")).verdict
    }

    #[test]
    fn an_error_is_clean_and_a_hook_that_breaks_is_a_death() {
        let page = PAGES[4];
        assert_eq!(survives(pages("", &broken())), Verdict::Pass);
        let dies = pages(page, &broken()).called("create", "after", true, "");
        let judgement = strange_answers_are_survived(&dies);
        assert_eq!(judgement.verdict, Verdict::Fail);
        assert!(judgement.reason.contains(page), "{judgement:?}");
        assert_eq!(judgement.evidence.len(), 2);
    }

    #[test]
    fn all_that_it_dies_of_is_one_reason() {
        let both = pages(PAGES[0], &broken()).asked("create", PAGES[8], broken());
        let judgement = strange_answers_are_survived(&both.called("create", "after", true, ""));
        assert_eq!(
            judgement.reason,
            "it dies of 502-html, 504-truncated, and not of the same status with a problem document"
        );
    }

    #[test]
    fn a_driver_that_breaks_on_every_failure_says_nothing() {
        let both = pages(PAGES[0], &broken()).asked("create", "json", broken());
        assert_eq!(survives(both), Verdict::Error);
        let never_well = trace_of("before", false);
        assert_eq!(survives(never_well), Verdict::Inconclusive);
        let never_there = Trace::default().asked("create", "before", broken());
        assert_eq!(survives(never_there), Verdict::Error);
    }

    #[test]
    fn what_hangs_or_calls_it_a_success_is_not_decided() {
        for odd in [
            Outcome::TimedOut,
            Outcome::Done {
                ok: true,
                output: String::new(),
            },
        ] {
            assert_eq!(survives(pages(PAGES[2], &odd)), Verdict::Inconclusive);
        }
        let mut unseen = pages("", &broken());
        unseen.marks.remove(PAGES[2]);
        assert_eq!(survives(unseen), Verdict::Inconclusive);
    }

    #[test]
    fn who_is_gone_afterwards_has_died_and_who_fails_may_have_a_breaker() {
        let gone = pages("", &broken()).asked("create", "after", broken());
        assert_eq!(strange_answers_are_survived(&gone).verdict, Verdict::Fail);
        let open = pages("", &broken()).called("create", "after", false, "");
        assert_eq!(
            strange_answers_are_survived(&open).verdict,
            Verdict::Inconclusive
        );
    }
}
