//! What a turn waits for, on a clock that stands still unless somebody waits.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: what fails there is a test that fails"
)]

use std::{
    hash::Hash,
    sync::{Arc, Mutex},
    time::Duration,
};

use golive_backoff::{
    ConfigError,
    limits::{Answer, Budget, Limits, LimitsBuilder, Scope, Turn, WouldWait},
};
use golive_core::quota::Quota;
use http::StatusCode;
use proptest::prelude::*;
use tokio::{
    task::JoinHandle,
    time::{Instant, advance, sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// When each caller had its turn, in that order.
#[derive(Clone, Default)]
struct Order(Arc<Mutex<Vec<(usize, Duration)>>>);

impl Order {
    fn seen(&self) -> Vec<(usize, Duration)> {
        self.0.lock().unwrap().clone()
    }

    fn who(&self) -> Vec<usize> {
        self.seen().into_iter().map(|(who, _)| who).collect()
    }

    fn when(&self) -> Vec<Duration> {
        self.seen().into_iter().map(|(_, when)| when).collect()
    }
}

fn limits() -> LimitsBuilder {
    Limits::builder()
}

fn scope(limits: LimitsBuilder) -> Arc<Scope> {
    let limits = limits.build().unwrap();
    scope_at(&limits, "https://api.example.com/v1/things")
}

fn scope_at(limits: &Limits, uri: &str) -> Arc<Scope> {
    let request = http::Request::get(uri).body(String::new()).unwrap();
    limits.scope(&request, Instant::now())
}

fn quota(policy: u64, limit: u64, remaining: u64, reset: Duration) -> Quota {
    let mut quota = Quota::default();
    quota.policy = policy;
    quota.limit = Some(limit);
    quota.remaining = Some(remaining);
    quota.reset = Some(reset);
    quota
}

async fn turn(scope: &Scope, patience: Duration) -> Result<Turn<'_>, WouldWait> {
    let now = Instant::now();
    scope.turn(now, now + patience, 0).await
}

fn answer(turn: Turn<'_>, status: u16, asked: Option<Duration>, quotas: &[Quota]) {
    let status = StatusCode::from_u16(status).unwrap();
    let answer = Answer::new(status).asked(asked).quotas(quotas);
    turn.answered(Instant::now(), &answer);
}

async fn told(scope: &Scope, status: u16, asked: Option<Duration>, quotas: &[Quota]) {
    let now = Instant::now();
    let turn = scope.turn(now, now, 0).await.unwrap();
    answer(turn, status, asked, quotas);
}

/// A caller who waits, takes so long for its request, and is answered 200.
fn caller(scope: &Arc<Scope>, who: usize, takes: Duration, order: &Order) -> JoinHandle<()> {
    let (scope, order, begin) = (Arc::clone(scope), order.clone(), Instant::now());
    tokio::spawn(async move {
        let turn = turn(&scope, 1000 * SECOND).await.unwrap();
        order.0.lock().unwrap().push((who, begin.elapsed()));
        sleep(takes).await;
        answer(turn, 200, None, &[]);
    })
}

async fn callers(scope: &Arc<Scope>, many: usize, takes: Duration, order: &Order) {
    let mut tasks = Vec::new();
    for who in 0..many {
        tasks.push(caller(scope, who, takes, order));
        tokio::task::yield_now().await;
    }
    for task in tasks {
        task.await.unwrap();
    }
}

fn nobody_is_left(scope: &Scope) {
    let state = scope.state(Instant::now());
    assert_eq!((state.waiting, state.in_flight), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_known_nobody_waits_and_nothing_is_counted() {
    let scope = scope(limits());
    told(&scope, 200, None, &[]).await;
    let now = Instant::now();
    let turns: Vec<_> = (0..1000).map(|_| scope.try_turn(now).unwrap()).collect();
    assert_eq!(scope.state(now).in_flight, 0);
    drop(turns);
    told(&scope, 500, None, &[]).await;
    told(&scope, 503, None, &[]).await;
    assert!(scope.paused_for(now).is_zero());
    assert_eq!(Instant::now(), now);
}

#[tokio::test(start_paused = true)]
async fn one_refusal_pauses_everybody_until_the_server_said() {
    for status in [429, 503] {
        let scope = scope(limits());
        told(&scope, status, Some(3 * SECOND), &[]).await;
        let begin = Instant::now();
        assert_eq!(scope.paused_for(begin), 3 * SECOND);
        assert!(scope.try_turn(begin).is_none());
        drop(turn(&scope, 60 * SECOND).await.unwrap());
        assert_eq!(begin.elapsed(), 3 * SECOND);
        nobody_is_left(&scope);
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_pause_has_a_random_part() {
    let scope = scope(limits());
    told(&scope, 429, Some(4 * SECOND), &[]).await;
    let begin = Instant::now();
    let turn = scope.turn(begin, begin + 60 * SECOND, u64::MAX).await;
    drop(turn.unwrap());
    assert!(
        (4400..=4501).contains(&begin.elapsed().as_millis()),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn no_pause_is_longer_than_the_cap() {
    let scope = scope(limits().hint_cap(5 * SECOND));
    told(&scope, 429, Some(Duration::MAX), &[]).await;
    assert_eq!(scope.paused_for(Instant::now()), 5 * SECOND);
    let none = self::scope(limits().hint_cap(Duration::ZERO));
    told(&none, 429, Some(SECOND), &[]).await;
    assert!(none.paused_for(Instant::now()).is_zero());
    told(&none, 200, None, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn who_cannot_wait_is_told_at_once_when_to_come_again() {
    let scope = scope(limits());
    told(&scope, 429, Some(3 * SECOND), &[]).await;
    let begin = Instant::now();
    for latest in [
        begin,
        begin - MILLI,
        begin + SECOND,
        begin + 3 * SECOND - MILLI,
    ] {
        let refused = scope.turn(begin, latest, 0).await.unwrap_err();
        assert_eq!(refused.until, begin + 3 * SECOND);
        assert_eq!(refused.after, 3 * SECOND);
        assert!(refused.to_string().contains("3s"), "{refused}");
    }
    assert_eq!(Instant::now(), begin, "without a wait");
    nobody_is_left(&scope);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_there_is_given_though_the_latest_has_passed() {
    let scope = scope(limits());
    told(&scope, 200, None, &[quota(1, 10, 9, SECOND)]).await;
    let now = Instant::now();
    drop(scope.turn(now, now - SECOND, 0).await.unwrap());
    told(&scope, 200, None, &[quota(1, 10, 2, SECOND)]).await;
    drop(scope.turn(now, now - SECOND, 0).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_one_goes_first_and_the_others_spread_out_in_their_order() {
    let scope = scope(limits());
    told(&scope, 429, Some(2 * SECOND), &[]).await;
    let order = Order::default();
    callers(&scope, 20, 100 * MILLI, &order).await;
    assert_eq!(order.who(), (0..20).collect::<Vec<_>>());
    let when = order.when();
    assert_eq!(when[0], 2 * SECOND);
    assert!(when[1] >= when[0] + 100 * MILLI, "not before its answer");
    assert!(when[1] <= when[0] + 102 * MILLI, "but then");
    // Over as long as the pause was, evenly.
    assert!(when[19] <= when[1] + 2 * SECOND);
    for pair in when[1..].windows(2) {
        let between = pair[1] - pair[0];
        assert!(between >= 90 * MILLI && between <= 120 * MILLI, "{when:?}");
    }
    nobody_is_left(&scope);
}

#[tokio::test(start_paused = true)]
async fn a_release_takes_no_longer_than_it_may() {
    let scope = scope(limits().spread(SECOND));
    told(&scope, 429, Some(30 * SECOND), &[]).await;
    let order = Order::default();
    callers(&scope, 200, MILLI, &order).await;
    let when = order.when();
    assert!(
        when[199] <= when[0] + SECOND + 10 * MILLI,
        "{:?}",
        when[199]
    );
    assert!(when[100] >= when[0] + 400 * MILLI, "{:?}", when[100]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_after_the_release_does_not_wait() {
    let scope = scope(limits());
    told(&scope, 429, Some(SECOND), &[]).await;
    drop(turn(&scope, 9 * SECOND).await.unwrap());
    told(&scope, 200, None, &[]).await;
    advance(100 * SECOND).await;
    let now = Instant::now();
    for _ in 0..100 {
        told(&scope, 200, None, &[]).await;
    }
    assert_eq!(Instant::now(), now);
    assert_eq!(scope.state(now).in_flight, 0);
    let turns: Vec<_> = (0..9).map(|_| scope.try_turn(now).unwrap()).collect();
    assert_eq!(scope.state(now).in_flight, 0, "nobody counts any more");
    drop(turns);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_never_answered_holds_nobody_for_long() {
    let scope = scope(limits().probe_wait(700 * MILLI));
    told(&scope, 429, Some(SECOND), &[]).await;
    let begin = Instant::now();
    let probe = turn(&scope, 9 * SECOND).await.unwrap();
    assert_eq!(begin.elapsed(), SECOND);
    let refused = turn(&scope, 500 * MILLI).await.unwrap_err();
    assert_eq!(begin.elapsed(), 1500 * MILLI, "its answer might have come");
    assert_eq!(refused.until, begin + 1700 * MILLI);
    drop(turn(&scope, 9 * SECOND).await.unwrap());
    assert_eq!(begin.elapsed(), 1700 * MILLI);
    drop(probe);
    nobody_is_left(&scope);
}

#[tokio::test(start_paused = true)]
async fn if_the_probe_is_dropped_the_next_one_is_the_probe() {
    let scope = scope(limits());
    told(&scope, 429, Some(SECOND), &[]).await;
    let begin = Instant::now();
    let probe = turn(&scope, 9 * SECOND).await.unwrap();
    let order = Order::default();
    let others: Vec<_> = (0..3)
        .map(|who| caller(&scope, who, 50 * MILLI, &order))
        .collect();
    sleep(100 * MILLI).await;
    assert_eq!(order.seen(), []);
    drop(probe);
    for other in others {
        other.await.unwrap();
    }
    let when = order.when();
    assert_eq!(begin + SECOND + when[0], begin + SECOND + 100 * MILLI);
    assert!(when[1] >= when[0] + 50 * MILLI, "one at a time: {when:?}");
    nobody_is_left(&scope);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_refused_pauses_everybody_again() {
    let scope = scope(limits());
    told(&scope, 429, Some(SECOND), &[]).await;
    let probe = turn(&scope, 9 * SECOND).await.unwrap();
    let order = Order::default();
    let other = caller(&scope, 0, MILLI, &order);
    sleep(10 * MILLI).await;
    answer(probe, 429, Some(4 * SECOND), &[]);
    other.await.unwrap();
    assert_eq!(order.when(), [4010 * MILLI]);
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_the_queue_leaves_nothing_behind() {
    let scope = scope(limits());
    told(&scope, 429, Some(SECOND), &[]).await;
    let order = Order::default();
    let mut tasks: Vec<_> = (0..5)
        .map(|who| caller(&scope, who, MILLI, &order))
        .collect();
    sleep(100 * MILLI).await;
    assert_eq!(scope.state(Instant::now()).waiting, 5);
    // The first one, who looks at the clock, and one in the midst.
    for gone in [3, 0] {
        tasks.remove(gone).abort();
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(order.who(), [1, 2, 4]);
    assert_eq!(order.when()[0], SECOND);
    nobody_is_left(&scope);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_from_the_end_of_a_quota_to_its_reset() {
    let scope = scope(limits());
    told(&scope, 200, None, &[quota(1, 10, 0, 3 * SECOND)]).await;
    let begin = Instant::now();
    assert!(scope.paused_for(begin).is_zero(), "nobody was refused");
    let refused = turn(&scope, 2 * SECOND).await.unwrap_err();
    assert_eq!((refused.until, Instant::now()), (begin + 3 * SECOND, begin));
    let order = Order::default();
    callers(&scope, 8, 100 * MILLI, &order).await;
    let when = order.when();
    assert_eq!(when[0], 3 * SECOND);
    // The probe, then at once what is above half of the window, then slowly.
    assert!(when[1..5].iter().all(|at| *at == 3100 * MILLI), "{when:?}");
    assert!(when[6] > when[5] + 300 * MILLI, "{when:?}");
}

#[tokio::test(start_paused = true)]
async fn below_half_of_a_window_it_slows_down_so_that_it_lasts() {
    let scope = scope(limits());
    told(&scope, 200, None, &[quota(1, 20, 10, SECOND)]).await;
    let order = Order::default();
    callers(&scope, 10, MILLI, &order).await;
    let when = order.when();
    assert_eq!(when[0], Duration::ZERO);
    for pair in when.windows(2) {
        let between = pair[1] - pair[0];
        assert!(between >= 80 * MILLI && between <= 120 * MILLI, "{when:?}");
    }
    assert!(when[9] < SECOND);
}

#[tokio::test(start_paused = true)]
async fn eight_threads_at_once_take_no_more_than_there_is() {
    for _ in 0..20 {
        let scope = scope(limits());
        told(&scope, 200, None, &[quota(1, 1000, 1000, 1000 * SECOND)]).await;
        let now = Instant::now();
        let taken: usize = std::thread::scope(|threads| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    let take = || std::iter::from_fn(|| scope.try_turn(now)).collect::<Vec<_>>();
                    threads.spawn(move || take().len())
                })
                .collect();
            threads.into_iter().map(|one| one.join().unwrap()).sum()
        });
        // What is above half; the rest goes slowly.
        assert_eq!(taken, 500);
        assert_eq!(scope.state(now).windows[0].left, 500);
        nobody_is_left(&scope);
    }
}

#[tokio::test(start_paused = true)]
async fn of_several_windows_the_slowest_decides() {
    let scope = scope(limits());
    let windows = [
        quota(1, 1000, 900, SECOND),
        quota(2, 5, 0, 7 * SECOND),
        quota(3, 9, 0, SECOND),
    ];
    told(&scope, 200, None, &windows).await;
    let begin = Instant::now();
    drop(turn(&scope, 60 * SECOND).await.unwrap());
    assert_eq!(begin.elapsed(), 7 * SECOND);
    assert_eq!(scope.state(begin).windows.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_window_longer_than_anybody_waits_refuses_at_once() {
    let scope = scope(limits());
    let month = 30 * 24 * 3600 * SECOND;
    told(&scope, 200, None, &[quota(1, 1000, 0, month)]).await;
    let begin = Instant::now();
    let refused = turn(&scope, 60 * SECOND).await.unwrap_err();
    assert_eq!((refused.until, Instant::now()), (begin + month, begin));
}

#[tokio::test(start_paused = true)]
async fn odd_quotas_stop_nobody_for_ever() {
    for odd in [
        quota(1, 0, 0, SECOND),
        quota(1, 5, 9, SECOND),
        quota(1, 5, 0, Duration::ZERO),
        quota(1, u64::MAX, u64::MAX, SECOND),
        quota(1, 1, 0, SECOND),
    ] {
        let scope = scope(limits());
        for _ in 0..5 {
            let turn = timeout(10 * SECOND, turn(&scope, 10 * SECOND)).await;
            let turn = turn.unwrap().unwrap();
            sleep(10 * MILLI).await;
            answer(turn, 200, None, &[odd]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_is_not_spoken_of_any_more_is_forgotten() {
    let scope = scope(limits());
    told(&scope, 200, None, &[quota(1, 2, 0, SECOND)]).await;
    for _ in 0..10 {
        let turn = turn(&scope, 10 * SECOND).await.unwrap();
        answer(turn, 200, None, &[]);
        advance(2 * SECOND).await;
    }
    assert_eq!(scope.state(Instant::now()).windows, []);
}

#[tokio::test(start_paused = true)]
async fn without_pacing_only_refusals_count() {
    let scope = scope(limits().pacing(false));
    told(&scope, 200, None, &[quota(1, 10, 0, 3 * SECOND)]).await;
    told(&scope, 429, Some(SECOND), &[]).await;
    assert_eq!(scope.paused_for(Instant::now()), SECOND);
}

#[tokio::test(start_paused = true)]
async fn few_go_before_the_server_has_answered_once() {
    let scope = scope(limits().first_at_once(Some(3)));
    let order = Order::default();
    callers(&scope, 10, 100 * MILLI, &order).await;
    let late = order
        .when()
        .into_iter()
        .filter(|at| *at == 100 * MILLI)
        .count();
    assert_eq!(late, 7, "{:?}", order.when());

    // If no answer comes, nobody waits for long; and who cannot wait does not.
    let scope = self::scope(limits().first_at_once(Some(3)).probe_wait(SECOND));
    let begin = Instant::now();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(turn(&scope, Duration::ZERO).await.unwrap());
    }
    held.push(turn(&scope, Duration::ZERO).await.unwrap());
    assert_eq!(Instant::now(), begin);
    held.push(turn(&scope, 300 * MILLI).await.unwrap());
    assert_eq!(begin.elapsed(), 300 * MILLI);
    held.push(turn(&scope, 9 * SECOND).await.unwrap());
    assert!(begin.elapsed() <= SECOND + 300 * MILLI);
    held.push(turn(&scope, Duration::ZERO).await.unwrap());
    drop(held);
    nobody_is_left(&scope);
}

#[tokio::test(start_paused = true)]
async fn budget_and_pause_and_pace_go_by_the_same_clock() {
    let scope = scope(limits().budget(Budget::new().percent(0.0).reserve(1)));
    let now = Instant::now();
    scope.withdraw(now).unwrap().spend();
    assert!(scope.withdraw(now).is_none());
    told(&scope, 429, Some(10 * SECOND), &[]).await;
    drop(turn(&scope, 60 * SECOND).await.unwrap());
    assert!(scope.withdraw(Instant::now()).is_some());
}

#[tokio::test(start_paused = true)]
async fn each_origin_and_each_account_has_a_scope_of_its_own() {
    let limits = Limits::builder()
        .scope_by(|target, mut scope| target.headers.get("x-account").hash(&mut scope))
        .build()
        .unwrap();
    let of = |uri: &str, account: &'static str| {
        let request = http::Request::get(uri).header("x-account", account);
        limits.scope(&request.body(String::new()).unwrap(), Instant::now())
    };
    let one = of("https://a.example.com/x", "1");
    assert!(Arc::ptr_eq(&one, &of("https://A.example.com:443/y?z", "1")));
    for (uri, account) in [
        ("https://a.example.com/x", "2"),
        ("https://b.example.com/x", "1"),
        ("http://a.example.com/x", "1"),
        ("https://a.example.com:8443/x", "1"),
        ("/x", "1"),
    ] {
        assert!(!Arc::ptr_eq(&one, &of(uri, account)), "{uri} {account}");
    }
    assert!(Arc::ptr_eq(&of("/x", "1"), &of("/y", "1")));
    // Clones are one.
    assert!(Arc::ptr_eq(
        &one,
        &limits.clone().scope(
            &http::Request::get("https://a.example.com/")
                .header("x-account", "1")
                .body(String::new())
                .unwrap(),
            Instant::now()
        )
    ));
}

#[test]
fn what_makes_no_sense_is_not_built() {
    let built = |builder: LimitsBuilder| builder.build().map(|_| ());
    let budget = |budget: Budget| built(limits().budget(budget));
    for percent in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
        assert_eq!(
            budget(Budget::new().percent(percent)),
            Err(ConfigError::BudgetPercent)
        );
    }
    let seen = 1_000_001;
    assert_eq!(
        budget(Budget::new().reserve(seen)),
        Err(ConfigError::BudgetReserve { seen })
    );
    let never = Budget::new().refill_every(Some(Duration::ZERO));
    assert_eq!(budget(never), Err(ConfigError::ZeroRefill));
    for seen in [0, 65_537] {
        assert_eq!(
            built(limits().max_scopes(seen)),
            Err(ConfigError::Scopes { seen })
        );
    }
    assert_eq!(
        built(limits().pause_base(Duration::ZERO)),
        Err(ConfigError::ZeroPause)
    );
    let (base, cap) = (250 * MILLI, MILLI);
    assert_eq!(
        built(limits().pause_cap(cap)),
        Err(ConfigError::PauseCapBelowBase { base, cap })
    );
    assert_eq!(
        built(limits().slow_below(101)),
        Err(ConfigError::SlowBelow { seen: 101 })
    );
    assert_eq!(built(limits()), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Callers who leave at any moment, while they wait and while they are served.
    #[test]
    fn no_slot_is_ever_lost(
        seed in any::<u64>(),
        stays in prop::collection::vec((0u64..4_000, 0u64..3_000, 0u64..3_000), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let scope = scope(limits().probe_wait(500 * MILLI));
            let random = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)));
            let mut tasks = Vec::new();
            for (comes, stays, patience) in stays {
                let (scope, random) = (Arc::clone(&scope), Arc::clone(&random));
                tasks.push(tokio::spawn(async move {
                    sleep(comes as u32 * MILLI).await;
                    let request = async {
                        let Ok(turn) = turn(&scope, patience as u32 * MILLI).await else {
                            return;
                        };
                        let (takes, what, left) = {
                            let mut random = random.lock().unwrap();
                            (random.u32(0..300), random.u8(0..5), random.u64(0..4))
                        };
                        sleep(takes * MILLI).await;
                        match what {
                            0 => answer(turn, 429, Some(takes * MILLI), &[]),
                            1 => answer(turn, 429, None, &[]),
                            2 => answer(turn, 200, None, &[quota(1, 4, left, takes * MILLI)]),
                            3 => answer(turn, 200, None, &[]),
                            _ => drop(turn),
                        }
                    };
                    let _ = timeout(stays as u32 * MILLI, request).await;
                }));
            }
            for task in tasks {
                task.await.unwrap();
            }
            nobody_is_left(&scope);
            // And whoever comes now has a turn, sooner or later.
            for _ in 0..5 {
                let turn = timeout(60 * SECOND, turn(&scope, 60 * SECOND)).await;
                answer(turn.unwrap().unwrap(), 200, None, &[]);
            }
            nobody_is_left(&scope);
        });
    }
}

#[test]
fn a_target_does_not_show_its_headers() {
    let shown = Arc::new(Mutex::new(String::new()));
    let limits = {
        let shown = Arc::clone(&shown);
        let limits = Limits::builder().scope_by(move |target, _| {
            *shown.lock().unwrap() = format!("{target:?}");
        });
        limits.build().unwrap()
    };
    let mut request = http::Request::new(String::new());
    let secret = http::HeaderValue::from_static("Bearer canary");
    request.headers_mut().insert("authorization", secret);
    let _ = limits.scope(&request, Instant::now());
    let shown = shown.lock().unwrap();
    assert!(shown.contains("GET"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}
