//! Every kind of fault, seen by a client on the wire.

mod common;

use common::{body, header, send, start};
use golive_sandbox::{Answer, Fault};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

fn on_create() -> Fault {
    Fault::on(Method::POST, "/customers")
}

#[tokio::test]
async fn a_status_is_answered_without_processing() {
    let (sandbox, client) = start(|b| b).await;
    let mark = sandbox.recorder().mark();
    let id = sandbox.faults().push(
        on_create()
            .containing("mark-1")
            .times(2)
            .status(500)
            .header("x-request-id", "canary"),
    );
    assert_eq!(
        send(client.create("mark-0")).await.status(),
        201,
        "another mark is not hit"
    );
    for _ in 0..2 {
        let answer = send(client.create("mark-1")).await;
        assert_eq!(
            (
                answer.status().as_u16(),
                header(&answer, "x-request-id").as_deref()
            ),
            (500, Some("canary"))
        );
        assert!(answer.headers().contains_key("x-ratelimit-remaining"));
        assert_eq!(body(answer).await["request_id"], "canary");
    }
    assert_eq!(sandbox.state().customers_with_external_id("mark-1"), 0);
    assert_eq!(send(client.create("mark-1")).await.status(), 201);
    assert_eq!(sandbox.faults().fired(id), 2);
    let faults: Vec<bool> = sandbox
        .recorder()
        .since(mark)
        .iter()
        .map(|entry| entry.fault.is_some())
        .collect();
    assert_eq!(faults, [false, true, true, false]);
}

#[tokio::test]
async fn a_status_after_processing_lies_about_what_was_done() {
    let (sandbox, client) = start(|b| b).await;
    sandbox
        .faults()
        .push(on_create().status(500).after_processing());
    assert_eq!(
        send(client.create("a").header("idempotency-key", "k"))
            .await
            .status(),
        500
    );
    assert_eq!(sandbox.state().customers_with_external_id("a"), 1);
    let retry = send(client.create("a").header("idempotency-key", "k")).await;
    assert_eq!(
        (
            retry.status().as_u16(),
            header(&retry, "idempotent-replayed").as_deref()
        ),
        (201, Some("true"))
    );
}

#[tokio::test]
async fn a_cut_closes_this_connection_before_or_after_processing() {
    let (sandbox, client) = start(|b| b).await;
    let mark = sandbox.recorder().mark();
    sandbox.faults().push(on_create().cut_before());
    sandbox.faults().push(on_create().nth(2..=2).cut_after());
    for (external_id, customers) in [("a", 0), ("b", 1)] {
        let request = client.create(external_id).timeout(Duration::from_secs(5));
        let error = request.send().await.unwrap_err();
        assert!(!error.is_timeout() && error.status().is_none(), "{error:?}");
        assert_eq!(
            sandbox.state().customers_with_external_id(external_id),
            customers
        );
    }
    let answers: Vec<_> = sandbox
        .recorder()
        .since(mark)
        .into_iter()
        .map(|entry| entry.answer)
        .collect();
    assert_eq!(
        answers,
        [
            Answer::Cut { processed: false },
            Answer::Cut { processed: true }
        ]
    );
}

#[tokio::test]
async fn a_cut_sends_no_byte_and_leaves_other_connections_alone() {
    let (sandbox, client) = start(|b| b).await;
    let addr = sandbox
        .base_url()
        .trim_start_matches("http://")
        .trim_end_matches("/v3")
        .to_owned();
    let get = format!(
        "GET /v3/customers/x HTTP/1.1\r\nhost: s\r\nauthorization: Bearer {}\r\n\r\n",
        client.token
    );
    let mut bystander = tokio::net::TcpStream::connect(&addr).await.unwrap();
    let mut victim = tokio::net::TcpStream::connect(&addr).await.unwrap();
    // The bystander's request is being answered while the other connection is cut.
    sandbox
        .faults()
        .push(Fault::on(Method::GET, "/customers/{}").latency(Duration::from_millis(200)));
    sandbox.faults().push(
        Fault::on(Method::GET, "/customers/{}")
            .nth(2..=2)
            .cut_before(),
    );
    let mark = sandbox.recorder().mark();
    bystander.write_all(get.as_bytes()).await.unwrap();
    sandbox
        .recorder()
        .wait_for(mark, Duration::from_secs(5), |entries| !entries.is_empty())
        .await;
    victim.write_all(get.as_bytes()).await.unwrap();
    let mut nothing = vec![];
    // A reset or an end: either way not one byte.
    let _ = tokio::time::timeout(Duration::from_secs(5), victim.read_to_end(&mut nothing))
        .await
        .unwrap();
    assert_eq!(nothing, b"");
    let mut status = [0; 12];
    bystander.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 404");
    let connections: Vec<_> = sandbox
        .recorder()
        .since(mark)
        .iter()
        .map(|entry| entry.connection.unwrap())
        .collect();
    assert_ne!(connections[0], connections[1]);
}

