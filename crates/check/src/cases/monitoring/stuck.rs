//! Is everyone who is stuck found?

use crate::drive::Hook;
use crate::signals;
use crate::trace::{Entry, MAX_OUTPUT, Outcome, Trace, Watched};
use crate::verdict::{Judgement, counted};

/// Customers that are named one by one.
const NAMED: usize = 3;

pub(super) fn everyone_who_is_stuck_is_named(trace: &Trace) -> Judgement {
    let reported = signals::reported(trace);
    let (stuck, others): (Vec<&Watched>, Vec<&Watched>) =
        trace.watched.iter().partition(|w| w.stuck);
    if stuck.is_empty() || others.is_empty() {
        return Judgement::inconclusive("no customers were seeded", "room at the provider");
    }
    let named = |of: &[&Watched]| -> Vec<Watched> {
        let named = of.iter().filter(|w| signals::names(&reported, w));
        named.map(|w| (*w).clone()).collect()
    };
    let missing: Vec<&Watched> = stuck
        .iter()
        .copied()
        .filter(|w| !signals::names(&reported, w))
        .collect();
    let wrong = named(&others);
    let pages = trace
        .requests
        .iter()
        .filter(|e| e.method == "GET" && e.path.trim_end_matches('/').ends_with("/customers"));
    let looked = pages.clone().any(Entry::succeeded);
    let observed = format!(
        "{} of {} who are stuck named, {} of {} who are not; {} of customers read",
        stuck.len() - missing.len(),
        stuck.len(),
        wrong.len(),
        others.len(),
        counted(pages.clone().count() as u64, "page"),
    );
    let asked = trace
        .calls
        .iter()
        .rev()
        .find(|c| c.hook == Hook::Stuck.name());
    match asked.map(|c| &c.outcome) {
        // An alert may be about something else.
        _ if !wrong.is_empty() && !signals::hook_names(trace, &wrong) => {
            let wrong: Vec<&Watched> = wrong.iter().collect();
            let missing = format!("alerts about none but them; named, too: {}", in_words(&wrong));
            Judgement::inconclusive(observed, missing)
        }
        _ if !wrong.is_empty() => {
            let wrong: Vec<&Watched> = wrong.iter().collect();
            let reason = format!("named, and not stuck: {}", in_words(&wrong));
            Judgement::fail(observed, reason)
        }
        // However it was told.
        _ if missing.is_empty() => Judgement::pass(observed),
        Some(Outcome::Done { ok: true, output }) if output.len() + 4 > MAX_OUTPUT => {
            Judgement::inconclusive(observed, format!("the report beyond {MAX_OUTPUT} bytes"))
        }
        // No webhook told of them, and a list that is read on a schedule was read before.
        Some(Outcome::Done { ok: true, .. }) if !looked => Judgement::inconclusive(
            observed,
            "a look at the list of customers: the hook did not read it",
        ),
        Some(Outcome::Done { ok: true, .. }) => {
            Judgement::fail(observed, format!("not named: {}", in_words(&missing)))
        }
        Some(Outcome::NotOffered) | None if missing.len() == stuck.len() => Judgement::skip(
            "the driver does not offer the hook `stuck`, and no alert about them came to GOLIVE_ALERTS_URL",
        ),
        // Its own schedule may not be over.
        Some(Outcome::NotOffered) | None => {
            Judgement::inconclusive(observed, format!("alerts about {}", in_words(&missing)))
        }
        Some(other) => {
            let reason = format!("control failed: the hook `stuck` {}", other.words());
            Judgement::error(observed, reason)
        }
    }
    .because_of(pages)
}

fn in_words(customers: &[&Watched]) -> String {
    let mut words: Vec<String> = customers
        .iter()
        .take(NAMED)
        .map(|w| format!("{} ({}, page {})", w.external_id, w.status, w.page))
        .collect();
    if customers.len() > NAMED {
        words.push(format!("and {} more", customers.len() - NAMED));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    fn seeded() -> Trace {
        let watched = |n: usize, stuck| Watched {
            id: format!("cus_{n}"),
            external_id: format!("m-{n}"),
            status: "pending_kyc",
            stuck,
            page: n,
        };
        Trace {
            watched: vec![watched(1, true), watched(2, false), watched(3, true)],
            ..Trace::default()
        }
        .push(Entry {
            path: "/v3/customers".to_owned(),
            ..Entry::call_back("list", 1)
        })
    }

    fn reports(output: &str) -> Judgement {
        everyone_who_is_stuck_is_named(&seeded().called("stuck", "a", true, output))
    }

    #[test]
    fn all_who_are_stuck_and_no_one_else_must_be_named() {
        assert_eq!(reports("cus_1\nm-3 10 d\n").verdict, Verdict::Pass);
        let first_page = reports("cus_1\n");
        assert_eq!(first_page.verdict, Verdict::Fail);
        assert_eq!(first_page.reason, "not named: m-3 (pending_kyc, page 3)");
        assert_eq!(reports("").verdict, Verdict::Fail);
        let cut = reports(&"x".repeat(MAX_OUTPUT));
        assert_eq!(cut.verdict, Verdict::Inconclusive);
        assert_eq!(reports("cus_1 cus_2 cus_3").verdict, Verdict::Fail);
    }

    #[test]
    fn alerts_prove_but_do_not_convict() {
        let lacks = seeded().asked("stuck", "a", Outcome::NotOffered);
        let judge = |trace: &Trace| everyone_who_is_stuck_is_named(trace).verdict;
        assert_eq!(judge(&lacks), Verdict::Skip);
        let some = lacks.clone().with_alert(1, "stuck: cus_1");
        assert_eq!(judge(&some), Verdict::Inconclusive);
        assert_eq!(judge(&some.with_alert(2, "stuck: cus_3")), Verdict::Pass);
        let wrong = lacks.with_alert(1, "stuck: cus_1 cus_2 cus_3");
        assert_eq!(judge(&wrong), Verdict::Inconclusive);
        let noise = seeded().called("stuck", "a", true, "cus_1 cus_3");
        let noise = noise.with_alert(1, "new customer: cus_2");
        assert_eq!(judge(&noise), Verdict::Inconclusive);
    }

    #[test]
    fn who_did_not_look_at_the_list_is_not_convicted_by_it() {
        let mut by_events = seeded().called("stuck", "a", true, "");
        by_events.requests.clear();
        let judgement = everyone_who_is_stuck_is_named(&by_events);
        assert_eq!(judgement.verdict, Verdict::Inconclusive);
    }

    #[test]
    fn a_watch_that_fails_convicts_nobody() {
        let failed = seeded().called("stuck", "a", false, "401");
        let judgement = everyone_who_is_stuck_is_named(&failed);
        assert_eq!(judgement.verdict, Verdict::Error);
    }
}
