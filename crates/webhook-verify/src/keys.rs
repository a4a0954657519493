//! The key ring of a verifier.

use alloc::vec::Vec;

#[cfg(feature = "ed25519")]
use crate::ed25519::PublicKey;
use crate::{Key, UnixTime, mac::Midstates};

/// The keys, each with its place in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    shared: Vec<(usize, Key)>,
    #[cfg(feature = "ed25519")]
    public: Vec<(usize, PublicKey)>,
}

// === impl Keys ===

impl Keys {
    pub(crate) fn push(&mut self, key: Key) {
        self.shared.push((self.len(), key));
    }

    #[cfg(feature = "ed25519")]
    pub(crate) fn push_public(&mut self, key: PublicKey) {
        self.public.push((self.len(), key));
    }

    #[cfg(feature = "ed25519")]
    pub(crate) fn public_len(&self) -> usize {
        self.public.len()
    }

    pub(crate) fn len(&self) -> usize {
        #[cfg(feature = "ed25519")]
        let public = self.public_len();
        #[cfg(not(feature = "ed25519"))]
        let public = 0;
        self.shared.len() + public
    }

    pub(crate) fn has_shared(&self) -> bool {
        !self.shared.is_empty()
    }

    pub(crate) fn has_public(&self) -> bool {
        self.len() > self.shared.len()
    }

    #[inline]
    pub(crate) fn usable(
        &self,
        now: UnixTime,
    ) -> impl Iterator<Item = (usize, &Midstates)> + Clone {
        let usable = self
            .shared
            .iter()
            .filter(move |(_, key)| key.is_usable(now));
        usable.map(|(at, key)| (*at, key.midstates()))
    }

    #[cfg(feature = "ed25519")]
    pub(crate) fn usable_public(
        &self,
        now: UnixTime,
    ) -> impl Iterator<Item = (usize, &PublicKey)> + Clone {
        let usable = self
            .public
            .iter()
            .filter(move |(_, key)| key.is_usable(now));
        usable.map(|(at, key)| (*at, key))
    }

    /// Whether any key may be used.
    #[inline]
    pub(crate) fn are_usable(&self, now: UnixTime) -> bool {
        #[cfg(feature = "ed25519")]
        if self.usable_public(now).next().is_some() {
            return true;
        }
        self.usable(now).next().is_some()
    }

    /// Whether the key in this place may be used.
    pub(crate) fn is_usable(&self, index: usize, now: UnixTime) -> bool {
        #[cfg(feature = "ed25519")]
        if self.usable_public(now).any(|(at, _)| at == index) {
            return true;
        }
        self.usable(now).any(|(at, _)| at == index)
    }

    /// The name of the key in this place.
    #[inline]
    pub(crate) fn name(&self, index: usize) -> Option<&str> {
        #[cfg(feature = "ed25519")]
        if let Some((_, key)) = self.public.iter().find(|(at, _)| *at == index) {
            return key.id();
        }
        let (_, key) = self.shared.iter().find(|(at, _)| *at == index)?;
        key.id()
    }
}
