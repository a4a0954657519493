//! What a rejected sender is told: a status and a title, the same for every reason behind it.

use golive_problem::Problem;
use http::{HeaderValue, Response, StatusCode, Version, header::CONNECTION};

use super::{ResponseBody, verify::Refusal};

/// One title for each status: an answer that told a wrong key from a wrong body would help whoever
/// tries them.
pub(super) fn answer<B>(refusal: Refusal, version: Version) -> Response<ResponseBody<B>> {
    let status =
        StatusCode::from_u16(refusal.reject.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (code, title) = match status {
        StatusCode::BAD_REQUEST => ("webhook_malformed", "Not a well-formed webhook delivery"),
        StatusCode::UNAUTHORIZED => ("webhook_rejected", "The webhook delivery was not accepted"),
        StatusCode::REQUEST_TIMEOUT => (
            "webhook_too_slow",
            "The webhook body did not arrive in time",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => ("webhook_too_large", "The webhook body is too large"),
        _ => (
            "internal",
            "The webhook receiver cannot verify deliveries now",
        ),
    };
    let problem = Problem::new(status).with_code(code).with_title(title);
    let mut response = problem.to_response().map(ResponseBody::problem);
    // RFC 9112, 9.3: "a server MUST read the entire request message body or close the connection
    // after sending its response". RFC 9113, 8.2.2: "An endpoint MUST NOT generate an HTTP/2
    // message containing connection-specific header fields"; there only the stream ends.
    if refusal.unread && version <= Version::HTTP_11 {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response.extensions_mut().insert(refusal.reject);
    response
}
