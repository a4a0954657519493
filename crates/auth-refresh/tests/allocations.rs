//! What the fast path costs.
#![allow(clippy::unwrap_used, reason = "what fails here is a test that fails")]

mod common;

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use common::Counter;
use golive_auth_refresh::Tokens;

#[tokio::test(start_paused = true)]
async fn a_fresh_token_costs_no_allocation() {
    let tokens = Tokens::new(Counter::default());
    // The first ones fetch it, record the thread, and share the bytes of the header.
    for _ in 0..2 {
        tokens.authorization().await.unwrap();
    }
    let counted = allocation_counter::measure(|| {
        for _ in 0..100 {
            let call = pin!(tokens.authorization());
            let polled = call.poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Ready(Ok(_))));
        }
    });
    assert_eq!(counted.count_total, 0);
}
