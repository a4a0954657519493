//! RETRY: what is tried again, and when.

mod growth;
mod hints;

use std::time::Duration;

use self::growth::delays_grow;
use self::hints::{retry_after_is_obeyed, the_reset_is_obeyed};
use crate::boxes::BoxId::R2;
use crate::case::Level::{Must, Should};
use crate::case::{Answer, Case, Step, Times};
use crate::trace::{Outcome, Trace};
use crate::verdict::{Judgement, counted};

const BOX_R2: &str = "checklist R2: \"429 and 500 retried with exponential backoff and jitter\"";
const RETRY_AFTER: &str = "RFC 9110 §10.2.3: Retry-After says \"how long the user agent ought to wait before making a follow-up request\", as seconds or as an HTTP-date";
const RATE_LIMITS: &str = "provider, Rate limits: \"a 429 may carry only Reset, and the next attempt must not come before it\"; a Reset of 1e9 or more is a Unix time";

/// Operations of RETRY-02.
const OPERATIONS: u32 = 40;
/// The seconds of RETRY-05.
const WAIT: u32 = 3;

pub(super) static CASES: &[Case] = &[
    Case::new("RETRY-01", R2, Must)
        .says("500 once; 429 once", "the operation succeeds", "no retry")
        .rests_on(BOX_R2, "retry 429 and 500; with an idempotency key this is safe for a POST, too")
        .ready(
            &[
                Step::FailCreate("a", Times::Once, Answer::Problem(500, "internal")),
                Step::FailCreate("b", Times::Once, Answer::TooMany),
                Step::Create("a"),
                Step::Create("b"),
            ],
            transient_failures_are_retried,
        ),
    Case::new("RETRY-02", R2, Must)
        .says(
            "a permanent 500 on 40 operations at once",
            "delays grow: the medians of the n-th delays have a ratio of at least 1.5, until the cap",
            "a constant or no delay",
        )
        .rests_on(BOX_R2, "double the delay with each attempt, up to a cap, and draw it at random below that")
        .ready(
            &[
                Step::FailCreate("a", Times::Always, Answer::Problem(500, "internal")),
                Step::CreateMany("a", OPERATIONS),
            ],
            delays_grow,
        ),
    Case::new("RETRY-03", R2, Must).says(
        "8 parallel operations, 500s",
        "a spread of the n-th delay of at least 10 % (5 to 10 % is inconclusive)",
        "below 5 %, after the noise of this machine was measured",
    ),
    Case::new("RETRY-04", R2, Must).says(
        "a permanent 500 for 60 s",
        "at most 10 attempts, then it stops and surfaces the error",
        "unbounded",
    ),
    Case::new("RETRY-05", R2, Must)
        .says(
            "429 with Retry-After: 3, and with an HTTP-date",
            "the next attempt not before that",
            "earlier",
        )
        .rests_on(RETRY_AFTER, "read both forms of Retry-After; add jitter above the hint, never below")
        .ready(
            &[
                // One after the other: a pause shared by all calls to an origin
                // would let one form hide that the other is ignored.
                Step::FailCreate("a", Times::Once, Answer::RetryAfterSeconds(WAIT)),
                Step::Create("a"),
                Step::FailCreate("b", Times::Once, Answer::RetryAfterDate(WAIT + 1)),
                Step::Create("b"),
            ],
            retry_after_is_obeyed,
        ),
    Case::new("RETRY-06", R2, Must)
        .says(
            "429 with only X-RateLimit-Reset (a Unix time)",
            "the next attempt not before the reset",
            "earlier",
        )
        .rests_on(RATE_LIMITS, "where there is no Retry-After, wait for X-RateLimit-Reset")
        .ready(
            &[
                Step::FailCreate("a", Times::Once, Answer::RateLimitReset(WAIT + 1)),
                Step::Create("a"),
            ],
            the_reset_is_obeyed,
        ),
    Case::new("RETRY-07", R2, Must)
        .says("400, 403, 404, 409, 422", "one attempt each", "retried")
        .rests_on(BOX_R2, "retry 429, 500, 502, 503, 504 and lost connections; a 4xx says that the request itself is wrong")
        .ready(
            &[
                Step::FailCreate("400", Times::Always, Answer::Problem(400, "invalid_request")),
                Step::FailCreate("403", Times::Always, Answer::Problem(403, "forbidden")),
                Step::FailCreate("404", Times::Always, Answer::Problem(404, "not_found")),
                Step::FailCreate(
                    "409",
                    Times::Always,
                    Answer::Problem(409, "customer_already_exists"),
                ),
                Step::FailCreate("422", Times::Always, Answer::Problem(422, "invalid_cpf")),
                Step::CreateTogether(&STATUSES),
                Step::Settle(Duration::from_millis(500)),
            ],
            client_errors_are_not_retried,
        ),
    Case::new("RETRY-08", R2, Should).says(
        "502, 503, 504 with an HTML body, an empty body, truncated JSON",
        "retried or a clean error, no crash",
        "the process dies",
    ),
    Case::new("RETRY-09", R2, Should).says(
        "reset, refused, half a response",
        "retried with the same key when keyed",
        "lost",
    ),
    Case::new("RETRY-10", R2, Should).says(
        "50 operations, an outage of 20 s, recovery",
        "amplification at most 4, no synchronous peak above twice the rate at recovery",
        "above",
    ),
];

