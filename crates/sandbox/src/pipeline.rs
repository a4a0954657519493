//! What every request goes through: record → fault → rate limit → token → idempotency → route.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::auth::{TokenRequest, bearer, secrets_in_body};
use crate::clock::Now;
use crate::dialect::{Shape, base_of};
use crate::effects;
use crate::fault::{Fault, Seen};
use crate::half;
use crate::ids::sha256_hex;
use crate::limiter::Quota;
use crate::process::TOKEN_ROUTE;
use crate::record::{Answer, Entry, Kind, Open, body_text, field_text};
use crate::redact::Secret;
use crate::refusal::ProblemBody;
use crate::server::{Connection, Ending};
use crate::shared::Shared;
use crate::sync::lock;

/// Bytes of a request body; more is answered 413.
const MAX_BODY: usize = 1024 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// A request that has arrived whole.
pub(crate) struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) parts: Parts,
    pub(crate) body: Bytes,
    /// The body was larger than [`MAX_BODY`], or broke off.
    pub(crate) oversized: bool,
    pub(crate) now: Now,
    pub(crate) shape: Shape,
    pub(crate) quota: Quota,
}

pub(crate) enum Outcome {
    Answer(http::Response<Bytes>),
    Half {
        response: http::Response<Bytes>,
        processed: bool,
    },
    Cut {
        processed: bool,
    },
}

pub(crate) async fn pipeline(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let now = shared.clock.now();
    let (parts, body) = request.into_parts();
    let connection = parts.extensions.get::<Connection>().cloned();
    let (body, oversized) = match to_bytes(body, MAX_BODY).await {
        Ok(body) => (body, false),
        Err(_) => (Bytes::new(), true),
    };
    let quota = lock(&shared.limiter).take(now.mono);
    let shape = shared.dialect.shape(parts.uri.path());
    let call = Call {
        shared,
        parts,
        body,
        oversized,
        now,
        shape,
        quota,
    };
    call.note_dialect();

    let open = call
        .shared
        .recorder
        .begin(call.entry(connection.as_ref()), call.shared.clock);
    let due = call.shared.faults.due(&call.seen());
    if let Some(due) = &due {
        open.fault(&call.shared.redactor.text(&due.words));
    }
    let (shared, path) = (Arc::clone(&call.shared), call.parts.uri.path().to_owned());
    let fault = due.map(|due| due.fault);
    let ending = connection.clone().map(|connection| Ending {
        connection,
        reset: fault.as_ref().is_some_and(|fault| fault.reset),
    });
    match effects::act(call, fault.as_ref(), next).await {
        Outcome::Cut { processed } => {
            open.end(Answer::Cut { processed });
            if let Some(ending) = ending {
                ending.now();
            }
            // The connection's task drops this future; it must not answer before that.
            std::future::pending().await
        }
        Outcome::Half {
            mut response,
            processed,
        } => {
            let seq = open.seq();
            finish(
                &shared,
                &mut response,
                fault.as_ref(),
                quota,
                shape,
                &path,
                seq,
            );
            half::of(response, open, processed, ending)
        }
        Outcome::Answer(mut response) => {
            let seq = open.seq();
            finish(
                &shared,
                &mut response,
                fault.as_ref(),
                quota,
                shape,
                &path,
                seq,
            );
            answered(&shared, open, &response);
            response.map(Body::from)
        }
    }
}

// === impl Call ===

