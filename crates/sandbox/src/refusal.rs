//! Errors as RFC 9457 writes them, with the provider's `code`, `param` and `errors`.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const TYPE_BASE: &str = "https://docs.dinie.com.br/errors/";

/// One entry of the `errors` of a 422.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldError {
    pub(crate) param: String,
    pub(crate) detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
}

/// A request that is not carried out, and why.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: Option<String>,
    pub(crate) detail: String,
    pub(crate) errors: Vec<FieldError>,
    /// RFC 6749 §5.2: the token endpoint says `error` in words of its own.
    pub(crate) oauth: Option<&'static str>,
}

/// Marks a response whose body is the problem inside: the pipeline adds what only it knows.
#[derive(Clone, Debug)]
pub(crate) struct ProblemBody(pub(crate) Value);

// === impl Refusal ===

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: Option<&str>, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: code.map(str::to_owned),
            detail: detail.into(),
            errors: vec![],
            oauth: None,
        }
    }

    pub(crate) fn invalid_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, None, detail)
    }

    pub(crate) fn unauthorized(code: &str, detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Some(code), detail)
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            None,
            format!("{what} does not exist"),
        )
    }

    pub(crate) fn conflict(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, Some(code), detail)
    }

    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.param, one.detail),
            many => format!("{} fields are not valid", many.len()),
        };
        let code = errors.first().and_then(|first| first.code.clone());
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            code,
            detail,
            errors,
            oauth: None,
        }
    }

    pub(crate) fn invalid_field(param: &str, code: &str, detail: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(param, code, detail)])
    }

    /// The sandbox's own bound is reached: nothing is evicted to make room.
    pub(crate) fn full(what: &str, max: usize) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            None,
            format!("the sandbox holds its maximum of {max} {what}"),
        )
    }

    pub(crate) fn oauth(status: StatusCode, error: &'static str, detail: &str) -> Self {
        Self {
            oauth: Some(error),
            ..Self::new(status, Some(error), detail)
        }
    }

    /// The members of RFC 9457 and the provider's extensions, without those of one request.
    pub(crate) fn body(&self) -> Value {
        let (slug, title) = kind_of(self.status);
        let mut body = json!({
            "type": format!("{TYPE_BASE}{slug}"),
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(code) = &self.code {
            body["code"] = json!(code);
        }
        if !self.errors.is_empty() {
            body["errors"] = json!(self.errors);
        }
        if let [one] = self.errors.as_slice() {
            body["param"] = json!(one.param);
        }
        if let Some(error) = self.oauth {
            body["error"] = json!(error);
            body["error_description"] = json!(self.detail);
        }
        body
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = self.body();
        let mut response = Response::new(axum::body::Body::from(body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110 §11.6.1: a 401 MUST carry at least one challenge.
            let scheme = if self.oauth.is_some() {
                "Basic realm=\"auth\""
            } else {
                "Bearer"
            };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
        response.extensions_mut().insert(ProblemBody(body));
        response
    }
}

// === impl FieldError ===

impl FieldError {
    pub(crate) fn new(param: &str, code: &str, detail: impl Into<String>) -> Self {
        Self {
            param: param.to_owned(),
            detail: detail.into(),
            code: Some(code.to_owned()),
        }
    }
}

/// The status that the provider's table gives to a code; 400 for a code that is not in it.
pub(crate) fn status_of(code: &str) -> StatusCode {
    match code {
        "missing_token" | "invalid_token" | "token_expired" | "invalid_client" => {
            StatusCode::UNAUTHORIZED
        }
        "customer_already_exists" | "offer_already_accepted" | "session_already_active" => {
            StatusCode::CONFLICT
        }
        "missing_required_field"
        | "invalid_cpf"
        | "invalid_cnpj"
        | "kyc_incomplete"
        | "offer_expired"
        | "simulation_mismatch"
        | "amount_out_of_range"
        | "invalid_format"
        | "already_exists"
        | "validation_failed" => StatusCode::UNPROCESSABLE_ENTITY,
        "rate_limit_exceeded" => StatusCode::TOO_MANY_REQUESTS,
        "internal" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Slug of the `type` and the `title`.
fn kind_of(status: StatusCode) -> (&'static str, &'static str) {
    match status.as_u16() {
        401 => ("authentication-failed", "Authentication failed"),
        403 => ("forbidden", "Forbidden"),
        404 => ("not-found", "Not found"),
        409 => ("conflict", "Conflict"),
        422 => ("validation-failed", "Validation failed"),
        429 => ("rate-limit-exceeded", "Rate limit exceeded"),
        500.. => ("internal", "Internal error"),
        _ => ("invalid-request", "Invalid request"),
    }
}