const STATUSES: [&str; 5] = ["400", "403", "404", "409", "422"];

fn transient_failures_are_retried(trace: &Trace) -> Judgement {
    Judgement::of_parts(&[retried(trace, "a", 500), retried(trace, "b", 429)])
}

fn retried(trace: &Trace, label: &str, status: u16) -> Judgement {
    let attempts = trace.attempts(label);
    if attempts.first().and_then(|e| e.status()) != Some(status) {
        return Judgement::inconclusive(
            format!("no {status} was answered"),
            format!("a create that is answered {status}"),
        );
    }
    let said = trace.call("create", label);
    let observed = format!("{status}: {}", counted(attempts.len(), "attempt"));
    if attempts.iter().any(|e| e.succeeded()) {
        Judgement::pass(observed)
    } else if attempts.len() == 1 && said.and_then(Outcome::ok) == Some(false) {
        Judgement::fail(observed, format!("a single {status} was not retried"))
    } else {
        Judgement::inconclusive(observed, format!("a success after a single {status}"))
    }
    .because_of(attempts)
}

fn client_errors_are_not_retried(trace: &Trace) -> Judgement {
    let parts = STATUSES.iter().map(|label| {
        let attempts = trace.attempts(label);
        let observed = format!("{label}: {}", counted(attempts.len(), "attempt"));
        match attempts.len() {
            0 => Judgement::inconclusive(observed, format!("a create that is answered {label}")),
            // A client that still waits may still retry.
            1 if trace.call("create", label).and_then(Outcome::ok).is_none() => {
                Judgement::inconclusive(observed, format!("an end of the create answered {label}"))
            }
            1 => Judgement::pass(observed),
            n => Judgement::fail(observed, format!("{label} was sent {n} times")),
        }
        .because_of(attempts)
    });
    Judgement::of_parts(&parts.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Entry;
    use crate::verdict::Verdict;

    fn once(label: &'static str, first: u16, second: Option<u16>, ok: bool) -> Trace {
        let mark = format!("m-{label}");
        let mut trace = Trace::default()
            .with_mark(label)
            .push(Entry::create(&mark, 0, first, "k"));
        if let Some(status) = second {
            trace = trace.push(Entry::create(&mark, 100, status, "k"));
        }
        trace.called("create", label, ok, "")
    }

    #[test]
    fn a_transient_failure_wants_a_retry_that_succeeds() {
        assert_eq!(
            retried(&once("a", 500, Some(201), true), "a", 500).verdict,
            Verdict::Pass
        );
        assert_eq!(
            retried(&once("a", 500, None, false), "a", 500).verdict,
            Verdict::Fail
        );
        let queued = once("a", 500, None, true);
        assert_eq!(retried(&queued, "a", 500).verdict, Verdict::Inconclusive);
        assert_eq!(
            retried(&once("a", 201, None, true), "a", 500).verdict,
            Verdict::Inconclusive
        );
    }

    #[test]
    fn a_client_error_is_sent_once() {
        let all = |retried: Option<&str>| {
            STATUSES.iter().fold(Trace::default(), |trace, label| {
                let (mark, status) = (format!("m-{label}"), label.parse().unwrap());
                let trace = trace
                    .with_mark(label)
                    .push(Entry::create(&mark, 0, status, "k"));
                if retried == Some(label) {
                    trace.push(Entry::create(&mark, 300, status, "k"))
                } else {
                    trace
                }
            })
        };
        let waiting = client_errors_are_not_retried(&all(None));
        assert_eq!(
            waiting.verdict,
            Verdict::Inconclusive,
            "nobody said it ended"
        );
        let all = |retried| {
            STATUSES.iter().fold(all(retried), |trace, label| {
                trace.called("create", label, false, "")
            })
        };
        assert_eq!(
            client_errors_are_not_retried(&all(None)).verdict,
            Verdict::Pass
        );
        let judgement = client_errors_are_not_retried(&all(Some("422")));
        assert_eq!(judgement.verdict, Verdict::Fail);
        assert_eq!(judgement.reason, "422 was sent 2 times");
        assert_eq!(judgement.evidence.len(), 2);
    }
}
