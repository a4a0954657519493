//! What a subject tells its operators: alerts and metrics.

use std::time::Duration;

use tokio::time::Instant;

use super::Stage;
use crate::drive::hooks::{Ask, Hook};
use crate::signals;
use crate::trace::{Alert, MAX_OUTPUT, Outcome, Page};

/// How often a page is read again.
const AGAIN: Duration = Duration::from_millis(250);
/// How long an alert is waited for where there are no metrics: who sends it at
/// once needs less, and who waits for a rule needs more than any run can give.
const ALERT_ALONE: Duration = Duration::from_secs(2);
/// Of a page over HTTP.
const LIMIT: Duration = Duration::from_secs(10);
/// Of a page, in bytes.
const MAX_PAGE: usize = 4 * 1024 * 1024;

impl Stage<'_> {
    pub(super) async fn read_metrics(&mut self, label: &'static str) {
        if let Some(page) = self.page(label).await {
            let page = Page::parse(&self.provider.sandbox().redacted(&page));
            self.trace.pages.insert(label, page);
        }
        self.note(label);
    }

    pub(super) async fn await_signal(&mut self, label: &'static str, limit: Duration) {
        let limit = match self.trace.pages.get("normal") {
            Some(_) => limit,
            None => limit.min(ALERT_ALONE),
        };
        let deadline = Instant::now() + limit;
        loop {
            self.read_metrics(label).await;
            self.trace.alerts = self.alerts();
            if signals::any(&self.trace, label) || Instant::now() >= deadline {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    pub(super) async fn await_followed(&mut self, label: &'static str, limit: Duration) {
        let deadline = Instant::now() + limit;
        while !signals::any(&self.trace, "during") && self.trace.pages.contains_key("during") {
            self.read_metrics(label).await;
            self.trace.alerts = self.alerts();
            let seen = signals::any(&self.trace, label);
            let late = Instant::now() >= deadline;
            if seen || late || signals::went_on(&self.trace, "during", label) {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// The alerts since the case began.
    pub(super) fn alerts(&self) -> Vec<Alert> {
        let since = |at: &Duration| *at >= self.began;
        let alerts = self.provider.alerts().into_iter();
        alerts
            .filter(|alert| since(&alert.at))
            .map(|alert| Alert {
                at: alert.at,
                firing: alert.firing,
                text: self.provider.sandbox().redacted(&alert.text),
            })
            .collect()
    }

    /// The page of the hook `metrics`, secrets included: what it printed, or
    /// what is served at the URL that it printed.
    pub(super) async fn page(&mut self, label: &'static str) -> Option<String> {
        let driver = self.driver?;
        let mark = self.mark(label);
        let started = Instant::now();
        let outcome = driver.ask(Ask::new(Hook::Metrics, &mark, None)).await;
        let (outcome, page) = match outcome {
            Outcome::Done { ok: true, output } => {
                let url = output.trim();
                let cut = output.len() + 4 > MAX_OUTPUT;
                let fetched = if cut {
                    Err(format!(
                        "the page of metrics is longer than {MAX_OUTPUT} bytes; print its URL instead"
                    ))
                } else if url.starts_with("http://") || url.starts_with("https://") {
                    fetch(url).await
                } else {
                    Ok(output)
                };
                match fetched {
                    Ok(page) => (done(), Some(page)),
                    Err(reason) => (Outcome::Broken(reason), None),
                }
            }
            other => (self.listened(Hook::Metrics, other), None),
        };
        self.note_call(Hook::Metrics, label, outcome, started);
        page
    }
}

/// What is kept of a hook whose output is evidence of its own.
pub(super) fn done() -> Outcome {
    Outcome::Done {
        ok: true,
        output: String::new(),
    }
}

async fn fetch(url: &str) -> Result<String, String> {
    let words = |e: reqwest::Error| format!("the page of metrics: {}", e.without_url());
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(LIMIT)
        .build()
        .map_err(words)?;
    let response = client.get(url).send().await.map_err(words)?;
    let mut response = response.error_for_status().map_err(words)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(words)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_PAGE {
            return Err(format!(
                "the page of metrics is longer than {MAX_PAGE} bytes"
            ));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::case::Step;
    use crate::drive::hooks::Driver;
    use crate::drive::provider::{Provider, Settings};

    #[tokio::test]
    async fn a_page_that_was_cut_is_none() {
        let provider = Provider::start(Settings::default()).await.unwrap();
        let case = crate::cases::find("MON-01").unwrap();
        for (line, whole) in [
            ("sh -c 'echo a_total 1; echo warning >&2'", true),
            ("sh -c 'yes a_total 1 | head -n 9000'", false),
        ] {
            let driver = Driver::parse(line, Vec::new(), LIMIT).unwrap();
            let trace = Stage::new(&provider, Some(&driver), None, "t", case)
                .play(&[Step::ReadMetrics("before")])
                .await;
            let outcome = trace.call("metrics", "before").unwrap();
            assert_eq!(trace.pages.contains_key("before"), whole, "{outcome:?}");
            assert_eq!(outcome.words().contains("print its URL"), !whole);
        }
    }
}
