//! Are failures told to anyone?

use crate::drive::Hook;
use crate::signals::{self, Changed};
use crate::trace::{Entry, Outcome, Trace};
use crate::verdict::{Judgement, counted};

/// The labels of the deliveries of MON-02 that must fail.
const FORGED: [&str; 3] = ["key", "body", "none"];
/// Series that are named.
const NAMED: usize = 3;

pub(super) fn errors_of_the_provider_are_told(trace: &Trace) -> Judgement {
    let attempts = trace.operations("a").into_iter().flatten();
    let errors: Vec<&Entry> = attempts
        .filter(|e| e.status().is_some_and(|s| s >= 500))
        .collect();
    if errors.is_empty() {
        return Judgement::inconclusive("no answer of 500 was seen", "operations that fail");
    }
    let what = format!("{} answered 500", counted(errors.len(), "request"));
    told(trace, &what).because_of(errors.into_iter().take(5))
}

pub(super) fn failing_deliveries_are_told(trace: &Trace) -> Judgement {
    let forged = FORGED.iter().flat_map(|label| trace.sent(label));
    let forged: Vec<&Entry> = forged.collect();
    let refused = |e: &Entry| e.status().is_some_and(|s| s >= 400);
    let accepted = trace.sent("ok").iter().filter(|e| e.succeeded()).count();
    let failing = forged.iter().filter(|e| refused(e)).count();
    let what = format!(
        "{} accepted, then {} of {} refused",
        counted(accepted as u64, "delivery").replace("deliverys", "deliveries"),
        failing,
        forged.len()
    );
    if forged.is_empty() || failing < forged.len() || accepted == 0 {
        return Judgement::inconclusive(what, "valid deliveries accepted and forged ones refused");
    }
    told(trace, &what).because_of(forged)
}

/// Whether an alert or the metrics tell of what went wrong.
fn told(trace: &Trace, what: &str) -> Judgement {
    let alerts = signals::alerts(trace);
    // After the errors the page was read until it showed what came later still.
    let now = match trace.pages.get("after") {
        Some(_) => "after",
        None => "during",
    };
    let changed = signals::changed(trace, now);
    if let Some(alert) = alerts.first() {
        let start: String = alert.chars().take(120).collect();
        return Judgement::pass(format!(
            "{what}; {}: {start:?}",
            counted(alerts.len() as u64, "alert")
        ));
    }
    let missing_alert = "an alert that names the errors, and does not come while all goes well";
    let alerted = trace.alerts.iter().any(|a| a.firing);
    let Some(changed) = changed else {
        return match alerted {
            true => Judgement::inconclusive(what, missing_alert),
            false => not_read(trace, what),
        };
    };
    let Changed {
        telling,
        silent,
        noisy,
        follows,
    } = changed;
    if !telling.is_empty() {
        Judgement::pass(format!("{what}; rose with them: {}", named(&telling)))
    } else if !follows {
        let missing =
            "a page of metrics that follows the subject: no counter rose while all went well";
        Judgement::inconclusive(format!("{what}; no alert"), missing)
    } else if !silent.is_empty() {
        let missing = format!(
            "a series that names the errors; rose with them: {}",
            named(&silent)
        );
        Judgement::inconclusive(format!("{what}; no alert"), missing)
    } else if !noisy.is_empty() {
        let missing = format!(
            "a series that rises with the errors alone; these rose before, too: {}",
            named(&noisy)
        );
        Judgement::inconclusive(format!("{what}; no alert"), missing)
    } else if alerted {
        Judgement::inconclusive(format!("{what}; no series rose with it"), missing_alert)
    } else if !signals::went_on(trace, "during", "after") {
        let missing = "a page of metrics that keeps up: it did not show what went well after the errors, either";
        Judgement::inconclusive(format!("{what}; no alert"), missing)
    } else {
        Judgement::fail(
            format!("{what}; no alert, and no series of the metrics rose"),
            "nobody is told: the page of metrics follows what goes well and not what fails",
        )
    }
}

fn not_read(trace: &Trace, what: &str) -> Judgement {
    if trace.lacks(Hook::Metrics) {
        return Judgement::skip(
            "the driver does not offer the hook `metrics`, and no alert came to GOLIVE_ALERTS_URL",
        );
    }
    let hook = trace.call("metrics", "during").map(Outcome::words);
    let missing = format!(
        "the metrics: the hook `metrics` {}",
        hook.unwrap_or_default()
    );
    Judgement::inconclusive(what, missing)
}

