//! Over real HTTP on loopback, through reqwest.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: what fails there is a test that fails"
)]

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use golive_auth_refresh::{
    AuthError, AuthRefresh, Tokens,
    client_credentials::{
        ClientAuth, ClientCredentials, CredentialError, CredentialSet, CredentialSource,
        Credentials, Rereading,
    },
    reqwest::ReqwestSource,
    source::{TokenError, TokenSource},
};
use golive_core::caused_by;
use serde_json::{Value, json};

#[derive(Default)]
struct World {
    tokens: AtomicU64,
    loans: AtomicU64,
    /// Tokens below this have expired.
    valid_from: AtomicU64,
    /// Requests that reached the other origin.
    elsewhere: AtomicU64,
}

async fn token(State(world): State<Arc<World>>, headers: HeaderMap, body: String) -> Response {
    let basic = headers.get(header::AUTHORIZATION);
    // id%2F1:s+cret
    let known = basic.is_some_and(|v| v == "Basic aWQlMkYxOnMrY3JldA==");
    if !known || body != "grant_type=client_credentials" {
        return (
            StatusCode::UNAUTHORIZED,
            Json(json!({"error": "invalid_client"})),
        )
            .into_response();
    }
    let n = world.tokens.fetch_add(1, Ordering::SeqCst) + 1;
    let token =
        json!({"access_token": format!("t{n}"), "token_type": "bearer", "expires_in": "3600"});
    Json(token).into_response()
}

async fn loan(State(world): State<Arc<World>>, headers: HeaderMap, body: String) -> Response {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok());
    let token = token.and_then(|v| v.strip_prefix("Bearer t")?.parse::<u64>().ok());
    if token.is_none_or(|n| n < world.valid_from.load(Ordering::SeqCst)) {
        let problem = json!({"title": "x", "status": 401, "code": "token_expired"});
        return (StatusCode::UNAUTHORIZED, Json(problem)).into_response();
    }
    world.loans.fetch_add(1, Ordering::SeqCst);
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    Json(json!({"body": body, "key": key})).into_response()
}

async fn serve() -> (Arc<World>, String) {
    let world = Arc::new(World::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let elsewhere = format!("{}/elsewhere", base.replace("127.0.0.1", "localhost"));
    let app = Router::new()
        .route("/auth/token", post(token))
        .route("/loans", post(loan))
        .route(
            "/moved",
            post(move || async move { Redirect::temporary(&elsewhere) }),
        )
        .route(
            "/elsewhere",
            post(|State(world): State<Arc<World>>| async move {
                world.elsewhere.fetch_add(1, Ordering::SeqCst);
            }),
        )
        .with_state(Arc::clone(&world));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (world, base)
}

fn protocol(base: &str, path: &str, secret: &str, auth: ClientAuth) -> ClientCredentials {
    let credentials = Credentials::new("id/1", secret).unwrap();
    let builder = ClientCredentials::builder(format!("{base}{path}"), credentials);
    builder.auth(auth).build().unwrap()
}

fn client(base: &str, secret: &str) -> reqwest_middleware::ClientWithMiddleware {
    let protocol = protocol(base, "/auth/token", secret, ClientAuth::Basic);
    let tokens = Tokens::new(ReqwestSource::new(protocol).unwrap());
    reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
        .with(AuthRefresh::new(tokens))
        .build()
}

async fn lend(
    client: &reqwest_middleware::ClientWithMiddleware,
    base: &str,
) -> Result<Value, reqwest_middleware::Error> {
    let request = client.post(format!("{base}/loans"));
    let request = request.header("idempotency-key", "k1").body("amount=12");
    let response = request.send().await?;
    assert_eq!(response.status(), 200);
    let body = response.bytes().await?;
    Ok(serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn twenty_calls_one_token_and_one_renewal_when_it_expires() {
    let (world, base) = serve().await;
    let client = client(&base, "s cret");
    for _ in 0..20 {
        let read = lend(&client, &base).await.unwrap();
        assert_eq!(read, json!({"body": "amount=12", "key": "k1"}));
    }
    assert_eq!(world.tokens.load(Ordering::SeqCst), 1);
    world.valid_from.store(2, Ordering::SeqCst);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (client, base) = (client.clone(), base.clone());
            tokio::spawn(async move { lend(&client, &base).await })
        })
        .collect();
    for call in calls {
        let read = call.await.unwrap().unwrap();
        assert_eq!(read, json!({"body": "amount=12", "key": "k1"}));
    }
    assert_eq!(world.tokens.load(Ordering::SeqCst), 2);
    assert_eq!(world.loans.load(Ordering::SeqCst), 40);
}

#[tokio::test]
async fn a_wrong_secret_is_a_typed_error_and_nothing_is_sent() {
    let (world, base) = serve().await;
    let error = lend(&client(&base, "wrong"), &base).await.unwrap_err();
    let error = caused_by::<AuthError>(&error).unwrap();
    assert!(
        matches!(error.cause(), TokenError::Refused { .. }),
        "{error:?}"
    );
    assert_eq!(world.loans.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn credentials_that_the_server_refuses_are_read_again() {
    struct Stale(AtomicU64);
    impl CredentialSource for Stale {
        fn version(&self) -> u64 {
            self.0.load(Ordering::SeqCst)
        }
        fn load(&self) -> Result<CredentialSet, CredentialError> {
            let version = self.version();
            let secret = if version == 0 { "revoked" } else { "s cret" };
            let current = Credentials::new("id/1", secret).map_err(CredentialError::new)?;
            Ok(CredentialSet::new(version, current))
        }
        fn reread(&self) -> Rereading<'_> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::ready(()))
        }
    }
    let (world, base) = serve().await;
    let source = Arc::new(Stale(AtomicU64::new(0)));
    let url = format!("{base}/auth/token");
    let protocol = ClientCredentials::builder(url, Arc::clone(&source)).build();
    let tokens = Tokens::new(ReqwestSource::new(protocol.unwrap()).unwrap());
    for _ in 0..3 {
        assert_eq!(tokens.authorization().await.unwrap(), "Bearer t1");
    }
    assert_eq!(source.version(), 1, "read again once");
    assert_eq!(world.tokens.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_redirect_of_the_token_endpoint_is_not_followed() {
    let (world, base) = serve().await;
    for auth in [ClientAuth::Basic, ClientAuth::Form, ClientAuth::Json] {
        let source = ReqwestSource::new(protocol(&base, "/moved", "s cret", auth)).unwrap();
        let error = source.fetch().await.unwrap_err();
        let TokenError::Unexpected { status } = error else {
            panic!("{error:?}");
        };
        assert_eq!(status, 307);
    }
    assert_eq!(world.elsewhere.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_token_endpoint_that_is_not_there_is_temporary_and_its_url_is_not_repeated() {
    let protocol = protocol("http://127.0.0.1:1", "/canary", "s cret", ClientAuth::Basic);
    let error = ReqwestSource::new(protocol)
        .unwrap()
        .fetch()
        .await
        .unwrap_err();
    assert!(error.is_temporary());
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}
