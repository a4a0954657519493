//! The errors of reqwest at the top of five layers: whole, of their own type, at once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test fail it as the test itself does"
)]

use std::{net::SocketAddr, time::Duration};

use golive::auth_refresh::{
    AuthRefresh, Tokens,
    source::{Fetching, Token, TokenSource},
};
use golive::backoff::{Backoff, reqwest_class};
use golive::core::{CallHandle, Stack};
use golive::idempotency::IdempotencyKeys;
use golive::telemetry::Telemetry;
use golive::{ClientStack, Environment};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

struct Always;

impl TokenSource for Always {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(async { Token::new("t", tokio::time::Instant::now().into_std(), None) })
    }
}

/// Five of ours, each a layer of its own, or all as one stack, over a transport that is as short of
/// patience as these tests. The last is the paved road.
fn clients(address: SocketAddr) -> [ClientWithMiddleware; 3] {
    let meters = SdkMeterProvider::builder().build();
    let telemetry = Telemetry::builder().meter(&meters.meter("test"));
    let telemetry = telemetry.build().unwrap();
    let backoff = Backoff::builder().base(Duration::from_millis(1));
    let backoff = backoff.classify(reqwest_class).build().unwrap();
    let auth = AuthRefresh::new(Tokens::new(Always));
    let keys = IdempotencyKeys::new();
    let transport = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_millis(80))
        .build()
        .unwrap();

    let layers = ClientBuilder::new(transport.clone())
        .with(telemetry.call())
        .with(keys.clone())
        .with(backoff.clone())
        .with(auth.clone())
        .with(telemetry.attempt());
    let stack = Stack::new()
        .push(telemetry.call())
        .push(keys)
        .push(backoff.clone())
        .push(auth)
        .push(telemetry.attempt());
    let stack = ClientBuilder::new(transport.clone()).with(stack);
    let environment = format!("http://{address}/");
    let environment = Environment::custom(&environment).unwrap();
    let road = ClientStack::builder(environment, Tokens::new(Always));
    let road = road.backoff(backoff).telemetry(&telemetry).build().unwrap();
    let road = ClientBuilder::new(transport).with(road);
    [layers.build(), stack.build(), road.build()]
}

/// Three attempts, and what came of them.
async fn send(
    client: &ClientWithMiddleware,
    address: SocketAddr,
) -> Result<reqwest::Response, Error> {
    let handle = CallHandle::new();
    let request = client.post(format!("http://{address}/v3/loans"));
    let request = request.body("amount=12").with_extension(handle.clone());
    let result = request.send().await;
    assert_eq!(handle.call().attempts().len(), 3, "{result:?}");
    result
}

/// Answers like this, or not at all.
async fn server(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"amount=12") {
                connection.read_buf(&mut request).await.unwrap();
            }
            connection.write_all(answer.as_bytes()).await.unwrap();
            if answer.is_empty() {
                open.push(connection);
            }
        }
    });
    address
}

#[tokio::test]
async fn a_timeout_is_still_one() {
    let address = server("").await;
    for client in clients(address) {
        let error = send(&client, address).await.unwrap_err();
        assert!(error.is_timeout() && !error.is_connect());
        let Error::Reqwest(error) = error else {
            panic!("not as it came: {error:?}");
        };
        assert!(error.url().is_some_and(|url| url.path() == "/v3/loans"));
    }
}

#[tokio::test]
async fn a_connection_that_was_not_made_is_still_known() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    for client in clients(nobody) {
        let error = send(&client, nobody).await.unwrap_err();
        assert!(error.is_connect() && error.is_request() && !error.is_timeout());
        assert!(matches!(error, Error::Reqwest(_)), "not as it came");
    }
}

#[tokio::test]
async fn a_status_is_still_told() {
    let failed = "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbusy";
    let address = server(failed).await;
    for client in clients(address) {
        let response = send(&client, address).await.unwrap();
        assert_eq!(response.url().path(), "/v3/loans");
        let error = response.error_for_status_ref().unwrap_err();
        assert!(error.is_status());
        assert_eq!(Error::from(error).status().unwrap(), 503);
        assert_eq!(response.text().await.unwrap(), "busy");
    }
}
