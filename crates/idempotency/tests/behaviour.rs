//! What a call carries, over a scripted service and over reqwest on real sockets.

#![cfg(all(feature = "tower", feature = "reqwest"))]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of what clippy takes for one"
)]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use golive_core::{BoxError, CallHandle, Stack, caused_by, tower::Layered};
use golive_idempotency::{IdempotencyKeys, InvalidKey, Key, MintError};
use golive_testkit::Thrice;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::Empty;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tower::ServiceExt;

type Body = Empty<Bytes>;

/// A far end that answers with these statuses, then 200, and notes what came.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<(Vec<u16>, Vec<HeaderMap>)>>);

// === impl Server ===

impl Server {
    fn new(answers: &[u16]) -> Self {
        let server = Self::default();
        server.0.lock().unwrap().0 = answers.iter().rev().copied().collect();
        server
    }

    fn seen(&self) -> Vec<HeaderMap> {
        self.0.lock().unwrap().1.clone()
    }

    fn keys(&self) -> Vec<String> {
        let values = self.seen().into_iter();
        values
            .map(|headers| headers["idempotency-key"].to_str().unwrap().to_owned())
            .collect()
    }

    async fn call<M: golive_core::Middleware>(
        &self,
        middleware: M,
        request: http::Request<Body>,
    ) -> Result<http::Response<golive_core::Body<Body>>, BoxError> {
        let server = self.clone();
        let inner = tower::service_fn(move |request: http::Request<Body>| {
            let mut state = server.0.lock().unwrap();
            state.1.push(request.headers().clone());
            let mut response = http::Response::new(Body::new());
            let status = state.0.pop().unwrap_or(200);
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            async move { Ok::<_, Infallible>(response) }
        });
        Layered::new(middleware, inner).oneshot(request).await
    }
}

fn request(method: Method) -> http::Request<Body> {
    let request = http::Request::builder().method(method);
    request
        .uri("http://api.test/v3/loans")
        .body(Body::new())
        .unwrap()
}

fn with(method: Method, name: &'static str, key: &'static str) -> http::Request<Body> {
    let mut request = request(method);
    let key = HeaderValue::from_static(key);
    request.headers_mut().insert(name, key);
    request
}

fn is_keyed(response: &http::Response<golive_core::Body<Body>>) -> bool {
    let handle = response.extensions().get::<CallHandle>();
    handle.is_some_and(|handle| handle.call().has_idempotency_key())
}

#[tokio::test]
async fn every_post_gets_a_key_of_its_own() {
    let server = Server::new(&[]);
    let keys = IdempotencyKeys::new();
    for _ in 0..2 {
        let response = server.call(keys.clone(), request(Method::POST)).await;
        assert!(is_keyed(&response.unwrap()), "the retry must know");
    }
    let keys = server.keys();
    assert_ne!(keys[0], keys[1]);
    for key in keys {
        assert_eq!(uuid::Uuid::parse_str(&key).unwrap().get_version_num(), 4);
    }
}

#[tokio::test]
async fn all_attempts_of_a_call_carry_the_same_key() {
    let server = Server::new(&[500, 500]);
    let stack = Stack::new().push(IdempotencyKeys::new()).push(Thrice);
    let response = server.call(stack, request(Method::POST)).await.unwrap();
    assert_eq!(response.status(), 200);
    let keys = server.keys();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[tokio::test]
async fn a_request_that_needs_no_key_gets_none_and_costs_nothing() {
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        let server = Server::new(&[]);
        let response = server.call(IdempotencyKeys::new(), request(method)).await;
        let response = response.unwrap();
        assert!(response.extensions().get::<CallHandle>().is_none());
        assert!(server.seen()[0].is_empty());
    }
}

#[tokio::test]
async fn a_key_of_the_callers_is_kept() {
    let server = Server::new(&[]);
    let request = with(Method::POST, "idempotency-key", "order-17");
    let response = server.call(IdempotencyKeys::new(), request).await.unwrap();
    assert!(is_keyed(&response));
    let seen = &server.seen()[0];
    assert_eq!(seen.len(), 1);
    assert_eq!(seen["idempotency-key"], "order-17");
}

