#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(
    clippy::unwrap_used,
    reason = "a helper of tests: what fails here is a test that fails"
)]

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use golive_auth_refresh::source::{Fetching, Token, TokenError, TokenSource};
use tokio::time::{Instant, sleep};

/// Issues `token-1`, `token-2`, …; each takes a while, and fails as often as it was told to.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    pub(crate) fetches: Arc<AtomicU64>,
    pub(crate) takes: Duration,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) failures: Arc<Mutex<VecDeque<TokenError>>>,
}

impl Default for Counter {
    fn default() -> Self {
        Self {
            fetches: Arc::default(),
            takes: Duration::from_millis(100),
            lifetime: Some(Duration::from_secs(3600)),
            failures: Arc::default(),
        }
    }
}

impl Counter {
    pub(crate) fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::SeqCst)
    }

    pub(crate) fn lifetime(lifetime: Option<Duration>) -> Self {
        Self {
            lifetime,
            ..Self::default()
        }
    }

    pub(crate) fn fail_next(&self, errors: impl IntoIterator<Item = TokenError>) {
        self.failures.lock().unwrap().extend(errors);
    }
}

impl TokenSource for Counter {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(async move {
            let n = self.fetches.fetch_add(1, Ordering::SeqCst) + 1;
            let sent_at = Instant::now().into_std();
            sleep(self.takes).await;
            if let Some(error) = self.failures.lock().unwrap().pop_front() {
                return Err(error);
            }
            Token::new(format!("token-{n}"), sent_at, self.lifetime)
        })
    }
}
