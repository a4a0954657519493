//! The admin port, as another language would use it.

// Helpers of tests may panic: that is how a test fails.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Receiver, body, http, send, start};
use serde_json::{Value, json};

async fn admin() -> (golive_sandbox::Sandbox, common::Client, String) {
    let (sandbox, client) =
        start(|b| b.admin("127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap())).await;
    let url = sandbox.admin_url().unwrap().to_owned();
    (sandbox, client, url)
}

#[tokio::test]
async fn an_integration_is_configured_from_its_environment() {
    let (sandbox, _client, admin) = admin().await;
    let environment = body(send(http().get(format!("{admin}/environment"))).await).await;
    assert_eq!(environment["GOLIVE_BASE_URL"], sandbox.base_url());
    let token = http()
        .post(format!("{}/auth/token", sandbox.base_url()))
        .json(&json!({
            "client_id": environment["GOLIVE_CLIENT_ID"],
            "client_secret": environment["GOLIVE_CLIENT_SECRET"],
        }));
    assert_eq!(send(token).await.status(), 200);
    assert!(
        environment["GOLIVE_WEBHOOK_SECRET"]
            .as_str()
            .unwrap()
            .starts_with("whsec_")
    );
}

#[tokio::test]
async fn faults_are_pushed_seen_and_cleared() {
    let (_sandbox, client, admin) = admin().await;
    let url = format!("{admin}/faults");
    let fault = json!({ "method": "GET", "path": "/customers", "nth": [1, null], "status": 503 });
    let pushed = send(http().post(&url).json(&fault)).await;
    assert_eq!(pushed.status(), 201);
    let id = body(pushed).await["id"].clone();
    assert_eq!(send(client.get("/customers")).await.status(), 503);
    let listed = body(send(http().get(&url)).await).await;
    assert_eq!(
        (&listed["data"][0]["id"], &listed["data"][0]["fired"]),
        (&id, &json!(1))
    );
    assert_eq!(
        send(http().delete(format!("{url}/{id}"))).await.status(),
        204
    );
    assert_eq!(
        send(http().delete(format!("{url}/{id}"))).await.status(),
        404
    );
    assert_eq!(send(client.get("/customers")).await.status(), 200);
    send(http().post(&url).json(&fault)).await;
    assert_eq!(send(http().delete(&url)).await.status(), 204);
    assert_eq!(send(client.get("/customers")).await.status(), 200);
    let bad = json!({ "status": 99 });
    assert_eq!(send(http().post(&url).json(&bad)).await.status(), 400);
}

#[tokio::test]
async fn state_is_set_up_and_the_record_read_from_a_mark_on() {
    let (_sandbox, client, admin) = admin().await;
    let seed = http()
        .post(format!("{admin}/state/customers"))
        .json(&json!({"external_id": "a", "status": "active"}));
    let seeded = body(send(seed).await).await;
    assert_eq!(seeded["status"], "active");
    let mark = body(send(http().get(format!("{admin}/record"))).await).await["mark"].clone();
    assert_eq!(
        send(http().post(format!("{admin}/state/expire-tokens")))
            .await
            .status(),
        204
    );
    assert_eq!(send(client.get("/customers")).await.status(), 401);
    let record = body(send(http().get(format!("{admin}/record?since={mark}"))).await).await;
    assert_eq!(
        record["entries"].as_array().unwrap().len(),
        1,
        "the admin port itself is not recorded"
    );
    assert_eq!(record["entries"][0]["answer"]["status"], 401);
    let state = body(send(http().get(format!("{admin}/state"))).await).await;
    assert_eq!(
        (&state["customers"], &state["tokens_issued"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn webhooks_are_delivered_rotated_and_subscribed_to() {
    let (_sandbox, client, admin) = admin().await;
    let receiver = Receiver::answering(&[200]).await;
    let deliver = async |plan: Value| {
        send(http().post(format!("{admin}/webhooks/deliver")).json(&plan)).await
    };
    let first =
        deliver(json!({ "url": receiver.url, "type": "loan.active", "data": { "n": 1 } })).await;
    assert_eq!(first.status(), 200);
    let first = body(first).await;
    assert_eq!(first["entry"]["answer"]["status"], 200);
    let again = deliver(
        json!({ "url": receiver.url, "event": first["event"], "tampered": "body", "headers": [["x-a", "b"]] }),
    );
    assert_eq!(
        body(again.await).await["entry"]["webhook_id"],
        first["event"]["id"]
    );
    assert!(receiver.seen()[1].1.ends_with(br#""tampered":true}"#));
    assert_eq!(receiver.seen()[1].0["x-a"], "b");
    assert_eq!(deliver(json!({ "url": receiver.url })).await.status(), 400);

    let rotated = send(
        http()
            .post(format!("{admin}/webhooks/rotate"))
            .json(&json!({ "grace_seconds": 60 })),
    )
    .await;
    assert!(
        body(rotated).await["secret"]
            .as_str()
            .unwrap()
            .starts_with("whsec_")
    );
    let subscribe = http()
        .post(format!("{admin}/webhooks/subscribe"))
        .json(&json!({ "url": receiver.url }));
    assert_eq!(send(subscribe).await.status(), 204);
    send(client.create("a")).await;
    while receiver.seen().len() < 3 {
        tokio::task::yield_now().await;
    }
    let signatures = receiver.seen()[2].0["webhook-signature"]
        .to_str()
        .unwrap()
        .split(' ')
        .count();
    assert_eq!(signatures, 2, "both secrets sign during the grace");
}
