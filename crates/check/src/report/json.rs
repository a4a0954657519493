//! The small things that the JSON report needs beyond serde.

use std::time::Duration;

/// A wall time since the Unix epoch as RFC 3339 in UTC, to the second.
pub(super) fn rfc3339(since_epoch: Duration) -> String {
    let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| String::new(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;
    use crate::report::{CaseResult, Facts, Report, SCHEMA};
    use crate::trace::Entry;
    use crate::verdict::{Judgement, Verdict};

    fn report() -> Report {
        let entry = Entry::create("m-a", 12, 500, "key-1");
        let judgement = Judgement::fail("seen", "why").because_of([&entry]);
        let result = |id, judgement| {
            CaseResult::new(
                cases::find(id).unwrap(),
                judgement,
                Duration::from_millis(1_500),
            )
        };
        Report::of(Facts {
            dialect: "any".to_owned(),
            seed: 7,
            started: Duration::from_secs(1_790_000_000),
            took: Duration::from_secs(2),
            subject: "hand-made".to_owned(),
            cases: vec![
                result("IDEM-01", Judgement::pass("ok")),
                result("IDEM-02", judgement),
                result("AUTH-03", Judgement::fail("a storm", "too many")),
            ],
        })
    }

    #[test]
    fn the_document_has_the_members_of_its_schema() {
        let json: serde_json::Value = serde_json::from_str(&report().to_json().unwrap()).unwrap();
        assert_eq!(json["schema"], SCHEMA);
        assert_eq!(json["tool"]["name"], "golive");
        assert_eq!(json["started"], "2026-09-21T14:13:20Z");
        assert_eq!(json["boxes"].as_array().unwrap().len(), 15);
        let case = &json["cases"][1];
        for member in [
            "id", "box", "level", "verdict", "stimulus", "expected", "observed", "reason",
        ] {
            assert!(case[member].is_string(), "{member}");
        }
        assert_eq!(case["verdict"], "FAIL");
        assert_eq!(case["evidence"][0]["answer"]["answered"]["status"], 500);
        assert_eq!(case["evidence"][0]["at"], 0.012);
    }

    #[test]
    fn a_should_that_fails_is_a_warning_and_does_not_untick() {
        let report = report();
        assert_eq!(report.case("AUTH-03").unwrap().verdict, Verdict::Warn);
        assert_eq!(report.with(Verdict::Fail), ["IDEM-02"]);
    }
}
