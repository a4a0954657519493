//! A client without any cleverness: what it sends is what the test says.
// Helpers of tests may panic: that is how a test fails. Not every test file uses every one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    unreachable_pub
)]

use std::sync::{Arc, Mutex};

use golive_sandbox::{Builder, Sandbox};
use reqwest::{Method, RequestBuilder, Response};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

pub async fn start(configure: impl FnOnce(Builder) -> Builder) -> (Sandbox, Client) {
    let sandbox = configure(Sandbox::builder()).start().await.unwrap();
    let client = Client::of(&sandbox).await;
    (sandbox, client)
}

#[derive(Clone)]
pub struct Client {
    pub http: reqwest::Client,
    pub base: String,
    pub token: String,
}

impl Client {
    pub async fn of(sandbox: &Sandbox) -> Self {
        let http = http();
        let base = sandbox.base_url().to_owned();
        let credential = sandbox.credential();
        let answer = http
            .post(format!("{base}/auth/token"))
            .basic_auth(
                &credential.client_id,
                Some(credential.client_secret.expose_secret()),
            )
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        let token = body(answer).await["access_token"]
            .as_str()
            .unwrap()
            .to_owned();
        Self { http, base, token }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.request(Method::POST, path).json(body)
    }

    pub fn create(&self, external_id: &str) -> RequestBuilder {
        self.post("/customers", &golive_sandbox::customer_fixture(external_id))
    }
}

pub fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub async fn send(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

pub async fn body(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

pub fn header(response: &Response, name: &str) -> Option<String> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap().to_owned())
}

/// A webhook receiver that keeps what it got and answers what it was told, the last one for ever.
pub struct Receiver {
    pub url: String,
    pub got: Arc<Mutex<Vec<(http::HeaderMap, bytes::Bytes)>>>,
}

impl Receiver {
    pub async fn answering(statuses: &[u16]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let (seen, statuses) = (Arc::clone(&got), statuses.to_vec());
        let handler = move |headers: http::HeaderMap, body: bytes::Bytes| async move {
            let mut seen = seen.lock().unwrap();
            let status = statuses
                .get(seen.len())
                .or(statuses.last())
                .copied()
                .unwrap();
            seen.push((headers, body));
            (
                http::StatusCode::from_u16(status).unwrap(),
                json!({ "ok": true }).to_string(),
            )
        };
        let app = axum::Router::new().fallback(axum::routing::post(handler));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, got }
    }

    pub fn seen(&self) -> Vec<(http::HeaderMap, bytes::Bytes)> {
        self.got.lock().unwrap().clone()
    }
}
