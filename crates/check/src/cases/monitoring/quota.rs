//! Is a quota that is used up left alone?

use std::time::Duration;

use super::{LATER, QUOTA};
use crate::trace::{Entry, Trace};
use crate::verdict::{Judgement, counted};

/// How far two readings of a clock may be apart.
const CLOCK: Duration = Duration::from_millis(100);
/// A reset has whole seconds, so rounding may cost one.
const ROUNDING: Duration = Duration::from_secs(1);

/// NOTE: what was under way when the answer with 0 was sent is no violation, and
/// none is mistaken for one: only operations are judged that were asked for when
/// the calls before them had come back, so that the subject had the answer, and
/// 100 ms more.
pub(super) fn a_used_up_quota_is_left_alone(trace: &Trace) -> Judgement {
    let creates = trace.operations("a").into_iter().flatten();
    let mut told: Vec<(&Entry, Duration, Duration)> = creates
        .filter_map(|e| trace.used_up(e).map(|(told, reset)| (e, told, reset)))
        .collect();
    told.sort_by_key(|(e, ..)| e.seq);
    let Some((zero, told, reset)) = told.first().copied() else {
        return Judgement::inconclusive(
            "no create was answered X-RateLimit-Remaining: 0",
            format!("{QUOTA} requests within the window"),
        );
    };
    let Some(asked) = trace.moment("asked") else {
        return Judgement::inconclusive("nothing was asked for afterwards", "work to do");
    };
    let wait = reset.saturating_sub(asked);
    let operations = trace.operations("b");
    let mut later: Vec<&Entry> = operations.into_iter().flatten().collect();
    later.sort_by_key(|e| e.seq);
    let came = match later.first() {
        Some(first) if first.at >= reset => format!(
            "the first came {:.2} s after the reset",
            (first.at - reset).as_secs_f64()
        ),
        Some(first) => format!(
            "the first came {:.2} s before the reset",
            (reset - first.at).as_secs_f64()
        ),
        None => "none was sent".to_owned(),
    };
    let observed = format!(
        "0 remaining at {:.2} s, {} asked for {:.2} s before the reset: {came}",
        told.as_secs_f64(),
        counted(LATER, "operation"),
        wait.as_secs_f64()
    );
    let control = trace.took("create", "warm");
    // A refusal tells it, too, and so does one of something else that it does.
    let first = later.first().map_or(u64::MAX, |e| e.seq);
    let mut refused = trace.requests.iter().filter(|e| e.seq < first);
    let was_refused = refused.any(|e| e.status() == Some(429));
    let early = |e: &&&Entry| reset.saturating_sub(e.at) > ROUNDING;
    let evidence = [zero].into_iter().chain(later.iter().copied()).take(12);
    let evidence: Vec<&Entry> = evidence.collect();
    if asked <= told || trace.said("a").is_none() {
        Judgement::inconclusive(observed, "operations that are asked for after the answer was read")
    } else if wait <= ROUNDING + CLOCK {
        Judgement::inconclusive(observed, "time between the answer with 0 and the reset")
    } else if later.iter().filter(early).count() > 0 && trace.one_process_per_hook {
        Judgement::inconclusive(
            observed,
            "a driver over HTTP on one long-running process: with a process for each hook nobody remembers the answer",
        )
    } else if later.iter().filter(early).count() > 0 {
        Judgement::fail(
            observed,
            "a request was sent between X-RateLimit-Remaining: 0 and the reset",
        )
    } else if later
        .first()
        // One that was served came after the true end of the window, which is rounded up.
        .is_some_and(|e| e.at + CLOCK < reset && !e.succeeded())
    {
        Judgement::inconclusive(
            observed,
            "a first request that is early by no more than rounding explains",
        )
    } else if was_refused {
        Judgement::inconclusive(
            observed,
            "no 429 before, which says the same as the answer with 0",
        )
    } else if control.is_none_or(|took| took > wait / 2) {
        Judgement::inconclusive(
            observed,
            "a subject that does not take so long without any limit, too (control)",
        )
    } else if later.is_empty() && trace.said("b") != Some(false) {
        Judgement::inconclusive(observed, "the operations that were asked for, or an error of them")
    } else if later.is_empty() {
        Judgement::pass(format!("{observed}, and reported as failed"))
    } else {
        Judgement::pass(observed)
    }
    .because_of(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Outcome;
    use crate::verdict::Verdict;

    /// The quota is used up at 1,009 ms, and resets at 6,000 ms.
    fn used_up() -> Trace {
        let trace = Trace::default()
            .called("create", "warm", true, "")
            .taking(20)
            .with_mark("a")
            .with_mark("b");
        (0..QUOTA)
            .fold(trace, |trace, n| {
                let at = 1_000 + u64::from(n);
                let create = Entry::create(&format!("m-a-{n}"), at, 201, "k");
                trace.push(
                    create
                        .answering("x-ratelimit-remaining", &(QUOTA - 1 - n).to_string())
                        .answering("x-ratelimit-reset", "1000000006"),
                )
            })
            .called("create-many", "a", true, "")
            .at_moment("asked", 1_200)
            .at_wall(1_000_000_000)
    }

    impl Trace {
        fn at_wall(mut self, seconds: u64) -> Self {
            self.wall_zero = Duration::from_secs(seconds);
            self
        }
    }

    fn later(at: &[u64]) -> Trace {
        let trace = used_up().called("create-many", "b", true, "");
        at.iter().enumerate().fold(trace, |trace, (n, at)| {
            trace.push(Entry::create(&format!("m-b-{n}"), *at, 201, "k"))
        })
    }

    fn verdict(trace: &Trace) -> Verdict {
        a_used_up_quota_is_left_alone(trace).verdict
    }

    #[test]
    fn what_waits_for_the_reset_passes_and_what_goes_on_fails() {
        assert_eq!(verdict(&later(&[6_000, 6_100, 6_200])), Verdict::Pass);
        assert_eq!(verdict(&later(&[1_201, 1_202, 1_203])), Verdict::Fail);
        assert_eq!(verdict(&later(&[1_201, 6_100, 6_200])), Verdict::Fail);
        let judgement = a_used_up_quota_is_left_alone(&later(&[1_201]));
        assert_eq!(
            judgement.evidence.len(),
            2,
            "the answer with 0, and the request"
        );
    }

    #[test]
    fn clocks_may_differ_and_a_reset_is_rounded() {
        assert_eq!(verdict(&later(&[5_900])), Verdict::Pass);
        let refused = |at| {
            let trace = used_up().called("create-many", "b", true, "");
            trace.push(Entry::create("m-b-0", at, 429, "k"))
        };
        assert_eq!(verdict(&refused(5_900)), Verdict::Pass);
        assert_eq!(verdict(&refused(5_899)), Verdict::Inconclusive);
        assert_eq!(verdict(&refused(5_000)), Verdict::Inconclusive);
        // Served, so the window had ended.
        assert_eq!(verdict(&later(&[5_899])), Verdict::Pass);
        assert_eq!(verdict(&later(&[5_000])), Verdict::Pass);
        assert_eq!(verdict(&later(&[4_999])), Verdict::Fail);
    }

    #[test]
    fn a_reset_in_seconds_is_counted_from_the_answer() {
        let mut trace = later(&[6_010]);
        for entry in &mut trace.requests {
            let Entry { answer, .. } = entry;
            if let crate::trace::Reply::Answered { headers, .. } = answer {
                headers.retain(|(name, _)| name != "x-ratelimit-reset");
                headers.push(("x-ratelimit-reset".to_owned(), "5".to_owned()));
            }
        }
        // Told at 1,010 ms.
        assert_eq!(verdict(&trace), Verdict::Pass);
        let last = trace.requests.len() - 1;
        trace.requests[last].at = Duration::from_millis(5_009);
        assert_eq!(verdict(&trace), Verdict::Fail);
    }

    #[test]
    fn nothing_is_sent_and_an_error_shown_is_as_good() {
        let refused = used_up().called("create-many", "b", false, "");
        assert_eq!(verdict(&refused), Verdict::Pass);
        let forgotten = later(&[]);
        assert_eq!(verdict(&forgotten), Verdict::Inconclusive);
        let hangs = used_up().asked("create-many", "b", Outcome::TimedOut);
        assert_eq!(verdict(&hangs), Verdict::Inconclusive);
    }

    #[test]
    fn without_work_that_was_held_back_there_is_no_proof() {
        let never = later(&[6_000]);
        let unlimited = |trace: Trace| {
            let mut trace = trace;
            trace.requests.retain(|e| !e.body.contains("m-a-9"));
            trace
        };
        assert_eq!(verdict(&unlimited(never.clone())), Verdict::Inconclusive);
        let mut unasked = never.clone();
        unasked.moments.clear();
        assert_eq!(verdict(&unasked), Verdict::Inconclusive);
        // Asked for when the reset was near anyway.
        let near = never.clone().at_moment("asked", 4_900);
        assert_eq!(verdict(&near), Verdict::Inconclusive);
        let time_enough = never.clone().at_moment("asked", 4_899);
        assert_eq!(verdict(&time_enough), Verdict::Pass);
        // A subject that is slow without any limit, too.
        let mut slow = never;
        slow.calls[0].took = Duration::from_millis(2_401);
        assert_eq!(verdict(&slow), Verdict::Inconclusive);
        slow.calls[0].took = Duration::from_millis(2_400);
        assert_eq!(verdict(&slow), Verdict::Pass);
    }

    #[test]
    fn who_was_refused_meanwhile_need_not_have_read_the_answer_with_0() {
        let refused = |at| {
            let mut call_back = Entry::call_back("x", at);
            call_back.answer = crate::trace::by_hand::answered(429);
            let trace = used_up().push(call_back);
            let trace = trace.called("create-many", "b", true, "");
            trace.push(Entry::create("m-b-0", 6_000, 201, "k"))
        };
        assert_eq!(verdict(&refused(1_300)), Verdict::Inconclusive);
        // Its own refusal is what convicts it, if it was early.
        let own = used_up().called("create-many", "b", true, "");
        let own = own.push(Entry::create("m-b-0", 1_201, 429, "k"));
        assert_eq!(verdict(&own), Verdict::Fail);
    }

    #[test]
    fn what_may_not_have_read_the_answer_is_not_convicted() {
        let unread = later(&[1_201]).asked("create-many", "a", Outcome::TimedOut);
        assert_eq!(verdict(&unread), Verdict::Inconclusive);
        let mut processes = later(&[1_201]);
        processes.one_process_per_hook = true;
        assert_eq!(verdict(&processes), Verdict::Inconclusive);
        let mut waits = later(&[6_001]);
        waits.one_process_per_hook = true;
        assert_eq!(verdict(&waits), Verdict::Pass);
    }
}
