//! The catalogue: every case of the checklist, built or still to come, in its
//! own order. What is counted anywhere is counted from here.

mod auth;
mod credentials;
mod idempotency;
mod monitoring;
mod retry;
mod validation;
mod webhook;

use crate::case::Case;

/// All cases.
pub fn all() -> impl Iterator<Item = &'static Case> {
    [
        credentials::CASES,
        idempotency::CASES,
        retry::CASES,
        auth::CASES,
        validation::CASES,
        webhook::signature::CASES,
        webhook::replay::CASES,
        webhook::duplicates::CASES,
        webhook::acknowledgement::CASES,
        webhook::order::CASES,
        monitoring::CASES,
    ]
    .into_iter()
    .flatten()
}

/// The cases that can be run.
pub fn built() -> impl Iterator<Item = &'static Case> {
    all().filter(|c| c.build.is_some())
}

/// The case with this id, whatever its letter case.
#[must_use]
pub fn find(id: &str) -> Option<&'static Case> {
    all().find(|c| c.id.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Level;

    #[test]
    fn the_catalogue_has_its_62_cases_once_each_and_44_of_them_are_musts() {
        let mut ids: Vec<_> = all().map(|c| c.id).collect();
        assert_eq!(ids.len(), 62);
        assert_eq!(all().filter(|c| c.level == Level::Must).count(), 44);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 62);
    }

    #[test]
    fn every_case_says_what_it_does_and_every_built_one_why_and_what_to_do() {
        for case in all() {
            assert!(
                !case.stimulus.is_empty() && !case.expected.is_empty(),
                "{}",
                case.id
            );
            assert!(!case.fails_when.is_empty(), "{}", case.id);
            if case.build.is_some() {
                assert!(
                    !case.clause.is_empty() && !case.hint.is_empty(),
                    "{}",
                    case.id
                );
                assert!(!case.needs().is_empty(), "{}", case.id);
            }
        }
    }

    #[test]
    fn an_empty_trace_never_passes_and_never_fails() {
        use crate::trace::Trace;
        use crate::verdict::Verdict;
        for case in built() {
            let judgement = (case.build.unwrap().judge)(&Trace::default());
            assert!(
                matches!(judgement.verdict, Verdict::Inconclusive | Verdict::Error),
                "{}: {judgement:?}",
                case.id
            );
        }
    }

    #[test]
    fn a_case_is_found_whatever_its_letter_case() {
        assert_eq!(find("idem-02").map(|c| c.id), Some("IDEM-02"));
        assert!(find("IDEM-99").is_none());
    }
}
