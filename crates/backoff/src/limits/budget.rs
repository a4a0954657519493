//! The retry budget: so many retries for so many calls, exact to a millionth of one.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::ConfigError;

/// A token is this many units, so that a share is exact in steps of 0.0001 %.
const TOKEN: u64 = 1_000_000;

/// More than this is a mistake: it would take the budget out of play.
const MAX_RESERVE: u32 = 1_000_000;

/// How many retries a scope may send: a share of its calls, and a reserve for when there are few.
///
/// Over **every** interval, retries that pay ≤ reserve + share × calls + time ÷
/// [`refill_every`](Self::refill_every). Calls that the server answered count, be it with a refusal
/// such as a 422, and those that failed do not: where nothing is answered, retries are of no use. So
/// an outage is met with few requests more than there are calls, however many callers there are,
/// while a client that seldom calls can still retry.
///
/// Who was refused with a 429 or 503 and waits for the end of a pause pays nothing: the pause bounds
/// such retries, and the number of attempts does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    percent: f64,
    reserve: u32,
    refill_every: Option<Duration>,
    unlimited: bool,
}

/// What a call may spend on one retry. It is given back when it is dropped, unless it was
/// [spent](Self::spend).
#[derive(Debug)]
#[must_use = "dropped, it goes back into the budget"]
pub struct Token<'a> {
    bucket: &'a Bucket,
}

/// The balance of one scope.
#[derive(Debug)]
// On a line of its own: it is written by who calls, while others read what stands beside it.
#[repr(align(64))]
pub(crate) struct Bucket {
    /// In units; never above `full`.
    balance: AtomicU64,
    full: u64,
    deposit: u64,
    refill_every: Option<Duration>,
    unlimited: bool,
    refilled: Mutex<Refilled>,
}

/// What time has paid in so far, the part that found the bucket full included.
#[derive(Debug, Default)]
struct Refilled {
    since: Option<Instant>,
    units: u64,
}

// === impl Budget ===

impl Budget {
    /// 20 % of the calls that are answered, a reserve of 100, and one more every second.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            percent: 20.0,
            reserve: 100,
            refill_every: Some(Duration::from_secs(1)),
            unlimited: false,
        }
    }

    /// No budget: every retry is granted.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self {
            unlimited: true,
            ..Self::new()
        }
    }

    /// How many retries a hundred calls pay for, 0 to 100, exact in steps of 0.0001. Default: 20.
    #[must_use]
    pub const fn percent(mut self, percent: f64) -> Self {
        self.percent = percent;
        self
    }

    /// How many retries can be saved up, at most 1,000,000. It starts full. Default: 100.
    #[must_use]
    pub const fn reserve(mut self, reserve: u32) -> Self {
        self.reserve = reserve;
        self
    }

    /// The time in which the reserve regains one retry without any call, more than zero. `None`:
    /// calls alone fill it. Default: 1 s.
    #[must_use]
    pub const fn refill_every(mut self, refill_every: Option<Duration>) -> Self {
        self.refill_every = refill_every;
        self
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if !(0.0..=100.0).contains(&self.percent) {
            return Err(ConfigError::BudgetPercent);
        }
        if self.reserve > MAX_RESERVE {
            return Err(ConfigError::BudgetReserve { seen: self.reserve });
        }
        if self.refill_every == Some(Duration::ZERO) {
            return Err(ConfigError::ZeroRefill);
        }
        Ok(())
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Token ===

impl Token<'_> {
    /// The retry is sent: the token does not come back.
    pub fn spend(self) {
        std::mem::forget(self);
    }
}

impl Drop for Token<'_> {
    fn drop(&mut self) {
        // Without a budget nothing was taken, and it is always full.
        self.bucket.add(TOKEN);
    }
}

// === impl Bucket ===

impl Bucket {
    pub(crate) fn new(budget: &Budget) -> Self {
        let full = u64::from(budget.reserve) * TOKEN;
        Self {
            balance: AtomicU64::new(full),
            full,
            // NOTE: validated: 0 to 100, so it fits.
            deposit: (budget.percent * (TOKEN / 100) as f64).round() as u64,
            refill_every: budget.refill_every,
            unlimited: budget.unlimited,
            refilled: Mutex::default(),
        }
    }

