//! What the record holds, and what it must not.

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Receiver, body, http, send, start};
use golive_sandbox::{Answer, Delivery, Kind};
use secrecy::ExposeSecret as _;
use serde_json::json;

#[tokio::test]
async fn every_request_is_recorded_with_who_sent_it_and_what_it_was_answered() {
    let (sandbox, client) = start(|b| b).await;
    let mark = sandbox.recorder().mark();
    let fixture = golive_sandbox::customer_fixture("mark-1");
    send(
        client
            .post("/customers?trace=1", &fixture)
            .header("idempotency-key", "k1"),
    )
    .await;
    send(http().get(format!("{}/elsewhere", client.base.trim_end_matches("/v3")))).await;
    let entries = sandbox.recorder().since(mark);
    let created = &entries[0];
    assert_eq!(
        (created.kind, created.method.as_str(), created.path.as_str()),
        (Kind::Request, "POST", "/v3/customers")
    );
    assert_eq!(
        (created.route(), created.query.as_deref()),
        ("/customers", Some("trace=1"))
    );
    assert_eq!(created.header("idempotency-key"), Some("k1"));
    assert_eq!(
        created.header("authorization"),
        Some("Bearer [redacted:access_token]")
    );
    assert_eq!(created.token, Some(1));
    assert_eq!(
        created.client_id.as_ref(),
        Some(&sandbox.credential().client_id)
    );
    assert_eq!(created.body, serde_json::to_string(&fixture).unwrap());
    assert_eq!(created.body_digest.len(), 64);
    let Answer::Answered {
        status: 201, body, ..
    } = &created.answer
    else {
        panic!("{created:?}")
    };
    assert!(body.contains("mark-1") && created.answer.header("x-request-id").is_some());
    assert_eq!(
        (entries[1].path.as_str(), entries[1].status()),
        ("/elsewhere", Some(404))
    );
    assert!(entries[1].seq > created.seq && entries[1].at >= created.at);
}

/// Drives every route that carries a secret, leaks each secret in each place, and searches
/// everything that came out.
#[tokio::test]
async fn no_secret_is_ever_in_the_record() {
    let (sandbox, client) = start(|b| b).await;
    let receiver = Receiver::answering(&[200]).await;
    let credential = sandbox.credential();
    let mut secrets = vec![
        credential.client_secret.expose_secret().to_owned(),
        client.token.clone(),
        sandbox.webhooks().secret().expose_secret().to_owned(),
        sandbox
            .webhooks()
            .rotate(std::time::Duration::from_secs(60))
            .expose_secret()
            .to_owned(),
        "dinie_cs_live_0fAn0therEnvir0nment".to_owned(),
    ];
    let created = body(send(client.post("/auth/credentials", &json!({ "name": "n" }))).await).await;
    secrets.push(created["client_secret"].as_str().unwrap().to_owned());
    let endpoint =
        body(send(client.post("/webhooks/endpoints", &json!({ "url": receiver.url }))).await).await;
    secrets.push(endpoint["secret"].as_str().unwrap().to_owned());
    let rotate = format!(
        "/webhooks/endpoints/{}/secret/rotate",
        endpoint["id"].as_str().unwrap()
    );
    let rotated = body(
        send(
            client
                .post(&rotate, &json!({}))
                .header("idempotency-key", "k"),
        )
        .await,
    )
    .await;
    secrets.push(rotated["secret"].as_str().unwrap().to_owned());
    send(
        client
            .post(&rotate, &json!({}))
            .header("idempotency-key", "k"),
    )
    .await;

    // Nothing about this one says what it is, but its place in a token request does.
    let token = format!("{}/auth/token", client.base);
    let form = "client_id=x&client_secret=hunter2-%22quoted%22%2B%2F%3D";
    let in_form = http()
        .post(&token)
        .header("content-type", "application/x-www-form-urlencoded");
    send(in_form.body(form)).await;
    send(
        http()
            .post(&token)
            .json(&json!({ "client_id": "x", "client_secret": "hunter2-plain" })),
    )
    .await;
    for secret in &secrets {
        let mut url = reqwest::Url::parse(&format!("{}/customers/{secret}", client.base)).unwrap();
        url.query_pairs_mut().append_pair("token", secret);
        let leak = client
            .http
            .post(url)
            .header("referer", format!("http://x/?s={secret}"))
            .header("x-debug", secret);
        send(
            leak.bearer_auth(secret)
                .json(&json!({ "deep": [secret], "cut": format!("{}{secret}", "x".repeat(4090)) })),
        )
        .await;
        send(
            http()
                .post(format!("{}/auth/token", client.base))
                .basic_auth("x", Some(secret)),
        )
        .await;
        send(
            http()
                .post(format!("{}/auth/token", client.base))
                .json(&json!({ "client_id": "x", "client_secret": secret })),
        )
        .await;
        let event = sandbox
            .webhooks()
            .event("loan.active", json!({ "leak": secret }));
        let leak = Delivery::of(event)
            .header("x-leak", secret)
            .header("authorization", format!("Bearer {secret}"));
        sandbox
            .webhooks()
            .deliver(&format!("{}?s={secret}", receiver.url), leak.clone())
            .await;
        // Nobody listens on port 1: an error that tells where it went tells the URL.
        sandbox
            .webhooks()
            .deliver(&format!("http://127.0.0.1:1/?s={secret}"), leak)
            .await;
    }
    let entries = sandbox.recorder().all();
    assert!(entries.len() > 4 * secrets.len());
    let text = format!(
        "{entries:?} {} {sandbox:?}",
        serde_json::to_string(&entries).unwrap()
    );
    assert!(!text.contains("hunter2"), "{text}");
    for secret in &secrets {
        let basic = STANDARD.encode(format!("{}:{secret}", credential.client_id));
        let bare = secret.rsplit('_').next().unwrap().to_owned();
        let percent = secret
            .replace('/', "%2F")
            .replace('+', "%2B")
            .replace('=', "%3D");
        for form in [secret.clone(), bare, basic, percent] {
            assert!(!text.contains(&form), "{form} in the record");
        }
    }
    for mark in [
        "[redacted:client_secret]",
        "[redacted:access_token]",
        "[redacted:webhook_secret]",
    ] {
        let in_url = entries.iter().any(|entry| entry.path.contains(mark));
        assert!(
            in_url && text.contains(mark),
            "a judge must see the leak: {mark}"
        );
    }
}
