//! Do delays grow? An answer with known error rates.
//!
//! With full jitter a single delay says nothing: the fourth may well be shorter
//! than the first. So many operations fail at the same time, and the *medians*
//! of their n-th delays are compared. Each median has a distribution-free
//! confidence interval from its order statistics (the count of samples below a
//! true median is binomial with p = 1/2), so nothing is assumed about the kind
//! of jitter.
//!
//! A loaded machine adds to every delay, and so hides growth. Its noise is
//! measured in the same run, and nothing is called constant unless the noise is
//! a small part of the delays.
//!
//! Error rates, by simulation over thousands of seeds with 60 operations and 5
//! attempts (the tests of this module repeat a part of it):
//! - full jitter, base 250 ms, doubling, cap 8 s, 4 to 10 attempts: never FAIL; INCONCLUSIVE in
//!   fewer than 1 of 200 runs;
//! - one constant delay, exact or within ±20 %: FAIL in every run, within ±33 % in more than 999 of
//!   1,000;
//! - a constant delay under *full* jitter: PASS in fewer than 1 of 1,000 runs,
//!   otherwise INCONCLUSIVE, since 60 operations cannot exclude a growth of 1.5
//!   under so much noise.

pub mod peak;
pub mod spread;

/// The growth from one delay to the next that counts as exponential.
pub const GROWTH: f64 = 1.5;
/// Delays below this many milliseconds are the noise of timers and of the wire.
pub const NOISE_MS: f64 = 5.0;
/// A largest median below this many milliseconds is no delay at all.
pub const NO_DELAY_MS: f64 = 20.0;
/// The part of the first median that the noise may have in a verdict of "constant".
pub const NOISE_SHARE: f64 = 1.0 / 3.0;
/// The confidence of each median's interval.
pub const CONFIDENCE: f64 = 0.99;
/// Operations that must have an n-th delay for its median to be used.
pub const OPERATIONS: usize = 12;

/// What the data say about the growth of delays.
#[derive(Clone, Debug, PartialEq)]
pub enum Growth {
    /// Growth of at least [`GROWTH`] a step, and no growth is excluded.
    Exponential,
    /// Any growth of [`GROWTH`] or more is excluded.
    Constant,
    /// Retries follow at once.
    NoDelay,
    /// The data do not decide; says what is missing.
    Undecided(&'static str),
}

/// A median with its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Median {
    /// Lower end.
    pub low: f64,
    /// The sample median.
    pub middle: f64,
    /// Upper end.
    pub high: f64,
}

/// Judges the growth over `delays[n]`, all n-th delays in milliseconds, on a
/// machine that makes a request `noise_ms` late. Gives the medians that were
/// used, too.
#[must_use]
pub fn growth(delays: &[Vec<f64>], noise_ms: f64) -> (Growth, Vec<Median>) {
    let medians: Vec<Median> = delays
        .iter()
        .take_while(|nth| nth.len() >= OPERATIONS)
        .map_while(|nth| median(nth))
        .collect();
    let verdict = decide(&medians, noise_ms);
    (verdict, medians)
}

fn decide(medians: &[Median], noise_ms: f64) -> Growth {
    let [first, later @ ..] = medians else {
        return Growth::Undecided("retries of at least 12 operations");
    };
    let top = medians.iter().map(|m| m.middle).fold(0.0, f64::max);
    if later.is_empty() {
        // One delay has no growth; but no delay at all is seen already.
        return Growth::Undecided("at least three attempts of at least 12 operations");
    }
    if medians.iter().all(|m| m.high < NO_DELAY_MS) {
        return Growth::NoDelay;
    }
    // Growth ends where the cap is reached: the first median near the top.
    let reached = medians
        .iter()
        .position(|m| m.middle >= 0.75 * top)
        .filter(|n| *n > 0);
    if let Some((n, at_cap)) = reached.and_then(|n| medians.get(n).map(|m| (n, m))) {
        let per_step = (at_cap.middle / first.middle).powf(1.0 / n as f64);
        if per_step >= GROWTH && at_cap.low > first.high {
            return Growth::Exponential;
        }
    }
    // Excluded only if not even one step of growth fits the intervals.
    let most = later.iter().map(|m| m.high / first.low).fold(0.0, f64::max);
    if most < GROWTH && noise_ms > NOISE_SHARE * first.middle {
        Growth::Undecided("a machine with less load: its noise hides the delays")
    } else if most < GROWTH {
        Growth::Constant
    } else {
        Growth::Undecided("more operations, more attempts, or less jitter: these delays fit both")
    }
}

