//! Do retries end, and do they leave a provider that is down alone?

use std::time::Duration;

use super::{ATTEMPTS, OUTAGE_OPERATIONS};
use crate::stats::peak::{self, Back, WINDOW_MS};
use crate::trace::{Entry, Outcome, Trace};
use crate::verdict::{Judgement, counted};

/// Requests for each operation that an outage may cost.
pub(super) const AMPLIFICATION: usize = 4;
/// A request that was under way when the hook came back is no further attempt.
const UNDER_WAY: Duration = Duration::from_millis(100);
/// Of 50 operations, so many must have been seen.
const SEEN: usize = 40;
/// Of a trace of hundreds, so many are shown.
const SHOWN: usize = 12;

pub(super) fn retries_end(trace: &Trace) -> Judgement {
    let attempts = trace.attempts("a");
    let failed: Vec<&Entry> = attempts
        .iter()
        .filter(|e| e.status() == Some(500))
        .copied()
        .collect();
    let (Some(first), Some(last)) = (failed.first(), failed.last()) else {
        return Judgement::inconclusive("no 500 was answered", "a create that is answered 500");
    };
    let said = trace.call("create", "a");
    let over = last.at.saturating_sub(first.at).as_secs_f64();
    let observed = format!(
        "{} within {over:.1} s, the subject {}",
        counted(failed.len(), "attempt"),
        said.map_or("said nothing".to_owned(), Outcome::words),
    );
    let ended = trace.moment("ended");
    let went_on = ended.is_some_and(|ended| last.at > ended + UNDER_WAY);
    if failed.len() > ATTEMPTS {
        Judgement::fail(
            observed,
            format!("an operation was tried more than {ATTEMPTS} times within a minute"),
        )
    } else if ended.is_none() || said.and_then(Outcome::ok).is_none() {
        Judgement::inconclusive(observed, "an end of the operation within the minute")
    } else if said.and_then(Outcome::ok) == Some(true) {
        Judgement::inconclusive(
            observed,
            "an error: the hook says that the create worked, which was answered 500 throughout",
        )
    } else if went_on {
        Judgement::inconclusive(
            observed,
            "an end: attempts went on after the failure was reported",
        )
    } else {
        Judgement::pass(observed)
    }
    .because_of(failed)
}

pub(super) fn an_outage_is_not_amplified(trace: &Trace) -> Judgement {
    let mut operations = trace.operations("a");
    for operation in &mut operations {
        // The replay after a renewal of the token is no load that an outage makes.
        operation.retain(|e| e.status() != Some(401));
    }
    let requests: usize = operations.iter().map(Vec::len).sum();
    if operations.is_empty() {
        return Judgement::inconclusive("no operation was seen", "operations during an outage");
    }
    let load = format!(
        "{} for {}: {:.1} for each",
        counted(requests, "request"),
        counted(operations.len(), "operation"),
        requests as f64 / operations.len() as f64
    );
    let loudest = operations.iter().max_by_key(|o| o.len());
    if requests > AMPLIFICATION * operations.len() {
        return Judgement::fail(
            load,
            format!("an outage costs more than {AMPLIFICATION} requests for each operation"),
        )
        .because_of(loudest.into_iter().flatten().copied().take(SHOWN));
    }
    if operations.len() < SEEN {
        return Judgement::inconclusive(
            load,
            format!("{SEEN} of the {OUTAGE_OPERATIONS} operations"),
        );
    }
    let Some(healed) = trace.moment("healed") else {
        return Judgement::inconclusive(load, "the moment of the recovery");
    };
    let (back, entries): (Vec<Back>, Vec<&Entry>) = operations
        .iter()
        .filter_map(|operation| came_back(operation, healed))
        .unzip();
    let Some(peak) = peak::peak(&back) else {
        return Judgement::pass(format!(
            "{load}; {} still tried at the recovery",
            match back.len() {
                0 => "none".to_owned(),
                n => n.to_string(),
            }
        ));
    };
    let observed = format!(
        "{load}; {} came back after the recovery, at most {} within {WINDOW_MS:.0} ms, where an even spread has {:.1}",
        back.len(),
        peak.most,
        peak.even
    );
    if peak.synchronous {
        Judgement::fail(
            observed,
            "at the recovery the retries come together: more than twice what an even spread has, and more than chance makes of that",
        )
        .because_of(entries.into_iter().take(SHOWN))
    } else {
        Judgement::pass(observed)
    }
}

