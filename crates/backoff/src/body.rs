//! What the body of a response says about a retry.

use std::sync::Arc;

use golive_core::Response;
use http::{HeaderMap, StatusCode};

/// What the body of a failure says, for [`Builder::classify_body`](crate::Builder::classify_body).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Said {
    /// A quota is used up that no wait of ours brings back: that of the month, or of the account.
    UsedUp,
    /// The same request would fail the same way, whatever the status says.
    Never,
    /// Another attempt may fare better, whatever the status says. Heeded only where it is safe to
    /// send the request again.
    Again,
}

pub(crate) type BodyClassifier =
    Arc<dyn Fn(StatusCode, &HeaderMap, &[u8]) -> Option<Said> + Send + Sync>;

/// How far bodies are looked at before a response is handed on.
#[derive(Clone, Default)]
pub(crate) struct Look {
    pub(crate) classifier: Option<BodyClassifier>,
    pub(crate) classify_limit: usize,
    /// Bodies of successes up to this size are read within the attempt.
    pub(crate) read_limit: usize,
}

/// What the look showed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) said: Option<Said>,
    pub(crate) broken: bool,
}

/// Knows the 429 that is none: `insufficient_quota`, by which OpenAI and those who speak its dialect
/// say that the money is used up. For [`Builder::classify_body`](crate::Builder::classify_body).
///
/// Looks for that word as a string of its own, in quotation marks, in the body of a 429.
#[must_use]
pub fn insufficient_quota(status: StatusCode, _headers: &HeaderMap, body: &[u8]) -> Option<Said> {
    const WORD: &[u8] = b"\"insufficient_quota\"";
    let says = || body.windows(WORD.len()).any(|part| part == WORD);
    (status == StatusCode::TOO_MANY_REQUESTS && says()).then_some(Said::UsedUp)
}

// === impl Look ===

impl Look {
    /// Whether anybody asked to look at the body of such a response.
    pub(crate) fn is_wanted(&self, status: StatusCode) -> bool {
        match status.as_u16() {
            400.. => self.classifier.is_some(),
            _ => self.read_limit > 0,
        }
    }

    /// Looks at the body of `response`, and gives it back whole.
    pub(crate) async fn at<R: Response>(&self, response: R) -> (R, Seen) {
        let classifier = self.classifier.as_ref();
        let classifier = classifier.filter(|_| response.status().as_u16() >= 400);
        let limit = match classifier {
            Some(_) => self.classify_limit,
            None => self.read_limit,
        };
        let peeked = response.peek(limit).await;
        let (response, bytes) = (peeked.response, peeked.bytes);
        let seen = match classifier {
            Some(classifier) => Seen {
                said: classifier(response.status(), response.headers(), &bytes),
                broken: false,
            },
            None => Seen {
                said: None,
                broken: peeked.failed,
            },
        };
        (response, seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_that_is_used_up_is_told_from_one_that_comes_back() {
        let said = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            insufficient_quota(status, &HeaderMap::new(), body.as_bytes())
        };
        let spent = r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;
        assert_eq!(said(429, spent), Some(Said::UsedUp));
        let busy = r#"{"error":{"type":"requests","code":"rate_limit_exceeded"}}"#;
        assert_eq!(said(429, busy), None);
        assert_eq!(said(500, spent), None);
        assert_eq!(said(429, "no insufficient_quota here"), None);
        assert_eq!(said(429, ""), None);
    }
}
