//! Connections that end badly, or are not made at all, seen on the socket.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod common;

use std::io::ErrorKind;
use std::time::Duration;

use common::{Client, body, header, send, start};
use golive_sandbox::{Answer, Fault, RateLimit, Sandbox};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

const LIMIT: Duration = Duration::from_secs(10);

fn address(sandbox: &Sandbox) -> String {
    let url = sandbox.base_url().trim_start_matches("http://");
    url.trim_end_matches("/v3").to_owned()
}

/// Sends one GET on a socket of its own, and reads to its end.
async fn raw_get(sandbox: &Sandbox, client: &Client) -> (Vec<u8>, std::io::Result<usize>) {
    let mut stream = TcpStream::connect(address(sandbox)).await.unwrap();
    let get = format!(
        "GET /v3/customers HTTP/1.1\r\nhost: s\r\nauthorization: Bearer {}\r\n\r\n",
        client.token
    );
    stream.write_all(get.as_bytes()).await.unwrap();
    let mut read = vec![];
    let end = timeout(LIMIT, stream.read_to_end(&mut read)).await.unwrap();
    (read, end)
}

fn on_list() -> Fault {
    Fault::on(Method::GET, "/customers")
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_cut_is_an_end() {
    let (sandbox, client) = start(|b| b).await;
    sandbox.faults().push(on_list().reset());
    sandbox
        .faults()
        .push(on_list().nth(2..=2).cut_after().reset());
    sandbox.faults().push(on_list().nth(3..=3).cut_before());
    let mark = sandbox.recorder().mark();
    for _ in 0..2 {
        let (read, end) = raw_get(&sandbox, &client).await;
        assert_eq!(
            (read.len(), end.map_err(|e| e.kind())),
            (0, Err(ErrorKind::ConnectionReset))
        );
    }
    let (read, end) = raw_get(&sandbox, &client).await;
    assert_eq!((read.len(), end.ok()), (0, Some(0)));
    let record = sandbox.recorder().since(mark);
    let processed: Vec<_> = record.iter().map(|entry| entry.answer.clone()).collect();
    let cut = |processed| Answer::Cut { processed };
    assert_eq!(processed, [cut(false), cut(true), cut(false)]);
    let words = record[0].fault.as_deref().unwrap();
    assert!(
        words.contains("connection reset before processing"),
        "{words}"
    );
}

#[tokio::test]
async fn half_an_answer_announces_the_whole_and_is_recorded_as_cut() {
    let (sandbox, client) = start(|b| b).await;
    let on_create = || Fault::on(Method::POST, "/customers");
    sandbox.faults().push(on_create().cut_halfway());
    let mark = sandbox.recorder().mark();
    let answer = send(client.create("a").header("idempotency-key", "k")).await;
    assert_eq!(answer.status(), 201, "the head arrived");
    let announced = header(&answer, "content-length").unwrap();
    let error = timeout(LIMIT, answer.bytes()).await.unwrap().unwrap_err();
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    assert_eq!(sandbox.state().customers_with_external_id("a"), 1);

    let whole = send(client.create("a").header("idempotency-key", "k")).await;
    assert_eq!(header(&whole, "content-length").unwrap(), announced);
    assert_eq!(header(&whole, "idempotent-replayed").unwrap(), "true");
    let record = sandbox.recorder().since(mark);
    assert_eq!(record[0].answer, Answer::Cut { processed: true });
    assert!(record[0].done_at.unwrap() > record[0].at);
}

#[tokio::test]
async fn half_of_a_planned_answer_is_not_processed() {
    let (sandbox, client) = start(|b| b).await;
    for fault in [
        on_list().cut_halfway().status(200).body("0123456789"),
        on_list()
            .nth(2..=2)
            .cut_halfway()
            .status(200)
            .body("0123456789")
            .reset(),
        on_list().nth(3..=3).cut_halfway().status(200).body(""),
    ] {
        sandbox.faults().push(fault);
    }
    let mark = sandbox.recorder().mark();
    let (read, end) = raw_get(&sandbox, &client).await;
    let text = String::from_utf8(read).unwrap();
    assert!(
        text.contains("content-length: 10") && text.ends_with("\r\n\r\n01234"),
        "{text}"
    );
    assert!(end.is_ok());
    let (read, end) = raw_get(&sandbox, &client).await;
    assert!(read.ends_with(b"\r\n\r\n01234"));
    assert_eq!(end.map_err(|e| e.kind()), Err(ErrorKind::ConnectionReset));
    let (read, _) = raw_get(&sandbox, &client).await;
    let text = String::from_utf8(read).unwrap();
    assert!(
        text.contains("content-length: 1\r\n") && text.ends_with("\r\n\r\n"),
        "nothing has no half: {text}"
    );
    let cut = Answer::Cut { processed: false };
    assert!(
        sandbox
            .recorder()
            .since(mark)
            .iter()
            .all(|e| e.answer == cut)
    );
}

#[tokio::test]
async fn a_closed_door_ends_connections_refuses_new_ones_and_opens_again() {
    let (sandbox, client) = start(|b| b).await;
    let mut idle = TcpStream::connect(address(&sandbox)).await.unwrap();
    // Accepted, and not only waiting to be.
    assert_eq!(send(client.get("/customers")).await.status(), 200);
    let closed = Instant::now();
    let time = Duration::from_millis(300);
    sandbox.refuse_connections(time).await;
    let refused = || async {
        let error = TcpStream::connect(address(&sandbox)).await.err();
        error.map(|e| e.kind())
    };
    assert_eq!(refused().await, Some(ErrorKind::ConnectionRefused));
    let mut nothing = vec![];
    let end = timeout(LIMIT, idle.read_to_end(&mut nothing)).await;
    assert!(matches!(
        end.unwrap().map_err(|e| e.kind()),
        Ok(0) | Err(ErrorKind::ConnectionReset)
    ));
    let error = client.get("/customers").send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    while refused().await.is_some() {
        assert!(closed.elapsed() < LIMIT);
        sleep(Duration::from_millis(5)).await;
    }
    assert!(closed.elapsed() >= time, "{:?}", closed.elapsed());
    assert_eq!(send(client.get("/customers")).await.status(), 200);
}

#[tokio::test]
async fn a_closed_door_can_be_closed_again_and_ends_with_the_sandbox() {
    let (sandbox, client) = start(|b| b).await;
    let time = Duration::from_millis(100);
    let closed = Instant::now();
    sandbox.refuse_connections(time).await;
    sandbox.refuse_connections(time).await;
    while TcpStream::connect(address(&sandbox)).await.is_err() {
        assert!(closed.elapsed() < LIMIT);
        sleep(Duration::from_millis(5)).await;
    }
    assert!(closed.elapsed() >= 2 * time, "{:?}", closed.elapsed());
    assert_eq!(send(client.get("/customers")).await.status(), 200);

    sandbox.refuse_connections(Duration::from_secs(3_600)).await;
    timeout(LIMIT, sandbox.shutdown()).await.unwrap();
}

#[tokio::test]
async fn a_rate_limit_can_be_lowered_and_lifted() {
    let (sandbox, client) = start(|b| b).await;
    let limit = |limit, secs| RateLimit {
        limit,
        window: Duration::from_secs(secs),
    };
    assert!(sandbox.state().limit_rate(limit(2, 60)));
    let mut seen = vec![];
    for _ in 0..3 {
        let answer = send(client.get("/customers")).await;
        let remaining = header(&answer, "x-ratelimit-remaining").unwrap();
        seen.push((answer.status().as_u16(), remaining));
    }
    let seen: Vec<_> = seen.iter().map(|(s, r)| (*s, r.as_str())).collect();
    assert_eq!(seen, [(200, "1"), (200, "0"), (429, "0")]);
    assert!(!sandbox.state().limit_rate(limit(0, 60)));
    assert!(!sandbox.state().limit_rate(limit(1, 0)));
    assert_eq!(send(client.get("/customers")).await.status(), 429);
    assert!(sandbox.state().limit_rate(limit(1_000, 60)));
    let answer = send(client.get("/customers")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "x-ratelimit-remaining").unwrap(), "999");
}

