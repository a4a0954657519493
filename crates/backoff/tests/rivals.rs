//! What other retries get wrong, each fault with a test that shows how it is here.
//!
//! reqwest-retry 0.9, `reqwest::retry` 0.13, tower 0.5, backon, and the retries inside SDKs (azure,
//! octocrab, AWS, uv). Of one fault there is no counterpart: tower's `hedge` hands on the first
//! result even if it is an error; here no two attempts are ever under way at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests, outside of what clippy takes for one"
)]

mod common;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use common::{
    Ask, Ended, FACES, Face, HIGHEST, LOWEST, Outside, Random, Reply, Server, call, call_through,
    drawing, fail, half, ms, never, status,
};
use golive_backoff::{
    Backoff, Class,
    limits::{Budget, Limits, Scope},
    reqwest_class,
};
use golive_core::{Disposition, Outcome, Stack};
use golive_testkit::{
    Answer, Ask as Probe, Face as _, Leaf, ManualClock, PassOn, ReqwestFace, TowerFace,
};
use http::{Method, StatusCode};
use reqwest_middleware::ClientBuilder;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};

fn unlimited() -> Limits {
    let limits = Limits::builder().budget(Budget::unlimited()).pacing(false);
    limits.build().unwrap()
}

fn scope(limits: &Limits) -> Arc<Scope> {
    let request = http::Request::get(common::URL).body(String::new()).unwrap();
    limits.scope(&request, Instant::now())
}

fn retries_left(limits: &Limits) -> f64 {
    scope(limits).state(Instant::now()).retries_left.unwrap()
}

// === reqwest-retry ===

