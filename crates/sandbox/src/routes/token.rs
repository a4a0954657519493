//! `POST /auth/token`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::answer;
use crate::auth::{TokenRequest, invalid_client};
use crate::refusal::Refusal;
use crate::shared::{Ctx, Shared};

pub(super) async fn issue(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let request = TokenRequest::parse(&headers, &body)?;
    request.check_grant()?;
    let world = &mut *shared.world();
    let known = world.credentials.authenticate(
        &request.client_id,
        request.secret.expose_secret(),
        ctx.now.unix_secs(),
    );
    if !known {
        return Err(invalid_client(
            "the client is unknown, its secret is wrong, or it was revoked",
        ));
    }
    let (token, lifetime) = world
        .tokens
        .issue(&mut world.ids, &request.client_id, ctx.now.mono);
    let body =
        json!({ "access_token": token, "token_type": "bearer", "expires_in": lifetime.as_secs() });
    // RFC 6749 §5.1: a response with a token MUST NOT be stored.
    Ok((
        [(header::CACHE_CONTROL, "no-store")],
        answer(StatusCode::OK, body),
    )
        .into_response())
}
