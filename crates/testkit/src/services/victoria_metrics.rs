use std::{collections::BTreeMap, process::Command, time::Duration};

use reqwest::Url;
use serde_json::Value;

use super::{
    process::{self, Process},
    tool,
};

/// How long what was pushed may take until a query finds it.
const PATIENCE: Duration = Duration::from_secs(15);

/// A VictoriaMetrics of our own: takes OTLP metrics, answers PromQL.
///
/// It names what it receives as Prometheus does: `http.client.request.duration` in seconds becomes
/// `http_client_request_duration_seconds`.
#[derive(Debug)]
pub struct VictoriaMetrics {
    process: Process,
    base: String,
}

/// One series of an answer, at one point in time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its labels, the name among them as `__name__` where PromQL keeps it.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

// === impl VictoriaMetrics ===

impl VictoriaMetrics {
    /// Starts one and waits until it is ready.
    ///
    /// # Panics
    /// If it is not installed, or does not start.
    pub async fn start() -> Self {
        let program = tool("victoria-metrics");
        let port = process::free_port();
        let mut process = Process::start(|directory| {
            let mut command = Command::new(program);
            command
                .arg(format!("-storageDataPath={}", directory.join("data").display()))
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                .arg("-opentelemetry.usePrometheusNaming")
                .args(["-retentionPeriod=1d", "-memory.allowedPercent=5"])
                // What was written a moment ago is found.
                .args(["-search.latencyOffset=0s", "-search.disableCache"]);
            command
        });
        let base = format!("http://127.0.0.1:{port}");
        process.ready(&format!("{base}/health")).await;
        Self { process, base }
    }

    /// Where an OTLP exporter of metrics pushes to, with HTTP and protobuf.
    #[must_use]
    pub fn metrics_url(&self) -> String {
        format!("{}/opentelemetry/v1/metrics", self.base)
    }

    /// Asks until there is an answer of at least one series, and returns it; an empty one if there
    /// is none after some seconds.
    ///
    /// # Panics
    /// If the query is not PromQL, or the server does not answer.
    pub async fn eventually(&self, promql: &str) -> Vec<Sample> {
        let asked = async {
            loop {
                let samples = self.query(promql).await;
                if !samples.is_empty() {
                    return samples;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let answered = tokio::time::timeout(PATIENCE, asked).await;
        answered.unwrap_or_default()
    }

    /// Asks once, for now.
    ///
    /// # Panics
    /// If the query is not PromQL, or the server does not answer.
    pub async fn query(&self, promql: &str) -> Vec<Sample> {
        self.get(&format!("{}/internal/force_flush", self.base), &[])
            .await;
        let url = format!("{}/api/v1/query", self.base);
        // No rounding of the time to a step, no filling of gaps that are not there.
        let answer = self.get(&url, &[("query", promql), ("nocache", "1")]).await;
        let answer: Value = serde_json::from_slice(&answer).expect("an answer in JSON");
        let series = answer["data"]["result"].as_array();
        let series = series.unwrap_or_else(|| panic!("no vector for {promql}: {answer}"));
        series.iter().map(Sample::read).collect()
    }

    async fn get(&self, url: &str, parameters: &[(&str, &str)]) -> Vec<u8> {
        let url = Url::parse_with_params(url, parameters).expect("a URL");
        let answer = process::client().get(url).send().await;
        let answer = answer.unwrap_or_else(|error| panic!("{:?}: {error}", self.process));
        let status = answer.status();
        let body = answer.bytes().await.expect("a whole answer");
        assert!(status.is_success(), "{status}: {}", body.escape_ascii());
        body.into()
    }
}

// === impl Sample ===

impl Sample {
    fn read(series: &Value) -> Self {
        let labels = series["metric"].as_object().expect("labels");
        let value = series["value"][1].as_str().expect("a value");
        Self {
            labels: labels
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
            value: value.parse().expect("a number"),
        }
    }

    /// One label; empty if there is none of this name, as PromQL has it.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}
