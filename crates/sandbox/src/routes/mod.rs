//! The provider's routes, served under `/v3` and `/api/v3` alike.

mod credentials;
mod customers;
mod endpoints;
mod loans;
mod offers;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::StatusCode;
use serde_json::Value;

use crate::pipeline::pipeline;
use crate::process::TOKEN_ROUTE;
use crate::refusal::Refusal;
use crate::shared::Shared;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .nest("/v3", api())
        .nest("/api/v3", api())
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(Arc::clone(&shared), pipeline))
        .with_state(shared)
}

fn api() -> Router<Arc<Shared>> {
    Router::new()
        .route(TOKEN_ROUTE, post(token::issue))
        .route("/auth/credentials", post(credentials::create).get(credentials::list))
        .route("/auth/credentials/{id}", axum::routing::delete(credentials::revoke))
        .route("/customers", post(customers::create).get(customers::list))
        .route("/customers/{id}", get(customers::find).patch(customers::update))
        .route("/customers/{id}/documents", post(customers::add_document))
        .route("/credit-offers", get(offers::list))
        .route("/credit-offers/{id}", get(offers::find))
        .route("/credit-offers/{id}/simulations", post(offers::simulate))
        .route("/loans", post(loans::create).get(loans::list))
        .route("/loans/{id}", get(loans::find))
        .route("/webhooks/endpoints", post(endpoints::create).get(endpoints::list))
        .route(
            "/webhooks/endpoints/{id}",
            get(endpoints::find).patch(endpoints::update).delete(endpoints::delete),
        )
        // As documented, and as the SDKs call it.
        .route("/webhooks/endpoints/{id}/secret/rotate", post(endpoints::rotate))
        .route("/webhooks/endpoints/{id}/rotate-secret", post(endpoints::rotate))
}

async fn no_route() -> Refusal {
    Refusal::not_found("this route")
}

async fn no_method() -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        None,
        "this route has no such method",
    )
}

fn answer(status: StatusCode, body: Value) -> Response {
    (status, axum::Json(body)).into_response()
}
