//! What was seen of the subject beside the wire: alerts, metrics, whom it
//! calls stuck, and where its secrets turned up.

use std::collections::BTreeMap;
use std::time::Duration;

/// One alert that arrived at the checker's sink.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alert {
    /// When, since the start of the record.
    pub at: Duration,
    /// Whether it says that something is wrong, not that it is well again.
    pub firing: bool,
    /// Its labels and texts, without secrets.
    pub text: String,
}

/// The samples of one page of metrics, by series, and which names are counters.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// `name{labels}` and its value.
    pub series: BTreeMap<String, f64>,
    /// The names that the page declares as counters.
    pub counters: Vec<String>,
    /// The names that it declares as something else, such as gauges.
    pub others: Vec<String>,
}

/// A customer that was seeded for the watch over stuck ones.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Watched {
    /// The provider's id.
    pub id: String,
    /// The external id.
    pub external_id: String,
    /// Its state.
    pub status: &'static str,
    /// Whether it has been in it for days.
    pub stuck: bool,
    /// The page of the list that it is on at least, with 100 customers a page.
    pub page: usize,
}

/// What was searched for secrets, and where one was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Searched {
    /// What was searched.
    pub place: Place,
    /// How much of it, in bytes.
    pub bytes: u64,
    /// Where something was found.
    pub leaks: Vec<Leak>,
    /// Why not all of it was searched, if so.
    pub missing: Option<String>,
}

/// Where secrets are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Place {
    /// What the hook `logs` gave.
    Logs,
    /// What all hooks printed.
    Hooks,
    /// What the subject sent to the provider, URLs and authorization apart.
    Requests,
    /// What it answered to webhooks.
    Answers,
    /// The alerts that it raised.
    Alerts,
    /// Its page of metrics.
    Metrics,
}

/// One secret where none belongs; never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leak {
    /// A file and line, or a hook, or a request.
    pub at: String,
    /// What it was.
    pub kind: String,
    /// The text around it, redacted.
    pub excerpt: String,
}

// === impl Place ===

impl Place {
    /// The place in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Hooks => "outputs of hooks",
            Self::Requests => "requests",
            Self::Answers => "answers to webhooks",
            Self::Alerts => "alerts",
            Self::Metrics => "metrics",
        }
    }
}

// === impl Page ===

impl Page {
    /// Reads the text format of Prometheus, and of it only what has a value.
    ///
    /// Lines that are none are left out: a page is evidence, not a document to
    /// validate.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut page = Self::default();
        for line in text.lines().map(str::trim) {
            if let Some(comment) = line.strip_prefix('#') {
                let mut words = comment.split_whitespace();
                if let (Some("TYPE"), Some(name), Some(kind)) =
                    (words.next(), words.next(), words.next())
                {
                    match kind {
                        "counter" => page.counters.push(name.to_owned()),
                        "untyped" | "unknown" => {}
                        _ => page.others.push(name.to_owned()),
                    }
                }
            } else if let Some((series, value)) = sample(line) {
                page.series.insert(series.to_owned(), value);
            }
        }
        page
    }

    /// The series that are higher than on the earlier page, or new and not 0.
    pub fn risen_since<'p>(&'p self, earlier: &'p Self) -> impl Iterator<Item = &'p str> {
        let before = |series: &String| earlier.series.get(series).copied().unwrap_or(0.0);
        self.series
            .iter()
            .filter(move |(series, value)| **value > before(series))
            .map(|(series, _)| series.as_str())
    }

    /// Whether a series may be a counter, for all that the page says.
    #[must_use]
    pub fn may_count(&self, series: &str) -> bool {
        let name = series.split('{').next().unwrap_or(series);
        self.counts(series) || !self.others.iter().any(|known| known == name)
    }

    /// Whether a series only counts up: by its declared type, or by its name.
    #[must_use]
    pub fn counts(&self, series: &str) -> bool {
        let name = series.split('{').next().unwrap_or(series);
        let declared = |known: &String| {
            // OpenMetrics declares a counter without its suffix.
            known == name || name.strip_suffix("_total") == Some(known)
        };
        name.ends_with("_total") || name.ends_with("_count") || self.counters.iter().any(declared)
    }
}

/// `name{label="value"} 3 1700000000`; the labels may hold anything.
fn sample(line: &str) -> Option<(&str, f64)> {
    let end = match line.find('{') {
        Some(open) => {
            let mut quoted = false;
            let mut escaped = false;
            let close = line.get(open..)?.char_indices().find(|(_, c)| {
                let ends = *c == '}' && !quoted;
                quoted ^= *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            })?;
            open + close.0 + 1
        }
        None => line.find(char::is_whitespace)?,
    };
    let (series, rest) = line.split_at(end);
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some((series, value)).filter(|(series, _)| !series.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_whatever_its_labels_hold() {
        let page = Page::parse(
            "# HELP a Some text.\n# TYPE a counter\na{p=\"/x{}\",q=\"\\\"} 9\"} 3 1700\n\
             b 1.5e3\nc_total{s=\"500\"} 2 # {trace_id=\"1\"} 1\nbroken\n# EOF\n",
        );
        let expected = [
            ("a{p=\"/x{}\",q=\"\\\"} 9\"}", 3.0),
            ("b", 1500.0),
            ("c_total{s=\"500\"}", 2.0),
        ];
        let series: Vec<_> = page.series.iter().map(|(s, v)| (s.as_str(), *v)).collect();
        assert_eq!(series, expected);
        assert!(page.counts("a{p=\"1\"}") && page.counts("c_total{s=\"1\"}"));
        assert!(!page.counts("b") && page.may_count("b"));
        let gauge = Page::parse("# TYPE b gauge\n# TYPE u untyped\nb 1\nu 1\n");
        assert!(!gauge.may_count("b") && gauge.may_count("u"));
    }

    #[test]
    fn what_is_new_or_higher_has_risen() {
        let before = Page::parse("a 1\nb 2\nc 0\n");
        let after = Page::parse("a 1\nb 3\nc 0\nd 0\ne 1\n");
        let risen: Vec<_> = after.risen_since(&before).collect();
        assert_eq!(risen, ["b", "e"]);
        assert!(Page::parse("x NaN").risen_since(&before).next().is_none());
    }
}
