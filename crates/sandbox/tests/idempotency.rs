//! `Idempotency-Key` over real HTTP.

mod common;

use common::{body, header, send, start};
use golive_sandbox::{Answer, Fault};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn the_same_key_is_answered_the_same_and_says_so() {
    let (sandbox, client) = start(|b| b).await;
    let offer = json!({ "name": "rotated" });
    let first = send(
        client
            .post("/auth/credentials", &offer)
            .header("idempotency-key", "k1"),
    )
    .await;
    assert_eq!(
        (
            first.status().as_u16(),
            header(&first, "idempotent-replayed")
        ),
        (201, None)
    );
    let first = body(first).await;
    for name in ["idempotency-key", "x-idempotency-key"] {
        let again = send(client.post("/auth/credentials", &offer).header(name, "k1")).await;
        assert_eq!(
            (
                again.status().as_u16(),
                header(&again, "idempotent-replayed").as_deref()
            ),
            (201, Some("true"))
        );
        assert_eq!(body(again).await, first);
    }
    let other = body(
        send(
            client
                .post("/auth/credentials", &offer)
                .header("idempotency-key", "k2"),
        )
        .await,
    )
    .await;
    assert_ne!(
        other["client_id"], first["client_id"],
        "another key is another operation"
    );
    assert_eq!(sandbox.recorder().all().len(), 5);
}

#[tokio::test]
async fn a_key_with_another_payload_is_422_and_a_bad_key_400() {
    let (_sandbox, client) = start(|b| b).await;
    assert_eq!(
        send(client.create("a").header("idempotency-key", "k"))
            .await
            .status(),
        201
    );
    let reused = send(client.create("b").header("idempotency-key", "k")).await;
    assert_eq!(reused.status(), 422);
    assert_eq!(body(reused).await["code"], "idempotency_key_reused");
    let both = client
        .create("c")
        .header("idempotency-key", "k")
        .header("x-idempotency-key", "l");
    assert_eq!(send(both).await.status(), 400);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let (_sandbox, client) = start(|b| b).await;
    let wrong = client
        .post("/customers", &json!({}))
        .header("idempotency-key", "k");
    assert_eq!(send(wrong).await.status(), 422);
    assert_eq!(
        send(client.create("a").header("idempotency-key", "k"))
            .await
            .status(),
        201
    );
}

#[tokio::test]
async fn while_a_key_is_in_flight_its_second_request_is_409_and_later_replayed() {
    let (sandbox, client) = start(|b| b).await;
    let mark = sandbox.recorder().mark();
    sandbox
        .faults()
        .push(Fault::on(Method::POST, "/customers").slow_processing(Duration::from_millis(300)));
    let request = || client.create("a").header("idempotency-key", "k");
    let (first, second) = tokio::join!(send(request()), async {
        // Sent when the first has been seen, so that it is the second.
        sandbox
            .recorder()
            .wait_for(mark, Duration::from_secs(5), |entries| !entries.is_empty())
            .await;
        send(request()).await
    });
    assert_eq!(first.status(), 201);
    assert_eq!(
        (
            second.status().as_u16(),
            header(&second, "retry-after").as_deref()
        ),
        (409, Some("1"))
    );
    assert_eq!(
        header(&send(request()).await, "idempotent-replayed").as_deref(),
        Some("true")
    );
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_stop_the_work() {
    let (sandbox, client) = start(|b| b).await;
    let mark = sandbox.recorder().mark();
    sandbox
        .faults()
        .push(Fault::on(Method::POST, "/customers").slow_processing(Duration::from_millis(200)));
    let impatient = client
        .create("a")
        .header("idempotency-key", "k")
        .timeout(Duration::from_millis(50));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    let hung_up = |entries: &[golive_sandbox::Entry]| {
        entries
            .first()
            .is_some_and(|entry| matches!(entry.answer, Answer::NoAnswer { .. }))
    };
    let entries = sandbox
        .recorder()
        .wait_for(mark, Duration::from_secs(5), hung_up)
        .await;
    assert!(hung_up(&entries), "{entries:?}");
    // In flight still, then done: the retry may see either, and in the end there is one customer.
    let retry = async {
        loop {
            let answer = send(client.create("a").header("idempotency-key", "k")).await;
            if answer.status() != 409 {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(5), retry)
        .await
        .unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(
        header(&answer, "idempotent-replayed").as_deref(),
        Some("true")
    );
    assert_eq!(sandbox.state().customers(), 1);
}
