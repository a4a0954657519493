//! The same over real sockets: reqwest, and hyper's client in the tower face.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of what clippy takes for one"
)]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use golive_backoff::{Backoff, hyper_class, reqwest_class};
use golive_core::{CallHandle, Disposition, Outcome, tower::Layered};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt;

/// What a connection is answered; empty: it is cut after the request was read.
const CREATED: &str = "HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const FAILED: &str =
    "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const LIMITED: &str =
    "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const CUT: &str = "";

/// A server that answers one connection after the other, and the requests it has read.
struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

// === impl Server ===

impl Server {
    async fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            for answer in answers {
                let (mut connection, _) = listener.accept().await.unwrap();
                let request = read(&mut connection).await;
                seen.lock().unwrap().push(request);
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
            // Further connections are accepted and never answered.
            let mut open = Vec::new();
            while let Ok((connection, _)) = listener.accept().await {
                open.push(connection);
            }
        });
        Self { address, requests }
    }

    fn url(&self) -> String {
        format!("http://{}/v3/loans", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// One request, until its body `amount=12` has come, if it has one.
async fn read(connection: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let is_get = |bytes: &[u8]| bytes.starts_with(b"GET") && bytes.ends_with(b"\r\n\r\n");
    while !bytes.ends_with(b"amount=12") && !is_get(&bytes) {
        assert_ne!(
            connection.read_buf(&mut bytes).await.unwrap(),
            0,
            "the request ended early"
        );
    }
    String::from_utf8(bytes).unwrap().to_ascii_lowercase()
}

/// A port on which nobody listens.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

fn quick() -> Backoff {
    let base = Duration::from_millis(1);
    Backoff::builder().base(base).build().unwrap()
}

/// Follows no redirects, and knows it.
fn client() -> ClientWithMiddleware {
    let inner = reqwest::Client::builder().no_proxy();
    let inner = inner.redirect(reqwest::redirect::Policy::none());
    let base = Duration::from_millis(1);
    let exact = Backoff::builder().base(base).classify(reqwest_class);
    let exact = exact.build().unwrap();
    ClientBuilder::new(inner.build().unwrap())
        .with(exact)
        .build()
}

/// As people have it: reqwest's defaults and ours.
fn following_client() -> ClientWithMiddleware {
    let inner = reqwest::Client::builder().no_proxy().build().unwrap();
    ClientBuilder::new(inner).with(quick()).build()
}

fn see_other(address: SocketAddr) -> String {
    format!(
        "HTTP/1.1 303 See Other\r\nlocation: http://{address}/v3/loans/17\r\n\
         content-length: 0\r\nconnection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn all_attempts_carry_the_same_key_and_the_same_bytes() {
    let server = Server::start(&[FAILED, CUT, CREATED]).await;
    let handle = CallHandle::new();
    let request = client()
        .post(server.url())
        .header("Idempotency-Key", "order-17");
    let request = request.body("amount=12").with_extension(handle.clone());
    assert_eq!(request.send().await.unwrap().status(), 201);
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests[0].contains("idempotency-key: order-17"));
    assert_eq!(requests[0], requests[1]);
    assert_eq!(requests[0], requests[2]);
    assert_eq!(handle.call().disposition(), Disposition::Executed);
    assert_eq!(
        handle.call().attempts()[1].outcome,
        Outcome::Failed("reset")
    );
}

#[tokio::test]
async fn a_post_without_a_key_is_not_repeated_after_a_lost_answer() {
    let server = Server::start(&[CUT, CREATED]).await;
    let handle = CallHandle::new();
    let request = client().post(server.url()).body("amount=12");
    let error = request
        .with_extension(handle.clone())
        .send()
        .await
        .unwrap_err();
    assert!(error.is_request() && !error.is_connect());
    assert_eq!(server.requests().len(), 1);
    assert_eq!(handle.call().disposition(), Disposition::Unknown);
}

#[tokio::test]
async fn a_refused_connection_is_retried_even_for_a_post_without_a_key() {
    let handle = CallHandle::new();
    let url = format!("http://{}/", nobody().await);
    let request = client().post(url).body("amount=12");
    let error = request
        .with_extension(handle.clone())
        .send()
        .await
        .unwrap_err();
    assert!(matches!(&error, Error::Reqwest(_)), "as it came");
    assert!(error.is_connect());
    let call = handle.call();
    assert_eq!(call.attempts().len(), 3);
    assert_eq!(call.attempts()[2].outcome, Outcome::Failed("connect"));
    assert_eq!(call.disposition(), Disposition::NotExecuted);
}

#[tokio::test]
async fn a_post_that_was_redirected_to_where_nobody_listens_is_not_repeated() {
    let answer = see_other(nobody().await).leak() as &str;
    let server = Server::start(vec![answer; 3].leak()).await;
    let handle = CallHandle::new();
    let request = following_client().post(server.url()).body("amount=12");
    let request = request.with_extension(handle.clone());
    let error = request.send().await.unwrap_err();
    assert!(error.is_connect(), "as it came");
    assert_eq!(server.requests().len(), 1, "executed again");
    let call = handle.call();
    assert_eq!(call.attempts()[0].outcome, Outcome::Failed("ambiguous"));
    assert_eq!(call.disposition(), Disposition::Unknown);
}

#[tokio::test]
async fn a_429_after_a_redirect_does_not_repeat_the_post_before_it() {
    let elsewhere = Server::start(&[LIMITED, LIMITED, LIMITED]).await;
    let answer = see_other(elsewhere.address).leak() as &str;
    let server = Server::start(vec![answer; 3].leak()).await;
    let handle = CallHandle::new();
    let request = following_client().post(server.url()).body("amount=12");
    let request = request.with_extension(handle.clone());
    assert_eq!(request.send().await.unwrap().status(), 429);
    assert_eq!(server.requests().len(), 1, "executed again");
    assert_eq!(handle.call().disposition(), Disposition::Unknown);
    // The same 429 to the POST itself proves that it was refused.
    let server = Server::start(&[LIMITED, CREATED]).await;
    let request = following_client().post(server.url()).body("amount=12");
    assert_eq!(request.send().await.unwrap().status(), 201);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_redirect_that_is_not_followed_is_handed_on() {
    let answer = see_other(nobody().await).leak() as &str;
    let server = Server::start(vec![answer; 3].leak()).await;
    let handle = CallHandle::new();
    let request = client().post(server.url()).body("amount=12");
    let request = request.with_extension(handle.clone());
    assert_eq!(request.send().await.unwrap().status(), 303);
    assert_eq!(server.requests().len(), 1);
    assert_eq!(handle.call().disposition(), Disposition::Unknown);
}

#[tokio::test]
async fn without_a_classifier_a_refused_connection_is_retried_only_where_a_replay_is_safe() {
    for (method, attempts) in [(reqwest::Method::POST, 1), (reqwest::Method::PUT, 3)] {
        let handle = CallHandle::new();
        let url = format!("http://{}/", nobody().await);
        let request = following_client().request(method, url).body("amount=12");
        let request = request.with_extension(handle.clone());
        assert!(request.send().await.unwrap_err().is_connect());
        assert_eq!(handle.call().attempts().len(), attempts);
    }
}

#[tokio::test]
async fn a_timeout_is_still_one_when_it_reaches_the_caller() {
    let server = Server::start(&[]).await;
    let handle = CallHandle::new();
    let request = client()
        .post(server.url())
        .timeout(Duration::from_millis(50));
    let request = request.body("amount=12").with_extension(handle.clone());
    let error = request.send().await.unwrap_err();
    assert!(error.is_timeout());
    let call = handle.call();
    assert_eq!(call.attempts().len(), 1);
    assert_eq!(call.attempts()[0].outcome, Outcome::Failed("timeout"));
}

#[tokio::test]
async fn a_request_that_cannot_be_built_is_not_repeated() {
    let handle = CallHandle::new();
    let request = client()
        .get("nonsense://127.0.0.1/")
        .with_extension(handle.clone());
    assert!(request.send().await.unwrap_err().is_builder());
    assert_eq!(handle.call().attempts().len(), 1);
}

#[tokio::test]
async fn the_errors_of_hypers_client_are_read_on_request() {
    async fn attempts(backoff: Backoff) -> Vec<Outcome> {
        let handle = CallHandle::new();
        let uri = format!("http://{}/", nobody().await);
        let request = http::Request::post(uri).extension(handle.clone());
        let request = request.body(Full::new(Bytes::from("amount=12"))).unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let result = Layered::new(backoff, client).oneshot(request).await;
        let error = result.unwrap_err();
        assert!(
            error.is::<hyper_util::client::legacy::Error>(),
            "as it came"
        );
        let call = handle.call();
        call.attempts().iter().map(|a| a.outcome.clone()).collect()
    }
    assert_eq!(attempts(quick()).await, [Outcome::Failed("ambiguous")]);
    let base = Duration::from_millis(1);
    let exact = Backoff::builder().base(base).classify(hyper_class);
    let exact = exact.build().unwrap();
    assert_eq!(attempts(exact).await, vec![Outcome::Failed("connect"); 3]);
}
