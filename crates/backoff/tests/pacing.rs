//! What shared limits do for many callers against one server, in virtual time.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of what clippy takes for one"
)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use golive_backoff::limits::{Answer, Limits};
use golive_core::quota::Quota;
use http::StatusCode;
use tokio::time::{Instant, sleep};

const WINDOW: Duration = Duration::from_secs(1);
const LIMIT: u64 = 50;
const CALLERS: usize = 200;

/// A server that allows [`LIMIT`] requests in each [`WINDOW`], and counts what it saw.
struct Server {
    began: Instant,
    /// How much of a window had passed then.
    phase: Duration,
    window: Duration,
    tells: Tells,
    state: Mutex<Counts>,
}

/// What the server says of its limit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tells {
    /// Everything with every response.
    Quota,
    /// Only how long to wait, with a 429, to the millisecond.
    Wait,
    /// Only how long to wait, with a 429, in whole seconds.
    Seconds,
    /// Everything, the reset in whole seconds.
    Whole(Rounding),
    /// Everything, and it counts in a bucket that leaks evenly: what is left rises all the time,
    /// and the reset is when it is all there again.
    Bucket(Rounding),
}

/// How a reset is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rounding {
    /// To the millisecond.
    Not,
    /// Seconds from now, the last begun one counted.
    Up,
    /// The same, and how long a window lasts (IETF).
    UpWithWindow,
    /// Seconds from now, the last begun one not counted.
    Down,
    /// A Unix time, rounded up, against a `Date` that has no parts of a second either.
    Dated,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    window: u128,
    used: u64,
    served: u64,
    refused: u64,
    /// Served in each window.
    windows: Vec<u64>,
    /// When the bucket is empty of requests again, since the server began.
    full_at: Duration,
}

struct Response {
    status: StatusCode,
    asked: Option<Duration>,
    quotas: Vec<Quota>,
}

/// A generator with a seed, so that every run is the same.
struct Dice(Mutex<fastrand::Rng>);

// === impl Server ===

impl Server {
    fn new(tells: Tells) -> Self {
        Self {
            began: Instant::now(),
            phase: Duration::ZERO,
            window: WINDOW,
            tells,
            state: Mutex::default(),
        }
    }

    fn serve(&self) -> Response {
        // It is on the second by the wall clock when it begins, whatever the phase.
        let wall = self.began.elapsed();
        let since = wall + self.phase;
        let window = since.as_nanos() / self.window.as_nanos();
        let end = self.window * (u32::try_from(window).unwrap() + 1);
        let reset = end - since;
        let reset = Duration::from_millis(u64::try_from(reset.as_micros().div_ceil(1000)).unwrap());
        if let Tells::Bucket(rounding) = self.tells {
            return self.serve_from_bucket(since, rounding);
        }
        let mut counts = self.state.lock().unwrap();
        if counts.window != window {
            counts.window = window;
            counts.used = 0;
        }
        counts
            .windows
            .resize(usize::try_from(window).unwrap() + 1, 0);
        let allowed = counts.used < LIMIT;
        if allowed {
            counts.used += 1;
            counts.served += 1;
            *counts.windows.last_mut().unwrap() += 1;
        } else {
            counts.refused += 1;
        }
        let quotas = match self.tells {
            Tells::Quota => vec![quota(LIMIT, LIMIT - counts.used, reset)],
            Tells::Whole(rounding) => {
                let quota = quota(LIMIT, LIMIT - counts.used, rounding.round(wall, reset));
                vec![rounding.name(self.window, quota)]
            }
            Tells::Wait | Tells::Seconds | Tells::Bucket(_) => Vec::new(),
        };
        let asked = match self.tells {
            Tells::Seconds => Rounding::Up.round(wall, reset),
            Tells::Whole(rounding) => rounding.round(wall, reset),
            _ => reset,
        };
        Response {
            status: if allowed {
                StatusCode::OK
            } else {
                StatusCode::TOO_MANY_REQUESTS
            },
            asked: (!allowed).then_some(asked),
            quotas,
        }
    }

    fn serve_from_bucket(&self, since: Duration, rounding: Rounding) -> Response {
        let each = WINDOW / u32::try_from(LIMIT).unwrap();
        let mut counts = self.state.lock().unwrap();
        let level = counts.full_at.saturating_sub(since);
        let allowed = level + each <= WINDOW;
        if allowed {
            counts.full_at = since + level + each;
            counts.served += 1;
        } else {
            counts.refused += 1;
        }
        let level = counts.full_at.saturating_sub(since);
        let left = (WINDOW.saturating_sub(level)).as_nanos() / each.as_nanos();
        Response {
            status: if allowed {
                StatusCode::OK
            } else {
                StatusCode::TOO_MANY_REQUESTS
            },
            asked: (!allowed).then(|| level + each - WINDOW),
            quotas: vec![quota(
                LIMIT,
                u64::try_from(left).unwrap(),
                rounding.round(since, level),
            )],
        }
    }
}

// === impl Rounding ===

impl Rounding {
    fn round(self, now: Duration, reset: Duration) -> Duration {
        match self {
            Self::Not => reset,
            Self::Up | Self::UpWithWindow => up(reset),
            Self::Down => Duration::from_secs(reset.as_secs()),
            Self::Dated => up(now + reset) - Duration::from_secs(now.as_secs()),
        }
    }

    fn name(self, window: Duration, mut quota: Quota) -> Quota {
        quota.window = (self == Self::UpWithWindow).then_some(window);
        quota
    }
}

