//! The provider's protocol over real HTTP.

mod common;

use common::{body, header, send, start};
use golive_problem::Problem;
use golive_sandbox::{
    CustomerStatus, Dialect, RateLimit, Sandbox, StartError, cpf, customer_fixture,
};
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn a_token_is_issued_in_all_three_styles_under_both_base_paths() {
    let (sandbox, client) = start(|b| b).await;
    let credential = sandbox.credential();
    let (id, secret) = (
        &credential.client_id,
        credential.client_secret.expose_secret(),
    );
    for base in [client.base.clone(), client.base.replace("/v3", "/api/v3")] {
        let url = format!("{base}/auth/token");
        let form = "application/x-www-form-urlencoded";
        let basic = common::http()
            .post(&url)
            .basic_auth(id.replace('_', "%5F"), Some(secret))
            .header("content-type", form);
        let in_form =
            format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        for request in [
            basic.body("grant_type=client_credentials"),
            common::http()
                .post(&url)
                .header("content-type", form)
                .body(in_form),
            common::http()
                .post(&url)
                .json(&json!({ "client_id": id, "client_secret": secret })),
        ] {
            let answer = send(request).await;
            assert_eq!(answer.status(), 200);
            assert_eq!(
                header(&answer, "cache-control").as_deref(),
                Some("no-store")
            );
            let answer = body(answer).await;
            assert_eq!(
                (&answer["token_type"], &answer["expires_in"]),
                (&json!("bearer"), &json!(3600))
            );
            let token = answer["access_token"].as_str().unwrap();
            assert!(token.starts_with("dinie_at_"));
            assert_eq!(
                send(
                    common::http()
                        .get(format!("{base}/customers"))
                        .bearer_auth(token)
                )
                .await
                .status(),
                200
            );
        }
    }
    assert_eq!(sandbox.state().tokens_issued(), 7);
    let seen = sandbox.state().dialects_seen();
    assert_eq!((seen.docs, seen.sdk), (7, 6));
}

