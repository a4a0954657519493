//! The hooks of the built-in integration, over HTTP: its supervisor's, and
//! those that it passes on to the life of now.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use futures_util::future::join_all;
use golive::CallError;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::life::App;
use super::supervisor::Supervisor;
use super::{BoxError, Mistake, stuck};

/// At once in `create-many`.
const MAX_MANY: u32 = 200;

type Of = State<Arc<Supervisor>>;

#[derive(Deserialize)]
struct Asked {
    mark: String,
    n: Option<u32>,
}

#[derive(Deserialize)]
struct Rotated {
    client_id: String,
    client_secret: String,
}

#[derive(Serialize)]
struct Answered {
    ok: bool,
    output: String,
}

pub(super) fn routes(supervisor: Arc<Supervisor>) -> Router {
    Router::new()
        .route("/create", post(create))
        .route("/create-many", post(create_many))
        .route("/read", post(read))
        .route("/list", post(list))
        .route("/metrics", post(metrics))
        .route("/stuck", post(who_is_stuck))
        .route("/effects", post(effects))
        .route("/logs", post(logs))
        .route("/rotate-credential", post(rotate))
        .route("/kill", post(kill))
        .route("/restart", post(restart))
        .with_state(supervisor)
}

// === what the integration does ===

async fn create(State(of): Of, Json(asked): Json<Asked>) -> Json<Answered> {
    let work = |app: Arc<App>| async move { app.answer(app.calls.create(&asked.mark).await) };
    or_dead(of.during(work).await)
}

async fn create_many(State(of): Of, Json(asked): Json<Asked>) -> Json<Answered> {
    let work = |app: Arc<App>| async move {
        let marks: Vec<String> = (0..asked.n.unwrap_or(1).min(MAX_MANY))
            .map(|i| format!("{}-{i}", asked.mark))
            .collect();
        let results = join_all(marks.iter().map(|mark| app.calls.create(mark))).await;
        let failed = results.iter().filter(|r| r.is_err()).count();
        let output = format!("{} created, {failed} failed", results.len() - failed);
        let ok = failed == 0;
        Answered { ok, output }
    };
    or_dead(of.during(work).await)
}

async fn read(State(of): Of, Json(asked): Json<Asked>) -> Json<Answered> {
    let work =
        |app: Arc<App>| async move { app.answer(app.calls.find_by_external_id(&asked.mark).await) };
    or_dead(of.during(work).await)
}

async fn list(State(of): Of) -> Json<Answered> {
    let work = |app: Arc<App>| async move { app.answer(app.calls.list("limit=5").await) };
    or_dead(of.during(work).await)
}

async fn metrics(State(of): Of) -> Json<Answered> {
    let work = |app: Arc<App>| async move {
        let page = tokio::task::spawn_blocking(move || app.metrics.page());
        match page.await {
            Ok(page) => of_result(page),
            Err(error) => of_result(Err::<String, _>(error)),
        }
    };
    or_dead(of.during(work).await)
}

async fn who_is_stuck(State(of): Of) -> Json<Answered> {
    let work = |app: Arc<App>| async move {
        let pages = match app.mistake {
            Some(Mistake::FirstPageOnly) => 1,
            _ => stuck::MAX_PAGES,
        };
        let found = stuck::look(&app.calls, &app.watch, pages).await;
        of_result(found.map(|ids| ids.join("\n")))
    };
    or_dead(of.during(work).await)
}

// === what is known beside it ===

async fn effects(State(of): Of, Json(asked): Json<Asked>) -> Json<Answered> {
    let count = of.site().effects.of(&asked.mark);
    Json(done(count.to_string()))
}

async fn logs(State(of): Of) -> Json<Answered> {
    Json(done(of.site().log.path().display().to_string()))
}

/// Writes the new credential into the secrets manager and, as that does with a
/// notification, has it read at once; otherwise it would be noticed within
/// minutes. After a kill there is nobody to read it, and the next life finds it.
async fn rotate(State(of): Of, Json(new): Json<Rotated>) -> Json<Answered> {
    let manager = &of.site().manager;
    if let Err(error) = manager.rotate(&new.client_id, &SecretString::from(new.client_secret)) {
        return Json(of_result(Err::<String, _>(error)));
    }
    let read = of.during(|app| async move { app.client_secret.refresh().await.map(drop) });
    match read.await {
        Some(Err(error)) => Json(of_result(Err::<String, _>(error))),
        Some(Ok(())) | None => Json(done(String::new())),
    }
}

async fn kill(State(of): Of) -> Json<Answered> {
    of.kill().await;
    Json(done(String::new()))
}

async fn restart(State(of): Of) -> Json<Answered> {
    let restarted = of.restart().await;
    Json(of_result(restarted.map(|_| String::new())))
}

// === answers ===

impl App {
    fn answer(&self, result: Result<String, CallError>) -> Answered {
        match result {
            Err(CallError::Problem(problem)) if self.mistake == Some(Mistake::HidesFieldErrors) => {
                let title = problem.title().unwrap_or("Something went wrong");
                of_result(Err::<String, _>(BoxError::from(title)))
            }
            other => of_result(other),
        }
    }
}

/// What the user is shown.
fn of_result(result: Result<String, impl ToString>) -> Answered {
    match result {
        Ok(output) => done(output),
        Err(error) => Answered {
            ok: false,
            output: error.to_string(),
        },
    }
}

fn done(output: String) -> Answered {
    Answered { ok: true, output }
}

fn or_dead(answered: Option<Answered>) -> Json<Answered> {
    Json(answered.unwrap_or_else(|| Answered {
        ok: false,
        output: "it is not running".to_owned(),
    }))
}
