//! Measuring in turns: whatever else the machine does hits all contestants alike.

use std::fmt;

use tokio::time::Instant;

/// What the rounds of a measurement gave.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The value in the middle.
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
    for round in 0..rounds {
        for turn in 0..N {
            let contestant = if round % 2 == 0 { turn } else { N - 1 - turn };
            results[contestant].push(contest(contestant));
        }
    }
    results
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

    /// A count, which has none.
    #[must_use]
    pub fn exactly(count: u32) -> Self {
        Self::of([f64::from(count)])
    }
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
    }

    #[test]
    fn a_spread_is_the_median_between_its_quartiles() {
        let spread = Spread::of([5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!((spread.median, spread.range), (3.0, (2.0, 4.0)));
        assert_eq!(spread.to_string(), "3.00 [2.00 … 4.00]");
        assert_eq!(Spread::exactly(7).to_string(), "7.00");
    }
}
