//! What the client adds to a request that succeeds, over reqwest alone: to a server on loopback, with
//! kept connections and without TLS, the shortest way that a request can have.
//!
//! The token is there already, and both sides have the same transport. The client is measured as it
//! is built by default, and with its calls and attempts recorded into the SDK's meter.

use std::time::Duration;

use golive::{Client, Environment, auth_refresh::client_credentials::Credentials};
use golive_benches::{loopback::Provider, telemetry};
use golive_gates::{Gate, Spread, in_turns};
use golive_telemetry::Telemetry;
use opentelemetry::metrics::MeterProvider;
use reqwest::redirect::Policy;
use tokio::{runtime::Runtime, time::Instant};

const ROUNDS: usize = 201;
const REQUESTS: usize = 50;
const BODY: &str =
    r#"{"name":"Ana Souza","cpf":"529.982.247-25","email":"ana@example.com","external_id":"c-1"}"#;

pub(crate) fn gates() -> Vec<Gate> {
    let provider = Provider::start().expect("a server on loopback");
    let runtime = { tokio::runtime::Builder::new_current_thread() }
        .enable_all()
        .build()
        .expect("a runtime");
    let meters = telemetry::meters();
    let telemetry = Telemetry::builder()
        .meter(&meters.meter("bench"))
        .route("/v3/customers")
        .route(telemetry::ROUTE);
    let telemetry = telemetry.build().expect("it records");

    let bare = Bare::new(&provider);
    let plain = client(&provider, None);
    let metered = client(&provider, Some(&telemetry));
    let [get, plain_get, metered_get, post, plain_post, metered_post] =
        in_turns(ROUNDS, |contestant| match contestant {
            0 => a_request(&runtime, async || bare.get().await),
            1 => a_request(&runtime, async || plain.get().await),
            2 => a_request(&runtime, async || metered.get().await),
            3 => a_request(&runtime, async || bare.post().await),
            4 => a_request(&runtime, async || plain.post().await),
            _ => a_request(&runtime, async || metered.post().await),
        });

    for (name, bare, plain, metered) in [
        ("GET", &get, &plain_get, &metered_get),
        ("POST", &post, &plain_post, &metered_post),
    ] {
        let [bare, plain, metered] =
            [bare, plain, metered].map(|times| Spread::of(times.iter().copied()));
        println!("  {name}, in µs: {bare} bare, {plain} by the client, {metered} with a meter");
    }
    let added = |gate, bare: &[f64], whole: &[f64]| {
        let rounds = bare.iter().zip(whole);
        let added = rounds.map(|(bare, whole)| (whole / bare - 1.0) * 100.0);
        Gate::at_most(5.0, "%", gate, Spread::of(added))
    };
    vec![
        added("client over bare reqwest, GET", &get, &plain_get),
        added("client over bare reqwest, POST", &post, &plain_post),
        added(
            "client with a meter over bare reqwest, GET",
            &get,
            &metered_get,
        ),
        added(
            "client with a meter over bare reqwest, POST",
            &post,
            &metered_post,
        ),
    ]
}

/// Microseconds of one request, its body read to the end: the median of some in a row, so that one
/// which was interrupted does not count.
fn a_request(runtime: &Runtime, request: impl AsyncFn() -> reqwest::Response) -> f64 {
    runtime.block_on(async {
        let mut took = Vec::with_capacity(REQUESTS);
        for _ in 0..REQUESTS {
            let begun = Instant::now();
            let response = request().await;
            assert!(response.status().is_success());
            let body = response.bytes().await.expect("a body");
            took.push(begun.elapsed().as_secs_f64() * 1e6);
            assert!(!body.is_empty());
        }
        Spread::of(took).median
    })
}

/// The client as a user builds it.
fn client(provider: &Provider, telemetry: Option<&Telemetry>) -> Golive {
    let environment = Environment::custom(&format!("{}/v3", provider.url()));
    let credentials = Credentials::new("ci_1", "cs_1".to_owned()).expect("credentials");
    let builder = Client::builder(environment.expect("an environment"), credentials);
    let builder = match telemetry {
        Some(telemetry) => builder.telemetry(telemetry),
        None => builder,
    };
    Golive(builder.transport(transport()).build().expect("a client"))
}

/// As the client has it by default.
fn transport() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(20))
}

/// reqwest alone.
struct Bare {
    http: reqwest::Client,
    url: String,
}

/// reqwest with everything in between.
struct Golive(Client);

// === impl Bare ===

impl Bare {
    fn new(provider: &Provider) -> Self {
        Self {
            http: transport().build().expect("a client without TLS"),
            url: format!("{}/v3", provider.url()),
        }
    }

    async fn get(&self) -> reqwest::Response {
        let sent = self.http.get(format!("{}/customers/cus_1", self.url));
        sent.send().await.expect("an answer")
    }

    async fn post(&self) -> reqwest::Response {
        let request = self.http.post(format!("{}/customers", self.url));
        let request = request.header("content-type", "application/json");
        request.body(BODY).send().await.expect("an answer")
    }
}

// === impl Golive ===

impl Golive {
    async fn get(&self) -> reqwest::Response {
        let sent = self.0.get("/customers/cus_1");
        sent.send().await.expect("an answer")
    }

    async fn post(&self) -> reqwest::Response {
        let request = self.0.post("/customers");
        let request = request.header("content-type", "application/json");
        request.body(BODY).send().await.expect("an answer")
    }
}
