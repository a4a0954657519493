//! Are delays drawn at random? An answer with known error rates.
//!
//! Operations that fail at the same moment retry at the same moment, unless
//! their delays differ. So their n-th delays are compared: how far apart are
//! they, as a share of their median? At least 10 % is jitter, less than 5 % is
//! none.
//!
//! Two ranges are looked at. What speaks for the subject, the whole one, from
//! the shortest to the longest, must be small for a FAIL; the inner one, without
//! those two, must be large for a PASS, so that a single late timer is no
//! jitter. The noise of this machine, by how much timers that should agree
//! differ, is added to the first and taken from the second.
//!
//! Error rates, by simulation with 8 operations and 3 retries, with 1 to 3 ms of
//! noise (the tests of this module repeat a part of it):
//! - full jitter, equal jitter: never FAIL, PASS in more than 199 of 200 runs;
//! - ±10 %: FAIL in fewer than 1 of 10,000 runs; ±5 %: in fewer than 1 of 200;
//! - no jitter: FAIL in every run, also if one operation is 60 ms late;
//! - no jitter under a load that is measured: never PASS.

use super::NO_DELAY_MS;

/// A spread of the n-th delay from here on is jitter, as a share of its median.
pub const JITTER: f64 = 0.10;
/// Below this it is none.
pub const NO_JITTER: f64 = 0.05;
/// Operations that must have an n-th delay for it to be judged.
pub const OPERATIONS: usize = 6;

/// What the data say about the spread of delays.
#[derive(Clone, Debug, PartialEq)]
pub enum Spread {
    /// At least [`JITTER`], for at least half of the delays.
    Jittered,
    /// Less than [`NO_JITTER`], for every one of them.
    Fixed,
    /// The data do not decide; says what is missing.
    Undecided(&'static str),
}

/// How far apart the n-th delays are, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nth {
    /// Their median.
    pub middle: f64,
    /// From the shortest to the longest.
    pub range: f64,
    /// The same without those two.
    pub inner: f64,
}

/// Judges the spread over `delays[n]`, all n-th delays in milliseconds, on a
/// machine whose timers differ by `noise_ms`. Gives what was judged, too.
#[must_use]
pub fn spread(delays: &[Vec<f64>], noise_ms: f64) -> (Spread, Vec<Nth>) {
    let judged = delays.iter().map_while(|nth| Nth::of(nth));
    let judged: Vec<Nth> = judged.collect();
    (decide(&judged, noise_ms), judged)
}

fn decide(judged: &[Nth], noise: f64) -> Spread {
    let count = |holds: &dyn Fn(&Nth) -> bool| judged.iter().filter(|n| holds(n)).count();
    let jittered = count(&|n| n.middle >= NO_DELAY_MS && n.share(n.inner - noise) >= JITTER);
    if jittered > 0 && 2 * jittered >= judged.len() {
        return Spread::Jittered;
    }
    let fixed = count(&|n| n.share(n.range + noise) < NO_JITTER);
    let excused = |n: &Nth| {
        let but_for_one = n.share(n.inner + noise) < NO_JITTER;
        // What two timers that should agree may differ by is no jitter either.
        but_for_one || n.range <= 2.0 * noise
    };
    if fixed >= 2 && 2 * fixed >= judged.len() && count(&excused) == judged.len() {
        return Spread::Fixed;
    }
    Spread::Undecided(match judged {
        [] => "retries of at least 6 operations",
        all if all.iter().all(|n| n.middle < NO_DELAY_MS) => {
            "delays that can be told from the noise of timers"
        }
        all if all.iter().all(|n| n.share(noise) > NO_JITTER / 2.0) => {
            "a machine with less load: its noise hides how far apart the delays are"
        }
        [one] if one.share(one.range) < NO_JITTER => "a second retry of at least 6 operations",
        _ => "a spread of at least 10 %, or below 5 %, of all delays",
    })
}

// === impl Nth ===

impl Nth {
    fn of(delays: &[f64]) -> Option<Self> {
        let mut sorted = delays.to_vec();
        sorted.sort_by(f64::total_cmp);
        let [shortest, inner @ .., longest] = sorted.as_slice() else {
            return None;
        };
        let n = sorted.len();
        if n < OPERATIONS {
            return None;
        }
        let at = |i: usize| sorted.get(i).copied();
        let middle = (at((n - 1) / 2)? + at(n / 2)?) / 2.0;
        Some(Self {
            middle: middle.max(f64::MIN_POSITIVE),
            range: longest - shortest,
            inner: inner.last()? - inner.first()?,
        })
    }

