//! One line of the record.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Of a body, this many bytes of text are kept; its digest is of the whole.
const MAX_BODY_TEXT: usize = 4 * 1024;
/// Of a path, a query or a header value.
const MAX_FIELD_TEXT: usize = 16 * 1024;
/// One request to the sandbox, or one webhook delivery from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// Counts from 0 over requests and deliveries, in the order of their beginning.
    pub seq: u64,
    /// When it arrived or was sent, since the start of the sandbox (JSON: milliseconds).
    #[serde(rename = "at_ms", with = "millis")]
    pub at: Duration,
    /// When its answer was ready (requests) or had arrived (deliveries).
    #[serde(rename = "done_at_ms", with = "millis::option")]
    pub done_at: Option<Duration>,
    /// Who called whom.
    pub kind: Kind,
    /// The method as sent.
    pub method: String,
    /// The path on the wire, with its base path; see [`Entry::route`].
    pub path: String,
    /// The query on the wire, without its question mark.
    pub query: Option<String>,
    /// Headers in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    /// SHA-256 of the whole body, in hex: of the bytes themselves, before redaction.
    pub body_digest: String,
    /// The first 4 KiB of the body, invalid UTF-8 replaced.
    pub body: String,
    /// What it was answered.
    pub answer: Answer,
    /// The fault that took effect on it, in words.
    pub fault: Option<String>,
    /// The `webhook-id` of a delivery.
    pub webhook_id: Option<String>,
    /// The client that a token request named, or that the access token was issued to.
    pub client_id: Option<String>,
    /// Which access token was sent: 1 is the first that this sandbox issued.
    pub token: Option<u64>,
    /// Which TCP connection the request came on, counted from 1.
    pub connection: Option<u64>,
}

/// Who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The integration called the sandbox.
    Request,
    /// The sandbox delivered a webhook.
    Delivery,
}

/// What a request or a delivery was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Answer {
    /// Nothing yet.
    Pending,
    /// An HTTP response.
    Answered {
        /// Its status code.
        status: u16,
        /// Its headers.
        headers: Vec<(String, String)>,
        /// The first 4 KiB of its body.
        body: String,
    },
    /// A fault ended the connection instead, or in the middle of the answer.
    Cut {
        /// Whether the request had been processed by then.
        processed: bool,
    },
    /// No response: a delivery that failed, or a request whose client went away first.
    NoAnswer {
        /// What happened.
        reason: String,
    },
}

// === impl Entry ===

impl Entry {
    /// The path under the base path: `/customers` for both `/v3/customers` and `/api/v3/customers`.
    /// Outside both, and for deliveries, the path as it is.
    pub fn route(&self) -> &str {
        crate::dialect::base_of(&self.path)
            .filter(|_| self.kind == Kind::Request)
            .map_or(&self.path, |(_, rest)| rest)
    }

    /// The first header of this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The status that it was answered.
    pub fn status(&self) -> Option<u16> {
        match self.answer {
            Answer::Answered { status, .. } => Some(status),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> usize {
        self.path.len()
            + self.query.as_ref().map_or(0, String::len)
            + pairs(&self.headers)
            + self.body.len()
            + self.answer.text()
    }
}

// === impl Answer ===

impl Answer {
    /// The first header of this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self {
            Self::Answered { headers, .. } => find(headers, name),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> usize {
        match self {
            Self::Answered { headers, body, .. } => pairs(headers) + body.len(),
            Self::NoAnswer { reason } => reason.len(),
            Self::Pending | Self::Cut { .. } => 0,
        }
    }
}

/// The start of an already redacted body.
///
/// NOTE: only redacted text may be cut, or the first half of a secret would be left standing.
pub(crate) fn body_text(redacted: &str) -> String {
    cut(redacted, MAX_BODY_TEXT)
}

/// The start of an already redacted path, query or header value.
pub(crate) fn field_text(redacted: &str) -> String {
    cut(redacted, MAX_FIELD_TEXT)
}

fn cut(text: &str, max: usize) -> String {
    // NOTE: by hand, because `str::floor_char_boundary` is younger than our minimum Rust version.
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

fn find<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

fn pairs(headers: &[(String, String)]) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum()
}

/// Durations as milliseconds with fractions, which every language reads.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde asks for"
    )]
    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(value.as_secs_f64() * 1000.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        read(f64::deserialize(from)?)
    }

    fn read<E: serde::de::Error>(millis: f64) -> Result<Duration, E> {
        Duration::try_from_secs_f64(millis / 1000.0).map_err(E::custom)
    }

    pub(super) mod option {
        use super::{Deserializer, Duration, Serializer, read};
        use serde::Deserialize as _;

        #[allow(clippy::ref_option, reason = "the signature that serde asks for")]
        pub(in super::super) fn serialize<S: Serializer>(
            value: &Option<Duration>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match value {
                Some(value) => to.serialize_some(&(value.as_secs_f64() * 1000.0)),
                None => to.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<Duration>, D::Error> {
            Option::<f64>::deserialize(from)?.map(read).transpose()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::entry;

    #[test]
    fn an_entry_survives_json() {
        let json = serde_json::to_value(entry()).unwrap();
        assert_eq!(json["at_ms"], 1.5);
        assert_eq!(serde_json::from_value::<Entry>(json).unwrap(), entry());
        assert_eq!(entry().route(), "/customers");
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
    }
}
