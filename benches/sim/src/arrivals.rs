//! What reached a server, and when.

use std::{ops::Range, time::Duration};

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was executed.
    Served,
    /// It was one too many.
    Throttled,
    /// There was nobody to execute it.
    Down,
}

/// One request that reached a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When, since the server began.
    pub at: Duration,
    /// What became of it.
    pub fate: Fate,
}

/// All of them, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Arrivals(Vec<Arrival>);

// === impl Arrivals ===

impl Arrivals {
    /// Notes one more.
    pub fn note(&mut self, at: Duration, fate: Fate) {
        self.0.push(Arrival { at, fate });
    }

    /// Those within `span`, its end excluded.
    pub fn within(&self, span: Range<Duration>) -> impl Iterator<Item = &Arrival> {
        self.0.iter().filter(move |one| span.contains(&one.at))
    }

    /// How many there were within `span`.
    #[must_use]
    pub fn count(&self, span: Range<Duration>) -> usize {
        self.within(span).count()
    }

    /// How many of this fate there were within `span`.
    #[must_use]
    pub fn count_of(&self, fate: Fate, span: Range<Duration>) -> usize {
        self.within(span).filter(|one| one.fate == fate).count()
    }

    /// How many of these fates there were in each `bucket` of time, up to `end`.
    #[must_use]
    pub fn histogram(&self, fates: &[Fate], bucket: Duration, end: Duration) -> Vec<u32> {
        let at = |time: Duration| time.as_nanos() / bucket.as_nanos().max(1);
        let buckets = usize::try_from(at(end)).unwrap_or_default();
        let mut counts = vec![0; buckets];
        for one in &self.0 {
            let counted = usize::try_from(at(one.at)).ok();
            let counted = counted.and_then(|at| counts.get_mut(at));
            if let Some(count) = counted.filter(|_| fates.contains(&one.fate)) {
                *count += 1;
            }
        }
        counts
    }
}

impl FromIterator<Arrival> for Arrivals {
    fn from_iter<I: IntoIterator<Item = Arrival>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use Fate::{Down, Served, Throttled};

    use super::*;

    /// Arrivals at these milliseconds.
    pub(crate) fn at(fate: Fate, times: &[u64]) -> impl Iterator<Item = Arrival> {
        let times = times.iter().map(|ms| Duration::from_millis(*ms));
        times.map(move |at| Arrival { at, fate })
    }

    #[test]
    fn a_span_has_its_beginning_and_not_its_end() {
        let all: Arrivals = at(Served, &[0, 10, 20, 30])
            .chain(at(Throttled, &[20]))
            .collect();
        let span = Duration::from_millis(10)..Duration::from_millis(30);
        assert_eq!(all.count(span.clone()), 3);
        assert_eq!(all.count_of(Throttled, span.clone()), 1);
        assert_eq!(all.count_of(Down, span), 0);
    }

    #[test]
    fn a_histogram_counts_what_is_asked_for_where_it_belongs() {
        let all: Arrivals = at(Served, &[0, 99, 100, 250, 300])
            .chain(at(Throttled, &[101]))
            .collect();
        let tenth = Duration::from_millis(100);
        let counts = |fates: &[Fate]| all.histogram(fates, tenth, tenth * 3);
        assert_eq!(counts(&[Served]), [2, 1, 1]);
        assert_eq!(counts(&[Served, Throttled]), [2, 2, 1]);
        assert_eq!(counts(&[Down]), [0, 0, 0]);
    }
}
