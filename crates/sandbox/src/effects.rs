//! What a fault does to a request, around its processing.

use std::time::Duration;

use axum::middleware::Next;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, StatusCode};
use serde_json::Value;

use crate::auth::bearer;
use crate::fault::{Cut, Fault};
use crate::pipeline::{Call, Outcome, refused};
use crate::process::process;
use crate::refusal::{ProblemBody, Refusal};

/// The beginning of an object, then bytes that are no UTF-8.
const GARBAGE: &[u8] = b"{\"id\": \"cus_\xff\xfe\x00";

pub(crate) async fn act(call: Call, fault: Option<&Fault>, next: Next) -> Outcome {
    let Some(fault) = fault else {
        return Outcome::Answer(process(call, None, next).await);
    };
    if let Err(error) = fault.check() {
        return Outcome::Answer(
            refused(Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                None,
                error.to_string(),
            ))
            .await,
        );
    }
    if fault.expire_token {
        let mut world = call.shared.world();
        let generation = bearer(&call.parts.headers)
            .and_then(|token| world.tokens.find(token))
            .map(|token| token.generation);
        if let Some(generation) = generation {
            world.tokens.expire(generation);
        }
    }
    if !fault.after_processing {
        wait(fault.latency_()).await;
    }
    if fault.cut_() == Some(Cut::Before) {
        return Outcome::Cut { processed: false };
    }
    let processed = if fault.processes() {
        Some(process(call, fault.slow_processing_(), next).await)
    } else {
        None
    };
    if fault.after_processing {
        wait(fault.latency_()).await;
    }
    if fault.cut_() == Some(Cut::After) {
        return Outcome::Cut { processed: true };
    }
    let was_processed = processed.is_some();
    let mut response = answer(fault, processed).await;
    merge(fault, &mut response);
    set_headers(fault, &mut response);
    if fault.cut_() == Some(Cut::Half) {
        return Outcome::Half {
            response,
            processed: was_processed,
        };
    }
    Outcome::Answer(response)
}

/// The fault's own answer, or the processed one where it has none.
async fn answer(fault: &Fault, processed: Option<http::Response<Bytes>>) -> http::Response<Bytes> {
    let status = fault
        .status
        .and_then(|status| StatusCode::from_u16(status).ok());
    if let Some(problem) = &fault.problem {
        return refused(problem.refusal(status)).await;
    }
    let body = if fault.garbage {
        Some(Bytes::from_static(GARBAGE))
    } else {
        fault.body.clone()
    };
    match (body, status, processed) {
        (Some(body), status, _) => json(status.unwrap_or(StatusCode::OK), body),
        (None, Some(status), _) if status.is_client_error() || status.is_server_error() => {
            let code = (status == StatusCode::TOO_MANY_REQUESTS).then_some("rate_limit_exceeded");
            refused(Refusal::new(
                status,
                code,
                "the request could not be answered",
            ))
            .await
        }
        (None, Some(status), Some(mut response)) => {
            *response.status_mut() = status;
            response
        }
        (None, None, Some(response)) => response,
        (None, status, None) => json(status.unwrap_or(StatusCode::OK), Bytes::from_static(b"{}")),
    }
}

fn json(status: StatusCode, body: Bytes) -> http::Response<Bytes> {
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn merge(fault: &Fault, response: &mut http::Response<Bytes>) {
    let Some(patch) = &fault.merge else { return };
    // A problem document is completed later, so that is where the patch has to go.
    if let Some(ProblemBody(body)) = response.extensions_mut().get_mut::<ProblemBody>() {
        return merge_patch(body, patch);
    }
    if let Ok(mut body) = serde_json::from_slice(response.body()) {
        merge_patch(&mut body, patch);
        *response.body_mut() = Bytes::from(body.to_string());
    }
}

/// RFC 7396 §2.
fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else {
        return;
    };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge_patch(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// NOTE: names and values were checked by [`Fault::check`].
fn set_headers(fault: &Fault, response: &mut http::Response<Bytes>) {
    let parsed = fault.headers.iter().filter_map(|(name, value)| {
        name.parse::<HeaderName>()
            .ok()
            .zip(value.parse::<HeaderValue>().ok())
    });
    let parsed: Vec<_> = parsed.collect();
    for (name, _) in &parsed {
        response.headers_mut().remove(name);
    }
    for (name, value) in parsed {
        response.headers_mut().append(name, value);
    }
}

async fn wait(latency: Option<Duration>) {
    if let Some(latency) = latency {
        tokio::time::sleep(latency).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_merge_patch_replaces_adds_and_removes() {
        let mut body = json!({ "expires_in": 3600, "token_type": "bearer", "deep": { "a": 1 } });
        merge_patch(
            &mut body,
            &json!({ "expires_in": 20, "token_type": null, "deep": { "b": 2 }, "new": { "c": null } }),
        );
        assert_eq!(
            body,
            json!({ "expires_in": 20, "deep": { "a": 1, "b": 2 }, "new": {} })
        );
    }
}
