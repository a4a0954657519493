//! One planned fault: which requests, and what happens to them.

use std::ops::{Bound, RangeBounds};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::matching::Nth;
use crate::refusal::{FieldError, Refusal, status_of};

/// One planned fault: the requests it is for, and its effects.
///
/// Matching requests are counted per fault, from 1; without [`nth`](Self::nth),
/// [`times`](Self::times) or [`always`](Self::always) it takes effect on the first. Of several
/// faults that are due on one request, the one that was pushed first takes effect, and all count.
///
/// As JSON (for the admin port) every method is a member, with durations in milliseconds:
///
/// ```
/// use golive_sandbox::Fault;
///
/// let fault: Fault = serde_json::from_str(
///     r#"{"method": "POST", "path": "/customers", "nth": [1, 2], "status": 503,
///         "headers": [["retry-after", "3"]], "latency_ms": 50}"#,
/// )?;
/// fault.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    #[serde(default = "any")]
    pub(super) method: String,
    #[serde(default = "any")]
    pub(super) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) containing: Option<String>,
    #[serde(default)]
    pub(super) nth: Nth,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text")]
    pub(crate) body: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<PlannedProblem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) latency_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) slow_processing_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cut: Option<Cut>,
    #[serde(default)]
    pub(crate) reset: bool,
    #[serde(default)]
    pub(crate) after_processing: bool,
    #[serde(default)]
    pub(crate) garbage: bool,
    #[serde(default)]
    pub(crate) expire_token: bool,
    #[serde(default)]
    pub(crate) stale_limits: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) merge: Option<Value>,
}

