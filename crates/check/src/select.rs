//! Choosing cases by id, by box, by group or by a group's name.

use crate::boxes::BOXES;
use crate::case::Case;
use crate::cases;

/// Names of groups, beside the prefixes of the case ids.
pub const GROUPS: [(&str, &[&str]); 7] = [
    ("credentials", &["CRED"]),
    ("idempotency", &["IDEM"]),
    ("retry", &["RETRY"]),
    ("auth", &["AUTH"]),
    ("validation", &["VAL"]),
    (
        "webhook",
        &["WH-SIG", "WH-TS", "WH-DUP", "WH-ACK", "WH-ORD"],
    ),
    ("monitoring", &["MON"]),
];

/// A name that selects nothing; the caller must name something else.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// There is no such case, box or group.
    #[error("{0:?} is no case, box or group; `golive list` shows them all")]
    Unknown(String),
    /// It exists, and has no case that can be run yet.
    #[error("{0} has no case that can be run yet; `golive explain {0}` tells what it will do")]
    ToCome(String),
}

/// The cases that the names select, in the order of the catalogue; all of them
/// without a name.
///
/// # Errors
/// For a name that selects nothing.
pub fn select(names: &[String]) -> Result<Vec<&'static Case>, SelectError> {
    for name in names {
        let matching: Vec<_> = cases::all().filter(|c| matches(c, name)).collect();
        let is_box = BOXES
            .iter()
            .any(|b| b.id.as_str().eq_ignore_ascii_case(name));
        if matching.is_empty() && !is_box {
            return Err(SelectError::Unknown(name.clone()));
        }
        if !matching.iter().any(|c| c.build.is_some()) {
            return Err(SelectError::ToCome(name.to_ascii_uppercase()));
        }
    }
    let wanted = |c: &&Case| names.is_empty() || names.iter().any(|n| matches(c, n));
    Ok(cases::built().filter(wanted).collect())
}

fn matches(case: &Case, name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let group = GROUPS.iter().find(|(group, _)| {
        let group = group.to_ascii_uppercase();
        group == name || format!("{group}S") == name
    });
    case.id == name
        || case.in_box.as_str() == name
        || case.group() == name
        || case
            .id
            .strip_prefix(name.as_str())
            .is_some_and(|rest| rest.starts_with('-'))
        || group.is_some_and(|(_, prefixes)| prefixes.contains(&case.group()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Result<Vec<&'static str>, SelectError> {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        select(&names).map(|cases| cases.iter().map(|c| c.id).collect())
    }

    #[test]
    fn cases_are_chosen_by_id_box_prefix_and_group() {
        assert_eq!(ids(&["idem-02"]).unwrap(), ["IDEM-02"]);
        assert_eq!(ids(&["R4"]).unwrap(), ["VAL-01"]);
        let duplicates = ["WH-DUP-01", "WH-DUP-02", "WH-DUP-03"];
        assert_eq!(ids(&["wh-dup"]).unwrap(), duplicates);
        assert_eq!(ids(&["WH"]).unwrap(), ids(&["webhooks"]).unwrap());
        assert_eq!(ids(&["W4", "IDEM-01"]).unwrap(), ["IDEM-01", "WH-TS-01"]);
    }

    #[test]
    fn no_name_selects_every_case_that_can_be_run() {
        assert_eq!(ids(&[]).unwrap().len(), cases::built().count());
    }

    #[test]
    fn an_unknown_name_and_one_without_cases_are_told_apart() {
        assert_eq!(ids(&["R9"]), Err(SelectError::Unknown("R9".to_owned())));
        assert_eq!(
            ids(&["IDEM-0"]),
            Err(SelectError::Unknown("IDEM-0".to_owned()))
        );
        assert_eq!(ids(&["c1"]), Err(SelectError::ToCome("C1".to_owned())));
        assert_eq!(
            ids(&["IDEM-04"]),
            Err(SelectError::ToCome("IDEM-04".to_owned()))
        );
    }
}
