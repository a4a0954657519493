//! What counts as telling an operator that something is wrong: pure decisions
//! over a trace.

use crate::trace::{Outcome, Trace, Watched};

/// Words of the names, labels and texts that tell of trouble.
const WORDS: [&str; 9] = [
    "error",
    "fail",
    "5xx",
    "reject",
    "refus",
    "invalid",
    "mismatch",
    "unauthorized",
    "exception",
];
/// Further ones that an alert may use.
const ALERT_WORDS: [&str; 6] = ["webhook", "500", "502", "503", "504", "http 5"];

/// The series that changed while things went wrong.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed<'t> {
    /// They rose with the trouble and not before, and tell of it.
    pub(crate) telling: Vec<&'t str>,
    /// Counters that did so, but whose names tell nothing.
    pub(crate) silent: Vec<&'t str>,
    /// Whether the page followed what the subject did before: any counter rose.
    pub(crate) follows: bool,
}

/// Compares the pages `before`, `normal` and that of the label; `None` if one
/// of them is missing.
pub(crate) fn changed<'t>(trace: &'t Trace, during: &str) -> Option<Changed<'t>> {
    let page = |label: &str| trace.pages.get(label);
    let (before, normal, now) = (page("before")?, page("normal")?, page(during)?);
    let usual: Vec<&str> = normal.risen_since(before).collect();
    let mut changed = Changed {
        follows: usual.iter().any(|series| normal.counts(series)),
        ..Changed::default()
    };
    for series in now.risen_since(normal).filter(|s| !usual.contains(s)) {
        if tells_of_trouble(series) {
            changed.telling.push(series);
        } else if now.counts(series) && !is_part_of_histogram(series) {
            changed.silent.push(series);
        }
    }
    Some(changed)
}

/// The alerts of trouble that came since the page `normal` was read.
pub(crate) fn alerts(trace: &Trace) -> Vec<&str> {
    let Some(since) = trace.moment("normal") else {
        return Vec::new();
    };
    let alerts = trace.alerts.iter().filter(|a| a.firing && a.at >= since);
    let telling = |text: &&str| {
        let lower = text.to_lowercase();
        tells_of_trouble(text) || ALERT_WORDS.iter().any(|word| lower.contains(word))
    };
    alerts.map(|a| a.text.as_str()).filter(telling).collect()
}

/// Whether there is anything that a judge would take for a signal.
pub(crate) fn any(trace: &Trace, during: &str) -> bool {
    !alerts(trace).is_empty() || changed(trace, during).is_some_and(|c| !c.telling.is_empty())
}

/// All that the subject said of stuck customers.
pub(crate) fn reported(trace: &Trace) -> String {
    let hook = trace.calls.iter().filter(|c| c.hook == "stuck");
    let hook = hook.filter_map(|c| match &c.outcome {
        Outcome::Done { output, .. } => Some(output.as_str()),
        _ => None,
    });
    let alerts = trace.alerts.iter().filter(|a| a.firing);
    let texts: Vec<&str> = hook.chain(alerts.map(|a| a.text.as_str())).collect();
    texts.join("\n")
}

/// Whether a customer is named there, by either id and not as a part of another.
pub(crate) fn names(reported: &str, watched: &Watched) -> bool {
    [&watched.id, &watched.external_id]
        .iter()
        .any(|id| stands_alone(reported, id))
}

fn stands_alone(text: &str, id: &str) -> bool {
    let of_id = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.match_indices(id).any(|(at, _)| {
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        let after = text.get(at + id.len()..).and_then(|t| t.chars().next());
        !before.is_some_and(of_id) && !after.is_some_and(of_id)
    })
}

fn tells_of_trouble(text: &str) -> bool {
    let lower = text.to_lowercase();
    WORDS.iter().any(|word| lower.contains(word)) || has_error_status(&lower)
}

/// A label such as `code="503"`.
fn has_error_status(text: &str) -> bool {
    text.split('"').any(|value| {
        matches!(value.as_bytes(), [b'4' | b'5', a, b] if a.is_ascii_digit() && b.is_ascii_digit())
    })
}

/// Slower answers fall into other buckets: a change, but none that tells.
fn is_part_of_histogram(series: &str) -> bool {
    let name = series.split('{').next().unwrap_or(series);
    name.ends_with("_bucket") || name.ends_with("_sum")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(before: &str, normal: &str, during: &str) -> Trace {
        Trace::default()
            .with_page("before", before)
            .with_page("normal", normal)
            .with_page("during", during)
            .at_moment("normal", 100)
    }

    #[test]
    fn a_series_that_rises_with_the_errors_and_names_them_tells() {
        let trace = pages(
            "r_total{code=\"200\"} 1\nlast_error_age 1\n",
            "r_total{code=\"200\"} 3\nlast_error_age 2\n",
            "r_total{code=\"200\"} 3\nr_total{code=\"503\"} 4\nlast_error_age 3\nretries_total 3\nmem 9\nd_bucket{le=\"5\"} 1\n",
        );
        let changed = changed(&trace, "during").unwrap();
        assert_eq!(changed.telling, ["r_total{code=\"503\"}"]);
        assert_eq!(changed.silent, ["retries_total"]);
        assert!(changed.follows);
        assert!(any(&trace, "during"));
    }

    #[test]
    fn a_page_that_stands_still_follows_nothing() {
        let trace = pages("a_total 1\n", "a_total 1\nmem 5\n", "a_total 1\nmem 6\n");
        assert!(!changed(&trace, "during").unwrap().follows);
        assert_eq!(changed(&trace, "after"), None);
    }

    #[test]
    fn an_alert_counts_from_the_moment_things_went_wrong() {
        let early = pages("", "", "").with_alert(99, "5xx rate");
        assert!(alerts(&early).is_empty());
        let other = pages("", "", "").with_alert(101, "disk is full");
        assert!(alerts(&other).is_empty());
        let told = pages("", "", "").with_alert(101, "HTTP 500 at the provider");
        assert_eq!(alerts(&told).len(), 1);
        assert!(any(&told, "during"));
    }

    #[test]
    fn one_id_is_not_taken_for_another() {
        let watched = Watched {
            id: "cus_1".to_owned(),
            external_id: "m-1".to_owned(),
            status: "pending_kyc",
            stuck: true,
            page: 1,
        };
        assert!(names("stuck: cus_1, 10 d", &watched));
        assert!(names("[\"m-1\"]", &watched));
        assert!(!names("cus_12 m-10 x-m-1", &watched));
    }
}