// === impl Dice ===

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    fn one_way(&self) -> Duration {
        Duration::from_micros(self.0.lock().unwrap().u64(10_000..=25_000))
    }

    fn random(&self) -> u64 {
        self.0.lock().unwrap().u64(..)
    }
}

fn up(time: Duration) -> Duration {
    Duration::from_secs(u64::try_from(time.as_nanos().div_ceil(1_000_000_000)).unwrap())
}

fn quota(limit: u64, remaining: u64, reset: Duration) -> Quota {
    let mut quota = Quota::default();
    quota.limit = Some(limit);
    quota.remaining = Some(remaining);
    quota.reset = Some(reset);
    quota
}

/// Lets so many callers send as fast as they may, for so long.
async fn run(limits: &[Limits], tells: Tells, callers: usize, time: Duration) -> Counts {
    against(Server::new(tells), limits, callers, time).await
}

async fn against(server: Server, limits: &[Limits], callers: usize, time: Duration) -> Counts {
    let server = Arc::new(server);
    let dice = Arc::new(Dice::new(1));
    let end = Instant::now() + time;
    let tasks: Vec<_> = (0..callers)
        .map(|i| {
            let limits = limits[i % limits.len()].clone();
            let (server, dice) = (Arc::clone(&server), Arc::clone(&dice));
            tokio::spawn(async move {
                let request = http::Request::get("https://api.example.com/v1/things")
                    .body(String::new())
                    .unwrap();
                loop {
                    let now = Instant::now();
                    let scope = limits.scope(&request, now);
                    let Ok(turn) = scope.turn(now, end, dice.random()).await else {
                        return;
                    };
                    sleep(dice.one_way()).await;
                    let response = server.serve();
                    sleep(dice.one_way()).await;
                    let answer = Answer::new(response.status)
                        .asked(response.asked)
                        .quotas(&response.quotas);
                    turn.answered(Instant::now(), &answer);
                    if Instant::now() >= end {
                        return;
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    server.state.lock().unwrap().clone()
}

/// Of what was sent, the part that was refused.
fn refused(counts: &Counts) -> f64 {
    counts.refused as f64 / (counts.refused + counts.served) as f64
}

/// The part of what is allowed in a minute.
fn used(counts: &Counts) -> f64 {
    counts.served as f64 / (60 * LIMIT) as f64
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_quota_that_is_told_is_used_up_and_never_overstepped() {
    let counts = run(&[Limits::new()], Tells::Quota, CALLERS, MINUTE).await;
    assert!(used(&counts) >= 0.98, "{counts:?}");
    assert_eq!(counts.refused, 0, "{counts:?}");
    // Without an end to the first burst, that is all that is refused.
    let hot = Limits::builder().first_at_once(None).build().unwrap();
    let counts = run(&[hot], Tells::Quota, CALLERS, MINUTE).await;
    assert!(used(&counts) >= 0.98, "{counts:?}");
    assert!(counts.refused <= CALLERS as u64 - LIMIT + 5, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn several_clients_of_one_account_share_a_quota() {
    let limits = [Limits::new(), Limits::new(), Limits::new()];
    let counts = run(&limits, Tells::Quota, 60, MINUTE).await;
    assert!(used(&counts) >= 0.95, "{counts:?}");
    assert!(refused(&counts) <= 0.10, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_leaks_is_kept_from_running_dry() {
    let counts = run(
        &[Limits::new()],
        Tells::Bucket(Rounding::Not),
        CALLERS,
        MINUTE,
    )
    .await;
    assert!(used(&counts) >= 0.95, "{counts:?}");
    assert_eq!(counts.refused, 0, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn where_only_a_refusal_says_how_long_to_wait_the_pace_is_measured() {
    let counts = run(&[Limits::new()], Tells::Wait, CALLERS, MINUTE).await;
    assert!(used(&counts) >= 0.90, "{counts:?}");
    // The first burst, of which nobody could know, is three quarters of that.
    assert!(refused(&counts) <= 0.08, "{counts:?}");

    let counts = run(&[Limits::new()], Tells::Seconds, CALLERS, MINUTE).await;
    assert!(used(&counts) >= 0.75, "{counts:?}");
    assert!(refused(&counts) <= 0.08, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reset_in_whole_seconds_is_as_good() {
    let at = |rounding, phase, window| Server {
        phase: Duration::from_millis(phase),
        window: Duration::from_secs(window),
        ..Server::new(Tells::Whole(rounding))
    };
    use Rounding::{Dated, Down, Up, UpWithWindow};
    let mut bad = Vec::new();
    for rounding in [Up, UpWithWindow, Dated, Down] {
        for (phase, window) in [0, 370, 950]
            .map(|phase| [1, 2, 10].map(|window| (phase, window)))
            .concat()
        {
            let sole = (vec![Limits::new()], CALLERS, 0.95, 0.01);
            let three = (
                vec![Limits::new(), Limits::new(), Limits::new()],
                60,
                0.70,
                0.10,
            );
            for (limits, callers, least, most) in [sole, three] {
                let server = at(rounding, phase, window);
                let counts = against(server, &limits, callers, MINUTE).await;
                let (used, refused) = (used(&counts) * window as f64, refused(&counts));
                if used < least || refused > most {
                    let clients = limits.len();
                    bad.push((rounding, phase, window, clients, used, refused));
                }
            }
        }
    }
    assert!(bad.is_empty(), "{bad:?}");
    let bucket = run(&[Limits::new()], Tells::Bucket(Up), CALLERS, MINUTE).await;
    assert!(used(&bucket) >= 0.95, "{bucket:?}");
    assert!(refused(&bucket) <= 0.01, "{bucket:?}");
}
