//! Waiting for effects and call-backs, and counting them.

use std::time::Duration;

use tokio::time::Instant;

use super::{LOOK, Stage};
use crate::drive::hooks::Hook;
use crate::trace::{Entry, Outcome};

impl Stage<'_> {
    pub(super) async fn await_effect(&mut self, label: &'static str, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mark = self.mark(label);
        loop {
            let counted = match self.driver {
                Some(driver) => count(&driver.call(Hook::Effects, &mark, None).await),
                None => None,
            };
            let seen = counted.map_or_else(
                || self.call_backs(label).iter().any(Entry::succeeded),
                |n| n > 0,
            );
            if seen || Instant::now() >= deadline {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    pub(super) async fn await_call_back(
        &mut self,
        label: &'static str,
        limit: Duration,
        enough: impl Fn(&Entry) -> bool,
    ) {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline && !self.call_backs(label).iter().any(&enough) {
            tokio::time::sleep(LOOK).await;
        }
    }

    fn call_backs(&self, label: &'static str) -> Vec<Entry> {
        let Some(id) = self.trace.customers.get(label) else {
            return Vec::new();
        };
        let of_customer = |e: &Entry| e.method == "GET" && e.path.ends_with(id.as_str());
        self.requests().into_iter().filter(of_customer).collect()
    }

    pub(super) async fn count_effects(&mut self, label: &'static str) {
        let mark = self.mark(label);
        let Some(driver) = self.driver else { return };
        if let Some(n) = count(&driver.call(Hook::Effects, &mark, None).await) {
            self.trace.effects.insert(label, n);
        }
    }
}

/// The number that an `effects` hook printed.
fn count(outcome: &Outcome) -> Option<u64> {
    match outcome {
        Outcome::Done { ok: true, output } => output.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_a_number_or_nothing() {
        let done = |ok, output: &str| Outcome::Done {
            ok,
            output: output.to_owned(),
        };
        assert_eq!(count(&done(true, " 2\n")), Some(2));
        assert_eq!(count(&done(true, "two")), None);
        assert_eq!(count(&done(false, "2")), None);
        assert_eq!(count(&Outcome::NotOffered), None);
    }
}
