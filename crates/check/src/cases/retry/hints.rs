//! Does the next attempt wait for as long as the server asked?

use std::time::Duration;

use super::WAIT;
use crate::trace::{Entry, Trace};
use crate::verdict::{Judgement, counted};

/// How far a timer may be off.
const TIMER: Duration = Duration::from_millis(20);
/// How far two readings of the wall clock may be apart.
const CLOCK: Duration = Duration::from_millis(100);
/// Dates and epochs have whole seconds, so rounding may cost one.
const ROUNDING: Duration = Duration::from_secs(1);

pub(super) fn retry_after_is_obeyed(trace: &Trace) -> Judgement {
    Judgement::of_parts(&[
        seconds_are_obeyed(trace, "a"),
        date_is_obeyed(trace, "b", "HTTP-date"),
    ])
}

pub(super) fn the_reset_is_obeyed(trace: &Trace) -> Judgement {
    date_is_obeyed(trace, "a", "reset")
}

fn seconds_are_obeyed(trace: &Trace, label: &str) -> Judgement {
    let attempts = trace.attempts(label);
    let [first, second, ..] = attempts.as_slice() else {
        return no_second_attempt("seconds", &attempts);
    };
    let gap = first.gap_to(second);
    let observed = format!("seconds: next attempt after {:.2} s", gap.as_secs_f64());
    if gap + TIMER < Duration::from_secs(u64::from(WAIT)) {
        Judgement::fail(
            observed,
            format!(
                "the server asked for {WAIT} s and was called after {:.2} s",
                gap.as_secs_f64()
            ),
        )
    } else {
        Judgement::pass(observed)
    }
    .because_of(attempts)
}

/// For a point in time that was given in whole seconds.
fn date_is_obeyed(trace: &Trace, label: &str, form: &str) -> Judgement {
    let attempts = trace.attempts(label);
    let (Some(not_before), [_, second, ..]) = (trace.not_before.get(label), attempts.as_slice())
    else {
        return no_second_attempt(form, &attempts);
    };
    let came = trace.wall(second.at);
    let early = not_before.saturating_sub(came);
    let observed = if came >= *not_before {
        format!(
            "{form}: next attempt {:.2} s after it",
            (came - *not_before).as_secs_f64()
        )
    } else {
        format!(
            "{form}: next attempt {:.2} s before it",
            early.as_secs_f64()
        )
    };
    if early > ROUNDING {
        Judgement::fail(observed, format!("the next attempt came before the {form}"))
    } else if early > CLOCK {
        Judgement::inconclusive(
            observed,
            "an attempt that is early by more than rounding explains",
        )
    } else {
        Judgement::pass(observed)
    }
    .because_of(attempts)
}

fn no_second_attempt(form: &str, attempts: &[&Entry]) -> Judgement {
    Judgement::inconclusive(
        format!("{form}: {}", counted(attempts.len(), "attempt")),
        format!("a second attempt after a 429 with {form}"),
    )
    .because_of(attempts.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    fn seconds(gap_ms: u64) -> Trace {
        Trace::default()
            .with_mark("a")
            .push(Entry::create("m-a", 0, 429, "k"))
            .push(Entry::create("m-a", 1 + gap_ms, 201, "k"))
    }

    #[test]
    fn an_attempt_before_retry_after_fails() {
        assert_eq!(
            seconds_are_obeyed(&seconds(3_000), "a").verdict,
            Verdict::Pass
        );
        assert_eq!(
            seconds_are_obeyed(&seconds(2_985), "a").verdict,
            Verdict::Pass
        );
        assert_eq!(
            seconds_are_obeyed(&seconds(2_900), "a").verdict,
            Verdict::Fail
        );
        assert_eq!(
            seconds_are_obeyed(&seconds(200), "a").verdict,
            Verdict::Fail
        );
    }

    #[test]
    fn giving_up_on_a_hint_is_allowed_and_proves_nothing() {
        let lone = Trace::default()
            .with_mark("a")
            .push(Entry::create("m-a", 0, 429, "k"));
        assert_eq!(
            seconds_are_obeyed(&lone, "a").verdict,
            Verdict::Inconclusive
        );
    }

    fn dated(second_at_ms: u64) -> Trace {
        let mut trace = Trace::default()
            .with_mark("a")
            .push(Entry::create("m-a", 500, 429, "k"))
            .push(Entry::create("m-a", second_at_ms, 201, "k"));
        // The record began at 1,000.25 s; the reset is at 1,004 s, so 3,750 ms later.
        trace.wall_zero = Duration::from_millis(1_000_250);
        trace.not_before.insert("a", Duration::from_secs(1_004));
        trace
    }

    #[test]
    fn an_attempt_before_the_reset_fails_beyond_rounding() {
        assert_eq!(the_reset_is_obeyed(&dated(3_750)).verdict, Verdict::Pass);
        assert_eq!(the_reset_is_obeyed(&dated(3_700)).verdict, Verdict::Pass);
        assert_eq!(
            the_reset_is_obeyed(&dated(3_000)).verdict,
            Verdict::Inconclusive
        );
        assert_eq!(the_reset_is_obeyed(&dated(700)).verdict, Verdict::Fail);
        assert_eq!(the_reset_is_obeyed(&dated(60_000)).verdict, Verdict::Pass);
    }
}
