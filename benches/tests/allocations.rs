//! Allocations, counted exactly. Time is measured by the benchmarks; this cannot flicker.

use std::sync::Arc;

use allocation_counter::measure;
use futures_util::FutureExt;
use golive_backoff::Backoff;
use golive_benches::{reqwest_face, tower_face};
use golive_core::Stack;
use reqwest_middleware::{ClientWithMiddleware, Middleware};
use tower::Layer;
use tower_service::Service;

fn tower<S>(mut service: S) -> u64
where
    S: Service<tower_face::Request, Error: std::fmt::Debug>,
{
    let request = tower_face::request();
    let mut answered = false;
    let info = measure(|| {
        answered = service
            .call(request)
            .now_or_never()
            .is_some_and(|r| r.is_ok());
    });
    assert!(answered);
    info.count_total
}

fn reqwest(client: &ClientWithMiddleware) -> u64 {
    let request = reqwest_face::request();
    let mut answered = false;
    let info = measure(|| {
        answered = client
            .execute(request)
            .now_or_never()
            .is_some_and(|r| r.is_ok());
    });
    assert!(answered);
    info.count_total
}

#[test]
fn a_stack_costs_one_allocation_in_tower_however_high_it_is() {
    assert_eq!(tower(tower_face::NoOp), 0);
    assert_eq!(tower(tower_face::stack_1()), 1);
    assert_eq!(tower(tower_face::stack_3()), 1);
    assert_eq!(tower(tower_face::stack_5()), 1);
}

#[test]
fn layers_of_their_own_cost_one_allocation_each_in_tower() {
    assert_eq!(tower(tower_face::layers_3()), 3);
    assert_eq!(tower(tower_face::layers_5()), 5);
}

#[test]
fn a_stack_adds_one_allocation_in_reqwest_however_high_it_is() {
    let bare = reqwest(&reqwest_face::bare());
    assert_eq!(reqwest(&reqwest_face::stack_1()) - bare, 1);
    assert_eq!(reqwest(&reqwest_face::stack_3()) - bare, 1);
    assert_eq!(reqwest(&reqwest_face::stack_5()) - bare, 1);
    assert_eq!(reqwest(&reqwest_face::layers_5()) - bare, 5);
}

/// Each of them may have to send it again, and no more than one copy is made for that.
#[test]
fn those_who_keep_the_same_request_share_one_copy() {
    let once = Stack::new().push(Backoff::new());
    let thrice = once.clone().push(Backoff::new()).push(Backoff::new());
    let client =
        |stack: Arc<dyn Middleware>| reqwest_face::client(|builder| builder.with_arc(stack));
    let [one, three] = [
        reqwest(&client(Arc::new(once.clone()))),
        reqwest(&client(Arc::new(thrice.clone()))),
    ];
    assert!(one > reqwest(&reqwest_face::stack_1()), "it keeps one");
    assert_eq!(one, three);
    let [one, three] = [
        tower(once.layer(tower_face::NoOp)),
        tower(thrice.layer(tower_face::NoOp)),
    ];
    assert!(one > tower(tower_face::stack_1()), "it keeps one");
    assert_eq!(one, three);
}

#[test]
fn a_stack_allocates_less_than_the_rivals() {
    let ours = reqwest(&reqwest_face::stack_5());
    assert!(ours < reqwest(&reqwest_face::reqwest_retry()));
    assert!(tower(tower_face::stack_5()) < tower(tower_face::tower_retry_clone_budget()));
}

/// The future of one call is what a call in flight costs. The request stays in one place, so that a
/// middleware adds its own state and no request.
#[test]
fn the_future_of_a_stack_stays_small() {
    let size = |levels: usize| match levels {
        1 => tower_face::stack_1().call(tower_face::request()).size(),
        _ => tower_face::stack_5().call(tower_face::request()).size(),
    };
    let request = size_of::<tower_face::Request>();
    let each = (size(5) - size(1)) / 4;
    println!(
        "request {request}, stack of 1 {}, of 5 {}, each more {each}",
        size(1),
        size(5)
    );
    assert!(each < request / 2, "{each} for a request of {request}");
    assert!(size(5) < 4 * request, "{} in all", size(5));
}
