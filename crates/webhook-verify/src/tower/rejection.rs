//! What a rejected sender is told: a status and a title, the same for every reason behind it.

use golive_problem::Problem;
use http::{Response, StatusCode};

use super::ResponseBody;
use crate::Reject;

/// One title for each status: an answer that told a wrong key from a wrong body would help whoever
/// tries them.
pub(super) fn answer<B>(reject: Reject) -> Response<ResponseBody<B>> {
    let status = reject.status();
    let (code, title) = match status {
        StatusCode::BAD_REQUEST => ("webhook_malformed", "Not a well-formed webhook delivery"),
        StatusCode::PAYLOAD_TOO_LARGE => ("webhook_too_large", "The webhook body is too large"),
        StatusCode::UNAUTHORIZED => ("webhook_rejected", "The webhook delivery was not accepted"),
        _ => (
            "internal",
            "The webhook receiver cannot verify deliveries now",
        ),
    };
    let problem = Problem::new(status).with_code(code).with_title(title);
    let mut response = problem.to_response().map(ResponseBody::problem);
    response.extensions_mut().insert(reject);
    response
}