#[tokio::test(start_paused = true)]
async fn a_post_that_failed_or_timed_out_is_not_repeated_as_reqwest_retry_does() {
    for face in FACES {
        for method in [Method::POST, Method::PATCH] {
            for reply in [
                fail(Class::Timeout),
                fail(Class::Reset),
                fail(Class::Ambiguous),
                status(408),
                status(500),
                status(502),
                status(503),
                status(503).header("retry-after", "1"),
                status(504),
            ] {
                let server = Server::new([reply]);
                let ended = call(
                    face,
                    half().build().unwrap(),
                    &server,
                    Ask::new(method.clone()),
                )
                .await;
                assert_eq!(server.sends(), 1);
                assert_eq!(ended.call.stopped(), Some("unsafe"));
                assert_eq!(ended.call.disposition(), Disposition::Unknown);
            }
        }
        // A 429 says that nothing was done, so that one is repeated; a 429 of elsewhere does not.
        let server = Server::new([status(429), status(201)]);
        let ended = call(face, half().build().unwrap(), &server, Ask::post()).await;
        assert_eq!((server.sends(), ended.status()), (2, 201));
    }
    let server = Server::new([status(429).elsewhere()]);
    call(Face::Reqwest, half().build().unwrap(), &server, Ask::post()).await;
    assert_eq!(server.sends(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_the_server_asks_for_is_kept() {
    for face in FACES {
        for (random, wait) in [(LOWEST, 3000), (HIGHEST, 3250)] {
            let server = Server::new([status(503).header("retry-after", "3"), status(200)]);
            let backoff = drawing(&Random::new(random)).build().unwrap();
            call(face, backoff, &server, Ask::get()).await;
            assert_eq!(server.waits(), [ms(wait)]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_streaming_body_is_sent_once_and_not_rejected() {
    for face in FACES {
        let server = Server::new([status(201)]);
        let ended = call(
            face,
            half().build().unwrap(),
            &server,
            Ask::post().keyed().streaming(),
        )
        .await;
        assert_eq!(ended.status(), 201);
        assert_eq!(server.seen()[0].body, "amount=12");

        let server = Server::new([status(503)]);
        let ended = call(
            face,
            half().build().unwrap(),
            &server,
            Ask::post().keyed().streaming(),
        )
        .await;
        assert_eq!((server.sends(), ended.status()), (1, 503));
        assert_eq!(ended.call.stopped(), Some("not_kept"));
    }
}

/// An error of reqwest's own, at the top of five layers of ours.
async fn error_of(url: &str, timeout: Option<Duration>) -> reqwest_middleware::Error {
    let transport = reqwest::Client::builder().no_proxy();
    let transport = transport.redirect(reqwest::redirect::Policy::none());
    let transport = match timeout {
        Some(timeout) => transport.timeout(timeout),
        None => transport,
    };
    let backoff = Backoff::builder()
        .base(ms(1))
        .attempts(2)
        .classify(reqwest_class);
    let five = Stack::new()
        .push(PassOn)
        .push(Outside::default())
        .push(backoff.build().unwrap())
        .push(PassOn)
        .push(Outside::default());
    let client = ClientBuilder::new(transport.build().unwrap())
        .with(five)
        .with(ErrorForStatus);
    client.build().get(url).send().await.unwrap_err()
}

/// As people write it: a status becomes an error of reqwest's below everything else.
struct ErrorForStatus;

impl golive_core::reqwest::Middleware for ErrorForStatus {
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        req: reqwest::Request,
        extensions: &'b mut golive_core::reqwest::Extensions,
        next: golive_core::reqwest::Next<'c>,
    ) -> golive_core::reqwest::Handled<'d>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        Box::pin(async move { Ok(next.run(req, extensions).await?.error_for_status()?) })
    }
}

#[tokio::test]
async fn an_error_keeps_is_timeout_is_connect_and_status_under_five_layers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listener.local_addr().unwrap();
    let error = error_of(&format!("http://{silent}/"), Some(ms(50))).await;
    assert!(error.is_timeout() && !error.is_middleware(), "{error:?}");

    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = error_of(&format!("http://{gone}/"), None).await;
    assert!(error.is_connect(), "{error:?}");
    assert!(matches!(&error, reqwest_middleware::Error::Reqwest(e) if e.url().is_some()));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refuses = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(connection.read_u8().await.unwrap());
            }
            let answer =
                b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = connection.write_all(answer).await;
            let _ = connection.shutdown().await;
        }
    });
    let error = error_of(&format!("http://{refuses}/"), None).await;
    assert_eq!(error.status(), Some(StatusCode::FORBIDDEN), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_transport_is_not_wrapped_in_either_face() {
    for face in FACES {
        let server = Server::always(fail(Class::Reset));
        let ended = call(face, half().build().unwrap(), &server, Ask::get()).await;
        assert_eq!(server.sends(), 3);
        assert_eq!(ended.fault(), Class::Reset);
    }
}

#[tokio::test(start_paused = true)]
async fn the_failed_response_is_released_before_the_sleep() {
    for face in FACES {
        let server = Server::new([
            status(503).body("busy"),
            status(429).body("busy"),
            status(200),
        ]);
        call(face, half().build().unwrap(), &server, Ask::get()).await;
        let seen = server.seen();
        for (failed, next) in [(0, 1), (1, 2)] {
            let released = seen[failed].released.lock().unwrap().unwrap();
            assert_eq!(released, seen[failed].at, "not at once");
            assert!(released < seen[next].at);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn extensions_do_not_leak_between_attempts() {
    // The leaf fails if an attempt sees what the one before has left in its extensions, or does not
    // see what the caller has put there.
    let script = || {
        Leaf::new([
            Answer::Status(503, "busy"),
            Answer::Fail,
            Answer::Status(200, "ok"),
        ])
    };
    let leaf = script();
    let mut client = TowerFace::alone(half().build().unwrap(), &leaf);
    let ended = client.call(Probe::put("amount=12")).await.unwrap();
    assert_eq!((leaf.seen().len(), ended.status), (3, StatusCode::OK));
    let leaf = script();
    let mut client = ReqwestFace::alone(half().build().unwrap(), &leaf);
    let ended = client.call(Probe::put("amount=12")).await.unwrap();
    assert_eq!((leaf.seen().len(), ended.status), (3, StatusCode::OK));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_not_that_of_the_wall_clock() {
    for face in FACES {
        // Somebody sets the clock of the machine forward by a day, in the midst of the call.
        let clock = ManualClock::at(common::NOW);
        let server = Server::new([
            status(503).meanwhile({
                let clock = clock.clone();
                move || clock.advance(Duration::from_secs(24 * 3600))
            }),
            status(503),
            status(200),
        ]);
        let backoff = half().clock(clock).build().unwrap();
        let ended = call(face, backoff, &server, Ask::get()).await;
        assert_eq!(ended.status(), 200);
        // And it is kept where the wall clock stands still.
        let server = Server::always(status(503).after(Duration::from_secs(50)));
        let backoff = half().attempts(32).build().unwrap();
        let ended = call(face, backoff, &server, Ask::get()).await;
        assert!(ended.took <= Duration::from_secs(120), "{:?}", ended.took);
        assert_eq!(server.sends(), 3);
        // The third was cut off at the deadline.
        assert_eq!(ended.call.stopped(), Some("deadline"));
    }
}

// === reqwest::retry ===

#[tokio::test(start_paused = true)]
async fn there_is_a_delay_between_attempts_and_it_grows() {
    for face in FACES {
        let server = Server::always(status(503));
        let backoff = drawing(&Random::new(HIGHEST)).attempts(7).build().unwrap();
        call(face, backoff, &server, Ask::get()).await;
        let waits = [250, 500, 1000, 2000, 4000, 8000].map(ms);
        assert_eq!(server.waits(), waits);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_to_be_retried_is_not_even_retried_once() {
    for face in FACES {
        for (reply, ask) in [
            (status(400), Ask::get()),
            (status(500), Ask::post()),
            (fail(Class::Fatal), Ask::get()),
            (fail(Class::Tls), Ask::get()),
            (status(503).header("x-should-retry", "false"), Ask::get()),
        ] {
            let server = Server::always(reply);
            call(face, half().build().unwrap(), &server, ask).await;
            assert_eq!(server.sends(), 1);
        }
        let server = Server::always(status(503));
        let once = half().attempts(1).build().unwrap();
        call(face, once, &server, Ask::get()).await;
        assert_eq!(server.sends(), 1);
    }
}

// === tower::retry ===

#[tokio::test(start_paused = true)]
async fn each_request_draws_its_own_delays_unlike_towers_backoff_maker() {
    for face in FACES {
        let backoff = Backoff::builder().limits(unlimited()).build().unwrap();
        let mut waits = BTreeSet::new();
        for _ in 0..64 {
            let server = Server::new([status(503), status(503), status(200)]);
            call(face, backoff.clone(), &server, Ask::get()).await;
            waits.insert(server.waits());
        }
        // There are 125,000 pairs of milliseconds: the odds of 5 collisions are below 10^-9.
        assert!(waits.len() >= 60, "{} of 64 differ", waits.len());
    }
}

#[tokio::test(start_paused = true)]
async fn jitter_is_finer_than_a_second() {
    let backoff = Backoff::builder()
        .base(Duration::from_secs(4))
        .limits(unlimited());
    let backoff = backoff.build().unwrap();
    let mut fractions = BTreeSet::new();
    for _ in 0..64 {
        let server = Server::new([status(503), status(200)]);
        call(Face::Tower, backoff.clone(), &server, Ask::get()).await;
        fractions.insert(server.waits()[0].subsec_millis());
    }
    assert!(fractions.len() >= 48, "{fractions:?}");
}

/// How many of so many calls in a row, each of which fails once at first, are sent again.
async fn sent_again(percent: f64, calls: usize) -> usize {
    let budget = Budget::new().percent(percent).reserve(2).refill_every(None);
    let limits = Limits::builder().budget(budget).build().unwrap();
    // It begins full.
    for _ in 0..2 {
        let scope = scope(&limits);
        scope.withdraw(Instant::now()).unwrap().spend();
    }
    let again = half().limits(limits.clone()).build().unwrap();
    let mut retries = 0;
    for _ in 0..calls {
        // A call that goes well pays in, and one that fails draws.
        let server = Server::new([status(200)]);
        call(Face::Tower, again.clone(), &server, Ask::get()).await;
        let server = Server::new([status(500), fail(Class::Reset), fail(Class::Fatal)]);
        call(Face::Tower, again.clone(), &server, Ask::get()).await;
        retries += server.sends() - 1;
    }
    retries
}

#[tokio::test(start_paused = true)]
async fn a_budget_of_0_4_or_0_6_percent_is_exact_and_not_50_or_100() {
    assert_eq!(sent_again(0.4, 1000).await, 4);
    assert_eq!(sent_again(0.6, 1000).await, 6);
    assert_eq!(sent_again(0.0, 100).await, 0);
    assert_eq!(sent_again(12.5, 1000).await, 125);
}

#[tokio::test(start_paused = true)]
async fn no_two_attempts_are_under_way_at_once_so_that_no_error_outruns_a_success() {
    for face in FACES {
        let slow = |reply: Reply| reply.after(Duration::from_secs(20));
        let server = Server::new([
            slow(status(503)),
            slow(fail(Class::Reset)),
            slow(status(200)),
        ]);
        let ended = call(face, half().build().unwrap(), &server, Ask::get()).await;
        assert_eq!(ended.status(), 200);
        assert_eq!(server.most_under_way(), 1);

        // Nor when one is given up: it is cancelled before the next.
        let server = Server::new([never(), status(200)]);
        let patient = half().attempt_timeout(ms(500)).build().unwrap();
        let ended = call(face, patient, &server, Ask::get()).await;
        assert_eq!((ended.status(), server.most_under_way()), (200, 1));
    }
}

// === azure, octocrab and others ===

#[tokio::test(start_paused = true)]
async fn a_long_hint_ends_the_retry_and_is_surfaced() {
    for face in FACES {
        for asked in ["61", "86400", "99999999999999999999"] {
            let server = Server::new([status(429).header("retry-after", asked).body("later")]);
            let ended = call(face, half().build().unwrap(), &server, Ask::get()).await;
            // Neither obeyed, nor cut short and refused again.
            assert_eq!((server.sends(), ended.took), (1, Duration::ZERO));
            assert_eq!(ended.call.stopped(), Some("hint_too_long"));
            let hint = ended.call.attempts()[0].hint.unwrap();
            assert!(hint > Duration::from_secs(60), "{hint:?}");
            let answered = ended.result.unwrap();
            assert_eq!(answered.headers["retry-after"], asked);
            assert_eq!(answered.body.unwrap(), "later");
        }
        let server = Server::new([status(429).header("retry-after", "50"), status(200)]);
        call(face, half().build().unwrap(), &server, Ask::get()).await;
        assert!(server.waits()[0] >= Duration::from_secs(50));
    }
}

// === everywhere ===

#[tokio::test(start_paused = true)]
async fn one_429_pauses_all_calls_to_the_origin() {
    for face in FACES {
        let limits = Limits::new();
        let backoff = half().limits(limits.clone()).build().unwrap();
        // The first is refused, and asks no more.
        let refused = Server::new([status(429).header("retry-after", "10")]);
        let once = half().attempts(1).limits(limits).build().unwrap();
        call(face, once, &refused, Ask::post()).await;
        let began = Instant::now();

        let server = Server::always(status(200).after(ms(5)));
        let calls = (0..20).map(|_| {
            let (backoff, server) = (backoff.clone(), server.clone());
            tokio::spawn(async move { call(face, backoff, &server, Ask::get()).await.status() })
        });
        let calls: Vec<_> = calls.collect();
        // Another origin knows nothing of it.
        let other = Server::new([status(200)]);
        let ended = call(face, backoff, &other, Ask::get().to("http://other.test/")).await;
        assert_eq!(ended.took, Duration::ZERO);
        for call in calls {
            assert_eq!(call.await.unwrap(), 200);
        }
        let seen = server.seen();
        let at: Vec<_> = seen.iter().map(|seen| seen.at - began).collect();
        assert!(at[0] >= Duration::from_secs(10), "{at:?}");
        // One goes first, and the others when it has been answered, one by one.
        assert!(at[1] >= at[0] + ms(5), "{at:?}");
        assert!(
            at[19] - at[1] >= Duration::from_secs(1),
            "all at once: {at:?}"
        );
        assert!(at[19] <= Duration::from_secs(20), "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_slow_down_before_the_quota_is_used_up() {
    for face in FACES {
        let backoff = half().build().unwrap();
        let began = Instant::now();
        let mut at = Vec::new();
        for left in (0..10).rev() {
            let reset = 20_u64.saturating_sub((Instant::now() - began).as_secs());
            let server = Server::new([status(200)
                .header("x-ratelimit-limit", "10")
                .header("x-ratelimit-remaining", &left.to_string())
                .header("x-ratelimit-reset", &reset.to_string())]);
            call(face, backoff.clone(), &server, Ask::get()).await;
            at.push(server.seen()[0].at - began);
        }
        // Half of it at once, the rest evenly over the time that is left, and none of it refused.
        assert!(at[4] < ms(10), "{at:?}");
        assert!(at[6] > Duration::from_secs(1), "{at:?}");
        assert!(at[9] > Duration::from_secs(10), "{at:?}");
        // It is used up: the next one waits for the reset.
        let server = Server::new([status(200)]);
        call(face, backoff, &server, Ask::get()).await;
        assert!(server.seen()[0].at - began >= Duration::from_secs(20));
    }
}

#[tokio::test(start_paused = true)]
async fn x_ratelimit_reset_is_read_in_the_retry() {
    for face in FACES {
        for reset in ["7", "1700000007", "1700000007000", "2023-11-14T22:13:27Z"] {
            let refused = status(429)
                .header("x-ratelimit-remaining", "0")
                .header("x-ratelimit-reset", reset);
            let server = Server::new([refused, status(200)]);
            let backoff = drawing(&Random::new(LOWEST)).build().unwrap();
            let ended = call(face, backoff, &server, Ask::get()).await;
            assert_eq!(server.waits(), [Duration::from_secs(7)], "{reset}");
            assert_eq!(ended.call.attempts()[0].hint, Some(Duration::from_secs(7)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whether_it_was_executed_is_told() {
    use Disposition::{Executed, NotExecuted, Unknown};

    for face in FACES {
        for (script, expected) in [
            (vec![status(201)], Executed),
            (vec![fail(Class::Timeout), status(201)], Executed),
            (vec![fail(Class::Connect), status(422)], NotExecuted),
            (vec![fail(Class::Timeout), status(422)], Unknown),
            (vec![fail(Class::Connect); 3], NotExecuted),
            (vec![fail(Class::Reset); 3], Unknown),
            (vec![status(429).header("retry-after", "90")], NotExecuted),
        ] {
            let server = Server::new(script);
            let ended = call(face, half().build().unwrap(), &server, Ask::post().keyed()).await;
            assert_eq!(ended.call.disposition(), expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_history_of_the_attempts_is_told_in_success_and_in_failure() {
    for face in FACES {
        let failures = || [status(503).header("retry-after", "2"), fail(Class::Reset)];
        for last in [status(200), status(404)] {
            let server = Server::new(failures().into_iter().chain([last]));
            let ended = call(face, half().build().unwrap(), &server, Ask::get()).await;
            let history = ended.call.attempts();
            assert_eq!(
                history[0].outcome,
                Outcome::Answered(StatusCode::SERVICE_UNAVAILABLE)
            );
            assert_eq!(history[0].hint, Some(Duration::from_secs(2)));
            assert_eq!(history[0].delay, Some(ms(2125)));
            assert_eq!(history[1].outcome, Outcome::Failed("reset"));
            assert_eq!(history[1].delay, Some(ms(250)));
            assert_eq!(ended.call.attempt(), 2);
        }
    }
}

// === aws-sdk-rust #1234 ===

#[tokio::test(start_paused = true)]
async fn the_budget_bites_without_being_asked_for() {
    for face in FACES {
        // The defaults, and nothing else.
        let backoff = Backoff::new();
        let full = retries_left(backoff.limits());
        let server = Server::always(status(500));
        let began = Instant::now();
        let mut stopped = Vec::new();
        for _ in 0..200 {
            let ended = call(face, backoff.clone(), &server, Ask::get()).await;
            stopped.push(ended.call.stopped().unwrap());
        }
        // What was in reserve, and what time has brought: one each second.
        let retries = (server.sends() - 200) as f64;
        let most = full + began.elapsed().as_secs_f64();
        assert!((full..=most).contains(&retries), "{retries} of {most}");
        assert_eq!(stopped[0], "attempts");
        assert_eq!(stopped[199], "budget");
        assert!(retries < 2.0 * 200.0 / 3.0, "{retries}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_hardly_amplified() {
    // 500 at once, of which each would be sent three times.
    let backoff = Backoff::new();
    let full = retries_left(backoff.limits());
    let server = Server::always(status(500).after(ms(20)));
    let calls: Vec<_> = (0..500)
        .map(|_| {
            let (backoff, server) = (backoff.clone(), server.clone());
            tokio::spawn(async move { call(Face::Tower, backoff, &server, Ask::get()).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    // No second is over yet.
    assert_eq!(server.sends() as f64, 500.0 + full);
    assert!(
        server.sends() <= 600,
        "a factor of 1.2 at most: {}",
        server.sends()
    );
}

// === uv ===

/// How two retries lie around each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Around {
    /// In one stack.
    Stack,
    /// As two layers.
    Layers,
}

/// What becomes of a call through two retries, so many attempts in the outer and in the inner one.
async fn nested(
    face: Face,
    around: Around,
    (outer, inner): (u32, u32),
    server: &Server,
    ask: Ask,
) -> Ended {
    let one = |attempts| {
        half()
            .attempts(attempts)
            .limits(unlimited())
            .build()
            .unwrap()
    };
    let (outer, inner) = (one(outer), one(inner));
    match around {
        Around::Stack => call(face, Stack::new().push(outer).push(inner), server, ask).await,
        Around::Layers => call_through(face, (outer, inner), server, ask).await,
    }
}

#[tokio::test(start_paused = true)]
async fn nested_retries_do_not_multiply() {
    use Around::{Layers, Stack};

    for face in FACES {
        for (around, watched, attempts, sends) in [
            // The outer one does it.
            (Stack, true, (4, 4), 4),
            (Stack, true, (2, 4), 2),
            (Stack, true, (4, 2), 4),
            (Stack, false, (4, 4), 4),
            (Stack, false, (4, 2), 4),
            // So it does in two layers, where the caller's handle carries the mark.
            (Layers, true, (4, 4), 4),
            (Layers, true, (2, 4), 2),
            (Layers, true, (4, 2), 4),
            // Without one the inner does not know of the outer, and does it; the outer sees that.
            (Layers, false, (4, 4), 4),
            (Layers, false, (2, 4), 4),
            (Layers, false, (4, 2), 2),
            // One that sends everything once leaves it to the other.
            (Layers, true, (1, 4), 4),
            (Stack, true, (1, 4), 4),
            (Stack, true, (4, 1), 4),
        ] {
            let ask = if watched {
                Ask::get()
            } else {
                Ask::get().unwatched()
            };
            let server = Server::always(status(503));
            let ended = nested(face, around, attempts, &server, ask).await;
            let case = format!("{face:?} {around:?} {attempts:?}, watched: {watched}");
            assert_eq!(server.sends(), sends, "{case}");
            assert_eq!(ended.status(), 503, "{case}");
            if watched {
                assert_eq!(ended.call.attempt() as usize, sends - 1, "{case}");
                assert_eq!(ended.call.attempts().len(), sends, "{case}");
                assert_eq!(ended.call.stopped(), Some("attempts"), "{case}");
                assert_eq!(ended.call.disposition(), Disposition::Unknown, "{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nested_retries_write_the_history_once() {
    for face in FACES {
        for around in [Around::Stack, Around::Layers] {
            for (reply, ask) in [
                (status(404), Ask::get()),
                (status(500), Ask::post()),
                (fail(Class::Tls), Ask::get()),
                (status(503).header("x-should-retry", "false"), Ask::get()),
                (status(503).header("retry-after", "61"), Ask::get()),
            ] {
                let server = Server::always(reply);
                let ended = nested(face, around, (3, 3), &server, ask).await;
                assert_eq!(server.sends(), 1);
                let history = ended.call.attempts();
                assert_eq!(history.len(), 1, "{face:?} {around:?}: {history:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_nested_retries_draw_on_the_budget_once() {
    for face in FACES {
        let limits = Limits::new();
        let one = || half().limits(limits.clone()).build().unwrap();
        let before = retries_left(&limits);
        let server = Server::always(status(503));
        let stack = Stack::new().push(one()).push(one());
        call(face, stack, &server, Ask::get()).await;
        assert_eq!(server.sends(), 3);
        let drawn = before - retries_left(&limits);
        // Less what came back in 375 ms.
        assert!((1.5..=2.0).contains(&drawn), "{drawn}");
    }
}
