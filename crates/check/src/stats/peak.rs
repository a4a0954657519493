//! Do retries come back together? An answer with known error rates.
//!
//! When a provider recovers, operations that waited come back. Each waited for
//! a time of its own, and spread evenly over these times they make a certain
//! number of arrivals in any fifth of a second. A peak is called synchronous if
//! more than twice of that is seen, and more than chance would make of twice:
//! the tail of a Poisson distribution, which is what independent arrivals have,
//! below 1 in 100,000.
//!
//! Error rates, by simulation with 50 operations and an outage of 20 s (the
//! tests of this module repeat a part of it): full jitter, equal jitter and
//! decorrelated jitter with a cap of 8 s are called synchronous in fewer than 1
//! of 1,000 runs; the same delays without jitter in every run.

/// Arrivals within so many milliseconds are at the same time.
pub const WINDOW_MS: f64 = 200.0;
/// Of this many times an even spread a peak may consist.
pub const PEAK: f64 = 2.0;
/// Fewer operations than this cannot be told from chance.
pub const OPERATIONS: usize = 12;
/// Chance is excluded below this.
const CHANCE: f64 = 1e-5;

/// An operation that came back after the recovery.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Back {
    /// When, in milliseconds.
    pub at_ms: f64,
    /// How long it had waited since its last failure.
    pub waited_ms: f64,
}

/// The highest peak, and what an even spread would make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// The most arrivals in [`WINDOW_MS`].
    pub most: usize,
    /// What an even spread has in it.
    pub even: f64,
    /// Whether it is above [`PEAK`] times that, and no chance.
    pub synchronous: bool,
}

/// Judges the arrivals after a recovery; `None` if they are too few.
#[must_use]
pub fn peak(back: &[Back]) -> Option<Peak> {
    if back.len() < OPERATIONS {
        return None;
    }
    let mut at: Vec<f64> = back.iter().map(|b| b.at_ms).collect();
    at.sort_by(f64::total_cmp);
    let within = |start: f64| {
        let window = start..start + WINDOW_MS;
        at.iter().filter(|t| window.contains(*t)).count()
    };
    let most = at.iter().map(|start| within(*start)).max()?;
    let even = back
        .iter()
        .map(|b| (WINDOW_MS / b.waited_ms.max(1.0)).min(1.0))
        .sum();
    let synchronous = most as f64 > PEAK * even && tail(PEAK * even, most) < CHANCE;
    Some(Peak {
        most,
        even,
        synchronous,
    })
}

/// P(Poisson(mean) ≥ n).
fn tail(mean: f64, n: usize) -> f64 {
    let mut term = (-mean).exp();
    let mut below = 0.0;
    for k in 0..n {
        below += term;
        term *= mean / (k + 1) as f64;
    }
    (1.0 - below).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: u64 = 2_000;
    const OUTAGE: f64 = 20_000.0;

    type Delay = dyn Fn(usize, f64, &mut fastrand::Rng) -> f64;

    fn ceiling(n: usize) -> f64 {
        (250.0 * 2_f64.powi(i32::try_from(n).unwrap())).min(8_000.0)
    }

    /// 50 operations that never give up, from the beginning of the outage.
    fn simulate(seed: u64, delay: &Delay) -> Peak {
        let mut random = fastrand::Rng::with_seed(seed);
        let back: Vec<Back> = (0..50)
            .map(|_| {
                let (mut at, mut n, mut last) = (5.0 * random.f64(), 0, 250.0);
                loop {
                    last = delay(n, last, &mut random);
                    at += last + 2.0 * random.f64();
                    n += 1;
                    if at >= OUTAGE {
                        return Back {
                            at_ms: at,
                            waited_ms: last,
                        };
                    }
                }
            })
            .collect();
        peak(&back).unwrap()
    }

    fn synchronous(delay: &Delay) -> u64 {
        (0..RUNS)
            .filter(|seed| simulate(*seed, delay).synchronous)
            .count() as u64
    }

    #[test]
    fn jitter_is_called_synchronous_in_fewer_than_1_of_1000_runs() {
        let full = |n: usize, _: f64, r: &mut fastrand::Rng| ceiling(n) * r.f64();
        let equal = |n: usize, _: f64, r: &mut fastrand::Rng| ceiling(n) * (0.5 + r.f64() / 2.0);
        let decorrelated = |_: usize, last: f64, r: &mut fastrand::Rng| {
            (250.0 + r.f64() * (3.0 * last - 250.0)).min(8_000.0 * (0.75 + r.f64() / 4.0))
        };
        let short = |_: usize, _: f64, r: &mut fastrand::Rng| 1_000.0 * r.f64();
        for delay in [&full as &Delay, &equal, &decorrelated, &short] {
            let called = synchronous(delay);
            assert!(called * 1_000 < RUNS, "{called} of {RUNS}");
        }
    }

    #[test]
    fn lockstep_is_called_synchronous_in_every_run() {
        let fixed = |n: usize, _: f64, _: &mut fastrand::Rng| ceiling(n);
        let constant = |_: usize, _: f64, _: &mut fastrand::Rng| 3_000.0;
        for delay in [&fixed as &Delay, &constant] {
            assert_eq!(synchronous(delay), RUNS);
        }
    }

    #[test]
    fn a_few_prove_nothing_and_what_is_retried_at_once_makes_no_peak() {
        let back = |n: usize, waited_ms| {
            let at_ms = 1.0;
            vec![Back { at_ms, waited_ms }; n]
        };
        assert_eq!(peak(&back(OPERATIONS - 1, 5_000.0)), None);
        assert!(peak(&back(OPERATIONS, 5_000.0)).unwrap().synchronous);
        let at_once = peak(&back(50, 20.0)).unwrap();
        assert_eq!(
            (at_once.most, at_once.even, at_once.synchronous),
            (50, 50.0, false)
        );
    }

    #[test]
    fn the_tail_is_that_of_a_poisson_distribution() {
        for (mean, n, expected) in [(2.0, 0, 1.0), (2.0, 1, 0.864_664), (4.0, 10, 0.008_132)] {
            assert!((tail(mean, n) - expected).abs() < 1e-6, "{mean} {n}");
        }
    }
}
