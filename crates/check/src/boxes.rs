//! The provider's checklist: fifteen boxes, and the states they can be in.

use serde::Serialize;

use crate::case::{Case, Level};
use crate::cases;
use crate::verdict::Verdict;

/// The id of a box, as in the provider's "Going to Production" checklist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[allow(missing_docs, reason = "the title of each stands in `BOXES`")]
pub enum BoxId {
    C1,
    C2,
    C3,
    C4,
    R1,
    R2,
    R3,
    R4,
    W1,
    W2,
    W3,
    W4,
    M1,
    M2,
    M3,
}

/// One box of the checklist.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CheckBox {
    /// Its id.
    pub id: BoxId,
    /// Its title on the checklist.
    pub title: &'static str,
    /// What it asks for, in short.
    pub asks: &'static str,
    /// Why its cases of this version can break it but cannot tick it, if so.
    pub not_provable_because: Option<&'static str>,
}

/// A part of the checklist: the first letter of its box ids and its heading.
pub const SECTIONS: [(char, &str); 4] = [
    ('C', "Credentials"),
    ('R', "Requests"),
    ('W', "Webhooks"),
    ('M', "Monitoring"),
];

/// The checklist, in its own order.
pub static BOXES: [CheckBox; 15] = [
    plain(
        BoxId::C1,
        "Production credentials",
        "production credentials; sandbox ones do not work in production",
    ),
    CheckBox {
        id: BoxId::C2,
        title: "Secrets storage",
        asks: "client_secret and webhook secrets live in a secrets manager, not in code or hard-coded environment variables",
        not_provable_because: Some("that no secret came out does not show where it is kept"),
    },
    CheckBox {
        id: BoxId::C3,
        title: "Server-side calls",
        asks: "all calls from the backend; no credentials in the front end",
        not_provable_because: Some("the wire shows leaks, not their absence from a front end"),
    },
    CheckBox {
        id: BoxId::C4,
        title: "Planned rotation",
        asks: "a process to rotate credentials every 90 days",
        not_provable_because: Some(
            "the drill shows that a rotation works, not that one is planned",
        ),
    },
    plain(
        BoxId::R1,
        "Idempotency on POSTs",
        "an Idempotency-Key on every POST, the same one on its retries",
    ),
    plain(
        BoxId::R2,
        "Retry with backoff",
        "429 and 500 retried with exponential backoff and jitter",
    ),
    plain(
        BoxId::R3,
        "401 handling",
        "renew the token on 401 with code token_expired",
    ),
    plain(
        BoxId::R4,
        "Validation errors",
        "422: show the errors array to the user, field and message",
    ),
    plain(
        BoxId::W1,
        "Signature verification",
        "HMAC-SHA256 checked before processing",
    ),
    plain(
        BoxId::W2,
        "Handler idempotency",
        "webhook-id as the deduplication key",
    ),
    plain(
        BoxId::W3,
        "Fast response",
        "200 within 5 seconds, processing is asynchronous",
    ),
    plain(
        BoxId::W4,
        "Replay protection",
        "webhook-timestamp older than 5 minutes is rejected",
    ),
    plain(
        BoxId::M1,
        "Error alerts",
        "alert on 5xx responses and webhook failures",
    ),
    plain(
        BoxId::M2,
        "Rate limit tracking",
        "watch X-RateLimit-Remaining",
    ),
    plain(
        BoxId::M3,
        "Customer status",
        "find customers stuck in pending_kyc or under_review",
    ),
];

/// The state of a box after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum BoxState {
    /// Every MUST case that exists was run and passed.
    Ticked,
    /// A MUST case failed.
    NotTicked,
    /// Something is missing: a case that exists, a hook, a proof.
    Unproven,
    /// A named person vouches for it until a date. Never merged with a tick.
    Attested,
}

impl BoxState {
    /// The mark between the brackets of a checklist line.
    #[must_use]
    pub const fn mark(self) -> char {
        match self {
            Self::Ticked => 'x',
            Self::NotTicked => ' ',
            Self::Unproven => '?',
            Self::Attested => 'a',
        }
    }

    /// The words that reports print.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ticked => "TICKED",
            Self::NotTicked => "NOT TICKED",
            Self::Unproven => "UNPROVEN",
            Self::Attested => "ATTESTED",
        }
    }
}

/// What the cases of one box add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// The state of the box.
    pub state: BoxState,
    /// MUST cases that were run and passed (a WARN counts: it was met).
    pub passed: usize,
    /// MUST cases that exist in this version.
    pub existing: usize,
    /// MUST cases of the catalogue that are still to come.
    pub to_come: usize,
}

