//! What hooks printed, listened to for secrets before these are redacted.

use std::sync::{Mutex, PoisonError};

use golive_sandbox::Sandbox;

use super::canaries;
use crate::trace::{Leak, Outcome, Place, Searched};

/// Leaks that are kept; one is enough to fail.
const MAX_LEAKS: usize = 20;

/// The outputs of all hooks of a provider's life.
#[derive(Debug, Default)]
pub(super) struct Heard(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    bytes: u64,
    leaks: Vec<Leak>,
}

impl Heard {
    /// Listens to one output as the hook gave it.
    ///
    /// NOTE: personal numbers are no leak here: what a user sees of a customer
    /// may well hold the customer's own.
    pub(super) fn listen(&self, sandbox: &Sandbox, hook: &str, outcome: &Outcome) {
        let (Outcome::Done { output: text, .. } | Outcome::Broken(text)) = outcome else {
            return;
        };
        let mut inner = self.lock();
        inner.bytes += text.len() as u64;
        let at = format!("hook {hook}");
        let room = MAX_LEAKS.saturating_sub(inner.leaks.len());
        let found = canaries::in_text(sandbox, &at, text, None);
        inner.leaks.extend(found.into_iter().take(room));
    }

    pub(super) fn searched(&self) -> Searched {
        let inner = self.lock();
        Searched {
            place: Place::Hooks,
            bytes: inner.bytes,
            leaks: inner.leaks.clone(),
            missing: None,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
