//! A call that succeeds at once, over a far end that does nothing: ours with all that it does by
//! default, and the rival with what a careful user gives it.

use std::{future::poll_fn, hint::black_box, sync::Arc};

use futures_util::FutureExt as _;
use golive_backoff::Backoff;
use golive_core::tower::Layer as _;
use golive_gates::{Gate, Spread, nanoseconds};
use golive_rivals::retries::{
    idle::{self, Kind, NoOp},
    reqwest_face::{self, exponential},
    tower_face::Careful,
};
use reqwest_middleware::ClientWithMiddleware;
use reqwest_retry::RetryTransientMiddleware;
use tower::{
    Service,
    retry::{Retry, budget::TpsBudget},
};

use crate::turns::{Work, measure};

/// Calls in a turn.
const CALLS: u32 = 64;
const ROUNDS: usize = 1001;

const KINDS: [(Kind, &str); 2] = [(Kind::Put, "PUT"), (Kind::KeyedPost, "POST with a key")];

pub(crate) fn tower() -> Vec<Gate> {
    KINDS.map(by_tower).into()
}

pub(crate) fn reqwest() -> Vec<Gate> {
    KINDS.map(by_reqwest).into()
}

fn by_tower((kind, said): (Kind, &str)) -> Gate {
    let careful = Careful::new(Some(Arc::new(TpsBudget::default())));
    let works = [
        Work::new("no-op", by_service(kind, NoOp)),
        Work::new("ours", by_service(kind, Backoff::new().layer(NoOp))),
        Work::new("tower::retry", by_service(kind, Retry::new(careful, NoOp))),
    ];
    let name = format!("tower face, {said}, to tower::retry with clone and TpsBudget");
    compare(works, name, 1.0)
}

fn by_reqwest((kind, said): (Kind, &str)) -> Gate {
    let rival = || RetryTransientMiddleware::new_with_policy(exponential());
    let works = [
        Work::new(
            "no-op",
            by_client(kind, reqwest_face::idle(|client| client)),
        ),
        Work::new(
            "ours",
            by_client(
                kind,
                reqwest_face::idle(|client| client.with(Backoff::new())),
            ),
        ),
        Work::new(
            "reqwest-retry",
            by_client(kind, reqwest_face::idle(|client| client.with(rival()))),
        ),
    ];
    compare(
        works,
        format!("reqwest face, {said}, to reqwest-retry"),
        0.8,
    )
}

/// Of the whole calls, the far end included: what it takes counts against whoever is faster.
fn compare(mut works: [Work; 3], name: String, goal: f64) -> Gate {
    let times = measure(ROUNDS, &mut works);
    let [idle, ours, rival] = [0, 1, 2].map(|at| Spread::undisturbed(&times[at]));
    for (work, time) in works.iter().zip([idle, ours, rival]) {
        println!("    {:<26} {time} ns", work.name);
    }
    let over = |of: Spread| of.median - idle.median;
    Gate::at_most(goal, "times", name, Spread::of_ratio(&times[1], &times[2])).noted(format!(
        "over the no-op of {:.0} ns: {:.0} to {:.0} ns",
        idle.median,
        over(ours),
        over(rival)
    ))
}

fn by_service<S>(kind: Kind, mut service: S) -> impl FnMut() -> f64
where
    S: Service<http::Request<http_body_util::Full<bytes::Bytes>>>,
{
    let request = idle::request(kind);
    move || {
        let requests: Vec<_> = (0..CALLS).map(|_| request.clone()).collect();
        let mut answered = 0;
        let took = nanoseconds(|| {
            for request in requests {
                let ready = poll_fn(|cx| service.poll_ready(cx)).now_or_never();
                assert!(ready.is_some_and(|ready| ready.is_ok()));
                let answer = service.call(black_box(request)).now_or_never();
                answered += u32::from(answer.is_some_and(|answer| black_box(answer).is_ok()));
            }
        });
        assert_eq!(answered, CALLS, "at once, and with success");
        took / f64::from(CALLS)
    }
}

fn by_client(kind: Kind, client: ClientWithMiddleware) -> impl FnMut() -> f64 {
    move || {
        let requests: Vec<_> = (0..CALLS).map(|_| idle::reqwest_request(kind)).collect();
        let mut answered = 0;
        let took = nanoseconds(|| {
            for request in requests {
                let answer = client.execute(black_box(request)).now_or_never();
                answered += u32::from(answer.is_some_and(|answer| black_box(answer).is_ok()));
            }
        });
        assert_eq!(answered, CALLS, "at once, and with success");
        took / f64::from(CALLS)
    }
}