impl Call {
    /// The path under the base path; `None` outside of it.
    pub(crate) fn route(&self) -> Option<&str> {
        base_of(self.parts.uri.path()).map(|(_, route)| route)
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            method: self.parts.method.as_str(),
            route: self.route().unwrap_or_else(|| self.parts.uri.path()),
            query: self.parts.uri.query(),
            body: &self.body,
        }
    }

    fn note_dialect(&self) {
        let mut world = self.shared.world();
        match base_of(self.parts.uri.path()) {
            Some((Shape::Docs, _)) => world.dialects.docs += 1,
            Some((Shape::Sdk, _)) => world.dialects.sdk += 1,
            None => {}
        }
    }

    fn entry(&self, connection: Option<&Connection>) -> Entry {
        let redactor = &self.shared.redactor;
        let (token, client_id) = self.caller();
        let field = |text: &str| field_text(&redactor.text(text));
        let headers = redactor.headers(&self.parts.headers);
        Entry {
            seq: 0,
            at: self.now.mono,
            done_at: None,
            kind: Kind::Request,
            method: field(self.parts.method.as_str()),
            path: field(self.parts.uri.path()),
            query: self.parts.uri.query().map(field),
            headers: headers
                .into_iter()
                .map(|(name, value)| (name, field_text(&value)))
                .collect(),
            body_digest: sha256_hex(&self.body),
            body: body_text(&redactor.text(&self.body_without_its_secret())),
            answer: Answer::Pending,
            fault: None,
            webhook_id: None,
            client_id: client_id.map(|id| field(&id)),
            token,
            connection: connection.map(Connection::number),
        }
    }

    /// Of a token request: whatever stands in the place of the secret is one, known or not.
    fn body_without_its_secret(&self) -> String {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        if self.route() != Some(TOKEN_ROUTE) {
            return text;
        }
        secrets_in_body(&self.body)
            .into_iter()
            .filter(|secret| !secret.is_empty())
            .fold(text, |text, secret| {
                let encoded: String =
                    url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
                text.replace(&secret, Secret::Client.mark())
                    .replace(&encoded, Secret::Client.mark())
            })
    }

    /// The generation of the token that was sent, and the client that sent the request.
    fn caller(&self) -> (Option<u64>, Option<String>) {
        if let Some(token) = bearer(&self.parts.headers) {
            let world = self.shared.world();
            let token = world.tokens.find(token);
            return (
                token.map(|token| token.generation),
                token.map(|token| token.client_id.clone()),
            );
        }
        let request = TokenRequest::parse(&self.parts.headers, &self.body);
        (None, request.ok().map(|request| request.client_id))
    }
}

/// Collects what a handler answered; everything here is small and in memory.
pub(crate) async fn collect(response: Response) -> http::Response<Bytes> {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    http::Response::from_parts(parts, body)
}

/// A refusal as a response, for the layers that answer themselves.
pub(crate) async fn refused(refusal: crate::refusal::Refusal) -> http::Response<Bytes> {
    collect(refusal.into_response()).await
}

/// Puts on what every answer carries: its id, the limits, and the id again inside a problem.
fn finish(
    shared: &Shared,
    response: &mut http::Response<Bytes>,
    fault: Option<&Fault>,
    quota: Quota,
    shape: Shape,
    path: &str,
    seq: u64,
) {
    if !response.headers().contains_key(REQUEST_ID) {
        let id = sha256_hex(format!("request {} {seq}", shared.seed).as_bytes());
        let id = format!("req_{}", id.get(..24).unwrap_or_default());
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
    }
    if let Some(ProblemBody(mut body)) = response.extensions_mut().remove::<ProblemBody>() {
        let id = response
            .headers()
            .get(REQUEST_ID)
            .map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
        body["instance"] = json!(path);
        body["request_id"] = json!(id);
        *response.body_mut() = Bytes::from(body.to_string());
    }
    if !fault.is_some_and(Fault::owns_limits) {
        let stale = fault.is_some_and(|fault| fault.stale_limits);
        // Of now, and not of the arrival: a late answer tells of the same window.
        let now = shared.clock.now();
        let (unix, resets_in) = (now.unix, quota.ends.saturating_sub(now.mono));
        let (remaining, reset) = match (stale, shape) {
            (false, _) => (
                quota.remaining,
                i64::try_from(shape.reset(unix, resets_in)).unwrap_or(i64::MAX),
            ),
            (true, Shape::Docs) => (0, i64::try_from(unix.as_secs()).unwrap_or(i64::MAX) - 60),
            (true, Shape::Sdk) => (0, -60),
        };
        let headers = response.headers_mut();
        headers.insert(LIMIT, HeaderValue::from(quota.limit));
        headers.insert(REMAINING, HeaderValue::from(remaining));
        headers.insert(RESET, HeaderValue::from(reset));
    }
    if response.status() == StatusCode::NO_CONTENT {
        response.body_mut().clear();
    }
}

fn answered(shared: &Shared, open: Open, response: &http::Response<Bytes>) {
    let redactor = &shared.redactor;
    open.end(Answer::Answered {
        status: response.status().as_u16(),
        headers: redactor.headers(response.headers()),
        body: body_text(&redactor.text(&String::from_utf8_lossy(response.body()))),
    });
}