/// The first attempt of an operation after the recovery, if it had failed before.
fn came_back<'e>(operation: &[&'e Entry], healed: Duration) -> Option<(Back, &'e Entry)> {
    let back = operation.iter().position(|e| e.at >= healed)?;
    let before = operation.get(back.checked_sub(1)?)?;
    let back = *operation.get(back)?;
    let ms = |d: Duration| d.as_secs_f64() * 1_000.0;
    let told = Back {
        at_ms: ms(back.at),
        waited_ms: ms(before.gap_to(back)),
    };
    Some((told, back))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    /// So many attempts, 300 ms apart.
    fn attempts(n: u64) -> Trace {
        (0..n).fold(Trace::default().with_mark("a"), |trace, i| {
            trace.push(Entry::create("m-a", 300 * i, 500, "k"))
        })
    }

    fn ended(n: u64, ok: bool) -> Trace {
        attempts(n)
            .called("create", "a", ok, "")
            .at_moment("ended", 300 * n)
    }

    fn ends(trace: &Trace) -> Verdict {
        retries_end(trace).verdict
    }

    #[test]
    fn ten_attempts_and_an_error_are_an_end_and_eleven_are_none() {
        for n in [1, 5, 10] {
            assert_eq!(ends(&ended(n, false)), Verdict::Pass, "{n}");
        }
        assert_eq!(ends(&ended(11, false)), Verdict::Fail);
        // Whatever it says of it, and whether it came to an end at all.
        assert_eq!(ends(&ended(11, true)), Verdict::Fail);
        assert_eq!(ends(&attempts(11)), Verdict::Fail);
        assert_eq!(retries_end(&attempts(11)).evidence.len(), 11);
    }

    #[test]
    fn without_an_end_that_was_reported_nothing_is_proven() {
        assert_eq!(ends(&attempts(10)), Verdict::Inconclusive);
        assert_eq!(ends(&ended(3, true)), Verdict::Inconclusive);
        let hangs = attempts(3).asked("create", "a", Outcome::TimedOut);
        assert_eq!(ends(&hangs), Verdict::Inconclusive);
        let hangs = hangs.at_moment("ended", 30_000);
        assert_eq!(ends(&hangs), Verdict::Inconclusive);
    }

    #[test]
    fn attempts_after_the_report_of_a_failure_are_no_end() {
        // The third was sent at 600 ms.
        let reported = |at| {
            attempts(3)
                .called("create", "a", false, "")
                .at_moment("ended", at)
        };
        assert_eq!(ends(&reported(500)), Verdict::Pass, "it was under way");
        assert_eq!(ends(&reported(499)), Verdict::Inconclusive);
    }

    #[test]
    fn what_succeeds_after_the_outage_is_no_attempt_of_it() {
        let healed = attempts(10).push(Entry::create("m-a", 9_000, 201, "k"));
        let healed = healed.called("create", "a", true, "");
        assert_eq!(ends(&healed), Verdict::Inconclusive);
        let never = Trace::default()
            .with_mark("a")
            .push(Entry::create("m-a", 0, 201, "k"));
        assert_eq!(ends(&never), Verdict::Inconclusive);
    }

    /// `n` operations at once, with attempts at these times for each.
    fn outage(n: u64, at: impl Fn(u64) -> Vec<u64>) -> Trace {
        let mut sent: Vec<(u64, u64)> = (0..n)
            .flat_map(|op| at(op).into_iter().map(move |at| (at, op)))
            .collect();
        sent.sort_unstable();
        let trace = Trace::default().with_mark("a").at_moment("healed", 20_000);
        sent.into_iter().fold(trace, |trace, (at, op)| {
            let status = if at < 20_000 { 503 } else { 201 };
            trace.push(Entry::create(&format!("m-a-{op}"), at, status, "k"))
        })
    }

    fn amplified(trace: &Trace) -> Verdict {
        an_outage_is_not_amplified(trace).verdict
    }

    #[test]
    fn four_requests_for_each_operation_are_allowed_and_one_more_is_not() {
        let four = outage(50, |op| vec![op, 300 + op, 900, 2_000]);
        assert_eq!(amplified(&four), Verdict::Pass);
        let judgement = an_outage_is_not_amplified(&four);
        assert!(
            judgement.observed.contains("none still tried"),
            "{judgement:?}"
        );
        let more = outage(50, |op| match op {
            7 => vec![0, 300, 900, 2_000, 4_000],
            _ => vec![0, 300, 900, 2_000],
        });
        assert_eq!(amplified(&more), Verdict::Fail);
        assert_eq!(an_outage_is_not_amplified(&more).evidence.len(), 5);
    }

    #[test]
    fn the_renewal_of_a_token_costs_nothing() {
        let mut four = outage(50, |op| vec![op, 300 + op, 900, 2_000]);
        four = four.push(Entry::create("m-a-3", 2, 401, "k"));
        assert_eq!(amplified(&four), Verdict::Pass);
    }

    #[test]
    fn a_part_of_the_operations_can_convict_but_not_acquit() {
        let few = outage(39, |_| vec![0, 300, 900]);
        assert_eq!(amplified(&few), Verdict::Inconclusive);
        assert_eq!(amplified(&outage(40, |_| vec![0, 300, 900])), Verdict::Pass);
        let few = outage(5, |_| (0..20).map(|i| 50 * i).collect());
        assert_eq!(amplified(&few), Verdict::Fail);
    }

    #[test]
    fn retries_in_lockstep_are_a_peak_at_the_recovery_and_spread_ones_are_none() {
        let lockstep = outage(50, |_| vec![0, 1_000, 15_000, 23_000]);
        assert_eq!(amplified(&lockstep), Verdict::Fail);
        let judgement = an_outage_is_not_amplified(&lockstep);
        assert!(judgement.reason.contains("come together"), "{judgement:?}");
        let spread = outage(50, |op| vec![0, 1_000, 15_000, 20_100 + 100 * op]);
        assert_eq!(amplified(&spread), Verdict::Pass);
        // Eleven are too few to be told from chance.
        let few = outage(50, |op| match op {
            ..11 => vec![0, 1_000, 15_000, 23_000],
            _ => vec![0, 1_000],
        });
        assert_eq!(amplified(&few), Verdict::Pass);
    }

    #[test]
    fn what_first_came_after_the_recovery_did_not_come_back() {
        let late = outage(50, |op| match op {
            ..45 => vec![0, 500],
            _ => vec![21_000],
        });
        assert_eq!(amplified(&late), Verdict::Pass);
    }

    #[test]
    fn without_a_recovery_there_is_no_verdict_about_it() {
        let mut trace = outage(50, |_| vec![0]);
        trace.moments.clear();
        assert_eq!(amplified(&trace), Verdict::Inconclusive);
    }
}
