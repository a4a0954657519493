//! One exchange on the wire, as judges and reports see it.

use std::time::Duration;

use serde::Serialize;

/// One exchange on the wire, with every secret already redacted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Entry {
    /// Its place in the order of the wire.
    pub seq: u64,
    /// When it arrived (a request) or left (a delivery), since the start.
    #[serde(serialize_with = "as_seconds")]
    pub at: Duration,
    /// When its answer was complete, since the start.
    #[serde(serialize_with = "as_optional_seconds")]
    pub done_at: Option<Duration>,
    /// `request` (the subject to the provider) or `delivery` (the other way).
    pub kind: Kind,
    /// The HTTP method.
    pub method: String,
    /// The path, or the URL of a delivery.
    pub path: String,
    /// The query, without its question mark.
    pub query: Option<String>,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// SHA-256 of the body, in hex.
    pub body_digest: String,
    /// The start of the body, as text.
    pub body: String,
    /// What it was answered.
    pub answer: Reply,
    /// The fault that hit it, in words.
    pub fault: Option<String>,
    /// Which access token was sent, counted from 1; never the token.
    pub token: Option<u64>,
    /// The client that asked for a token, or that the token was issued to.
    pub client_id: Option<String>,
}

/// Who sent an [`Entry`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The subject called the provider.
    #[default]
    Request,
    /// The provider delivered a webhook.
    Delivery,
}

/// The answer to an [`Entry`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reply {
    /// None yet.
    #[default]
    Pending,
    /// An HTTP response.
    Answered {
        /// Its status.
        status: u16,
        /// Its headers.
        headers: Vec<(String, String)>,
        /// The start of its body, as text.
        body: String,
    },
    /// The connection was closed on purpose.
    Cut {
        /// Whether the request had been processed.
        processed: bool,
    },
    /// A delivery that got no answer.
    NoAnswer {
        /// Why.
        reason: String,
    },
}

// === impl Entry ===

impl Entry {
    /// The first value of a header, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a header of the answer, whatever its case.
    #[must_use]
    pub fn answer_header(&self, name: &str) -> Option<&str> {
        let Reply::Answered { headers, .. } = &self.answer else {
            return None;
        };
        headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The idempotency key, under either name that the provider knows.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.header("idempotency-key")
            .or_else(|| self.header("x-idempotency-key"))
    }

    /// The status of the answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match &self.answer {
            Reply::Answered { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether it was answered 2xx.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status().is_some_and(|s| (200..300).contains(&s))
    }

    /// From the answer of this one to the arrival of the next.
    #[must_use]
    pub fn gap_to(&self, next: &Self) -> Duration {
        next.at.saturating_sub(self.done_at.unwrap_or(self.at))
    }

    /// From arrival to the complete answer.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        self.done_at.map(|done| done.saturating_sub(self.at))
    }

    /// The answer in a few words.
    #[must_use]
    pub fn answer_words(&self) -> String {
        match &self.answer {
            Reply::Pending => "no answer yet".to_owned(),
            Reply::Answered { status, .. } => status.to_string(),
            Reply::Cut { processed: true } => "processed, then cut".to_owned(),
            Reply::Cut { processed: false } => "cut".to_owned(),
            Reply::NoAnswer { reason } => format!("no answer: {reason}"),
        }
    }

    /// Whether it asks for an access token.
    #[must_use]
    pub fn is_token_request(&self) -> bool {
        self.method == "POST" && self.path.trim_end_matches('/').ends_with("/auth/token")
    }

    pub(super) fn external_id(&self) -> Option<String> {
        let body: serde_json::Value = serde_json::from_str(&self.body).ok()?;
        Some(body.get("external_id")?.as_str()?.to_owned())
    }
}

fn as_seconds<S: serde::Serializer>(at: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(at.as_secs_f64())
}

fn as_optional_seconds<S: serde::Serializer>(
    at: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    at.map(|a| a.as_secs_f64()).serialize(to)
}
