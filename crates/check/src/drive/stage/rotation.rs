//! The rotation drill: create, deploy, watch the old one stop, revoke.

use std::time::Duration;

use tokio::time::Instant;

use super::Stage;
use crate::drive::hooks::Hook;
use crate::trace::Entry;

/// Between two operations of the overlap.
const PAUSE: Duration = Duration::from_millis(300);
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
        let deadline = Instant::now() + limit;
        let mark = self.mark(label);
        let mut lost = 0;
        for n in 0_u32.. {
            self.provider.sandbox().state().expire_tokens();
            let external_id = format!("{mark}-{n}");
            let outcome = self.call(Hook::Create, label, &external_id, None).await;
            lost += u32::from(outcome.ok() != Some(true));
            if self.second_is_used() || lost >= ENOUGH || Instant::now() >= deadline {
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
        let Some(second) = &self.second else {
            return false;
        };
        let requests = self.requests();
        let fetched = |e: &&Entry| e.is_token_request() && e.succeeded();
        let newest = requests.iter().rev().find(fetched);
        newest.and_then(|e| e.client_id.as_ref()) == Some(&second.client_id)
    }
}
