//! Handlers of axum behind the layer.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails is a failed test"
)]

mod receiving;

use axum::{Json, Router, body::Body, routing::post};
use bytes::Bytes;
use golive_webhook_verify::{
    UnixTime, Verified,
    axum::{ExtractError, VerifiedJson},
};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use receiving::{BODY, NOW, layer, layer_of, request};
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceExt as _;

#[derive(Debug, Deserialize, PartialEq)]
struct Event {
    r#type: String,
    n: f64,
}

async fn send(app: Router, signed: &[u8]) -> (StatusCode, String) {
    let (parts, body) = answer(app, signed).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, String::from_utf8(body.into()).unwrap())
}

async fn answer(app: Router, signed: &[u8]) -> Response<Body> {
    let body = Full::new(Bytes::copy_from_slice(signed));
    app.oneshot(request(signed, Body::new(body))).await.unwrap()
}

fn behind_the_layer(method: axum::routing::MethodRouter) -> Router {
    Router::new().route("/webhooks", method).layer(layer())
}

#[tokio::test]
async fn a_handler_takes_the_verdict_the_event_and_the_bytes_at_once() {
    async fn receive(
        VerifiedJson(event): VerifiedJson<Event>,
        verified: Verified<'static>,
        bytes: Bytes,
    ) -> String {
        assert_eq!(verified.timestamp(), Some(UnixTime::from_secs(NOW)));
        assert_eq!(bytes, BODY);
        format!("{}: {} {}", verified.id().unwrap(), event.r#type, event.n)
    }
    let (status, said) = send(behind_the_layer(post(receive)), BODY).await;
    assert_eq!(
        (status, &*said),
        (StatusCode::OK, "msg_1: loan.created 1000")
    );
}

#[tokio::test]
async fn the_extractors_of_axum_work_behind_the_layer() {
    async fn bytes(bytes: Bytes) -> Bytes {
        bytes
    }
    async fn json(Json(value): Json<Value>) -> String {
        value["type"].to_string()
    }
    let (status, said) = send(behind_the_layer(post(bytes)), BODY).await;
    assert_eq!((status, said.as_bytes()), (StatusCode::OK, BODY));
    let app = behind_the_layer(post(json));
    let mut request = request(BODY, Body::from(BODY));
    let json = "application/json".parse().unwrap();
    request.headers_mut().insert("content-type", json);
    assert_eq!(app.oneshot(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn over_a_real_socket_too() {
    async fn receive(verified: Verified<'static>, VerifiedJson(_): VerifiedJson<Value>) -> String {
        verified.id().unwrap().to_owned()
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let app = behind_the_layer(post(receive));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = Client::builder(TokioExecutor::new()).build_http();
    for (sent, status) in [(BODY, 200), (b"{}", 401), (&[b'x'; 65], 413)] {
        let mut request = request(BODY, Full::new(Bytes::from_static(sent)));
        *request.uri_mut() = format!("http://{at}/webhooks").parse().unwrap();
        assert_eq!(client.request(request).await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn without_the_layer_no_handler_is_called() {
    async fn by_verdict(_: Verified<'static>) {
        panic!("nobody has verified this");
    }
    async fn by_event(_: VerifiedJson<Value>) {
        panic!("nobody has verified this");
    }
    for method in [post(by_verdict), post(by_event)] {
        let app = Router::new().route("/webhooks", method);
        let answer = answer(app, BODY).await;
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let error: Option<&ExtractError> = answer.extensions().get();
        assert_eq!(error, Some(&ExtractError::NotVerified));
    }
}

#[tokio::test]
async fn a_wrong_body_is_a_problem_that_repeats_nothing_of_it() {
    async fn receive(_: VerifiedJson<Event>) {
        panic!("there is no such event");
    }
    for (body, status, expected) in [
        (
            &br#"{"type":"hunter2","#[..],
            400,
            ExtractError::NotJson {
                line: 1,
                column: 18,
            },
        ),
        (
            b"hunter2",
            400,
            ExtractError::NotJson { line: 1, column: 1 },
        ),
        (b"", 400, ExtractError::NotJson { line: 1, column: 0 }),
        (
            b"\"hunter2\xff\"",
            400,
            ExtractError::NotJson { line: 1, column: 9 },
        ),
        (
            b"{\"type\":\"x\",\n\"n\":\"hunter2\"}",
            422,
            ExtractError::Unexpected {
                line: 2,
                column: 13,
            },
        ),
        (
            br#"{"hunter2":1}"#,
            422,
            ExtractError::Unexpected {
                line: 1,
                column: 13,
            },
        ),
    ] {
        let answer = answer(behind_the_layer(post(receive)), body).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let error = *answer.extensions().get::<ExtractError>().unwrap();
        assert_eq!((error, error.status()), (expected, status));
        let said = answer.into_body().collect().await.unwrap().to_bytes();
        let said = String::from_utf8(said.into()).unwrap() + &error.to_string();
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn what_is_read_is_what_was_signed_whatever_lies_between() {
    async fn receive(VerifiedJson(event): VerifiedJson<Event>) -> String {
        event.r#type
    }
    let swap = axum::middleware::map_request(|request: Request<Body>| async {
        request.map(|_| Body::from(r#"{"type":"loan.paid","n":2}"#))
    });
    let app = Router::new().route("/webhooks", post(receive));
    let (status, said) = send(app.layer(swap).layer(layer()), BODY).await;
    assert_eq!((status, &*said), (StatusCode::OK, "loan.created"));
}

#[tokio::test]
async fn how_long_an_event_may_be_is_for_the_verifier_to_say() {
    async fn receive(VerifiedJson(text): VerifiedJson<String>) -> String {
        text.len().to_string()
    }
    const LIMIT: usize = 3 * 1024 * 1024;
    // More than axum allows where nobody says otherwise.
    let body = format!("\"{}\"", "x".repeat(LIMIT - 2));
    let app = Router::new().route("/webhooks", post(receive));
    let (status, said) = send(app.layer(layer_of(LIMIT)), body.as_bytes()).await;
    assert_eq!((status, said), (StatusCode::OK, (LIMIT - 2).to_string()));
}

#[test]
fn an_event_is_printed_as_its_own_type_says() {
    struct Silent;
    impl std::fmt::Debug for Silent {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("[an event]")
        }
    }
    assert_eq!(
        format!("{:?}", VerifiedJson(Silent)),
        "VerifiedJson([an event])"
    );
}
