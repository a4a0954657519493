//! MON: what operators get to know. All still to come.

use crate::boxes::BoxId::{M1, M2, M3};
use crate::case::Case;
use crate::case::Level::{Must, Should};

pub(super) static CASES: &[Case] = &[
    Case::new("MON-01", M1, Must).says(
        "60 s of 5xx",
        "an alert or a metric that changes",
        "none, with a sink configured",
    ),
    Case::new("MON-02", M1, Must).says(
        "no valid webhook; repeatedly failing deliveries",
        "an alert",
        "none",
    ),
    Case::new("MON-03", M2, Must).says(
        "X-RateLimit-Remaining falls from 10 to 0, reset in 5 s",
        "slows down; no request between 0 and the reset",
        "keeps going",
    ),
    Case::new("MON-04", M3, Must).says(
        "customers stuck for 10 days in pending_kyc or under_review, one of them on page 3",
        "reported, page 3 included",
        "one is missing",
    ),
    Case::new("MON-05", M1, Should).says(
        "500 with an X-Request-Id canary",
        "the id in the logs",
        "absent",
    ),
];
