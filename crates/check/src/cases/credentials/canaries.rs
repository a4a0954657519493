//! Did a secret come out?

use crate::drive::Hook;
use crate::trace::{Leak, Outcome, Place, Searched, Trace};
use crate::verdict::{Judgement, counted};

/// Leaks that are told one by one.
const TOLD: usize = 5;

pub(super) fn no_secret_came_out(trace: &Trace) -> Judgement {
    let searched = &trace.searched;
    let observed = in_words(searched);
    let leaks: Vec<&Leak> = searched.iter().flat_map(|s| &s.leaks).collect();
    if !leaks.is_empty() {
        return Judgement::fail(observed, told(&leaks));
    }
    let log = searched.iter().find(|s| s.place == Place::Logs);
    match log {
        // Whatever a subject offers, a log can hold what its wire does not show.
        _ if trace.lacks(Hook::Logs) => {
            Judgement::skip("the driver does not offer the hook `logs`: print its log, or its path")
        }
        None => {
            let words = trace.call("logs", "search").map(Outcome::words);
            let missing = format!("the logs: the hook `logs` {}", words.unwrap_or_default());
            Judgement::inconclusive(observed, missing)
        }
        Some(log) if log.bytes == 0 => {
            let why = log.missing.as_deref().unwrap_or("the log is empty");
            Judgement::inconclusive(observed, format!("something in the logs: {why}"))
        }
        Some(_) => match searched.iter().find_map(|s| s.missing.as_deref()) {
            Some(missing) => Judgement::inconclusive(observed, missing),
            None => Judgement::pass(observed),
        },
    }
}

fn told(leaks: &[&Leak]) -> String {
    let mut told: Vec<String> = Vec::new();
    for leak in leaks {
        let mut words = format!("{}: {}", leak.at, leak.kind);
        if !leak.excerpt.is_empty() {
            words = format!("{words} in {:?}", leak.excerpt);
        }
        if !told.contains(&words) {
            told.push(words);
        }
    }
    let more = told.len().saturating_sub(TOLD);
    told.truncate(TOLD);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told.join("; ")
}

fn in_words(searched: &[Searched]) -> String {
    let places: Vec<String> = searched
        .iter()
        .filter(|s| s.bytes > 0)
        .map(|s| format!("{} ({})", s.place.words(), counted(s.bytes, "byte")))
        .collect();
    if places.is_empty() {
        return "nothing was searched".to_owned();
    }
    let leaks: usize = searched.iter().map(|s| s.leaks.len()).sum();
    format!("{} in {}", counted(leaks as u64, "leak"), places.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    fn searched(place: Place, bytes: u64, leaks: Vec<Leak>) -> Searched {
        Searched {
            place,
            bytes,
            leaks,
            missing: None,
        }
    }

    fn leak() -> Leak {
        Leak {
            at: "/var/log/app.log:17".to_owned(),
            kind: "client secret".to_owned(),
            excerpt: "config: [redacted:client_secret]".to_owned(),
        }
    }

    fn verdict(places: Vec<Searched>) -> Verdict {
        let trace = Trace {
            searched: places,
            ..Trace::default()
        };
        no_secret_came_out(&trace).verdict
    }

    #[test]
    fn a_leak_anywhere_fails_with_its_place_and_without_itself() {
        for place in [Place::Logs, Place::Hooks, Place::Alerts, Place::Answers] {
            let trace = Trace {
                searched: vec![searched(place, 10, vec![leak()])],
                ..Trace::default()
            };
            let judgement = no_secret_came_out(&trace);
            assert_eq!(judgement.verdict, Verdict::Fail, "{place:?}");
            assert_eq!(
                judgement.reason,
                "/var/log/app.log:17: client secret in \"config: [redacted:client_secret]\""
            );
        }
    }

    #[test]
    fn only_logs_that_hold_something_prove_that_they_hold_no_secret() {
        let rest = || searched(Place::Hooks, 10, vec![]);
        let log = |bytes| searched(Place::Logs, bytes, vec![]);
        assert_eq!(verdict(vec![rest(), log(10)]), Verdict::Pass);
        assert_eq!(verdict(vec![rest(), log(0)]), Verdict::Inconclusive);
        assert_eq!(verdict(vec![rest()]), Verdict::Inconclusive);
        let mut cut = log(10);
        cut.missing = Some("its end".to_owned());
        assert_eq!(verdict(vec![rest(), cut]), Verdict::Inconclusive);
    }

    #[test]
    fn without_logs_a_leak_elsewhere_still_fails() {
        let lacks = |leaks| {
            let mut trace = Trace::default().asked("logs", "search", Outcome::NotOffered);
            trace.searched = vec![searched(Place::Hooks, 10, leaks)];
            no_secret_came_out(&trace).verdict
        };
        assert_eq!(lacks(vec![]), Verdict::Skip);
        assert_eq!(lacks(vec![leak()]), Verdict::Fail);
    }
}
