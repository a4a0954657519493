//! The armed faults, and which of them is due.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::matching::Seen;
use super::spec::Fault;
use crate::sync::lock;

/// Faults that may be armed at once; beyond it the oldest is dropped.
const MAX_FAULTS: usize = 10_000;

/// Names an armed fault, for [`Faults::fired`] and [`Faults::remove`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(u64);

/// The armed faults. Clones are the same plan. At most 10,000 are armed at once; then the oldest
/// is dropped.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Plan>>);
/// A fault that is due on a request.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) fault: Fault,
    pub(crate) words: String,
}

#[derive(Debug, Default)]
struct Plan {
    next: u64,
    armed: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    id: u64,
    fault: Fault,
    matched: u64,
    fired: u64,
}

// === impl Faults ===

impl Faults {
    /// Arms a fault. Its count begins now.
    pub fn push(&self, fault: Fault) -> FaultId {
        let mut plan = lock(&self.0);
        plan.next += 1;
        let id = plan.next;
        if plan.armed.len() >= MAX_FAULTS {
            plan.armed.remove(0);
        }
        plan.armed.push(Armed {
            id,
            fault,
            matched: 0,
            fired: 0,
        });
        FaultId(id)
    }

    /// Disarms one fault; false if it is not armed.
    pub fn remove(&self, FaultId(id): FaultId) -> bool {
        let mut plan = lock(&self.0);
        let before = plan.armed.len();
        plan.armed.retain(|armed| armed.id != id);
        plan.armed.len() < before
    }

    /// Disarms all faults.
    pub fn clear(&self) {
        lock(&self.0).armed.clear();
    }

    /// How often an armed fault took effect; 0 once it is disarmed.
    pub fn fired(&self, FaultId(id): FaultId) -> u64 {
        lock(&self.0)
            .armed
            .iter()
            .find(|armed| armed.id == id)
            .map_or(0, |armed| armed.fired)
    }

    /// The armed faults, each with how many requests it matched and how often it took effect.
    pub(crate) fn list(&self) -> Vec<(FaultId, Fault, u64, u64)> {
        let plan = lock(&self.0);
        plan.armed
            .iter()
            .map(|armed| {
                (
                    FaultId(armed.id),
                    armed.fault.clone(),
                    armed.matched,
                    armed.fired,
                )
            })
            .collect()
    }

    /// Counts the request on every fault that it matches, and takes the first that is due.
    pub(crate) fn due(&self, seen: &Seen<'_>) -> Option<Due> {
        let mut due = None;
        for armed in &mut lock(&self.0).armed {
            if !armed.fault.matches(seen) {
                continue;
            }
            armed.matched += 1;
            if due.is_none() && armed.fault.nth.contains(armed.matched) {
                armed.fired += 1;
                due = Some(Due {
                    fault: armed.fault.clone(),
                    words: armed.fault.words(armed.id),
                });
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::super::FaultError;
    use super::*;
    use http::Method;

    fn post<'r>(route: &'r str, body: &'r str) -> Seen<'r> {
        Seen {
            method: "POST",
            route,
            query: None,
            body: body.as_bytes(),
        }
    }

    fn pattern_of(faults: &Faults, requests: usize) -> String {
        (0..requests)
            .map(|_| {
                if faults.due(&post("/customers", "")).is_some() {
                    'x'
                } else {
                    '.'
                }
            })
            .collect()
    }

    #[test]
    fn a_fault_takes_effect_on_its_nth_requests() {
        let on = || Fault::on(Method::POST, "/customers");
        for (fault, pattern) in [
            (on(), "x...."),
            (on().times(2), "xx..."),
            (on().nth(2..=3), ".xx.."),
            (on().nth(2..3), ".x..."),
            (on().nth(4..), "...xx"),
            (on().always(), "xxxxx"),
            (on().times(0), "....."),
        ] {
            let faults = Faults::default();
            faults.push(fault.status(500));
            assert_eq!(pattern_of(&faults, 5), pattern);
        }
    }

    #[test]
    fn the_first_fault_wins_and_the_others_count_on() {
        let faults = Faults::default();
        let first = faults.push(Fault::any("*").times(1));
        let second = faults.push(Fault::any("*").nth(2..=2));
        assert_eq!(pattern_of(&faults, 3), "xx.");
        assert_eq!((faults.fired(first), faults.fired(second)), (1, 1));
        assert!(faults.remove(first) && !faults.remove(first));
    }

    #[test]
    fn only_requests_that_match_are_counted() {
        let faults = Faults::default();
        faults.push(Fault::on(Method::POST, "/customers/{}/documents").containing("mark-7"));
        assert!(
            faults
                .due(&post("/customers/1/documents", "mark-6"))
                .is_none()
        );
        assert!(
            faults
                .due(&post("/customers//documents", "mark-7"))
                .is_none()
        );
        assert!(
            faults
                .due(&post("/customers/1/2/documents", "mark-7"))
                .is_none()
        );
        assert!(
            faults
                .due(&Seen {
                    method: "GET",
                    ..post("/customers/1/documents", "mark-7")
                })
                .is_none()
        );
        assert!(
            faults
                .due(&post("/customers/1/documents", "xmark-7"))
                .is_some()
        );
        assert!(
            faults
                .due(&post("/customers/1/documents", "mark-7"))
                .is_none()
        );
    }

    #[test]
    fn what_cannot_be_sent_is_said() {
        assert_eq!(
            Fault::any("*").status(101).check(),
            Err(FaultError::Status(101))
        );
        assert_eq!(
            Fault::any("*").header("a b", "").check(),
            Err(FaultError::Header("a b".to_owned()))
        );
        assert_eq!(
            Fault::any("*").header("a", "\n").check(),
            Err(FaultError::Header("a".to_owned()))
        );
        assert_eq!(
            Fault::any("customers").check(),
            Err(FaultError::Path("customers".to_owned()))
        );
        assert_eq!(
            Fault::any("/customers")
                .status(503)
                .header("retry-after", "3")
                .check(),
            Ok(())
        );
    }

    #[test]
    fn a_fault_survives_json() {
        let fault = Fault::on(Method::POST, "/loans")
            .nth(2..)
            .body("x")
            .cut_after()
            .problem("c", "d", &[("p", "q")]);
        let json = serde_json::to_value(&fault).unwrap();
        let back: Fault = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(back).unwrap(), json);
        assert!(serde_json::from_str::<Fault>(r#"{"typo": 1}"#).is_err());
    }
}
