//! Allocations and copies of a call that succeeds at once, counted exactly. In a program of its own,
//! because counting them makes each one slower.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "this is a program, and one that fails should say so"
)]

use std::{
    convert::Infallible,
    hint::black_box,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
};

use allocation_counter::measure;
use bytes::Bytes;
use futures_util::FutureExt as _;
use golive_backoff::Backoff;
use golive_core::tower::Layer as _;
use golive_gates::{Gate, Spread};
use golive_rivals::retries::{
    idle::{self, Kind, NoOp},
    reqwest_face::{self, exponential},
    tower_face::Careful,
};
use http_body_util::Full;
use reqwest_middleware::ClientWithMiddleware;
use reqwest_retry::RetryTransientMiddleware;
use tower::{
    Service,
    retry::{Retry, budget::TpsBudget},
};

fn main() {
    golive_gates::run(&[("allocations", allocations), ("copies", copies)]);
}

fn allocations() -> Vec<Gate> {
    let kinds = [(Kind::Put, "PUT"), (Kind::KeyedPost, "POST with a key")];
    kinds.into_iter().flat_map(of_kind).collect()
}

fn of_kind((kind, said): (Kind, &str)) -> [Gate; 2] {
    let careful = Careful::new(Some(Arc::new(TpsBudget::default())));
    let tower = [
        by_service(kind, Retry::new(careful, NoOp)),
        by_service(kind, Backoff::new().layer(NoOp)),
    ];
    let rival = RetryTransientMiddleware::new_with_policy(exponential());
    // reqwest-middleware and the far end allocate as well, whoever stands between them.
    let idle = by_client(kind, &reqwest_face::idle(|client| client));
    let reqwest = [
        by_client(kind, &reqwest_face::idle(|client| client.with(rival))),
        by_client(
            kind,
            &reqwest_face::idle(|client| client.with(Backoff::new())),
        ),
    ];
    let gate = |goal, face: &str, rival: &str, [theirs, ours]: [u32; 2]| {
        let name = format!("allocations, {face} face, {said}");
        Gate::at_most(goal, "allocations", name, Spread::exactly(ours))
            .noted(format!("{rival}: {theirs}"))
    };
    [
        gate(2.0, "tower", "tower::retry", tower),
        gate(
            5.0,
            "reqwest",
            "reqwest-retry",
            reqwest.map(|count| count - idle),
        ),
    ]
}

/// Of the body of a request that is not sent again, whatever comes back.
fn copies() -> Vec<Gate> {
    let once = { Backoff::builder() }.attempts(1).build();
    let once = once.expect("valid settings");
    let count = |service: &mut dyn FnMut(http::Request<Counted>)| {
        let copies = Arc::new(AtomicU32::new(0));
        service(idle::with_body(
            Kind::KeyedPost,
            Counted {
                inner: Full::from("{\"amount\":12}"),
                copies: Arc::clone(&copies),
            },
        ));
        copies.load(Ordering::Relaxed)
    };
    let [once, careful] = [
        count(&mut |request| {
            let answer = once.layer(NoOp).call(request).now_or_never();
            assert!(answer.is_some_and(|answer| answer.is_ok()));
        }),
        count(&mut |request| {
            let careful = Careful::new(None);
            let answer = Retry::new(careful, NoOp).call(request).now_or_never();
            assert!(answer.is_some_and(|answer| answer.is_ok()));
        }),
    ];
    let copies = Spread::exactly(once);
    vec![
        Gate::at_most(
            0.0,
            "copies",
            "body of a request that may not be retried",
            copies,
        )
        .noted(format!("tower::retry: {careful}")),
    ]
}

fn by_service<S: Service<http::Request<Full<Bytes>>>>(kind: Kind, mut service: S) -> u32 {
    counted(
        || idle::request(kind),
        |request| {
            let answer = service.call(request).now_or_never();
            assert!(answer.is_some_and(|answer| black_box(answer).is_ok()));
        },
    )
}

fn by_client(kind: Kind, client: &ClientWithMiddleware) -> u32 {
    counted(
        || idle::reqwest_request(kind),
        |request| {
            let answer = client.execute(request).now_or_never();
            assert!(answer.is_some_and(|answer| black_box(answer).is_ok()));
        },
    )
}

/// Allocations of a call, and not of the first, which sets up what all to come use.
fn counted<R>(request: impl Fn() -> R, mut call: impl FnMut(R)) -> u32 {
    call(request());
    let request = request();
    let counted = measure(|| call(request));
    u32::try_from(counted.count_total).expect("few")
}

/// A body that counts its copies.
struct Counted {
    inner: Full<Bytes>,
    copies: Arc<AtomicU32>,
}

// === impl Counted ===

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.copies.fetch_add(1, Ordering::Relaxed);
        Self {
            inner: self.inner.clone(),
            copies: Arc::clone(&self.copies),
        }
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }
}
