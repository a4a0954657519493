//! What a handle gives: one consistent state of a secret.

use std::{fmt, ops::Deref, sync::Arc};

use arc_swap::Guard;

use crate::{Version, Versions};

/// The versions of a secret at one moment, with the number of that state.
///
/// Current and previous belong together: they never come from two states.
#[derive(Clone, Debug)]
pub struct Snapshot {
    versions: Versions,
    generation: u64,
}

/// A [`Snapshot`] in use, on loan from its handle without a lock or a reference count.
///
/// Keep it for one call, not across calls: it stays what it was when the secret changes, and a
/// thread that holds more than a few makes the next ones slower. `into_owned` gives one to keep.
pub struct Loaded(Guard<Option<Arc<Snapshot>>>);

// === impl Snapshot ===

impl Snapshot {
    pub(crate) fn new(versions: Versions, generation: u64) -> Self {
        Self {
            versions,
            generation,
        }
    }

    /// Counts the states that this handle has seen, from 1. It grows with every change of a version
    /// or its role, a roll-back included; whoever derives something from a secret keeps it beside.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// All versions.
    #[inline]
    #[must_use]
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// The version to use.
    #[inline]
    #[must_use]
    pub fn current(&self) -> &Version {
        self.versions.current()
    }

    /// The version before.
    #[inline]
    #[must_use]
    pub fn previous(&self) -> Option<&Version> {
        self.versions.previous()
    }
}

// === impl Loaded ===

impl Loaded {
    #[inline]
    pub(crate) fn new(guard: Guard<Option<Arc<Snapshot>>>) -> Option<Self> {
        if guard.is_some() {
            Some(Self(guard))
        } else {
            None
        }
    }

    /// The snapshot, to be kept for longer.
    #[must_use]
    pub fn into_owned(self) -> Arc<Snapshot> {
        match Guard::into_inner(self.0) {
            Some(snapshot) => snapshot,
            None => unreachable!("Loaded::new takes no empty guard"),
        }
    }
}

impl Deref for Loaded {
    type Target = Snapshot;

    #[inline]
    fn deref(&self) -> &Snapshot {
        match &*self.0 {
            Some(snapshot) => snapshot,
            None => unreachable!("Loaded::new takes no empty guard"),
        }
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