impl BoxId {
    /// The box itself.
    #[must_use]
    pub fn info(self) -> &'static CheckBox {
        // `BOXES` is in the order of the enum; a test pins it.
        &BOXES[self as usize]
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::C1 => "C1",
            Self::C2 => "C2",
            Self::C3 => "C3",
            Self::C4 => "C4",
            Self::R1 => "R1",
            Self::R2 => "R2",
            Self::R3 => "R3",
            Self::R4 => "R4",
            Self::W1 => "W1",
            Self::W2 => "W2",
            Self::W3 => "W3",
            Self::W4 => "W4",
            Self::M1 => "M1",
            Self::M2 => "M2",
            Self::M3 => "M3",
        }
    }
}

impl CheckBox {
    /// Adds up the verdicts of a run. `verdict_of` answers `None` for a case
    /// that was not selected; a box that was judged in part stays unproven.
    pub fn tally(&self, verdict_of: impl Fn(&str) -> Option<Verdict>) -> Tally {
        let musts = cases::all().filter(|c| c.in_box == self.id && c.level == Level::Must);
        let (built, to_come): (Vec<&Case>, Vec<&Case>) = musts.partition(|c| c.build.is_some());
        let verdicts: Vec<_> = built.iter().map(|c| verdict_of(c.id)).collect();
        let passed = verdicts
            .iter()
            .filter(|v| matches!(v, Some(Verdict::Pass | Verdict::Warn)))
            .count();
        let state = if verdicts.contains(&Some(Verdict::Fail)) {
            BoxState::NotTicked
        } else if built.is_empty()
            || self.not_provable_because.is_some()
            || !verdicts.iter().all(|v| {
                matches!(
                    v,
                    Some(Verdict::Pass | Verdict::Warn | Verdict::NotApplicable)
                )
            })
        {
            BoxState::Unproven
        } else {
            BoxState::Ticked
        };
        Tally {
            state,
            passed,
            existing: built.len(),
            to_come: to_come.len(),
        }
    }
}

const fn plain(id: BoxId, title: &'static str, asks: &'static str) -> CheckBox {
    CheckBox {
        id,
        title,
        asks,
        not_provable_because: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boxes_stand_in_the_order_of_their_ids() {
        for (index, b) in BOXES.iter().enumerate() {
            assert_eq!(b.id as usize, index);
            assert_eq!(b.id.info().title, b.title);
            assert!(
                SECTIONS
                    .iter()
                    .any(|(letter, _)| b.id.as_str().starts_with(*letter))
            );
        }
    }

    #[test]
    fn all_passes_tick_a_box_and_the_rest_is_still_to_come() {
        let tally = BoxId::R1.info().tally(|_| Some(Verdict::Pass));
        // IDEM-01, -02, -03, -05 exist; IDEM-04 and -08 are the MUSTs to come.
        assert_eq!(
            tally,
            Tally {
                state: BoxState::Ticked,
                passed: 4,
                existing: 4,
                to_come: 2
            }
        );
    }

    #[test]
    fn one_failure_unticks_whatever_else_passed() {
        let tally = BoxId::R1.info().tally(|id| {
            Some(if id == "IDEM-02" {
                Verdict::Fail
            } else {
                Verdict::Pass
            })
        });
        assert_eq!((tally.state, tally.passed), (BoxState::NotTicked, 3));
    }

    #[test]
    fn a_skipped_or_unselected_case_leaves_the_box_unproven() {
        for missing in [
            None,
            Some(Verdict::Skip),
            Some(Verdict::Inconclusive),
            Some(Verdict::Error),
        ] {
            let tally = BoxId::W2.info().tally(|id| {
                if id == "WH-DUP-02" {
                    missing
                } else {
                    Some(Verdict::Pass)
                }
            });
            assert_eq!(tally.state, BoxState::Unproven, "{missing:?}");
        }
    }

    #[test]
    fn a_box_without_a_case_is_unproven() {
        let tally = BoxId::C1.info().tally(|_| Some(Verdict::Pass));
        assert_eq!((tally.state, tally.existing), (BoxState::Unproven, 0));
    }

    #[test]
    fn some_boxes_can_be_broken_but_not_ticked_from_outside() {
        for id in [BoxId::C2, BoxId::C3, BoxId::C4] {
            let pass = id.info().tally(|_| Some(Verdict::Pass));
            assert_eq!(pass.state, BoxState::Unproven);
            let fail = id.info().tally(|_| Some(Verdict::Fail));
            assert_eq!(fail.state, BoxState::NotTicked);
        }
    }
}
