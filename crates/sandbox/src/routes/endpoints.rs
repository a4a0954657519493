//! `/webhooks/endpoints`.

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
use crate::world::page::Params;

pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let world = &mut *shared.world();
    let endpoint = world
        .endpoints
        .create(&mut world.ids, &body, ctx.now.unix_secs())?;
    shared
        .redactor
        .learn_webhook_secret(endpoint.secrets.current());
    let mut body = endpoint.write(ctx.shape);
    body["secret"] = json!(endpoint.secrets.current());
    Ok(answer(StatusCode::CREATED, body))
}

pub(super) async fn find(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    Ok(answer(
        StatusCode::OK,
        shared.world().endpoints.find(&id)?.write(ctx.shape),
    ))
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let page = Params::parse(query.as_deref()).page()?;
    let world = shared.world();
    let list = page.of(
        world.endpoints.all(),
        |e| &e.id,
        |_| true,
        |e| e.write(ctx.shape),
    )?;
    Ok(answer(StatusCode::OK, list))
}

pub(super) async fn update(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let mut world = shared.world();
    let endpoint = world.endpoints.update(&id, &body, ctx.now.unix_secs())?;
    Ok(answer(StatusCode::OK, endpoint.write(ctx.shape)))
}

pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    shared.world().endpoints.delete(&id)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn rotate(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let world = &mut *shared.world();
    let (endpoint, grace) = world
        .endpoints
        .rotate(&mut world.ids, &id, &body, ctx.now)?;
    shared
        .redactor
        .learn_webhook_secret(endpoint.secrets.current());
    let mut body = endpoint.write(ctx.shape);
    body["secret"] = json!(endpoint.secrets.current());
    let ends = ctx
        .now
        .unix_secs()
        .saturating_add(i64::try_from(grace).unwrap_or(i64::MAX));
    body["previous_secret_expires_at"] = ctx.shape.date(ends);
    Ok(answer(StatusCode::OK, body))
}
