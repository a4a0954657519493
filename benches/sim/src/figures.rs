//! What a run is judged by.

use std::{ops::Range, time::Duration};

use crate::{Arrivals, Fate, Operation, Quota};

/// How a client fared with a server that allows so much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttling {
    /// Requests that the server got.
    pub requests: usize,
    /// The part of them that it refused.
    pub refused: f64,
    /// What it served, as a part of what it would have.
    pub throughput: f64,
    /// The part of the operations that failed in the end.
    pub failed: f64,
    /// The time that the slowest hundredth of the operations took, at least.
    pub p99: Duration,
}

/// How clients went through an outage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Storm {
    /// Requests for each operation that was begun during the outage, those that it had under way
    /// included.
    pub amplification: f64,
    /// The same over the whole run.
    pub amplification_of_all: f64,
    /// Requests in the first second after the outage, as a multiple of those in a second before it.
    pub peak: f64,
    /// The same of the worst tenth of that second.
    pub peak_of_tenth: f64,
    /// The part of the operations of the whole run that failed in the end.
    pub failed: f64,
}

// === impl Throttling ===

impl Throttling {
    /// Of a run that began with the first window and lasted until `end`.
    #[must_use]
    pub fn of(arrivals: &Arrivals, operations: &[Operation], quota: Quota, end: Duration) -> Self {
        let all = Duration::ZERO..end;
        let requests = arrivals.count(all.clone());
        let allowed = f64::from(quota.limit) * end.as_secs_f64() / quota.window.as_secs_f64();
        let mut took: Vec<_> = operations.iter().map(|one| one.ended - one.begun).collect();
        took.sort_unstable();
        Self {
            requests,
            refused: ratio(arrivals.count_of(Fate::Throttled, all.clone()), requests),
            throughput: arrivals.count_of(Fate::Served, all) as f64 / allowed,
            failed: failed(operations),
            p99: took.get(took.len() * 99 / 100).copied().unwrap_or_default(),
        }
    }
}

// === impl Storm ===

impl Storm {
    /// Of a run with an outage during `down`, steady since `steady`.
    #[must_use]
    pub fn of(
        arrivals: &Arrivals,
        operations: &[Operation],
        down: Range<Duration>,
        steady: Duration,
    ) -> Self {
        let begun = |span: &Range<Duration>| {
            let begun = operations.iter().filter(|one| span.contains(&one.begun));
            begun.count()
        };
        let all = Duration::ZERO..Duration::MAX;
        let second = Duration::from_secs(1);
        let tenth = second / 10;
        let before = (down.start - steady).as_secs_f64();
        let rate = arrivals.count(steady..down.start) as f64 / before;
        let tenths = (0..10).map(|at| down.end + at * tenth);
        let worst = tenths.map(|from| arrivals.count(from..from + tenth)).max();
        Self {
            amplification: ratio(arrivals.count(down.clone()), begun(&down)),
            amplification_of_all: ratio(arrivals.count(all.clone()), begun(&all)),
            peak: arrivals.count(down.end..down.end + second) as f64 / rate,
            peak_of_tenth: 10.0 * worst.unwrap_or_default() as f64 / rate,
            failed: failed(operations),
        }
    }
}

fn failed(operations: &[Operation]) -> f64 {
    let failed = operations.iter().filter(|one| !one.succeeded);
    ratio(failed.count(), operations.len())
}

/// Nothing of nothing is nothing.
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Counting, arrivals::tests::at};

    fn operations(begun: &[u64], succeeded: bool) -> Vec<Operation> {
        let begun = begun.iter().map(|ms| Duration::from_millis(*ms));
        let operation = |begun| Operation {
            begun,
            ended: begun + Duration::from_millis(5),
            succeeded,
        };
        begun.map(operation).collect()
    }

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    #[test]
    fn throttling_is_the_part_refused_and_the_part_of_the_quota_used() {
        let quota = Quota {
            limit: 4,
            window: Duration::from_secs(1),
            counting: Counting::Windows,
        };
        let arrivals: Arrivals = at(Fate::Served, &[0, 1, 2, 3, 1000, 1500])
            .chain(at(Fate::Throttled, &[4, 5]))
            // After the end.
            .chain(at(Fate::Served, &[2000]))
            .collect();
        let mut done = operations(&[0, 1, 2], true);
        done.extend(operations(&[3], false));
        let seen = Throttling::of(&arrivals, &done, quota, Duration::from_secs(2));
        assert_eq!(seen.requests, 8);
        assert!(close(seen.refused, 0.25));
        assert!(close(seen.throughput, 0.75));
        assert!(close(seen.failed, 0.25));
        assert_eq!(seen.p99, Duration::from_millis(5));
    }

    #[test]
    fn a_storm_is_measured_against_the_operations_and_against_the_time_before() {
        // Four in the two seconds before, so two in a second; the first second is none of them.
        let arrivals: Arrivals = at(Fate::Served, &[500, 1000, 1500, 2000, 2500])
            .chain(at(Fate::Down, &[3000, 3001, 3500]))
            .chain(at(Fate::Served, &[4000, 4050, 4100, 4999, 5000]))
            .collect();
        let mut done = operations(&[500, 1000, 1500, 2000, 2500, 4000, 4100], true);
        done.extend(operations(&[3000, 3500], false));
        let down = Duration::from_secs(3)..Duration::from_secs(4);
        let seen = Storm::of(&arrivals, &done, down, Duration::from_secs(1));
        assert!(close(seen.amplification, 1.5), "3 for 2");
        assert!(close(seen.amplification_of_all, 13.0 / 9.0), "13 for 9");
        assert!(close(seen.peak, 2.0), "4 to 2");
        assert!(close(seen.peak_of_tenth, 10.0), "2 in a tenth, to 2");
        assert!(close(seen.failed, 2.0 / 9.0));
    }

    #[test]
    fn a_run_without_anything_is_no_division_by_zero() {
        let quota = Quota {
            limit: 1,
            window: Duration::from_secs(1),
            counting: Counting::Windows,
        };
        let seen = Throttling::of(&Arrivals::default(), &[], quota, Duration::from_secs(1));
        assert!(close(seen.refused, 0.0) && close(seen.throughput, 0.0));
    }
}
