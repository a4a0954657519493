//! Customers who have not moved for days, among many who have.

use std::time::Duration;

use golive_sandbox::CustomerStatus;
use serde_json::Value;
use tokio::time::Instant;

use super::{LOOK, Stage};
use crate::drive::hooks::Hook;
use crate::signals;
use crate::trace::{Outcome, Watched};

/// In each state: enough for three pages of 100, the most that a list gives.
const CUSTOMERS: usize = 220;
const PAGE: usize = 100;
/// The first, one on the second page and one on the third.
const STUCK: [usize; 3] = [0, 110, 219];
const DAY: Duration = Duration::from_secs(24 * 3_600);
const LONG: Duration = DAY.saturating_mul(10);
/// The others moved just now: whoever calls that stuck goes by the state alone.
const LATELY: Duration = Duration::from_secs(300);

impl Stage<'_> {
    pub(super) fn seed_stuck(&mut self, label: &'static str) {
        let mark = self.mark(label);
        for (status, name) in [
            (CustomerStatus::PendingKyc, "pending_kyc"),
            (CustomerStatus::UnderReview, "under_review"),
        ] {
            for n in 0..CUSTOMERS {
                let stuck = STUCK.contains(&n);
                let age = match (stuck, n % 2) {
                    (true, _) => LONG,
                    (false, 0) => LATELY,
                    (false, _) => Duration::ZERO,
                };
                let external_id = format!("{mark}-{name}-{n}");
                let (page, at) = (n / PAGE + 1, (status, name));
                self.seed_watched(external_id, at, age, stuck, page);
            }
        }
        // Who has arrived is not stuck, however long ago it was.
        for (status, name) in [
            (CustomerStatus::Active, "active"),
            (CustomerStatus::Denied, "denied"),
        ] {
            self.seed_watched(format!("{mark}-{name}"), (status, name), LONG, false, 1);
        }
    }

    fn seed_watched(
        &mut self,
        external_id: String,
        (status, name): (CustomerStatus, &'static str),
        age: Duration,
        stuck: bool,
        page: usize,
    ) {
        let state = self.provider.sandbox().state();
        let seeded = state.seed_aged_customer(&external_id, status, age);
        // NOTE: none only if the provider is full; the judge sees who is there.
        let id = seeded.as_ref().and_then(|c| c.get("id"));
        if let Some(id) = id.and_then(Value::as_str) {
            self.trace.watched.push(Watched {
                id: id.to_owned(),
                external_id,
                status: name,
                stuck,
                page,
            });
        }
    }

    pub(super) async fn ask_stuck(&mut self, label: &'static str, limit: Duration) {
        let mark = self.mark(label);
        if self.call(Hook::Stuck, label, &mark, None).await != Outcome::NotOffered {
            return;
        }
        let deadline = Instant::now() + limit;
        loop {
            self.trace.alerts = self.alerts();
            let reported = signals::reported(&self.trace);
            let mut stuck = self.trace.watched.iter().filter(|w| w.stuck);
            if stuck.all(|w| signals::names(&reported, w)) || Instant::now() >= deadline {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
