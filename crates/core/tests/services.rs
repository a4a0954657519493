//! The tower face over the services that people have: hyper-util's client over a real connection, a
//! router in place of a server, tower's own middleware.
#![cfg(feature = "tower")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::{collections::VecDeque, net::SocketAddr, pin::Pin, task, time::Duration};

use bytes::Bytes;
use golive_core::{BoxError, ReplayBody, Stack, caused_by, tower::Layer};
use golive_testkit::{PassOn, Thrice};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{self, Client},
    rt::TokioExecutor,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::{Service, ServiceBuilder, ServiceExt};

/// A request body that streams: neither `Clone` nor of a known size.
struct Chunks(VecDeque<&'static str>);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> task::Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let chunk = self.0.pop_front();
        task::Poll::Ready(chunk.map(|c| Ok(Frame::data(Bytes::from_static(c.as_bytes())))))
    }
}

fn streamed(url: &str) -> http::Request<ReplayBody<Chunks>> {
    let body = ReplayBody::new(Chunks(["one ", "two ", "three"].into()));
    http::Request::put(url).body(body).unwrap()
}

/// Answers 503 so often, then 200, and always with the request as it was on the wire.
async fn echo(refusals: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for attempt in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let seen = read(&mut stream).await;
            let status = if attempt < refusals {
                "503 Busy"
            } else {
                "200 OK"
            };
            let length = seen.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{seen}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    addr
}

/// One request, to its end: a chunked one, or one that says how long it is.
async fn read(stream: &mut TcpStream) -> String {
    let mut seen = String::new();
    loop {
        let mut buffer = [0; 1024];
        let n = stream.read(&mut buffer).await.unwrap();
        assert!(n > 0, "cut off: {seen}");
        seen.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
        let Some((head, body)) = seen.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "))
            .map(|l| l.parse::<usize>().unwrap());
        if length.map_or(body.ends_with("0\r\n\r\n"), |l| body.len() == l) {
            return seen;
        }
    }
}

async fn text<B: http_body::Body<Error: std::fmt::Debug>>(body: B) -> String {
    let bytes = body.collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_body_that_streams_is_sent_again_by_hyper_utils_client() {
    let url = format!("http://{}/v3/transfers", echo(4).await);
    let client = Client::builder(TokioExecutor::new()).build_http();
    // Two that send again, one around the other: 503, 503, 503 below, then 503 and 200.
    let mut client = Stack::new().push(Thrice).push(Thrice).layer(client);
    let response = client.ready().await.unwrap().call(streamed(&url)).await;
    let response = response.unwrap();
    assert_eq!(response.status(), 200);
    let seen = text(response.into_body()).await;
    assert!(seen.contains("transfer-encoding: chunked\r\n"), "{seen}");
    assert!(
        seen.ends_with("4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"),
        "{seen}"
    );
}

#[tokio::test]
async fn a_body_of_known_size_says_so_in_every_attempt() {
    let url = format!("http://{}/", echo(2).await);
    let client = Client::builder(TokioExecutor::new()).build_http();
    let client = Stack::new().push(Thrice).push(PassOn).layer(client);
    let body = ReplayBody::new(Full::new(Bytes::from_static(b"amount=12")));
    let response = client.oneshot(http::Request::put(&url).body(body).unwrap());
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    let seen = text(response.into_body()).await;
    assert!(seen.contains("content-length: 9\r\n"), "{seen}");
    assert!(!seen.contains("transfer-encoding"), "{seen}");
    assert!(seen.ends_with("amount=12"), "{seen}");
}

#[tokio::test]
async fn an_error_of_hyper_utils_client_arrives_as_it_came() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::builder(TokioExecutor::new()).build_http();
    let client = Stack::new().push(Thrice).push(PassOn).layer(client);
    let error = client.oneshot(streamed(&url)).await.unwrap_err();
    let hypers = error.downcast_ref::<legacy::Error>().unwrap();
    assert!(hypers.is_connect());
    let io = caused_by::<std::io::Error>(error.as_ref()).unwrap();
    assert_eq!(io.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_router_takes_the_place_of_a_server() {
    let router = axum::Router::new().fallback(|body: Bytes| async move { body });
    let client = Stack::new().push(Thrice).push(PassOn).layer(router);
    let response = client.oneshot(streamed("http://probe.test/")).await;
    assert_eq!(text(response.unwrap().into_body()).await, "one two three");
}

#[tokio::test]
async fn towers_middleware_lies_above_and_below() {
    let url = format!("http://{}/", echo(1).await);
    let client = Client::builder(TokioExecutor::new()).build_http();
    let below = ServiceBuilder::new()
        .buffer(1)
        .concurrency_limit(1)
        .timeout(Duration::from_secs(60))
        .service(client);
    let mut client = ServiceBuilder::new()
        .boxed_clone()
        .buffer(1)
        .layer(Stack::new().push(Thrice).push(PassOn))
        .service(below);
    for _ in 0..2 {
        let sent = client.ready().await.unwrap().call(streamed(&url));
        let response: Result<_, BoxError> = sent.await;
        assert_eq!(response.unwrap().status(), 200);
    }
}