    /// Pays in for a call.
    pub(crate) fn deposit(&self) {
        self.add(self.deposit);
    }

    /// Takes a token, if there is a whole one.
    pub(crate) fn withdraw(&self, now: Instant) -> Option<Token<'_>> {
        if self.unlimited {
            return Some(Token { bucket: self });
        }
        let taken = self.settled(now, || {
            let rest = |balance: u64| balance.checked_sub(TOKEN);
            self.balance
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest)
        });
        taken.ok().map(|_| Token { bucket: self })
    }

    /// Retries that are left, with what time has paid in by now; `None` without a budget.
    pub(crate) fn left(&self, now: Instant) -> Option<f64> {
        if self.unlimited {
            return None;
        }
        let balance = self.settled(now, || self.balance.load(Ordering::Relaxed));
        Some(balance as f64 / TOKEN as f64)
    }

    /// Pays in what time has brought, and does `then` before anybody else withdraws: between the
    /// two nobody may find a balance that was capped too early or too late.
    fn settled<R>(&self, now: Instant, then: impl FnOnce() -> R) -> R {
        let mut refilled = self.refilled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(every) = self.refill_every {
            // Before the first withdrawal it is full.
            let since = *refilled.since.get_or_insert(now);
            let nanos = now.saturating_duration_since(since).as_nanos();
            let units = nanos.saturating_mul(u128::from(TOKEN)) / every.as_nanos().max(1);
            let units = u64::try_from(units).unwrap_or(u64::MAX);
            // Counted from the start each time, so that no rounding adds up.
            self.add(units.saturating_sub(refilled.units));
            refilled.units = refilled.units.max(units);
        }
        then()
    }

    fn add(&self, units: u64) {
        // Nearly always it is full, and reading that is shared by all.
        let more = |balance: u64| {
            let more = balance.saturating_add(units).min(self.full);
            (more != balance).then_some(more)
        };
        let _full = self
            .balance
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::time::advance;

    use super::*;

    fn drained(budget: &Budget, now: Instant) -> Bucket {
        let bucket = Bucket::new(budget);
        while let Some(token) = bucket.withdraw(now) {
            token.spend();
        }
        bucket
    }

    /// Withdraws as soon as it can, for a million calls.
    fn of_a_million(percent: f64) -> u64 {
        let now = Instant::now();
        let bucket = drained(&Budget::new().percent(percent).refill_every(None), now);
        let mut granted = 0;
        for _ in 0..1_000_000 {
            bucket.deposit();
            if bucket.balance.load(Ordering::Relaxed) >= TOKEN {
                bucket.withdraw(now).unwrap().spend();
                granted += 1;
            }
        }
        granted
    }

    #[test]
    fn a_share_is_exact_over_a_million_calls() {
        assert_eq!(of_a_million(0.4), 4_000);
        assert_eq!(of_a_million(33.3), 333_000);
        assert_eq!(of_a_million(20.0), 200_000);
        assert_eq!(of_a_million(0.0001), 1);
        assert_eq!(of_a_million(0.0), 0);
        assert_eq!(of_a_million(100.0), 1_000_000);
    }

    #[test]
    fn the_reserve_is_there_from_the_start_and_no_more_than_that() {
        let now = Instant::now();
        let bucket = Bucket::new(&Budget::new().reserve(3));
        for _ in 0..1000 {
            bucket.deposit();
        }
        assert_eq!(bucket.left(now), Some(3.0));
        for _ in 0..3 {
            bucket.withdraw(now).unwrap().spend();
        }
        assert!(bucket.withdraw(now).is_none());
    }

    #[test]
    fn a_token_that_is_dropped_comes_back_once_and_one_that_is_spent_does_not() {
        let now = Instant::now();
        let bucket = Bucket::new(&Budget::new().reserve(2).refill_every(None));
        let (one, two) = (bucket.withdraw(now).unwrap(), bucket.withdraw(now).unwrap());
        assert!(bucket.withdraw(now).is_none());
        drop(one);
        assert_eq!(bucket.left(now), Some(1.0));
        two.spend();
        assert_eq!(bucket.left(now), Some(1.0));
        // What was paid in meanwhile is not doubled.
        let three = bucket.withdraw(now).unwrap();
        for _ in 0..100 {
            bucket.deposit();
        }
        drop(three);
        assert_eq!(bucket.left(now), Some(2.0));
    }

    #[test]
    fn without_a_budget_every_retry_is_granted() {
        let bucket = Bucket::new(&Budget::unlimited().reserve(0));
        for _ in 0..100 {
            bucket.withdraw(Instant::now()).unwrap().spend();
        }
        assert_eq!(bucket.left(Instant::now()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_reserve_refills_with_time_and_loses_no_fraction() {
        let every = Duration::from_secs(10);
        let bucket = drained(&Budget::new().refill_every(Some(every)), Instant::now());
        let mut granted = 0;
        // A step that is no divisor: 7,000 of them are 2,100 tokens, less what is not whole yet.
        for _ in 0..7_000 {
            advance(Duration::from_millis(2_999)).await;
            if let Some(token) = bucket.withdraw(Instant::now()) {
                token.spend();
                granted += 1;
            }
        }
        assert_eq!(granted, 7_000 * 2_999 / 10_000);
        // Of a time that goes backwards nothing is paid in twice.
        let now = Instant::now();
        let before = bucket.left(now);
        bucket.left(now - every);
        assert_eq!(bucket.left(now), before);
    }

    #[test]
    fn eight_threads_never_overdraw_it_and_lose_nothing() {
        const CALLS: u64 = 20_000;
        let now = Instant::now();
        // A reserve that is never reached, so that every deposit counts.
        let budget = Budget::new()
            .percent(33.3)
            .reserve(100_000)
            .refill_every(None);
        let bucket = drained(&budget, now);
        let spent: u64 = std::thread::scope(|threads| {
            let threads: Vec<_> = (0..8)
                .map(|seed| {
                    let bucket = &bucket;
                    threads.spawn(move || {
                        let mut random = fastrand::Rng::with_seed(seed);
                        let mut spent = 0;
                        for _ in 0..CALLS {
                            bucket.deposit();
                            let token = bucket.withdraw(now);
                            if let Some(token) = token.filter(|_| random.bool()) {
                                token.spend();
                                spent += 1;
                            }
                        }
                        spent
                    })
                })
                .collect();
            threads.into_iter().map(|one| one.join().unwrap()).sum()
        });
        let paid = 8 * CALLS * 333_000;
        let left = bucket.balance.load(Ordering::Relaxed);
        assert_eq!(spent * TOKEN + left, paid);
        assert!(spent > 0);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Call,
        Retry,
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Call),
            Just(Step::Retry),
            (0u64..20_000).prop_map(Step::Wait),
        ]
    }

    proptest! {
        #[test]
        fn over_every_interval_retries_are_bounded(
            percent in 0u32..=1000,
            reserve in 0u32..5,
            every in prop::option::of(1u64..30_000),
            steps in prop::collection::vec(step(), 1..80),
        ) {
            let share = f64::from(percent) / 10.0;
            let budget = Budget::new()
                .percent(share)
                .reserve(reserve)
                .refill_every(every.map(Duration::from_millis));
            let bucket = Bucket::new(&budget);
            let begin = Instant::now();
            let mut time = 0;
            let mut seen = Vec::new();
            for step in steps {
                match step {
                    Step::Call => bucket.deposit(),
                    Step::Retry => {
                        let Some(token) = bucket.withdraw(begin + Duration::from_millis(time)) else {
                            continue;
                        };
                        token.spend();
                    }
                    Step::Wait(millis) => time += millis,
                }
                seen.push((step, time));
            }
            for from in 0..seen.len() {
                let (mut calls, mut retries) = (0, 0);
                for (step, at) in &seen[from..] {
                    match step {
                        Step::Call => calls += 1,
                        Step::Retry => retries += 1,
                        Step::Wait(_) => {}
                    }
                    // In parts, and the part of a token that had been saved up in time.
                    let since = if from == 0 { 0 } else { seen[from - 1].1 };
                    let refilled = every.map_or(0.0, |every| (at - since) as f64 / every as f64);
                    let bound = f64::from(reserve) + share / 100.0 * f64::from(calls) + refilled;
                    prop_assert!(f64::from(retries) <= bound + 1e-5, "{retries} > {bound}");
                }
            }
        }
    }
}
