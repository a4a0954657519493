//! What counts as telling an operator that something is wrong: pure decisions
//! over a trace.

use crate::trace::{Alert, Outcome, Trace, Watched};

/// Words of the names, labels and texts that tell of trouble.
///
/// NOTE: in the languages of the provider's customers; `erro` begins "error".
const WORDS: [&str; 16] = [
    "erro",
    "fail",
    "falh",
    "fallo",
    "fallid",
    "recus",
    "rechaz",
    "rejei",
    "inválid",
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
    /// Counters that tell of trouble, but rose while all went well, too.
    pub(crate) noisy: Vec<&'t str>,
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
        } else if now.may_count(series) && !is_part_of_histogram(series) {
            changed.silent.push(series);
        }
    }
    let again = now.risen_since(normal).filter(|s| usual.contains(s));
    changed.noisy = again
        .filter(|s| now.may_count(s) && tells_of_trouble(s))
        .collect();
    Some(changed)
}

/// Whether the page went on after that of the label was read: then it shows all
/// that came before that, and its silence counts.
pub(crate) fn went_on(trace: &Trace, during: &str, after: &str) -> bool {
    let page = |label: &str| trace.pages.get(label);
    let (Some(during), Some(after)) = (page(during), page(after)) else {
        return false;
    };
    let mut risen = after.risen_since(during);
    risen.any(|series| after.counts(series))
}

/// The alerts of trouble that came since the page `normal` was read; none if
/// one came before that, while all went well.
pub(crate) fn alerts(trace: &Trace) -> Vec<&str> {
    let Some(since) = trace.moment("normal") else {
        return Vec::new();
    };
    let telling = |alert: &&Alert| {
        let lower = alert.text.to_lowercase();
        let word = ALERT_WORDS.iter().any(|word| lower.contains(word));
        alert.firing && (word || tells_of_trouble(&lower))
    };
    let alerts = trace.alerts.iter().filter(telling);
    let (since, before): (Vec<&Alert>, Vec<&Alert>) = alerts.partition(|a| a.at >= since);
    match before.as_slice() {
        [] => since.iter().map(|a| a.text.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// Whether there is anything that a judge would take for a signal.
pub(crate) fn any(trace: &Trace, during: &str) -> bool {
    !alerts(trace).is_empty() || changed(trace, during).is_some_and(|c| !c.telling.is_empty())
}

/// All that the subject said of stuck customers.
pub(crate) fn reported(trace: &Trace) -> String {
    let alerts = trace.alerts.iter().filter(|a| a.firing);
    let alerts = alerts.map(|a| a.text.as_str());
    let texts: Vec<&str> = by_hook(trace).chain(alerts).collect();
    texts.join("\n")
}

/// Whether the hook itself names one of them.
pub(crate) fn hook_names(trace: &Trace, watched: &[Watched]) -> bool {
    let texts: Vec<&str> = by_hook(trace).collect();
    let reported = texts.join("\n");
    watched.iter().any(|w| names(&reported, w))
}

fn by_hook(trace: &Trace) -> impl Iterator<Item = &str> {
    let hook = trace.calls.iter().filter(|c| c.hook == "stuck");
    hook.filter_map(|c| match &c.outcome {
        Outcome::Done { output, .. } => Some(output.as_str()),
        _ => None,
    })
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
    let parts: Vec<&str> = text.split('"').collect();
    parts.windows(2).any(|pair| match pair {
        // The bound of a histogram's bucket is no status.
        [label, value] if !label.ends_with("{le=") && !label.ends_with(",le=") => matches!(
            value.as_bytes(),
            [b'4' | b'5', a, b] if a.is_ascii_digit() && b.is_ascii_digit()
        ),
        _ => false,
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
            "# TYPE mem gauge\nr_total{code=\"200\"} 3\nr_total{code=\"503\"} 4\nlast_error_age 3\nretries_total 3\nmem 9\nd_bucket{op=\"a\",le=\"500\"} 1\nerros 1\ntentativas 2\n",
        );
        let changed = changed(&trace, "during").unwrap();
        assert_eq!(changed.telling, ["erros", "r_total{code=\"503\"}"]);
        assert_eq!(changed.silent, ["retries_total", "tentativas"]);
        assert_eq!(changed.noisy, ["last_error_age"]);
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
        let mut resolved = told.clone();
        resolved.alerts[0].firing = false;
        assert!(alerts(&resolved).is_empty());
        let always = told.with_alert(50, "HTTP 500 at the provider");
        assert!(alerts(&always).is_empty() && !any(&always, "during"));
        let brazilian = pages("", "", "").with_alert(101, "Falha no provedor");
        assert_eq!(alerts(&brazilian).len(), 1);
    }

    #[test]
    fn a_page_goes_on_if_a_counter_rose_after_it_was_read() {
        let trace = |after: &str| pages("", "", "a_total 1\nmem 1\n").with_page("after", after);
        assert!(went_on(&trace("a_total 2\n"), "during", "after"));
        assert!(!went_on(&trace("a_total 1\nmem 2\n"), "during", "after"));
        assert!(!went_on(&pages("", "", "a_total 1"), "during", "after"));
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
