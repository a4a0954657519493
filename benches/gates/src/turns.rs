//! Measuring in turns: whatever else the machine does hits all contestants alike.

use std::fmt;

use tokio::time::Instant;

/// What the rounds of a measurement gave.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The value in the middle, or the one that stands for all.
    pub median: f64,
    /// What half of the values lie between, or the bounds of an estimate.
    pub range: (f64, f64),
}

/// Runs `N` contestants in turns, each round in the opposite order of the one before, so that
/// neither profits from its place. Gives what each one made of each round.
pub fn in_turns<const N: usize>(
    rounds: usize,
    mut contest: impl FnMut(usize) -> f64,
) -> [Vec<f64>; N] {
    let mut results = [const { Vec::new() }; N];
    all_in_turns(rounds, &mut results, &mut contest);
    results
}

/// The same, for as many contestants as there turn out to be.
pub fn many_in_turns(
    rounds: usize,
    contestants: usize,
    mut contest: impl FnMut(usize) -> f64,
) -> Vec<Vec<f64>> {
    let mut results = vec![Vec::new(); contestants];
    all_in_turns(rounds, &mut results, &mut contest);
    results
}

fn all_in_turns(rounds: usize, results: &mut [Vec<f64>], contest: &mut impl FnMut(usize) -> f64) {
    for round in 0..rounds {
        for turn in 0..results.len() {
            let last = results.len() - 1;
            let contestant = if round % 2 == 0 { turn } else { last - turn };
            results[contestant].push(contest(contestant));
        }
    }
}

/// How many nanoseconds `work` takes.
pub fn nanoseconds(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64() * 1e9
}

// === impl Spread ===

impl Spread {
    /// The median and the quartiles of some values.
    ///
    /// # Panics
    /// If there is none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        assert!(!values.is_empty(), "nothing was measured");
        values.sort_by(f64::total_cmp);
        let at = |part: usize| values[(values.len() - 1) * part / 4];
        Self {
            median: at(2),
            range: (at(1), at(3)),
        }
    }

    /// What a turn takes when nobody disturbs it: the first decile, between the first twentieth and
    /// the first quartile.
    ///
    /// For short turns on a machine that does other things besides: a neighbour on the same core
    /// slows one kind of work more than another, for as long as it likes, and then the median says
    /// what the neighbour does.
    ///
    /// # Panics
    /// If there is no value.
    #[must_use]
    pub fn undisturbed(values: &[f64]) -> Self {
        let [low, median, high] = early(values);
        Self {
            median,
            range: (low, high),
        }
    }

    /// How many times `this` is of `that` when nobody disturbs either.
    ///
    /// # Panics
    /// If there is no value.
    #[must_use]
    pub fn of_ratio(this: &[f64], that: &[f64]) -> Self {
        let (this, that) = (early(this), early(that));
        let [low, median, high] = [0, 1, 2].map(|at| this[at] / that[at]);
        Self {
            median,
            range: (low.min(high).min(median), low.max(high).max(median)),
        }
    }

    /// A count, which has none.
    #[must_use]
    pub fn exactly(count: u32) -> Self {
        Self::of([f64::from(count)])
    }
}

/// The first twentieth, decile and quartile.
fn early(values: &[f64]) -> [f64; 3] {
    assert!(!values.is_empty(), "nothing was measured");
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    [20, 10, 4].map(|part| values[(values.len() - 1) / part])
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.range;
        write!(f, "{:.2}", self.median)?;
        if low < high {
            write!(f, " [{low:.2} … {high:.2}]")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_contestant_has_its_own_results_and_the_order_turns_round() {
        let mut order = Vec::new();
        let [first, second] = in_turns(2, |contestant| {
            order.push(contestant);
            f64::from(u32::try_from(order.len()).unwrap())
        });
        assert_eq!(order, [0, 1, 1, 0]);
        assert_eq!((first, second), (vec![1.0, 4.0], vec![2.0, 3.0]));
        assert_eq!(order, {
            let mut again = Vec::new();
            many_in_turns(2, 2, |contestant| {
                again.push(contestant);
                0.0
            });
            again
        });
    }

    #[test]
    fn a_spread_is_the_median_between_its_quartiles() {
        let spread = Spread::of([5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!((spread.median, spread.range), (3.0, (2.0, 4.0)));
        assert_eq!(spread.to_string(), "3.00 [2.00 … 4.00]");
        assert_eq!(Spread::exactly(7).to_string(), "7.00");
    }

    #[test]
    fn who_is_disturbed_most_of_the_time_is_judged_by_the_rest() {
        let quiet: Vec<f64> = (0..100).map(|at| 100.0 + f64::from(at % 10)).collect();
        let disturbed = |slow: f64| {
            let times = quiet.iter().enumerate();
            times
                .map(|(at, time)| if at % 3 == 0 { *time } else { time * slow })
                .collect::<Vec<f64>>()
        };
        let ratio = Spread::of_ratio(&disturbed(3.0), &disturbed(1.1));
        assert!((0.95..1.05).contains(&ratio.median), "{ratio}");
        assert!((100.0..105.0).contains(&Spread::undisturbed(&disturbed(2.0)).median));
    }
}
