//! WH-TS: an old delivery is not taken, however well it is signed.

use std::time::Duration;

use super::{control, rejected};
use crate::boxes::BoxId::W4;
use crate::case::Level::{Must, Should};
use crate::case::{Case, Forgery, Step};
use crate::trace::Trace;
use crate::verdict::Judgement;

pub(in crate::cases) static CASES: &[Case] = &[
    Case::new("WH-TS-01", W4, Must)
        .says(
            "correctly signed, 301 s and 1 h old; as a control, 240 s old",
            "rejected; the control is accepted",
            "accepted",
        )
        .rests_on(
            "checklist W4: \"webhook-timestamp older than 5 minutes is rejected\"",
            "compare webhook-timestamp with the receiver's clock, after the signature was checked",
        )
        .ready(
            &[
                Step::Deliver("301s", Forgery::Shifted(-301)),
                Step::Deliver("1h", Forgery::Shifted(-3_600)),
                Step::Deliver("ok", Forgery::Shifted(-240)),
                Step::AwaitEffect("ok", Duration::from_secs(5)),
                Step::Settle(Duration::from_millis(300)),
                Step::CountEffects(&["301s", "1h", "ok"]),
            ],
            old_deliveries_are_rejected,
        ),
    Case::new("WH-TS-02", W4, Should).says(
        "301 s in the future; malformed (`abc`, `1.7e9`, `1_700`, milliseconds)",
        "rejected",
        "accepted",
    ),
];

fn old_deliveries_are_rejected(trace: &Trace) -> Judgement {
    if let Some(failed) = control(trace, "240 s old") {
        return failed;
    }
    Judgement::of_parts(&[
        rejected(trace, "301s", "301 s old"),
        rejected(trace, "1h", "1 h old"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Entry;
    use crate::verdict::Verdict;

    fn trace(old: u16, recent: u16) -> Trace {
        Trace::default()
            .push_sent("301s", Entry::delivery(0, 1, old))
            .push_sent("1h", Entry::delivery(0, 1, old))
            .push_sent("ok", Entry::delivery(0, 1, recent))
    }

    #[test]
    fn old_deliveries_must_be_rejected_and_recent_ones_not() {
        assert_eq!(
            old_deliveries_are_rejected(&trace(400, 200)).verdict,
            Verdict::Pass
        );
        assert_eq!(
            old_deliveries_are_rejected(&trace(200, 200)).verdict,
            Verdict::Fail
        );
        assert_eq!(
            old_deliveries_are_rejected(&trace(400, 400)).verdict,
            Verdict::Inconclusive
        );
    }
}
