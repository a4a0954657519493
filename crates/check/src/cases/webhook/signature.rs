//! WH-SIG: nothing is processed that was not signed.

use std::time::Duration;

use super::{STANDARD, accepted, control, only, rejected};
use crate::boxes::BoxId::W1;
use crate::case::Level::{Must, Should};
use crate::case::{Case, Forgery, Step};
use crate::trace::Trace;
use crate::verdict::Judgement;

const BOX_W1: &str = "checklist W1: \"HMAC-SHA256 checked before processing\"; Standard Webhooks 1.0: the signed content is `id.timestamp.body`";

/// How long the control may take to take effect.
const EFFECT: Duration = Duration::from_secs(5);
/// How long a late effect is waited for, after the control took effect.
const LATE: Duration = Duration::from_millis(300);

pub(in crate::cases) static CASES: &[Case] = &[
    Case::new("WH-SIG-01", W1, Must)
        .says(
            "a valid delivery (the control of all webhook cases)",
            "2xx",
            "never: if this is not accepted, all webhook cases are ERROR",
        )
        .rests_on(BOX_W1, "check that the receiver has the webhook secret and that --webhook is its URL")
        .ready(&[Step::Deliver("ok", Forgery::None)], a_valid_delivery_is_accepted),
    Case::new("WH-SIG-02", W1, Must)
        .says(
            "no signature, wrong key, tampered body, tampered id, tampered timestamp",
            "4xx and no effect",
            "2xx or an effect",
        )
        .rests_on(BOX_W1, "verify id, timestamp and the raw body before anything reads them, and answer 4xx")
        .ready(
            &[
                Step::Deliver("unsigned", Forgery::NoSignature),
                Step::Deliver("key", Forgery::WrongKey),
                Step::Deliver("body", Forgery::Body),
                Step::Deliver("id", Forgery::Id),
                Step::Deliver("time", Forgery::Timestamp),
                Step::Deliver("ok", Forgery::None),
                Step::AwaitEffect("ok", EFFECT),
                Step::Settle(LATE),
                Step::CountEffects(&["unsigned", "key", "body", "id", "time", "ok"]),
            ],
            forgeries_are_rejected,
        ),
    Case::new("WH-SIG-03", W1, Must).says(
        "forged with the empty key and with the key of a bare `whsec_`, against a receiver started without its secret",
        "refuses to start or rejects",
        "accepted",
    ),
    Case::new("WH-SIG-04", W1, Must)
        .says(
            "rotation: signatures of [old new] in both orders, of [new] alone, then of the other key alone after the grace; v1a and v2 tokens mixed in",
            "accepted, accepted, rejected; unknown versions are ignored",
            "otherwise",
        )
        .rests_on(STANDARD_SIGNATURES, "split webhook-signature at spaces, skip versions that you do not know, and accept if any v1 matches")
        .ready(
            &[
                Step::Deliver("old-new", Forgery::GoodThenOther),
                Step::Deliver("new-old", Forgery::OtherThenGood),
                Step::Deliver("mixed", Forgery::UnknownVersionsAndGood),
                Step::Deliver("gone", Forgery::WrongKey),
                Step::Deliver("unknown", Forgery::UnknownVersionsOnly),
                Step::Deliver("ok", Forgery::None),
                Step::AwaitEffect("ok", EFFECT),
                Step::Settle(LATE),
                Step::CountEffects(&["gone", "unknown", "ok"]),
            ],
            rotations_are_survived,
        ),
    Case::new("WH-SIG-05", W1, Must).says(
        "raw-body fidelity: odd whitespace, \\u escapes, key order, 1e3, big integers, CRLF, 200 KiB, chunked",
        "accepted",
        "rejected (the body was serialised again)",
    ),
    Case::new("WH-SIG-06", W1, Should).says(
        "garbage headers: non-ASCII, 64 KiB, bad base64, an empty `v1,`, a body that is not UTF-8",
        "4xx in less than 1 s",
        "5xx, a hang, a crash",
    ),
];

const STANDARD_SIGNATURES: &str = "Standard Webhooks 1.0, Webhook headers: the signature header is a space-delimited list of versioned signatures, several during a rotation, and unknown versions are ignored";

/// The control. It is an ERROR rather than a failure: a receiver that takes
/// nothing is most often one that was given another secret or URL.
fn a_valid_delivery_is_accepted(trace: &Trace) -> Judgement {
    let Some(entry) = only(trace, "ok") else {
        return Judgement::error("not sent", "no delivery could be made");
    };
    let observed = format!("valid: {}", entry.answer_words());
    if entry.succeeded() {
        Judgement::pass(observed)
    } else {
        Judgement::error(
            observed,
            format!(
                "a valid delivery was answered \"{}\": is GOLIVE_WEBHOOK_SECRET configured, and is this the webhook URL? ({STANDARD})",
                entry.answer_words()
            ),
        )
    }
    .because_of([entry])
}