fn named(series: &[&str]) -> String {
    let more = series.len().saturating_sub(NAMED);
    let mut named = series
        .iter()
        .take(NAMED)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if more > 0 {
        named.push_str(&format!(" and {more} more"));
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::by_hand::answered;
    use crate::verdict::Verdict;

    fn failed() -> Trace {
        Trace::default()
            .with_mark("a")
            .push(Entry::create("m-a-0", 10, 500, "k"))
            .at_moment("normal", 5)
    }

    fn with_pages(trace: Trace, during: &str) -> Trace {
        trace
            .with_page("before", "c_total 1\n")
            .with_page("normal", "c_total 2\n")
            .with_page("during", during)
    }

    fn verdict(trace: &Trace) -> Verdict {
        errors_of_the_provider_are_told(trace).verdict
    }

    #[test]
    fn an_alert_or_a_series_that_names_the_errors_passes() {
        let counted = with_pages(failed(), "c_total 3\ne_total{status=\"500\"} 1\n");
        assert_eq!(verdict(&counted), Verdict::Pass);
        assert_eq!(verdict(&failed().with_alert(20, "5xx")), Verdict::Pass);
    }

    #[test]
    fn a_page_that_counts_calls_and_no_errors_fails() {
        let page = "# TYPE mem gauge\nc_total 9\nmem 3\n";
        let calls = |after: &str| with_pages(failed(), page).with_page("after", after);
        let went_on = calls("# TYPE mem gauge\nc_total 11\nmem 3\n");
        assert_eq!(verdict(&went_on), Verdict::Fail);
        // A page that is made once a minute has not shown the errors yet.
        assert_eq!(verdict(&calls(page)), Verdict::Inconclusive);
        let late = calls("c_total 11\ne_total{status=\"500\"} 1\n");
        assert_eq!(verdict(&late), Verdict::Pass);
        // An alert in other words, or one that comes whatever happens.
        let words = went_on.clone().with_alert(9, "Problema com o provedor");
        assert_eq!(verdict(&words), Verdict::Inconclusive);
        let always = went_on.with_alert(4, "5xx").with_alert(9, "5xx");
        assert_eq!(verdict(&always), Verdict::Inconclusive);
        let before_too = with_pages(failed(), "")
            .with_page("normal", "c_total 2\ne_total{status=\"500\"} 1\n")
            .with_page("during", "c_total 2\ne_total{status=\"500\"} 2\n")
            .with_page("after", "c_total 3\ne_total{status=\"500\"} 2\n");
        assert_eq!(verdict(&before_too), Verdict::Inconclusive);
        let silent = with_pages(failed(), "c_total 9\nretries_total 1\n");
        assert_eq!(verdict(&silent), Verdict::Inconclusive);
    }

    #[test]
    fn who_shows_nothing_is_not_convicted_for_it() {
        let lacks = failed().asked("metrics", "before", Outcome::NotOffered);
        assert_eq!(verdict(&lacks), Verdict::Skip);
        let always = lacks.with_alert(4, "5xx").with_alert(9, "5xx");
        assert_eq!(verdict(&always), Verdict::Inconclusive);
        let still = failed()
            .with_page("before", "c_total 1\n")
            .with_page("normal", "c_total 1\n")
            .with_page("during", "c_total 1\n");
        assert_eq!(verdict(&still), Verdict::Inconclusive);
        let moves_late = still.with_page("after", "c_total 2\n");
        assert_eq!(verdict(&moves_late), Verdict::Inconclusive);
        let no_errors = with_pages(Trace::default().with_mark("a"), "c_total 3\n");
        let no_errors = no_errors.with_page("after", "c_total 4\n");
        assert_eq!(verdict(&no_errors), Verdict::Inconclusive);
    }

    #[test]
    fn refused_deliveries_are_judged_by_the_same_signals() {
        let sent = |refused| {
            let trace = Trace::default()
                .push_sent("ok", Entry::delivery(0, 1, 200))
                .at_moment("normal", 5);
            FORGED.iter().fold(trace, |t, label| {
                t.push_sent(label, Entry::delivery(9, 1, refused))
            })
        };
        let judge = |trace: &Trace| failing_deliveries_are_told(trace).verdict;
        let counted = "c_total 3\nw_total{verdict=\"signature_mismatch\"} 1\n";
        assert_eq!(judge(&with_pages(sent(401), counted)), Verdict::Pass);
        let deliveries = with_pages(sent(401), "c_total 3\n").with_page("after", "c_total 4\n");
        assert_eq!(judge(&deliveries), Verdict::Fail);
        let mut closed = with_pages(sent(401), counted);
        closed.deliveries[0].entry.answer = answered(401);
        assert_eq!(judge(&closed), Verdict::Inconclusive);
        assert_eq!(
            judge(&with_pages(sent(200), counted)),
            Verdict::Inconclusive
        );
    }
}
