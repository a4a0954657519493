//! Deliveries as a receiver sees them.

// Helpers of tests may panic: that is how a test fails.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Receiver, body, send, start};
use golive_sandbox::{Answer, CustomerStatus, Delivery, Entry, Kind, Recorder};
use golive_webhook_verify::{Key, Signer, Verifier};
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::time::Duration;

/// The signatures that a receiver with this secret would compute and find.
fn matches(secret: &str, (headers, body): &(http::HeaderMap, bytes::Bytes)) -> usize {
    let text = |name: &str| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    };
    let timestamp: u64 = text("webhook-timestamp").parse().unwrap();
    let expected =
        Signer::new(Key::from_whsec(secret).unwrap()).sign(text("webhook-id"), timestamp, body);
    text("webhook-signature")
        .split(' ')
        .filter(|signature| *signature == expected)
        .count()
}

async fn deliveries(recorder: &Recorder, n: usize) -> Vec<Entry> {
    let all = |entries: &[Entry]| {
        let done = |entry: &&Entry| entry.kind == Kind::Delivery && entry.answer != Answer::Pending;
        entries.iter().filter(done).count() >= n
    };
    let entries = recorder
        .wait_for(Default::default(), Duration::from_secs(10), all)
        .await;
    entries
        .into_iter()
        .filter(|entry| entry.kind == Kind::Delivery)
        .collect()
}

#[tokio::test]
async fn a_delivery_is_signed_recorded_and_fills_the_envelope() {
    let (sandbox, _client) = start(|b| b).await;
    let receiver = Receiver::answering(&[200]).await;
    let event = sandbox
        .webhooks()
        .event("customer.active", json!({ "external_id": "mark-1" }));
    let entry = sandbox
        .webhooks()
        .deliver(&receiver.url, Delivery::of(event.clone()))
        .await;
    let got = receiver.seen().remove(0);
    assert_eq!(
        matches(sandbox.webhooks().secret().expose_secret(), &got),
        1
    );
    assert_eq!(
        (entry.status(), entry.webhook_id.as_deref()),
        (Some(200), Some(event.id.as_str()))
    );
    assert!(entry.done_at.unwrap() >= entry.at && entry.body.contains("mark-1"));
    let envelope: Value = serde_json::from_slice(&got.1).unwrap();
    for member in [
        "id",
        "type",
        "created_at",
        "timestamp",
        "api_version",
        "delivery_id",
        "data",
    ] {
        assert!(!envelope[member].is_null(), "{member}");
    }
    assert_eq!(
        (envelope["id"].as_str().unwrap().len(), &envelope["type"]),
        (36, &json!("customer.active"))
    );

    sandbox
        .webhooks()
        .deliver(&receiver.url, Delivery::of(event))
        .await;
    let again = receiver.seen().remove(1);
    assert_eq!(again.0["webhook-id"], got.0["webhook-id"]);
    let again: Value = serde_json::from_slice(&again.1).unwrap();
    assert_ne!(
        again["delivery_id"], envelope["delivery_id"],
        "it differs per attempt"
    );
}

#[tokio::test]
async fn during_the_grace_of_a_rotation_both_signatures_are_sent_and_verify() {
    let (sandbox, _client) = start(|b| b).await;
    let receiver = Receiver::answering(&[200]).await;
    let webhooks = sandbox.webhooks();
    let deliver = async || {
        let event = webhooks.event("loan.active", json!({}));
        webhooks.deliver(&receiver.url, Delivery::of(event)).await;
        receiver.seen().pop().unwrap()
    };
    let old = webhooks.secret();
    let new = webhooks.rotate(Duration::from_secs(3600));
    assert_eq!(webhooks.secret().expose_secret(), new.expose_secret());
    let both = deliver().await;
    for secret in [&old, &new] {
        let key = Key::from_whsec(secret.expose_secret()).unwrap();
        let verifier = Verifier::builder().key(key).build().unwrap();
        #[allow(
            clippy::disallowed_methods,
            reason = "a verifier stands outside of the sandbox"
        )]
        let now = std::time::SystemTime::now();
        verifier.verify(&both.0, &both.1, now).unwrap();
    }
    assert_eq!(
        (
            matches(old.expose_secret(), &both),
            matches(new.expose_secret(), &both)
        ),
        (1, 1)
    );
    let newest = webhooks.rotate(Duration::ZERO);
    let one = deliver().await;
    let found = [old, new, newest].map(|secret| matches(secret.expose_secret(), &one));
    assert_eq!(found, [0, 0, 1]);
}

