//! Allocations, counted exactly. Time is measured by the benchmarks; this cannot flicker.

use std::{sync::Arc, time::Duration};

use allocation_counter::measure;
use futures_util::FutureExt;
use golive_backoff::{
    Backoff,
    limits::{Answer, Limits, Scope},
};
use golive_benches::{reqwest_face, tower_face};
use golive_core::{Stack, quota::Quota};
use http::StatusCode;
use reqwest_middleware::{ClientWithMiddleware, Middleware};
use tokio::time::Instant;
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

/// Of the second call: the first to a server sets up what all calls to it share.
fn settled(count: impl Fn() -> u64) -> u64 {
    count();
    count()
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
        client(Arc::new(once.clone())),
        client(Arc::new(thrice.clone())),
    ]
    .map(|client| settled(|| reqwest(&client)));
    assert!(one > reqwest(&reqwest_face::stack_1()), "it keeps one");
    assert_eq!(one, three);
    let [one, three] = [
        settled(|| tower(once.layer(tower_face::NoOp))),
        settled(|| tower(thrice.layer(tower_face::NoOp))),
    ];
    assert!(one > tower(tower_face::stack_1()), "it keeps one");
    assert_eq!(one, three);
}

/// A retry with all that it keeps: a copy of the request, and what its calls share.
/// `cargo xtask bench backoff` measures its time.
#[test]
fn a_retry_that_was_not_needed_costs_few_allocations() {
    let backoff = Backoff::new();
    // The future, and the headers of the copy.
    assert!(settled(|| tower(backoff.layer(tower_face::NoOp))) <= 2);
    let bare = reqwest(&reqwest_face::bare());
    let client = reqwest_face::client(|builder| builder.with(backoff));
    // Those two, the URL, and three that reqwest makes for the timeout of its copy, be there one or
    // not.
    assert!(settled(|| reqwest(&client)) - bare <= 6);
}

#[test]
fn a_stack_allocates_less_than_the_rivals() {
    let ours = reqwest(&reqwest_face::stack_5());
    assert!(ours < reqwest(&reqwest_face::reqwest_retry()));
    assert!(tower(tower_face::stack_5()) < tower(tower_face::tower_retry_clone_budget()));
}

/// A scope whose server has told how much is left of a quota.
fn paced(limits: &Limits, left: u64, resets: Duration) -> Arc<Scope> {
    let scope = limits.scope(&tower_face::request(), Instant::now());
    let mut quota = Quota::default();
    quota.limit = Some(1000);
    quota.remaining = Some(left);
    quota.reset = Some(resets);
    let now = Instant::now();
    let quotas = [quota];
    let told = Answer::new(StatusCode::OK).quotas(&quotas);
    let turn = scope.try_turn(now).map(|turn| turn.answered(now, &told));
    assert!(turn.is_some(), "nothing is known yet");
    scope
}

#[test]
fn what_calls_share_costs_no_allocation() {
    let limits = Limits::new();
    let scope = paced(&limits, 999, Duration::from_secs(3600));
    let (request, now) = (tower_face::request(), Instant::now());
    let mut quotas = [Quota::default()];
    quotas[0].remaining = Some(990);
    quotas[0].reset = Some(Duration::from_secs(3600));
    let of = |work: &mut dyn FnMut()| measure(work).count_total;

    assert_eq!(of(&mut || drop(limits.scope(&request, now))), 0, "look-up");
    let turn = || scope.try_turn(now).expect("there is enough left");
    assert_eq!(of(&mut || drop(turn())), 0, "a turn");
    let plain = Answer::new(StatusCode::OK);
    let told = plain.quotas(&quotas);
    assert_eq!(of(&mut || turn().answered(now, &plain)), 0, "an answer");
    assert_eq!(
        of(&mut || turn().answered(now, &told)),
        0,
        "that tells of a quota"
    );
    assert_eq!(of(&mut || drop(scope.withdraw(now))), 0, "a token");
    assert_eq!(of(&mut || scope.called()), 0, "a payment");
}

#[test]
fn nor_does_the_wait_for_a_turn() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let limits = Limits::new();
    let scope = paced(&limits, 0, Duration::from_millis(20));
    // What the runtime and the timer need for themselves the first time.
    runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
    let begun = Instant::now();
    let latest = begun + Duration::from_secs(60);
    assert!(scope.try_turn(begun).is_none(), "nothing is left");
    let info = measure(|| {
        runtime.block_on(async {
            let turn = async || drop(scope.turn(begun, latest, 0).await.expect("it is in time"));
            // One looks at the clock, and the other stands behind it in the queue.
            tokio::join!(turn(), turn());
        });
    });
    assert_eq!(info.count_total, 0);
    assert!(
        begun.elapsed() >= Duration::from_millis(10),
        "they have waited"
    );
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
    // With a place for a copy, which is smaller than the request.
    assert!(size(5) < 5 * request, "{} in all", size(5));
}
