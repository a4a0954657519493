use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Fetching, Source, SourceError, SourceErrorKind};
use crate::{Version, Versions};

/// Secrets that the program puts there itself: for tests, and for secrets that come by a way that
/// no source knows. Its copies share them.
///
/// Handles notice a change when they refresh; [`Handle::refresh`](crate::Handle::refresh) makes it
/// at once. It holds what it is given, without a bound of its own.
#[derive(Clone, Default)]
pub struct MemorySource(Arc<Inner>);

#[derive(Default)]
struct Inner {
    secrets: Mutex<BTreeMap<Box<str>, Versions>>,
    outage: Mutex<Option<SourceErrorKind>>,
    fetches: AtomicU64,
}

// === impl MemorySource ===

impl MemorySource {
    /// Starts without any secret.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a secret there, in place of what had its name.
    pub fn set(&self, name: &str, versions: Versions) {
        lock(&self.0.secrets).insert(name.into(), versions);
    }

    /// Makes `current` the current version, and what was current the previous one. A pending one is
    /// forgotten.
    pub fn rotate(&self, name: &str, current: Version) {
        let mut secrets = lock(&self.0.secrets);
        let before = secrets.remove(name).map(|before| before.current().clone());
        secrets.insert(name.into(), Versions::new(current).with_previous(before));
    }

    /// Removes a secret.
    pub fn remove(&self, name: &str) {
        lock(&self.0.secrets).remove(name);
    }

    /// Fails every fetch in this way, until it is told `None`.
    pub fn fail(&self, kind: impl Into<Option<SourceErrorKind>>) {
        *lock(&self.0.outage) = kind.into();
    }

    /// How many fetches there were.
    #[must_use]
    pub fn fetches(&self) -> u64 {
        self.0.fetches.load(Ordering::Relaxed)
    }

    fn read(&self, name: &str) -> Result<Versions, SourceError> {
        self.0.fetches.fetch_add(1, Ordering::Relaxed);
        if let Some(kind) = *lock(&self.0.outage) {
            return Err(SourceError::new(kind, "the memory source was told to fail"));
        }
        let missing = || {
            let kind = SourceErrorKind::NotFound;
            SourceError::new(kind, "the memory source has no secret of this name")
        };
        lock(&self.0.secrets).get(name).cloned().ok_or_else(missing)
    }
}

impl Source for MemorySource {
    fn fetch<'a>(&'a self, name: &'a str) -> Fetching<'a> {
        Box::pin(async move { self.read(name) })
    }
}

impl fmt::Debug for MemorySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySource")
            .field("secrets", &lock(&self.0.secrets).len())
            .field("fetches", &self.fetches())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is half-written where a panic is possible.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
