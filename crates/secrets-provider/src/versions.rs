//! The versions of a secret that are in use.

use std::{fmt, time::SystemTime};

use crate::Value;

/// One version of a secret: its value, and what may be shown of it.
#[derive(Clone)]
pub struct Version {
    id: Box<str>,
    created_at: Option<SystemTime>,
    value: Value,
}

/// The versions of a secret at one moment, as a [`Source`](crate::Source) read them.
///
/// `current` is the one to use. `previous` is the one before, which the other side may still use or
/// expect. `pending` is one that a rotation has made and not yet promoted: never use it for
/// anything else than to prove it.
#[derive(Clone, Debug)]
pub struct Versions {
    current: Version,
    previous: Option<Version>,
    pending: Option<Version>,
}

// === impl Version ===

impl Version {
    /// Takes a value under the id that its source gave it. The id is not secret, and appears in
    /// `Debug`: never derive it from the value by anything that others can repeat.
    pub fn new(id: impl Into<Box<str>>, value: Value) -> Self {
        Self {
            id: id.into(),
            created_at: None,
            value,
        }
    }

    /// When it was created, if its source knows. Rotation is counted from then.
    #[must_use]
    pub fn with_created_at(mut self, at: SystemTime) -> Self {
        self.created_at = Some(at);
        self
    }

    /// The id. Ids have no order: a roll-back brings an old one back.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it was created.
    #[must_use]
    pub fn created_at(&self) -> Option<SystemTime> {
        self.created_at
    }

    /// The secret.
    #[inline]
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    fn same_as(&self, other: &Self) -> bool {
        self.id == other.id
            && self.created_at == other.created_at
            && self.value.same_as(&other.value)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Version")
            .field("id", &self.id)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

// === impl Versions ===

impl Versions {
    /// A secret with one version.
    #[must_use]
    pub fn new(current: Version) -> Self {
        Self {
            current,
            previous: None,
            pending: None,
        }
    }

    /// Sets the version before.
    #[must_use]
    pub fn with_previous(mut self, previous: impl Into<Option<Version>>) -> Self {
        self.previous = previous.into();
        self
    }

    /// Sets the version that waits for its promotion.
    #[must_use]
    pub fn with_pending(mut self, pending: impl Into<Option<Version>>) -> Self {
        self.pending = pending.into();
        self
    }

    /// The version to use.
    #[inline]
    #[must_use]
    pub fn current(&self) -> &Version {
        &self.current
    }

    /// The version before, while its source still has it.
    #[inline]
    #[must_use]
    pub fn previous(&self) -> Option<&Version> {
        self.previous.as_ref()
    }

    /// The version that waits for its promotion.
    #[must_use]
    pub fn pending(&self) -> Option<&Version> {
        self.pending.as_ref()
    }

    /// What the other side may accept, in the order to try: current, then previous.
    pub fn usable(&self) -> impl Iterator<Item = &Version> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let same = |a: &Option<Version>, b: &Option<Version>| match (a, b) {
            (Some(a), Some(b)) => a.same_as(b),
            (None, None) => true,
            _ => false,
        };
        self.current.same_as(&other.current)
            && same(&self.previous, &other.previous)
            && same(&self.pending, &other.pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(id: &str, value: &str) -> Version {
        Version::new(id, Value::new(value).unwrap())
    }

    #[test]
    fn a_change_of_any_part_is_a_change() {
        let one = Versions::new(version("1", "a")).with_previous(version("0", "z"));
        assert!(one.same_as(&one.clone()));
        let others = [
            Versions::new(version("1", "a")),
            Versions::new(version("2", "a")).with_previous(version("0", "z")),
            Versions::new(version("1", "b")).with_previous(version("0", "z")),
            Versions::new(version("0", "z")).with_previous(version("1", "a")),
            one.clone().with_pending(version("3", "c")),
            Versions::new(version("1", "a").with_created_at(SystemTime::UNIX_EPOCH))
                .with_previous(version("0", "z")),
        ];
        for other in others {
            assert!(!one.same_as(&other), "{other:?}");
        }
    }

    #[test]
    fn the_current_one_is_tried_first_and_the_pending_one_never() {
        let all = Versions::new(version("1", "a"))
            .with_previous(version("0", "z"))
            .with_pending(version("2", "b"));
        let ids: Vec<_> = all.usable().map(Version::id).collect();
        assert_eq!(ids, ["1", "0"]);
    }
}