/// What is wrong with a [`Fault`]; who wrote the plan must mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// The status cannot be sent as a final response.
    #[error("a fault cannot answer status {0}: use 200 to 599")]
    Status(u16),
    /// The header cannot be sent.
    #[error("a fault cannot send the header {0:?}: its name or value is not valid HTTP")]
    Header(String),
    /// The method is not one.
    #[error("{0:?} is not an HTTP method; use `*` for any")]
    Method(String),
    /// The path is neither `*` nor absolute.
    #[error("the path {0:?} of a fault must begin with a slash, under the base path, or be `*`")]
    Path(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedProblem {
    pub(crate) code: String,
    pub(crate) detail: String,
    #[serde(default)]
    pub(crate) errors: Vec<FieldError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cut {
    Before,
    After,
    Half,
}

// === impl Fault ===

impl Fault {
    /// For requests with this method and path. The path is under the base path and without query;
    /// `{}` stands for any one segment, `*` alone for any path at all, the token endpoint included.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "`Fault::on(Method::POST, …)` reads as it should"
    )]
    pub fn on(method: Method, path: impl Into<String>) -> Self {
        Self::with(method.as_str().to_owned(), path.into())
    }

    /// For requests with this path and any method.
    pub fn any(path: impl Into<String>) -> Self {
        Self::with(any(), path.into())
    }

    /// Only requests whose path, query or body contains `text`. Headers are not searched.
    #[must_use]
    pub fn containing(mut self, text: impl Into<String>) -> Self {
        self.containing = Some(text.into());
        self
    }

    /// On these of the matching requests, counted from 1: `.nth(2..=3)`, `.nth(4..)`.
    #[must_use]
    pub fn nth(mut self, which: impl RangeBounds<u64>) -> Self {
        let first = match which.start_bound() {
            Bound::Included(n) => *n,
            Bound::Excluded(n) => n.saturating_add(1),
            Bound::Unbounded => 1,
        };
        let last = match which.end_bound() {
            Bound::Included(n) => Some(*n),
            Bound::Excluded(n) => Some(n.saturating_sub(1)),
            Bound::Unbounded => None,
        };
        self.nth = Nth(first, last);
        self
    }

    /// On the first `n` matching requests.
    #[must_use]
    pub fn times(self, n: u64) -> Self {
        self.nth(1..=n)
    }

    /// On every matching request.
    #[must_use]
    pub fn always(self) -> Self {
        self.nth(1..)
    }

    /// Answers this status (200 to 599) without processing the request; with a problem document as
    /// body where the status is an error and nothing else is said.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Sets a header of the answer, whoever made the answer. Setting any `x-ratelimit-*` header
    /// leaves out the sandbox's own ones.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Answers these bytes, status 200 unless said otherwise, as `application/json` unless a header
    /// says otherwise.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Answers a problem document with this code and these `(param, detail)` errors. The status
    /// follows from the code, unless it is given.
    #[must_use]
    pub fn problem(mut self, code: &str, detail: &str, errors: &[(&str, &str)]) -> Self {
        let errors = errors
            .iter()
            .map(|(param, detail)| FieldError {
                param: (*param).to_owned(),
                detail: (*detail).to_owned(),
                code: None,
            })
            .collect();
        self.problem = Some(PlannedProblem {
            code: code.to_owned(),
            detail: detail.to_owned(),
            errors,
        });
        self
    }

    /// Waits before processing; with [`after_processing`](Self::after_processing), between
    /// processing and the answer. Whole milliseconds. A client that hangs up during the wait before
    /// is not processed.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency_ms = Some(millis(latency));
        self
    }

    /// Takes so long to process: the idempotency key is held meanwhile, so that a second request
    /// with it is answered 409. Whole milliseconds.
    #[must_use]
    pub fn slow_processing(mut self, duration: Duration) -> Self {
        self.slow_processing_ms = Some(millis(duration));
        self
    }

    /// Closes the connection without an answer; the request is not processed.
    #[must_use]
    pub fn cut_before(mut self) -> Self {
        self.cut = Some(Cut::Before);
        self
    }

    /// Processes the request, then closes the connection without an answer.
    #[must_use]
    pub fn cut_after(mut self) -> Self {
        self.cut = Some(Cut::After);
        self
    }

    /// Announces the whole answer, sends the first half of its body, and closes the connection.
    /// The answer is the processed one, unless another effect gives one.
    #[must_use]
    pub fn cut_halfway(mut self) -> Self {
        self.cut = Some(Cut::Half);
        self
    }

    /// Resets the connection (TCP RST, "connection reset by peer") instead of closing it; without
    /// any `cut_…` before the request is processed.
    #[must_use]
    pub fn reset(mut self) -> Self {
        self.reset = true;
        self
    }

    /// Processes the request before the other effects: `status(500).after_processing()` creates the
    /// resource and answers 500 nonetheless.
    #[must_use]
    pub fn after_processing(mut self) -> Self {
        self.after_processing = true;
        self
    }

    /// Answers the beginning of a JSON object with invalid UTF-8 in it, as `application/json`.
    #[must_use]
    pub fn garbage(mut self) -> Self {
        self.garbage = true;
        self
    }

    /// Expires the access token of this request on the server's side, then carries on: the answer
    /// is 401 `token_expired`, long before `expires_in` is over.
    #[must_use]
    pub fn expire_token(mut self) -> Self {
        self.expire_token = true;
        self
    }

    /// Answers limit headers of a window that is over: nothing remaining, reset a minute ago.
    #[must_use]
    pub fn stale_limits(mut self) -> Self {
        self.stale_limits = true;
        self
    }

    /// Changes the processed answer: an RFC 7396 merge patch over its JSON body.
    #[must_use]
    pub fn merge(mut self, patch: Value) -> Self {
        self.merge = Some(patch);
        self
    }

    /// Says whether this fault can be carried out as it is written.
    ///
    /// A fault that cannot is not silently ignored: its requests are answered 500, and the detail
    /// and the record say why.
    ///
    /// # Errors
    /// [`FaultError`] for a status outside 200 to 599, and for a header, method or path that
    /// cannot be.
    pub fn check(&self) -> Result<(), FaultError> {
        if self.method != "*" && Method::from_bytes(self.method.as_bytes()).is_err() {
            return Err(FaultError::Method(self.method.clone()));
        }
        if self.path != "*" && !self.path.starts_with('/') {
            return Err(FaultError::Path(self.path.clone()));
        }
        if let Some(status) = self.status.filter(|status| !(200..=599).contains(status)) {
            return Err(FaultError::Status(status));
        }
        for (name, value) in &self.headers {
            if name.parse::<HeaderName>().is_err() || value.parse::<HeaderValue>().is_err() {
                return Err(FaultError::Header(name.clone()));
            }
        }
        Ok(())
    }

    pub(crate) fn latency_(&self) -> Option<Duration> {
        self.latency_ms.map(Duration::from_millis)
    }

    /// Where the connection ends, if it does.
    pub(crate) fn cut_(&self) -> Option<Cut> {
        self.cut.or(self.reset.then_some(Cut::Before))
    }

    pub(crate) fn slow_processing_(&self) -> Option<Duration> {
        self.slow_processing_ms.map(Duration::from_millis)
    }

    fn with(method: String, path: String) -> Self {
        Self {
            method,
            path,
            containing: None,
            nth: Nth::default(),
            status: None,
            headers: vec![],
            body: None,
            problem: None,
            latency_ms: None,
            slow_processing_ms: None,
            cut: None,
            reset: false,
            after_processing: false,
            garbage: false,
            expire_token: false,
            stale_limits: false,
            merge: None,
        }
    }
}

// === impl PlannedProblem ===

impl PlannedProblem {
    pub(crate) fn refusal(&self, status: Option<StatusCode>) -> Refusal {
        let status = status.unwrap_or_else(|| match status_of(&self.code) {
            // An unknown code with errors is a validation of its own.
            StatusCode::BAD_REQUEST if !self.errors.is_empty() => StatusCode::UNPROCESSABLE_ENTITY,
            status => status,
        });
        let mut refusal = Refusal::new(status, Some(&self.code), &self.detail);
        refusal.errors.clone_from(&self.errors);
        refusal
    }
}

fn any() -> String {
    "*".to_owned()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A body as text: exact for everything that is UTF-8.
mod text {
    use bytes::Bytes;
    use serde::{Deserialize as _, Deserializer, Serializer};

    #[allow(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<Bytes>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(bytes) => to.serialize_some(&String::from_utf8_lossy(bytes)),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Bytes>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(Bytes::from))
    }
}
