//! The rules and the dashboard in `monitoring/`, against the names of the crate, against promtool,
//! and against data that the crate has emitted through the real SDK into a real VictoriaMetrics.

#![cfg(feature = "tower")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails the test"
)]

use std::{
    collections::BTreeSet,
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use golive_core::{Clock, Stack, SystemClock, tower::Layer};
use golive_telemetry::{
    EntityWatch, Renewals, Retries, SecretDates, Telemetry, Webhooks,
    names::{self, Instrument, Metric},
};
use golive_testkit::services::{VictoriaMetrics, promtool};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::{MetricExporter, Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use tower::{ServiceExt, service_fn};

/// A rule: its name, and what it asks.
struct Rule {
    name: String,
    expr: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../monitoring")
}

fn rules_text() -> String {
    fs::read_to_string(folder().join("rules.yaml")).unwrap()
}

/// The rules, by the one shape that they are written in: a name, then `expr: |` and a block.
fn rules() -> Vec<Rule> {
    let text = rules_text();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut rules: Vec<Rule> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let item = line.trim_start().trim_start_matches("- ");
        if let Some(name) = item
            .strip_prefix("alert: ")
            .or_else(|| item.strip_prefix("record: "))
        {
            rules.push(Rule {
                name: name.to_owned(),
                expr: String::new(),
            });
        }
        if item == "expr: |" {
            let rule = rules.last_mut().expect("a name before its expression");
            while let Some(more) = lines.next_if(|next| indent(next) > indent(line)) {
                rule.expr.push_str(more.trim());
                rule.expr.push('\n');
            }
        }
    }
    assert_eq!(rules.len(), text.matches("expr:").count());
    assert!(rules.iter().all(|rule| !rule.expr.is_empty()));
    rules
}

/// What the panels of the dashboard ask, with an interval in place of Grafana's variable.
fn panels() -> Vec<Rule> {
    let text = fs::read_to_string(folder().join("dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let panels = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().unwrap().iter();
        targets.map(|target| Rule {
            name: title.to_owned(),
            expr: target["expr"]
                .as_str()
                .unwrap()
                .replace("$__rate_interval", "5m"),
        })
    });
    panels.collect()
}

/// The series that Prometheus makes of a metric.
fn series(metric: &Metric) -> Vec<String> {
    let mut name = metric.name.replace('.', "_");
    if metric.unit == "s" {
        name.push_str("_seconds");
    }
    match metric.instrument {
        Instrument::Counter => vec![format!("{name}_total")],
        Instrument::Histogram => ["bucket", "count", "sum"]
            .iter()
            .map(|part| format!("{name}_{part}"))
            .collect(),
        _ => vec![name],
    }
}

fn label(attribute: &str) -> String {
    attribute.replace('.', "_")
}

fn all_series() -> BTreeSet<String> {
    names::METRICS.iter().flat_map(series).collect()
}

fn all_labels() -> BTreeSet<String> {
    let attributes = names::METRICS.iter().flat_map(|metric| metric.attributes);
    attributes
        .map(|name| label(name))
        .chain(["le".to_owned()])
        .collect()
}

/// The names in a PromQL expression: whatever is no string, no number and no duration.
fn identifiers(expr: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (index, outside) in expr.split('"').enumerate() {
        if index % 2 == 1 {
            continue;
        }
        let words = outside.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
        let words = words.filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()));
        found.extend(words.map(str::to_owned));
    }
    found
}

const PROMQL: &[&str] = &[
    "and",
    "by",
    "histogram_quantile",
    "increase",
    "max",
    "min",
    "offset",
    "on",
    "or",
    "rate",
    "sum",
    "time",
    "unless",
];

