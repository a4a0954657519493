//! What came of a call, told apart: an answer, a refusal with its reasons, or none.

use std::time::Duration;

use golive_problem::Problem;
use http::StatusCode;
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

/// How long the body of a refusal is waited for.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The provider refused, and said why. Its `Display` is made for people.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// There was no answer: the network, the deadline, the token. What exactly is in its source;
    /// find it with [`caused_by`](golive_core::caused_by). Its URL was taken out.
    #[error("there was no answer: {0}")]
    NoAnswer(#[source] reqwest_middleware::Error),
}

/// Takes what came of a call, and turns a refusal into what it says: title, detail, and the field
/// errors of a 422.
///
/// At most [`Problem::MAX_BYTES`] of its body are read, and for 5 seconds at most. Without a readable problem there is still
/// its status, and the `X-Request-Id` to quote to the provider's support.
///
/// # Errors
/// [`CallError`], unless the status is below 400.
pub async fn accepted(
    result: Result<Response, reqwest_middleware::Error>,
) -> Result<Response, CallError> {
    let response = result.map_err(|error| CallError::NoAnswer(error.without_url()))?;
    let status = response.status();
    if status.as_u16() < 400 {
        return Ok(response);
    }
    let request_id = response.headers().get("x-request-id").cloned();
    let mut problem = read(response, status).await;
    if problem.request_id().is_none()
        && let Some(id) = request_id.as_ref().and_then(|id| id.to_str().ok())
    {
        problem = problem.with_request_id(id);
    }
    Err(CallError::Problem(Box::new(problem)))
}

async fn read(mut response: Response, status: StatusCode) -> Problem {
    let mut body = Vec::new();
    // The deadline of the call ended with its headers, and a transport need not have a timeout.
    let until = Instant::now() + READ_TIMEOUT;
    // A body that breaks off, or does not come, is no reason to forget the status.
    while let Ok(Ok(Some(chunk))) = timeout_at(until, response.chunk()).await {
        body.extend_from_slice(&chunk);
        if body.len() > Problem::MAX_BYTES {
            break;
        }
    }
    Problem::from_json(status, &body).unwrap_or_else(|_| Problem::new(status))
}

impl CallError {
    /// The status of the refusal.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Problem(problem) => Some(problem.status()),
            Self::NoAnswer(_) => None,
        }
    }

    /// What the provider said.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            Self::NoAnswer(_) => None,
        }
    }
}
