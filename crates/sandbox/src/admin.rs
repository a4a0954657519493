//! The admin port: the in-process API as JSON, for integrations in other languages.

use axum::extract::{Path, Query, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

use crate::Credential;
use crate::door::Porter;
use crate::fault::{Fault, FaultId};
use crate::limiter::RateLimit;
use crate::record::Mark;
use crate::state::State;
use crate::webhooks::{Delivery, Event, Webhooks};
use crate::world::customers::CustomerStatus;
use crate::world::loans::LoanStatus;

#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) base_url: String,
    pub(crate) credential: Credential,
    pub(crate) state: State,
    pub(crate) webhooks: Webhooks,
    pub(crate) porter: Porter,
}

pub(crate) fn router(stage: Stage) -> Router {
    Router::new()
        .route("/environment", get(environment))
        .route(
            "/faults",
            post(push_fault).get(list_faults).delete(clear_faults),
        )
        .route("/faults/{id}", delete(remove_fault))
        .route("/refuse", post(refuse))
        .route("/record", get(record))
        .route("/state", get(state))
        .route("/state/expire-tokens", post(expire_tokens))
        .route("/state/rate-limit", post(limit_rate))
        .route("/state/customers", post(seed_customer))
        .route("/state/customers/{id}", post(move_customer))
        .route("/state/loans/{id}", post(move_loan))
        .route("/state/credentials", post(issue_credential))
        .route("/state/credentials/{id}", delete(revoke_credential))
        .route(
            "/state/credentials/{id}/reinstate",
            post(reinstate_credential),
        )
        .route("/webhooks/deliver", post(deliver))
        .route("/webhooks/enqueue", post(enqueue))
        .route("/webhooks/subscribe", post(subscribe))
        .route("/webhooks/rotate", post(rotate))
        .with_state(stage)
}

/// What an integration under test is started with.
async fn environment(Shared(stage): Shared<Stage>) -> Json<Value> {
    Json(json!({
        "GOLIVE_BASE_URL": stage.base_url,
        "GOLIVE_CLIENT_ID": stage.credential.client_id,
        "GOLIVE_CLIENT_SECRET": stage.credential.client_secret.expose_secret(),
        "GOLIVE_WEBHOOK_SECRET": stage.webhooks.secret().expose_secret(),
    }))
}

