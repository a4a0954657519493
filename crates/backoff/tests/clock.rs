//! What a call does with time, and what it tells: everything on one clock, which stands still
//! unless somebody sleeps.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside of what clippy takes for one"
)]

mod common;

use std::{
    hash::Hash,
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{
    Ask, FACES, Face, HIGHEST, LOWEST, Outside, Random, Refuse, Server, call, drawing, fail, half,
    ms, never, status,
};
use golive_backoff::{
    AttemptTimeout, Class, Event, Pacing, Said, insufficient_quota,
    limits::{Answer, Budget, Limits, Scope, WouldWait},
    policy::{Decision, Outcome, Stop},
};
use golive_core::{Disposition, Stack};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tokio::time::{Instant, sleep, timeout};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn scope(limits: &Limits) -> Arc<Scope> {
    let request = http::Request::get(common::URL).body(String::new()).unwrap();
    limits.scope(&request, Instant::now())
}

fn retries_left(limits: &Limits) -> f64 {
    scope(limits).state(Instant::now()).retries_left.unwrap()
}

fn budget(reserve: u32) -> Limits {
    let budget = Budget::new()
        .percent(0.0)
        .reserve(reserve)
        .refill_every(None);
    Limits::builder().budget(budget).build().unwrap()
}

/// All who share `limits` are asked to wait for so long.
async fn refused(face: Face, limits: &Limits, seconds: &str) {
    let once = half().attempts(1).limits(limits.clone()).build().unwrap();
    let server = Server::new([status(429).header("retry-after", seconds)]);
    call(face, once, &server, Ask::post()).await;
}

#[tokio::test(start_paused = true)]
#[allow(
    clippy::disallowed_methods,
    reason = "that no time really passes is what it shows"
)]
async fn delay_deadline_pause_pace_and_budget_live_on_one_clock() {
    let really = std::time::Instant::now();
    for face in FACES {
        let began = Instant::now();
        let one = Budget::new()
            .percent(0.0)
            .reserve(1)
            .refill_every(Some(s(60)));
        let limits = Limits::builder().budget(one).build().unwrap();
        let backoff = half().limits(limits.clone()).build().unwrap();
        let failing = || Server::always(status(500));
        let fine = || Server::new([status(200)]);

        // The delay, and the only retry that there is.
        let server = Server::new([status(500), status(200)]);
        call(face, backoff.clone(), &server, Ask::get()).await;
        assert_eq!(began.elapsed(), ms(125));

        // The budget: spent, and back after a minute.
        let server = failing();
        let ended = call(face, backoff.clone(), &server, Ask::get()).await;
        assert_eq!((server.sends(), ended.call.stopped()), (1, Some("budget")));
        sleep(s(59)).await;
        assert!(retries_left(&limits) < 1.0);
        sleep(s(1)).await;
        assert!(retries_left(&limits) >= 0.999, "{}", retries_left(&limits));
        sleep(ms(125)).await;
        let server = Server::new([status(500), status(200)]);
        call(face, backoff.clone(), &server, Ask::get()).await;
        assert_eq!(server.waits(), [ms(125)]);
        assert_eq!(began.elapsed(), ms(60_375));

        // The pause: of one call, kept by another.
        refused(face, &limits, "10").await;
        assert_eq!(began.elapsed(), ms(60_375));
        let server = fine();
        let ended = call(face, backoff.clone(), &server, Ask::get()).await;
        // Half of an eighth of what is spread at most, 5 s, comes on top.
        assert!(
            (ms(10_312)..=ms(10_314)).contains(&ended.took),
            "{:?}",
            ended.took
        );
        sleep(s(20)).await;

        // The pace: nothing is left of the quota, until it starts anew.
        let told = status(200)
            .header("x-ratelimit-limit", "10")
            .header("x-ratelimit-remaining", "0")
            .header("x-ratelimit-reset", "30");
        call(face, backoff.clone(), &Server::new([told]), Ask::get()).await;
        let ended = call(face, backoff.clone(), &fine(), Ask::get()).await;
        assert_eq!(ended.took, s(30));

        // The deadline, of the caller and our own.
        let asks = status(500).header("retry-after", "6");
        let due = Outside {
            left: Some(s(5)),
            ..Outside::default()
        };
        let stack = Stack::new().push(due).push(backoff.clone());
        let ended = call(face, stack, &Server::new([asks]), Ask::get()).await;
        assert_eq!(
            (ended.took, ended.call.stopped()),
            (Duration::ZERO, Some("deadline"))
        );
        let ended = call(face, backoff, &Server::new([never()]), Ask::get()).await;
        assert_eq!(
            (ended.took, ended.call.stopped()),
            (s(120), Some("deadline"))
        );
        assert_eq!(ended.error::<AttemptTimeout>().after, s(120));
    }
    assert!(really.elapsed() < s(20), "{:?}", really.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_its_own_time_and_is_cut_off_then() {
    for face in FACES {
        let backoff = half().attempt_timeout(s(5)).build().unwrap();
        let server = Server::always(never());
        let ended = call(face, backoff.clone(), &server, Ask::post().keyed()).await;
        assert_eq!(server.waits(), [ms(5125), ms(5250)]);
        assert_eq!(ended.took, ms(15_375));
        assert_eq!(ended.error::<AttemptTimeout>().after, s(5));
        let timed_out = golive_core::Outcome::Failed("timeout");
        assert!(
            ended
                .call
                .attempts()
                .iter()
                .all(|attempt| attempt.outcome == timed_out)
        );
        assert_eq!(ended.call.disposition(), Disposition::Unknown);
        assert_eq!(ended.call.stopped(), Some("attempts"));

        // It may have been executed.
        let ended = call(face, backoff.clone(), &server, Ask::post()).await;
        assert_eq!((ended.took, ended.call.stopped()), (s(5), Some("unsafe")));
        assert_eq!(ended.call.disposition(), Disposition::Unknown);

        // One that answers in its time is left alone.
        let server = Server::new([status(200).after(ms(4999))]);
        let ended = call(face, backoff, &server, Ask::get()).await;
        assert_eq!(ended.status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_no_more_time_than_is_left_for_all() {
    for face in FACES {
        let backoff = half().attempt_timeout(s(5)).build().unwrap();
        let due = Outside {
            left: Some(s(7)),
            ..Outside::default()
        };
        let server = Server::always(never());
        let stack = Stack::new().push(due).push(backoff);
        let ended = call(face, stack, &server, Ask::get()).await;
        assert_eq!(server.waits(), [ms(5125)]);
        assert_eq!(ended.took, s(7));
        assert_eq!(ended.error::<AttemptTimeout>().after, ms(1875));
        assert_eq!(ended.call.stopped(), Some("deadline"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_patient_last_attempt_has_all_the_time_that_is_left() {
    for face in FACES {
        let backoff = half()
            .attempt_timeout(s(5))
            .patient_last_attempt()
            .build()
            .unwrap();
        let server = Server::new([never(), never(), status(200).after(s(100))]);
        let ended = call(face, backoff.clone(), &server, Ask::get()).await;
        assert_eq!(ended.status(), 200);
        assert_eq!(ended.took, ms(110_375));

        let server = Server::always(never());
        let ended = call(face, backoff, &server, Ask::get()).await;
        assert_eq!(ended.took, s(120));
        assert_eq!(ended.error::<AttemptTimeout>().after, ms(120_000 - 10_375));
    }
}

#[tokio::test(start_paused = true)]
async fn who_will_not_wait_is_told_how_long_it_would_have_been() {
    for face in FACES {
        let limits = Limits::new();
        refused(face, &limits, "10").await;
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let backoff = half()
            .limits(limits.clone())
            .observe(move |event| seen.lock().unwrap().push(*event))
            .build()
            .unwrap();
        let server = Server::new([status(200)]);
        for max_wait in [Duration::ZERO, s(9)] {
            let hurried = backoff.with_max_wait(max_wait);
            let ended = call(face, hurried, &server, Ask::post()).await;
            let began = Instant::now();
            assert_eq!((server.sends(), ended.took), (0, Duration::ZERO));
            let would_wait = ended.error::<WouldWait>();
            // With its random part, an eighth of 5 s at most.
            assert!(
                (s(10)..=ms(10_625)).contains(&would_wait.after),
                "{would_wait:?}"
            );
            assert_eq!(would_wait.until, began + would_wait.after);
            assert_eq!(ended.call.stopped(), Some("throttled"));
            assert_eq!(ended.call.disposition(), Disposition::NotExecuted);
            assert!(ended.call.is_unsent());
            assert!(ended.call.attempts().is_empty());
            let event = events.lock().unwrap().pop().unwrap();
            let Event::Refused { attempt: 1, wait } = event else {
                panic!("{event:?}");
            };
            assert_eq!(wait, would_wait.after);
        }
        // The other one, whose limits are the same, waits.
        let ended = call(face, backoff, &server, Ask::post()).await;
        assert_eq!(ended.status(), 200);
        assert!(ended.took >= s(10));
        assert_eq!(ended.call.stopped(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_so_long_at_most_waits_as_long_as_it_takes() {
    for face in FACES {
        let backoff = half().max_wait(s(11)).build().unwrap();
        refused(face, backoff.limits(), "10").await;
        let ended = call(face, backoff, &Server::new([status(200)]), Ask::get()).await;
        assert_eq!(ended.status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_resend_carries_its_number_if_a_header_is_named_for_it() {
    for face in FACES {
        let server = Server::always(status(503));
        let backoff = half().attempt_header(HeaderName::from_static("x-retry-count"));
        call(face, backoff.build().unwrap(), &server, Ask::get()).await;
        let numbers = |server: &Server| -> Vec<_> {
            let seen = server.seen();
            let number = |seen: &common::Seen| {
                let values = seen.headers.get_all("x-retry-count").iter();
                let values: Vec<_> = values.map(|v| v.to_str().unwrap().to_owned()).collect();
                values.join(",")
            };
            seen.iter().map(number).collect()
        };
        assert_eq!(numbers(&server), ["", "1", "2"]);
        let server = Server::always(status(503));
        call(face, half().build().unwrap(), &server, Ask::get()).await;
        assert_eq!(numbers(&server), ["", "", ""], "nobody asked for it");
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_is_told_of_every_failure_and_of_what_follows() {
    for face in FACES {
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let backoff =
            half().observe(move |event| seen.lock().unwrap().push((Instant::now(), *event)));
        let server = Server::new([status(503), fail(Class::Reset), status(404)]);
        let began = Instant::now();
        call(face, backoff.build().unwrap(), &server, Ask::get()).await;
        let failed = |attempt, outcome, decision| Event::Failed {
            attempt,
            outcome,
            decision,
        };
        let busy = Outcome::status(StatusCode::SERVICE_UNAVAILABLE);
        let missing = Outcome::status(StatusCode::NOT_FOUND);
        let retry = |millis| Decision::Retry { after: ms(millis) };
        assert_eq!(
            *events.lock().unwrap(),
            [
                (began, failed(1, busy, retry(125))),
                (
                    began + ms(125),
                    failed(2, Outcome::Failed(Class::Reset), retry(250))
                ),
                (
                    began + ms(375),
                    failed(3, missing, Decision::Stop(Stop::Lasting))
                ),
            ]
        );
        events.lock().unwrap().clear();
        let quiet = Arc::clone(&events);
        let backoff =
            half().observe(move |event| quiet.lock().unwrap().push((Instant::now(), *event)));
        call(
            face,
            backoff.build().unwrap(),
            &Server::new([status(200)]),
            Ask::get(),
        )
        .await;
        assert!(events.lock().unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_no_wait_brings_back_is_not_waited_for() {
    const SPENT: &str = r#"{"error":{"code":"insufficient_quota"}}"#;
    const BUSY: &str = r#"{"error":{"code":"rate_limit_exceeded"}}"#;
    for face in FACES {
        let backoff = half().classify_body(insufficient_quota).build().unwrap();
        let spent = || status(429).header("retry-after", "3").body(SPENT);
        let ended = call(face, backoff.clone(), &Server::new([spent()]), Ask::get()).await;
        assert_eq!(
            (ended.took, ended.call.stopped()),
            (Duration::ZERO, Some("used_up"))
        );
        assert_eq!(
            ended.result.unwrap().body.unwrap(),
            SPENT,
            "it is handed on whole"
        );
        // Another one may be paid from another purse.
        let ended = call(
            face,
            backoff.clone(),
            &Server::new([status(200)]),
            Ask::get(),
        )
        .await;
        assert_eq!(ended.took, Duration::ZERO);

        let busy = status(429).header("retry-after", "3").body(BUSY);
        let server = Server::new([busy, status(200)]);
        let ended = call(face, backoff, &server, Ask::get()).await;
        assert_eq!((ended.took, ended.status()), (ms(3125), 200));
        // Nobody looks unless told to.
        let server = Server::new([spent(), status(200)]);
        let ended = call(face, half().build().unwrap(), &server, Ask::get()).await;
        assert_eq!(ended.status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_can_say_again_or_never_and_again_only_where_it_is_safe() {
    let says = |status: StatusCode, _: &http::HeaderMap, body: &[u8]| match body {
        b"again" => Some(Said::Again),
        b"never" => Some(Said::Never),
        _ => {
            assert!(status.as_u16() >= 400, "successes are nobody's business");
            None
        }
    };
    for face in FACES {
        for (code, body, ask, sends, stopped) in [
            (400, "again", Ask::get(), 2, None),
            (400, "again", Ask::post().keyed(), 2, None),
            (400, "again", Ask::post(), 1, Some("lasting")),
            (500, "again", Ask::post(), 1, Some("unsafe")),
            (503, "never", Ask::get(), 1, Some("vetoed")),
            (503, "perhaps", Ask::get(), 2, None),
        ] {
            let backoff = half().classify_body(says).build().unwrap();
            let server = Server::new([status(code).body(body), status(200).body("fine")]);
            let ended = call(face, backoff, &server, ask).await;
            assert_eq!(server.sends(), sends, "{code} {body}");
            assert_eq!(ended.call.stopped(), stopped, "{code} {body}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_a_failed_attempt_if_it_was_to_be_read() {
    for face in FACES {
        let backoff = half().read_bodies(16).build().unwrap();
        let broken = || status(200).body("half of").cut();
        let server = Server::new([broken(), status(200).body("half of ").body("it")]);
        let ended = call(face, backoff.clone(), &server, Ask::get()).await;
        assert_eq!(server.sends(), 2);
        assert_eq!(ended.result.unwrap().body.unwrap(), "half of it");

        // The last one is handed on as it is.
        let server = Server::always(broken());
        let ended = call(face, backoff.clone(), &server, Ask::get()).await;
        assert_eq!((server.sends(), ended.status()), (3, 200));
        assert_eq!(ended.call.stopped(), Some("attempts"));
        assert!(ended.result.unwrap().body.is_err());

        // The server has said that it was done, so a second one would be a second loan.
        let server = Server::new([status(201).body("half of").cut()]);
        let ended = call(face, backoff.clone(), &server, Ask::post()).await;
        assert_eq!((server.sends(), ended.call.stopped()), (1, Some("unsafe")));
        assert_eq!(ended.call.disposition(), Disposition::Executed);

        // What breaks off later than it is read is the caller's, and so is all if nobody asked.
        let late = status(200).body("more than sixteen bytes").cut();
        let ended = call(face, backoff, &Server::new([late]), Ask::get()).await;
        assert!(ended.result.unwrap().body.is_err());
        let ended = call(
            face,
            half().build().unwrap(),
            &Server::new([broken()]),
            Ask::get(),
        )
        .await;
        assert!(ended.result.unwrap().body.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_that_a_body_takes_belongs_to_the_attempt_that_reads_it() {
    for face in FACES {
        let reads = half().attempt_timeout(s(5)).read_bodies(16);
        let looks = half()
            .attempt_timeout(s(5))
            .classify_body(insufficient_quota);
        for (backoff, code) in [(reads, 200), (looks, 500)] {
            let backoff = backoff.build().unwrap();
            let stalled = status(code).body("half of").stalled();
            let server = Server::new([stalled, status(200)]);
            let ended = call(face, backoff, &server, Ask::get()).await;
            assert_eq!(ended.status(), 200);
            assert_eq!(server.waits(), [ms(5125)]);
            let timed_out = golive_core::Outcome::Failed("timeout");
            assert_eq!(ended.call.attempts()[0].outcome, timed_out);
            // The connection is free again.
            let released = server.seen()[0].released.lock().unwrap().unwrap();
            assert_eq!(released, server.seen()[0].at + s(5));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_again_that_the_server_would_take_for_new() {
    for face in FACES {
        let backoff = half().key_window(s(5)).build().unwrap();
        let asks = |seconds| status(503).header("retry-after", seconds);
        let server = Server::new([asks("4"), status(201)]);
        let ended = call(face, backoff.clone(), &server, Ask::post().keyed()).await;
        assert_eq!(ended.status(), 201);
        sleep(s(20)).await;
        let server = Server::new([asks("5")]);
        let ended = call(face, backoff.clone(), &server, Ask::post().keyed()).await;
        assert_eq!(
            (server.sends(), ended.call.stopped()),
            (1, Some("key_expired"))
        );
        sleep(s(20)).await;
        // Counted from the first attempt: the second failure comes too late.
        let server = Server::new([asks("3"), asks("3")]);
        let ended = call(face, backoff.clone(), &server, Ask::post().keyed()).await;
        assert_eq!(
            (server.sends(), ended.call.stopped()),
            (2, Some("key_expired"))
        );
        sleep(s(20)).await;
        // A PUT needs no key.
        let server = Server::new([asks("9"), status(200)]);
        let ended = call(
            face,
            backoff.clone(),
            &server,
            Ask::new(Method::PUT).keyed(),
        )
        .await;
        assert_eq!(ended.status(), 200);
        sleep(s(20)).await;
        // The call may know that the key was used earlier, and never makes its window longer.
        for (key_left, sends) in [(s(2), 1), (s(60), 2)] {
            let known = Outside {
                key_left: Some(key_left),
                ..Outside::default()
            };
            let server = Server::new([asks("3"), status(201)]);
            let stack = Stack::new().push(known).push(backoff.clone());
            call(face, stack, &server, Ask::post().keyed()).await;
            assert_eq!(server.sends(), sends);
            sleep(s(20)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn delays_can_come_from_somewhere_else() {
    for face in FACES {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let backoff = half().attempts(9).delays(move |retries, elapsed| {
            seen.lock().unwrap().push((retries, elapsed));
            [s(1), s(7), s(2)].get(retries as usize).copied()
        });
        let backoff = backoff.build().unwrap();
        let server = Server::always(status(500).after(ms(100)));
        let ended = call(face, backoff.clone(), &server, Ask::get()).await;
        assert_eq!(server.waits(), [ms(1100), ms(7100), ms(2100)]);
        assert_eq!(ended.call.stopped(), Some("attempts"));
        let asked = std::mem::take(&mut *asked.lock().unwrap());
        assert_eq!(
            asked,
            [(0, ms(100)), (1, ms(1200)), (2, ms(8300)), (3, ms(10_400))]
        );
        // What the server asks for goes before it.
        let server = Server::new([status(503).header("retry-after", "4"), status(200)]);
        call(face, backoff, &server, Ask::get()).await;
        assert_eq!(server.waits(), [ms(4125)]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_layer_further_in_refuses_to_send_is_not_sent_again() {
    for face in FACES {
        let server = Server::new([fail(Class::Unsent)]);
        let stack = Stack::new()
            .push(half().build().unwrap())
            .push(Refuse(server.clone()));
        let ended = call(face, stack, &server, Ask::post().keyed()).await;
        assert_eq!((server.sends(), ended.took), (0, Duration::ZERO));
        assert_eq!(ended.call.disposition(), Disposition::NotExecuted);
        assert_eq!(ended.call.stopped(), Some("lasting"));
        assert_eq!(
            ended.call.attempts()[0].outcome,
            golive_core::Outcome::Failed("unsent")
        );
        assert_eq!(ended.fault(), Class::Unsent);

        // What was sent before it counts on.
        let server = Server::new([fail(Class::Timeout), fail(Class::Unsent)]);
        let stack = Stack::new()
            .push(half().build().unwrap())
            .push(Refuse(server.clone()));
        let ended = call(face, stack, &server, Ask::post().keyed()).await;
        assert_eq!(server.sends(), 1);
        assert_eq!(ended.call.disposition(), Disposition::Unknown);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_it_waits_gives_its_retry_back() {
    for face in FACES {
        let limits = budget(3);
        let backoff = drawing(&Random::new(HIGHEST))
            .limits(limits.clone())
            .build()
            .unwrap();
        let server = Server::always(status(500));
        let begun = call(face, backoff.clone(), &server, Ask::get());
        assert!(timeout(ms(100), begun).await.is_err());
        assert_eq!(server.sends(), 1);
        assert!((retries_left(&limits) - 3.0).abs() < f64::EPSILON);
        // One that was sent is spent, dropped or not.
        let server = Server::new([status(500), never()]);
        let begun = call(face, backoff, &server, Ask::get());
        assert!(timeout(ms(600), begun).await.is_err());
        assert!((retries_left(&limits) - 2.0).abs() < f64::EPSILON);
    }
}

#[tokio::test(start_paused = true)]
async fn why_it_stopped_is_told_of_a_failure_and_not_of_a_success() {
    for face in FACES {
        for (script, stopped) in [
            (vec![status(200)], None),
            (vec![status(503), status(200)], None),
            (vec![status(304)], None),
            (vec![status(404)], Some("lasting")),
            (vec![status(503), status(404)], Some("lasting")),
            (vec![status(503); 3], Some("attempts")),
            (vec![fail(Class::Tls)], Some("lasting")),
        ] {
            let server = Server::new(script);
            let ended = call(face, half().build().unwrap(), &server, Ask::get()).await;
            assert_eq!(ended.call.stopped(), stopped);
            assert!(!ended.call.is_retried(), "it is over");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_that_share_their_limits_share_budget_and_pause() {
    for face in FACES {
        let limits = budget(1);
        let one = half().limits(limits.clone()).build().unwrap();
        let other = half().limits(limits.clone()).build().unwrap();
        let server = Server::new([status(500), status(200)]);
        call(face, one.clone(), &server, Ask::get()).await;
        let server = Server::new([status(500)]);
        let ended = call(face, other.clone(), &server, Ask::get()).await;
        assert_eq!(ended.call.stopped(), Some("budget"));
        refused(face, &limits, "10").await;
        let ended = call(face, other, &Server::new([status(200)]), Ask::get()).await;
        assert!(ended.took >= s(10));

        // One of its own knows nothing of that.
        refused(face, one.limits(), "10").await;
        let alone = half().build().unwrap();
        let server = Server::new([status(500), status(200)]);
        let ended = call(face, alone, &server, Ask::get()).await;
        assert_eq!((ended.took, ended.status()), (ms(125), 200));
    }
}

#[tokio::test(start_paused = true)]
async fn accounts_can_be_told_from_one_another() {
    for face in FACES {
        let limits = Limits::builder().scope_by(|target, mut scope| {
            let account = target.headers.get("x-account-id");
            account.map(HeaderValue::as_bytes).hash(&mut scope);
        });
        let backoff = half().limits(limits.build().unwrap()).build().unwrap();
        let of = |account| Ask::get().header("x-account-id", account);
        let refused = Server::new([status(429).header("retry-after", "61")]);
        call(face, backoff.clone(), &refused, of("one")).await;
        for (ask, waits) in [(of("two"), false), (Ask::get(), false), (of("one"), true)] {
            let ended = call(face, backoff.clone(), &Server::new([status(200)]), ask).await;
            assert_eq!(ended.took >= s(60), waits, "{:?}", ended.took);
        }
        assert_eq!(backoff.limits().scopes(), 3);
    }
}

/// A 429 that asks for 3 s, of a quota that starts anew in 30.
fn soon_but_used_up() -> common::Reply {
    status(429)
        .header("retry-after", "3")
        .header("ratelimit", r#""default";r=0;t=30"#)
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_comes_after_the_deadline_is_not_slept_for() {
    for face in FACES {
        let due = Outside {
            left: Some(s(20)),
            ..Outside::default()
        };
        let server = Server::new([soon_but_used_up(), status(200)]);
        let stack = Stack::new().push(due).push(half().build().unwrap());
        let ended = call(face, stack, &server, Ask::get()).await;
        // Either it is sent again in time, or the answer is handed on at once.
        let status = ended.result.as_ref().map(|answered| answered.status);
        assert!(
            status.is_ok(),
            "the answer was lost: {:?}",
            status.unwrap_err().error
        );
        assert!(
            server.sends() == 2 || ended.took == Duration::ZERO,
            "{:?}",
            ended.took
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_and_its_random_part_that_end_after_the_deadline_are_not_slept_for() {
    for face in FACES {
        let backoff = drawing(&Random::new(HIGHEST)).build().unwrap();
        let limits = backoff.limits().clone();
        let pauses = move || pause(&limits, s(10));
        let due = Outside {
            left: Some(ms(10_300)),
            ..Outside::default()
        };
        let server = Server::new([status(503).meanwhile(pauses), status(200)]);
        let stack = Stack::new().push(due).push(backoff);
        let ended = call(face, stack, &server, Ask::get()).await;
        let status = ended.result.as_ref().map(|answered| answered.status);
        assert!(
            status.is_ok(),
            "the answer was lost: {:?}",
            status.unwrap_err().error
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_not_outlived_while_a_call_waits_for_its_turn() {
    for face in FACES {
        // The server forgets the key in 10 s, and the quota starts anew in 30.
        let known = Outside {
            key_left: Some(s(10)),
            ..Outside::default()
        };
        let server = Server::new([soon_but_used_up(), status(201)]);
        let began = Instant::now();
        let stack = Stack::new().push(known).push(half().build().unwrap());
        let ended = call(face, stack, &server, Ask::post().keyed()).await;
        let late = server.seen().iter().any(|seen| seen.at - began >= s(10));
        assert!(!late, "a second loan, at {:?}", server.waits());
        assert!(ended.took < s(10));
    }
}

#[tokio::test(start_paused = true)]
async fn who_will_not_wait_for_a_turn_still_gets_the_answer_that_came() {
    for face in FACES {
        for random in [LOWEST, HIGHEST / 2] {
            // A 429 without a hint pauses for longer than most of our own delays.
            let backoff = drawing(&Random::new(random)).max_wait(Duration::ZERO);
            let server = Server::new([status(429).body("too many"), status(200)]);
            let ended = call(face, backoff.build().unwrap(), &server, Ask::get()).await;
            let status = ended.result.as_ref().map(|answered| answered.status);
            assert!(
                status.is_ok(),
                "the answer was lost: {:?}",
                status.unwrap_err().error
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_it_waits_for_its_turn_knows_that_nothing_was_executed() {
    for face in FACES {
        let limits = budget(3);
        // It has slept for its own delay, which is nothing, and waits for the end of the pause.
        let backoff = drawing(&Random::new(LOWEST)).limits(limits.clone());
        let backoff = backoff.build().unwrap();
        let pauses = {
            let limits = limits.clone();
            move || pause(&limits, s(10))
        };
        let server = Server::new([fail(Class::Connect).meanwhile(pauses)]);
        let ask = Ask::post();
        let handle = ask.handle.clone().unwrap();
        let begun = call(face, backoff, &server, ask);
        assert!(timeout(s(5), begun).await.is_err());
        assert_eq!(server.sends(), 1);
        assert_eq!(retries_left(&limits), 3.0, "it was not sent");
        let call = handle.call();
        assert_eq!(call.disposition(), Disposition::NotExecuted);
        assert_eq!(call.attempt(), 0, "resends");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pacing_further_in_that_will_not_wait_has_the_last_word() {
    for face in FACES {
        let limits = Limits::new();
        pause(&limits, s(10));
        let pacing = Pacing::builder(limits).max_wait(Duration::ZERO).build();
        let server = Server::new([]);
        let stack = Stack::new().push(half().build().unwrap()).push(pacing);
        let ended = call(face, stack, &server, Ask::post().keyed()).await;
        assert_eq!((server.sends(), ended.took), (0, Duration::ZERO));
        assert!(ended.error::<WouldWait>().after >= s(10));
        assert_eq!(ended.call.stopped(), Some("lasting"));
        assert_eq!(ended.call.disposition(), Disposition::NotExecuted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_used_before_is_not_outlived_before_the_first_attempt() {
    for face in FACES {
        let backoff = drawing(&Random::new(LOWEST)).build().unwrap();
        pause(backoff.limits(), s(10));
        // Used before the process was started anew, say: the server forgets it in 5 s.
        let known = Outside {
            key_left: Some(s(5)),
            ..Outside::default()
        };
        let server = Server::new([status(201)]);
        let stack = Stack::new().push(known).push(backoff);
        let ended = call(face, stack, &server, Ask::post().keyed()).await;
        assert_eq!(server.sends(), 0, "a second loan, after {:?}", ended.took);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_in_a_turn_that_comes_with_the_deadline() {
    for face in FACES {
        let backoff = drawing(&Random::new(LOWEST)).build().unwrap();
        pause(backoff.limits(), s(10));
        let due = Outside {
            left: Some(s(10)),
            ..Outside::default()
        };
        let server = Server::new([status(201).after(ms(5))]);
        let stack = Stack::new().push(due).push(backoff);
        let ended = call(face, stack, &server, Ask::post()).await;
        assert!(ended.result.is_err());
        assert_eq!(server.sends(), 0, "sent for nobody, after {:?}", ended.took);
        assert_eq!(ended.call.disposition(), Disposition::NotExecuted);
    }
}

/// As after a 429 to another call.
fn pause(limits: &Limits, length: Duration) {
    let now = Instant::now();
    let scope = scope(limits);
    let refused = Answer::new(StatusCode::TOO_MANY_REQUESTS);
    let turn = scope.try_turn(now).unwrap();
    turn.answered(now, &refused.asked(Some(length)));
}