#[tokio::test]
async fn a_late_answer_tells_of_the_same_reset() {
    let (sandbox, client) = start(|b| b).await;
    let window = Duration::from_secs(60);
    sandbox.state().limit_rate(RateLimit { limit: 10, window });
    let reset = |path: &'static str| {
        let request = client.http.get(sandbox.base_url().replace("/v3", path));
        let request = request.bearer_auth(&client.token);
        async {
            let answer = send(request).await;
            let reset = header(&answer, "x-ratelimit-reset").unwrap();
            reset.parse::<u64>().unwrap()
        }
    };
    let epoch = reset("/v3/customers").await;
    let late = Duration::from_millis(1_100);
    sandbox.faults().push(on_list().latency(late));
    assert_eq!(reset("/v3/customers").await, epoch);
    sandbox.faults().push(on_list().latency(late));
    let seconds = reset("/api/v3/customers").await;
    assert!(seconds < 59, "two late answers of 60 s: {seconds}");
}

#[tokio::test]
async fn other_languages_can_do_it_too() {
    let (sandbox, client) =
        start(|b| b.admin(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))).await;
    let admin = sandbox.admin_url().unwrap();
    let post = |path: &str, body: serde_json::Value| {
        client.http.post(format!("{admin}{path}")).json(&body)
    };
    let fault = json!({ "method": "GET", "path": "/customers", "reset": true });
    assert_eq!(send(post("/faults", fault)).await.status(), 201);
    assert!(client.get("/customers").send().await.is_err());
    let fault = json!({ "method": "GET", "path": "/customers", "cut": "half" });
    assert_eq!(send(post("/faults", fault)).await.status(), 201);
    let half = send(client.get("/customers")).await;
    assert!(half.bytes().await.is_err());

    let limit = post(
        "/state/rate-limit",
        json!({ "limit": 1, "window_ms": 60_000 }),
    );
    assert_eq!(send(limit).await.status(), 204);
    assert_eq!(send(client.get("/customers")).await.status(), 200);
    assert_eq!(send(client.get("/customers")).await.status(), 429);
    let wrong = send(post(
        "/state/rate-limit",
        json!({ "limit": 1, "window_ms": 0 }),
    ))
    .await;
    assert_eq!(wrong.status(), 400);
    assert!(
        body(wrong).await["detail"]
            .as_str()
            .unwrap()
            .contains("zero")
    );

    assert_eq!(
        send(post("/refuse", json!({ "for_ms": 60_000 })))
            .await
            .status(),
        204
    );
    assert!(
        client
            .get("/customers")
            .send()
            .await
            .unwrap_err()
            .is_connect()
    );
}