#[tokio::test]
async fn each_way_of_being_nobody_has_its_own_code() {
    let (sandbox, mut client) = start(|b| b).await;
    let code = async |request| {
        let answer = send(request).await;
        assert_eq!(answer.status(), 401);
        assert!(answer.headers().contains_key("www-authenticate"));
        body(answer).await["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        code(common::http().get(format!("{}/customers", client.base))).await,
        "missing_token"
    );
    sandbox.state().expire_tokens();
    assert_eq!(code(client.get("/customers")).await, "token_expired");
    client.token = "dinie_at_other".to_owned();
    assert_eq!(code(client.get("/customers")).await, "invalid_token");
    let wrong = common::http()
        .post(format!("{}/auth/token", client.base))
        .json(&json!({"client_id": "a", "client_secret": "b"}));
    assert_eq!(code(wrong).await, "invalid_client");
}

#[tokio::test]
async fn a_token_ends_when_its_lifetime_is_over() {
    let (_sandbox, client) = start(|b| b.token_lifetime(Duration::from_secs(1))).await;
    assert_eq!(send(client.get("/customers")).await.status(), 200);
    // The server's clock is real here, and a second is the shortest lifetime that can be set.
    tokio::time::sleep(Duration::from_millis(1050)).await;
    assert_eq!(
        body(send(client.get("/customers")).await).await["code"],
        "token_expired"
    );
}

#[tokio::test]
async fn rotation_is_create_deploy_watch_and_revoke() {
    let (_sandbox, client) = start(|b| b).await;
    let created = send(client.post("/auth/credentials", &json!({ "name": "new" }))).await;
    assert_eq!(created.status(), 201);
    let created = body(created).await;
    let token = |c: &Value| {
        common::http()
            .post(format!("{}/auth/token", client.base))
            .json(&json!({
                "client_id": c["client_id"], "client_secret": c["client_secret"]
            }))
    };
    let listed = async || {
        let list = body(send(client.get("/auth/credentials")).await).await;
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|c| c["client_id"] == created["client_id"])
            .unwrap()
            .clone()
    };
    assert_eq!(listed().await["last_used_at"], Value::Null);
    assert!(
        listed().await.get("client_secret").is_none(),
        "a secret is shown once"
    );
    let answer = send(token(&created)).await;
    assert_eq!(answer.status(), 200);
    let access = body(answer).await["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(listed().await["last_used_at"].is_string());

    let path = format!(
        "/auth/credentials/{}",
        created["client_id"].as_str().unwrap()
    );
    assert_eq!(
        send(client.request(Method::DELETE, &path)).await.status(),
        204
    );
    assert_eq!(listed().await["status"], "revoked");
    assert_eq!(
        send(token(&created)).await.status(),
        401,
        "immediate for new tokens"
    );
    let old = common::http()
        .get(format!("{}/customers", client.base))
        .bearer_auth(access);
    assert_eq!(send(old).await.status(), 200, "issued tokens live on");
    assert_eq!(
        send(client.request(Method::DELETE, "/auth/credentials/other"))
            .await
            .status(),
        404
    );
}

#[tokio::test]
async fn customers_are_listed_page_by_page_and_filtered() {
    let (_sandbox, client) = start(|b| b.customers(60)).await;
    let (mut seen, mut query) = (vec![], "?limit=25".to_owned());
    loop {
        let page = body(send(client.get(&format!("/customers{query}"))).await).await;
        let ids: Vec<_> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["id"].as_str().unwrap().to_owned())
            .collect();
        seen.extend(ids);
        if page["has_more"] == false {
            break;
        }
        query = format!("?limit=25&starting_after={}", seen.last().unwrap());
    }
    assert_eq!(seen.len(), 60);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 60, "nobody comes twice");

    let found = async |query: &str| {
        body(send(client.get(query)).await).await["data"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(found("/customers?status=pending_kyc").await, 15);
    assert_eq!(found("/customers?external_id=seed-7").await, 1);
    let cpf = customer_fixture("seed-7")["cpf"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(found(&format!("/customers?cpf={cpf}")).await, 1);
    assert_eq!(found("/customers?cpf=nonsense").await, 0);
    assert_eq!(send(client.get("/customers?limit=101")).await.status(), 422);
}

#[tokio::test]
async fn a_problem_document_says_everything() {
    let (_sandbox, client) = start(|b| b).await;
    let answer = send(client.post("/customers", &json!({ "cpf": "123", "email": "x" }))).await;
    assert_eq!(answer.status(), 422);
    assert_eq!(
        header(&answer, "content-type").as_deref(),
        Some("application/problem+json")
    );
    let id = header(&answer, "x-request-id").unwrap();
    let problem = body(answer).await;
    assert!(
        problem["type"]
            .as_str()
            .unwrap()
            .ends_with("/validation-failed")
    );
    assert_eq!(problem["status"], 422);
    assert_eq!(problem["instance"], "/v3/customers");
    assert_eq!(problem["request_id"], id);
    let params: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["param"].as_str().unwrap())
        .collect();
    assert_eq!(params, ["name", "cpf", "email"]);
    let read = Problem::from_json(
        http::StatusCode::UNPROCESSABLE_ENTITY,
        problem.to_string().as_bytes(),
    )
    .unwrap();
    assert_eq!(read.errors().len(), 3, "as our own client reads it");
    assert_eq!(read.request_id(), Some(id.as_str()));
    assert_eq!(send(client.get("/customers/none")).await.status(), 404);
    assert_eq!(send(client.get("/none")).await.status(), 404);
    assert_eq!(
        send(client.request(Method::PUT, "/customers"))
            .await
            .status(),
        405
    );
    assert_eq!(
        send(client.request(Method::POST, "/customers").body("{"))
            .await
            .status(),
        400
    );
    let huge = vec![b' '; 1024 * 1024 + 1];
    assert_eq!(
        send(client.request(Method::POST, "/customers").body(huge))
            .await
            .status(),
        413
    );
}

#[tokio::test]
async fn a_customer_is_created_found_changed_and_reviewed() {
    let (sandbox, client) = start(|b| b).await;
    let created = send(client.create("a")).await;
    assert_eq!(created.status(), 201);
    let created = body(created).await;
    assert_eq!(created["status"], "pending_kyc");
    let again = send(client.create("a")).await;
    assert_eq!(again.status(), 200, "same CPF and same external_id");
    assert_eq!(body(again).await["id"], created["id"]);
    let other = json!({ "name": "Ana", "cpf": created["cpf"], "external_id": "b" });
    let other = send(client.post("/customers", &other)).await;
    assert_eq!(other.status(), 409);
    assert_eq!(body(other).await["code"], "customer_already_exists");
    let taken = send(client.post(
        "/customers",
        &json!({ "name": "Bia", "cpf": cpf(5), "external_id": "a" }),
    ))
    .await;
    assert_eq!(body(taken).await["code"], "already_exists");

    let path = format!("/customers/{}", created["id"].as_str().unwrap());
    let patched = send(
        client
            .request(Method::PATCH, &path)
            .json(&json!({ "name": "Ana Maria" })),
    )
    .await;
    assert_eq!(
        body(patched).await["email"],
        created["email"],
        "what is not named stays"
    );
    let document = send(client.post(&format!("{path}/documents"), &json!({ "type": "rg" }))).await;
    assert_eq!(document.status(), 201);
    let now = body(send(client.get(&path)).await).await;
    assert_eq!(
        (&now["status"], &now["name"]),
        (&json!("under_review"), &json!("Ana Maria"))
    );
    assert_eq!(sandbox.state().customers_with_external_id("a"), 1);
}

#[tokio::test]
async fn a_loan_needs_an_active_customer_and_accepts_its_offer_once() {
    let (sandbox, client) = start(|b| b).await;
    let customer = sandbox
        .state()
        .seed_customer("a", CustomerStatus::Active)
        .unwrap();
    let id = customer["id"].as_str().unwrap();
    let offers = body(send(client.get(&format!("/credit-offers?customer_id={id}"))).await).await;
    let offer = offers["data"][0]["id"].as_str().unwrap().to_owned();
    let simulate = async |amount: Value| {
        let asked = json!({ "amount": amount, "installments": 3 });
        send(client.post(&format!("/credit-offers/{offer}/simulations"), &asked)).await
    };
    let low = body(simulate(json!("1.00")).await).await;
    assert_eq!(low["errors"][0]["code"], "amount_out_of_range");
    let simulation = body(simulate(json!(1000)).await).await;
    assert_eq!(simulation["total_amount"], "1075.00");

    let order = json!({ "simulation_id": simulation["id"], "customer_id": id });
    sandbox
        .state()
        .set_customer_status(id, CustomerStatus::UnderReview);
    assert_eq!(
        body(send(client.post("/loans", &order)).await).await["code"],
        "kyc_incomplete"
    );
    sandbox
        .state()
        .seed_customer("a", CustomerStatus::Active)
        .unwrap();
    let mismatch = json!({ "simulation_id": simulation["id"], "customer_id": "cus_other" });
    assert_eq!(
        body(send(client.post("/loans", &mismatch)).await).await["code"],
        "simulation_mismatch"
    );
    let loan = send(client.post("/loans", &order)).await;
    assert_eq!(loan.status(), 201);
    let loan = body(loan).await;
    assert_eq!(
        (&loan["status"], &loan["external_id"]),
        (&json!("awaiting_signatures"), &json!("a"))
    );
    assert_eq!(
        body(send(client.post("/loans", &order)).await).await["code"],
        "offer_already_accepted"
    );
    assert_eq!(sandbox.state().loans(), 1);
    let listed = body(send(client.get("/loans?status=awaiting_signatures")).await).await;
    assert_eq!(listed["data"][0]["id"], loan["id"]);
}

#[tokio::test]
async fn the_answer_is_written_as_the_request_asks_or_as_the_dialect_says() {
    let (_sandbox, mut client) = start(|b| b.customers(1)).await;
    let first = async |client: &common::Client| {
        let answer = send(client.get("/customers")).await;
        let reset: u64 = header(&answer, "x-ratelimit-reset")
            .unwrap()
            .parse()
            .unwrap();
        (body(answer).await["data"][0]["created_at"].clone(), reset)
    };
    let (date, reset) = first(&client).await;
    assert!(date.is_string() && reset > 1_000_000_000);
    client.base = client.base.replace("/v3", "/api/v3");
    let (date, reset) = first(&client).await;
    assert!(date.is_i64() && reset <= 60);
    let (_sandbox, mut client) = start(|b| b.customers(1).dialect(Dialect::Docs)).await;
    client.base = client.base.replace("/v3", "/api/v3");
    assert!(first(&client).await.0.is_string());
}

#[tokio::test]
async fn the_limit_is_told_on_every_answer_and_enforced_without_a_retry_after() {
    let (_sandbox, client) = start(|b| {
        b.rate_limit(RateLimit {
            limit: 4,
            window: Duration::from_secs(2),
        })
    })
    .await;
    let mut statuses = vec![];
    let mut reset = 0;
    for _ in 0..5 {
        let answer = send(client.get("/customers/none")).await;
        reset = header(&answer, "x-ratelimit-reset")
            .unwrap()
            .parse::<u64>()
            .unwrap();
        assert_eq!(header(&answer, "x-ratelimit-limit").as_deref(), Some("4"));
        assert_eq!(header(&answer, "retry-after"), None);
        statuses.push((
            answer.status().as_u16(),
            header(&answer, "x-ratelimit-remaining").unwrap(),
        ));
    }
    // The token request was the first of the four.
    let told = |status, remaining: &str| (status, remaining.to_owned());
    assert_eq!(
        statuses,
        [
            told(404, "2"),
            told(404, "1"),
            told(404, "0"),
            told(429, "0"),
            told(429, "0")
        ]
    );
    // What the header promises holds: from that second on there is room again.
    #[allow(
        clippy::disallowed_methods,
        reason = "the header is an epoch, so the test needs the wall clock"
    )]
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    tokio::time::sleep(Duration::from_secs(reset).saturating_sub(now)).await;
    assert_eq!(send(client.get("/customers")).await.status(), 200);
}

