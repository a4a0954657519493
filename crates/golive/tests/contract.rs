//! The whole stack keeps what every middleware keeps, in both faces.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test fail it as the test itself does"
)]

use std::time::Duration;

use golive::auth_refresh::{
    Tokens,
    source::{Fetching, Token, TokenSource},
};
use golive::{ClientStack, Environment};
use golive_testkit::contract;

struct Always;

impl TokenSource for Always {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(async { Token::new("t", tokio::time::Instant::now().into_std(), None) })
    }
}

fn stack() -> ClientStack {
    // What the probes call.
    let environment = Environment::danger_custom_over_plain_http("http://probe.test/v3").unwrap();
    ClientStack::builder(environment, Tokens::new(Always))
        .deadline(Duration::from_secs(600))
        .build()
        .unwrap()
}

contract!(stack());
