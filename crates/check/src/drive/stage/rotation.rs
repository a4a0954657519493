//! The rotation drill: create, deploy, watch the old one stop, revoke.

use std::time::Duration;

use tokio::time::Instant;

use super::Stage;
use crate::drive::hooks::Hook;
use crate::trace::Entry;

/// Between two operations of the overlap.
const PAUSE: Duration = Duration::from_millis(300);
/// So many tokens in a row say that the subject went over: with several
/// instances, one token says so of one of them.
const STEADY: usize = 4;
/// So many lost operations need no more.
const ENOUGH: u32 = 3;

impl Stage<'_> {
    pub(super) async fn rotate(&mut self, label: &'static str) {
        if self.driver.is_none() {
            return;
        }
        let sandbox = self.provider.sandbox();
        // NOTE: none only if the provider is full; the judge finds no rotation.
        let Some(second) = sandbox.state().issue_credential("rotation drill") else {
            return;
        };
        let first = sandbox.credential().client_id.clone();
        let outcome = self.hand_over(label, &second).await;
        if outcome.ok() == Some(true) {
            self.trace.rotation = Some((first, second.client_id.clone()));
            self.second = Some(second);
            self.note("rotated");
        } else {
            // Nobody has it, and nobody shall.
            sandbox.state().revoke_credential(&second.client_id);
        }
    }

    pub(super) async fn await_new_credential(&mut self, label: &'static str, limit: Duration) {
        if self.second.is_none() {
            return;
        }
        // The record's clock and this one differ by less than a pause.
        let deadline = Instant::now() + limit + PAUSE;
        let mark = self.mark(label);
        let mut lost = 0;
        for n in 0_u32.. {
            // One more after the time is up: what is used then is used too late.
            let last = Instant::now() >= deadline;
            self.provider.sandbox().state().expire_tokens();
            let external_id = format!("{mark}-{n}");
            let outcome = self.call(Hook::Create, label, &external_id, None).await;
            lost += u32::from(outcome.ok() != Some(true));
            if is_steady(&self.fetched_with_second()) || lost >= ENOUGH || last {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// As an operator would: not before the first one is no longer used.
    pub(super) fn revoke_old_credential(&mut self) {
        if !self.second_is_used() {
            return;
        }
        let sandbox = self.provider.sandbox();
        let first = &sandbox.credential().client_id;
        sandbox.state().revoke_credential(first);
        self.note("revoked");
    }

    /// The environment that the subject was started with holds the first
    /// credential, so that a restart, and another run, need it again.
    pub(super) async fn hand_back(&mut self, label: &'static str) {
        if self.second.take().is_none() {
            return;
        }
        self.note("handed-back");
        let sandbox = self.provider.sandbox();
        let first = sandbox.credential().clone();
        sandbox.state().reinstate_credential(&first.client_id);
        self.hand_over(label, &first).await;
    }

    /// Whether the newest token was fetched with the second credential.
    fn second_is_used(&self) -> bool {
        self.fetched_with_second().last() == Some(&true)
    }

    /// Of each token of this case, whether the second credential fetched it.
    fn fetched_with_second(&self) -> Vec<bool> {
        let second = self.second.as_ref().map(|second| &second.client_id);
        let requests = self.requests();
        let fetched = |e: &&Entry| e.is_token_request() && e.succeeded();
        let fetched = requests.iter().filter(fetched);
        fetched
            .map(|e| second.is_some() && e.client_id.as_ref() == second)
            .collect()
    }
}

/// The second one, again and again, and never the first one in between.
fn is_steady(with_second: &[bool]) -> bool {
    let first = with_second.iter().take_while(|second| !**second).count();
    let after = with_second.get(first..).unwrap_or_default();
    after.len() >= STEADY && after.iter().all(|second| *second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instance_that_went_over_is_not_all_of_them() {
        assert!(is_steady(&[false, true, true, true, true]));
        for not in [
            &[][..],
            &[false; 9],
            &[false, true, true, true],
            &[false, true, false, true, true, true, true],
        ] {
            assert!(!is_steady(not), "{not:?}");
        }
    }
}