#[tokio::test]
async fn a_key_of_the_callers_is_copied_to_where_the_server_reads_it() {
    for (name, header) in [
        ("idempotency-key", "x-idempotency-key"),
        ("x-idempotency-key", "idempotency-key"),
        ("idempotency-key", "request-token"),
        ("x-idempotency-key", "request-token"),
    ] {
        let keys = IdempotencyKeys::builder().header(HeaderName::from_static(header));
        let server = Server::new(&[]);
        let request = with(Method::POST, name, "order-17");
        let response = server.call(keys.build().unwrap(), request).await.unwrap();
        assert!(is_keyed(&response));
        let seen = &server.seen()[0];
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[name], "order-17", "as it was");
        assert_eq!(seen[header], "order-17", "and where it is read");
    }
}

#[tokio::test]
async fn what_is_no_key_is_refused_before_it_is_sent() {
    let too_long: &'static str = "x".repeat(256).leak();
    for (key, expected) in [
        ("", InvalidKey::Empty),
        (too_long, InvalidKey::TooLong { length: 256 }),
        ("order 17", InvalidKey::NotVisible { at: 5 }),
    ] {
        let server = Server::new(&[]);
        let request = with(Method::POST, "idempotency-key", key);
        let error = server.call(IdempotencyKeys::new(), request).await;
        let error = error.unwrap_err();
        assert_eq!(caused_by::<InvalidKey>(error.as_ref()), Some(&expected));
        assert!(!error.to_string().contains("order"), "not repeated");
        assert!(server.seen().is_empty());
    }
}

#[tokio::test]
async fn without_a_key_a_post_is_not_sent() {
    let keys = IdempotencyKeys::builder()
        .mint_with(|| Err(MintError::new("no random numbers")))
        .build()
        .unwrap();
    let server = Server::new(&[]);
    let error = server.call(keys.clone(), request(Method::POST)).await;
    let error = error.unwrap_err();
    let error = caused_by::<MintError>(error.as_ref()).unwrap();
    let cause = std::error::Error::source(error).unwrap();
    assert_eq!(cause.to_string(), "no random numbers");
    assert!(server.seen().is_empty());
    assert!(server.call(keys, request(Method::GET)).await.is_ok());
}

#[tokio::test]
async fn methods_header_and_source_can_be_chosen() {
    let keys = IdempotencyKeys::builder()
        .methods([Method::POST, Method::PATCH])
        .header(HeaderName::from_static("x-idempotency-key"))
        .mint_with(|| Ok(Key::derive("msg_1", "create-loan")))
        .build()
        .unwrap();
    let server = Server::new(&[]);
    server.call(keys, request(Method::PATCH)).await.unwrap();
    let key = Key::derive("msg_1", "create-loan");
    assert_eq!(server.seen()[0]["x-idempotency-key"], key.as_str());
}

/// One request over a real socket; what the server read.
async fn sent(
    build: impl Fn(&ClientWithMiddleware, String) -> reqwest_middleware::RequestBuilder,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v3/loans", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
            assert_ne!(connection.read_buf(&mut bytes).await.unwrap(), 0);
        }
        let answer = b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n";
        connection.write_all(answer).await.unwrap();
        String::from_utf8(bytes).unwrap().to_ascii_lowercase()
    });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let client = ClientBuilder::new(client)
        .with(IdempotencyKeys::new())
        .build();
    let response = build(&client, url).send().await.unwrap();
    assert_eq!(response.status(), 201);
    server.await.unwrap()
}

#[tokio::test]
async fn reqwest_sends_a_minted_key_and_a_chosen_one() {
    let minted = sent(ClientWithMiddleware::post).await;
    assert_eq!(minted.matches("idempotency-key: ").count(), 1);

    let chosen = sent(|client, url| {
        let key = Key::new("order-17").unwrap();
        client.post(url).header("Idempotency-Key", key)
    });
    assert!(chosen.await.contains("\r\nidempotency-key: order-17\r\n"));

    let read = sent(ClientWithMiddleware::get).await;
    assert!(!read.contains("idempotency-key"));
}