#[test]
fn every_name_in_rules_and_dashboard_is_one_that_the_crate_emits() {
    let rules = rules();
    let recorded: BTreeSet<_> = rules.iter().map(|rule| rule.name.clone()).collect();
    let (series, labels) = (all_series(), all_labels());
    let mut used = BTreeSet::new();
    for rule in rules.iter().chain(&panels()) {
        for name in identifiers(&rule.expr) {
            let known = series.contains(&name)
                || labels.contains(&name)
                || recorded.contains(&name)
                || PROMQL.contains(&name.as_str());
            assert!(known, "{}: nothing is named `{name}`", rule.name);
            used.insert(name);
        }
    }
    for template in rules_text().split("$labels.").skip(1) {
        let end = template.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let name = &template[..end.unwrap()];
        assert!(labels.contains(name), "no label is named `{name}`");
    }
    // The control: the search found what it should look at.
    assert!(used.contains("golive_quota_remaining") && used.contains("http_response_status_code"));
}

#[test]
fn promtool_finds_each_rule_sound_silent_and_firing() {
    let tests = fs::read_to_string(folder().join("tests.yaml")).unwrap();
    for rule in rules()
        .iter()
        .filter(|rule| rule.name.starts_with("Golive"))
    {
        let name = format!("alertname: {}\n", rule.name);
        let asked = tests.split(&name).skip(1);
        let (firing, silent): (Vec<_>, Vec<_>) =
            asked.partition(|after| after.trim_start().starts_with("exp_alerts:"));
        assert!(!firing.is_empty(), "{} never fires in a test", rule.name);
        assert!(
            !silent.is_empty(),
            "{} is never silent in a test",
            rule.name
        );
    }
    for command in [
        ["check", "rules", "rules.yaml"],
        ["test", "rules", "tests.yaml"],
    ] {
        let output = promtool().args(command).current_dir(folder()).output();
        let output = output.unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", said.escape_ascii());
    }
}

/// Everything that the crate can record, in a state that should wake somebody.
struct Emitter {
    meters: SdkMeterProvider,
    telemetry: Telemetry,
    webhooks: Webhooks,
    renewals: Renewals,
    retries: Retries,
    entities: EntityWatch,
    _secrets: SecretDates,
}

impl Emitter {
    async fn new(url: String) -> Self {
        // The exporter's client must not be built where async code runs.
        let build = tokio::task::spawn_blocking(move || {
            let client = reqwest::blocking::Client::builder().no_proxy().build();
            let exporter = MetricExporter::builder()
                .with_http()
                .with_http_client(client.unwrap())
                .with_protocol(Protocol::HttpBinary)
                .with_endpoint(url)
                .build()
                .unwrap();
            let reader = PeriodicReader::builder(exporter)
                .with_interval(Duration::from_secs(3600))
                .build();
            SdkMeterProvider::builder().with_reader(reader).build()
        });
        let meters = build.await.unwrap();
        let meter = meters.meter("golive");
        let now = SystemClock.now();
        let day = Duration::from_secs(86_400);

        let entities = EntityWatch::builder("customer")
            .state("pending_kyc", 2 * day)
            .capacity(1)
            .build()
            .unwrap();
        entities.observe(&meter);
        entities
            .entered("cus_1", "pending_kyc", now - 10 * day)
            .unwrap();
        let secrets = SecretDates::new(&meter);
        assert!(secrets.set("soon", now - 85 * day, now + 5 * day));
        assert!(secrets.set("late", now - 95 * day, now - 5 * day));
        Self {
            telemetry: Telemetry::builder()
                .meter(&meter)
                .route("/v3/customers/{id}")
                .build()
                .unwrap(),
            webhooks: Webhooks::new(&meter, "dinie"),
            renewals: Renewals::new(&meter, "dinie"),
            retries: Retries::new(&meter, "api.example", 443),
            entities,
            _secrets: secrets,
            meters,
        }
    }