#[tokio::test]
async fn each_forgery_fails_and_its_control_does_not() {
    let (sandbox, _client) = start(|b| b).await;
    let receiver = Receiver::answering(&[401]).await;
    let webhooks = sandbox.webhooks();
    let secret = webhooks.secret();
    let honest = || Delivery::of(webhooks.event("loan.active", json!({ "external_id": "m" })));
    let other = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let plans = [
        (honest(), 1),
        (honest().timestamp_offset(-301), 1),
        (honest().raw_body("{ \"a\" : 1e3 }\r\n"), 1),
        (honest().id("evt_again"), 1),
        (
            honest()
                .signed_with([other.clone(), secret.clone()])
                .extra_signature("v1a,AAAA"),
            1,
        ),
        (honest().header("x-extra", "1"), 1),
        (honest().unsigned(), 0),
        (honest().signed_with([other]), 0),
        (honest().tampered_body(), 0),
        (honest().tampered_id(), 0),
        (honest().tampered_timestamp(), 0),
    ];
    for (n, (plan, valid)) in plans.into_iter().enumerate() {
        let entry = webhooks.deliver(&receiver.url, plan).await;
        assert_eq!(entry.status(), Some(401));
        assert_eq!(
            matches(secret.expose_secret(), &receiver.seen().pop().unwrap()),
            valid,
            "plan {n}"
        );
    }
}

#[tokio::test]
async fn a_delivery_that_cannot_arrive_says_why() {
    let (sandbox, _client) = start(|b| b).await;
    let webhooks = sandbox.webhooks();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}/", silent.local_addr().unwrap());
    let plan = || Delivery::of(webhooks.event("loan.active", json!({})));
    for (url, plan, said) in [
        (closed.as_str(), plan(), "refused"),
        ("not a url", plan(), "not a URL"),
        (closed.as_str(), plan().header("no name", ""), "no name"),
        (
            closed.as_str(),
            plan().signed_with([SecretString::from("whsec_")]),
            "cannot sign",
        ),
    ] {
        let entry = webhooks.deliver(url, plan).await;
        let Answer::NoAnswer { reason } = &entry.answer else {
            panic!("{entry:?}")
        };
        assert!(reason.contains(said), "{reason}");
    }
    let entry = webhooks
        .deliver(&silent, plan().timeout(Duration::from_millis(100)))
        .await;
    assert!(matches!(entry.answer, Answer::NoAnswer { .. }));
    assert_eq!(
        sandbox
            .recorder()
            .all()
            .iter()
            .filter(|entry| entry.kind == Kind::Delivery)
            .count(),
        5
    );
}

#[tokio::test]
async fn an_enqueued_event_is_tried_again_until_it_is_taken() {
    let schedule = [0, 40, 40, 40].map(Duration::from_millis);
    let (sandbox, client) = start(|b| b.webhook_schedule(schedule)).await;
    let receiver = Receiver::answering(&[500, 503, 200]).await;
    let endpoint = json!({ "url": receiver.url, "events": ["customer.*"] });
    let endpoint = body(send(client.post("/webhooks/endpoints", &endpoint)).await).await;
    let secret = endpoint["secret"].as_str().unwrap();

    send(client.create("mark-1")).await;
    let entries = deliveries(sandbox.recorder(), 3).await;
    assert_eq!(
        entries.iter().map(Entry::status).collect::<Vec<_>>(),
        [Some(500), Some(503), Some(200)]
    );
    let seen = receiver.seen();
    let mut bodies = vec![];
    for got in &seen {
        assert_eq!(
            matches(secret, got),
            1,
            "signed with the endpoint's own secret"
        );
        assert_eq!(got.0["webhook-id"], seen[0].0["webhook-id"]);
        let envelope: Value = serde_json::from_slice(&got.1).unwrap();
        assert_eq!(
            (&envelope["type"], &envelope["data"]["external_id"]),
            (&json!("customer.created"), &json!("mark-1"))
        );
        bodies.push(envelope["delivery_id"].clone());
    }
    assert!(bodies[0] != bodies[1] && bodies[1] != bodies[2]);
    assert!(entries[1].at - entries[0].at >= Duration::from_millis(40));
    // The schedule has a fourth attempt, which nobody needs any more.
    let fourth = |entries: &[Entry]| {
        entries
            .iter()
            .filter(|entry| entry.kind == Kind::Delivery)
            .count()
            > 3
    };
    let recorder = sandbox.recorder();
    let entries = recorder
        .wait_for(Default::default(), Duration::from_millis(150), fourth)
        .await;
    assert!(!fourth(&entries));
}

