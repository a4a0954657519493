//! The exit codes of the command, as data.

use crate::boxes::BoxState;
use crate::report::Report;
use crate::verdict::Verdict;

/// What the command ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Exit {
    /// No case failed, and whatever was required is ticked or attested.
    Ok = 0,
    /// A case failed.
    Failed = 1,
    /// The command line or a file is wrong.
    Usage = 2,
    /// The subject cannot be reached, or a control failed.
    Environment = 3,
    /// A box is unproven and proof was required.
    Unproven = 4,
    /// The checker itself is at fault.
    Bug = 5,
    /// Interrupted.
    Interrupted = 130,
}

impl Exit {
    /// All of them, with what they mean.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Ok, "no case failed"),
        (Self::Failed, "a case failed"),
        (Self::Usage, "the command line is wrong"),
        (
            Self::Environment,
            "the subject cannot be reached, or a control failed",
        ),
        (
            Self::Unproven,
            "a box is unproven, and --require-proof was given",
        ),
        (Self::Bug, "the checker itself is at fault"),
        (Self::Interrupted, "interrupted"),
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The exit of a finished run. Unproven boxes count only where proof is
    /// required, and only boxes of which a case was selected.
    #[must_use]
    pub fn of(report: &Report, require_proof: bool) -> Self {
        let any = |verdict| report.cases.iter().any(|c| c.verdict == verdict);
        let unproven = report
            .boxes
            .iter()
            .any(|b| b.selected && b.state == BoxState::Unproven);
        if any(Verdict::Fail) {
            Self::Failed
        } else if any(Verdict::Error) {
            Self::Environment
        } else if require_proof && unproven {
            Self::Unproven
        } else {
            Self::Ok
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cases;
    use crate::report::{CaseResult, Facts};
    use crate::verdict::Judgement;

    fn report(verdicts: &[(&str, Judgement)]) -> Report {
        let cases = verdicts
            .iter()
            .map(|(id, j)| CaseResult::new(cases::find(id).unwrap(), j.clone(), Duration::ZERO))
            .collect();
        Report::of(Facts {
            dialect: String::new(),
            seed: 0,
            started: Duration::ZERO,
            took: Duration::ZERO,
            subject: String::new(),
            cases,
        })
    }

    #[test]
    fn a_failure_outweighs_an_error_and_an_error_a_missing_proof() {
        let pass = ("VAL-01", Judgement::pass(""));
        let fail = ("IDEM-01", Judgement::fail("", ""));
        let error = ("IDEM-02", Judgement::error("", ""));
        assert_eq!(
            Exit::of(&report(&[pass.clone(), fail, error.clone()]), true),
            Exit::Failed
        );
        assert_eq!(Exit::of(&report(&[pass, error]), true), Exit::Environment);
    }

    #[test]
    fn an_unproven_box_counts_only_where_proof_is_required() {
        let unproven = report(&[("VAL-01", Judgement::skip("no driver"))]);
        assert_eq!(Exit::of(&unproven, false), Exit::Ok);
        assert_eq!(Exit::of(&unproven, true), Exit::Unproven);
        let ticked = report(&[("VAL-01", Judgement::pass(""))]);
        assert_eq!(Exit::of(&ticked, true), Exit::Ok);
    }
}
