//! `/auth/credentials`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use super::answer;
use crate::refusal::Refusal;
use crate::shared::{Ctx, Shared};
use crate::world::fields::Fields;
use crate::world::page::Params;

pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let now = ctx.now.unix_secs();
    let mut fields = Fields::parse(&body)?;
    let name = fields.required("name", Fields::text);
    let expires_at = fields.date("expires_at");
    if expires_at.is_some_and(|at| at <= now) {
        fields.error("expires_at", "invalid_format", "must lie in the future");
    }
    fields.finish()?;
    let world = &mut *shared.world();
    let record =
        world
            .credentials
            .create(&mut world.ids, name.unwrap_or_default(), expires_at, now)?;
    shared
        .redactor
        .learn_client_secret(&record.client_id, &record.secret);
    let mut body = record.write(ctx.shape, now);
    // The only time that it is shown.
    body["client_secret"] = json!(record.secret);
    Ok(answer(StatusCode::CREATED, body))
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let page = Params::parse(query.as_deref()).page()?;
    let now = ctx.now.unix_secs();
    let world = shared.world();
    let list = page.of(
        world.credentials.all(),
        |c| &c.client_id,
        |_| true,
        |c| c.write(ctx.shape, now),
    )?;
    Ok(answer(StatusCode::OK, list))
}

pub(super) async fn revoke(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    if shared.world().credentials.revoke(&id, ctx.now.unix_secs()) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refusal::not_found("this credential"))
    }
}