fn forgeries_are_rejected(trace: &Trace) -> Judgement {
    if let Some(failed) = control(trace, "valid") {
        return failed;
    }
    Judgement::of_parts(&[
        rejected(trace, "unsigned", "no signature"),
        rejected(trace, "key", "wrong key"),
        rejected(trace, "body", "tampered body"),
        rejected(trace, "id", "tampered id"),
        rejected(trace, "time", "tampered timestamp"),
    ])
}

fn rotations_are_survived(trace: &Trace) -> Judgement {
    if let Some(failed) = control(trace, "own key alone") {
        return failed;
    }
    Judgement::of_parts(&[
        accepted(trace, "old-new", "own and other signature"),
        accepted(trace, "new-old", "other and own signature"),
        accepted(trace, "mixed", "unknown versions around the own signature"),
        rejected(trace, "gone", "other key alone"),
        rejected(trace, "unknown", "unknown versions alone"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Entry;
    use crate::verdict::Verdict;

    const FORGED: [&str; 5] = ["unsigned", "key", "body", "id", "time"];

    fn forgeries(status: u16) -> Trace {
        FORGED.iter().fold(Trace::default(), |t, label| {
            t.push_sent(label, Entry::delivery(0, 1, status))
        })
    }

    fn with_control(trace: Trace) -> Trace {
        trace.push_sent("ok", Entry::delivery(9, 1, 200))
    }

    #[test]
    fn a_receiver_that_takes_nothing_is_an_error_of_the_environment() {
        let refused = Trace::default().push_sent("ok", Entry::delivery(0, 1, 401));
        assert_eq!(
            a_valid_delivery_is_accepted(&refused).verdict,
            Verdict::Error
        );
        let taken = with_control(Trace::default());
        assert_eq!(a_valid_delivery_is_accepted(&taken).verdict, Verdict::Pass);
    }

    #[test]
    fn any_4xx_is_a_rejection_once_the_control_passed() {
        for status in [400, 401, 403, 404] {
            let judgement = forgeries_are_rejected(&with_control(forgeries(status)));
            assert_eq!(judgement.verdict, Verdict::Pass, "{status}");
        }
        let no_control = forgeries(401).push_sent("ok", Entry::delivery(9, 1, 401));
        assert_eq!(
            forgeries_are_rejected(&no_control).verdict,
            Verdict::Inconclusive
        );
        let broken = forgeries_are_rejected(&with_control(forgeries(500)));
        assert_eq!(broken.verdict, Verdict::Inconclusive);
    }

    #[test]
    fn a_2xx_to_a_forgery_fails_unless_a_count_shows_that_it_was_dropped() {
        let trace = with_control(forgeries(200));
        let judgement = forgeries_are_rejected(&trace);
        assert_eq!(judgement.verdict, Verdict::Fail);
        assert!(judgement.reason.contains("give an effects hook"));
        let dropped = FORGED
            .iter()
            .fold(trace.clone(), |t, label| t.with_effects(label, 0));
        let blind = dropped.clone().with_effects("ok", 0);
        for trace in [&dropped, &blind] {
            let judgement = forgeries_are_rejected(trace);
            assert_eq!(judgement.verdict, Verdict::Inconclusive, "{judgement:?}");
        }
        let dropped = dropped.with_effects("ok", 1);
        assert_eq!(forgeries_are_rejected(&dropped).verdict, Verdict::Warn);
        let processed = dropped.with_effects("body", 1);
        assert_eq!(forgeries_are_rejected(&processed).verdict, Verdict::Fail);
    }

    #[test]
    fn an_effect_convicts_even_behind_a_401() {
        let trace = with_control(forgeries(401))
            .with_customer("body")
            .push(Entry::call_back("body", 4));
        let judgement = forgeries_are_rejected(&trace);
        assert_eq!(judgement.verdict, Verdict::Fail);
        assert!(judgement.evidence.iter().any(|e| e.method == "GET"));
    }

    fn rotation(accept: u16, reject: u16) -> Trace {
        let trace = ["old-new", "new-old", "mixed"]
            .iter()
            .fold(Trace::default(), |t, l| {
                t.push_sent(l, Entry::delivery(0, 1, accept))
            });
        with_control(
            ["gone", "unknown"]
                .iter()
                .fold(trace, |t, l| t.push_sent(l, Entry::delivery(0, 1, reject))),
        )
    }

    #[test]
    fn a_rotation_wants_any_matching_signature_and_no_other() {
        assert_eq!(
            rotations_are_survived(&rotation(200, 401)).verdict,
            Verdict::Pass
        );
        assert_eq!(
            rotations_are_survived(&rotation(401, 401)).verdict,
            Verdict::Fail
        );
        assert_eq!(
            rotations_are_survived(&rotation(200, 200)).verdict,
            Verdict::Fail
        );
        assert_eq!(
            rotations_are_survived(&rotation(503, 401)).verdict,
            Verdict::Inconclusive
        );
    }
}
