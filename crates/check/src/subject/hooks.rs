//! The hooks of the built-in integration, over HTTP.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::Mistake;
use super::client::{CallError, Client};
use super::receiver::Effects;

/// At once in `create-many`.
const MAX_MANY: u32 = 200;

#[derive(Clone)]
struct App {
    client: Client,
    effects: Arc<Effects>,
    mistake: Option<Mistake>,
}

#[derive(Deserialize)]
struct Asked {
    mark: String,
    n: Option<u32>,
}

#[derive(Serialize)]
struct Answered {
    ok: bool,
    output: String,
}

pub(super) fn routes(mistake: Option<Mistake>, client: Client, effects: Arc<Effects>) -> Router {
    Router::new()
        .route("/create", post(create))
        .route("/create-many", post(create_many))
        .route("/read", post(read))
        .route("/list", post(list))
        .route("/effects", post(count))
        .with_state(App {
            client,
            effects,
            mistake,
        })
}

async fn create(State(app): State<App>, Json(asked): Json<Asked>) -> Json<Answered> {
    app.answer(app.client.create(&asked.mark).await)
}

async fn create_many(State(app): State<App>, Json(asked): Json<Asked>) -> Json<Answered> {
    let marks: Vec<String> = (0..asked.n.unwrap_or(1).min(MAX_MANY))
        .map(|i| format!("{}-{i}", asked.mark))
        .collect();
    let results = join_all(marks.iter().map(|mark| app.client.create(mark))).await;
    let failed = results.iter().filter(|r| r.is_err()).count();
    let output = format!("{} created, {failed} failed", results.len() - failed);
    Json(Answered {
        ok: failed == 0,
        output,
    })
}

async fn read(State(app): State<App>, Json(asked): Json<Asked>) -> Json<Answered> {
    app.answer(app.client.find_by_external_id(&asked.mark).await)
}

async fn list(State(app): State<App>, Json(_): Json<Asked>) -> Json<Answered> {
    app.answer(app.client.list().await)
}

async fn count(State(app): State<App>, Json(asked): Json<Asked>) -> Json<Answered> {
    Json(Answered {
        ok: true,
        output: app.effects.of(&asked.mark).to_string(),
    })
}

impl App {
    fn answer(&self, result: Result<String, CallError>) -> Json<Answered> {
        Json(match result {
            Ok(output) => Answered { ok: true, output },
            Err(error) => Answered {
                ok: false,
                output: error.for_the_user(self.mistake),
            },
        })
    }
}
