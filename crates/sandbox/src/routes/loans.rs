//! `/loans`.

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

pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let (body, data) = {
        let mut world = shared.world();
        let loan = world.create_loan(&body, ctx.now.unix_secs())?;
        (loan.write(ctx.shape), loan.write(shared.own_shape()))
    };
    shared.emit("loan.created", data);
    Ok(answer(StatusCode::CREATED, body))
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let params = Params::parse(query.as_deref());
    let page = params.page()?;
    let (customer_id, status) = (params.find("customer_id"), params.find("status"));
    let world = shared.world();
    let list = page.of(
        world.loans.all(),
        |loan| &loan.id,
        |loan| {
            customer_id.is_none_or(|id| loan.customer_id == id)
                && status.is_none_or(|status| loan.status.name() == status)
        },
        |loan| loan.write(ctx.shape),
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
        shared.world().loans.find(&id)?.write(ctx.shape),
    ))
}