    /// A bit more of everything, pushed.
    async fn emit(&self) {
        let client = Stack::new()
            .push(self.telemetry.call())
            .push(self.telemetry.attempt())
            .layer(service_fn(async |request: Request<Full<Bytes>>| {
                let mut response = Response::new(Full::<Bytes>::default());
                if request.method() == "PUT" {
                    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                }
                let headers = response.headers_mut();
                headers.insert("x-ratelimit-limit", HeaderValue::from_static("100"));
                headers.insert("x-ratelimit-remaining", HeaderValue::from_static("5"));
                headers.insert("x-ratelimit-reset", HeaderValue::from_static("600"));
                Ok::<_, Infallible>(response)
            }));
        for method in ["GET", "PUT"] {
            let request = Request::builder()
                .method(method)
                .uri("https://api.example/v3/customers/cus_1")
                .body(Full::default());
            client.clone().oneshot(request.unwrap()).await.unwrap();
        }
        self.webhooks.accepted();
        self.webhooks.duplicate();
        self.webhooks.rejected("mismatch");
        self.webhooks.failed("full");
        self.renewals.renewed();
        self.renewals.failed("invalid_client");
        self.retries.retried("timeout");
        let now = SystemClock.now();
        let refused = self.entities.entered("cus_2", "pending_kyc", now);
        assert!(refused.is_err());
        let meters = self.meters.clone();
        let flushed = tokio::task::spawn_blocking(move || meters.force_flush());
        flushed.await.unwrap().unwrap();
    }
}

/// Recorded series in full, since nobody evaluates the rules here.
fn spelled_out(expr: &str, rules: &[Rule]) -> String {
    let mut expr = expr.to_owned();
    for rule in rules.iter().filter(|rule| rule.name.contains(':')) {
        expr = expr.replace(&rule.name, &format!("({})", rule.expr));
    }
    expr
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_finds_what_the_crate_has_emitted() {
    let server = VictoriaMetrics::start().await;
    let emitter = Emitter::new(server.metrics_url()).await;
    let rules = rules();
    let mut open: Vec<Rule> = Vec::new();
    for rule in rules.iter().chain(&panels()) {
        let mut expr = spelled_out(&rule.expr, &rules);
        if rule.name == "GoliveWebhooksSilent" {
            // Nobody waits for two hours: the same without the waiting, so that the names and the
            // matching of the two sides are seen to work. promtool moves the time.
            expr = expr.replace(" offset 1h", "").replace("== 0", ">= 0");
        }
        open.push(Rule {
            name: rule.name.clone(),
            expr,
        });
    }
    // A rate needs two points in time, so there is more until all is found.
    let patience = Duration::from_secs(60);
    let until = tokio::time::Instant::now() + patience;
    while !open.is_empty() && tokio::time::Instant::now() < until {
        emitter.emit().await;
        let mut empty = Vec::new();
        for rule in open {
            if server.query(&rule.expr).await.is_empty() {
                empty.push(rule);
            }
        }
        open = empty;
    }
    let left: Vec<_> = open
        .iter()
        .map(|r| format!("{}: {}", r.name, r.expr))
        .collect();
    assert!(left.is_empty(), "found nothing:\n{}", left.join("\n"));

    // Each metric arrives under the name and with the labels that the crate says it has.
    for metric in names::METRICS {
        for name in series(metric) {
            let samples = server.eventually(&name).await;
            assert!(!samples.is_empty(), "{name} did not arrive");
            let seen: BTreeSet<_> = samples.iter().flat_map(|s| s.labels.keys()).collect();
            for label in metric.attributes.iter().map(|a| label(a)) {
                let optional = label == "error_type" || label == "golive_disposition";
                assert!(
                    seen.contains(&label) || optional,
                    "{name} has no {label}: {seen:?}"
                );
            }
        }
    }
    let samples = server.query("golive_quota_remaining").await;
    assert_eq!(samples[0].label("server_address"), "api.example");
    assert_eq!(samples[0].value, 5.0);
    // Five per cent of the quota are left, and that is what the rule says.
    let low = rules
        .iter()
        .find(|rule| rule.name == "GoliveQuotaLow")
        .unwrap();
    let samples = server.query(&low.expr).await;
    assert_eq!(samples[0].value, 0.05);
}