#[tokio::test]
async fn latency_delays_the_processing_or_the_answer() {
    let (sandbox, client) = start(|b| b).await;
    let delay = Duration::from_millis(150);
    sandbox.faults().push(on_create().latency(delay));
    let sent = Instant::now();
    assert_eq!(send(client.create("a")).await.status(), 201);
    assert!(sent.elapsed() >= delay);

    sandbox.faults().clear();
    sandbox.faults().push(
        on_create()
            .latency(Duration::from_secs(60))
            .after_processing(),
    );
    let impatient = client.create("b").timeout(Duration::from_millis(200));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    assert_eq!(
        sandbox.state().customers_with_external_id("b"),
        1,
        "processed, and the answer was lost"
    );

    sandbox.faults().clear();
    sandbox
        .faults()
        .push(on_create().latency(Duration::from_secs(60)));
    let impatient = client.create("c").timeout(Duration::from_millis(200));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    assert_eq!(
        sandbox.state().customers_with_external_id("c"),
        0,
        "the wait comes before the work"
    );
}

#[tokio::test]
async fn bodies_problems_and_garbage_are_sent_as_planned() {
    let (sandbox, client) = start(|b| b).await;
    let faults = sandbox.faults();
    faults.push(
        on_create()
            .status(503)
            .header("content-type", "text/html")
            .body("<h1>down</h1>"),
    );
    let html = send(client.create("a")).await;
    assert_eq!(
        (
            html.status().as_u16(),
            header(&html, "content-type").as_deref()
        ),
        (503, Some("text/html"))
    );
    assert_eq!(html.text().await.unwrap(), "<h1>down</h1>");

    faults.clear();
    faults.push(on_create().problem(
        "invalid_cpf",
        "two of them",
        &[("cpf", "is odd"), ("email", "is even")],
    ));
    let problem = send(client.create("a")).await;
    assert_eq!(problem.status(), 422);
    let problem = body(problem).await;
    assert_eq!(problem["code"], "invalid_cpf");
    let errors =
        json!([{ "param": "cpf", "detail": "is odd" }, { "param": "email", "detail": "is even" }]);
    assert_eq!(problem["errors"], errors);

    faults.clear();
    faults.push(on_create().garbage());
    let garbage = send(client.create("a")).await;
    assert_eq!(
        (
            garbage.status().as_u16(),
            header(&garbage, "content-type").as_deref()
        ),
        (200, Some("application/json"))
    );
    assert!(serde_json::from_slice::<Value>(&garbage.bytes().await.unwrap()).is_err());

    faults.clear();
    faults.push(
        Fault::on(Method::POST, "/auth/token")
            .merge(json!({ "expires_in": "20", "token_type": null })),
    );
    let token = client.http.post(format!("{}/auth/token", client.base)).json(&json!({
        "client_id": sandbox.credential().client_id,
        "client_secret": secrecy::ExposeSecret::expose_secret(&sandbox.credential().client_secret),
    }));
    let token = body(send(token).await).await;
    assert_eq!(
        (&token["expires_in"], token.get("token_type")),
        (&json!("20"), None)
    );
    assert!(token["access_token"].is_string());
}

#[tokio::test]
async fn a_token_can_expire_under_the_client() {
    let (sandbox, client) = start(|b| b).await;
    sandbox.faults().push(on_create().nth(2..=2).expire_token());
    let mark = sandbox.recorder().mark();
    assert_eq!(send(client.create("a")).await.status(), 201);
    let expired = send(client.create("b")).await;
    assert_eq!(expired.status(), 401);
    assert_eq!(body(expired).await["code"], "token_expired");
    let renewed = common::Client::of(&sandbox).await;
    assert_eq!(send(renewed.create("b")).await.status(), 201);
    let tokens: Vec<_> = sandbox
        .recorder()
        .since(mark)
        .iter()
        .map(|entry| entry.token)
        .collect();
    assert_eq!(tokens, [Some(1), Some(1), None, Some(2)]);
}

#[tokio::test]
async fn limit_headers_can_be_stale_or_the_faults_own() {
    let (sandbox, client) = start(|b| b).await;
    sandbox.faults().push(on_create().stale_limits());
    sandbox.faults().push(
        on_create()
            .nth(2..=2)
            .status(429)
            .header("X-RateLimit-Reset", "99"),
    );
    let stale = send(client.create("a")).await;
    assert_eq!(
        (
            stale.status().as_u16(),
            header(&stale, "x-ratelimit-remaining").as_deref()
        ),
        (201, Some("0"))
    );
    let fresh: i64 = header(&send(client.get("/customers")).await, "x-ratelimit-reset")
        .unwrap()
        .parse()
        .unwrap();
    let reset: i64 = header(&stale, "x-ratelimit-reset")
        .unwrap()
        .parse()
        .unwrap();
    assert!((59..=121).contains(&(fresh - reset)), "{fresh} {reset}");
    let only_reset = send(client.create("b")).await;
    assert_eq!(
        (
            only_reset.status().as_u16(),
            header(&only_reset, "x-ratelimit-reset").as_deref()
        ),
        (429, Some("99"))
    );
    assert_eq!(header(&only_reset, "x-ratelimit-remaining"), None);
    assert_eq!(header(&only_reset, "retry-after"), None);
}

#[tokio::test]
async fn a_fault_that_cannot_be_is_loud() {
    let (sandbox, client) = start(|b| b).await;
    sandbox.faults().push(on_create().header("no name", "x"));
    let answer = send(client.create("a")).await;
    assert_eq!(answer.status(), 500);
    assert!(
        body(answer).await["detail"]
            .as_str()
            .unwrap()
            .contains("no name")
    );
}
