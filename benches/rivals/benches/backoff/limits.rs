//! What a call pays for the limits: the payment into the budget, the look at pause and pace, and the
//! note that it has ended, all given the time. Beside it stand the look-up of the scope by the
//! request, and what an answer costs that tells of a quota.

use std::{
    hint::{self, black_box},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::UNIX_EPOCH,
};

use golive_backoff::limits::{Answer, Limits, Scope};
use golive_core::quota::{Hints, Quotas};
use golive_gates::{Gate, Spread, nanoseconds};
use golive_rivals::retries::idle::{self, Kind};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::time::Instant;

use crate::turns::{Work, measure};

/// In a turn: 100 µs or so.
const TIMES: u32 = 8192;
/// Of those, what another thread does at a time.
const PART: u32 = 256;
const ROUNDS: usize = 401;
/// Two threads at once are rare on a machine that does other things.
const CONTENDED_ROUNDS: usize = 41;
/// How often a turn is tried in which all threads have a processor.
const TRIES: u32 = 200;

pub(crate) fn gates() -> Vec<Gate> {
    let told = Work::new(
        "an answer that tells of it",
        together(1, Shared::paced(), learn),
    );
    vec![
        gate(
            ROUNDS,
            works(1).into_iter().chain([told]),
            20.0,
            "not contended",
        ),
        gate(CONTENDED_ROUNDS, works(2), 60.0, "two threads"),
    ]
}

fn works(threads: usize) -> [Work; 3] {
    [
        Work::new(
            "no quota is known",
            together(threads, Shared::plain(), check),
        ),
        Work::new(
            "a quota is known",
            together(threads, Shared::paced(), check),
        ),
        Work::new(
            "look-up of the scope",
            together(threads, Shared::plain(), look_up),
        ),
    ]
}

fn gate(rounds: usize, works: impl IntoIterator<Item = Work>, goal: f64, who: &str) -> Gate {
    let mut works: Vec<Work> = works.into_iter().collect();
    let times = measure(rounds, &mut works);
    let times: Vec<Spread> = times
        .iter()
        .map(|times| Spread::undisturbed(times))
        .collect();
    println!("  {who}:");
    for (work, time) in works.iter().zip(&times) {
        println!("    {:<26} {time} ns", work.name);
    }
    // Whichever of the two takes longer.
    let check = times[..2].iter().copied();
    let check = check.max_by(|one, other| one.median.total_cmp(&other.median));
    let gate = format!("budget, pause and pace, {who}");
    Gate::at_most(goal, "ns", gate, check.expect("two")).noted(format!(
        "the look-up of the scope: {:.0} ns",
        times[2].median
    ))
}

/// The scope of one server that has answered before.
struct Shared {
    limits: Limits,
    scope: Arc<Scope>,
    quotas: Quotas,
}

// === impl Shared ===

impl Shared {
    /// One that says nothing of a quota.
    fn plain() -> Self {
        Self::told(&HeaderMap::new())
    }

    /// One that does, and of more than is ever used here.
    fn paced() -> Self {
        let headers = [
            ("x-ratelimit-limit", "1000000000000"),
            ("x-ratelimit-remaining", "999999999999"),
            ("x-ratelimit-reset", "86400"),
        ];
        let headers = headers.map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        Self::told(&headers.into_iter().collect())
    }

    fn told(headers: &HeaderMap) -> Self {
        let limits = Limits::new();
        let now = Instant::now();
        let scope = limits.scope(&idle::request(Kind::Put), now);
        let quotas = Hints::default().quotas(headers, UNIX_EPOCH);
        let answer = Answer::new(StatusCode::OK).quotas(quotas.as_slice());
        let turn = scope.try_turn(now).expect("nothing is known yet");
        turn.answered(now, &answer);
        Self {
            limits,
            scope,
            quotas,
        }
    }
}

fn check(shared: &Shared, times: u32) {
    let now = Instant::now();
    for _ in 0..times {
        let scope = black_box(&*shared.scope);
        let turn = scope.try_turn(black_box(now));
        scope.called();
        drop(turn.expect("nobody is in the way"));
    }
}

fn learn(shared: &Shared, times: u32) {
    let now = Instant::now();
    let answer = Answer::new(StatusCode::OK).quotas(shared.quotas.as_slice());
    for _ in 0..times {
        let scope = black_box(&*shared.scope);
        // Who has the plan in hand lets nobody pass without asking.
        if let Some(turn) = scope.try_turn(black_box(now)) {
            turn.answered(now, &answer);
        }
    }
}

fn look_up(shared: &Shared, times: u32) {
    let now = Instant::now();
    let request = idle::request(Kind::Put);
    for _ in 0..times {
        black_box(shared.limits.scope(black_box(&request), now));
    }
}

/// One work on so many threads, with the same limits: nanoseconds of the one that is measured, while
/// the others do the same without a pause. Infinite if they never come to do it at the same time.
fn together(threads: usize, shared: Shared, work: fn(&Shared, u32)) -> impl FnMut() -> f64 {
    let shared = Arc::new(shared);
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let shared = Arc::clone(&shared);
            Other::begin(move || work(&shared, PART))
        })
        .collect();
    move || {
        for _ in 0..TRIES {
            let before: Vec<u32> = others.iter().map(Other::awaken).collect();
            let took = nanoseconds(|| work(&shared, TIMES));
            let done = others
                .iter()
                .zip(before)
                .map(|(other, before)| other.halt() - before);
            // A neighbour on the machine may have taken the place of one: then nobody contended.
            if done.min().is_none_or(|done| done >= TIMES / 2) {
                return took / f64::from(TIMES);
            }
        }
        f64::INFINITY
    }
}

/// A thread that does the same again and again while it is to.
struct Other(Arc<State>);

#[derive(Default)]
struct State {
    awake: AtomicBool,
    over: AtomicBool,
    done: AtomicU32,
}

// === impl Other ===

impl Other {
    fn begin(part: impl Fn() + Send + 'static) -> Self {
        let state = Arc::new(State::default());
        let own = Arc::clone(&state);
        thread::spawn(move || {
            while !own.over.load(Ordering::Relaxed) {
                if own.awake.load(Ordering::Relaxed) {
                    part();
                    own.done.fetch_add(PART, Ordering::Relaxed);
                } else {
                    thread::yield_now();
                }
            }
        });
        Self(state)
    }

    /// Gives how often it has done its work, once it is at it.
    fn awaken(&self) -> u32 {
        let done = || self.0.done.load(Ordering::Relaxed);
        let before = done();
        self.0.awake.store(true, Ordering::Relaxed);
        while done() == before {
            hint::spin_loop();
        }
        done()
    }

    /// Gives how often it has done its work.
    fn halt(&self) -> u32 {
        self.0.awake.store(false, Ordering::Relaxed);
        self.0.done.load(Ordering::Relaxed)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}
