//! `/credit-offers`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;

use super::answer;
use crate::refusal::Refusal;
use crate::shared::{Ctx, Shared};
use crate::world::page::Params;

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let params = Params::parse(query.as_deref());
    let page = params.page()?;
    let customer_id = params.find("customer_id");
    let now = ctx.now.unix_secs();
    let world = shared.world();
    let list = page.of(
        world.offers.all(),
        |offer| &offer.id,
        |offer| customer_id.is_none_or(|id| offer.customer_id == id),
        |offer| offer.write(ctx.shape, now),
    )?;
    Ok(answer(StatusCode::OK, list))
}

pub(super) async fn find(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    Ok(answer(
        StatusCode::OK,
        shared
            .world()
            .offers
            .find(&id)?
            .write(ctx.shape, ctx.now.unix_secs()),
    ))
}

pub(super) async fn simulate(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let world = &mut *shared.world();
    let simulation = world
        .offers
        .simulate(&mut world.ids, &id, &body, ctx.now.unix_secs())?;
    Ok(answer(StatusCode::CREATED, simulation.write(ctx.shape)))
}