#[tokio::test]
async fn the_same_seed_is_the_same_provider() {
    let mut runs = vec![];
    for seed in [7, 7, 8] {
        let (sandbox, client) = start(|b| b.seed(seed).customers(2)).await;
        let id = body(send(client.create("a")).await).await["id"].clone();
        let secret = sandbox.webhooks().secret().expose_secret().to_owned();
        let client_secret = sandbox
            .credential()
            .client_secret
            .expose_secret()
            .to_owned();
        runs.push((id, secret, client_secret, client.token));
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0].1, runs[2].1);
    assert_ne!(runs[0].2, runs[2].2);
}

#[tokio::test]
async fn it_listens_on_loopback_or_not_at_all() {
    let outside = "0.0.0.0:0".parse().unwrap();
    for builder in [
        Sandbox::builder().bind(outside),
        Sandbox::builder().admin(Some(outside)),
    ] {
        let error = builder.start().await.unwrap_err();
        assert!(
            matches!(error, StartError::NotLoopback(addr) if addr == outside),
            "{error}"
        );
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error = Sandbox::builder()
        .bind(taken.local_addr().unwrap())
        .start()
        .await
        .unwrap_err();
    assert!(matches!(error, StartError::Bind { .. }));
    let error = Sandbox::builder()
        .rate_limit(RateLimit {
            limit: 0,
            window: Duration::from_secs(1),
        })
        .start()
        .await;
    assert!(matches!(error.unwrap_err(), StartError::Config(_)));
}

#[tokio::test]
async fn after_shutdown_nobody_listens() {
    let (sandbox, client) = start(|b| b).await;
    sandbox.shutdown().await;
    assert!(
        client
            .get("/customers")
            .send()
            .await
            .unwrap_err()
            .is_connect()
    );
}