/// Sample median and its interval at [`CONFIDENCE`]; `None` with too few samples.
#[must_use]
pub fn median(samples: &[f64]) -> Option<Median> {
    let mut sorted: Vec<f64> = samples.iter().map(|d| d.max(NOISE_MS)).collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let rank = low_rank(n)?;
    let at = |i: usize| sorted.get(i).copied();
    let middle = if n % 2 == 1 {
        at(n / 2)?
    } else {
        (at(n / 2 - 1)? + at(n / 2)?) / 2.0
    };
    Some(Median {
        low: at(rank - 1)?,
        middle,
        high: at(n - rank)?,
    })
}

/// The largest rank r with P(Binomial(n, ½) < r) ≤ (1 − confidence) / 2.
fn low_rank(n: usize) -> Option<usize> {
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let mut term = 0.5_f64.powi(i32::try_from(n).ok()?);
    let mut below = 0.0;
    let mut rank = 0;
    for k in 0..n {
        below += term;
        if below > tail {
            break;
        }
        rank = k + 1;
        term *= (n - k) as f64 / (k + 1) as f64;
    }
    (rank > 0).then_some(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: u64 = 2_000;
    const CALLS: usize = 60;

    /// Simulates `CALLS` operations of `retries` delays each.
    fn simulate(seed: u64, retries: usize, delay: impl Fn(usize, f64) -> f64) -> Growth {
        let mut random = fastrand::Rng::with_seed(seed);
        let delays: Vec<Vec<f64>> = (0..retries)
            .map(|n| {
                // One to three milliseconds of wire and timer noise on top.
                (0..CALLS)
                    .map(|_| delay(n, random.f64()) + 1.0 + 2.0 * random.f64())
                    .collect()
            })
            .collect();
        growth(&delays, 3.0).0
    }

    fn count(retries: usize, delay: impl Fn(usize, f64) -> f64 + Copy, want: &Growth) -> u64 {
        (0..RUNS)
            .filter(|seed| simulate(*seed, retries, delay) == *want)
            .count() as u64
    }

    fn full_jitter(n: usize, u: f64) -> f64 {
        u * (250.0 * 2_f64.powi(i32::try_from(n).unwrap())).min(8_000.0)
    }

    #[test]
    fn full_jitter_that_doubles_is_exponential_in_199_of_200_runs_and_never_constant() {
        for retries in [3, 4, 5, 9] {
            let passed = count(retries, full_jitter, &Growth::Exponential);
            assert!(
                passed >= RUNS * 199 / 200,
                "{retries} retries: {passed} of {RUNS}"
            );
            assert_eq!(count(retries, full_jitter, &Growth::Constant), 0);
            assert_eq!(count(retries, full_jitter, &Growth::NoDelay), 0);
        }
    }

    #[test]
    fn full_jitter_over_two_retries_is_never_called_constant() {
        assert_eq!(count(2, full_jitter, &Growth::Constant), 0);
        // A cap that is reached after one step is growth still.
        let capped = |n: usize, u: f64| u * if n == 0 { 250.0 } else { 500.0 };
        assert_eq!(count(5, capped, &Growth::Constant), 0);
    }

    #[test]
    fn a_constant_delay_fails_in_every_run() {
        for retries in [2, 4, 9] {
            assert_eq!(count(retries, |_, _| 250.0, &Growth::Constant), RUNS);
            assert_eq!(
                count(retries, |_, u| 200.0 + 100.0 * u, &Growth::Constant),
                RUNS
            );
            let half = count(retries, |_, u| 150.0 + 150.0 * u, &Growth::Constant);
            assert!(half >= RUNS * 999 / 1_000, "{retries} retries: {half}");
        }
    }

    #[test]
    fn a_constant_delay_under_full_jitter_passes_in_fewer_than_1_of_1000_runs() {
        for retries in [2, 4, 9] {
            let passed = count(retries, |_, u| 500.0 * u, &Growth::Exponential);
            assert!(
                passed * 1_000 < RUNS,
                "{retries} retries: {passed} of {RUNS}"
            );
        }
    }

    #[test]
    fn no_delay_at_all_is_named_so() {
        assert_eq!(count(4, |_, _| 0.0, &Growth::NoDelay), RUNS);
    }

    #[test]
    fn equal_jitter_and_a_first_retry_at_once_are_exponential_too() {
        let equal = |n: usize, u: f64| (0.5 + u / 2.0) * 200.0 * 2_f64.powi(n as i32);
        assert_eq!(count(4, equal, &Growth::Exponential), RUNS);
        let at_once = |n: usize, u: f64| if n == 0 { 0.0 } else { full_jitter(n, u) };
        assert_eq!(count(4, at_once, &Growth::Exponential), RUNS);
    }

    #[test]
    fn growth_until_a_cap_is_growth() {
        let capped = |n: usize, _: f64| (100.0 * 2_f64.powi(n as i32)).min(400.0);
        assert_eq!(count(9, capped, &Growth::Exponential), RUNS);
    }

    #[test]
    fn slow_growth_is_neither_exponential_nor_constant() {
        let slow = |n: usize, u: f64| 250.0 * 1.2_f64.powi(n as i32) * (0.98 + 0.04 * u);
        let undecided = (0..RUNS)
            .filter(|seed| matches!(simulate(*seed, 4, slow), Growth::Undecided(_)))
            .count() as u64;
        assert_eq!(undecided, RUNS);
    }

    #[test]
    fn load_that_hides_growth_never_makes_it_constant() {
        for load in [50.0, 200.0, 1_000.0, 5_000.0] {
            for retries in [2, 4] {
                let constant = (0..RUNS)
                    .filter(|seed| {
                        let mut random = fastrand::Rng::with_seed(*seed);
                        let delays: Vec<Vec<f64>> = (0..retries)
                            .map(|n| {
                                let late = |r: &mut fastrand::Rng| load * (0.9 + 0.2 * r.f64());
                                (0..CALLS)
                                    .map(|_| full_jitter(n, random.f64()) + late(&mut random))
                                    .collect()
                            })
                            .collect();
                        growth(&delays, load).0 == Growth::Constant
                    })
                    .count();
                assert_eq!(constant, 0, "{load} ms of load, {retries} retries");
            }
        }
    }

    #[test]
    fn too_few_operations_decide_nothing() {
        let few = vec![vec![250.0; OPERATIONS - 1]; 4];
        assert!(matches!(growth(&few, 0.0).0, Growth::Undecided(_)));
        let one_retry = vec![vec![250.0; CALLS]];
        assert!(matches!(growth(&one_retry, 0.0).0, Growth::Undecided(_)));
        assert!(matches!(growth(&[], 0.0).0, Growth::Undecided(_)));
    }

    #[test]
    fn the_interval_of_a_median_covers_it_in_99_of_100_samples() {
        let mut random = fastrand::Rng::with_seed(7);
        let covered = (0..5_000)
            .filter(|_| {
                let sample: Vec<f64> = (0..CALLS).map(|_| 100.0 + random.f64()).collect();
                let m = median(&sample).unwrap();
                m.low <= 100.5 && 100.5 <= m.high
            })
            .count();
        assert!(covered >= 4_940, "{covered} of 5000");
    }
}