#[tokio::test]
async fn changes_of_state_are_announced_to_the_subscriber() {
    let (sandbox, client) = start(|b| b.webhook_schedule([Duration::ZERO])).await;
    let receiver = Receiver::answering(&[200]).await;
    sandbox.webhooks().subscribe(&receiver.url);
    let id = body(send(client.create("mark-1")).await).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    deliveries(sandbox.recorder(), 1).await;
    assert!(
        sandbox
            .state()
            .set_customer_status(&id, CustomerStatus::Active)
    );
    assert!(
        !sandbox
            .state()
            .set_customer_status("cus_other", CustomerStatus::Active)
    );
    deliveries(sandbox.recorder(), 3).await;
    let mut types: Vec<String> = vec![];
    for got in receiver.seen() {
        assert_eq!(
            matches(sandbox.webhooks().secret().expose_secret(), &got),
            1
        );
        let envelope: Value = serde_json::from_slice(&got.1).unwrap();
        assert_eq!(envelope["data"]["external_id"], "mark-1");
        types.push(envelope["type"].as_str().unwrap().to_owned());
    }
    types.sort();
    assert_eq!(
        types,
        [
            "credit_offer.available",
            "customer.active",
            "customer.created"
        ]
    );
}

#[tokio::test]
async fn an_endpoint_is_rotated_on_both_paths_disabled_and_deleted() {
    let (sandbox, client) = start(|b| b.webhook_schedule([Duration::ZERO])).await;
    let receiver = Receiver::answering(&[200, 410]).await;
    let created = send(client.post("/webhooks/endpoints", &json!({ "url": receiver.url }))).await;
    assert_eq!(created.status(), 201);
    let created = body(created).await;
    let path = format!("/webhooks/endpoints/{}", created["id"].as_str().unwrap());
    let rotated = send(client.post(
        &format!("{path}/secret/rotate"),
        &json!({ "expire_current_in": 0 }),
    ))
    .await;
    let second = body(rotated).await["secret"].as_str().unwrap().to_owned();
    let rotated = send(client.request(Method::POST, &format!("{path}/rotate-secret"))).await;
    let third = body(rotated).await["secret"].as_str().unwrap().to_owned();
    let long = send(client.post(
        &format!("{path}/rotate-secret"),
        &json!({ "expire_current_in": 86_401 }),
    ))
    .await;
    assert_eq!(long.status(), 422);
    assert!(
        body(send(client.get(&path)).await)
            .await
            .get("secret")
            .is_none()
    );

    sandbox
        .webhooks()
        .enqueue(&sandbox.webhooks().event("loan.active", json!({})));
    deliveries(sandbox.recorder(), 1).await;
    let got = receiver.seen().remove(0);
    let first = created["secret"].as_str().unwrap();
    assert_eq!(
        [first, &second, &third].map(|secret| matches(secret, &got)),
        [0, 1, 1]
    );

    sandbox
        .webhooks()
        .enqueue(&sandbox.webhooks().event("loan.active", json!({})));
    deliveries(sandbox.recorder(), 2).await;
    let disabled = async || body(send(client.get(&path)).await).await["status"] == "disabled";
    // The answer is recorded a moment before it is acted upon.
    while !disabled().await {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        send(
            client
                .request(Method::PATCH, &path)
                .json(&json!({ "status": "off" }))
        )
        .await
        .status(),
        422
    );
    assert_eq!(
        send(
            client
                .request(Method::PATCH, &path)
                .json(&json!({ "status": "active" }))
        )
        .await
        .status(),
        200
    );
    assert_eq!(
        send(client.request(Method::DELETE, &path)).await.status(),
        204
    );
    assert_eq!(send(client.get(&path)).await.status(), 404);
}
