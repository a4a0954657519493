//! RETRY: what is tried again, and when.

mod bounds;
mod broken;
mod garbled;
mod growth;
mod hints;
mod jitter;
mod once;

use std::time::Duration;

use self::bounds::{AMPLIFICATION, an_outage_is_not_amplified, retries_end};
use self::broken::broken_connections_are_retried;
use self::garbled::strange_answers_are_survived;
use self::growth::delays_grow;
use self::hints::{retry_after_is_obeyed, the_reset_is_obeyed};
use self::jitter::delays_are_spread;
use self::once::{client_errors_are_not_retried, transient_failures_are_retried};
use crate::boxes::BoxId::R2;
use crate::case::Level::{Must, Should};
use crate::case::{Answer, Case, Page, Step, Times};

const BOX_R2: &str = "checklist R2: \"429 and 500 retried with exponential backoff and jitter\"";
const RETRY_AFTER: &str = "RFC 9110 §10.2.3: Retry-After says \"how long the user agent ought to wait before making a follow-up request\", as seconds or as an HTTP-date";
const RATE_LIMITS: &str = "provider, Rate limits: \"a 429 may carry only Reset, and the next attempt must not come before it\"; a Reset of 1e9 or more is a Unix time";

const LOST_ANSWERS: &str = "RFC 9110 §9.2.2: a client \"SHOULD NOT automatically retry a request with a non-idempotent method unless it has some means to know that the request semantics are actually idempotent\"; an idempotency key is that means (checklist R1: \"the same one on its retries\")";