    /// A part of the median, from 0 on.
    #[must_use]
    pub fn share(&self, part: f64) -> f64 {
        part.max(0.0) / self.middle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: u64 = 20_000;
    const CALLS: usize = 8;

    type Delay = dyn Fn(usize, &mut fastrand::Rng) -> f64;

    fn simulate(seed: u64, retries: usize, noise: f64, delay: &Delay) -> Spread {
        let mut random = fastrand::Rng::with_seed(seed);
        let delays: Vec<Vec<f64>> = (0..retries)
            .map(|n| {
                let one = |random: &mut fastrand::Rng| {
                    let late = 1.0 + noise * random.f64();
                    delay(n, random) + late
                };
                (0..CALLS).map(|_| one(&mut random)).collect()
            })
            .collect();
        spread(&delays, noise).0
    }

    fn count(retries: usize, noise: f64, delay: &Delay, want: &Spread) -> u64 {
        (0..RUNS)
            .filter(|seed| simulate(*seed, retries, noise, delay) == *want)
            .count() as u64
    }

    fn ceiling(n: usize) -> f64 {
        (250.0 * 2_f64.powi(i32::try_from(n).unwrap())).min(8_000.0)
    }

    #[test]
    fn full_and_equal_jitter_pass_and_never_fail() {
        let full = |n: usize, r: &mut fastrand::Rng| ceiling(n) * r.f64();
        let equal = |n: usize, r: &mut fastrand::Rng| ceiling(n) * (0.5 + r.f64() / 2.0);
        let upwards = |_: usize, r: &mut fastrand::Rng| 1_000.0 * (1.0 + r.f64());
        for delay in [&full as &Delay, &equal, &upwards] {
            for (retries, in_200) in [(1, 198), (2, 199), (3, 199), (9, 199)] {
                let passed = count(retries, 2.0, delay, &Spread::Jittered);
                assert!(passed >= RUNS * in_200 / 200, "{retries} retries: {passed}");
                assert_eq!(count(retries, 2.0, delay, &Spread::Fixed), 0);
            }
        }
    }

    #[test]
    fn a_tenth_of_jitter_fails_in_fewer_than_1_of_10000_runs_and_a_twentieth_in_1_of_200() {
        for (width, most) in [(0.1, RUNS / 10_000), (0.05, RUNS / 200)] {
            let delay = move |n: usize, r: &mut fastrand::Rng| {
                ceiling(n) * (1.0 - width + 2.0 * width * r.f64())
            };
            for retries in [2, 3, 4, 9] {
                let failed = count(retries, 2.0, &delay, &Spread::Fixed);
                assert!(failed <= most, "±{width}, {retries} retries: {failed}");
            }
        }
    }

    #[test]
    fn no_jitter_fails_in_every_run_also_if_one_timer_is_late() {
        let fixed = |n: usize, _: &mut fastrand::Rng| ceiling(n);
        let constant = |_: usize, _: &mut fastrand::Rng| 300.0;
        for delay in [&fixed as &Delay, &constant] {
            for retries in [2, 3, 9] {
                assert_eq!(count(retries, 2.0, delay, &Spread::Fixed), RUNS);
            }
        }
        let mut delays: Vec<Vec<f64>> = (0..3).map(|n| vec![ceiling(n); CALLS]).collect();
        delays[0][3] += 60.0;
        assert_eq!(spread(&delays, 2.0).0, Spread::Fixed);
    }

    #[test]
    fn a_load_that_was_measured_is_no_jitter_and_hides_what_it_hides() {
        let fixed = |n: usize, _: &mut fastrand::Rng| ceiling(n);
        for load in [20.0, 100.0, 500.0] {
            assert_eq!(count(3, load, &fixed, &Spread::Jittered), 0, "{load} ms");
        }
        assert_eq!(count(3, 500.0, &fixed, &Spread::Fixed), 0);
        let full = |n: usize, r: &mut fastrand::Rng| ceiling(n) * r.f64();
        for load in [20.0, 100.0, 500.0] {
            assert_eq!(count(3, load, &full, &Spread::Fixed), 0, "{load} ms");
        }
    }

    #[test]
    fn a_single_late_timer_is_no_jitter() {
        let mut delays = vec![vec![250.0; CALLS]];
        delays[0][0] += 60.0;
        assert!(matches!(spread(&delays, 1.0).0, Spread::Undecided(_)));
    }

    /// The inner range of eight delays that are evenly spread over `share`.
    fn even(share: f64) -> Vec<Vec<f64>> {
        let step = |i: usize| match i {
            0 | 1 => 0.0,
            6 | 7 => 1.0,
            i => (i - 1) as f64 / 5.0,
        };
        let nth: Vec<f64> = (0..CALLS)
            .map(|i| 1_000.0 * (1.0 + share * (step(i) - 0.5)))
            .collect();
        vec![nth.clone(), nth]
    }

    #[test]
    fn the_borders_are_five_and_ten_per_cent() {
        assert_eq!(spread(&even(0.101), 0.0).0, Spread::Jittered);
        for between in [0.099, 0.075, 0.051] {
            assert!(matches!(
                spread(&even(between), 0.0).0,
                Spread::Undecided(_)
            ));
        }
        assert_eq!(spread(&even(0.049), 0.0).0, Spread::Fixed);
        // Noise counts for the subject, both ways.
        assert!(matches!(spread(&even(0.101), 2.0).0, Spread::Undecided(_)));
        assert!(matches!(spread(&even(0.049), 2.0).0, Spread::Undecided(_)));
    }

    #[test]
    fn too_few_operations_or_retries_convict_nobody() {
        let few = vec![vec![250.0; OPERATIONS - 1]; 3];
        for (delays, missing) in [
            (vec![], "retries of at least 6 operations"),
            (few, "retries of at least 6 operations"),
            (
                vec![vec![250.0; CALLS]],
                "a second retry of at least 6 operations",
            ),
            (
                vec![vec![1.0; CALLS]; 2],
                "delays that can be told from the noise of timers",
            ),
        ] {
            assert_eq!(spread(&delays, 1.0).0, Spread::Undecided(missing));
        }
    }
}