async fn push_fault(Shared(stage): Shared<Stage>, Json(fault): Json<Fault>) -> Response {
    match fault.check() {
        Ok(()) => {
            let id = stage.state.shared.faults.push(fault);
            (StatusCode::CREATED, Json(json!({ "id": id }))).into_response()
        }
        Err(error) => problem(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn list_faults(Shared(stage): Shared<Stage>) -> Json<Value> {
    let faults = stage.state.shared.faults.list();
    let rows = faults.into_iter().map(|(id, fault, matched, fired)| {
        json!({ "id": id, "fault": fault, "matched": matched, "fired": fired })
    });
    Json(json!({ "data": rows.collect::<Vec<_>>() }))
}

async fn clear_faults(Shared(stage): Shared<Stage>) -> StatusCode {
    stage.state.shared.faults.clear();
    StatusCode::NO_CONTENT
}

async fn remove_fault(Shared(stage): Shared<Stage>, Path(id): Path<FaultId>) -> Response {
    found(stage.state.shared.faults.remove(id))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct For {
    for_ms: u64,
}

async fn refuse(Shared(stage): Shared<Stage>, Json(time): Json<For>) -> StatusCode {
    stage.porter.close(Duration::from_millis(time.for_ms)).await;
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    #[serde(default)]
    since: Mark,
}

/// The entries from `since` on, and the mark to ask with next time.
async fn record(Shared(stage): Shared<Stage>, Query(from): Query<Since>) -> Json<Value> {
    let recorder = &stage.state.shared.recorder;
    // Marked first: an entry that begins in between comes twice rather than never.
    let mark = recorder.mark();
    let entries = recorder.since(from.since);
    Json(json!({ "mark": mark, "dropped": recorder.dropped(), "entries": entries }))
}

async fn state(Shared(stage): Shared<Stage>) -> Json<Value> {
    let state = &stage.state;
    Json(json!({
        "customers": state.customers(),
        "loans": state.loans(),
        "tokens_issued": state.tokens_issued(),
        "dialects_seen": state.dialects_seen(),
    }))
}

async fn expire_tokens(Shared(stage): Shared<Stage>) -> StatusCode {
    stage.state.expire_tokens();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limited {
    limit: u64,
    window_ms: u64,
}

async fn limit_rate(Shared(stage): Shared<Stage>, Json(to): Json<Limited>) -> Response {
    let rate_limit = RateLimit {
        limit: to.limit,
        window: Duration::from_millis(to.window_ms),
    };
    match stage.state.limit_rate(rate_limit) {
        true => StatusCode::NO_CONTENT.into_response(),
        false => problem(
            StatusCode::BAD_REQUEST,
            "neither the limit nor its window can be zero",
        ),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    external_id: String,
    status: CustomerStatus,
    #[serde(default)]
    age_seconds: u64,
}

async fn seed_customer(Shared(stage): Shared<Stage>, Json(seed): Json<Seed>) -> Response {
    let age = Duration::from_secs(seed.age_seconds);
    let seeded = match seed.age_seconds {
        0 => stage.state.seed_customer(&seed.external_id, seed.status),
        _ => (stage.state).seed_aged_customer(&seed.external_id, seed.status, age),
    };
    match seeded {
        Some(customer) => (StatusCode::CREATED, Json(customer)).into_response(),
        None => problem(
            StatusCode::CONFLICT,
            "this external_id is taken, or the sandbox is full",
        ),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move<S> {
    status: S,
}

async fn move_customer(
    Shared(stage): Shared<Stage>,
    Path(id): Path<String>,
    Json(to): Json<Move<CustomerStatus>>,
) -> Response {
    found(stage.state.set_customer_status(&id, to.status))
}

async fn move_loan(
    Shared(stage): Shared<Stage>,
    Path(id): Path<String>,
    Json(to): Json<Move<LoanStatus>>,
) -> Response {
    found(stage.state.set_loan_status(&id, to.status))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

async fn issue_credential(Shared(stage): Shared<Stage>, Json(named): Json<Named>) -> Response {
    let Some(credential) = stage.state.issue_credential(&named.name) else {
        return problem(StatusCode::CONFLICT, "the sandbox is full");
    };
    let body = json!({
        "client_id": credential.client_id,
        "client_secret": credential.client_secret.expose_secret(),
    });
    (StatusCode::CREATED, Json(body)).into_response()
}

async fn revoke_credential(Shared(stage): Shared<Stage>, Path(id): Path<String>) -> Response {
    found(stage.state.revoke_credential(&id))
}

async fn reinstate_credential(Shared(stage): Shared<Stage>, Path(id): Path<String>) -> Response {
    found(stage.state.reinstate_credential(&id))
}

/// A [`Delivery`] as JSON. Either `event`, as an earlier answer gave it, or `type` and `data`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    url: Option<String>,
    event: Option<Event>,
    #[serde(rename = "type")]
    type_: Option<String>,
    #[serde(default)]
    data: Value,
    signed_with: Option<Vec<String>>,
    #[serde(default)]
    timestamp_offset: i64,
    id: Option<String>,
    tampered: Option<Tampered>,
    #[serde(default)]
    extra_signatures: Vec<String>,
    raw_body: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    timeout_ms: Option<u64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tampered {
    Body,
    Id,
    Timestamp,
}

impl Planned {
    fn event(&self, webhooks: &Webhooks) -> Result<Event, &'static str> {
        match (&self.event, &self.type_) {
            (Some(event), None) => Ok(event.clone()),
            (None, Some(type_)) => Ok(webhooks.event(type_, self.data.clone())),
            _ => Err("give either `event`, or `type` and `data`"),
        }
    }

    fn delivery(self, event: Event) -> Delivery {
        let mut delivery = Delivery::of(event).timestamp_offset(self.timestamp_offset);
        if let Some(secrets) = self.signed_with {
            delivery = delivery.signed_with(secrets.into_iter().map(SecretString::from));
        }
        if let Some(id) = self.id {
            delivery = delivery.id(id);
        }
        delivery = match self.tampered {
            None => delivery,
            Some(Tampered::Body) => delivery.tampered_body(),
            Some(Tampered::Id) => delivery.tampered_id(),
            Some(Tampered::Timestamp) => delivery.tampered_timestamp(),
        };
        if let Some(body) = self.raw_body {
            delivery = delivery.raw_body(body);
        }
        if let Some(timeout) = self.timeout_ms {
            delivery = delivery.timeout(Duration::from_millis(timeout));
        }
        let delivery = self
            .extra_signatures
            .into_iter()
            .fold(delivery, Delivery::extra_signature);
        self.headers
            .into_iter()
            .fold(delivery, |delivery, (name, value)| {
                delivery.header(name, value)
            })
    }
}

async fn deliver(Shared(stage): Shared<Stage>, Json(planned): Json<Planned>) -> Response {
    let event = match planned.event(&stage.webhooks) {
        Ok(event) => event,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, wrong),
    };
    let Some(url) = planned.url.clone() else {
        return problem(StatusCode::BAD_REQUEST, "`url` is missing");
    };
    let entry = stage
        .webhooks
        .deliver(&url, planned.delivery(event.clone()))
        .await;
    Json(json!({ "event": event, "entry": entry })).into_response()
}

async fn enqueue(Shared(stage): Shared<Stage>, Json(planned): Json<Planned>) -> Response {
    match planned.event(&stage.webhooks) {
        Ok(event) => {
            stage.webhooks.enqueue(&event);
            (StatusCode::ACCEPTED, Json(json!({ "event": event }))).into_response()
        }
        Err(wrong) => problem(StatusCode::BAD_REQUEST, wrong),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscription {
    url: Option<String>,
}

async fn subscribe(Shared(stage): Shared<Stage>, Json(to): Json<Subscription>) -> StatusCode {
    match to.url {
        Some(url) => stage.webhooks.subscribe(url),
        None => stage.webhooks.unsubscribe(),
    }
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    grace_seconds: u32,
}

async fn rotate(Shared(stage): Shared<Stage>, Json(rotation): Json<Rotation>) -> Json<Value> {
    let secret = stage
        .webhooks
        .rotate(Duration::from_secs(rotation.grace_seconds.into()));
    Json(json!({ "secret": secret.expose_secret() }))
}

fn found(there: bool) -> Response {
    if there {
        StatusCode::NO_CONTENT.into_response()
    } else {
        problem(StatusCode::NOT_FOUND, "there is no such one")
    }
}

fn problem(status: StatusCode, detail: &str) -> Response {
    crate::refusal::Refusal::new(status, None, detail).into_response()
}
