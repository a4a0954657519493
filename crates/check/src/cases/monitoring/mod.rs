//! MON: what operators get to know.

mod errors;
mod quota;
mod stuck;

use std::time::Duration;

use crate::boxes::BoxId::{M1, M2, M3};
use crate::case::Level::{Must, Should};
use crate::case::{Answer, Case, Forgery, Step, Times};

const BOX_M1: &str = "checklist M1: \"alert on 5xx responses and webhook failures\"";
/// How long an alert or a change of the metrics is waited for.
const SIGNAL: Duration = Duration::from_secs(5);
/// How long the work behind what goes well, or an alert about it, may take.
const WORKED: Duration = Duration::from_millis(700);
/// The limit of MON-03, its window, and how many operations come after it.
const QUOTA: u32 = 10;
const WINDOW: Duration = Duration::from_secs(5);
const LATER: u32 = 3;
/// How long a subject may be careful after refusals of earlier cases.
const CAREFUL: Duration = Duration::from_secs(10);
/// What is allowed before, in how long a window, and when each window of that has ended for all,
/// its reset being rounded up to the second.
const PLENTY: u32 = 100_000;
const SHORT: Duration = Duration::from_secs(1);
const FORGOTTEN: Duration = Duration::from_millis(2_100);
/// How late the answers are that use it up.
const TOGETHER: Duration = Duration::from_millis(300);
/// How long alerts about stuck customers are waited for, without the hook.
const WATCH: Duration = Duration::from_secs(2);

pub(super) static CASES: &[Case] = &[
    Case::new("MON-01", M1, Must)
        .says(
            "some calls that go well, then 4 operations to which the provider answers 500 until the subject gives up (a few seconds of it, not the 60 s that an alert's \"for\" may ask for)",
            "an alert at GOLIVE_ALERTS_URL, or a series of the hook `metrics` that rises with the errors, not before, and names them",
            "the page of metrics follows the calls before and after, and not the errors; a missing alert alone convicts nobody, since alerting may wait for minutes",
        )
        .rests_on(
            BOX_M1,
            "count every answer with its status as a label (http.response.status_code), retries included, and alert on the share of 5xx",
        )
        .ready(
            &[
                Step::ReadMetrics("before"),
                Step::CreateMany("ok", 3),
                Step::List,
                // An alert about these calls would be one about nothing.
                Step::Settle(WORKED),
                Step::ReadMetrics("normal"),
                Step::FailCreate("a", Times::Always, Answer::Problem(500, "internal")),
                Step::CreateMany("a", 4),
                Step::AwaitSignal("during", SIGNAL),
                Step::CreateMany("after", 2),
                Step::AwaitFollowed("after", SIGNAL),
            ],
            errors::errors_of_the_provider_are_told,
        ),
    Case::new("MON-02", M1, Must)
        .says(
            "5 valid deliveries, then 3 that are forged",
            "an alert at GOLIVE_ALERTS_URL, or a series of the hook `metrics` that rises with the failing deliveries, not before, and names them",
            "the page of metrics follows the deliveries before and after, and not the failing ones; a missing alert alone convicts nobody",
        )
        .rests_on(
            BOX_M1,
            "count deliveries by their verdict (accepted, duplicate, and each reason to refuse one), and alert when refusals go on: a rotated secret looks just like an attack",
        )
        .ready(
            &[
                Step::ReadMetrics("before"),
                Step::DeliverMany("ok", 5),
                // The work behind the answers belongs to what goes well.
                Step::Settle(WORKED),
                Step::ReadMetrics("normal"),
                Step::Deliver("key", Forgery::WrongKey),
                Step::Deliver("body", Forgery::Body),
                Step::Deliver("none", Forgery::NoSignature),
                Step::AwaitSignal("during", SIGNAL),
                Step::DeliverMany("after", 2),
                Step::AwaitFollowed("after", SIGNAL),
            ],
            errors::failing_deliveries_are_told,
        ),
    Case::new("MON-03", M2, Must)
        .says(
            "a limit of 10 requests in 5 s; 10 operations at once, so that X-RateLimit-Remaining falls to 0; when their answers were read, 3 more operations",
            "slows down: no request of these between 0 and the reset (sent later, or reported as failed)",
            "one is sent before the reset, rounded to the second: they are asked for when the calls before have come back and 100 ms have passed, so no request was under way",
        )
        .rests_on(
            "checklist M2: \"watch X-RateLimit-Remaining\"; provider, Rate limits: X-RateLimit-Limit, -Remaining and -Reset are on every response",
            "read the limit headers of every answer, not of a 429 alone; slow down as Remaining falls, and hold calls back until Reset at 0",
        )
        .ready(
            &[
                Step::AwaitQuick("rehearsal", QUOTA, CAREFUL),
                // The limit changes between two windows, as a provider would do it: nobody is told
                // of two ends at once. And the work behind earlier deliveries is over by then.
                Step::LimitRate(PLENTY, SHORT),
                Step::Create("warm"),
                Step::Settle(FORGOTTEN),
                Step::LimitRate(QUOTA, WINDOW),
                // All are sent before the first answer comes: who looks at the limits would pace
                // the rest, and no time would be left between 0 and the reset.
                Step::FailCreate("a", Times::First(QUOTA), Answer::Late(TOGETHER)),
                Step::CreateMany("a", QUOTA),
                Step::CreateWhenUsedUp("a", "b", LATER),
            ],
            quota::a_used_up_quota_is_left_alone,
        ),
    Case::new("MON-04", M3, Must)
        .says(
            "440 customers in pending_kyc and under_review, of whom 6 have been there for 10 days: the first of each state, one on page 2 and one on page 3 (with 100 a page, the most that a list gives)",
            "the hook `stuck` or alerts at GOLIVE_ALERTS_URL name all of the 6, those on page 3 included, and no one who moved within minutes",
            "the hook looks at the list and leaves one out, or names one who is not stuck",
        )
        .rests_on(
            "checklist M3: \"find customers stuck in pending_kyc or under_review\"; lists of the provider are paged: limit at most 100, has_more, starting_after",
            "follow has_more to its end, and go by how long a customer has been in the state, not by the state alone",
        )
        .ready(
            &[Step::SeedStuck("a"), Step::AskStuck("a", WATCH)],
            stuck::everyone_who_is_stuck_is_named,
        ),
    Case::new("MON-05", M1, Should).says(
        "500 with an X-Request-Id canary",
        "the id in the logs",
        "absent",
    ),
];