/// Operations of RETRY-02.
const OPERATIONS: u32 = 60;
/// Operations of RETRY-03.
const PARALLEL: u32 = 8;
/// Attempts of RETRY-04, and how long it may take to come to an end.
const ATTEMPTS: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// How long connections are refused in RETRY-09.
const REFUSED: Duration = Duration::from_millis(120);
/// Operations and outage of RETRY-10.
const OUTAGE_OPERATIONS: u32 = 50;
const OUTAGE: Duration = Duration::from_secs(20);
/// How long a subject may be careful after an outage, before the next case.
const RECOVERY: Duration = Duration::from_secs(10);
/// The cases that make many operations fail are run late: they use up budgets
/// and open circuit breakers, which must not count against a subject elsewhere.
const LATE: u8 = 1;
/// The one that may kill the subject comes last of all.
const LAST: u8 = 4;
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
            "a permanent 500 on 60 operations at once",
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
        )
        .in_turn(LATE),
    Case::new("RETRY-03", R2, Must)
        .says(
            "a permanent 500 on 8 operations at once, while timers of the checker's own say what this machine's noise is",
            "the n-th delays are at least 10 % of their median apart, the shortest and the longest left out (5 to 10 % is inconclusive). Jitter of ±10 % or more is convicted in fewer than 1 of 10,000 runs",
            "two delays or more, and all of them less than 5 % apart, noise included",
        )
        .rests_on(
            BOX_R2,
            "draw each delay at random, best between 0 and the exponential ceiling (full jitter): operations that fail together must not come back together",
        )
        .ready(
            &[
                Step::FailCreate("a", Times::Always, Answer::Problem(500, "internal")),
                Step::CreateTimed("a", PARALLEL),
            ],
            delays_are_spread,
        )
        .in_turn(LATE),
    Case::new("RETRY-04", R2, Must)
        .says(
            "a permanent 500 for 60 s, or until the subject has reported the failure and been quiet for as long as its longest delay",
            "at most 10 attempts, then it stops and surfaces the error",
            "more than 10 attempts within these 60 s",
        )
        .rests_on(
            BOX_R2,
            "bound the attempts and the time of an operation, and hand the last error to the caller",
        )
        .ready(
            &[
                Step::FailCreate("a", Times::Always, Answer::Problem(500, "internal")),
                Step::CreateToTheEnd("a", 1, ATTEMPTS, MINUTE),
            ],
            retries_end,
        )
        .in_turn(LATE),
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
    Case::new("RETRY-08", R2, Should)
        .says(
            "502, 503 and 504, each with a page of HTML, an empty body and a truncated JSON document; the same status with a problem document, and creates without any fault before and after (controls)",
            "retried or a clean error, no crash",
            "the hook breaks (its connection closes, a 500 of its framework, a signal), and not for the problem document; or it is gone afterwards",
        )
        .rests_on(
            "RFC 9110 §15.6: the server \"SHOULD send a representation containing an explanation of the error situation\", so it need not; a proxy in front of the API knows nothing of its errors",
            "go by the status first; read an error body as JSON only where it is, and treat anything else as an error without details",
        )
        .ready(
            &[
                Step::AwaitSuccess("before", RECOVERY),
                Step::FailCreate("json", Times::Always, Answer::Problem(502, "bad_gateway")),
                Step::FailCreate("502-html", Times::Always, Answer::Page(502, Page::Html)),
                Step::FailCreate("502-empty", Times::Always, Answer::Page(502, Page::Empty)),
                Step::FailCreate("502-truncated", Times::Always, Answer::Page(502, Page::Truncated)),
                Step::FailCreate("503-html", Times::Always, Answer::Page(503, Page::Html)),
                Step::FailCreate("503-empty", Times::Always, Answer::Page(503, Page::Empty)),
                Step::FailCreate("503-truncated", Times::Always, Answer::Page(503, Page::Truncated)),
                Step::FailCreate("504-html", Times::Always, Answer::Page(504, Page::Html)),
                Step::FailCreate("504-empty", Times::Always, Answer::Page(504, Page::Empty)),
                Step::FailCreate("504-truncated", Times::Always, Answer::Page(504, Page::Truncated)),
                Step::CreateTogether(&["json"]),
                Step::CreateTogether(&PAGES),
                Step::AwaitSuccess("after", RECOVERY),
            ],
            strange_answers_are_survived,
        )
        .judging_broken_hooks()
        .in_turn(LAST),
    Case::new("RETRY-09", R2, Should)
        .says(
            "the connection is reset; connections are refused for 120 ms; half of the answer's body arrives, of a create that was processed. Then a 503 (control)",
            "retried with the same key when keyed",
            "given up as failed though keyed, while the control is retried; or retried with another key",
        )
        .rests_on(
            LOST_ANSWERS,
            "retry what was lost on the way with the same key, also when the body of an answer breaks off; a refused connection is safe to retry always",
        )
        .ready(
            &[
                Step::FailCreate("reset", Times::Once, Answer::Reset),
                Step::Create("reset"),
                Step::CountCustomers("reset"),
                Step::FailCreate("half", Times::Once, Answer::HalfAnswer),
                Step::Create("half"),
                Step::CountCustomers("half"),
                Step::Create("warm"),
                Step::CreateWhileRefused("refused", REFUSED),
                Step::FailCreate("control", Times::Once, Answer::Problem(503, "unavailable")),
                Step::Create("control"),
            ],
            broken_connections_are_retried,
        )
        .judging_broken_hooks(),
    Case::new("RETRY-10", R2, Should)
        .says(
            "503 on 50 operations at once, until the subject has given all of them up and been quiet, for 20 s at most; then recovery. A longer outage adds nothing to what was given up, so it is not waited for",
            "at most 4 requests for each operation; at the recovery no synchronous peak: in any 200 ms no more than twice what an even spread over the delays would have, and chance. Full, equal and decorrelated jitter are convicted in fewer than 1 of 1,000 runs",
            "above either (an outage is ended early once there were more than 200 requests)",
        )
        .rests_on(
            BOX_R2,
            "bound the retries of all operations together by a budget (a fifth of the calls, say), and spread them by jitter, so that a provider that comes back is not brought down again",
        )
        .ready(
            &[
                Step::FailCreate("a", Times::Always, Answer::Problem(503, "unavailable")),
                Step::CreateToTheEnd(
                    "a",
                    OUTAGE_OPERATIONS,
                    AMPLIFICATION * OUTAGE_OPERATIONS as usize,
                    OUTAGE,
                ),
                Step::AwaitSuccess("after", RECOVERY),
            ],
            an_outage_is_not_amplified,
        )
        .in_turn(LATE),
];

const PAGES: [&str; 9] = [
    "502-html",
    "502-empty",
    "502-truncated",
    "503-html",
    "503-empty",
    "503-truncated",
    "504-html",
    "504-empty",
    "504-truncated",
];
const STATUSES: [&str; 5] = ["400", "403", "404", "409", "422"];
