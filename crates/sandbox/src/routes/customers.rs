//! `/customers`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use super::answer;
use crate::cpf;
use crate::refusal::Refusal;
use crate::shared::{Ctx, Shared};
use crate::world::customers::{CustomerStatus, NewCustomer};
use crate::world::fields::Fields;
use crate::world::page::Params;

pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let new = NewCustomer::parse(&body)?;
    let (body, announced) = {
        let world = &mut *shared.world();
        let (customer, is_new) =
            world
                .customers
                .create(&mut world.ids, new, ctx.now.unix_secs())?;
        (
            customer.write(ctx.shape),
            is_new.then(|| customer.write(shared.own_shape())),
        )
    };
    let status = if announced.is_some() {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    if let Some(data) = announced {
        shared.emit("customer.created", data);
    }
    Ok(answer(status, body))
}

pub(super) async fn find(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    Ok(answer(
        StatusCode::OK,
        shared.world().customers.find(&id)?.write(ctx.shape),
    ))
}

pub(super) async fn update(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let mut world = shared.world();
    let customer = world.customers.update(&id, &body, ctx.now.unix_secs())?;
    Ok(answer(StatusCode::OK, customer.write(ctx.shape)))
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let params = Params::parse(query.as_deref());
    let page = params.page()?;
    let cpf = params
        .find("cpf")
        .map(|text| cpf::normalize(text).unwrap_or_default());
    let (external_id, status) = (params.find("external_id"), params.find("status"));
    let world = shared.world();
    let list = page.of(
        world.customers.all(),
        |customer| &customer.id,
        |customer| {
            cpf.as_ref().is_none_or(|cpf| customer.cpf == *cpf)
                && external_id.is_none_or(|id| customer.external_id.as_deref() == Some(id))
                && status.is_none_or(|status| customer.status.name() == status)
        },
        |customer| customer.write(ctx.shape),
    )?;
    Ok(answer(StatusCode::OK, list))
}

/// A document of a customer who lacks one starts the review.
pub(super) async fn add_document(
    State(shared): State<Arc<Shared>>,
    Extension(ctx): Extension<Ctx>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let kind = fields.required("type", Fields::text);
    fields.finish()?;
    let now = ctx.now.unix_secs();
    let (document, announced) = {
        let world = &mut *shared.world();
        let waiting = world.customers.find(&id)?.status == CustomerStatus::PendingKyc;
        let document = json!({
            "id": world.ids.next("doc_", 24),
            "customer_id": id,
            "type": kind,
            "status": "received",
            "created_at": ctx.shape.date(now),
        });
        let moved = if waiting {
            world
                .customers
                .set_status(&id, CustomerStatus::UnderReview, now)
        } else {
            None
        };
        (
            document,
            moved.map(|customer| customer.write(shared.own_shape())),
        )
    };
    if let Some(data) = announced {
        shared.emit(CustomerStatus::UnderReview.event(), data);
    }
    Ok(answer(StatusCode::CREATED, document))
}
