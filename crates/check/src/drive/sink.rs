//! The alert sink: where a subject's monitoring may send its alerts.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use http::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Alerts that are kept; then the oldest go.
const MAX_ALERTS: usize = 1_000;
/// Of each text, in characters.
const MAX_TEXT: usize = 16 * 1024;
/// Of each request, in bytes.
const MAX_BODY: usize = 256 * 1024;

/// A running sink; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Sink {
    url: String,
    kept: Arc<Kept>,
    server: JoinHandle<()>,
}

/// One alert as it came, secrets included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) at: Duration,
    pub(super) firing: bool,
    pub(super) text: String,
}

#[derive(Debug)]
struct Kept {
    zero: Instant,
    alerts: Mutex<VecDeque<Raw>>,
}

// === impl Sink ===

impl Sink {
    /// Listens on loopback: on this port or, if it is taken, on any free one.
    pub(super) async fn start(port: u16, zero: Instant) -> io::Result<Self> {
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = match TcpListener::bind(at(port)).await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind(at(0)).await?,
        };
        let url = format!("http://{}/alerts", listener.local_addr()?);
        let alerts = Mutex::default();
        let kept = Arc::new(Kept { zero, alerts });
        let app = Router::new()
            .route("/alerts", post(take))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(Arc::clone(&kept));
        let server = tokio::spawn(async move {
            // Ends with the task; an error of accept is retried by axum itself.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { url, kept, server })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn all(&self) -> Vec<Raw> {
        self.kept.lock().iter().cloned().collect()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(kept): State<Arc<Kept>>, body: Bytes) -> StatusCode {
    let at = kept.zero.elapsed();
    let mut alerts = kept.lock();
    for (firing, text) in read(&body) {
        if alerts.len() >= MAX_ALERTS {
            alerts.pop_front();
        }
        let text = text.chars().take(MAX_TEXT).collect();
        alerts.push_back(Raw { at, firing, text });
    }
    StatusCode::OK
}

/// The alerts of one request, and whether each is firing: a webhook of
/// Alertmanager, a message as Slack takes it, or any other text.
fn read(body: &[u8]) -> Vec<(bool, String)> {
    let text = || String::from_utf8_lossy(body).into_owned();
    let Ok(Value::Object(message)) = serde_json::from_slice(body) else {
        return vec![(true, text())];
    };
    if let Some(Value::Array(alerts)) = message.get("alerts") {
        let firing = |alert: &Value| {
            let status = alert.get("status").or(message.get("status"));
            status.and_then(Value::as_str) != Some("resolved")
        };
        return alerts.iter().map(|a| (firing(a), a.to_string())).collect();
    }
    match message.get("text").and_then(Value::as_str) {
        // Its blocks and attachments may say more than its text.
        Some(short) if message.len() == 1 => vec![(true, short.to_owned())],
        _ => vec![(true, text())],
    }
}

// === impl Kept ===

impl Kept {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Raw>> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alertmanager_slack_and_plain_text_are_understood() {
        let manager = br#"{"version":"4","status":"firing","alerts":[
            {"status":"firing","labels":{"alertname":"High5xx"}},
            {"status":"resolved","labels":{"alertname":"Other"}}]}"#;
        let read_ = read(manager);
        assert_eq!(read_.len(), 2);
        assert!(read_[0].0 && read_[0].1.contains("High5xx"));
        assert!(!read_[1].0);
        assert_eq!(
            read(br#"{"text":"on fire"}"#),
            [(true, "on fire".to_owned())]
        );
        let blocks = r#"{"text":"a","blocks":[{"text":"cus_1"}]}"#;
        assert_eq!(read(blocks.as_bytes()), [(true, blocks.to_owned())]);
        assert_eq!(read(b"5xx!"), [(true, "5xx!".to_owned())]);
        assert_eq!(read(b"[1"), [(true, "[1".to_owned())]);
    }

    #[tokio::test]
    async fn alerts_are_taken_over_http_and_only_the_newest_are_kept() {
        let sink = Sink::start(0, Instant::now()).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let sent = client.post(sink.url()).body("first").send().await.unwrap();
        assert_eq!(sent.status(), 200);
        let many = vec![r#"{"status":"firing"}"#; MAX_ALERTS].join(",");
        let body = format!(r#"{{"alerts":[{many}]}}"#);
        client.post(sink.url()).body(body).send().await.unwrap();
        let all = sink.all();
        assert_eq!(all.len(), MAX_ALERTS);
        assert!(all.iter().all(|a| a.firing && a.text != "first"));
        let huge = vec![b'x'; MAX_BODY + 1];
        let refused = client.post(sink.url()).body(huge).send().await.unwrap();
        assert_eq!(refused.status(), 413);
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_no_reason_to_fail() {
        let first = Sink::start(0, Instant::now()).await.unwrap();
        let port = first
            .url()
            .rsplit([':', '/'])
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let second = Sink::start(port, Instant::now()).await.unwrap();
        assert_ne!(first.url(), second.url());
    }
}
